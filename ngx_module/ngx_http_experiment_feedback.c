
/*
 * experiment_feedback: who may bring outcomes, and what is answered.
 */

#include "ngx_http_experiment_endpoint.h"
#include "ngx_http_experiment_zone.h"


static ngx_int_t ngx_http_experiment_feedback_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_experiment_feedback_post(ngx_http_request_t *r,
    ngx_http_experiment_loc_conf_t *elcf, ngx_int_t listed);
static ngx_int_t ngx_http_experiment_feedback_allowed(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_http_experiment_loc_conf_t *elcf);
static ngx_int_t ngx_http_experiment_feedback_unknown(ngx_http_request_t *r,
    ngx_http_experiment_feedback_t *fb);
static ngx_int_t ngx_http_experiment_feedback_verify(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
static ngx_int_t ngx_http_experiment_feedback_read(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_uint_t status, nxe_str_t body);
static ngx_int_t ngx_http_experiment_feedback_run(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
static ngx_int_t ngx_http_experiment_feedback_refuse(ngx_http_request_t *r,
    ngx_http_experiment_feedback_t *fb, ngx_uint_t status,
    const char *cause, const char *expected);
static void ngx_http_experiment_feedback_count(ngx_http_request_t *r);
static ngx_int_t ngx_http_experiment_feedback_faults(ngx_http_request_t *r,
    ngx_http_experiment_feedback_t *fb);


#define ngx_http_experiment_feedback_header(trust)                            \
    ((trust) == NXE_TRUST_KEY ? "X-Experiment-Feedback-Key"                   \
                              : "X-Experiment-Feedback-Token")


/* key=FILE | token | open [origin=URL ...] */

char *
ngx_http_experiment_set_feedback(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_experiment_loc_conf_t  *elcf = conf;

    char                                 *rv;
    ngx_str_t                            *value;
    ngx_uint_t                            i;
    ngx_http_experiment_feedback_conf_t  *fcf;

    if (ngx_http_experiment_set_endpoint(cf, cmd, elcf,
                                         ngx_http_experiment_feedback_handler)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    fcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_experiment_feedback_conf_t));
    if (fcf == NULL
        || ngx_array_init(&fcf->origins, cf->pool, 2, sizeof(ngx_str_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    elcf->feedback = fcf;
    elcf->bound = 1;
    value = cf->args->elts;

    if (ngx_strncmp(value[1].data, "key=", 4) == 0) {
        fcf->trust = NXE_TRUST_KEY;

        if (ngx_http_experiment_set_secrets(cf, &value[1], elcf) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

    } else if (ngx_strcmp(value[1].data, "token") == 0) {
        fcf->trust = NXE_TRUST_TOKEN;

    } else if (ngx_strcmp(value[1].data, "open") == 0) {
        fcf->trust = NXE_TRUST_OPEN;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\", expected \"key=FILE\", "
                           "\"token\" or \"open\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_http_experiment_set_origin(cf, &value[i], fcf);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


/*
 * The credentials, before X-Experiment-* goes.  A header that occurs twice is
 * none.
 */

ngx_int_t
ngx_http_experiment_feedback_headers(ngx_http_request_t *r)
{
    ngx_uint_t                  n;
    ngx_table_elt_t            *h;
    ngx_http_experiment_ctx_t  *ctx;

    ctx = ngx_http_experiment_get_ctx(r);

    if (ctx == NULL) {
        ctx = ngx_http_experiment_create_ctx(r);
        if (ctx == NULL) {
            return NGX_ERROR;
        }
    }

    h = ngx_http_experiment_find_header(r,
                                nxe_str("x-experiment-feedback-key"), &n);
    if (n == 1) {
        ctx->feedback_key = h->value;
    }

    h = ngx_http_experiment_find_header(r,
                                nxe_str("x-experiment-feedback-token"), &n);
    if (n == 1) {
        ctx->feedback_token = h->value;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_experiment_feedback_handler(ngx_http_request_t *r)
{
    ngx_int_t                        listed;
    ngx_http_experiment_loc_conf_t  *elcf;

    /* the state, and the lines in the log, are the main request's */

    if (r != r->main) {
        return NGX_HTTP_FORBIDDEN;
    }

    elcf = ngx_http_experiment_endpoint(r,
                                        ngx_http_experiment_feedback_handler);
    if (elcf == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    listed = ngx_http_experiment_origin(r, elcf->feedback);

    if (listed == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->method == NGX_HTTP_POST) {
        return ngx_http_experiment_feedback_post(r, elcf, listed);
    }

    return ngx_http_experiment_preflight(r, elcf, listed);
}


static ngx_int_t
ngx_http_experiment_feedback_post(ngx_http_request_t *r,
    ngx_http_experiment_loc_conf_t *elcf, ngx_int_t listed)
{
    ngx_int_t                        rc;
    ngx_http_experiment_ctx_t       *ctx;
    ngx_http_experiment_feedback_t  *fb;

    /* also where nothing is stripped */

    if (ngx_http_experiment_feedback_headers(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx = ngx_http_experiment_get_ctx(r);

    fb = ngx_pcalloc(r->pool, sizeof(ngx_http_experiment_feedback_t));
    if (fb == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->start.tv_sec == 0) {
        (void) clock_gettime(CLOCK_REALTIME, &ctx->start);
        (void) clock_gettime(CLOCK_MONOTONIC, &ctx->mono);
    }

    fb->trust = elcf->feedback->trust;
    fb->cause = "body";

    ctx->elcf = elcf;
    ctx->data = fb;
    ctx->line = ngx_http_experiment_outcome_lines;

    if (listed == NGX_DECLINED) {
        rc = ngx_http_discard_request_body(r);

        return rc != NGX_OK ? rc
               : ngx_http_experiment_feedback_refuse(r, fb,
                     NGX_HTTP_FORBIDDEN, "origin",
                     "no Origin, or one of experiment_feedback's");
    }

    if (ngx_http_experiment_feedback_allowed(r, ctx, elcf) != NGX_OK) {
        return ngx_http_experiment_feedback_unknown(r, fb);
    }

    return ngx_http_experiment_read_json(r, NXE_FEEDBACK_BODY,
                                         ngx_http_experiment_feedback_read);
}


/* NGX_OK, or NGX_DECLINED: who posts has not shown that it may. */

static ngx_int_t
ngx_http_experiment_feedback_allowed(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_http_experiment_loc_conf_t *elcf)
{
    nxe_str_t                        key;
    ngx_uint_t                       which;
    ngx_http_experiment_feedback_t  *fb;

    fb = ctx->data;

    switch (fb->trust) {

    case NXE_TRUST_KEY:
        key.data = (char *) ctx->feedback_key.data;
        key.len = ctx->feedback_key.len;

        if (key.len == 0
            || ngx_http_experiment_secret(elcf->secrets, key, &which)
               != NGX_OK)
        {
            return NGX_DECLINED;
        }

        fb->who.data = (char *) elcf->secrets->digests[which];
        fb->who.len = NXE_SHA256_LEN;
        break;

    case NXE_TRUST_TOKEN:
        if (ngx_http_experiment_feedback_verify(r, ctx) != NGX_OK) {
            return NGX_DECLINED;
        }

        fb->who = fb->bound.request_id;
        break;

    default:
        fb->who = nxe_str("open");
        break;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_experiment_feedback_unknown(ngx_http_request_t *r,
    ngx_http_experiment_feedback_t *fb)
{
    ngx_int_t  rc;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_experiment_answer_text(r, "WWW-Authenticate",
                              ngx_http_experiment_feedback_header(fb->trust))
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return fb->trust == NXE_TRUST_KEY
           ? ngx_http_experiment_feedback_refuse(r, fb,
                 NGX_HTTP_UNAUTHORIZED, "key",
                 "a key in X-Experiment-Feedback-Key")
           : ngx_http_experiment_feedback_refuse(r, fb,
                 NGX_HTTP_UNAUTHORIZED, "token",
                 "a token in X-Experiment-Feedback-Token that the edge has "
                 "handed out within the last 24 hours");
}


static ngx_int_t
ngx_http_experiment_feedback_verify(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx)
{
    nxe_str_t                         token;
    nxe_token_cause_t                 cause;
    ngx_http_experiment_feedback_t   *fb;
    ngx_http_experiment_main_conf_t  *emcf;

    fb = ctx->data;
    emcf = ngx_http_get_module_main_conf(r, ngx_http_experiment_module);

    token.data = (char *) ctx->feedback_token.data;
    token.len = ctx->feedback_token.len;

    if (token.len == 0) {
        fb->why = "none";
        return NGX_DECLINED;
    }

    cause = nxe_token_verify(emcf->feedback_keys, token, ngx_time(),
                             &fb->token);

    if (cause == NXE_TOKEN_OK
        && nxe_feedback_unpack(&fb->token, &fb->bound) != NXE_OK)
    {
        cause = NXE_TOKEN_FORM;
    }

    fb->why = nxe_token_cause_name(cause);

    return cause == NXE_TOKEN_OK ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_experiment_feedback_read(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_uint_t status, nxe_str_t body)
{
    nxe_status_t                      rc;
    ngx_http_experiment_feedback_t   *fb;
    ngx_http_experiment_main_conf_t  *emcf;

    fb = ctx->data;
    emcf = ngx_http_get_module_main_conf(r, ngx_http_experiment_module);

    if (status == NGX_HTTP_UNSUPPORTED_MEDIA_TYPE) {
        return ngx_http_experiment_feedback_refuse(r, fb, status, "type",
                     "Content-Type application/json, and no "
                     "Content-Encoding");
    }

    if (status != 0) {
        return ngx_http_experiment_feedback_refuse(r, fb, status, "size",
                     "at most 1048576 bytes");
    }

    rc = nxe_feedback_parse(body, fb->trust, emcf->cpu, &ctx->mem, &fb->f);

    if (rc == NXE_OK && fb->trust == NXE_TRUST_TOKEN) {
        rc = nxe_feedback_bound(&fb->f, &fb->bound);
    }

    if (rc == NXE_INVALID) {
        return ngx_http_experiment_feedback_faults(r, fb);
    }

    fb->outcomes = rc != NXE_OK ? NULL
                   : ngx_pcalloc(r->pool, fb->f.n
                                 * sizeof(ngx_http_experiment_outcome_t));
    if (fb->outcomes == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->snapshot == NULL) {
        ctx->snapshot = ngx_http_experiment_acquire(emcf);
    }

    if (ctx->snapshot == NULL) {
        return ngx_http_experiment_feedback_refuse(r, fb,
                     NGX_HTTP_SERVICE_UNAVAILABLE, "registry",
                     "a registry, but none is loaded: try again later");
    }

    return ngx_http_experiment_feedback_run(r, ctx);
}


/* Looks at the items, perhaps over several turns, and takes all or none. */

static ngx_int_t
ngx_http_experiment_feedback_run(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx)
{
    ngx_int_t                        rc;
    ngx_http_experiment_line_t       l;
    ngx_http_experiment_feedback_t  *fb;

    fb = ctx->data;

    ctx->snapshot->worker->patient = 1;
    rc = ngx_http_experiment_outcomes(ctx);
    ctx->snapshot->worker->patient = 0;

    if (rc == NGX_AGAIN) {
        return ngx_http_experiment_next_turn(r, ctx,
                                            ngx_http_experiment_feedback_run);
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_experiment_feedback_faults(r, fb);
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_experiment_outcomes_take(ctx);

    ngx_memzero(&l, sizeof(ngx_http_experiment_line_t));
    l.pool = r->pool;

    ngx_http_experiment_number(&l, "{\"accepted\":", fb->accepted);
    ngx_http_experiment_number(&l, ",\"duplicates\":", fb->duplicates);
    ngx_http_experiment_lit(&l, "}");

    fb->status = NGX_HTTP_ACCEPTED;

    return ngx_http_experiment_answer(r, NGX_HTTP_ACCEPTED, &l);
}


/* One fault, of no item. */

static ngx_int_t
ngx_http_experiment_feedback_refuse(ngx_http_request_t *r,
    ngx_http_experiment_feedback_t *fb, ngx_uint_t status, const char *cause,
    const char *expected)
{
    ngx_http_experiment_line_t  l;

    fb->status = status;
    fb->cause = cause;
    ngx_http_experiment_feedback_count(r);

    ngx_memzero(&l, sizeof(ngx_http_experiment_line_t));
    l.pool = r->pool;

    ngx_http_experiment_lit(&l, "{\"errors\":[{\"pointer\":\"\","
                                "\"expected\":");
    ngx_http_experiment_string(&l, expected, ngx_strlen(expected));
    ngx_http_experiment_lit(&l, "}]}");

    return ngx_http_experiment_answer(r, status, &l);
}


/* One more that was refused. */

static void
ngx_http_experiment_feedback_count(ngx_http_request_t *r)
{
    ngx_http_experiment_zone_t       *zone;
    ngx_http_experiment_main_conf_t  *emcf;

    emcf = ngx_http_get_module_main_conf(r, ngx_http_experiment_module);
    zone = ngx_http_experiment_zone(emcf);

    (void) ngx_atomic_fetch_add(&zone->refused, 1);
}


static ngx_int_t
ngx_http_experiment_feedback_faults(ngx_http_request_t *r,
    ngx_http_experiment_feedback_t *fb)
{
    char                         pointer[NXE_FEEDBACK_POINTER];
    size_t                       i, n;
    const nxe_feedback_fault_t  *fault;
    ngx_http_experiment_line_t   l;

    fb->status = NGX_HTTP_BAD_REQUEST;
    ngx_http_experiment_feedback_count(r);

    ngx_memzero(&l, sizeof(ngx_http_experiment_line_t));
    l.pool = r->pool;

    ngx_http_experiment_lit(&l, "{\"errors\":[");

    n = ngx_min(fb->f.nfaults, NXE_FEEDBACK_FAULTS);

    for (i = 0; i < n; i++) {
        fault = &fb->f.faults[i];

        if (i != 0) {
            ngx_http_experiment_lit(&l, ",");
        }

        ngx_http_experiment_lit(&l, "{\"pointer\":");
        ngx_http_experiment_string(&l, pointer,
                                   nxe_feedback_pointer(&fb->f, fault,
                                                        pointer));
        ngx_http_experiment_lit(&l, ",\"expected\":");
        ngx_http_experiment_string(&l, fault->expected,
                                   ngx_strlen(fault->expected));
        ngx_http_experiment_lit(&l, "}");
    }

    ngx_http_experiment_lit(&l, "]");

    if (fb->f.nfaults > n) {
        ngx_http_experiment_number(&l, ",\"omitted\":", fb->f.nfaults - n);
    }

    ngx_http_experiment_lit(&l, "}");

    return ngx_http_experiment_answer(r, NGX_HTTP_BAD_REQUEST, &l);
}
