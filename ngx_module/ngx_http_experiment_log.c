
/*
 * $experiment_json: the whole log line.
 */

#include "ngx_http_experiment.h"


static void ngx_http_experiment_log_request(ngx_http_experiment_line_t *l,
    ngx_http_request_t *r, ngx_http_experiment_ctx_t *ctx);
static void ngx_http_experiment_log_response(ngx_http_experiment_line_t *l,
    ngx_http_request_t *r, ngx_http_experiment_ctx_t *ctx);
static void ngx_http_experiment_log_upstream(ngx_http_experiment_line_t *l,
    ngx_http_request_t *r);
static void ngx_http_experiment_log_body(ngx_http_experiment_line_t *l,
    ngx_http_experiment_ctx_t *ctx);
static void ngx_http_experiment_log_entry(ngx_http_experiment_line_t *l,
    ngx_http_experiment_ctx_t *ctx, ngx_http_experiment_entry_t *e);
static void ngx_http_experiment_log_unit(ngx_http_experiment_line_t *l,
    ngx_http_experiment_ctx_t *ctx, ngx_http_experiment_entry_t *e);

/* Tells of each edit of an entry, in order: "system", "header:NAME", ... */

typedef void (*ngx_http_experiment_code_pt)(ngx_http_experiment_line_t *l,
    ngx_http_experiment_entry_t *e, const char *kind, nxe_str_t name,
    nxe_code_t code, ngx_uint_t n);

static ngx_uint_t ngx_http_experiment_each_code(
    ngx_http_experiment_line_t *l, ngx_http_experiment_ctx_t *ctx,
    ngx_http_experiment_entry_t *e, ngx_http_experiment_code_pt tell);
static nxe_code_t ngx_http_experiment_code(ngx_uint_t code,
    ngx_uint_t sent);
static ngx_str_t *ngx_http_experiment_upstream_name(ngx_http_request_t *r);
static ngx_uint_t ngx_http_experiment_routed(ngx_http_request_t *r,
    nxe_str_t upstream);
static void ngx_http_experiment_tell_json(ngx_http_experiment_line_t *l,
    ngx_http_experiment_entry_t *e, const char *kind, nxe_str_t name,
    nxe_code_t code, ngx_uint_t n);
static void ngx_http_experiment_tell_list(ngx_http_experiment_line_t *l,
    ngx_http_experiment_entry_t *e, const char *kind, nxe_str_t name,
    nxe_code_t code, ngx_uint_t n);

static uint64_t ngx_http_experiment_elapsed(ngx_http_experiment_ctx_t *ctx);


ngx_int_t
ngx_http_experiment_json(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_str_t *line)
{
    ngx_uint_t                   i;
    ngx_http_experiment_line_t   l;

    l.pool = r->pool;
    l.failed = 0;
    l.start = ngx_pnalloc(r->pool, 2048);
    if (l.start == NULL) {
        return NGX_ERROR;
    }

    l.pos = l.start;
    l.end = l.start + 2048;

    ngx_http_experiment_log_request(&l, r, ctx);
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

    if (ctx->model.len != 0) {
        ngx_http_experiment_lit(&l, ",\"gen_ai.request.model\":");
        ngx_http_experiment_string(&l, ctx->model.data, ctx->model.len);
    }

    ngx_http_experiment_lit(&l, "}");

    if (l.failed) {
        return NGX_ERROR;
    }

    line->data = l.start;
    line->len = l.pos - l.start;

    return NGX_OK;
}


/* What tells one request from another, and where it ran. */

