
/*
 * What a request of feedback has in the log.
 */

#include "ngx_http_experiment_endpoint.h"


static void ngx_http_experiment_outcome_line(ngx_http_experiment_line_t *l,
    ngx_http_experiment_feedback_t *fb, ngx_uint_t i);


/*
 * A line for each item that was taken, which has its own number in the
 * sequence; else one that says why there is none.
 */

ngx_int_t
ngx_http_experiment_outcome_lines(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_str_t *line)
{
    ngx_uint_t                       i;
    ngx_http_experiment_line_t       l;
    ngx_http_experiment_feedback_t  *fb;

    fb = ctx->data;

    if (fb->line.len != 0) {
        *line = fb->line;
        return NGX_OK;
    }

    ngx_memzero(&l, sizeof(ngx_http_experiment_line_t));
    l.pool = r->pool;

    for (i = 0; fb->accepted != 0 && i < fb->f.n; i++) {

        if (fb->outcomes[i].duplicate) {
            continue;
        }

        if (l.start != NULL) {
            ngx_http_experiment_lit(&l, "\n");
            ctx->has_seq = 0;
        }

        ngx_http_experiment_log_start(&l, r, ctx, "feedback");
        ngx_http_experiment_outcome_line(&l, fb, i);
    }

    if (fb->accepted == 0) {
        ngx_http_experiment_log_start(&l, r, ctx, "feedback");
        ngx_http_experiment_number(&l, ",\"status\":",
                                   fb->status != 0 ? fb->status
                                   : r->err_status ? r->err_status
                                                   : r->headers_out.status);
        ngx_http_experiment_lit(&l, ",\"refused\":\"");

        if (fb->status == NGX_HTTP_ACCEPTED) {
            ngx_http_experiment_lit(&l, "duplicate");

        } else {
            ngx_http_experiment_raw(&l, fb->cause, ngx_strlen(fb->cause));
        }

        if (fb->why != NULL && fb->why[0] != '\0') {
            ngx_http_experiment_lit(&l, ":");
            ngx_http_experiment_raw(&l, fb->why, ngx_strlen(fb->why));
        }

        ngx_http_experiment_lit(&l, "\"}");
    }

    line->data = l.start;
    line->len = l.pos - l.start;

    if (fb->status != 0) {
        fb->line = *line;
    }

    return l.failed ? NGX_ERROR : NGX_OK;
}


static void
ngx_http_experiment_outcome_line(ngx_http_experiment_line_t *l,
    ngx_http_experiment_feedback_t *fb, ngx_uint_t i)
{
    nxe_str_t                       key;
    const char                     *trust;
    ngx_http_experiment_handle_t   *h;
    ngx_http_experiment_outcome_t  *o;

    o = &fb->outcomes[i];
    h = o->handle;
    key = fb->f.items[i].key;
    trust = nxe_feedback_trust_name(fb->trust);

    ngx_http_experiment_number(l, ",\"n\":", i);
    ngx_http_experiment_lit(l, ",\"experiment\":");
    ngx_http_experiment_string(l, h->sn.str.data, h->sn.str.len);

    /* a token is of the phase in which it was handed out */

    ngx_http_experiment_number(l, ",\"phase\":",
                               fb->trust == NXE_TRUST_TOKEN ? fb->bound.phase
                                                            : h->phase);
    ngx_http_experiment_number(l, ",\"revision\":",
                               fb->trust == NXE_TRUST_TOKEN
                               ? fb->bound.revision : h->revision);

    ngx_http_experiment_lit(l, ",\"metric\":");
    ngx_http_experiment_string(l, o->metric->name.data, o->metric->name.len);
    ngx_http_experiment_lit(l, ",\"value\":");
    ngx_http_experiment_raw(l, o->value.data, o->value.len);

    if (o->unit) {
        ngx_http_experiment_lit(l, ",\"unit\":");
        ngx_http_experiment_string(l, o->of.data, o->of.len);
        ngx_http_experiment_lit(l, ",\"unit_type\":");
        ngx_http_experiment_string(l, h->doc->unit_type.data,
                                   h->doc->unit_type.len);

    } else {
        ngx_http_experiment_lit(l, ",\"request_id\":");
        ngx_http_experiment_string(l, o->of.data, o->of.len);
    }

    ngx_http_experiment_lit(l, ",\"trust\":");
    ngx_http_experiment_string(l, trust, ngx_strlen(trust));

    if (fb->trust == NXE_TRUST_TOKEN) {
        ngx_http_experiment_lit(l, ",\"variant\":");
        ngx_http_experiment_string(l, fb->bound.variant.data,
                                   fb->bound.variant.len);
    }

    if (key.data != NULL) {
        ngx_http_experiment_lit(l, ",\"idempotency_key\":");
        ngx_http_experiment_string(l, key.data, key.len);
    }

    ngx_http_experiment_lit(l, "}");
}
