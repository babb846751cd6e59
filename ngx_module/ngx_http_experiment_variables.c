
/*
 * $experiment_*: reads of the request's state, never cached.
 */

#include "ngx_http_experiment_endpoint.h"


/* Variables that read the entries; the others look after themselves. */

typedef ngx_int_t (*ngx_http_experiment_variable_pt)(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_http_variable_value_t *v);


static ngx_int_t ngx_http_experiment_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_experiment_variable_json(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_experiment_variable_assignments(
    ngx_http_request_t *r, ngx_http_experiment_ctx_t *ctx,
    ngx_http_variable_value_t *v);
static ngx_int_t ngx_http_experiment_variable_step(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_http_variable_value_t *v);
static ngx_int_t ngx_http_experiment_variable_reason(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_http_variable_value_t *v);
static ngx_int_t ngx_http_experiment_variable_unit(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_http_variable_value_t *v);
static ngx_int_t ngx_http_experiment_variable_applied(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_http_variable_value_t *v);
static ngx_int_t ngx_http_experiment_variable_txn(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_http_variable_value_t *v);
static ngx_int_t ngx_http_experiment_variable_model(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_http_variable_value_t *v);
static ngx_int_t ngx_http_experiment_variable_token(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_http_variable_value_t *v);
static ngx_int_t ngx_http_experiment_variable_on(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_experiment_variable_variant(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_experiment_variable_upstream(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_uint_t ngx_http_experiment_same_name(ngx_str_t *name,
    u_char *p, size_t len);


static ngx_http_variable_t  ngx_http_experiment_vars[] = {

    { ngx_string("experiment_json"), NULL,
      ngx_http_experiment_variable_json, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("experiment_on"), NULL,
      ngx_http_experiment_variable_on, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("experiment_assignments"), NULL,
      ngx_http_experiment_variable,
      (uintptr_t) ngx_http_experiment_variable_assignments,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("experiment_variant_"), NULL,
      ngx_http_experiment_variable_variant, 0,
      NGX_HTTP_VAR_NOCACHEABLE|NGX_HTTP_VAR_PREFIX, 0 },

    { ngx_string("experiment_upstream"), NULL,
      ngx_http_experiment_variable_upstream, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("experiment_model"), NULL,
      ngx_http_experiment_variable,
      (uintptr_t) ngx_http_experiment_variable_model,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("experiment_step"), NULL,
      ngx_http_experiment_variable,
      (uintptr_t) ngx_http_experiment_variable_step,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("experiment_reason"), NULL,
      ngx_http_experiment_variable,
      (uintptr_t) ngx_http_experiment_variable_reason,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("experiment_unit"), NULL,
      ngx_http_experiment_variable,
      (uintptr_t) ngx_http_experiment_variable_unit,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("experiment_applied"), NULL,
      ngx_http_experiment_variable,
      (uintptr_t) ngx_http_experiment_variable_applied,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("experiment_registry_txn"), NULL,
      ngx_http_experiment_variable,
      (uintptr_t) ngx_http_experiment_variable_txn,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("experiment_feedback_token"), NULL,
      ngx_http_experiment_variable,
      (uintptr_t) ngx_http_experiment_variable_token,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("experiment_trace_id"), NULL,
      ngx_http_experiment_variable_trace_id, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_http_experiment_add_variables(ngx_conf_t *cf)
{
    return ngx_http_experiment_add_table(cf, ngx_http_experiment_vars);
}


ngx_int_t
ngx_http_experiment_add_table(ngx_conf_t *cf, ngx_http_variable_t *v)
{
    ngx_http_variable_t  *var;

    for ( /* void */ ; v->name.len; v++) {

        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


/*
 * The request's state with its entries; NGX_DECLINED where nothing is bound.
 */

ngx_int_t
ngx_http_experiment_ready(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t **ctx)
{
    ngx_http_experiment_ctx_t       *c;
    ngx_http_experiment_loc_conf_t  *elcf;

    c = ngx_http_experiment_get_ctx(r);

    if (c == NULL || !c->frozen) {

        elcf = ngx_http_get_module_loc_conf(r->main,
                                            ngx_http_experiment_module);

        if (elcf->bind == NGX_HTTP_EXPERIMENT_OFF || elcf->endpoint != NULL) {
            return NGX_DECLINED;
        }
    }

    if (c == NULL) {
        c = ngx_http_experiment_create_ctx(r);
        if (c == NULL) {
            return NGX_ERROR;
        }
    }

    if (c->start.tv_sec == 0) {

        /* it ended before its header was complete: nginx's own start */

        c->start.tv_sec = r->main->start_sec;
        c->start.tv_nsec = (long) r->main->start_msec * 1000000;
        (void) clock_gettime(CLOCK_MONOTONIC, &c->mono);
    }

    if (ngx_http_experiment_assign(r->main, c, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    /* nobody asks while a body is read: it was refused, or the client left */

    if (c->readable && ngx_http_experiment_assign_rest(r->main, c) != NGX_OK) {
        return NGX_ERROR;
    }

    *ctx = c;

    return NGX_OK;
}


static ngx_int_t
ngx_http_experiment_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_int_t                         rc;
    ngx_http_experiment_ctx_t        *ctx;
    ngx_http_experiment_variable_pt   get;

    get = (ngx_http_experiment_variable_pt) data;

    v->not_found = 1;

    rc = ngx_http_experiment_ready(r, &ctx);

    if (rc != NGX_OK) {
        return rc == NGX_ERROR ? NGX_ERROR : NGX_OK;
    }

    return get(r, ctx, v);
}


/* A content handler that did something has a line, or several, of its own. */

static ngx_int_t
ngx_http_experiment_variable_json(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_int_t                       rc;
    ngx_str_t                       line;
    ngx_http_experiment_ctx_t      *ctx;
    ngx_http_experiment_line_pt     get;

    ctx = ngx_http_experiment_get_ctx(r);

    if (ctx != NULL && ctx->line != NULL) {
        get = ctx->line;

    } else {
        v->not_found = 1;
        rc = ngx_http_experiment_ready(r, &ctx);

        if (rc != NGX_OK) {
            return rc == NGX_ERROR ? NGX_ERROR : NGX_OK;
        }

        get = ngx_http_experiment_json;
    }

    if (get(r->main, ctx, &line) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_experiment_value(v, line.data, line.len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_experiment_variable_on(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_experiment_ctx_t       *ctx;
    ngx_http_experiment_loc_conf_t  *elcf;

    /* what the handler has begun is logged wherever the request ends */

    ctx = ngx_http_experiment_get_ctx(r);
    elcf = ngx_http_get_module_loc_conf(r->main, ngx_http_experiment_module);

    if ((ctx != NULL && (ctx->frozen || ctx->line != NULL))
        || (elcf->bind != NGX_HTTP_EXPERIMENT_OFF && elcf->endpoint == NULL))
    {
        ngx_http_experiment_value(v, "1", 1);

    } else {
        ngx_http_experiment_value(v, "", 0);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_experiment_variable_assignments(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_http_variable_value_t *v)
{
    ngx_int_t  rc;
    ngx_str_t  value;

    rc = ngx_http_experiment_assignments(r, ctx, &value);

    if (rc == NGX_OK) {
        ngx_http_experiment_value(v, value.data, value.len);
    }

    return rc == NGX_ERROR ? NGX_ERROR : NGX_OK;
}


/*
 * "name/variant,..." of the exposed ones, empty where there is none.
 * NGX_DECLINED: not known before the body is.
 */

ngx_int_t
ngx_http_experiment_assignments(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_str_t *value)
{
    u_char                       *p, *start;
    size_t                        len;
    nxe_str_t                     variant;
    ngx_uint_t                    i;
    ngx_http_experiment_entry_t  *e;

    for (i = 0, len = 0; i < ctx->nentries; i++) {
        e = &ctx->entries[i];

        if (e->pending) {
            return NGX_DECLINED;
        }

        if (e->a.exposed) {
            variant = ngx_http_experiment_served(e);
            len += e->handle->sn.str.len + variant.len + 2;
        }
    }

    if (len == 0) {
        ngx_str_set(value, "");
        return NGX_OK;
    }

    start = ngx_pnalloc(r->pool, len);
    if (start == NULL) {
        return NGX_ERROR;
    }

    for (i = 0, p = start; i < ctx->nentries; i++) {
        e = &ctx->entries[i];

        if (e->a.exposed) {
            variant = ngx_http_experiment_served(e);

            if (p != start) {
                *p++ = ',';
            }

            p = ngx_cpymem(p, e->handle->sn.str.data, e->handle->sn.str.len);
            *p++ = '/';
            p = ngx_cpymem(p, variant.data, variant.len);
        }
    }

    value->data = start;
    value->len = p - start;

    return NGX_OK;
}


static ngx_int_t
ngx_http_experiment_variable_variant(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                       *p;
    size_t                        len;
    ngx_int_t                     rc;
    ngx_str_t                    *name;
    nxe_str_t                     variant;
    ngx_uint_t                    i;
    ngx_http_experiment_ctx_t    *ctx;
    ngx_http_experiment_entry_t  *e;

    name = (ngx_str_t *) data;
    p = name->data + sizeof("experiment_variant_") - 1;
    len = name->len - (sizeof("experiment_variant_") - 1);

    v->not_found = 1;

    rc = ngx_http_experiment_ready(r, &ctx);

    if (rc != NGX_OK) {
        return rc == NGX_ERROR ? NGX_ERROR : NGX_OK;
    }

    for (i = 0; i < ctx->nentries; i++) {
        e = &ctx->entries[i];

        if (!ngx_http_experiment_same_name(&e->handle->sn.str, p, len)) {
            continue;
        }

        variant = ngx_http_experiment_served(e);

        if (!e->pending && variant.len != 0) {
            v->not_found = 0;
            ngx_http_experiment_value(v, variant.data, variant.len);
        }

        break;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_experiment_variable_upstream(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_int_t                        rc;
    ngx_str_t                       *names;
    nxe_str_t                        route;
    ngx_uint_t                       i;
    ngx_http_experiment_ctx_t       *ctx;
    ngx_http_experiment_entry_t     *e;
    ngx_http_experiment_loc_conf_t  *elcf;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_experiment_module);

    if (elcf->upstreams == NULL) {

        if (!elcf->no_upstream_logged) {
            elcf->no_upstream_logged = 1;
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "$experiment_upstream is used in a location without "
                          "experiment_upstream");
        }

        v->not_found = 1;
        return NGX_OK;
    }

    names = elcf->upstreams->elts;

    rc = ngx_http_experiment_ready(r, &ctx);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    for (i = 0; rc == NGX_OK && i < ctx->nentries; i++) {
        e = &ctx->entries[i];

        if (e->pending) {
            v->not_found = 1;
            return NGX_OK;
        }

        if (e->effective == NULL || e->effective->route == NULL) {
            continue;
        }

        route = e->effective->route->upstream;

        /* a fallback location may list others than the one that was bound */

        if (ngx_http_experiment_listed(elcf, route)) {
            ngx_http_experiment_value(v, route.data, route.len);
            return NGX_OK;
        }
    }

    ngx_http_experiment_value(v, names[0].data, names[0].len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_experiment_variable_model(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_http_variable_value_t *v)
{
    if (ctx->frozen && ctx->model.len != 0) {
        ngx_http_experiment_value(v, ctx->model.data, ctx->model.len);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_experiment_variable_step(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_http_variable_value_t *v)
{
    ngx_http_experiment_value(v, ctx->step.data, ctx->step.len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_experiment_variable_reason(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_http_variable_value_t *v)
{
    const char  *reason;

    if (ctx->nentries != 0 && !ctx->entries[0].pending) {
        reason = nxe_reason_name(ctx->entries[0].a.reason);
        ngx_http_experiment_value(v, reason, ngx_strlen(reason));
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_experiment_variable_unit(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_http_variable_value_t *v)
{
    if (ctx->nentries != 0 && ctx->entries[0].has_unit) {
        ngx_http_experiment_value(v, ngx_http_experiment_unit_id(r,
                                                            &ctx->entries[0]),
                                  NXE_UNIT_ID_LEN);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_experiment_variable_token(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_http_variable_value_t *v)
{
    ngx_str_t  token;

    if (ngx_http_experiment_feedback_token(r, ctx, &token) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_experiment_value(v, token.data, token.len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_experiment_variable_applied(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_http_variable_value_t *v)
{
    ngx_str_t  value;

    if (!ctx->frozen) {
        return NGX_OK;
    }

    if (ngx_http_experiment_applied(r, ctx, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_experiment_value(v, value.data, value.len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_experiment_variable_txn(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_http_variable_value_t *v)
{
    u_char                *p;
    const nxe_current_t   *current;

    if (ctx->snapshot == NULL) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    current = nxe_serving_current(ctx->snapshot->serving);
    ngx_http_experiment_value(v, p, ngx_sprintf(p, "%uL", current->txn) - p);

    return NGX_OK;
}


/* The variant that the request is served with. */

nxe_str_t
ngx_http_experiment_served(ngx_http_experiment_entry_t *e)
{
    return e->handle->doc != NULL
           ? e->handle->doc->variants[e->a.variant].name
           : e->handle->baseline;
}


/* A variable's name is lower case, with "_" for "-" and ".". */

static ngx_uint_t
ngx_http_experiment_same_name(ngx_str_t *name, u_char *p, size_t len)
{
    u_char  c;
    size_t  i;

    if (name->len != len) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        c = ngx_tolower(name->data[i]);

        if (c == '-' || c == '.') {
            c = '_';
        }

        if (c != p[i]) {
            return 0;
        }
    }

    return 1;
}


void
ngx_http_experiment_value(ngx_http_variable_value_t *v, const void *data,
    size_t len)
{
    v->data = (u_char *) data;
    v->len = len;
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;
}