static void
ngx_http_experiment_log_request(ngx_http_experiment_line_t *l,
    ngx_http_request_t *r, ngx_http_experiment_ctx_t *ctx)
{
    u_char                           *p;
    ngx_tm_t                          tm;
    const nxe_current_t              *current;
    ngx_http_variable_value_t        *id;
    ngx_http_experiment_main_conf_t  *emcf;

    emcf = ngx_http_get_module_main_conf(r, ngx_http_experiment_module);

    ngx_http_experiment_lit(l, "{\"kind\":\"request\",\"id\":");

    id = ngx_http_get_indexed_variable(r, emcf->request_id);

    if (id == NULL || id->not_found) {
        l->failed = 1;
        return;
    }

    ngx_http_experiment_string(l, id->data, id->len);

    ngx_gmtime(ctx->start.tv_sec, &tm);

    p = ngx_http_experiment_room(l, 64);
    if (p == NULL) {
        return;
    }

    l->pos = ngx_sprintf(p, ",\"time\":\"%4d-%02d-%02dT%02d:%02d:%02d.%06LZ\"",
                         tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                         tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec,
                         (int64_t) ctx->start.tv_nsec / 1000);

    /* drawn once, when the line is first asked for: a gap is a lost line */

    if (!ctx->has_seq) {
        ctx->has_seq = 1;
        ctx->seq = ++emcf->worker->seq;
    }

    ngx_http_experiment_number(l, ",\"seq\":", ctx->seq);

    ngx_http_experiment_lit(l, ",\"worker\":");
    ngx_http_experiment_string(l, emcf->worker->name.data,
                               emcf->worker->name.len);

    ngx_http_experiment_lit(l, ",\"key_id\":");
    ngx_http_experiment_string(l, emcf->kid, NXE_KID_LEN);

    if (ctx->snapshot != NULL) {
        current = nxe_serving_current(ctx->snapshot->serving);

        ngx_http_experiment_number(l, ",\"registry\":", current->txn);
        ngx_http_experiment_lit(l, ",\"head\":");
        ngx_http_experiment_string(l, current->head, NXE_HEAD_LEN);
    }

    ngx_http_experiment_lit(l, ",\"role\":\"live\",\"method\":");
    ngx_http_experiment_string(l, r->method_name.data, r->method_name.len);

    ngx_http_experiment_lit(l, ",\"uri\":");
    ngx_http_experiment_string(l, ctx->uri.data, ctx->uri.len);
}


static void
ngx_http_experiment_log_response(ngx_http_experiment_line_t *l,
    ngx_http_request_t *r, ngx_http_experiment_ctx_t *ctx)
{
    ngx_uint_t  status;

    status = r->err_status ? r->err_status
             : r->headers_out.status ? r->headers_out.status
             : r->http_version == NGX_HTTP_VERSION_9 ? 9 : 0;

    ngx_http_experiment_number(l, ",\"status\":", status);
    ngx_http_experiment_ms(l, ",\"response_ms\":",
                           ngx_http_experiment_elapsed(ctx));

    ngx_http_experiment_log_upstream(l, r);

    ngx_http_experiment_number(l, ",\"bytes_in\":", r->request_length);
    ngx_http_experiment_number(l, ",\"bytes_out\":", r->connection->sent);
}


/* The name given to proxy_pass, the status of the last try, all its time. */

