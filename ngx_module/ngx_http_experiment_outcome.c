
/*
 * Items of feedback: the experiment and the metric of each, and the token
 * that stands for them.
 */

#include "ngx_http_experiment_endpoint.h"
#include "ngx_http_experiment_zone.h"


static ngx_int_t ngx_http_experiment_outcome(ngx_http_experiment_ctx_t *ctx,
    ngx_uint_t i);
static ngx_int_t ngx_http_experiment_outcome_named(
    ngx_http_experiment_ctx_t *ctx, ngx_uint_t i, nxe_str_t name,
    ngx_http_experiment_handle_t **handle);
static ngx_int_t ngx_http_experiment_outcome_about(
    ngx_http_experiment_ctx_t *ctx, nxe_str_t name,
    ngx_http_experiment_handle_t **handle);
static ngx_int_t ngx_http_experiment_outcome_search(
    ngx_http_experiment_ctx_t *ctx, ngx_uint_t i,
    ngx_http_experiment_handle_t **handle);
static ngx_int_t ngx_http_experiment_outcome_bounds(
    ngx_http_experiment_ctx_t *ctx);
static ngx_int_t ngx_http_experiment_outcome_of(
    ngx_http_experiment_ctx_t *ctx, ngx_uint_t i);
static void ngx_http_experiment_outcome_count(
    ngx_http_experiment_zone_t *zone, ngx_http_experiment_outcome_t *o);


#define ngx_http_experiment_takes(h)  ((h)->doc != NULL && !(h)->error)


/*
 * Finds what each item is about.  NGX_DECLINED: some have faults; NGX_AGAIN:
 * the rest in the next turn.
 */

