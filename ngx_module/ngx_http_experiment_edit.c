
/*
 * Edits of a scanned body: the plan, and the new chain.
 */

#include "ngx_http_experiment.h"


/*
 * Slices up to this size are copied into one buffer: ten chained buffers cost
 * more than two kilobytes of memcpy().
 */

#define NGX_HTTP_EXPERIMENT_COPY   2048


typedef struct {
    ngx_http_request_t         *request;
    size_t                      small;      /* bytes to copy: first pass */
    u_char                     *copy;       /* second pass */
    u_char                     *pos;        /* start of the run in copy */
    ngx_chain_t                *out;
    ngx_chain_t               **last;
} ngx_http_experiment_splice_t;


static ngx_int_t ngx_http_experiment_plan(ngx_http_experiment_ctx_t *ctx,
    nxe_edit_t *edits, size_t *n);
static ngx_int_t ngx_http_experiment_model(ngx_http_experiment_ctx_t *ctx,
    nxe_str_t bytes, ngx_uint_t edited);
static ngx_int_t ngx_http_experiment_replace(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, nxe_edit_t *edits, size_t n);
static nxe_status_t ngx_http_experiment_count(void *data, nxe_str_t slice);
static nxe_status_t ngx_http_experiment_link(void *data, nxe_str_t slice);
static nxe_status_t ngx_http_experiment_flush(
    ngx_http_experiment_splice_t *s);
static nxe_status_t ngx_http_experiment_chain(
    ngx_http_experiment_splice_t *s, u_char *pos, u_char *last);
static ngx_int_t ngx_http_experiment_content_length(ngx_http_request_t *r,
    off_t len);


ngx_int_t
ngx_http_experiment_edit(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx)
{
    size_t       n;
    nxe_edit_t  *edits;

    n = 0;
    edits = NULL;

    if (ngx_http_experiment_model(ctx, nxe_null_str, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!ctx->elcf->body) {
        ngx_http_experiment_codes(ctx, NXE_CODE_NOT_SENT);
        return NGX_OK;
    }

    if (ctx->nentries != 0) {
        edits = ngx_palloc(r->pool, ctx->nentries * NXE_PARAMS
                                    * NXE_PLAN_EDITS * sizeof(nxe_edit_t));
        if (edits == NULL) {
            return NGX_ERROR;
        }
    }

    if (ngx_http_experiment_plan(ctx, edits, &n) != NGX_OK) {
        return NGX_ERROR;
    }

    if (n == 0) {
        return NGX_OK;
    }

    if (nxe_splice_order(edits, n) != NXE_OK) {

        /* stages of one layer exclude each other: this cannot happen */

        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                      "two experiments edit the same part of a body");
        return NGX_ERROR;
    }

    return ngx_http_experiment_replace(r, ctx, edits, n);
}


