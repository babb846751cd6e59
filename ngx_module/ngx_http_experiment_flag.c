
/*
 * Flags: what an experiment gives a unit that is named in the body, decided
 * by the code that decides for requests that are proxied.
 */

#include "ngx_http_experiment_endpoint.h"


static ngx_int_t ngx_http_experiment_flag_find(
    ngx_http_experiment_ctx_t *ctx, ngx_http_experiment_handle_t **handle);
static ngx_uint_t ngx_http_experiment_flag_is(
    ngx_http_experiment_handle_t *h);
static ngx_int_t ngx_http_experiment_flags_layer(
    ngx_http_experiment_ctx_t *ctx, ngx_http_experiment_layer_t *layer);
static ngx_int_t ngx_http_experiment_flags_of(ngx_http_experiment_ctx_t *ctx,
    ngx_http_experiment_handle_t *h);
static ngx_int_t ngx_http_experiment_flag_evaluate(
    ngx_http_experiment_ctx_t *ctx, ngx_http_experiment_handle_t *h,
    nxe_str_t step, ngx_uint_t named);
static ngx_int_t ngx_http_experiment_flag_assign(
    ngx_http_experiment_ctx_t *ctx, ngx_http_experiment_entry_t *e,
    nxe_str_t step, const nxe_effective_t **effective);
static void ngx_http_experiment_flag_json(ngx_http_experiment_ctx_t *ctx,
    ngx_http_experiment_entry_t *e, const nxe_effective_t *effective,
    nxe_str_t step, ngx_uint_t named);
static const char *ngx_http_experiment_flag_reason(nxe_reason_t reason);
static void ngx_http_experiment_flag_value(ngx_http_experiment_line_t *l,
    ngx_http_experiment_entry_t *e, const nxe_effective_t *effective);
static void ngx_http_experiment_flag_key(ngx_http_experiment_line_t *l,
    ngx_http_experiment_handle_t *h, nxe_str_t step, ngx_uint_t named);


/*
 * The flag that was asked for.  NGX_DECLINED: there is none of that name
 * here; NGX_AGAIN: in the next turn.
 */

ngx_int_t
ngx_http_experiment_flag(ngx_http_experiment_ctx_t *ctx)
{
    ngx_int_t                      rc;
    nxe_str_t                      step;
    ngx_http_experiment_ofrep_t   *o;
    ngx_http_experiment_handle_t  *h;

    o = ctx->data;

    rc = ngx_http_experiment_flag_find(ctx, &h);
    if (rc != NGX_OK) {
        return rc;
    }

    if (o->step.data != NULL) {
        step = o->step;

        /* what is off has no steps to look at, and no answer but that */

        if (h->doc != NULL && nxe_doc_step(h->doc, step) == NXE_NONE) {
            return NGX_DECLINED;
        }

    } else if (h->doc != NULL && h->doc->nsteps == 1) {
        step = h->doc->steps[0].name;

    } else {
        step.data = (char *) ctx->step.data;
        step.len = ctx->step.len;
    }

    return ngx_http_experiment_flag_evaluate(ctx, h, step,
                                             o->step.data != NULL);
}


static ngx_int_t
ngx_http_experiment_flag_find(ngx_http_experiment_ctx_t *ctx,
    ngx_http_experiment_handle_t **handle)
{
    ngx_int_t                      rc;
    nxe_error_t                    err;
    nxe_entry_t                    entry;
    nxe_status_t                   found;
    ngx_http_experiment_ofrep_t   *o;
    ngx_http_experiment_handle_t  *h;

    o = ctx->data;

    if (!nxe_name_ok(o->name)
        || (o->step.data != NULL && !nxe_name_ok(o->step)))
    {
        return NGX_DECLINED;
    }

    /* nothing is compiled for the sake of a name that is no flag's */

    found = nxe_serving_entry(ctx->snapshot->serving, o->name, &entry, &err);

    if (found == NXE_DECLINED || (found == NXE_OK && !entry.flag)) {
        return NGX_DECLINED;
    }

    rc = ngx_http_experiment_handle(ctx->snapshot, o->name, 0, &h);
    if (rc != NGX_OK) {
        return rc;
    }

    if (!ngx_http_experiment_flag_is(h)
        || !ngx_http_experiment_bound(ctx->elcf, h))
    {
        return NGX_DECLINED;
    }

    *handle = h;

    return ngx_http_experiment_pin(ctx, h);
}


