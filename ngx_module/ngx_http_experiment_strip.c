
/*
 * What only the edge may say to those behind and before it: X-Experiment-*
 * of clients and upstreams, and our members of a client's baggage, go.
 */

#include "ngx_http_experiment_endpoint.h"


#define NGX_HTTP_EXPERIMENT_BAGGAGE    "experiment."

#define ngx_http_experiment_blank(ch)  ((ch) == ' ' || (ch) == '\t')


static ngx_int_t ngx_http_experiment_strip_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_experiment_strip_request(ngx_http_request_t *r,
    ngx_table_elt_t *h, const void *data);
static ngx_uint_t ngx_http_experiment_ours(ngx_table_elt_t *h);
static ngx_int_t ngx_http_experiment_strip_baggage(ngx_http_request_t *r,
    ngx_table_elt_t *h);
static ngx_uint_t ngx_http_experiment_baggage_ours(u_char *p, u_char *end);
static ngx_int_t ngx_http_experiment_strip_filter(ngx_http_request_t *r);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


/*
 * Before the access phase, so that neither its subrequests, which share the
 * list, nor an upstream see them.  After an internal redirect the location
 * that was entered decides again.
 */

static ngx_int_t
ngx_http_experiment_strip_handler(ngx_http_request_t *r)
{
    ngx_http_experiment_ctx_t       *ctx;
    ngx_http_experiment_loc_conf_t  *elcf;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_experiment_module);

    if (r != r->main || !elcf->strip) {
        return NGX_DECLINED;
    }

    /* those that are for us are read first */

    if (elcf->feedback != NULL
        && ngx_http_experiment_feedback_headers(r) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_experiment_drop(r, ngx_http_experiment_strip_request, NULL)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* what the edge itself has said before an internal redirect stays said */

    ctx = ngx_http_experiment_get_ctx(r);

    return ctx == NULL || !ctx->traced
           || ngx_http_experiment_trace_headers(r, ctx) == NGX_OK
           ? NGX_DECLINED : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


static ngx_int_t
ngx_http_experiment_strip_request(ngx_http_request_t *r, ngx_table_elt_t *h,
    const void *data)
{
    if (h->key.len == sizeof("baggage") - 1
        && ngx_strncasecmp(h->key.data, (u_char *) "baggage",
                           sizeof("baggage") - 1)
           == 0)
    {
        return ngx_http_experiment_strip_baggage(r, h);
    }

    return ngx_http_experiment_ours(h) ? NGX_OK : NGX_DECLINED;
}


static ngx_uint_t
ngx_http_experiment_ours(ngx_table_elt_t *h)
{
    return nxe_header_ours((nxe_str_t) { (char *) h->key.data, h->key.len });
}


/*
 * Members are between commas (W3C Baggage); a value has none.  With a member
 * go the comma behind it and the blanks behind that, with the last one the
 * comma before it: what stays is byte for byte what was sent.  The value is
 * copied, since it may belong to a document that set this header before an
 * internal redirect.
 */

static ngx_int_t
ngx_http_experiment_strip_baggage(ngx_http_request_t *r, ngx_table_elt_t *h)
{
    u_char  *p, *comma, *next, *last, *value, *out;

    last = h->value.data + h->value.len;
    value = NULL;
    out = NULL;

    for (p = h->value.data; p < last; p = next) {

        comma = ngx_strlchr(p, last, ',');
        next = comma != NULL ? comma + 1 : last;

        if (!ngx_http_experiment_baggage_ours(p, next)) {

            if (value != NULL) {
                out = ngx_cpymem(out, p, next - p);
            }

            continue;
        }

        if (value == NULL) {
            value = ngx_pnalloc(r->pool, h->value.len + 1);
            if (value == NULL) {
                return NGX_ERROR;
            }

            out = ngx_cpymem(value, h->value.data, p - h->value.data);
        }

        if (comma == NULL) {
            while (out > value && ngx_http_experiment_blank(out[-1])) {
                out--;
            }

            if (out > value) {
                out--;
            }

            break;
        }

        /* the blanks before it stand for those behind it */

        while (ngx_http_experiment_blank(*p)) {
            *out++ = *p++;
        }

        while (next < last && ngx_http_experiment_blank(*next)) {
            next++;
        }
    }

    if (value == NULL) {
        return NGX_DECLINED;
    }

    for (p = value; p < out; p++) {

        if (*p == ',' || ngx_http_experiment_blank(*p)) {
            continue;
        }

        *out = '\0';

        h->value.data = value;
        h->value.len = out - value;

        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_experiment_baggage_ours(u_char *p, u_char *end)
{
    /* who reads it may trim more than blanks */

    while (p < end && *p <= ' ') {
        p++;
    }

    return (size_t) (end - p) >= sizeof(NGX_HTTP_EXPERIMENT_BAGGAGE) - 1
           && ngx_memcmp(p, NGX_HTTP_EXPERIMENT_BAGGAGE,
                         sizeof(NGX_HTTP_EXPERIMENT_BAGGAGE) - 1)
              == 0;
}


/* What nginx.conf adds with add_header comes after this. */

static ngx_int_t
ngx_http_experiment_strip_filter(ngx_http_request_t *r)
{
    ngx_uint_t                       i;
    ngx_list_part_t                 *part;
    ngx_table_elt_t                 *h;
    ngx_http_experiment_loc_conf_t  *elcf;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_experiment_module);

    if (r != r->main || r->upstream == NULL || !elcf->strip) {
        return ngx_http_next_header_filter(r);
    }

    for (part = &r->headers_out.headers.part; part != NULL; part = part->next)
    {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (ngx_http_experiment_ours(&h[i])) {
                h[i].hash = 0;
            }
        }
    }

    return ngx_http_next_header_filter(r);
}


ngx_int_t
ngx_http_experiment_strip_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PREACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_experiment_strip_handler;

    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_experiment_strip_filter;

    return NGX_OK;
}
