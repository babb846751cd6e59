
/*
 * Variables of what was measured: not found before the request has ended, and
 * where it was not.
 */

#include "ngx_http_experiment_meter.h"


static ngx_int_t ngx_http_experiment_variable_answer(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static void ngx_http_experiment_answer_ttft(ngx_http_experiment_line_t *l,
    ngx_http_experiment_answer_t *a);
static void ngx_http_experiment_answer_tpot(ngx_http_experiment_line_t *l,
    ngx_http_experiment_answer_t *a);
static void ngx_http_experiment_answer_input(ngx_http_experiment_line_t *l,
    ngx_http_experiment_answer_t *a);
static void ngx_http_experiment_answer_output(ngx_http_experiment_line_t *l,
    ngx_http_experiment_answer_t *a);
static void ngx_http_experiment_answer_tokens(ngx_http_experiment_line_t *l,
    ngx_http_experiment_answer_t *a, nxe_tokens_t what);
static void ngx_http_experiment_answer_cost(ngx_http_experiment_line_t *l,
    ngx_http_experiment_answer_t *a);


typedef void (*ngx_http_experiment_answer_pt)(ngx_http_experiment_line_t *l,
    ngx_http_experiment_answer_t *a);

static ngx_http_variable_t  ngx_http_experiment_answer_vars[] = {

    { ngx_string("experiment_ttft"), NULL,
      ngx_http_experiment_variable_answer,
      (uintptr_t) ngx_http_experiment_answer_ttft,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("experiment_tpot"), NULL,
      ngx_http_experiment_variable_answer,
      (uintptr_t) ngx_http_experiment_answer_tpot,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("experiment_input_tokens"), NULL,
      ngx_http_experiment_variable_answer,
      (uintptr_t) ngx_http_experiment_answer_input,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("experiment_output_tokens"), NULL,
      ngx_http_experiment_variable_answer,
      (uintptr_t) ngx_http_experiment_answer_output,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("experiment_cost"), NULL,
      ngx_http_experiment_variable_answer,
      (uintptr_t) ngx_http_experiment_answer_cost,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_http_experiment_add_answer_variables(ngx_conf_t *cf)
{
    return ngx_http_experiment_add_table(cf, ngx_http_experiment_answer_vars);
}


static ngx_int_t
ngx_http_experiment_variable_answer(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_experiment_ctx_t     *ctx;
    ngx_http_experiment_line_t     l;
    ngx_http_experiment_answer_pt  get;

    get = (ngx_http_experiment_answer_pt) data;

    v->not_found = 1;
    ctx = ngx_http_experiment_get_ctx(r);

    if (ctx == NULL || ctx->answer == NULL || !ctx->answer->done) {
        return NGX_OK;
    }

    ngx_memzero(&l, sizeof(ngx_http_experiment_line_t));
    l.pool = r->pool;

    get(&l, ctx->answer);

    if (l.failed) {
        return NGX_ERROR;
    }

    if (l.pos != l.start) {
        v->data = l.start;
        v->len = l.pos - l.start;
        v->valid = 1;
        v->no_cacheable = 1;
        v->not_found = 0;
    }

    return NGX_OK;
}


/* Times are milliseconds with three digits, as in the log. */

static void
ngx_http_experiment_answer_ttft(ngx_http_experiment_line_t *l,
    ngx_http_experiment_answer_t *a)
{
    if (a->timed && a->meter.contents != 0) {
        ngx_http_experiment_ms(l, "", a->meter.first / 1000);
    }
}


static void
ngx_http_experiment_answer_tpot(ngx_http_experiment_line_t *l,
    ngx_http_experiment_answer_t *a)
{
    uint64_t  ns;

    if (ngx_http_experiment_tpot(a, &ns) == NGX_OK) {
        ngx_http_experiment_ms(l, "", ns / 1000);
    }
}


static void
ngx_http_experiment_answer_input(ngx_http_experiment_line_t *l,
    ngx_http_experiment_answer_t *a)
{
    ngx_http_experiment_answer_tokens(l, a, NXE_TOKENS_INPUT);
}


static void
ngx_http_experiment_answer_output(ngx_http_experiment_line_t *l,
    ngx_http_experiment_answer_t *a)
{
    ngx_http_experiment_answer_tokens(l, a, NXE_TOKENS_OUTPUT);
}


static void
ngx_http_experiment_answer_tokens(ngx_http_experiment_line_t *l,
    ngx_http_experiment_answer_t *a, nxe_tokens_t what)
{
    uint64_t  n;

    if (a->metered && nxe_meter_tokens(&a->meter, what, &n) == NXE_OK) {
        ngx_http_experiment_number(l, "", n);
    }
}


static void
ngx_http_experiment_answer_cost(ngx_http_experiment_line_t *l,
    ngx_http_experiment_answer_t *a)
{
    if (a->paid) {
        ngx_http_experiment_nano(l, a->cost);
    }
}
