
/*
 * $experiment_json: the whole log line.
 */

#include "ngx_http_experiment_meter.h"


/* Most lines fit; a longer one grows. */

#define NGX_HTTP_EXPERIMENT_LINE  1536


static void ngx_http_experiment_log_time(ngx_http_experiment_line_t *l,
    ngx_http_experiment_worker_t *w, struct timespec *ts);
static void ngx_http_experiment_log_worker(ngx_http_experiment_line_t *l,
    ngx_http_experiment_main_conf_t *emcf,
    ngx_http_experiment_snapshot_t *snapshot);
static void ngx_http_experiment_log_response(ngx_http_experiment_line_t *l,
    ngx_http_request_t *r, ngx_http_experiment_ctx_t *ctx);
static void ngx_http_experiment_log_upstream(ngx_http_experiment_line_t *l,
    ngx_http_request_t *r);
static void ngx_http_experiment_log_body(ngx_http_experiment_line_t *l,
    ngx_http_experiment_ctx_t *ctx);
static ngx_str_t *ngx_http_experiment_upstream_name(ngx_http_request_t *r);


ngx_int_t
ngx_http_experiment_json(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_str_t *line)
{
    ngx_uint_t                   i;
    ngx_http_experiment_line_t   l;

    l.pool = r->pool;
    l.failed = 0;
    l.start = ngx_pnalloc(r->pool, NGX_HTTP_EXPERIMENT_LINE);
    if (l.start == NULL) {
        return NGX_ERROR;
    }

    l.pos = l.start;
    l.end = l.start + NGX_HTTP_EXPERIMENT_LINE;

    ngx_http_experiment_log_start(&l, r, ctx, "request");

    ngx_http_experiment_lit(&l, ",\"method\":");
    ngx_http_experiment_string(&l, r->method_name.data, r->method_name.len);

    ngx_http_experiment_lit(&l, ",\"uri\":");
    ngx_http_experiment_string(&l, ctx->uri.data, ctx->uri.len);

    ngx_http_experiment_log_response(&l, r, ctx);

    ngx_http_experiment_lit(&l, ",\"step\":");
    ngx_http_experiment_string(&l, ctx->step.data, ctx->step.len);

    ngx_http_experiment_lit(&l, ",\"dialect\":");
    ngx_http_experiment_string(&l, nxe_dialect_name(ctx->dialect),
                               ngx_strlen(nxe_dialect_name(ctx->dialect)));

    ngx_http_experiment_log_body(&l, ctx);

    ngx_http_experiment_lit(&l, ",\"experiments\":[");

    for (i = 0; i < ctx->nentries; i++) {
        if (i != 0) {
            ngx_http_experiment_lit(&l, ",");
        }

        ngx_http_experiment_log_entry(&l, ctx, &ctx->entries[i]);
    }

    ngx_http_experiment_lit(&l, "]");

    if (ctx->layer_excluded != 0) {
        ngx_http_experiment_number(&l, ",\"layer_excluded\":",
                                   ctx->layer_excluded);
    }

    /* of a body that the proxy was given another for, it went nowhere */

    if (ctx->model.len != 0
        && (ctx->request->upstream == NULL
            || ngx_http_experiment_sent(ctx->request)))
    {
        ngx_http_experiment_lit(&l, ",\"gen_ai.request.model\":");
        ngx_http_experiment_string(&l, ctx->model.data, ctx->model.len);
    }

    ngx_http_experiment_log_answer(&l, ctx);

    ngx_http_experiment_lit(&l, "}");

    if (l.failed) {
        return NGX_ERROR;
    }

    line->data = l.start;
    line->len = l.pos - l.start;

    return NGX_OK;
}


/*
 * The start of a line of any kind, up to "role": what tells one request from
 * another, and where it ran.
 */

