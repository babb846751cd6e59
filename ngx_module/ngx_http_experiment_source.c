
/*
 * What a request says of itself: its step, and the values of sources.
 */

#include "ngx_http_experiment.h"


static nxe_status_t ngx_http_experiment_attr_header(
    ngx_http_experiment_ctx_t *ctx, nxe_str_t name, nxe_str_t *value);
static nxe_status_t ngx_http_experiment_attr_cookie(ngx_http_request_t *r,
    nxe_str_t name, nxe_str_t *value);
static nxe_status_t ngx_http_experiment_attr_arg(ngx_http_request_t *r,
    nxe_str_t name, nxe_str_t *value);
static nxe_status_t ngx_http_experiment_attr_var(
    ngx_http_experiment_ctx_t *ctx, const nxe_source_t *source,
    nxe_str_t *value);
static nxe_credentials_t *ngx_http_experiment_credentials(
    ngx_http_experiment_ctx_t *ctx);
static nxe_status_t ngx_http_experiment_attr_json(
    ngx_http_experiment_ctx_t *ctx, nxe_str_t pointer, nxe_str_t *value);
static ngx_uint_t ngx_http_experiment_pairs(u_char *p, u_char *last,
    u_char separator, nxe_str_t name, nxe_str_t *value);


ngx_int_t
ngx_http_experiment_get_step(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx)
{
    ngx_uint_t        n;
    ngx_table_elt_t  *h;

    ngx_str_set(&ctx->step, "default");

    if (ctx->elcf->step != NULL) {

        if (ngx_http_complex_value(r, ctx->elcf->step, &ctx->step) != NGX_OK) {
            return NGX_ERROR;
        }

    } else {
        h = ngx_http_experiment_find_header(r, nxe_str("x-inference-step"),
                                            &n);
        if (n == 1) {
            ctx->step = h->value;
        }
    }

    if (ctx->step.len == 0) {
        ngx_str_set(&ctx->step, "default");
    }

    return NGX_OK;
}


/* The first header of a name, and how many there are. */

ngx_table_elt_t *
ngx_http_experiment_find_header(ngx_http_request_t *r, nxe_str_t lower,
    ngx_uint_t *n)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h, *found;

    found = NULL;
    *n = 0;

    for (part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == lower.len
                && ngx_memcmp(h[i].lowcase_key, lower.data, lower.len) == 0)
            {
                if ((*n)++ == 0) {
                    found = &h[i];
                }
            }
        }
    }

    return found;
}


nxe_status_t
ngx_http_experiment_attr(void *data, const nxe_source_t *source,
    nxe_str_t *value)
{
    nxe_status_t                rc;
    nxe_credentials_t          *c;
    ngx_http_request_t         *r;
    ngx_http_experiment_ctx_t  *ctx;

    ctx = data;
    r = ctx->request;

    switch (source->type) {

    case NXE_SOURCE_HEADER:
        rc = ngx_http_experiment_attr_header(ctx, source->name, value);
        break;

    case NXE_SOURCE_COOKIE:
        rc = ngx_http_experiment_attr_cookie(r, source->name, value);
        break;

    case NXE_SOURCE_ARG:
        rc = ngx_http_experiment_attr_arg(r, source->name, value);
        break;

    case NXE_SOURCE_VAR:
        rc = ngx_http_experiment_attr_var(ctx, source, value);
        break;

    case NXE_SOURCE_JSON:
        rc = ngx_http_experiment_attr_json(ctx, source->name, value);
        break;

    case NXE_SOURCE_JWT:
        c = ngx_http_experiment_credentials(ctx);
        rc = c != NULL ? nxe_credentials_claim(c, source->name, &ctx->mem,
                                               value)
                       : NXE_NOMEM;
        break;

    case NXE_SOURCE_AUTH:
        c = ngx_http_experiment_credentials(ctx);
        rc = c != NULL ? nxe_credentials_hash(c, value) : NXE_NOMEM;
        break;

    default:
        rc = NXE_DECLINED;      /* stage refuses what is not evaluated */
    }

    if (rc == NXE_OK && (value->len == 0 || value->len > NXE_UNIT_MAX)) {
        return NXE_DECLINED;
    }

    return rc;
}


/*
 * What is stripped is not there, whenever it is asked for: the phase that
 * takes it out may be still to come.
 */

static nxe_status_t
ngx_http_experiment_attr_header(ngx_http_experiment_ctx_t *ctx,
    nxe_str_t name, nxe_str_t *value)
{
    ngx_uint_t        n;
    ngx_table_elt_t  *h;

    if (ctx->elcf->strip && nxe_header_ours(name)) {
        return NXE_DECLINED;
    }

    h = ngx_http_experiment_find_header(ctx->request, name, &n);

    if (n != 1) {
        return NXE_DECLINED;
    }

    value->data = (char *) h->value.data;
    value->len = h->value.len;

    return NXE_OK;
}