/* Of what is off the layer is not known, and it is not bound by it either. */

ngx_uint_t
ngx_http_experiment_bound(ngx_http_experiment_loc_conf_t *elcf,
    ngx_http_experiment_handle_t *h)
{
    ngx_str_t   *name;
    nxe_str_t    wanted;
    ngx_uint_t   i;

    if (elcf->bind == NGX_HTTP_EXPERIMENT_ON) {
        return 1;
    }

    if (elcf->bind == NGX_HTTP_EXPERIMENT_OFF) {
        return 0;
    }

    if (elcf->bind == NGX_HTTP_EXPERIMENT_NAMES) {
        wanted.data = (char *) h->sn.str.data;
        wanted.len = h->sn.str.len;

    } else if (h->doc != NULL) {
        wanted = h->doc->layer;

    } else {
        return 0;
    }

    name = elcf->names->elts;

    for (i = 0; i < elcf->names->nelts; i++) {
        if (nxe_str_eq(wanted, (nxe_str_t) { (char *) name[i].data,
                                             name[i].len }))
        {
            return 1;
        }
    }

    return 0;
}


/* The document has the last word, where there is one. */

static ngx_uint_t
ngx_http_experiment_flag_is(ngx_http_experiment_handle_t *h)
{
    return h->doc != NULL ? h->doc->ofrep_members != 0 : h->flag;
}


/*
 * All flags that are bound, by layer, then name.  NGX_AGAIN: the rest in the
 * next turn; NGX_DECLINED: they are too many.
 */