ngx_int_t
ngx_http_experiment_outcomes(ngx_http_experiment_ctx_t *ctx)
{
    ngx_int_t                        rc;
    ngx_http_experiment_feedback_t  *fb;

    fb = ctx->data;

    for ( /* void */ ; fb->next < fb->f.n; fb->next++) {

        rc = ngx_http_experiment_outcome(ctx, fb->next);

        if (rc != NGX_OK && rc != NGX_DECLINED) {
            return rc;
        }
    }

    return fb->f.nfaults == 0 ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_experiment_outcome(ngx_http_experiment_ctx_t *ctx, ngx_uint_t i)
{
    ngx_int_t                        rc;
    nxe_str_t                        name;
    nxe_feedback_item_t             *item;
    ngx_http_experiment_handle_t    *h;
    ngx_http_experiment_outcome_t   *o;
    ngx_http_experiment_feedback_t  *fb;

    fb = ctx->data;
    o = &fb->outcomes[i];
    item = &fb->f.items[i];

    name = fb->trust == NXE_TRUST_TOKEN ? fb->bound.experiment
                                        : item->experiment;

    rc = name.data != NULL
         ? ngx_http_experiment_outcome_named(ctx, i, name, &h)
         : ngx_http_experiment_outcome_search(ctx, i, &h);

    if (rc != NGX_OK) {
        return rc;
    }

    o->handle = h;
    o->metric = nxe_doc_metric(h->doc, item->metric);

    if (o->metric == NULL) {
        nxe_feedback_fault(&fb->f, (int32_t) i, "metric",
                           "a metric that the experiment declares, and that "
                           "the edge does not measure");
        return NGX_DECLINED;
    }

    if (nxe_feedback_value(&fb->f, (int32_t) i, o->metric, &o->value)
        != NXE_OK)
    {
        return NGX_DECLINED;
    }

    return ngx_http_experiment_outcome_of(ctx, i);
}


static ngx_int_t
ngx_http_experiment_outcome_named(ngx_http_experiment_ctx_t *ctx,
    ngx_uint_t i, nxe_str_t name, ngx_http_experiment_handle_t **handle)
{
    ngx_int_t                        rc;
    ngx_uint_t                       j;
    ngx_http_experiment_feedback_t  *fb;

    fb = ctx->data;

    for (j = 0; j < fb->nabout; j++) {
        if (nxe_str_eq(fb->about[j].name, name)) {
            break;
        }
    }

    if (j == fb->nabout) {

        if (j == NGX_HTTP_EXPERIMENT_NAMED) {
            nxe_feedback_fault(&fb->f, (int32_t) i, "experiment",
                               "at most %d experiments in one request",
                               NGX_HTTP_EXPERIMENT_NAMED);
            return NGX_DECLINED;
        }

        rc = ngx_http_experiment_outcome_about(ctx, name,
                                               &fb->about[j].handle);
        if (rc != NGX_OK) {
            return rc;
        }

        fb->about[j].name = name;
        fb->nabout++;
    }

    *handle = fb->about[j].handle;

    if (*handle != NULL) {
        return NGX_OK;
    }

    if (fb->trust == NXE_TRUST_TOKEN) {
        nxe_feedback_fault(&fb->f, (int32_t) i, NULL, "a token of an "
                           "experiment that is live and bound here");

    } else {
        nxe_feedback_fault(&fb->f, (int32_t) i, "experiment", "the name of "
                           "an experiment that is live and bound here");
    }

    return NGX_DECLINED;
}


/* *handle is NULL for one that takes nothing here. */

static ngx_int_t
ngx_http_experiment_outcome_about(ngx_http_experiment_ctx_t *ctx,
    nxe_str_t name, ngx_http_experiment_handle_t **handle)
{
    ngx_int_t                      rc;
    ngx_http_experiment_handle_t  *h;

    *handle = NULL;

    rc = ngx_http_experiment_handle(ctx->snapshot, name, 0, &h);

    if (rc != NGX_OK) {
        return rc == NGX_DECLINED ? NGX_OK : rc;
    }

    if (!ngx_http_experiment_takes(h)
        || !ngx_http_experiment_bound(ctx->elcf, h))
    {
        return NGX_OK;
    }

    *handle = h;

    return ngx_http_experiment_pin(ctx, h);
}


/* The one experiment that is bound here and declares the metric. */

static ngx_int_t
ngx_http_experiment_outcome_search(ngx_http_experiment_ctx_t *ctx,
    ngx_uint_t i, ngx_http_experiment_handle_t **handle)
{
    ngx_int_t                        rc;
    nxe_str_t                        metric;
    ngx_uint_t                       j, n;
    ngx_http_experiment_handle_t    *h;
    ngx_http_experiment_feedback_t  *fb;

    fb = ctx->data;
    metric = fb->f.items[i].metric;

    if (fb->bounds == NULL) {
        rc = ngx_http_experiment_outcome_bounds(ctx);

        if (rc == NGX_DECLINED) {
            nxe_feedback_fault(&fb->f, (int32_t) i, "experiment",
                               "\"experiment\": more than %d are bound here",
                               NGX_HTTP_EXPERIMENT_NAMED);
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    for (j = 0, n = 0; j < fb->nbounds; j++) {
        h = fb->bounds[j];

        if (nxe_doc_metric(h->doc, metric) != NULL) {
            *handle = h;
            n++;
        }
    }

    if (n == 1) {
        return NGX_OK;
    }

    if (n == 0) {
        nxe_feedback_fault(&fb->f, (int32_t) i, "metric", "a metric that an "
                           "experiment that is live and bound here declares");

    } else {
        nxe_feedback_fault(&fb->f, (int32_t) i, "experiment",
                           "\"experiment\": more than one that is bound here "
                           "declares this metric");
    }

    return NGX_DECLINED;
}


/* Begun anew after a turn: what was made then is there, held by its pin. */

static ngx_int_t
ngx_http_experiment_outcome_bounds(ngx_http_experiment_ctx_t *ctx)
{
    size_t                            i;
    ngx_int_t                         rc;
    ngx_uint_t                        j, n;
    ngx_http_experiment_bind_t       *bind;
    ngx_http_experiment_handle_t     *h, **handles;
    ngx_http_experiment_layer_t      *layer;
    ngx_http_experiment_feedback_t   *fb;

    fb = ctx->data;

    rc = ngx_http_experiment_bind(ctx->snapshot, ctx->elcf, &bind);
    if (rc != NGX_OK) {
        return rc == NGX_AGAIN ? NGX_AGAIN : NGX_ERROR;
    }

    n = bind->nhandles;

    for (j = 0; j < bind->nlayers; j++) {
        n += bind->layers[j]->n;
    }

    if (n > NGX_HTTP_EXPERIMENT_NAMED) {
        return NGX_DECLINED;
    }

    handles = ngx_palloc(ctx->request->pool,
                         (n + 1) * sizeof(ngx_http_experiment_handle_t *));
    if (handles == NULL) {
        return NGX_ERROR;
    }

    n = 0;

    for (j = 0; j < bind->nlayers; j++) {
        layer = bind->layers[j];

        for (i = 0; i < layer->n; i++) {
            rc = ngx_http_experiment_layer_handle(ctx, layer, i, &h);
            if (rc != NGX_OK) {
                return rc;
            }

            if (ngx_http_experiment_takes(h)) {
                handles[n++] = h;
            }
        }
    }

    for (j = 0; j < bind->nhandles; j++) {
        h = bind->handles[j];

        if (ngx_http_experiment_takes(h)) {
            if (ngx_http_experiment_pin(ctx, h) != NGX_OK) {
                return NGX_ERROR;
            }

            handles[n++] = h;
        }
    }

    fb->bounds = handles;
    fb->nbounds = n;

    return NGX_OK;
}


/* Of whom: a raw unit goes no further than this. */

static ngx_int_t
ngx_http_experiment_outcome_of(ngx_http_experiment_ctx_t *ctx, ngx_uint_t i)
{
    u_char                           *id;
    nxe_feedback_item_t              *item;
    ngx_http_experiment_outcome_t    *o;
    ngx_http_experiment_feedback_t   *fb;
    ngx_http_experiment_main_conf_t  *emcf;

    fb = ctx->data;
    o = &fb->outcomes[i];
    item = &fb->f.items[i];

    o->unit = 1;

    if (fb->trust == NXE_TRUST_TOKEN) {
        o->of = fb->bound.unit;

    } else if (item->request_id.data != NULL) {
        o->of = item->request_id;
        o->unit = 0;

    } else if (item->unit_hash.data != NULL) {
        o->of = item->unit_hash;

    } else {
        emcf = ngx_http_get_module_main_conf(ctx->request,
                                             ngx_http_experiment_module);

        id = ngx_pnalloc(ctx->request->pool, NXE_UNIT_ID_LEN);
        if (id == NULL) {
            return NGX_ERROR;
        }

        nxe_unit_id(emcf->unit_key, o->handle->doc->unit_type, item->unit,
                    (char *) id);

        o->of.data = (char *) id;
        o->of.len = NXE_UNIT_ID_LEN;
    }

    return NGX_OK;
}


/*
 * Takes all of them, but for those that were taken before.  A token says the
 * same twice if it comes twice, unless its items are told apart by keys.
 */

void
ngx_http_experiment_outcomes_take(ngx_http_experiment_ctx_t *ctx)
{
    u_char                            id[NXE_FEEDBACK_ID];
    nxe_str_t                         name, key;
    ngx_uint_t                        i;
    ngx_http_experiment_outcome_t    *o;
    ngx_http_experiment_feedback_t   *fb;
    ngx_http_experiment_main_conf_t  *emcf;

    fb = ctx->data;
    emcf = ngx_http_get_module_main_conf(ctx->request,
                                         ngx_http_experiment_module);

    for (i = 0; i < fb->f.n; i++) {
        o = &fb->outcomes[i];
        key = fb->f.items[i].key;

        if (key.data == NULL && fb->trust == NXE_TRUST_TOKEN) {
            key = fb->bound.request_id;
        }

        if (key.data != NULL) {
            name.data = (char *) o->handle->sn.str.data;
            name.len = o->handle->sn.str.len;

            nxe_feedback_id(fb->who, name, o->metric->name, o->of, key, id);
            o->duplicate = ngx_http_experiment_zone_seen(emcf, id) ? 1 : 0;
        }

        if (o->duplicate) {
            fb->duplicates++;
            continue;
        }

        fb->accepted++;
        ngx_http_experiment_outcome_count(ngx_http_experiment_zone(emcf), o);
    }
}


/*
 * In one row of the phase in force, whoever it is of: which variant that is,
 * is known of some alone.
 */

static void
ngx_http_experiment_outcome_count(ngx_http_experiment_zone_t *zone,
    ngx_http_experiment_outcome_t *o)
{
    ngx_http_experiment_key_t   key;
    ngx_http_experiment_row_t  *row;

    key.experiment.data = (char *) o->handle->sn.str.data;
    key.experiment.len = o->handle->sn.str.len;
    key.phase = o->handle->phase;
    key.variant = nxe_str(NGX_HTTP_EXPERIMENT_OUTCOMES);
    key.step = nxe_str("");

    row = ngx_http_experiment_row(zone, &key);

    if (row == NULL) {
        (void) ngx_atomic_fetch_add(&zone->dropped, 1);
        return;
    }

    ngx_http_experiment_add(row, NGX_HTTP_EXPERIMENT_FEEDBACK, 1);
}


/* Of the first experiment that the request is exposed to, or empty. */

ngx_int_t
ngx_http_experiment_feedback_token(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_str_t *token)
{
    char                              unit[NXE_UNIT_ID_LEN];
    nxe_token_t                       t;
    ngx_uint_t                        i;
    nxe_feedback_bound_t              bound;
    ngx_http_variable_value_t        *id;
    ngx_http_experiment_entry_t      *e;
    ngx_http_experiment_main_conf_t  *emcf;

    token->len = 0;
    token->data = (u_char *) "";

    for (i = 0; i < ctx->nentries && !ctx->entries[i].a.exposed; i++) {
        /* void */
    }

    if (i == ctx->nentries) {
        return NGX_OK;
    }

    e = &ctx->entries[i];
    emcf = ngx_http_get_module_main_conf(r, ngx_http_experiment_module);
    id = ngx_http_get_indexed_variable(r->main, emcf->request_id);

    if (id == NULL || id->not_found) {
        return NGX_ERROR;
    }

    nxe_unit_id(emcf->unit_key, e->handle->doc->unit_type, e->unit.value,
                unit);

    bound.request_id.data = (char *) id->data;
    bound.request_id.len = id->len;
    bound.experiment.data = (char *) e->handle->sn.str.data;
    bound.experiment.len = e->handle->sn.str.len;
    bound.variant = e->handle->doc->variants[e->a.variant].name;
    bound.unit.data = unit;
    bound.unit.len = NXE_UNIT_ID_LEN;
    bound.phase = e->handle->phase;
    bound.revision = e->handle->revision;

    if (nxe_feedback_pack(&bound, &t) != NXE_OK) {
        return NGX_ERROR;
    }

    t.from = ngx_time();
    t.to = t.from + NXE_FEEDBACK_LIFE;

    token->data = ngx_pnalloc(r->pool, NXE_TOKEN_MAX);
    if (token->data == NULL) {
        return NGX_ERROR;
    }

    token->len = nxe_token_sign(emcf->feedback_keys, &t,
                                (char *) token->data);

    return NGX_OK;
}
