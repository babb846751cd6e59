
/*
 * The handler: reads the body where it is needed, finishes the assignment,
 * edits the body by splicing and the request's headers.
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


static void ngx_http_experiment_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_experiment_finish(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
static ngx_uint_t ngx_http_experiment_wants_body(
    ngx_http_experiment_ctx_t *ctx, ngx_uint_t model);
static ngx_uint_t ngx_http_experiment_has_json(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
static ngx_uint_t ngx_http_experiment_json_type(ngx_str_t *type);
static ngx_int_t ngx_http_experiment_text(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
static ngx_int_t ngx_http_experiment_read_file(ngx_http_request_t *r,
    ngx_buf_t *b, nxe_str_t *seg);
static ngx_int_t ngx_http_experiment_scan(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
static void ngx_http_experiment_bypass(ngx_http_experiment_ctx_t *ctx,
    const char *cause);
static ngx_int_t ngx_http_experiment_edit(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
static ngx_int_t ngx_http_experiment_plan(ngx_http_experiment_ctx_t *ctx,
    nxe_edit_t *edits, size_t *n);
static ngx_int_t ngx_http_experiment_model(ngx_http_experiment_ctx_t *ctx,
    nxe_str_t bytes, ngx_uint_t edited);
static void ngx_http_experiment_codes(ngx_http_experiment_ctx_t *ctx,
    nxe_code_t code);
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
ngx_http_experiment_handler(ngx_http_request_t *r)
{
    ngx_int_t                         rc;
    ngx_http_experiment_ctx_t        *ctx;
    ngx_http_experiment_loc_conf_t   *elcf;
    ngx_http_experiment_main_conf_t  *emcf;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_experiment_module);

    if (r != r->main || elcf->bind == NGX_HTTP_EXPERIMENT_OFF) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_experiment_get_ctx(r);

    if (ctx == NULL) {
        ctx = ngx_http_experiment_create_ctx(r);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (ctx->frozen) {

        /* back from reading, or in another location: what is done is done */

        rc = ctx->status;
        ctx->status = NGX_DECLINED;

        return rc;
    }

    if (ngx_http_experiment_assign(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->frozen = 1;
    emcf = ngx_http_get_module_main_conf(r, ngx_http_experiment_module);

    if (!ngx_http_experiment_wants_body(ctx, emcf->uses_model)
        || !ngx_http_experiment_has_json(r, ctx))
    {
        return ngx_http_experiment_finish(r, ctx);
    }

    ctx->readable = 1;

    rc = ngx_http_read_client_request_body(r,
                                           ngx_http_experiment_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        ctx->readable = 0;
        return rc;
    }

    ngx_http_finalize_request(r, NGX_DONE);

    return NGX_DONE;
}


static void
ngx_http_experiment_body_handler(ngx_http_request_t *r)
{
    ngx_http_experiment_ctx_t  *ctx;

    ctx = ngx_http_experiment_get_ctx(r);

    ctx->status = ngx_http_experiment_scan(r, ctx);

    if (ctx->status == NGX_OK) {
        ctx->status = ngx_http_experiment_finish(r, ctx);
    }

    r->preserve_body = 1;

    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}


/* Behind the body, or without one: the rest of the assignment, the edits. */

static ngx_int_t
ngx_http_experiment_finish(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx)
{
    if (ngx_http_experiment_assign_rest(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->scanned) {
        if (ngx_http_experiment_edit(r, ctx) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

    } else {
        ngx_http_experiment_codes(ctx,
                              ctx->body == NGX_HTTP_EXPERIMENT_BODY_BYPASS
                              ? NXE_CODE_BYPASSED : NXE_CODE_NOT_SENT);
    }

    if (ngx_http_experiment_request_headers(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}


static ngx_uint_t
ngx_http_experiment_wants_body(ngx_http_experiment_ctx_t *ctx,
    ngx_uint_t model)
{
    ngx_uint_t                    i;
    ngx_http_experiment_entry_t  *e;

    if (model) {
        return 1;
    }

    for (i = 0; i < ctx->nentries; i++) {
        e = &ctx->entries[i];

        if (e->pending || ngx_http_experiment_edits_body(ctx, e)) {
            return 1;
        }
    }

    return 0;
}


/*
 * A POST of JSON that may be read.  What is too large or encoded is passed by
 * here, before a byte of it is read.
 */

static ngx_uint_t
ngx_http_experiment_has_json(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx)
{
    ngx_uint_t        n;
    ngx_table_elt_t  *encoding;

    if (r->method != NGX_HTTP_POST || r->headers_in.upgrade != NULL
        || r->headers_in.content_type == NULL
        || !ngx_http_experiment_json_type(&r->headers_in.content_type->value))
    {
        return 0;
    }

    if (r->headers_in.content_length_n <= 0 && !r->headers_in.chunked
#if (NGX_HTTP_V2)
        && r->stream == NULL
#endif
       )
    {
        return 0;
    }

    encoding = ngx_http_experiment_find_header(r, nxe_str("content-encoding"),
                                               &n);

    if (n > 1
        || (n == 1 && (encoding->value.len != sizeof("identity") - 1
                       || ngx_strncasecmp(encoding->value.data,
                                          (u_char *) "identity",
                                          sizeof("identity") - 1)
                          != 0)))
    {
        ngx_http_experiment_bypass(ctx, "encoded");
        return 0;
    }

    if (r->headers_in.content_length_n > NGX_HTTP_EXPERIMENT_BODY_MAX) {
        ngx_http_experiment_bypass(ctx, "size");
        return 0;
    }

    return 1;
}


/* application/json or application/...+json; a charset only if it is UTF-8. */

static ngx_uint_t
ngx_http_experiment_json_type(ngx_str_t *type)
{
    u_char  *p, *last, *end;
    size_t   len;

    p = type->data;
    last = p + type->len;

    if (type->len < sizeof("application/json") - 1
        || ngx_strncasecmp(p, (u_char *) "application/",
                           sizeof("application/") - 1)
           != 0)
    {
        return 0;
    }

    end = ngx_strlchr(p, last, ';');
    if (end == NULL) {
        end = last;
    }

    last = end;
    while (last > p && (last[-1] == ' ' || last[-1] == '\t')) {
        last--;
    }

    p += sizeof("application/") - 1;
    len = last - p;

    if (!(len == sizeof("json") - 1
          && ngx_strncasecmp(p, (u_char *) "json", len) == 0)
        && !(len > sizeof("+json") - 1
             && ngx_strncasecmp(last - 5, (u_char *) "+json", 5) == 0))
    {
        return 0;
    }

    last = type->data + type->len;
    p = ngx_strlcasestrn(end, last, (u_char *) "charset=",
                         sizeof("charset=") - 2);

    if (p == NULL) {
        return 1;
    }

    p += sizeof("charset=") - 1;

    if (p < last && *p == '"') {
        p++;
    }

    return last - p >= (ssize_t) sizeof("utf-8") - 1
           && ngx_strncasecmp(p, (u_char *) "utf-8", sizeof("utf-8") - 1) == 0;
}


/*
 * The one pass over the body.  NGX_OK: it was scanned, or is bypassed.
 */

static ngx_int_t
ngx_http_experiment_scan(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx)
{
    size_t              i;
    off_t               len;
    ngx_int_t           rc;
    nxe_json_cause_t    cause;
    nxe_json_result_t   result;

    rc = ngx_http_experiment_text(r, ctx);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_DECLINED) {
        ngx_http_experiment_bypass(ctx, "size");
        return NGX_OK;
    }

    for (i = 0, len = 0; i < ctx->text.n; i++) {
        len += ctx->text.segs[i].len;
    }

    if (len == 0) {
        return NGX_OK;          /* as a request without a body */
    }

    if (ngx_http_experiment_targets(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cause = nxe_json_scan(&ctx->text, &ctx->places->root,
                          NXE_JSON_ROOT_OBJECT, &result);

    if (cause != NXE_JSON_OK) {
        ngx_http_experiment_bypass(ctx, nxe_json_cause_name(cause));
        return NGX_OK;
    }

    ctx->scanned = 1;
    ctx->body = NGX_HTTP_EXPERIMENT_BODY_UNCHANGED;

    return NGX_OK;
}


static void
ngx_http_experiment_bypass(ngx_http_experiment_ctx_t *ctx, const char *cause)
{
    ctx->body = NGX_HTTP_EXPERIMENT_BODY_BYPASS;
    ctx->cause = cause;
}


/*
 * The body as segments; NGX_DECLINED: it is too large.  Reading back what
 * nginx itself spooled is the one file read on the request path.
 */

static ngx_int_t
ngx_http_experiment_text(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx)
{
    off_t         len;
    size_t        n;
    ngx_buf_t    *b;
    nxe_str_t    *segs;
    ngx_chain_t  *cl;

    ctx->text.n = 0;
    ctx->text.segs = NULL;

    if (r->request_body == NULL) {
        return NGX_OK;
    }

    n = 0;
    len = 0;

    for (cl = r->request_body->bufs; cl != NULL; cl = cl->next) {
        len += ngx_buf_size(cl->buf);
        n++;
    }

    if (len > NGX_HTTP_EXPERIMENT_BODY_MAX) {
        return NGX_DECLINED;
    }

    segs = ngx_palloc(r->pool, (n + 1) * sizeof(nxe_str_t));
    if (segs == NULL) {
        return NGX_ERROR;
    }

    ctx->text.segs = segs;

    for (cl = r->request_body->bufs; cl != NULL; cl = cl->next) {
        b = cl->buf;

        if (b->in_file && !ngx_buf_in_memory(b)) {
            if (ngx_http_experiment_read_file(r, b, segs) != NGX_OK) {
                return NGX_ERROR;
            }

        } else {
            segs->data = (char *) b->pos;
            segs->len = b->last - b->pos;
        }

        segs++;
        ctx->text.n++;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_experiment_read_file(ngx_http_request_t *r, ngx_buf_t *b,
    nxe_str_t *seg)
{
    u_char   *p;
    size_t    len, done;
    ssize_t   n;

    len = (size_t) (b->file_last - b->file_pos);

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    for (done = 0; done < len; done += n) {

        n = ngx_read_file(b->file, p + done, len - done, b->file_pos + done);

        if (n <= 0) {
            ngx_log_error(NGX_LOG_CRIT, r->connection->log, 0,
                          "cannot read back the request body from \"%V\"",
                          &b->file->name);
            return NGX_ERROR;
        }
    }

    seg->data = (char *) p;
    seg->len = len;

    return NGX_OK;
}


static ngx_int_t
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

static void
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
