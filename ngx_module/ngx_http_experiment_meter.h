/*
 * What is measured of an answer.
 */

#ifndef _NGX_HTTP_EXPERIMENT_METER_H_INCLUDED_
#define _NGX_HTTP_EXPERIMENT_METER_H_INCLUDED_


#include "ngx_http_experiment_log.h"

#include <nxe/meter.h>

NXE_BEGIN_DECLS


/* What is measured of an upstream's answer; times since the request began. */

struct ngx_http_experiment_answer_s {
    uint64_t                         first_byte;   /* nanoseconds */
    uint64_t                         now;          /* of this call, or 0 */
    const char                      *unmetered;    /* why, or NULL */
    const char                      *failed;       /* how, or NULL */
    const nxe_price_t               *price;        /* NULL: there is none */
    uint64_t                         cost;         /* 10^-9 of its currency */
    ngx_http_experiment_used_t      *used;
    ngx_atomic_uint_t                number;

    /* a stream that loses the usage which the edge asked for */
    ngx_pool_t                      *pool;
    ngx_chain_t                     *in;           /* not sent yet */
    ngx_chain_t                     *out;          /* of this call */
    ngx_chain_t                     *tail;
    ngx_chain_t                     *busy;
    ngx_chain_t                     *free;

    unsigned                         metered:1;
    unsigned                         body:1;
    unsigned                         stream:1;
    unsigned                         timed:1;      /* it leaves as it comes */
    unsigned                         strips:1;
    unsigned                         no_memory:1;
    unsigned                         connected:1;  /* cold is known */
    unsigned                         cold:1;
    unsigned                         aborted:1;    /* the client left */
    unsigned                         paid:1;       /* cost is known */
    unsigned                         done:1;       /* nothing comes any more */

    nxe_meter_t                      meter;        /* its first part with those
                                                      above: each event's */
};


/* ngx_http_experiment_meter.c */

ngx_uint_t ngx_http_experiment_asks_usage(ngx_http_experiment_ctx_t *ctx);
ngx_int_t ngx_http_experiment_meter_request(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
void ngx_http_experiment_meter_header(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
ngx_int_t ngx_http_experiment_meter_filter(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_chain_t *in,
    ngx_http_output_body_filter_pt next);
void ngx_http_experiment_meter_buf(ngx_http_experiment_ctx_t *ctx,
    ngx_buf_t *b);
ngx_uint_t ngx_http_experiment_aborted(ngx_http_experiment_ctx_t *ctx);
ngx_int_t ngx_http_experiment_tpot(ngx_http_experiment_answer_t *a,
    uint64_t *ns);
uint64_t ngx_http_experiment_now(ngx_http_experiment_ctx_t *ctx);

/* ngx_http_experiment_usage.c */

void ngx_http_experiment_usage_header(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
ngx_int_t ngx_http_experiment_usage_filter(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_chain_t *in,
    ngx_http_output_body_filter_pt next);

/* ngx_http_experiment_log_answer.c */

void ngx_http_experiment_log_answer(ngx_http_experiment_line_t *l,
    ngx_http_experiment_ctx_t *ctx);

/* ngx_http_experiment_answer_variables.c */

ngx_int_t ngx_http_experiment_add_answer_variables(ngx_conf_t *cf);


NXE_END_DECLS

#endif /* _NGX_HTTP_EXPERIMENT_METER_H_INCLUDED_ */
