
/*
 * What a log line says of the answer.
 */

#include "ngx_http_experiment_meter.h"


#define ngx_http_experiment_bool(l, member, value)                            \
    ngx_http_experiment_raw(l, (value) ? "," member ":true"                   \
                                       : "," member ":false",                 \
                            sizeof("," member ":true") - ((value) ? 1 : 0))


static void ngx_http_experiment_log_said(ngx_http_experiment_line_t *l,
    ngx_http_experiment_answer_t *a);
static void ngx_http_experiment_log_times(ngx_http_experiment_line_t *l,
    ngx_http_experiment_answer_t *a);
static void ngx_http_experiment_log_tokens(ngx_http_experiment_line_t *l,
    nxe_meter_t *m);
static void ngx_http_experiment_log_reasons(ngx_http_experiment_line_t *l,
    nxe_meter_t *m);


void
ngx_http_experiment_log_answer(ngx_http_experiment_line_t *l,
    ngx_http_experiment_ctx_t *ctx)
{
    ngx_str_t                      id;
    ngx_http_experiment_answer_t  *a;

    a = ctx->answer;

    if (a != NULL && a->done) {
        if (a->stream) {
            ngx_http_experiment_lit(l, ",\"stream\":true");
        }

        ngx_http_experiment_ms(l, ",\"first_byte_ms\":",
                               a->first_byte / 1000);

        if (a->metered) {
            ngx_http_experiment_log_said(l, a);
        }

        if (a->unmetered != NULL) {
            ngx_http_experiment_lit(l, ",\"unmetered\":");
            ngx_http_experiment_string(l, a->unmetered,
                                       ngx_strlen(a->unmetered));
        }

        if (a->failed != NULL) {
            ngx_http_experiment_lit(l, ",\"stream_error\":");
            ngx_http_experiment_string(l, a->failed, ngx_strlen(a->failed));
        }

        if (a->connected) {
            ngx_http_experiment_bool(l, "\"cold\"", a->cold);
        }

        if (a->paid) {
            ngx_http_experiment_lit(l, ",\"cost\":");
            ngx_http_experiment_nano(l, a->cost);
            ngx_http_experiment_lit(l, ",\"currency\":");
            ngx_http_experiment_string(l, a->price->currency, 3);
        }
    }

    if (ngx_http_experiment_aborted(ctx)) {
        ngx_http_experiment_lit(l, ",\"aborted\":true");
    }

    if (ngx_http_experiment_trace_id(ctx->request, &id)) {
        ngx_http_experiment_lit(l, ",\"trace_id\":");
        ngx_http_experiment_string(l, id.data, id.len);
    }
}


/* What the answer says of itself, and when it said it. */

static void
ngx_http_experiment_log_said(ngx_http_experiment_line_t *l,
    ngx_http_experiment_answer_t *a)
{
    nxe_meter_t  *m;

    m = &a->meter;

    if (a->stream && a->timed) {
        ngx_http_experiment_log_times(l, a);
    }

    if (m->said.model.len != 0) {
        ngx_http_experiment_lit(l, ",\"gen_ai.response.model\":");
        ngx_http_experiment_string(l, m->said.model.data, m->said.model.len);
    }

    ngx_http_experiment_log_reasons(l, m);
    ngx_http_experiment_log_tokens(l, m);

    if (!m->understood) {
        return;
    }

    ngx_http_experiment_number(l, ",\"tool_calls\":", m->said.tool_calls);
    ngx_http_experiment_bool(l, "\"refusal\"", m->said.refusal);
    ngx_http_experiment_bool(l, "\"truncated\"", m->said.truncated);

    if (!m->said.failed && a->failed == NULL && !a->aborted) {
        ngx_http_experiment_bool(l, "\"empty\"",
                                 !m->said.content && m->said.tool_calls == 0);
    }
}


/*
 * To the first content, between the first and the last by token, the longest
 * gap.
 */

static void
ngx_http_experiment_log_times(ngx_http_experiment_line_t *l,
    ngx_http_experiment_answer_t *a)
{
    uint64_t      n;
    nxe_meter_t  *m;

    m = &a->meter;

    if (m->contents == 0) {
        return;
    }

    ngx_http_experiment_ms(l, ",\"ttft_ms\":", m->first / 1000);

    if (m->contents < 2) {
        return;
    }

    if (ngx_http_experiment_tpot(a, &n) == NGX_OK) {
        ngx_http_experiment_ms(l, ",\"tpot_ms\":", n / 1000);
    }

    ngx_http_experiment_ms(l, ",\"itl_max_ms\":", m->gap / 1000);
}


static void
ngx_http_experiment_log_tokens(ngx_http_experiment_line_t *l, nxe_meter_t *m)
{
    uint64_t    n;
    ngx_uint_t  i;

    static const char *const  names[NXE_TOKENS] = {
        ",\"gen_ai.usage.input_tokens\":",
        ",\"gen_ai.usage.output_tokens\":",
        ",\"gen_ai.usage.cache_read.input_tokens\":",
        ",\"gen_ai.usage.cache_creation.input_tokens\":",
        ",\"gen_ai.usage.reasoning.output_tokens\":"
    };

    for (i = 0; i < NXE_TOKENS; i++) {
        if (nxe_meter_tokens(m, (nxe_tokens_t) i, &n) == NXE_OK) {
            ngx_http_experiment_number(l, names[i], n);
        }
    }
}


static void
ngx_http_experiment_log_reasons(ngx_http_experiment_line_t *l,
    nxe_meter_t *m)
{
    ngx_uint_t  i;

    if (m->said.nreasons == 0) {
        return;
    }

    ngx_http_experiment_lit(l, ",\"gen_ai.response.finish_reasons\":[");

    for (i = 0; i < m->said.nreasons; i++) {
        if (i != 0) {
            ngx_http_experiment_lit(l, ",");
        }

        ngx_http_experiment_string(l, m->said.reasons[i].data,
                                   m->said.reasons[i].len);
    }

    ngx_http_experiment_lit(l, "]");
}