void
ngx_http_experiment_log_start(ngx_http_experiment_line_t *l,
    ngx_http_request_t *r, ngx_http_experiment_ctx_t *ctx, const char *kind)
{
    size_t                            from;
    ngx_http_variable_value_t        *id;
    ngx_http_experiment_main_conf_t  *emcf;

    emcf = ngx_http_get_module_main_conf(r, ngx_http_experiment_module);

    ngx_http_experiment_lit(l, "{\"kind\":\"");
    ngx_http_experiment_raw(l, kind, ngx_strlen(kind));
    ngx_http_experiment_lit(l, "\",\"id\":");

    id = ngx_http_get_indexed_variable(r, emcf->request_id);

    if (id == NULL || id->not_found) {
        l->failed = 1;
        return;
    }

    ngx_http_experiment_string(l, id->data, id->len);

    ngx_http_experiment_log_time(l, emcf->worker, &ctx->start);

    /* drawn once, when the line is first asked for: a gap is a lost line */

    if (!ctx->has_seq) {
        ctx->has_seq = 1;
        ctx->seq = ++emcf->worker->seq;
    }

    ngx_http_experiment_number(l, ",\"seq\":", ctx->seq);

    if (ctx->snapshot != NULL && ctx->snapshot->log.len != 0) {
        ngx_http_experiment_raw(l, ctx->snapshot->log.data,
                                ctx->snapshot->log.len);

    } else {
        from = l->pos - l->start;
        ngx_http_experiment_log_worker(l, emcf, ctx->snapshot);

        if (ctx->snapshot != NULL) {
            ngx_http_experiment_keep(l, from, ctx->snapshot->pool,
                                     &ctx->snapshot->log);
        }
    }
}


/* To the second it is the same for many lines. */

static void
ngx_http_experiment_log_time(ngx_http_experiment_line_t *l,
    ngx_http_experiment_worker_t *w, struct timespec *ts)
{
    u_char    *p;
    ngx_tm_t   tm;

    p = ngx_http_experiment_room(l, 64);
    if (p == NULL) {
        return;
    }

    if (w->second != ts->tv_sec) {
        ngx_gmtime(ts->tv_sec, &tm);
        (void) ngx_sprintf(w->time, "%4d-%02d-%02dT%02d:%02d:%02d",
                           tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                           tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec);
        w->second = ts->tv_sec;
    }

    p = ngx_cpymem(p, ",\"time\":\"", sizeof(",\"time\":\"") - 1);
    p = ngx_cpymem(p, w->time, sizeof(w->time) - 1);
    *p++ = '.';
    p = ngx_http_experiment_decimal(p, ts->tv_nsec / 1000, 6);
    l->pos = ngx_cpymem(p, "Z\"", 2);
}


/* What all lines of a snapshot have, up to "role". */

static void
ngx_http_experiment_log_worker(ngx_http_experiment_line_t *l,
    ngx_http_experiment_main_conf_t *emcf,
    ngx_http_experiment_snapshot_t *snapshot)
{
    const nxe_current_t  *current;

    ngx_http_experiment_lit(l, ",\"worker\":");
    ngx_http_experiment_string(l, emcf->worker->name.data,
                               emcf->worker->name.len);

    ngx_http_experiment_lit(l, ",\"key_id\":");
    ngx_http_experiment_string(l, emcf->kid, NXE_KID_LEN);

    if (snapshot != NULL) {
        current = nxe_serving_current(snapshot->serving);

        ngx_http_experiment_number(l, ",\"registry\":", current->txn);
        ngx_http_experiment_lit(l, ",\"head\":");
        ngx_http_experiment_string(l, current->head, NXE_HEAD_LEN);
    }

    ngx_http_experiment_lit(l, ",\"role\":\"live\"");
}


static void
ngx_http_experiment_log_response(ngx_http_experiment_line_t *l,
    ngx_http_request_t *r, ngx_http_experiment_ctx_t *ctx)
{
    ngx_uint_t  status;

    status = ngx_http_experiment_code_of(r);

    ngx_http_experiment_number(l, ",\"status\":", status);
    ngx_http_experiment_ms(l, ",\"response_ms\":",
                           ngx_http_experiment_elapsed(ctx));

    ngx_http_experiment_log_upstream(l, r);

    ngx_http_experiment_number(l, ",\"bytes_in\":", r->request_length);
    ngx_http_experiment_number(l, ",\"bytes_out\":", r->connection->sent);
}


/* As $status. */

ngx_uint_t
ngx_http_experiment_code_of(ngx_http_request_t *r)
{
    return r->err_status ? r->err_status
           : r->headers_out.status ? r->headers_out.status
           : r->http_version == NGX_HTTP_VERSION_9 ? 9 : 0;
}


/* The name given to proxy_pass, the status of the last try, all its time. */

