
/*
 * The stream of a chat whose usage only the edge asked for: the client gets
 * what it asked for.  The one case in which an answer's bytes change.
 */

#include "ngx_http_experiment_meter.h"


/* Room of a buffer: a read of an unbuffered upstream is hardly ever larger. */

#define NGX_HTTP_EXPERIMENT_OUT   4096


static void ngx_http_experiment_usage_emit(void *data, nxe_str_t bytes);
static ngx_int_t ngx_http_experiment_usage_mark(
    ngx_http_experiment_answer_t *a, ngx_buf_t *in);
static ngx_buf_t *ngx_http_experiment_usage_buf(
    ngx_http_experiment_answer_t *a);
static void ngx_http_experiment_usage_sent(ngx_http_experiment_answer_t *a);


void
ngx_http_experiment_usage_header(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx)
{
    ngx_http_experiment_answer_t  *a;

    a = ctx->answer;
    a->strips = 1;
    a->pool = r->pool;

    nxe_meter_strip(&a->meter, ngx_http_experiment_usage_emit, a);

    ngx_http_clear_content_length(r);
    ngx_http_clear_accept_ranges(r);
    ngx_http_weak_etag(r);
}


/*
 * What stays is copied, and the buffers that it came in count as sent when
 * the copies are: so a slow client holds back the upstream as ever.
 */

ngx_int_t
ngx_http_experiment_usage_filter(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_chain_t *in,
    ngx_http_output_body_filter_pt next)
{
    ngx_int_t                      rc;
    ngx_http_experiment_answer_t  *a;

    a = ctx->answer;

    if (ngx_chain_add_copy(a->pool, &a->in, in) != NGX_OK) {
        return NGX_ERROR;
    }

    a->out = NULL;
    a->tail = NULL;

    for ( /* void */ ; in != NULL; in = in->next) {
        ngx_http_experiment_meter_buf(ctx, in->buf);

        if (ngx_http_experiment_usage_mark(a, in->buf) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    rc = next(r, a->out);

    ngx_http_experiment_usage_sent(a);

    return rc;
}


static void
ngx_http_experiment_usage_emit(void *data, nxe_str_t bytes)
{
    size_t                         n;
    ngx_buf_t                     *b;
    ngx_http_experiment_answer_t  *a = data;

    while (bytes.len != 0) {
        b = a->tail != NULL ? a->tail->buf : NULL;

        if (b == NULL || b->last == b->end || !b->temporary) {
            b = ngx_http_experiment_usage_buf(a);
            if (b == NULL) {
                return;
            }

            b->temporary = 1;
        }

        n = ngx_min(bytes.len, (size_t) (b->end - b->last));

        b->last = ngx_cpymem(b->last, bytes.data, n);
        bytes.data += n;
        bytes.len -= n;
    }
}


/* What a buffer says beside its bytes, its copy says too. */

static ngx_int_t
ngx_http_experiment_usage_mark(ngx_http_experiment_answer_t *a,
    ngx_buf_t *in)
{
    ngx_buf_t  *b;

    if (in->last_buf || (ngx_buf_special(in) && in->flush)) {

        /* a flush without bytes comes where an upstream has failed */

        nxe_meter_end(&a->meter);

        if (a->tail == NULL && !a->no_memory) {
            (void) ngx_http_experiment_usage_buf(a);
        }
    }

    if (a->no_memory) {
        return NGX_ERROR;
    }

    if (a->tail != NULL) {
        b = a->tail->buf;

        /* nginx does not wait for more where an upstream needs it back */

        b->flush |= in->flush | in->recycled;
        b->last_buf |= in->last_buf;
        b->last_in_chain |= in->last_in_chain;
    }

    return NGX_OK;
}


/* One more buffer behind what goes out now. */

static ngx_buf_t *
ngx_http_experiment_usage_buf(ngx_http_experiment_answer_t *a)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    cl = ngx_chain_get_free_buf(a->pool, &a->free);

    if (cl == NULL) {
        a->no_memory = 1;
        return NULL;
    }

    b = cl->buf;

    if (b->start == NULL) {
        b->start = ngx_palloc(a->pool, NGX_HTTP_EXPERIMENT_OUT);

        if (b->start == NULL) {
            a->no_memory = 1;
            return NULL;
        }

        b->end = b->start + NGX_HTTP_EXPERIMENT_OUT;
        b->tag = (ngx_buf_tag_t) &ngx_http_experiment_module;
    }

    b->pos = b->start;
    b->last = b->start;
    b->temporary = 0;
    b->flush = 0;
    b->last_buf = 0;
    b->last_in_chain = 0;

    cl->next = NULL;

    if (a->tail != NULL) {
        a->tail->next = cl;

    } else {
        a->out = cl;
    }

    a->tail = cl;

    return b;
}


static void
ngx_http_experiment_usage_sent(ngx_http_experiment_answer_t *a)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    ngx_chain_update_chains(a->pool, &a->free, &a->busy, &a->out,
                            (ngx_buf_tag_t) &ngx_http_experiment_module);

    if (a->busy != NULL) {
        return;
    }

    while (a->in != NULL) {
        cl = a->in;
        b = cl->buf;
        a->in = cl->next;

        b->pos = b->last;

        if (b->in_file) {
            b->file_pos = b->file_last;
        }

        ngx_free_chain(a->pool, cl);
    }
}
