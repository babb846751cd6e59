
/*
 * Request -> units -> assignments, kept for the request's whole life.
 */

#include "ngx_http_experiment.h"


/* Milliseconds that no wait for a turn lasts. */

#define NGX_HTTP_EXPERIMENT_WAIT  60000


static void ngx_http_experiment_cleanup(void *data);
static void ngx_http_experiment_no_entries(ngx_http_experiment_ctx_t *ctx);
static ngx_uint_t ngx_http_experiment_lacks(ngx_http_experiment_ctx_t *ctx);
static ngx_int_t ngx_http_experiment_entries(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_http_experiment_bind_t *bind);
static ngx_int_t ngx_http_experiment_layer_entry(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_http_experiment_layer_t *layer);
static ngx_int_t ngx_http_experiment_decide(ngx_http_experiment_ctx_t *ctx,
    ngx_http_experiment_entry_t *e, nxe_unit_t *unit, uint32_t position);
static ngx_int_t ngx_http_experiment_fault(ngx_http_experiment_ctx_t *ctx,
    ngx_http_experiment_entry_t *e);
static ngx_int_t ngx_http_experiment_route_ok(
    ngx_http_experiment_loc_conf_t *elcf, ngx_http_experiment_handle_t *h,
    nxe_str_t *missing);
static void ngx_http_experiment_request(ngx_http_experiment_ctx_t *ctx,
    nxe_request_t *req);


/*
 * An internal redirect zeroes the module contexts; the cleanup of the
 * request's pool still knows the state.
 */

ngx_http_experiment_ctx_t *
ngx_http_experiment_get_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t         *cln;
    ngx_http_experiment_ctx_t  *ctx;

    r = r->main;
    ctx = ngx_http_get_module_ctx(r, ngx_http_experiment_module);

    if (ctx != NULL || (!r->internal && !r->filter_finalize)) {
        return ctx;
    }

    for (cln = r->pool->cleanup; cln != NULL; cln = cln->next) {
        if (cln->handler == ngx_http_experiment_cleanup) {
            ctx = cln->data;
            ngx_http_set_ctx(r, ctx, ngx_http_experiment_module);
            return ctx;
        }
    }

    return NULL;
}


ngx_http_experiment_ctx_t *
ngx_http_experiment_create_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t         *cln;
    ngx_http_experiment_ctx_t  *ctx;

    r = r->main;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_experiment_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_http_experiment_ctx_t));

    cln->handler = ngx_http_experiment_cleanup;

    ctx->request = r;
    ctx->mem.alloc = ngx_http_experiment_palloc;
    ctx->mem.ctx = r->pool;
    ctx->uri = r->uri;
    ctx->status = NGX_DECLINED;

    ngx_http_set_ctx(r, ctx, ngx_http_experiment_module);

    return ctx;
}


/*
 * The request goes on in the next turn.  A worker that is to leave looks at
 * timers alone, and would not wait for what is posted.
 */

void
ngx_http_experiment_wait_turn(ngx_http_experiment_ctx_t *ctx,
    ngx_event_handler_pt handler, void *data)
{
    ctx->wait.handler = handler;
    ctx->wait.data = data;
    ctx->wait.log = ctx->request->connection->log;

    ngx_post_event(&ctx->wait, &ngx_posted_next_events);

    if (!ctx->wait.timer_set) {
        ngx_add_timer(&ctx->wait, NGX_HTTP_EXPERIMENT_WAIT);
    }
}


/* It goes on now, or ends. */

void
ngx_http_experiment_waited(ngx_http_experiment_ctx_t *ctx)
{
    if (ctx->wait.posted) {
        ngx_delete_posted_event(&ctx->wait);
    }

    if (ctx->wait.timer_set) {
        ngx_del_timer(&ctx->wait);
    }
}


static void
ngx_http_experiment_cleanup(void *data)
{
    ngx_http_experiment_ctx_t  *ctx = data;

    ngx_http_experiment_waited(ctx);

    if (ctx->snapshot != NULL) {
        ngx_http_experiment_unpin(ctx);
        ngx_http_experiment_release(ctx->snapshot);
        ctx->snapshot = NULL;
    }
}


