
/*
 * Edits of a scanned body: the plan, and the new chain.
 */

#include "ngx_http_experiment_meter.h"


/*
 * Slices up to this size are copied into one buffer: ten chained buffers cost
 * more than two kilobytes of memcpy().
 */

#define NGX_HTTP_EXPERIMENT_COPY   2048


typedef struct {
    ngx_http_request_t         *request;
    u_char                     *copy;       /* end of what has been copied */
    u_char                     *pos;        /* start of its last run */
    ngx_chain_t                *out;
    ngx_chain_t               **last;
} ngx_http_experiment_splice_t;


static ngx_int_t ngx_http_experiment_plan_entry(
    ngx_http_experiment_ctx_t *ctx, ngx_http_experiment_entry_t *e,
    ngx_uint_t *done);
static ngx_int_t ngx_http_experiment_plan_ops(ngx_http_experiment_ctx_t *ctx,
    ngx_http_experiment_entry_t *e);
static ngx_int_t ngx_http_experiment_model(ngx_http_experiment_ctx_t *ctx,
    nxe_str_t bytes, ngx_uint_t edited);
static ngx_int_t ngx_http_experiment_replace(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, nxe_edit_t *edits, size_t n);
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
    size_t        n;
    ngx_uint_t    i, done;
    nxe_edit_t   *edits;
    nxe_status_t  rc;

    if (ngx_http_experiment_model(ctx, nxe_null_str, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!ctx->elcf->body) {
        return ngx_http_experiment_codes(r, ctx, NXE_CODE_NOT_SENT);
    }

    done = 0;

    for (i = 0; i < ctx->nentries; i++) {
        if (ctx->entries[i].effective != NULL
            && ngx_http_experiment_plan_entry(ctx, &ctx->entries[i], &done)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (ngx_http_experiment_asks_usage(ctx)
        && nxe_places_plan_usage(&ctx->targets->places, &ctx->text, &ctx->mem,
                                 &ctx->usage)
           != NXE_OK)
    {
        return NGX_ERROR;
    }

    rc = nxe_places_edits(&ctx->targets->places, &ctx->text, &ctx->mem,
                          &edits, &n);

    if (rc == NXE_OK) {
        return n != 0 ? ngx_http_experiment_replace(r, ctx, edits, n)
                      : NGX_OK;
    }

    if (rc == NXE_INVALID) {

        /* a plan does not overlap: this cannot happen */

        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                      "two experiments edit the same part of a body");
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_experiment_plan_entry(ngx_http_experiment_ctx_t *ctx,
    ngx_http_experiment_entry_t *e, ngx_uint_t *done)
{
    nxe_str_t              bytes;
    nxe_code_t             code;
    ngx_uint_t             p;
    const nxe_override_t  *o;

    for (p = 0; p < NXE_PARAMS; p++) {
        o = e->effective->params[p];

        if (o == NULL) {
            continue;
        }

        if (*done & (ngx_uint_t) 1 << p) {
            e->params[p] = NXE_CODE_NOT_SENT;   /* the first one wins */
            continue;
        }

        *done |= (ngx_uint_t) 1 << p;

        bytes.data = e->handle->bytes + o->value.offset;
        bytes.len = o->value.len;

        if (nxe_places_plan(&ctx->targets->places, &ctx->text,
                            (nxe_param_t) p, bytes, o->if_absent, &ctx->mem,
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

    return e->effective->nops != 0 ? ngx_http_experiment_plan_ops(ctx, e)
                                   : NGX_OK;
}


/* An operation on the model is one more way to choose it. */

static ngx_int_t
ngx_http_experiment_plan_ops(ngx_http_experiment_ctx_t *ctx,
    ngx_http_experiment_entry_t *e)
{
    uint32_t              i;
    nxe_str_t             bytes;
    nxe_code_t            code;
    nxe_places_t         *places;
    nxe_json_node_t      *node;
    const nxe_body_op_t  *op;

    places = &ctx->targets->places;

    e->ops = ngx_palloc(ctx->request->pool, e->effective->nops);
    if (e->ops == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < e->effective->nops; i++) {
        op = e->effective->ops[i];

        bytes.data = e->handle->bytes + op->value.offset;
        bytes.len = op->remove ? 0 : op->value.len;

        if (nxe_places_op(places, op->path, &ctx->mem, &node) != NXE_OK
            || nxe_places_plan_op(places, &ctx->text, node, op->remove, bytes,
                                  &ctx->mem, &code)
               != NXE_OK)
        {
            return NGX_ERROR;
        }

        e->ops[i] = (u_char) code;

        if (node == places->at[NXE_AT_READ_MODEL] && code == NXE_CODE_APPLIED
            && ngx_http_experiment_model(ctx, bytes, 1) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* The model that goes upstream: the client's, or the override's. */

static ngx_int_t
ngx_http_experiment_model(ngx_http_experiment_ctx_t *ctx, nxe_str_t bytes,
    ngx_uint_t edited)
{
    nxe_status_t      rc;
    nxe_json_node_t  *node;

    node = ctx->targets->places.at[NXE_AT_READ_MODEL];
    rc = NXE_DECLINED;

    if (edited) {
        if (bytes.len != 0 && bytes.data[0] == '"') {
            rc = nxe_json_unescape(bytes, NXE_UNIT_MAX, &ctx->mem,
                                   &ctx->model);
        }

    } else if (node->type == NXE_JSON_STRING) {
        rc = nxe_places_value(&ctx->text, node, &ctx->mem, &ctx->model);
    }

    if (rc == NXE_NOMEM) {
        return NGX_ERROR;
    }

    if (rc != NXE_OK) {
        ctx->model = nxe_null_str;
    }

    return NGX_OK;
}


/* All body edits that were meant for this request end the same way. */

ngx_int_t
ngx_http_experiment_codes(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, nxe_code_t code)
{
    ngx_uint_t                    i, p;
    ngx_http_experiment_entry_t  *e;

    for (i = 0; i < ctx->nentries; i++) {
        e = &ctx->entries[i];

        if (e->effective == NULL) {
            continue;
        }

        for (p = 0; p < NXE_PARAMS; p++) {
            if (e->effective->params[p] != NULL) {
                e->params[p] = (u_char) code;
            }
        }

        if (e->effective->nops == 0) {
            continue;
        }

        e->ops = ngx_palloc(r->pool, e->effective->nops);
        if (e->ops == NULL) {
            return NGX_ERROR;
        }

        ngx_memset(e->ops, code, e->effective->nops);
    }

    return NGX_OK;
}


/*
 * 1 if the last upstream was given this body.  proxy_set_body and the like
 * drop it in the content phase, where their settings are private: what they
 * make of r->request_body shows in the chain that they send, whose buffers
 * are copies of those of the body.
 */

ngx_uint_t
ngx_http_experiment_sent(ngx_http_request_t *r)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    if (r->upstream == NULL || r->request_body == NULL
        || r->request_body->bufs == NULL)
    {
        return 0;
    }

    b = r->request_body->bufs->buf;

    for (cl = r->upstream->request_bufs; cl != NULL; cl = cl->next) {

        if (ngx_buf_in_memory(b) ? cl->buf->start == b->start
                                 : cl->buf->in_file
                                   && cl->buf->file == b->file)
        {
            return 1;
        }
    }

    return 0;
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

    s.copy = ngx_pnalloc(r->pool, nxe_splice_small(&ctx->text, edits, n,
                                                NGX_HTTP_EXPERIMENT_COPY) + 1);
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