static ngx_int_t
ngx_http_experiment_plan(ngx_http_experiment_ctx_t *ctx, nxe_edit_t *edits,
    size_t *n)
{
    nxe_str_t                     bytes;
    nxe_code_t                    code;
    ngx_uint_t                    i, p, done;
    const nxe_override_t         *o;
    ngx_http_experiment_entry_t  *e;

    done = 0;

    for (i = 0; i < ctx->nentries; i++) {
        e = &ctx->entries[i];

        if (e->effective == NULL) {
            continue;
        }

        for (p = 0; p < NXE_PARAMS; p++) {
            o = e->effective->params[p];

            if (o == NULL) {
                continue;
            }

            if (done & (ngx_uint_t) 1 << p) {
                e->params[p] = NXE_CODE_NOT_SENT;   /* the first one wins */
                continue;
            }

            done |= (ngx_uint_t) 1 << p;

            bytes.data = e->handle->bytes + o->value.offset;
            bytes.len = o->value.len;

            if (nxe_places_plan(ctx->places, &ctx->text, (nxe_param_t) p,
                                bytes, o->if_absent, &ctx->mem, edits, n,
                                &code)
                != NXE_OK)
            {
                return NGX_ERROR;
            }

            e->params[p] = (u_char) code;

            if (p == NXE_MODEL && code == NXE_CODE_APPLIED
                && ngx_http_experiment_model(ctx, bytes, 1) != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


/* The model that goes upstream: the client's, or the override's. */

static ngx_int_t
ngx_http_experiment_model(ngx_http_experiment_ctx_t *ctx, nxe_str_t bytes,
    ngx_uint_t edited)
{
    nxe_status_t  rc;

    rc = edited ? nxe_json_unescape(bytes, NXE_UNIT_MAX, &ctx->mem,
                                    &ctx->model)
                : ctx->places->model->type != NXE_JSON_STRING
                ? NXE_DECLINED
                : nxe_places_value(&ctx->text, ctx->places->model, &ctx->mem,
                                   &ctx->model);

    if (rc == NXE_NOMEM) {
        return NGX_ERROR;
    }

    if (rc != NXE_OK) {
        ctx->model = nxe_null_str;
    }

    return NGX_OK;
}


/* All body edits that were meant for this request end the same way. */

void
ngx_http_experiment_codes(ngx_http_experiment_ctx_t *ctx, nxe_code_t code)
{
    ngx_uint_t                    i, p;
    ngx_http_experiment_entry_t  *e;

    for (i = 0; i < ctx->nentries; i++) {
        e = &ctx->entries[i];

        for (p = 0; p < NXE_PARAMS && e->effective != NULL; p++) {
            if (e->effective->params[p] != NULL) {
                e->params[p] = (u_char) code;
            }
        }
    }
}


/*
 * The new chain.  The proxy rewinds each buffer to its start when it tries
 * the next upstream, so a slice begins at its own start.
 */

static ngx_int_t
ngx_http_experiment_replace(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, nxe_edit_t *edits, size_t n)
{
    off_t                         len;
    size_t                        i;
    nxe_status_t                  rc;
    ngx_http_experiment_splice_t  s;

    ngx_memzero(&s, sizeof(ngx_http_experiment_splice_t));

    s.request = r;
    s.last = &s.out;

    (void) nxe_splice(&ctx->text, edits, n, ngx_http_experiment_count, &s);

    s.copy = ngx_pnalloc(r->pool, s.small + 1);
    if (s.copy == NULL) {
        return NGX_ERROR;
    }

    s.pos = s.copy;

    rc = nxe_splice(&ctx->text, edits, n, ngx_http_experiment_link, &s);

    if (rc == NXE_OK) {
        rc = ngx_http_experiment_flush(&s);
    }

    if (rc != NXE_OK || s.out == NULL) {
        return NGX_ERROR;
    }

    /* s.last is the next pointer of the last link */

    ((ngx_chain_t *) ((u_char *) s.last - offsetof(ngx_chain_t, next)))
        ->buf->last_buf = 1;

    for (i = 0, len = 0; i < ctx->text.n; i++) {
        len += ctx->text.segs[i].len;
    }

    len = nxe_splice_len(edits, n, len);

    r->request_body->bufs = s.out;
    ctx->body = NGX_HTTP_EXPERIMENT_BODY_EDITED;

    return ngx_http_experiment_content_length(r, len);
}


static nxe_status_t
ngx_http_experiment_count(void *data, nxe_str_t slice)
{
    ngx_http_experiment_splice_t  *s = data;

    if (slice.len <= NGX_HTTP_EXPERIMENT_COPY) {
        s->small += slice.len;
    }

    return NXE_OK;
}


static nxe_status_t
ngx_http_experiment_link(void *data, nxe_str_t slice)
{
    nxe_status_t                   rc;
    ngx_http_experiment_splice_t  *s = data;

    if (slice.len <= NGX_HTTP_EXPERIMENT_COPY) {
        s->copy = ngx_cpymem(s->copy, slice.data, slice.len);
        return NXE_OK;
    }

    rc = ngx_http_experiment_flush(s);
    if (rc != NXE_OK) {
        return rc;
    }

    return ngx_http_experiment_chain(s, (u_char *) slice.data,
                                     (u_char *) slice.data + slice.len);
}


/* What has been copied since the last large slice becomes a buffer. */

static nxe_status_t
ngx_http_experiment_flush(ngx_http_experiment_splice_t *s)
{
    u_char  *pos;

    if (s->pos == s->copy) {
        return NXE_OK;
    }

    pos = s->pos;
    s->pos = s->copy;

    return ngx_http_experiment_chain(s, pos, s->copy);
}


static nxe_status_t
ngx_http_experiment_chain(ngx_http_experiment_splice_t *s, u_char *pos,
    u_char *last)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    b = ngx_calloc_buf(s->request->pool);
    cl = ngx_alloc_chain_link(s->request->pool);

    if (b == NULL || cl == NULL) {
        return NXE_NOMEM;
    }

    b->start = pos;
    b->pos = pos;
    b->last = last;
    b->end = last;
    b->memory = 1;

    cl->buf = b;
    cl->next = NULL;

    *s->last = cl;
    s->last = &cl->next;

    return NXE_OK;
}


/* nginx's proxy goes by content_length_n, other modules by the header. */

static ngx_int_t
ngx_http_experiment_content_length(ngx_http_request_t *r, off_t len)
{
    u_char           *p;
    ngx_table_elt_t  *h;

    p = ngx_pnalloc(r->pool, NGX_OFF_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    h = r->headers_in.content_length;

    if (h == NULL) {
        h = ngx_list_push(&r->headers_in.headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(h, sizeof(ngx_table_elt_t));
        ngx_str_set(&h->key, "Content-Length");
        h->lowcase_key = (u_char *) "content-length";
        h->hash = ngx_hash_key(h->lowcase_key, h->key.len);

        r->headers_in.content_length = h;
    }

    h->value.data = p;
    h->value.len = ngx_sprintf(p, "%O", len) - p;

    r->headers_in.content_length_n = len;
    r->headers_in.chunked = 0;

    return NGX_OK;
}