/*
 * Computes the request's entries where they are not there yet.  Before the
 * handler has run, another location may bind others; the snapshot, and so
 * the answer for each experiment, stays.  The handler asks again for what an
 * early variable did not find: "auth_request" may have set it since.
 * NGX_AGAIN: in the next turn, for who can wait.
 */

ngx_int_t
ngx_http_experiment_assign(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_uint_t again)
{
    ngx_int_t                         rc;
    ngx_http_experiment_bind_t       *bind;
    ngx_http_experiment_loc_conf_t   *elcf;
    ngx_http_experiment_main_conf_t  *emcf;

    r = r->main;
    elcf = ngx_http_get_module_loc_conf(r, ngx_http_experiment_module);

    if (again) {
        again = !ctx->accessed;
        ctx->accessed = 1;
    }

    if (ctx->frozen
        || (ctx->assigned && ctx->elcf == elcf
            && !(again && ngx_http_experiment_lacks(ctx))))
    {
        return NGX_OK;
    }

    ctx->assigned = 1;

    if (!ctx->partial || ctx->elcf != elcf) {
        ctx->elcf = elcf;
        ctx->partial = 0;
        ngx_http_experiment_no_entries(ctx);

        if (elcf->bind == NGX_HTTP_EXPERIMENT_OFF) {
            return NGX_OK;
        }

        if (ngx_http_experiment_get_step(r, ctx) != NGX_OK) {
            return NGX_ERROR;
        }

        ctx->dialect = elcf->dialect == NGX_HTTP_EXPERIMENT_AUTO
                       ? nxe_dialect_of_path((nxe_str_t) {
                                                 (char *) r->uri.data,
                                                 r->uri.len })
                       : (nxe_dialect_t) elcf->dialect;
    }

    if (ctx->snapshot == NULL) {
        emcf = ngx_http_get_module_main_conf(r, ngx_http_experiment_module);
        ctx->snapshot = ngx_http_experiment_acquire(emcf);

        if (ctx->snapshot == NULL) {
            return NGX_OK;
        }
    }

    rc = ngx_http_experiment_bind(ctx->snapshot, elcf, &bind);

    if (rc == NGX_OK) {
        rc = ngx_http_experiment_entries(r, ctx, bind);
    }

    /* what is there stays: who waits goes on where it stopped */

    ctx->partial = rc == NGX_AGAIN;

    if (rc == NGX_AGAIN) {
        ctx->assigned = 0;
    }

    return rc;
}


static void
ngx_http_experiment_no_entries(ngx_http_experiment_ctx_t *ctx)
{
    ctx->entries = NULL;
    ctx->nentries = 0;
    ctx->layers = 0;
    ctx->layer_excluded = 0;
}


/* 1 where a value was missed that may be there by now. */