static nxe_status_t
ngx_http_experiment_attr_cookie(ngx_http_request_t *r, nxe_str_t name,
    nxe_str_t *value)
{
    ngx_uint_t        i, n;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    n = 0;

    for (part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == sizeof("cookie") - 1
                && ngx_memcmp(h[i].lowcase_key, "cookie",
                              sizeof("cookie") - 1)
                   == 0)
            {
                n += ngx_http_experiment_pairs(h[i].value.data,
                                               h[i].value.data
                                               + h[i].value.len,
                                               ';', name, value);
            }
        }
    }

    return n == 1 ? NXE_OK : NXE_DECLINED;
}


static nxe_status_t
ngx_http_experiment_attr_arg(ngx_http_request_t *r, nxe_str_t name,
    nxe_str_t *value)
{
    return ngx_http_experiment_pairs(r->args.data, r->args.data + r->args.len,
                                     '&', name, value)
           == 1 ? NXE_OK : NXE_DECLINED;
}


/* name=value pairs: counts those of a name, gives the value of the last. */

static ngx_uint_t
ngx_http_experiment_pairs(u_char *p, u_char *last, u_char separator,
    nxe_str_t name, nxe_str_t *value)
{
    u_char      *end, *eq;
    ngx_uint_t   n;

    for (n = 0; p < last; p = end + 1) {

        while (p < last && *p == ' ') {
            p++;
        }

        end = ngx_strlchr(p, last, separator);
        if (end == NULL) {
            end = last;
        }

        eq = ngx_strlchr(p, end, '=');

        if (eq == NULL || (size_t) (eq - p) != name.len
            || ngx_memcmp(p, name.data, name.len) != 0)
        {
            continue;
        }

        value->data = (char *) eq + 1;
        value->len = end - eq - 1;
        n++;
    }

    return n;
}


/*
 * What an access-phase module verifies may not be there before that phase is
 * over: then it is NXE_AGAIN, lest what the client says be taken for it.
 */

static nxe_status_t
ngx_http_experiment_attr_var(ngx_http_experiment_ctx_t *ctx,
    const nxe_source_t *source, nxe_str_t *value)
{
    u_char                      lower[NXE_UNIT_MAX];
    ngx_str_t                   var;
    ngx_uint_t                  key;
    ngx_http_variable_value_t  *vv;

    if (source->name.len > sizeof(lower)) {
        return NXE_DECLINED;
    }

    var.data = lower;
    var.len = source->name.len;
    key = ngx_hash_strlow(lower, (u_char *) source->name.data,
                          source->name.len);

    vv = ngx_http_get_variable(ctx->request, &var, key);

    if (vv == NULL) {
        return NXE_NOMEM;
    }

    if (vv->not_found || !vv->valid || vv->len == 0) {

        return !ctx->accessed
               && nxe_source_verified(ctx->elcf->trusted, source)
               ? NXE_AGAIN : NXE_DECLINED;
    }

    value->data = (char *) vv->data;
    value->len = vv->len;

    return NXE_OK;
}


/* Found once a request, for all experiments; NULL: no memory. */

static nxe_credentials_t *
ngx_http_experiment_credentials(ngx_http_experiment_ctx_t *ctx)
{
    ngx_uint_t          i;
    ngx_list_part_t    *part;
    ngx_table_elt_t    *h;
    nxe_credentials_t  *c;

    if (ctx->credentials != NULL) {
        return ctx->credentials;
    }

    c = ngx_pcalloc(ctx->request->pool, sizeof(nxe_credentials_t));
    if (c == NULL) {
        return NULL;
    }

    part = &ctx->request->headers_in.headers.part;

    for ( /* void */ ; part != NULL; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            nxe_credentials_add(c,
                                (nxe_str_t) { (char *) h[i].lowcase_key,
                                              h[i].key.len },
                                (nxe_str_t) { (char *) h[i].value.data,
                                              h[i].value.len });
        }
    }

    ctx->credentials = c;

    return c;
}


/*
 * Before the handler has run the body may still come: NXE_AGAIN.  A pointer
 * that the scan did not look for, or a body that was not read, has nothing.
 */

static nxe_status_t
ngx_http_experiment_attr_json(ngx_http_experiment_ctx_t *ctx,
    nxe_str_t pointer, nxe_str_t *value)
{
    ngx_uint_t                      i;
    ngx_http_experiment_pointer_t  *p;

    if (!ctx->scanned) {
        return ctx->frozen && !ctx->readable ? NXE_DECLINED : NXE_AGAIN;
    }

    p = ctx->targets->pointers;

    for (i = 0; i < ctx->targets->npointers; i++) {
        if (nxe_str_eq(p[i].pointer, pointer)) {
            return nxe_places_value(&ctx->text, p[i].node, &ctx->mem, value);
        }
    }

    return NXE_DECLINED;
}