static void
ngx_http_experiment_log_upstream(ngx_http_experiment_line_t *l,
    ngx_http_request_t *r)
{
    uint64_t                    ms;
    ngx_str_t                  *name;
    ngx_uint_t                  i, status;
    ngx_http_upstream_t        *u;
    ngx_http_upstream_state_t  *state;

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

    state = r->upstream_states->elts;
    ms = 0;
    status = 0;

    for (i = 0; i < r->upstream_states->nelts; i++) {

        if (state[i].peer == NULL) {
            continue;           /* between two internal redirects */
        }

        status = state[i].status;

        if (state[i].response_time != (ngx_msec_t) -1) {
            ms += state[i].response_time;
        }
    }

    if (status != 0) {
        ngx_http_experiment_number(l, ",\"upstream_status\":", status);
    }

    ngx_http_experiment_ms(l, ",\"upstream_ms\":", ms * 1000);
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

static ngx_uint_t
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
        ngx_http_experiment_lit(l, ",\"body\":\"unchanged\"");
        break;

    case NGX_HTTP_EXPERIMENT_BODY_EDITED:
        if (ngx_http_experiment_sent(ctx->request, ctx)) {
            ngx_http_experiment_lit(l, ",\"body\":\"edited\"");

        } else {
            ngx_http_experiment_lit(l, ",\"body\":\"not_sent\"");
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


static void
ngx_http_experiment_log_entry(ngx_http_experiment_line_t *l,
    ngx_http_experiment_ctx_t *ctx, ngx_http_experiment_entry_t *e)
{
    nxe_str_t                      variant;
    const char                    *reason, *stage;
    ngx_http_experiment_handle_t  *h;

    h = e->handle;
    variant = h->doc != NULL ? h->doc->variants[e->a.variant].name
                             : h->baseline;
    reason = nxe_reason_name(e->a.reason);
    stage = nxe_stage_name(h->stage);

    ngx_http_experiment_lit(l, "{\"name\":");
    ngx_http_experiment_string(l, h->sn.str.data, h->sn.str.len);

    if (h->revision != 0) {
        ngx_http_experiment_number(l, ",\"phase\":", h->phase);
        ngx_http_experiment_number(l, ",\"revision\":", h->revision);

        ngx_http_experiment_lit(l, ",\"stage\":");
        ngx_http_experiment_string(l, stage, ngx_strlen(stage));
    }

    if (variant.len != 0) {
        ngx_http_experiment_lit(l, ",\"variant\":");
        ngx_http_experiment_string(l, variant.data, variant.len);
    }

    if (e->a.exposed) {
        ngx_http_experiment_lit(l, ",\"exposed\":true,\"reason\":");

    } else {
        ngx_http_experiment_lit(l, ",\"exposed\":false,\"reason\":");
    }

    ngx_http_experiment_string(l, reason, ngx_strlen(reason));

    if (e->has_unit) {
        ngx_http_experiment_log_unit(l, ctx, e);
    }

    if (ngx_http_experiment_each_code(l, ctx, e,
                                      ngx_http_experiment_tell_json)
        != 0)
    {
        ngx_http_experiment_lit(l, "}");
    }

    if (e->segments != NULL) {
        ngx_http_experiment_log_segments(l, e);
    }

    ngx_http_experiment_lit(l, "}");
}


static void
ngx_http_experiment_log_unit(ngx_http_experiment_line_t *l,
    ngx_http_experiment_ctx_t *ctx, ngx_http_experiment_entry_t *e)
{
    char                              id[NXE_UNIT_ID_LEN];
    ngx_http_experiment_main_conf_t  *emcf;

    emcf = ngx_http_get_module_main_conf(ctx->request,
                                         ngx_http_experiment_module);

    nxe_unit_id(emcf->unit_key, e->handle->doc->unit_type, e->unit.value, id);

    ngx_http_experiment_lit(l, ",\"unit\":\"");
    ngx_http_experiment_raw(l, id, sizeof(id));
    ngx_http_experiment_lit(l, "\",\"unit_type\":");
    ngx_http_experiment_string(l, e->handle->doc->unit_type.data,
                               e->handle->doc->unit_type.len);

    ngx_http_experiment_number(l, ",\"unit_source\":", e->unit.source);

    if (e->a.exposed) {
        ngx_http_experiment_lit(l, ",\"p\":");
        ngx_http_experiment_raw(l, e->handle->p[e->a.variant].data,
                                e->handle->p[e->a.variant].len);
    }
}


/* "experiment.key=code,...": for $experiment_applied. */

ngx_int_t
ngx_http_experiment_applied(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_str_t *value)
{
    ngx_uint_t                   i;
    ngx_http_experiment_line_t   l;

    ngx_memzero(&l, sizeof(ngx_http_experiment_line_t));
    l.pool = r->pool;

    for (i = 0; i < ctx->nentries; i++) {
        (void) ngx_http_experiment_each_code(&l, ctx, &ctx->entries[i],
                                             ngx_http_experiment_tell_list);
    }

    value->data = l.start;
    value->len = l.pos - l.start;

    return l.failed ? NGX_ERROR : NGX_OK;
}


static ngx_uint_t
ngx_http_experiment_each_code(ngx_http_experiment_line_t *l,
    ngx_http_experiment_ctx_t *ctx, ngx_http_experiment_entry_t *e,
    ngx_http_experiment_code_pt tell)
{
    uint32_t             j;
    ngx_uint_t           p, n, sent;
    const nxe_header_t  *edit;

    if (e->effective == NULL) {
        return 0;
    }

    n = 0;
    sent = ctx->body != NGX_HTTP_EXPERIMENT_BODY_EDITED
           || ngx_http_experiment_sent(ctx->request, ctx);

    for (p = 0; p < NXE_PARAMS; p++) {
        if (e->effective->params[p] != NULL) {
            tell(l, e, "", nxe_str_of(nxe_param_name((nxe_param_t) p)),
                 ngx_http_experiment_code(e->params[p], sent), n++);
        }
    }

    for (j = 0; j < e->effective->nops; j++) {
        tell(l, e, "body:", e->effective->ops[j]->path,
             ngx_http_experiment_code(e->ops != NULL ? e->ops[j]
                                                     : NXE_CODE_NONE, sent),
             n++);
    }

    for (j = 0; j < e->effective->nheaders; j++) {
        edit = e->effective->headers[j];
        tell(l, e, edit->response ? "response_header:" : "header:",
             edit->name,
             e->headers != NULL ? (nxe_code_t) e->headers[j]
                                : NXE_CODE_NOT_SENT, n++);
    }

    if (e->effective->route != NULL) {
        tell(l, e, "", nxe_str("route"),
             ngx_http_experiment_routed(ctx->request,
                                        e->effective->route->upstream)
             ? NXE_CODE_APPLIED : NXE_CODE_NOT_SENT, n++);
    }

    return n;
}


/* An edit of the body that was applied, and then not what was sent. */

static nxe_code_t
ngx_http_experiment_code(ngx_uint_t code, ngx_uint_t sent)
{
    return code == NXE_CODE_NONE || (code == NXE_CODE_APPLIED && !sent)
           ? NXE_CODE_NOT_SENT : (nxe_code_t) code;
}


static void
ngx_http_experiment_tell_json(ngx_http_experiment_line_t *l,
    ngx_http_experiment_entry_t *e, const char *kind, nxe_str_t name,
    nxe_code_t code, ngx_uint_t n)
{
    if (n == 0) {
        ngx_http_experiment_lit(l, ",\"applied\":{\"");

    } else {
        ngx_http_experiment_lit(l, ",\"");
    }

    ngx_http_experiment_raw(l, kind, ngx_strlen(kind));
    ngx_http_experiment_escape(l, (const u_char *) name.data, name.len);
    ngx_http_experiment_lit(l, "\":\"");
    ngx_http_experiment_raw(l, nxe_code_name(code),
                            ngx_strlen(nxe_code_name(code)));
    ngx_http_experiment_lit(l, "\"");
}


static void
ngx_http_experiment_tell_list(ngx_http_experiment_line_t *l,
    ngx_http_experiment_entry_t *e, const char *kind, nxe_str_t name,
    nxe_code_t code, ngx_uint_t n)
{
    if (l->pos != l->start) {
        ngx_http_experiment_lit(l, ",");
    }

    ngx_http_experiment_raw(l, e->handle->sn.str.data,
                            e->handle->sn.str.len);
    ngx_http_experiment_lit(l, ".");
    ngx_http_experiment_raw(l, kind, ngx_strlen(kind));
    ngx_http_experiment_escape(l, (const u_char *) name.data, name.len);
    ngx_http_experiment_lit(l, "=");
    ngx_http_experiment_raw(l, nxe_code_name(code),
                            ngx_strlen(nxe_code_name(code)));
}


/* From the start to the last byte, or until now where there was none. */

static uint64_t
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
