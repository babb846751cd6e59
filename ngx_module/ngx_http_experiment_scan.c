
/*
 * A body as segments, and the one pass over it.
 */

#include "ngx_http_experiment.h"


/* A body in more buffers than this is joined before it is scanned. */

#define NGX_HTTP_EXPERIMENT_SEGS  32


static ngx_int_t ngx_http_experiment_join(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, off_t len);
static ngx_int_t ngx_http_experiment_read_file(ngx_http_request_t *r,
    ngx_buf_t *b, nxe_str_t *seg);


/*
 * The one pass over the body.  NGX_OK: it was scanned, or is bypassed.
 */

ngx_int_t
ngx_http_experiment_scan(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx)
{
    size_t                            i;
    off_t                             len;
    ngx_int_t                         rc;
    nxe_json_cause_t                  cause;
    nxe_json_result_t                 result;
    ngx_http_experiment_main_conf_t  *emcf;

    rc = ngx_http_experiment_text(r, ctx, ctx->elcf->body_max_size);

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

    emcf = ngx_http_get_module_main_conf(r, ngx_http_experiment_module);

    cause = nxe_json_scan_members(&ctx->text, &ctx->targets->places.root,
                                  NXE_JSON_ROOT_OBJECT|emcf->cpu, &ctx->mem,
                                  &result);

    if (cause != NXE_JSON_OK) {
        ngx_http_experiment_bypass(ctx, nxe_json_cause_name(cause));
        return NGX_OK;
    }

    ctx->scanned = 1;
    ctx->ambiguous = result.ambiguous;
    ctx->body = NGX_HTTP_EXPERIMENT_BODY_UNCHANGED;

    return NGX_OK;
}


void
ngx_http_experiment_bypass(ngx_http_experiment_ctx_t *ctx, const char *cause)
{
    ctx->body = NGX_HTTP_EXPERIMENT_BODY_BYPASS;
    ctx->cause = cause;
}


/*
 * The body as segments; NGX_DECLINED: it is too large.  Reading back what
 * nginx itself spooled is the one file read on the request path.
 */

ngx_int_t
ngx_http_experiment_text(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, size_t max)
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

    if (len > (off_t) max) {
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

    return n > NGX_HTTP_EXPERIMENT_SEGS
           ? ngx_http_experiment_join(r, ctx, len) : NGX_OK;
}


/*
 * A body that was sent in tiny chunks: one buffer is cheaper to look at than
 * many, and no client chooses how many there are.
 */

static ngx_int_t
ngx_http_experiment_join(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, off_t len)
{
    u_char     *p;
    size_t      i;
    nxe_str_t  *segs;

    p = ngx_pnalloc(r->pool, (size_t) len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    segs = (nxe_str_t *) ctx->text.segs;

    for (i = 0, len = 0; i < ctx->text.n; i++) {
        /* the last buffer of a chunked body has no bytes and no place */

        if (segs[i].len != 0) {
            ngx_memcpy(p + len, segs[i].data, segs[i].len);
            len += segs[i].len;
        }
    }

    segs[0].data = (char *) p;
    segs[0].len = (size_t) len;
    ctx->text.n = 1;

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