static ngx_uint_t
ngx_http_experiment_lacks(ngx_http_experiment_ctx_t *ctx)
{
    ngx_uint_t  i;

    for (i = 0; i < ctx->nentries; i++) {
        if (!ctx->entries[i].has_unit
            || ctx->entries[i].a.reason == NXE_REASON_NOT_TARGETED)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_experiment_entries(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_http_experiment_bind_t *bind)
{
    uint32_t                       position;
    ngx_int_t                      rc;
    nxe_unit_t                     unit;
    ngx_uint_t                     i;
    nxe_status_t                   status;
    nxe_request_t                  req;
    ngx_http_experiment_entry_t   *e;
    ngx_http_experiment_handle_t  *h;

    if (bind->nlayers + bind->nhandles == 0) {
        return NGX_OK;
    }

    if (ctx->entries == NULL) {
        ctx->entries = ngx_pcalloc(r->pool, (bind->nlayers + bind->nhandles)
                                       * sizeof(ngx_http_experiment_entry_t));
        if (ctx->entries == NULL) {
            return NGX_ERROR;
        }
    }

    for ( /* void */ ; ctx->layers < bind->nlayers; ctx->layers++) {
        rc = ngx_http_experiment_layer_entry(r, ctx,
                                             bind->layers[ctx->layers]);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    ngx_http_experiment_request(ctx, &req);

    for (i = 0; i < bind->nhandles; i++) {
        h = bind->handles[i];
        e = &ctx->entries[ctx->nentries++];
        e->handle = h;

        if (ngx_http_experiment_fault(ctx, e) != NGX_DECLINED) {
            continue;
        }

        position = 0;
        status = nxe_assign_unit(h->doc, &req, &unit);

        if (status == NXE_AGAIN) {
            e->pending = 1;
            e->a.reason = NXE_REASON_NO_UNIT;
            e->a.variant = h->doc->baseline;
            continue;
        }

        if (status == NXE_OK) {
            position = h->whole ? 0 : nxe_assign_position(h->doc->layer,
                                                          unit.value);

        } else if (status != NXE_DECLINED) {
            return NGX_ERROR;
        }

        rc = ngx_http_experiment_decide(ctx, e,
                                        status == NXE_OK ? &unit : NULL,
                                        position);
        if (rc != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * The one experiment of a layer whose range holds the unit; without a unit,
 * the first by name.  All documents of a layer have the same unit.
 */

static ngx_int_t
ngx_http_experiment_layer_entry(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_http_experiment_layer_t *layer)
{
    size_t                         i;
    uint32_t                       position;
    ngx_int_t                      rc;
    nxe_unit_t                     unit;
    nxe_status_t                   status;
    nxe_request_t                  req;
    ngx_http_experiment_entry_t   *e;
    ngx_http_experiment_handle_t  *h;

    h = NULL;

    /* any valid document knows the layer's unit */

    for (i = 0; i < layer->n; i++) {
        rc = ngx_http_experiment_layer_handle(ctx, layer,
                                              (layer->first + i) % layer->n,
                                              &h);
        if (rc != NGX_OK) {
            return rc;
        }

        if (h->doc != NULL && !h->error) {
            break;
        }
    }

    if (h == NULL) {
        return NGX_OK;
    }

    e = &ctx->entries[ctx->nentries];
    status = NXE_DECLINED;
    position = 0;

    if (h->doc != NULL && !h->error) {
        ngx_http_experiment_request(ctx, &req);
        status = nxe_assign_unit(h->doc, &req, &unit);
    }

    if (status == NXE_OK) {
        position = layer->n == 1 && layer->places[0].lo == 0
                   && layer->places[0].hi == (uint64_t) 1 << 32
                   ? 0 : nxe_assign_position(layer->name, unit.value);

        for (i = 0; i < layer->n; i++) {
            if (position >= layer->places[i].lo
                && position < layer->places[i].hi)
            {
                break;
            }
        }

        if (i == layer->n) {
            ctx->layer_excluded += layer->n;
            return NGX_OK;
        }

    } else {
        i = layer->first;
    }

    if (status != NXE_OK && status != NXE_DECLINED && status != NXE_AGAIN) {
        return NGX_ERROR;
    }

    /* what is still to come is waited for, even if the first by name is off */

    if (status != NXE_AGAIN) {
        rc = ngx_http_experiment_layer_handle(ctx, layer, i, &h);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    ctx->layer_excluded += layer->n - 1;

    ngx_memzero(e, sizeof(ngx_http_experiment_entry_t));
    e->handle = h;
    ctx->nentries++;

    if (status == NXE_AGAIN) {
        e->pending = 1;
        e->a.reason = NXE_REASON_NO_UNIT;
        e->a.variant = h->doc->baseline;
        e->a.step = NXE_NONE;
        return NGX_OK;
    }

    if (ngx_http_experiment_fault(ctx, e) != NGX_DECLINED) {
        return NGX_OK;
    }

    return ngx_http_experiment_decide(ctx, e, status == NXE_OK ? &unit : NULL,
                                      position);
}


static ngx_int_t
ngx_http_experiment_decide(ngx_http_experiment_ctx_t *ctx,
    ngx_http_experiment_entry_t *e, nxe_unit_t *unit, uint32_t position)
{
    nxe_status_t                   rc;
    nxe_request_t                  req;
    ngx_http_experiment_handle_t  *h;

    h = e->handle;

    if (unit != NULL && !nxe_assign_takes(h->doc, unit)) {
        unit = NULL;
    }

    if (unit != NULL) {
        e->unit = *unit;
        e->has_unit = 1;
    }

    ngx_http_experiment_request(ctx, &req);

    rc = nxe_assign(h->doc, &h->force, h->ranges, &req, unit, position, &e->a);

    if (rc == NXE_AGAIN) {
        e->pending = 1;
        e->a.reason = NXE_REASON_NOT_TARGETED;
        e->a.variant = h->doc->baseline;
        e->a.exposed = 0;
        return NGX_OK;
    }

    if (rc != NXE_OK) {
        return NGX_ERROR;
    }

    e->pending = 0;
    e->effective = nxe_assign_effective(h->doc, &e->a);

    return ngx_http_experiment_segments(ctx, e, &req);
}


/* NGX_DECLINED: nothing keeps the experiment from being evaluated here. */

static ngx_int_t
ngx_http_experiment_fault(ngx_http_experiment_ctx_t *ctx,
    ngx_http_experiment_entry_t *e)
{
    nxe_str_t                      missing;
    ngx_http_experiment_handle_t  *h;

    h = e->handle;
    e->a.step = NXE_NONE;

    if (h->doc != NULL) {
        e->a.variant = h->doc->baseline;
    }

    if (h->error) {
        e->a.reason = NXE_REASON_ERROR;
        return NGX_OK;
    }

    if (h->doc == NULL) {
        e->a.reason = NXE_REASON_OFF;
        return NGX_OK;
    }

    if (!h->routes
        || ngx_http_experiment_route_ok(ctx->elcf, h, &missing) == NGX_OK)
    {
        return NGX_DECLINED;
    }

    e->a.reason = NXE_REASON_ERROR;

    if (!h->compiled->logged) {
        h->compiled->logged = 1;
        ngx_http_experiment_hold(h);        /* for good: it is told once */

        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                      "experiment \"%V\" is off: it routes to \"%*s\", which "
                      "is not in experiment_upstream here", &h->sn.str,
                      missing.len, missing.data);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_experiment_route_ok(ngx_http_experiment_loc_conf_t *elcf,
    ngx_http_experiment_handle_t *h, nxe_str_t *missing)
{
    uint32_t              v, i;
    const nxe_variant_t  *variant;

    for (v = 0; v < h->doc->nvariants; v++) {
        variant = &h->doc->variants[v];

        for (i = 0; i < variant->nroutes; i++) {
            *missing = variant->routes[i].upstream;

            if (!ngx_http_experiment_listed(elcf, *missing)) {
                return NGX_DECLINED;
            }
        }
    }

    return NGX_OK;
}


/* 1 if the location's experiment_upstream names it. */

ngx_uint_t
ngx_http_experiment_listed(ngx_http_experiment_loc_conf_t *elcf,
    nxe_str_t upstream)
{
    ngx_str_t   *name;
    ngx_uint_t   i;

    if (elcf->upstreams == NULL) {
        return 0;
    }

    name = elcf->upstreams->elts;

    for (i = 0; i < elcf->upstreams->nelts; i++) {
        if (name[i].len == upstream.len
            && ngx_memcmp(name[i].data, upstream.data, upstream.len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* What could not be decided without the body; nothing stays pending. */

ngx_int_t
ngx_http_experiment_assign_rest(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx)
{
    ngx_int_t                     rc;
    ngx_uint_t                    i;
    nxe_request_t                 req;
    ngx_http_experiment_bind_t   *bind;
    ngx_http_experiment_entry_t  *e;

    ctx->readable = 0;

    for (i = 0; i < ctx->nentries; i++) {
        e = &ctx->entries[i];

        if (e->pending) {
            break;
        }

        if (e->lacking) {
            ngx_http_experiment_request(ctx, &req);

            if (ngx_http_experiment_segments(ctx, e, &req) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    if (i == ctx->nentries) {
        return NGX_OK;
    }

    rc = ngx_http_experiment_bind(ctx->snapshot, ctx->elcf, &bind);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_http_experiment_no_entries(ctx);

    return ngx_http_experiment_entries(r, ctx, bind);
}


static void
ngx_http_experiment_request(ngx_http_experiment_ctx_t *ctx,
    nxe_request_t *req)
{
    ngx_memzero(req, sizeof(nxe_request_t));

    req->attr = ngx_http_experiment_attr;
    req->ctx = ctx;
    req->scratch = ctx->snapshot->worker->scratch;
    req->trusted = ctx->elcf->trusted;
    req->step.data = (char *) ctx->step.data;
    req->step.len = ctx->step.len;
    req->now = ctx->start.tv_sec;
}
