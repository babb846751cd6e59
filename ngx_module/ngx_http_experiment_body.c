
/*
 * The handler: reads the body where it is needed, finishes the assignment, has
 * the body and the request's headers edited, or refuses the request.
 */

#include "ngx_http_experiment_meter.h"


/* What the headers say of a body. */

typedef struct {
    ngx_table_elt_t            *type;
    ngx_uint_t                  types;
    ngx_uint_t                  methods;    /* that override POST */
    ngx_uint_t                  encoded;
} ngx_http_experiment_kind_t;

#define ngx_http_experiment_named(h, lower)                                   \
    ((h)->key.len == sizeof(lower) - 1                                        \
     && ngx_memcmp((h)->lowcase_key, lower, sizeof(lower) - 1) == 0)


static ngx_int_t ngx_http_experiment_begin(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_uint_t *read);
static ngx_int_t ngx_http_experiment_wait(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
static void ngx_http_experiment_wait_handler(ngx_event_t *ev);
static void ngx_http_experiment_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_experiment_finish(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
static ngx_uint_t ngx_http_experiment_wants_body(
    ngx_http_experiment_ctx_t *ctx, ngx_uint_t model);
static ngx_uint_t ngx_http_experiment_has_json(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
static void ngx_http_experiment_kind(ngx_http_request_t *r,
    ngx_http_experiment_kind_t *kind);
static ngx_uint_t ngx_http_experiment_json_type(ngx_str_t *type);
static ngx_uint_t ngx_http_experiment_refuses(ngx_http_experiment_ctx_t *ctx);
static ngx_int_t ngx_http_experiment_reject(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);


/* The counters go by this order. */

const ngx_http_experiment_cause_t  ngx_http_experiment_causes[] = {
    { "malformed", "the body is not valid JSON" },
    { "utf8", "the body is not valid UTF-8 without a byte order mark" },
    { "root", "the body has to be a JSON object" },
    { "depth", "the body is nested deeper than 512 levels" },
    { "size", "the body is too large" },
    { "duplicate", "a member of the body occurs twice" },
    { "encoded", "the body has a content encoding" },
    { NULL, NULL }
};


ngx_int_t
ngx_http_experiment_handler(ngx_http_request_t *r)
{
    ngx_int_t                        rc;
    ngx_uint_t                       read;
    ngx_http_experiment_ctx_t       *ctx;
    ngx_http_experiment_loc_conf_t  *elcf;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_experiment_module);

    /* a content handler of ours has no treatment, and reads for itself */

    if (r != r->main || elcf->bind == NGX_HTTP_EXPERIMENT_OFF
        || elcf->endpoint != NULL)
    {
        return NGX_DECLINED;
    }

    ctx = ngx_http_experiment_get_ctx(r);

    if (ctx == NULL) {
        ctx = ngx_http_experiment_create_ctx(r);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (ctx->frozen) {

        /* back from reading, or in another location: what is done is done */

        rc = ctx->status;
        ctx->status = NGX_DECLINED;

        return rc != NGX_ABORT ? rc : ngx_http_experiment_reject(r, ctx);
    }

    /* another event came first: what waited must not run the phases again */

    ngx_http_experiment_waited(ctx);

    rc = ngx_http_experiment_begin(r, ctx, &read);

    if (rc == NGX_AGAIN) {
        return ngx_http_experiment_wait(r, ctx);
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->frozen = 1;

    if (!read) {
        rc = ngx_http_experiment_finish(r, ctx);

        return rc != NGX_ABORT ? rc : ngx_http_experiment_reject(r, ctx);
    }

    ctx->readable = 1;

    rc = ngx_http_read_client_request_body(r,
                                           ngx_http_experiment_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    ngx_http_finalize_request(r, NGX_DONE);

    return NGX_DONE;
}


/*
 * The entries, and what the body is scanned for if it has to be read.  All
 * documents that the request needs are loaded then; NGX_AGAIN: the time for
 * that in this turn is spent.
 */

static ngx_int_t
ngx_http_experiment_begin(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_uint_t *read)
{
    ngx_int_t                         rc;
    ngx_http_experiment_worker_t     *w;
    ngx_http_experiment_main_conf_t  *emcf;

    emcf = ngx_http_get_module_main_conf(r, ngx_http_experiment_module);
    w = ngx_http_experiment_worker(emcf);

    if (w == NULL) {
        return NGX_ERROR;
    }

    ctx->worker = w;

    w->patient = 1;
    rc = ngx_http_experiment_assign(r, ctx, 1);

    if (rc == NGX_OK) {
        *read = ngx_http_experiment_wants_body(ctx, emcf->uses_model)
                && ngx_http_experiment_has_json(r, ctx);

        if (*read) {
            rc = ngx_http_experiment_make_targets(r, ctx);
        }
    }

    w->patient = 0;

    return rc;
}


static ngx_int_t
ngx_http_experiment_wait(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx)
{
    ngx_http_experiment_wait_turn(ctx, ngx_http_experiment_wait_handler, r);

    return NGX_AGAIN;
}


static void
ngx_http_experiment_wait_handler(ngx_event_t *ev)
{
    ngx_connection_t           *c;
    ngx_http_request_t         *r;
    ngx_http_experiment_ctx_t  *ctx;

    r = ev->data;
    c = r->connection;
    ctx = ngx_http_experiment_get_ctx(r);

    /* of many that wait, those who cannot go on cost a turn next to nothing */

    if (ngx_http_experiment_spent(ctx->snapshot->worker)) {
        ngx_http_experiment_wait_turn(ctx, ev->handler, r);
        return;
    }

    ngx_http_experiment_waited(ctx);

    ngx_http_set_log_request(c->log, r);

    ngx_http_core_run_phases(r);

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_experiment_body_handler(ngx_http_request_t *r)
{
    ngx_http_experiment_ctx_t  *ctx;

    ctx = ngx_http_experiment_get_ctx(r);

    ctx->status = ngx_http_experiment_scan(r, ctx);

    if (ctx->status == NGX_OK) {
        ctx->status = ngx_http_experiment_finish(r, ctx);
    }

    r->preserve_body = 1;

    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}


/*
 * Behind the body, or without one: the rest of the assignment, the edits.
 * NGX_ABORT: the body is refused.
 */

static ngx_int_t
ngx_http_experiment_finish(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx)
{
    ngx_int_t  rc;

    if (ngx_http_experiment_assign_rest(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->scanned) {
        rc = ngx_http_experiment_edit(r, ctx);

    } else if (ngx_http_experiment_refuses(ctx)) {
        ctx->body = NGX_HTTP_EXPERIMENT_BODY_REJECTED;
        rc = ngx_http_experiment_codes(r, ctx, NXE_CODE_NOT_SENT);

        return rc == NGX_OK ? NGX_ABORT : NGX_HTTP_INTERNAL_SERVER_ERROR;

    } else {
        rc = ngx_http_experiment_codes(r, ctx,
                              ctx->body == NGX_HTTP_EXPERIMENT_BODY_BYPASS
                              ? NXE_CODE_BYPASSED : NXE_CODE_NOT_SENT);
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_experiment_request_headers(r, ctx) != NGX_OK
        || ngx_http_experiment_meter_request(r, ctx) != NGX_OK
        || ngx_http_experiment_trace_request(r, ctx) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}


static ngx_uint_t
ngx_http_experiment_wants_body(ngx_http_experiment_ctx_t *ctx,
    ngx_uint_t model)
{
    ngx_uint_t                    i;
    ngx_http_experiment_entry_t  *e;

    if (model || ngx_http_experiment_asks_usage(ctx)) {
        return 1;
    }

    for (i = 0; i < ctx->nentries; i++) {
        e = &ctx->entries[i];

        if (e->pending || e->lacking
            || ngx_http_experiment_edits_body(ctx, e))
        {
            return 1;
        }
    }

    return 0;
}


/*
 * A POST of JSON that may be read, and that nobody is to take for another
 * method.  What is too large or encoded is passed by here, before a byte of it
 * is read.
 */

static ngx_uint_t
ngx_http_experiment_has_json(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx)
{
    ngx_http_experiment_kind_t  kind;

    if (r->method != NGX_HTTP_POST || r->headers_in.upgrade != NULL) {
        return 0;
    }

    if (r->headers_in.content_length_n <= 0 && !r->headers_in.chunked
#if (NGX_HTTP_V2)
        && r->stream == NULL
#endif
       )
    {
        return 0;
    }

    ngx_http_experiment_kind(r, &kind);

    if (kind.types != 1 || kind.methods != 0
        || !ngx_http_experiment_json_type(&kind.type->value))
    {
        return 0;
    }

    if (kind.encoded) {
        ngx_http_experiment_bypass(ctx, "encoded");
        return 0;
    }

    if (r->headers_in.content_length_n > (off_t) ctx->elcf->body_max_size) {
        ngx_http_experiment_bypass(ctx, "size");
        return 0;
    }

    return 1;
}


/*
 * What content handlers take: one Content-Type, "application/json" and nothing
 * that ends in it, and no encoding.
 */

ngx_uint_t
ngx_http_experiment_is_json(ngx_http_request_t *r)
{
    u_char                      c;
    ngx_str_t                  *type;
    ngx_http_experiment_kind_t  kind;

    ngx_http_experiment_kind(r, &kind);

    if (kind.types != 1 || kind.encoded) {
        return 0;
    }

    type = &kind.type->value;

    if (!ngx_http_experiment_json_type(type)
        || ngx_strncasecmp(type->data, (u_char *) "application/json",
                           sizeof("application/json") - 1)
           != 0)
    {
        return 0;
    }

    if (type->len == sizeof("application/json") - 1) {
        return 1;
    }

    c = type->data[sizeof("application/json") - 1];

    return c == ';' || c == ' ' || c == '\t';
}


/* What the headers say of a body, in one walk. */

static void
ngx_http_experiment_kind(ngx_http_request_t *r,
    ngx_http_experiment_kind_t *kind)
{
    ngx_uint_t        i, encodings;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    ngx_memzero(kind, sizeof(ngx_http_experiment_kind_t));
    encodings = 0;

    for (part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (ngx_http_experiment_named(&h[i], "content-type")) {
                kind->type = &h[i];
                kind->types++;

            } else if (ngx_http_experiment_named(&h[i], "content-encoding")) {
                kind->encoded |= encodings++ != 0
                                 || h[i].value.len != sizeof("identity") - 1
                                 || ngx_strncasecmp(h[i].value.data,
                                                    (u_char *) "identity",
                                                    sizeof("identity") - 1)
                                    != 0;

            } else if (ngx_http_experiment_named(&h[i], "x-http-method")
                       || ngx_http_experiment_named(&h[i],
                                                    "x-method-override")
                       || ngx_http_experiment_named(&h[i],
                                                    "x-http-method-override"))
            {
                kind->methods++;
            }
        }
    }
}


/* application/json or application/...+json; a charset only if it is UTF-8. */

static ngx_uint_t
ngx_http_experiment_json_type(ngx_str_t *type)
{
    u_char  *p, *last, *end;
    size_t   len;

    p = type->data;
    last = p + type->len;

    if (type->len == sizeof("application/json") - 1
        && ngx_memcmp(p, "application/json", type->len) == 0)
    {
        return 1;
    }

    if (type->len < sizeof("application/json") - 1
        || ngx_strncasecmp(p, (u_char *) "application/",
                           sizeof("application/") - 1)
           != 0)
    {
        return 0;
    }

    end = ngx_strlchr(p, last, ';');
    if (end == NULL) {
        end = last;
    }

    last = end;
    while (last > p && (last[-1] == ' ' || last[-1] == '\t')) {
        last--;
    }

    p += sizeof("application/") - 1;
    len = last - p;

    /* a stream that goes both ways would wait for the body's end */

    if (len >= 4 && ngx_strncasecmp(p, (u_char *) "grpc", 4) == 0) {
        return 0;
    }

    if (!(len == sizeof("json") - 1
          && ngx_strncasecmp(p, (u_char *) "json", len) == 0)
        && !(len > sizeof("+json") - 1
             && ngx_strncasecmp(last - 5, (u_char *) "+json", 5) == 0))
    {
        return 0;
    }

    last = type->data + type->len;
    p = ngx_strlcasestrn(end, last, (u_char *) "charset=",
                         sizeof("charset=") - 2);

    if (p == NULL) {
        return 1;
    }

    p += sizeof("charset=") - 1;

    if (p < last && *p == '"') {
        p++;
    }

    if (last - p < (ssize_t) sizeof("utf-8") - 1
        || ngx_strncasecmp(p, (u_char *) "utf-8", sizeof("utf-8") - 1) != 0)
    {
        return 0;
    }

    p += sizeof("utf-8") - 1;

    return p == last || *p == '"' || *p == ';' || *p == ' ';
}


/*
 * "reject" refuses what an arm would have edited, in every arm; never what is
 * read for the sake of a source or of $experiment_model, nor a unit that is
 * not exposed, even where the baseline edits.
 */

static ngx_uint_t
ngx_http_experiment_refuses(ngx_http_experiment_ctx_t *ctx)
{
    ngx_uint_t  i;

    if (!ctx->elcf->body_error
        || ctx->body != NGX_HTTP_EXPERIMENT_BODY_BYPASS)
    {
        return 0;
    }

    for (i = 0; i < ctx->nentries; i++) {
        if (ctx->entries[i].a.exposed
            && ngx_http_experiment_edits_body(ctx, &ctx->entries[i]))
        {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_experiment_reject(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx)
{
    u_char                    *p;
    ngx_str_t                  type, body;
    const char                *message;
    ngx_uint_t                 i, status;
    ngx_http_complex_value_t   cv;

    message = "";

    for (i = 0; ngx_http_experiment_causes[i].name != NULL; i++) {
        if (ngx_strcmp(ctx->cause, ngx_http_experiment_causes[i].name) == 0) {
            message = ngx_http_experiment_causes[i].message;
        }
    }

    body.len = sizeof("{\"error\":{\"type\":\"experiment_body\",\"code\":\"\","
                      "\"message\":\"\"}}") - 1
               + ngx_strlen(ctx->cause) + ngx_strlen(message);

    p = ngx_pnalloc(r->pool, body.len);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body.data = p;
    (void) ngx_sprintf(p, "{\"error\":{\"type\":\"experiment_body\","
                       "\"code\":\"%s\",\"message\":\"%s\"}}",
                       ctx->cause, message);

    ngx_str_set(&type, "application/json");
    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));
    cv.value = body;

    status = ngx_strcmp(ctx->cause, "size") == 0
             ? NGX_HTTP_REQUEST_ENTITY_TOO_LARGE : NGX_HTTP_BAD_REQUEST;

    ngx_http_finalize_request(r, ngx_http_send_response(r, status, &type,
                                                        &cv));

    return NGX_DONE;
}
