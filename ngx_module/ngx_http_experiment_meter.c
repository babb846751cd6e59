
/*
 * The meter: what of an answer is measured, and the bytes as they pass.
 */

#include "ngx_http_experiment_meter.h"


static ngx_int_t ngx_http_experiment_drop_encoding(ngx_http_request_t *r,
    ngx_table_elt_t *h, const void *data);
static ngx_uint_t ngx_http_experiment_speaks(ngx_http_experiment_ctx_t *ctx);
static ngx_uint_t ngx_http_experiment_proxied(ngx_http_request_t *r);
static ngx_uint_t ngx_http_experiment_has_body(ngx_http_request_t *r);
static ngx_uint_t ngx_http_experiment_asked(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
static ngx_uint_t ngx_http_experiment_limited(ngx_http_request_t *r);
static ngx_uint_t ngx_http_experiment_encoded(ngx_http_request_t *r);
static ngx_uint_t ngx_http_experiment_type_is(ngx_http_request_t *r,
    const char *type);
static void ngx_http_experiment_unbuffer(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
static void ngx_http_experiment_open_meter(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
static void ngx_http_experiment_connection(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
static void ngx_http_experiment_meter_done(void *data);
static void ngx_http_experiment_pay(ngx_http_experiment_ctx_t *ctx);


/*
 * 1 where the edge asks a chat that streams for its usage: in each arm, and
 * nowhere else.  The body of a unit that is not exposed is not read for it.
 */

ngx_uint_t
ngx_http_experiment_asks_usage(ngx_http_experiment_ctx_t *ctx)
{
    ngx_uint_t  i;

    if (ctx->elcf->meter != NGX_HTTP_EXPERIMENT_METER_ON || !ctx->elcf->body
        || ctx->dialect != NXE_DIALECT_OPENAI_CHAT)
    {
        return 0;
    }

    for (i = 0; i < ctx->nentries; i++) {
        if (ctx->entries[i].a.exposed || ctx->entries[i].pending) {
            return 1;
        }
    }

    return 0;
}


/*
 * What is compressed cannot be read.  As with other headers, the list alone is
 * edited: whether the client gets gzip from nginx goes by what it asked for.
 */

ngx_int_t
ngx_http_experiment_meter_request(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx)
{
    if (ctx->elcf->meter == NGX_HTTP_EXPERIMENT_METER_OFF
        || !ngx_http_experiment_speaks(ctx))
    {
        return NGX_OK;
    }

    return ngx_http_experiment_drop(r, ngx_http_experiment_drop_encoding,
                                    NULL);
}


static ngx_int_t
ngx_http_experiment_drop_encoding(ngx_http_request_t *r, ngx_table_elt_t *h,
    const void *data)
{
    return h->key.len == sizeof("accept-encoding") - 1
           && ngx_memcmp(h->lowcase_key, "accept-encoding", h->key.len) == 0
           ? NGX_OK : NGX_DECLINED;
}


/* 1 for a dialect whose answers say something of themselves. */

static ngx_uint_t
ngx_http_experiment_speaks(ngx_http_experiment_ctx_t *ctx)
{
    return ctx->dialect != NXE_DIALECT_JSON
           && nxe_dialect_built(ctx->dialect);
}


/* Since the request's start, in nanoseconds. */

uint64_t
ngx_http_experiment_now(ngx_http_experiment_ctx_t *ctx)
{
    int64_t          ns;
    struct timespec  now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);

    ns = (int64_t) (now.tv_sec - ctx->mono.tv_sec) * 1000000000
         + (now.tv_nsec - ctx->mono.tv_nsec);

    return ns > 0 ? (uint64_t) ns : 0;
}


/* The header of an answer: whether it is measured, and how. */

void
ngx_http_experiment_meter_header(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx)
{
    ngx_http_cleanup_t            *cln;
    ngx_http_experiment_answer_t  *a;

    /* another filter may have the header sent once more */

    if (!ctx->frozen || ctx->answer != NULL
        || ctx->elcf->meter == NGX_HTTP_EXPERIMENT_METER_OFF
        || !ngx_http_experiment_proxied(r))
    {
        return;
    }

    a = ngx_pcalloc(r->pool, sizeof(ngx_http_experiment_answer_t));
    cln = ngx_http_cleanup_add(r, 0);

    if (a == NULL || cln == NULL) {
        return;
    }

    cln->handler = ngx_http_experiment_meter_done;
    cln->data = ctx;

    ctx->answer = a;
    a->first_byte = ngx_http_experiment_now(ctx);

    ngx_http_experiment_connection(r, ctx);

    /* nginx takes what does not begin as HTTP does for HTTP/0.9 */

    if (r->headers_out.status == 0) {
        a->failed = "upstream";
    }

    if (!ngx_http_experiment_has_body(r)) {
        return;
    }

    a->body = 1;
    a->stream = ngx_http_experiment_type_is(r, "text/event-stream");

    if (a->stream) {
        ngx_http_experiment_unbuffer(r, ctx);
    }

    if (!ngx_http_experiment_speaks(ctx)) {
        return;
    }

    if (ngx_http_experiment_encoded(r)) {
        a->unmetered = "encoded";

    } else if (!a->stream
               && !ngx_http_experiment_type_is(r, "application/json"))
    {
        a->unmetered = "type";

    } else {
        ngx_http_experiment_open_meter(r, ctx);
    }
}


/*
 * 1 while an upstream answers: r->upstream is still there after it has failed,
 * or has sent nginx elsewhere, and something else answers in its place.
 */

static ngx_uint_t
ngx_http_experiment_proxied(ngx_http_request_t *r)
{
    return r->upstream != NULL && r->upstream->cleanup != NULL
#if (NGX_HTTP_CACHE)
           && !r->cached
#endif
           ;
}


static ngx_uint_t
ngx_http_experiment_has_body(ngx_http_request_t *r)
{
    ngx_uint_t  status;

    status = r->headers_out.status;

    return status >= NGX_HTTP_OK && status < NGX_HTTP_SPECIAL_RESPONSE
           && status != NGX_HTTP_NO_CONTENT
           && status != NGX_HTTP_PARTIAL_CONTENT
           && r->method != NGX_HTTP_HEAD && !r->header_only;
}


/* 1 if it was the edge that asked for usage, in a body that went upstream. */

static ngx_uint_t
ngx_http_experiment_asked(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx)
{
    return ctx->usage == NXE_CODE_APPLIED && ngx_http_experiment_sent(r);
}


/* nginx lifts limit_rate from what is not buffered: it is not ours to lift. */

static ngx_uint_t
ngx_http_experiment_limited(ngx_http_request_t *r)
{
    ngx_http_core_loc_conf_t  *clcf;

    if (!r->limit_rate_set) {
        clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

        r->limit_rate = ngx_http_complex_value_size(r, clcf->limit_rate, 0);
        r->limit_rate_set = 1;
    }

    return r->limit_rate != 0;
}


static ngx_uint_t
ngx_http_experiment_encoded(ngx_http_request_t *r)
{
    ngx_str_t  *value;

    if (r->headers_out.content_encoding == NULL) {
        return 0;
    }

    value = &r->headers_out.content_encoding->value;

    return value->len != 0
           && !(value->len == sizeof("identity") - 1
                && ngx_strncasecmp(value->data, (u_char *) "identity",
                                   value->len)
                   == 0);
}


/* Parameters of the type are not looked at. */

static ngx_uint_t
ngx_http_experiment_type_is(ngx_http_request_t *r, const char *type)
{
    size_t      len;
    ngx_str_t  *t;

    t = &r->headers_out.content_type;
    len = ngx_strlen(type);

    return t->len >= len
           && ngx_strncasecmp(t->data, (u_char *) type, len) == 0
           && (t->len == len || t->data[len] == ';' || t->data[len] == ' ');
}


/*
 * nginx tests this after the header filters: unbuffered, each piece is handed
 * on as it comes.  What is stored or cached goes through its event pipe, in
 * full buffers, which would make every gap wrong.
 */

static void
ngx_http_experiment_unbuffer(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx)
{
    ngx_http_upstream_t  *u;

    u = r->upstream;

    if (ngx_http_experiment_asked(r, ctx)) {

        /* nobody else is to get what the edge asked for */

#if (NGX_HTTP_CACHE)
        u->cacheable = 0;
#endif
        u->store = 0;
    }

    if (ctx->elcf->unbuffered && !u->store && !ngx_http_experiment_limited(r)
#if (NGX_HTTP_CACHE)
        && !u->cacheable
#endif
       )
    {
        u->buffering = 0;
    }

    ctx->answer->timed = !u->buffering;
}


static void
ngx_http_experiment_open_meter(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx)
{
    ngx_http_experiment_answer_t  *a;

    a = ctx->answer;

    if (nxe_meter_init(&a->meter, ctx->dialect, a->stream, &ctx->mem)
        != NXE_OK)
    {
        return;
    }

    a->metered = 1;

    /* what is spooled has to be read back, or would pass unseen */

    r->filter_need_in_memory = 1;

    if (a->stream && ngx_http_experiment_asked(r, ctx)) {
        ngx_http_experiment_usage_header(r, ctx);
    }
}


/*
 * Cold: a connection that is new, or that nobody used for some time.  When it
 * was last used is kept by its slot in nginx's table, for the number that
 * nginx gave it.
 */

static void
ngx_http_experiment_connection(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx)
{
    ngx_connection_t              *c;
    ngx_http_experiment_used_t    *used;
    ngx_http_experiment_worker_t  *w;

    c = r->upstream->peer.connection;
    w = ctx->worker;

    if (c == NULL || w->used == NULL) {
        return;
    }

    used = &w->used[c - ngx_cycle->connections];

    ctx->answer->connected = 1;
    ctx->answer->cold = !r->upstream->peer.cached
                        || used->number != c->number
                        || ngx_current_msec - used->msec
                           > ctx->elcf->warm_after;

    used->number = c->number;
    used->msec = ngx_current_msec;

    ctx->answer->used = used;
    ctx->answer->number = c->number;
}


/* Some bytes of the answer, or its end; all of one call came at one time. */

void
ngx_http_experiment_meter_buf(ngx_http_experiment_ctx_t *ctx, ngx_buf_t *b)
{
    ngx_http_experiment_answer_t  *a;

    a = ctx->answer;

    if (!ngx_buf_in_memory(b) || b->pos == b->last) {
        return;
    }

    if (a->now == 0 && a->stream) {
        a->now = ngx_http_experiment_now(ctx);
    }

    nxe_meter_feed(&a->meter, (nxe_str_t) { (char *) b->pos,
                                            (size_t) (b->last - b->pos) },
                   a->now);
}


/* The buffers pass as they are, but for a stream that has to lose something. */

ngx_int_t
ngx_http_experiment_meter_filter(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_chain_t *in,
    ngx_http_output_body_filter_pt next)
{
    ngx_chain_t                   *cl;
    ngx_http_experiment_answer_t  *a;

    a = ctx->answer;
    a->now = 0;

    if (a->strips) {
        return ngx_http_experiment_usage_filter(r, ctx, in, next);
    }

    for (cl = in; cl != NULL; cl = cl->next) {
        ngx_http_experiment_meter_buf(ctx, cl->buf);
    }

    return next(r, in);
}


/* 1 if the client left, or took too long to read, before it had all. */

ngx_uint_t
ngx_http_experiment_aborted(ngx_http_experiment_ctx_t *ctx)
{
    ngx_http_request_t  *r;

    r = ctx->request;

    return !ctx->ended
           && (r->connection->error || r->connection->timedout
               || r->headers_out.status == NGX_HTTP_CLIENT_CLOSED_REQUEST);
}


/*
 * Nanoseconds by token between the first content and the last; NGX_DECLINED
 * where there are not two of both.
 */

ngx_int_t
ngx_http_experiment_tpot(ngx_http_experiment_answer_t *a, uint64_t *ns)
{
    uint64_t  n;

    if (!a->metered || !a->timed || a->meter.contents < 2
        || nxe_meter_tokens(&a->meter, NXE_TOKENS_OUTPUT, &n) != NXE_OK
        || n < 2)
    {
        return NGX_DECLINED;
    }

    *ns = (a->meter.last - a->meter.first) / (n - 1);

    return NGX_OK;
}


/* Before the request is logged: there will be no more bytes. */

static void
ngx_http_experiment_meter_done(void *data)
{
    ngx_http_experiment_ctx_t  *ctx = data;

    nxe_meter_t                   *m;
    ngx_http_experiment_answer_t  *a;

    a = ctx->answer;

    a->done = 1;
    m = &a->meter;

    if (a->used != NULL && a->used->number == a->number) {
        a->used->msec = ngx_current_msec;
    }

    a->aborted = ngx_http_experiment_aborted(ctx);

    if (a->body && !ctx->last && !a->aborted) {
        a->failed = "upstream";
    }

    if (!a->metered) {
        return;
    }

    /* what it holds back goes nowhere: there may be no chain any more */

    m->emit = NULL;
    nxe_meter_end(m);

    if (m->sse.lost_events != 0) {
        a->unmetered = "size";

    } else if (!m->understood && !a->aborted) {
        a->unmetered = "malformed";
    }

    if (m->said.failed) {
        a->failed = "api";

    } else if (a->stream && a->failed == NULL && !a->aborted
               && !m->ended && m->said.nreasons == 0)
    {
        a->failed = "incomplete";
    }

    ngx_http_experiment_pay(ctx);
}


/* By the model that the answer names. */

static void
ngx_http_experiment_pay(ngx_http_experiment_ctx_t *ctx)
{
    uint64_t                       input, output, cached, cache_write;
    nxe_meter_t                   *m;
    ngx_http_experiment_answer_t  *a;

    a = ctx->answer;
    m = &a->meter;

    if (ctx->snapshot == NULL
        || nxe_meter_tokens(m, NXE_TOKENS_INPUT, &input) != NXE_OK
        || nxe_meter_tokens(m, NXE_TOKENS_OUTPUT, &output) != NXE_OK)
    {
        return;
    }

    cached = 0;
    cache_write = 0;
    (void) nxe_meter_tokens(m, NXE_TOKENS_CACHED, &cached);
    (void) nxe_meter_tokens(m, NXE_TOKENS_CACHE_WRITE, &cache_write);

    a->price = ngx_http_experiment_price(ctx->snapshot,
                                         (nxe_str_t) { m->said.model.data,
                                                       m->said.model.len });

    a->paid = a->price != NULL
              && nxe_price_cost(a->price, input, output, cached, cache_write,
                                &a->cost)
                 == NXE_OK;
}
