
/*
 * What a log line says of each experiment, and what became of its edits.
 */

#include "ngx_http_experiment_log.h"


static void ngx_http_experiment_log_head(ngx_http_experiment_line_t *l,
    ngx_http_experiment_entry_t *e);
static void ngx_http_experiment_log_unit(ngx_http_experiment_line_t *l,
    ngx_http_experiment_ctx_t *ctx, ngx_http_experiment_entry_t *e);
static void ngx_http_experiment_log_applied(ngx_http_experiment_line_t *l,
    ngx_http_experiment_ctx_t *ctx, ngx_http_experiment_entry_t *e);
static ngx_uint_t ngx_http_experiment_all_applied(
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
static void ngx_http_experiment_tell_json(ngx_http_experiment_line_t *l,
    ngx_http_experiment_entry_t *e, const char *kind, nxe_str_t name,
    nxe_code_t code, ngx_uint_t n);
static void ngx_http_experiment_tell_list(ngx_http_experiment_line_t *l,
    ngx_http_experiment_entry_t *e, const char *kind, nxe_str_t name,
    nxe_code_t code, ngx_uint_t n);


void
ngx_http_experiment_log_entry(ngx_http_experiment_line_t *l,
    ngx_http_experiment_ctx_t *ctx, ngx_http_experiment_entry_t *e)
{
    size_t                         from;
    ngx_str_t                     *head;
    ngx_http_experiment_handle_t  *h;

    h = e->handle;

    /* the common one is kept, for each variant; a flag may be no exposure */

    head = e->a.reason == NXE_REASON_ASSIGNED && e->a.exposed
           ? &h->heads[e->a.variant] : NULL;

    if (head != NULL && head->len != 0) {
        ngx_http_experiment_raw(l, head->data, head->len);

    } else {
        from = l->pos - l->start;
        ngx_http_experiment_log_head(l, e);

        if (head != NULL) {
            ngx_http_experiment_keep(l, from, h->pool, head);
        }
    }

    if (e->has_unit) {
        ngx_http_experiment_log_unit(l, ctx, e);
    }

    ngx_http_experiment_log_applied(l, ctx, e);

    if (e->segments != NULL) {
        ngx_http_experiment_log_segments(l, ctx, e);
    }

    ngx_http_experiment_lit(l, "}");
}


/* What a handle, a variant and a reason decide. */

static void
ngx_http_experiment_log_head(ngx_http_experiment_line_t *l,
    ngx_http_experiment_entry_t *e)
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
}


/*
 * What became of each edit.  Where all were applied, the text is the same for
 * a variant and a step.
 */

static void
ngx_http_experiment_log_applied(ngx_http_experiment_line_t *l,
    ngx_http_experiment_ctx_t *ctx, ngx_http_experiment_entry_t *e)
{
    size_t                           from;
    ngx_str_t                       *text;
    ngx_http_experiment_compiled_t  *c;

    if (e->effective == NULL) {
        return;
    }

    text = NULL;

    if (ngx_http_experiment_all_applied(ctx, e)) {
        c = e->handle->compiled;
        text = &c->applied[e->a.variant * c->doc->nsteps + e->a.step];

        if (text->len != 0) {
            ngx_http_experiment_raw(l, text->data, text->len);
            return;
        }
    }

    from = l->pos - l->start;

    if (ngx_http_experiment_each_code(l, ctx, e, ngx_http_experiment_tell_json)
        == 0)
    {
        return;
    }

    ngx_http_experiment_lit(l, "}");

    if (text != NULL) {
        ngx_http_experiment_keep(l, from, e->handle->compiled->pool, text);
        e->handle->compiled->size += text->len;
    }
}


static ngx_uint_t
ngx_http_experiment_all_applied(ngx_http_experiment_ctx_t *ctx,
    ngx_http_experiment_entry_t *e)
{
    uint32_t                j;
    ngx_uint_t              p;
    const nxe_effective_t  *eff;

    eff = e->effective;

    for (p = 0; p < NXE_PARAMS; p++) {
        if (eff->params[p] != NULL && e->params[p] != NXE_CODE_APPLIED) {
            return 0;
        }
    }

    for (j = 0; j < eff->nops; j++) {
        if (e->ops == NULL || e->ops[j] != NXE_CODE_APPLIED) {
            return 0;
        }
    }

    for (j = 0; j < eff->nheaders; j++) {
        if (e->headers == NULL || e->headers[j] != NXE_CODE_APPLIED) {
            return 0;
        }
    }

    if (eff->route != NULL
        && !ngx_http_experiment_routed(ctx->request, eff->route->upstream))
    {
        return 0;
    }

    return ctx->body != NGX_HTTP_EXPERIMENT_BODY_EDITED
           || ngx_http_experiment_sent(ctx->request);
}


/* The keyed id of an entry's unit: the raw one appears nowhere. */

const char *
ngx_http_experiment_unit_id(ngx_http_request_t *r,
    ngx_http_experiment_entry_t *e)
{
    ngx_http_experiment_main_conf_t  *emcf;

    if (!e->identified) {
        emcf = ngx_http_get_module_main_conf(r, ngx_http_experiment_module);

        nxe_unit_id(emcf->unit_key, e->handle->doc->unit_type, e->unit.value,
                    e->id);
        e->identified = 1;
    }

    return e->id;
}


static void
ngx_http_experiment_log_unit(ngx_http_experiment_line_t *l,
    ngx_http_experiment_ctx_t *ctx, ngx_http_experiment_entry_t *e)
{
    ngx_http_experiment_lit(l, ",\"unit\":\"");
    ngx_http_experiment_raw(l, ngx_http_experiment_unit_id(ctx->request, e),
                            NXE_UNIT_ID_LEN);
    ngx_http_experiment_lit(l, "\",\"unit_type\":");
    ngx_http_experiment_string(l, e->handle->doc->unit_type.data,
                               e->handle->doc->unit_type.len);

    if (e->unit.source != NXE_NONE) {
        ngx_http_experiment_number(l, ",\"unit_source\":", e->unit.source);
    }

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
           || ngx_http_experiment_sent(ctx->request);

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
