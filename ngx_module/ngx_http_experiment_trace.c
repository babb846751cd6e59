
/*
 * What ties a request to what others record of it: traceparent, baggage, the
 * edge's own id, and the assignment in the answer.
 */

#include "ngx_http_experiment.h"

#include <sys/random.h>


typedef struct {
    nxe_str_t           name;
    nxe_str_t           lower;
} ngx_http_experiment_named_header_t;

#define ngx_http_experiment_header(name, lower)                               \
    { { name, sizeof(name) - 1 }, { lower, sizeof(lower) - 1 } }

static const ngx_http_experiment_named_header_t
    ngx_http_experiment_traceparent =
        ngx_http_experiment_header("traceparent", "traceparent"),
    ngx_http_experiment_tracestate =
        ngx_http_experiment_header("tracestate", "tracestate"),
    ngx_http_experiment_baggage =
        ngx_http_experiment_header("baggage", "baggage"),
    ngx_http_experiment_request_id =
        ngx_http_experiment_header("X-Experiment-Request-Id",
                                   "x-experiment-request-id");

#define NGX_HTTP_EXPERIMENT_MEMBER     "experiment."


static void ngx_http_experiment_trace_of(ngx_http_request_t *r,
    ngx_str_t *id);
static ngx_int_t ngx_http_experiment_trace_create(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
static ngx_int_t ngx_http_experiment_own_members(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
static ngx_int_t ngx_http_experiment_add_members(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
static u_char *ngx_http_experiment_each_line(ngx_http_request_t *r,
    size_t *len, ngx_uint_t *members, u_char *p);
static ngx_int_t ngx_http_experiment_own_id(ngx_http_request_t *r,
    ngx_str_t *id);
static ngx_int_t ngx_http_experiment_send_header(ngx_http_request_t *r,
    const ngx_http_experiment_named_header_t *header, ngx_str_t *value);


/* In each worker, which have to differ: no request asks the system. */

ngx_int_t
ngx_http_experiment_trace_init(ngx_cycle_t *cycle,
    ngx_http_experiment_worker_t *w)
{
    u_char  seed[NXE_SHA256_LEN];

    w->trace_key = ngx_pmemalign(cycle->pool, sizeof(nxe_hmac_key_t),
                                 NGX_CPU_CACHE_LINE);
    if (w->trace_key == NULL) {
        return NGX_ERROR;
    }

    if (getrandom(seed, sizeof(seed), 0) != sizeof(seed)) {
        ngx_log_error(NGX_LOG_CRIT, cycle->log, ngx_errno,
                      "getrandom() failed");
        return NGX_ERROR;
    }

    nxe_hmac_key(w->trace_key, seed);
    nxe_erase(seed, sizeof(seed));

    return NGX_OK;
}


/*
 * By the handler, once, and after an experiment's own headers: what is logged
 * is what goes upstream.
 */

ngx_int_t
ngx_http_experiment_trace_request(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx)
{
    ngx_http_experiment_loc_conf_t  *elcf;

    elcf = ctx->elcf;
    ctx->traced = 1;

    if (elcf->traceparent != NGX_HTTP_EXPERIMENT_TRACE_OFF) {

        ngx_http_experiment_trace_of(r, &ctx->trace_id);

        if (ctx->trace_id.len == 0
            && elcf->traceparent == NGX_HTTP_EXPERIMENT_TRACE_CREATE
            && ngx_http_experiment_trace_create(r, ctx) != NGX_OK)
        {
            return NGX_ERROR;
        }

        /* where a client's passes, an upstream could not tell it apart */

        ctx->sends_id = elcf->strip;
    }

    if (elcf->baggage && ngx_http_experiment_own_members(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_experiment_trace_headers(r, ctx);
}


/* What is removed from clients, and so again after an internal redirect. */

ngx_int_t
ngx_http_experiment_trace_headers(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx)
{
    ngx_str_t  id;

    if (ctx->sends_id
        && (ngx_http_experiment_own_id(r, &id) != NGX_OK
            || ngx_http_experiment_send_header(r,
                                         &ngx_http_experiment_request_id, &id)
               != NGX_OK))
    {
        return NGX_ERROR;
    }

    return ctx->members != 0 ? ngx_http_experiment_add_members(r, ctx)
                             : NGX_OK;
}


/* Of the one traceparent that there is, if it is one. */

static void
ngx_http_experiment_trace_of(ngx_http_request_t *r, ngx_str_t *id)
{
    nxe_str_t         found;
    ngx_uint_t        n;
    ngx_table_elt_t  *h;

    ngx_str_null(id);

    h = ngx_http_experiment_find_header(r,
                                        ngx_http_experiment_traceparent.lower,
                                        &n);

    if (n == 1
        && nxe_traceparent_parse((nxe_str_t) { (char *) h->value.data,
                                               h->value.len },
                                 &found)
           == NXE_OK)
    {
        id->data = (u_char *) found.data;
        id->len = found.len;
    }
}


/* A new trace: what was no valid traceparent goes, and its tracestate. */

static ngx_int_t
ngx_http_experiment_trace_create(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx)
{
    u_char     *p;
    ngx_str_t   value, none;

    p = ngx_pnalloc(r->pool, NXE_TRACEPARENT_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    nxe_traceparent_make(ctx->worker->trace_key, ctx->worker->traces++,
                         (char *) p);

    value.data = p;
    value.len = NXE_TRACEPARENT_LEN;
    ngx_str_null(&none);

    if (ngx_http_experiment_send_header(r, &ngx_http_experiment_traceparent,
                                        &value)
            != NGX_OK
        || ngx_http_experiment_send_header(r, &ngx_http_experiment_tracestate,
                                           &none)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_experiment_trace_of(r, &ctx->trace_id);

    return NGX_OK;
}


/*
 * "experiment.NAME=VARIANT,..." of the exposed ones.  Names are tokens, and
 * have nothing that a value had to escape.
 */

static ngx_int_t
ngx_http_experiment_own_members(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx)
{
    size_t                        len;
    u_char                       *p;
    nxe_str_t                     variant;
    ngx_uint_t                    i;
    ngx_http_experiment_entry_t  *e;

    for (i = 0, len = 0; i < ctx->nentries; i++) {
        e = &ctx->entries[i];

        if (e->a.exposed) {
            ctx->members++;
            len += sizeof(NGX_HTTP_EXPERIMENT_MEMBER "=,") - 1
                   + e->handle->sn.str.len
                   + ngx_http_experiment_served(e).len;
        }
    }

    if (ctx->members == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ctx->baggage.data = p;

    for (i = 0; i < ctx->nentries; i++) {
        e = &ctx->entries[i];

        if (e->a.exposed) {
            variant = ngx_http_experiment_served(e);

            if (p != ctx->baggage.data) {
                *p++ = ',';
            }

            p = ngx_cpymem(p, NGX_HTTP_EXPERIMENT_MEMBER,
                           sizeof(NGX_HTTP_EXPERIMENT_MEMBER) - 1);
            p = ngx_cpymem(p, e->handle->sn.str.data, e->handle->sn.str.len);
            *p++ = '=';
            p = ngx_cpymem(p, variant.data, variant.len);
        }
    }

    ctx->baggage.len = p - ctx->baggage.data;

    return NGX_OK;
}


/*
 * Behind the client's members, all in one line, since many who read it look at
 * one line only.  Beyond what everybody passes on, something would be dropped
 * later that nobody chose: all of ours stay away, and the client's as it is.
 */

static ngx_int_t
ngx_http_experiment_add_members(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx)
{
    size_t      len;
    u_char     *p;
    ngx_str_t   value;
    ngx_uint_t  members;

    (void) ngx_http_experiment_each_line(r, &len, &members, NULL);

    if (members + ctx->members > NXE_BAGGAGE_MEMBERS
        || len + ctx->baggage.len > NXE_BAGGAGE_LEN)
    {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "client sent baggage of %ui members and %uz bytes, "
                      "which leaves no room for experiments", members, len);
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, len + ctx->baggage.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.data = p;
    p = ngx_http_experiment_each_line(r, &len, &members, p);
    p = ngx_cpymem(p, ctx->baggage.data, ctx->baggage.len);
    value.len = p - value.data;

    return ngx_http_experiment_send_header(r, &ngx_http_experiment_baggage,
                                           &value);
}


/* The lines of baggage that have members, each with a comma, to p if given. */

static u_char *
ngx_http_experiment_each_line(ngx_http_request_t *r, size_t *len,
    ngx_uint_t *members, u_char *p)
{
    ngx_uint_t        i, n;
    nxe_str_t         lower;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    lower = ngx_http_experiment_baggage.lower;
    *len = 0;
    *members = 0;

    for (part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len != lower.len
                || ngx_memcmp(h[i].lowcase_key, lower.data, lower.len) != 0)
            {
                continue;
            }

            n = nxe_baggage_members((nxe_str_t) { (char *) h[i].value.data,
                                                  h[i].value.len });
            if (n == 0) {
                continue;
            }

            *members += n;
            *len += h[i].value.len + 1;

            if (p != NULL) {
                p = ngx_cpymem(p, h[i].value.data, h[i].value.len);
                *p++ = ',';
            }
        }
    }

    return p;
}


/*
 * In every arm, exposed or not: the id.  An answer of a cache is nobody's
 * treatment, whatever the unit's assignment is.
 */

ngx_int_t
ngx_http_experiment_trace_answer(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx)
{
    u_char        code;
    ngx_int_t     rc;
    ngx_str_t     value;
    nxe_header_t  edit;

    if (!ctx->frozen || ctx->elcf->response_header == NULL) {
        return NGX_OK;
    }

    edit = *ctx->elcf->response_header;

    rc = ngx_http_experiment_assignments(r, ctx, &value);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

#if (NGX_HTTP_CACHE)
    if (r->cached) {
        rc = NGX_DECLINED;
    }
#endif

    /* without one, an upstream's of this name goes all the same */

    edit.remove = rc != NGX_OK || value.len == 0;

    if (!edit.remove) {
        edit.value.data = (char *) value.data;
        edit.value.len = value.len;
    }

    if (ngx_http_experiment_response_header(r, &edit, &code) != NGX_OK
        || ngx_http_experiment_own_id(r, &value) != NGX_OK)
    {
        return NGX_ERROR;
    }

    edit.remove = 0;
    edit.name = ngx_http_experiment_request_id.name;
    edit.lower = ngx_http_experiment_request_id.lower;
    edit.value.data = (char *) value.data;
    edit.value.len = value.len;

    return ngx_http_experiment_response_header(r, &edit, &code);
}


/* $request_id, which is the log's "id". */

static ngx_int_t
ngx_http_experiment_own_id(ngx_http_request_t *r, ngx_str_t *id)
{
    ngx_http_variable_value_t        *v;
    ngx_http_experiment_main_conf_t  *emcf;

    emcf = ngx_http_get_module_main_conf(r, ngx_http_experiment_module);

    v = ngx_http_get_indexed_variable(r, emcf->request_id);

    if (v == NULL || v->not_found) {
        return NGX_ERROR;
    }

    id->data = v->data;
    id->len = v->len;

    return NGX_OK;
}


/* Without a value all lines of the name go. */

static ngx_int_t
ngx_http_experiment_send_header(ngx_http_request_t *r,
    const ngx_http_experiment_named_header_t *header, ngx_str_t *value)
{
    u_char        code;
    nxe_header_t  edit;

    ngx_memzero(&edit, sizeof(nxe_header_t));

    edit.remove = value->len == 0;
    edit.name = header->name;
    edit.lower = header->lower;
    edit.value.data = (char *) value->data;
    edit.value.len = value->len;

    return ngx_http_experiment_request_header(r, &edit, &code);
}


/*
 * 1 if there is one: before the handler the client's, and then that of what
 * goes upstream.
 */

ngx_uint_t
ngx_http_experiment_trace_id(ngx_http_request_t *r, ngx_str_t *id)
{
    ngx_http_experiment_ctx_t       *ctx;
    ngx_http_experiment_loc_conf_t  *elcf;

    r = r->main;
    ctx = ngx_http_experiment_get_ctx(r);

    if (ctx != NULL && ctx->traced) {
        *id = ctx->trace_id;
        return id->len != 0;
    }

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_experiment_module);

    if (ctx != NULL && ctx->frozen) {
        elcf = ctx->elcf;
    }

    if (elcf->bind == NGX_HTTP_EXPERIMENT_OFF || elcf->endpoint != NULL
        || elcf->traceparent == NGX_HTTP_EXPERIMENT_TRACE_OFF)
    {
        return 0;
    }

    ngx_http_experiment_trace_of(r, id);

    return id->len != 0;
}


ngx_int_t
ngx_http_experiment_variable_trace_id(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t  id;

    if (ngx_http_experiment_trace_id(r, &id)) {
        ngx_http_experiment_value(v, id.data, id.len);

    } else {
        v->not_found = 1;
    }

    return NGX_OK;
}