static void
ngx_http_experiment_log_upstream(ngx_http_experiment_line_t *l,
    ngx_http_request_t *r)
{
    uint64_t              ms;
    ngx_str_t            *name;
    ngx_uint_t            status;
    ngx_http_upstream_t  *u;

    u = r->upstream;
    name = ngx_http_experiment_upstream_name(r);

    if (name != NULL) {
        ngx_http_experiment_lit(l, ",\"upstream\":\"");
        ngx_http_experiment_escape(l, name->data,
                                 ngx_min(name->len, NGX_HTTP_EXPERIMENT_CUT));

        /* an address has its port, the name of a block has none */

        if (u->upstream != NULL && u->upstream->port != 0
            && !u->upstream->no_port)
        {
            ngx_http_experiment_number(l, ":", u->upstream->port);
        }

        ngx_http_experiment_lit(l, "\"");
    }

    if (r->upstream_states == NULL || r->upstream_states->nelts == 0) {
        return;
    }

    status = ngx_http_experiment_upstream_code(r, &ms);

    if (status != 0) {
        ngx_http_experiment_number(l, ",\"upstream_status\":", status);
    }

    ngx_http_experiment_ms(l, ",\"upstream_ms\":", ms * 1000);
}


/* The status of the last try, 0 if there was none; all the time of all. */

ngx_uint_t
ngx_http_experiment_upstream_code(ngx_http_request_t *r, uint64_t *ms)
{
    ngx_uint_t                  i, status;
    ngx_http_upstream_state_t  *state;

    *ms = 0;
    status = 0;

    if (r->upstream_states == NULL) {
        return 0;
    }

    state = r->upstream_states->elts;

    for (i = 0; i < r->upstream_states->nelts; i++) {

        if (state[i].peer == NULL) {
            continue;           /* between two internal redirects */
        }

        status = state[i].status;

        if (state[i].response_time != (ngx_msec_t) -1) {
            *ms += state[i].response_time;
        }
    }

    return status;
}


/* The name of what was proxied to, NULL if nothing was. */

static ngx_str_t *
ngx_http_experiment_upstream_name(ngx_http_request_t *r)
{
    ngx_str_t            *name;
    ngx_http_upstream_t  *u;

    u = r->upstream;

    if (u == NULL) {
        return NULL;
    }

    name = u->upstream != NULL ? &u->upstream->host
           : u->resolved != NULL ? &u->resolved->host : NULL;

    return name != NULL && name->len != 0 ? name : NULL;
}


/* A route was taken if the request went there, whoever read the variable. */

ngx_uint_t
ngx_http_experiment_routed(ngx_http_request_t *r, nxe_str_t upstream)
{
    ngx_str_t  *name;

    name = ngx_http_experiment_upstream_name(r);

    return name != NULL && name->len == upstream.len
           && ngx_strncasecmp(name->data, (u_char *) upstream.data,
                              upstream.len)
              == 0;
}


static void
ngx_http_experiment_log_body(ngx_http_experiment_line_t *l,
    ngx_http_experiment_ctx_t *ctx)
{
    switch (ctx->body) {

    case NGX_HTTP_EXPERIMENT_BODY_UNCHANGED:
    case NGX_HTTP_EXPERIMENT_BODY_EDITED:

        /* in every arm, whether it was edited or not */

        if (!ngx_http_experiment_sent(ctx->request)) {
            ngx_http_experiment_lit(l, ",\"body\":\"not_sent\"");

        } else if (ctx->body == NGX_HTTP_EXPERIMENT_BODY_EDITED) {
            ngx_http_experiment_lit(l, ",\"body\":\"edited\"");

        } else {
            ngx_http_experiment_lit(l, ",\"body\":\"unchanged\"");
        }
        break;

    case NGX_HTTP_EXPERIMENT_BODY_BYPASS:
        ngx_http_experiment_lit(l, ",\"body\":\"bypass:");
        ngx_http_experiment_raw(l, ctx->cause, ngx_strlen(ctx->cause));
        ngx_http_experiment_lit(l, "\"");
        break;

    case NGX_HTTP_EXPERIMENT_BODY_REJECTED:
        ngx_http_experiment_lit(l, ",\"body\":\"rejected:");
        ngx_http_experiment_raw(l, ctx->cause, ngx_strlen(ctx->cause));
        ngx_http_experiment_lit(l, "\"");
        break;

    default:
        break;
    }

    if (ctx->ambiguous) {
        ngx_http_experiment_lit(l, ",\"ambiguous\":true");
    }
}


/* From the start to the last byte, or until now where there was none. */

uint64_t
ngx_http_experiment_elapsed(ngx_http_experiment_ctx_t *ctx)
{
    int64_t          us;
    struct timespec  end;

    end = ctx->end;

    if (!ctx->ended) {
        (void) clock_gettime(CLOCK_MONOTONIC, &end);
    }

    us = (int64_t) (end.tv_sec - ctx->mono.tv_sec) * 1000000
         + (end.tv_nsec - ctx->mono.tv_nsec) / 1000;

    return us > 0 ? (uint64_t) us : 0;
}
