
/*
 * The handler: reads the body where it is needed, finishes the assignment,
 * edits the body by splicing and the request's headers.
 */

#include "ngx_http_experiment.h"


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

        if (e->pending || e->lacking
            || ngx_http_experiment_edits_body(ctx, e))
        {
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

    /* a stream that goes both ways would wait for the body's end */

    if (len >= 4 && ngx_strncasecmp(p, (u_char *) "grpc", 4) == 0) {
        return 0;
    }

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

    if (last - p < (ssize_t) sizeof("utf-8") - 1
        || ngx_strncasecmp(p, (u_char *) "utf-8", sizeof("utf-8") - 1) != 0)
    {
        return 0;
    }

    p += sizeof("utf-8") - 1;

    return p == last || *p == '"' || *p == ';' || *p == ' ';
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
