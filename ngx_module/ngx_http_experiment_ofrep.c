
/*
 * experiment_ofrep: the OpenFeature Remote Evaluation Protocol, from the
 * snapshot (open-feature/protocol, service/openapi.yaml, 0.3.0).
 */

#include "ngx_http_experiment_meter.h"
#include "ngx_http_experiment_endpoint.h"


#define NGX_HTTP_EXPERIMENT_CONTEXT    (64 * 1024)  /* a body, at most */

#define NGX_HTTP_EXPERIMENT_FLAGS_URI  "/ofrep/v1/evaluate/flags"

/* Sixteen bytes of a digest in hex, and quotes. */

#define NGX_HTTP_EXPERIMENT_TAG        34


static ngx_int_t ngx_http_experiment_ofrep_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_experiment_ofrep_route(ngx_http_request_t *r,
    ngx_http_experiment_ofrep_t *o);
static ngx_int_t ngx_http_experiment_ofrep_allowed(ngx_http_request_t *r,
    ngx_http_experiment_secrets_t *secrets);
static ngx_int_t ngx_http_experiment_ofrep_refuse(ngx_http_request_t *r,
    ngx_uint_t status, const char *name, const char *value,
    const char *details);
static ngx_int_t ngx_http_experiment_ofrep_read(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_uint_t status, nxe_str_t body);
static ngx_int_t ngx_http_experiment_ofrep_start(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
static ngx_int_t ngx_http_experiment_ofrep_run(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
static ngx_int_t ngx_http_experiment_ofrep_bulk(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
static ngx_int_t ngx_http_experiment_ofrep_tag(ngx_http_request_t *r,
    ngx_http_experiment_ofrep_t *o, ngx_http_experiment_line_t *answer,
    ngx_str_t *tag);
static ngx_int_t ngx_http_experiment_ofrep_error(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_uint_t status, const char *code,
    const char *details);
static ngx_int_t ngx_http_experiment_ofrep_line(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_str_t *line);


/* key=FILE | open */

char *
ngx_http_experiment_set_ofrep(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_experiment_loc_conf_t  *elcf = conf;

    ngx_str_t  *value;

    if (ngx_http_experiment_set_endpoint(cf, cmd, elcf,
                                         ngx_http_experiment_ofrep_handler)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    elcf->bound = 1;
    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "open") == 0) {
        elcf->open = 1;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value[1].data, "key=", 4) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\", expected \"key=FILE\" "
                           "or \"open\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    return ngx_http_experiment_set_secrets(cf, &value[1], elcf) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_experiment_ofrep_handler(ngx_http_request_t *r)
{
    ngx_int_t                        rc;
    ngx_http_experiment_ctx_t       *ctx;
    ngx_http_experiment_ofrep_t     *o;
    ngx_http_experiment_loc_conf_t  *elcf;

    /* the state, and the line in the log, are the main request's */

    if (r != r->main) {
        return NGX_HTTP_FORBIDDEN;
    }

    elcf = ngx_http_experiment_endpoint(r,
                                        ngx_http_experiment_ofrep_handler);
    if (elcf == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (!elcf->open
        && ngx_http_experiment_ofrep_allowed(r, elcf->secrets) != NGX_OK)
    {
        return ngx_http_experiment_ofrep_refuse(r, NGX_HTTP_UNAUTHORIZED,
                                                "WWW-Authenticate", "Bearer",
                   "expected a key in Authorization: Bearer or X-API-Key");
    }

    o = ngx_pcalloc(r->pool, sizeof(ngx_http_experiment_ofrep_t));
    if (o == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    o->keyed = !elcf->open;
    o->json.pool = r->pool;
    o->keys.pool = r->pool;

    rc = ngx_http_experiment_ofrep_route(r, o);

    if (rc != NGX_OK) {
        return ngx_http_experiment_ofrep_refuse(r, NGX_HTTP_NOT_FOUND, NULL,
                                                NULL,
                   "expected /ofrep/v1/evaluate/flags or "
                   "/ofrep/v1/evaluate/flags/KEY");
    }

    if (r->method != NGX_HTTP_POST) {
        return ngx_http_experiment_ofrep_refuse(r, NGX_HTTP_NOT_ALLOWED,
                                                "Allow", "POST",
                                                "expected POST");
    }

    ctx = ngx_http_experiment_get_ctx(r);

    if (ctx == NULL) {
        ctx = ngx_http_experiment_create_ctx(r);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    ctx->elcf = elcf;
    ctx->data = o;

    return ngx_http_experiment_read_json(r, NGX_HTTP_EXPERIMENT_CONTEXT,
                                         ngx_http_experiment_ofrep_read);
}


/*
 * Clients put the protocol's path behind a base of theirs, and the key, which
 * nginx has decoded, behind that: NAME or NAME:STEP.
 */

static ngx_int_t
ngx_http_experiment_ofrep_route(ngx_http_request_t *r,
    ngx_http_experiment_ofrep_t *o)
{
    u_char  *p, *last, *colon;

    last = r->uri.data + r->uri.len;
    p = ngx_strnstr(r->uri.data, NGX_HTTP_EXPERIMENT_FLAGS_URI, r->uri.len);

    if (p == NULL) {
        return NGX_DECLINED;
    }

    p += sizeof(NGX_HTTP_EXPERIMENT_FLAGS_URI) - 1;

    if (p == last) {
        return NGX_OK;
    }

    if (*p++ != '/' || p == last) {
        return NGX_DECLINED;
    }

    o->key.data = (char *) p;
    o->key.len = last - p;
    o->name = o->key;

    colon = ngx_strlchr(p, last, ':');

    if (colon != NULL) {
        o->name.len = colon - p;
        o->step.data = (char *) colon + 1;
        o->step.len = last - colon - 1;
    }

    return NGX_OK;
}


/* A header that occurs twice is none. */

static ngx_int_t
ngx_http_experiment_ofrep_allowed(ngx_http_request_t *r,
    ngx_http_experiment_secrets_t *secrets)
{
    nxe_str_t         key;
    ngx_uint_t        n, which;
    ngx_table_elt_t  *h;

    h = ngx_http_experiment_find_header(r, nxe_str("authorization"), &n);

    if (n == 1 && h->value.len > sizeof("Bearer ") - 1
        && ngx_strncasecmp(h->value.data, (u_char *) "Bearer ",
                           sizeof("Bearer ") - 1)
           == 0)
    {
        key.data = (char *) h->value.data + sizeof("Bearer ") - 1;
        key.len = h->value.len - (sizeof("Bearer ") - 1);

        if (ngx_http_experiment_secret(secrets, key, &which) == NGX_OK) {
            return NGX_OK;
        }
    }

    h = ngx_http_experiment_find_header(r, nxe_str("x-api-key"), &n);

    if (n != 1) {
        return NGX_DECLINED;
    }

    key.data = (char *) h->value.data;
    key.len = h->value.len;

    return ngx_http_experiment_secret(secrets, key, &which);
}


/* Before the body is read, and without what it might have told. */

static ngx_int_t
ngx_http_experiment_ofrep_refuse(ngx_http_request_t *r, ngx_uint_t status,
    const char *name, const char *value, const char *details)
{
    ngx_int_t   rc;
    ngx_str_t   header;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (name != NULL) {
        header.data = (u_char *) value;
        header.len = ngx_strlen(value);

        if (ngx_http_experiment_answer_header(r, name, header) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    return ngx_http_experiment_ofrep_error(r, NULL, status, "GENERAL",
                                           details);
}


static ngx_int_t
ngx_http_experiment_ofrep_read(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_uint_t status, nxe_str_t body)
{
    const char                   *code, *details;
    ngx_http_experiment_ofrep_t  *o;

    if (status == NGX_HTTP_UNSUPPORTED_MEDIA_TYPE) {
        return ngx_http_experiment_ofrep_error(r, ctx, status, "GENERAL",
                     "expected Content-Type application/json, and no "
                     "Content-Encoding");
    }

    if (status != 0) {
        return ngx_http_experiment_ofrep_error(r, ctx, status, "GENERAL",
                     "expected a body of at most 65536 bytes");
    }

    o = ctx->data;
    o->body = body;

    switch (ngx_http_experiment_context(r, ctx, &code, &details)) {

    case NGX_OK:
        return ngx_http_experiment_ofrep_start(r, ctx);

    case NGX_DECLINED:
        return ngx_http_experiment_ofrep_error(r, ctx, NGX_HTTP_BAD_REQUEST,
                                               code, details);

    default:
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
}


static ngx_int_t
ngx_http_experiment_ofrep_start(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx)
{
    ngx_uint_t                        n;
    ngx_http_experiment_ofrep_t      *o;
    ngx_http_experiment_main_conf_t  *emcf;

    o = ctx->data;
    emcf = ngx_http_get_module_main_conf(r, ngx_http_experiment_module);

    if (ctx->start.tv_sec == 0) {
        (void) clock_gettime(CLOCK_REALTIME, &ctx->start);
        (void) clock_gettime(CLOCK_MONOTONIC, &ctx->mono);
    }

    if (ngx_http_experiment_get_step(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->snapshot == NULL) {
        ctx->snapshot = ngx_http_experiment_acquire(emcf);
    }

    if (ctx->snapshot == NULL) {
        return ngx_http_experiment_ofrep_error(r, ctx,
                     NGX_HTTP_INTERNAL_SERVER_ERROR, "GENERAL",
                     "no registry is loaded: see the error log");
    }

    /* an early variable may have had others, of another location */

    n = o->key.data != NULL ? 1 : NGX_HTTP_EXPERIMENT_FLAGS;

    ctx->nentries = 0;
    ctx->entries = ngx_palloc(r->pool,
                              n * sizeof(ngx_http_experiment_entry_t));
    if (ctx->entries == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_experiment_ofrep_run(r, ctx);
}


/* Evaluates, and answers, perhaps in a later turn. */

static ngx_int_t
ngx_http_experiment_ofrep_run(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx)
{
    ngx_int_t                      rc;
    ngx_http_experiment_ofrep_t   *o;
    ngx_http_experiment_worker_t  *w;

    o = ctx->data;
    w = ctx->snapshot->worker;

    w->patient = 1;
    rc = o->key.data != NULL ? ngx_http_experiment_flag(ctx)
                             : ngx_http_experiment_flags(ctx);
    w->patient = 0;

    if (rc == NGX_AGAIN) {
        return ngx_http_experiment_next_turn(r, ctx,
                                             ngx_http_experiment_ofrep_run);
    }

    if (rc == NGX_DECLINED) {
        ctx->nentries = 0;

        return o->key.data != NULL
               ? ngx_http_experiment_ofrep_error(r, ctx, NGX_HTTP_NOT_FOUND,
                                                 "FLAG_NOT_FOUND",
                     "no experiment of that name and step is bound here with "
                     "\"ofrep\": {\"members\": [...]}")
               : ngx_http_experiment_ofrep_error(r, ctx,
                     NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, "GENERAL",
                     "more than 200 flags: bind fewer experiments here");
    }

    if (rc != NGX_OK) {
        ctx->nentries = 0;
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->line = ngx_http_experiment_ofrep_line;

    return o->key.data != NULL
           ? ngx_http_experiment_answer(r, NGX_HTTP_OK, &o->json)
           : ngx_http_experiment_ofrep_bulk(r, ctx);
}


static ngx_int_t
ngx_http_experiment_ofrep_bulk(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx)
{
    ngx_str_t                     tag;
    ngx_http_experiment_line_t    l;
    ngx_http_experiment_ofrep_t  *o;

    o = ctx->data;

    ngx_memzero(&l, sizeof(ngx_http_experiment_line_t));
    l.pool = r->pool;
    l.failed = o->json.failed;

    ngx_http_experiment_lit(&l, "{\"flags\":[");

    if (o->json.start != NULL) {
        ngx_http_experiment_raw(&l, o->json.start,
                                o->json.pos - o->json.start);
    }

    ngx_http_experiment_number(&l, "],\"metadata\":{\"registry\":",
                       nxe_serving_current(ctx->snapshot->serving)->txn);
    ngx_http_experiment_lit(&l, "}}");

    if (l.failed
        || ngx_http_experiment_ofrep_tag(r, o, &l, &tag) != NGX_OK
        || ngx_http_experiment_answer_header(r, "ETag", tag) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_experiment_tagged(r, &tag)) {
        return ngx_http_experiment_answer(r, NGX_HTTP_NOT_MODIFIED, NULL);
    }

    return ngx_http_experiment_answer(r, NGX_HTTP_OK, &l);
}


/*
 * Of what was answered: a window opens and a ramp moves on without any change
 * of the registry.  And of what was asked, so that a tag is good for its own
 * context alone.
 */

static ngx_int_t
ngx_http_experiment_ofrep_tag(ngx_http_request_t *r,
    ngx_http_experiment_ofrep_t *o, ngx_http_experiment_line_t *answer,
    ngx_str_t *tag)
{
    u_char         digest[NXE_SHA256_LEN];
    nxe_sha256_t   c;

    tag->len = NGX_HTTP_EXPERIMENT_TAG;
    tag->data = ngx_pnalloc(r->pool, NGX_HTTP_EXPERIMENT_TAG);
    if (tag->data == NULL) {
        return NGX_ERROR;
    }

    nxe_sha256_init(&c);
    nxe_sha256_update(&c, o->context.data, o->context.len);
    nxe_sha256_update(&c, "", 1);
    nxe_sha256_update(&c, answer->start, answer->pos - answer->start);
    nxe_sha256_final(&c, digest);

    tag->data[0] = '"';
    nxe_hex(digest, (NGX_HTTP_EXPERIMENT_TAG - 2) / 2,
            (char *) tag->data + 1);
    tag->data[NGX_HTTP_EXPERIMENT_TAG - 1] = '"';

    return NGX_OK;
}


/* ctx is NULL where what was asked for is not known yet. */

static ngx_int_t
ngx_http_experiment_ofrep_error(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_uint_t status, const char *code,
    const char *details)
{
    ngx_http_experiment_line_t    l;
    ngx_http_experiment_ofrep_t  *o;

    ngx_memzero(&l, sizeof(ngx_http_experiment_line_t));
    l.pool = r->pool;

    ngx_http_experiment_lit(&l, "{");

    o = ctx != NULL ? ctx->data : NULL;

    if (o != NULL && o->key.data != NULL) {
        ngx_http_experiment_lit(&l, "\"key\":");
        ngx_http_experiment_string(&l, o->key.data, o->key.len);
        ngx_http_experiment_lit(&l, ",");
    }

    ngx_http_experiment_lit(&l, "\"errorCode\":");
    ngx_http_experiment_string(&l, code, ngx_strlen(code));
    ngx_http_experiment_lit(&l, ",\"errorDetails\":");
    ngx_http_experiment_string(&l, details, ngx_strlen(details));
    ngx_http_experiment_lit(&l, "}");

    return ngx_http_experiment_answer(r, status, &l);
}


/* One line a request, with an entry for each flag, in the order of "flags". */

static ngx_int_t
ngx_http_experiment_ofrep_line(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_str_t *line)
{
    ngx_uint_t                    i;
    ngx_http_experiment_line_t    l;
    ngx_http_experiment_ofrep_t  *o;

    o = ctx->data;

    ngx_memzero(&l, sizeof(ngx_http_experiment_line_t));
    l.pool = r->pool;
    l.failed = o->keys.failed;

    ngx_http_experiment_log_start(&l, r, ctx, "ofrep");
    ngx_http_experiment_number(&l, ",\"status\":", r->headers_out.status);
    ngx_http_experiment_lit(&l, ",\"flags\":[");

    if (o->keys.start != NULL) {
        ngx_http_experiment_raw(&l, o->keys.start,
                                o->keys.pos - o->keys.start);
    }

    ngx_http_experiment_lit(&l, "],\"experiments\":[");

    for (i = 0; i < ctx->nentries; i++) {
        if (i != 0) {
            ngx_http_experiment_lit(&l, ",");
        }

        ngx_http_experiment_log_entry(&l, ctx, &ctx->entries[i]);
    }

    ngx_http_experiment_lit(&l, "]}");

    line->data = l.start;
    line->len = l.pos - l.start;

    return l.failed ? NGX_ERROR : NGX_OK;
}