ngx_int_t
ngx_http_experiment_flags(ngx_http_experiment_ctx_t *ctx)
{
    ngx_int_t                      rc;
    struct timespec                since;
    ngx_http_experiment_bind_t    *bind;
    ngx_http_experiment_ofrep_t   *o;
    ngx_http_experiment_worker_t  *w;

    o = ctx->data;

    if (ctx->elcf->bind == NGX_HTTP_EXPERIMENT_OFF) {
        return NGX_OK;
    }

    rc = ngx_http_experiment_bind(ctx->snapshot, ctx->elcf, &bind);
    if (rc != NGX_OK) {
        return rc;
    }

    for ( /* void */ ; o->layer < bind->nlayers; o->layer++, o->place = 0) {

        rc = ngx_http_experiment_flags_layer(ctx, bind->layers[o->layer]);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    w = ctx->snapshot->worker;

    for ( /* void */ ; o->handle < bind->nhandles; o->handle++) {

        if (w->patient && ngx_http_experiment_spent(w)) {
            return NGX_AGAIN;
        }

        if (!ngx_http_experiment_flag_is(bind->handles[o->handle])) {
            continue;
        }

        (void) clock_gettime(CLOCK_MONOTONIC, &since);
        rc = ngx_http_experiment_flags_of(ctx, bind->handles[o->handle]);
        ngx_http_experiment_spend(w, &since);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_experiment_flags_layer(ngx_http_experiment_ctx_t *ctx,
    ngx_http_experiment_layer_t *layer)
{
    ngx_int_t                      rc;
    nxe_error_t                    err;
    nxe_entry_t                    entry;
    nxe_status_t                   found;
    struct timespec                since;
    ngx_http_experiment_ofrep_t   *o;
    ngx_http_experiment_handle_t  *h;
    ngx_http_experiment_worker_t  *w;

    o = ctx->data;
    w = ctx->snapshot->worker;

    for ( /* void */ ; o->place < layer->n; o->place++) {

        if (w->patient && ngx_http_experiment_spent(w)) {
            return NGX_AGAIN;
        }

        (void) clock_gettime(CLOCK_MONOTONIC, &since);

        found = nxe_serving_entry(ctx->snapshot->serving,
                                  layer->places[o->place].name, &entry, &err);

        ngx_http_experiment_spend(w, &since);

        if (found != NXE_OK || !entry.flag) {
            continue;
        }

        rc = ngx_http_experiment_layer_handle(ctx, layer, o->place, &h);

        if (rc == NGX_OK && ngx_http_experiment_flag_is(h)) {
            (void) clock_gettime(CLOCK_MONOTONIC, &since);
            rc = ngx_http_experiment_flags_of(ctx, h);
            ngx_http_experiment_spend(w, &since);
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


/* NAME where there is one step, else NAME:STEP for each. */

static ngx_int_t
ngx_http_experiment_flags_of(ngx_http_experiment_ctx_t *ctx,
    ngx_http_experiment_handle_t *h)
{
    ngx_int_t  rc;
    uint32_t   i, n;

    n = h->doc != NULL ? h->doc->nsteps : 1;

    for (i = 0; i < n; i++) {

        if (ctx->nentries == NGX_HTTP_EXPERIMENT_FLAGS) {
            return NGX_DECLINED;
        }

        rc = ngx_http_experiment_flag_evaluate(ctx, h,
                                               h->doc != NULL
                                               ? h->doc->steps[i].name
                                               : nxe_str(""), n > 1);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_experiment_flag_evaluate(ngx_http_experiment_ctx_t *ctx,
    ngx_http_experiment_handle_t *h, nxe_str_t step, ngx_uint_t named)
{
    ngx_int_t                     rc;
    const nxe_effective_t        *effective;
    ngx_http_experiment_entry_t  *e;

    e = &ctx->entries[ctx->nentries];
    ngx_memzero(e, sizeof(ngx_http_experiment_entry_t));

    e->handle = h;
    e->a.step = NXE_NONE;
    e->unit.source = NXE_NONE;
    effective = NULL;

    if (h->doc != NULL) {
        e->a.variant = h->doc->baseline;
    }

    ctx->nentries++;

    if (h->error) {
        e->a.reason = NXE_REASON_ERROR;

    } else if (h->doc == NULL) {
        e->a.reason = NXE_REASON_OFF;

    } else {
        rc = ngx_http_experiment_flag_assign(ctx, e, step, &effective);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    ngx_http_experiment_flag_json(ctx, e, effective, step, named);

    return NGX_OK;
}


/*
 * As for a request whose source yields the unit.  Who has a key answers for
 * it, as an access-phase module would; of anybody else it is only said.
 */

static ngx_int_t
ngx_http_experiment_flag_assign(ngx_http_experiment_ctx_t *ctx,
    ngx_http_experiment_entry_t *e, nxe_str_t step,
    const nxe_effective_t **effective)
{
    uint32_t                      position;
    nxe_request_t                 req;
    const nxe_doc_t              *doc;
    ngx_http_experiment_ofrep_t  *o;

    o = ctx->data;
    doc = e->handle->doc;

    ngx_memzero(&req, sizeof(nxe_request_t));
    req.attr = ngx_http_experiment_context_attr;
    req.ctx = ctx;
    req.scratch = ctx->snapshot->worker->scratch;
    req.step = step;
    req.now = ctx->start.tv_sec;

    e->unit.value = o->unit;
    e->unit.verified = o->keyed;
    e->has_unit = nxe_assign_takes(doc, &e->unit) ? 1 : 0;

    position = e->handle->whole ? 0 : nxe_assign_position(doc->layer, o->unit);

    if (nxe_assign(doc, &e->handle->force, e->handle->ranges, &req,
                   e->has_unit ? &e->unit : NULL, position, &e->a)
        != NXE_OK)
    {
        return NGX_ERROR;
    }

    *effective = nxe_assign_effective(doc, &e->a);

    /* asking for all flags says nothing of which is used */

    if (!doc->ofrep_exposure || o->key.data == NULL) {
        e->a.exposed = 0;
    }

    return ngx_http_experiment_segments(ctx, e, &req);
}


static void
ngx_http_experiment_flag_json(ngx_http_experiment_ctx_t *ctx,
    ngx_http_experiment_entry_t *e, const nxe_effective_t *effective,
    nxe_str_t step, ngx_uint_t named)
{
    nxe_str_t                      variant;
    const char                    *reason;
    ngx_http_experiment_line_t    *l;
    ngx_http_experiment_ofrep_t   *o;
    ngx_http_experiment_handle_t  *h;

    h = e->handle;
    o = ctx->data;
    l = &o->json;

    reason = ngx_http_experiment_flag_reason(e->a.reason);
    variant = h->doc != NULL ? h->doc->variants[e->a.variant].name
                             : h->baseline;

    if (ctx->nentries > 1) {
        ngx_http_experiment_lit(l, ",");
        ngx_http_experiment_lit(&o->keys, ",");
    }

    ngx_http_experiment_lit(l, "{\"key\":");
    ngx_http_experiment_flag_key(l, h, step, named);
    ngx_http_experiment_flag_key(&o->keys, h, step, named);

    ngx_http_experiment_flag_value(l, e, effective);

    ngx_http_experiment_lit(l, ",\"reason\":");
    ngx_http_experiment_string(l, reason, ngx_strlen(reason));

    if (variant.len != 0) {
        ngx_http_experiment_lit(l, ",\"variant\":");
        ngx_http_experiment_string(l, variant.data, variant.len);
    }

    ngx_http_experiment_lit(l, ",\"metadata\":{\"experiment\":");
    ngx_http_experiment_string(l, h->sn.str.data, h->sn.str.len);

    if (h->revision != 0) {
        ngx_http_experiment_number(l, ",\"phase\":", h->phase);
        ngx_http_experiment_number(l, ",\"revision\":", h->revision);
    }

    ngx_http_experiment_number(l, ",\"registry\":",
                       nxe_serving_current(ctx->snapshot->serving)->txn);
    ngx_http_experiment_lit(l, "}}");
}


static const char *
ngx_http_experiment_flag_reason(nxe_reason_t reason)
{
    switch (reason) {

    case NXE_REASON_ASSIGNED:
        return "SPLIT";

    case NXE_REASON_OFF:
    case NXE_REASON_ROLLED_BACK:
    case NXE_REASON_PAUSED:
    case NXE_REASON_OUTSIDE_WINDOW:
        return "DISABLED";

    case NXE_REASON_ERROR:
        return "UNKNOWN";

    default:
        return "STATIC";
    }
}


/*
 * The members that may be told, in force for the variant, as the document
 * spells them.  None at all means "use what the code has", but to a unit that
 * is assigned all arms give an object: an arm that changes nothing must not
 * look like one that failed.
 */

static void
ngx_http_experiment_flag_value(ngx_http_experiment_line_t *l,
    ngx_http_experiment_entry_t *e, const nxe_effective_t *effective)
{
    const char            *name;
    ngx_uint_t             p, n;
    const nxe_override_t  *value;

    n = 0;

    for (p = 0; effective != NULL && p < NXE_PARAMS; p++) {
        value = effective->params[p];

        if (value == NULL || !(e->handle->doc->ofrep_members & 1u << p)) {
            continue;
        }

        if (n++ == 0) {
            ngx_http_experiment_lit(l, ",\"value\":{");

        } else {
            ngx_http_experiment_lit(l, ",");
        }

        name = nxe_param_name((nxe_param_t) p);
        ngx_http_experiment_string(l, name, ngx_strlen(name));
        ngx_http_experiment_lit(l, ":");
        ngx_http_experiment_raw(l, e->handle->bytes + value->value.offset,
                                value->value.len);
    }

    if (n != 0) {
        ngx_http_experiment_lit(l, "}");

    } else if (e->a.reason == NXE_REASON_ASSIGNED) {
        ngx_http_experiment_lit(l, ",\"value\":{}");
    }
}


static void
ngx_http_experiment_flag_key(ngx_http_experiment_line_t *l,
    ngx_http_experiment_handle_t *h, nxe_str_t step, ngx_uint_t named)
{
    ngx_http_experiment_lit(l, "\"");
    ngx_http_experiment_raw(l, h->sn.str.data, h->sn.str.len);

    if (named) {
        ngx_http_experiment_lit(l, ":");
        ngx_http_experiment_raw(l, step.data, step.len);
    }

    ngx_http_experiment_lit(l, "\"");
}
