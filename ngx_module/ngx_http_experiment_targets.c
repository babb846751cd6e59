
/*
 * What the scan of a body looks for.
 */

#include "ngx_http_experiment_meter.h"


typedef struct {
    ngx_http_experiment_ctx_t      *ctx;
    ngx_http_experiment_targets_t  *targets;
    const nxe_mem_t                *mem;
    ngx_http_experiment_handle_t   *one;        /* the only one, or the last */
    ngx_uint_t                      n;
    ngx_uint_t                      sources;
    unsigned                        segments:1; /* of one that edits nothing */
    unsigned                        usage:1;    /* the meter asks for it */
    unsigned                        adding:1;   /* else counting */
} ngx_http_experiment_build_t;


static ngx_int_t ngx_http_experiment_each(ngx_http_experiment_build_t *b);
static ngx_int_t ngx_http_experiment_handle_pending(
    ngx_http_experiment_build_t *b, ngx_http_experiment_bind_t *bind,
    ngx_http_experiment_entry_t *e);
static ngx_int_t ngx_http_experiment_handle_targets(
    ngx_http_experiment_build_t *b, ngx_http_experiment_handle_t *h,
    ngx_uint_t segments);
static ngx_int_t ngx_http_experiment_layer_targets(
    ngx_http_experiment_build_t *b, const ngx_http_experiment_needs_t *needs);
static ngx_int_t ngx_http_experiment_add_handle(
    ngx_http_experiment_build_t *b, ngx_http_experiment_handle_t *h,
    ngx_uint_t segments);
static ngx_int_t ngx_http_experiment_add_source(
    ngx_http_experiment_build_t *b, const nxe_source_t *source);
static ngx_int_t ngx_http_experiment_add_pointer(
    ngx_http_experiment_build_t *b, nxe_str_t pointer);
static ngx_int_t ngx_http_experiment_add_ops(ngx_http_experiment_build_t *b,
    const nxe_doc_t *doc, uint32_t step);
static ngx_int_t ngx_http_experiment_one_target(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_http_experiment_build_t *b);
static ngx_http_experiment_targets_t *ngx_http_experiment_doc_targets(
    ngx_http_experiment_build_t *b);
static ngx_http_experiment_targets_t *ngx_http_experiment_keep_targets(
    ngx_http_experiment_build_t *b, ngx_uint_t params);
static ngx_uint_t ngx_http_experiment_own_targets(const nxe_doc_t *doc,
    uint32_t step);
static ngx_http_experiment_targets_t *ngx_http_experiment_pack_targets(
    ngx_http_experiment_build_t *b, ngx_pool_t *pool);
static ngx_int_t ngx_http_experiment_init_targets(
    ngx_http_experiment_build_t *b);


/*
 * The union over all variants of the experiments in force, so that what
 * bypasses one arm bypasses all.  Where one document decides alone, its
 * targets are made once, and a body gets a copy.  NGX_AGAIN: in the next turn,
 * for who can wait.
 */

ngx_int_t
ngx_http_experiment_make_targets(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx)
{
    ngx_int_t                    rc;
    ngx_http_experiment_build_t  b;

    ngx_memzero(&b, sizeof(ngx_http_experiment_build_t));
    b.ctx = ctx;
    b.usage = ngx_http_experiment_asks_usage(ctx);

    ctx->targets = ngx_palloc(r->pool,
                              sizeof(ngx_http_experiment_targets_t));

    if (ctx->targets == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_experiment_each(&b);
    if (rc != NGX_OK) {
        return rc;
    }

    if (b.n <= 1 && !b.segments) {
        return ngx_http_experiment_one_target(r, ctx, &b);
    }

    b.targets = ctx->targets;
    b.mem = &ctx->mem;

    if (ngx_http_experiment_init_targets(&b) != NGX_OK) {
        return NGX_ERROR;
    }

    b.adding = 1;

    return ngx_http_experiment_each(&b);
}


/* What a body concerns: of some entries the segments alone. */

static ngx_int_t
ngx_http_experiment_each(ngx_http_experiment_build_t *b)
{
    ngx_int_t                     rc;
    ngx_uint_t                    i;
    ngx_http_experiment_ctx_t    *ctx;
    ngx_http_experiment_bind_t   *bind;
    ngx_http_experiment_entry_t  *e;

    ctx = b->ctx;

    if (ctx->nentries == 0) {
        return NGX_OK;          /* without a snapshot there is no bind */
    }

    rc = ngx_http_experiment_bind(ctx->snapshot, ctx->elcf, &bind);
    if (rc != NGX_OK) {
        return rc;
    }

    for (i = 0; i < ctx->nentries; i++) {
        e = &ctx->entries[i];

        rc = NGX_OK;

        if (e->pending) {
            rc = ngx_http_experiment_handle_pending(b, bind, e);

        } else if (ngx_http_experiment_edits_body(ctx, e)) {
            rc = ngx_http_experiment_handle_targets(b, e->handle, 0);

        } else if (e->lacking) {
            rc = ngx_http_experiment_handle_targets(b, e->handle, 1);
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


/* Which experiment of a layer it will be, the body decides. */

static ngx_int_t
ngx_http_experiment_handle_pending(ngx_http_experiment_build_t *b,
    ngx_http_experiment_bind_t *bind, ngx_http_experiment_entry_t *e)
{
    ngx_int_t                     rc;
    ngx_uint_t                    k;
    ngx_http_experiment_layer_t  *layer;

    for (k = 0; k < bind->nlayers; k++) {
        layer = bind->layers[k];

        if (layer->n > 1 && nxe_str_eq(layer->name, e->handle->doc->layer)) {
            rc = ngx_http_experiment_layer_needs(b->ctx, layer);

            return rc == NGX_OK
                   ? ngx_http_experiment_layer_targets(b, layer->needs) : rc;
        }
    }

    return ngx_http_experiment_handle_targets(b, e->handle, 0);
}


static ngx_int_t
ngx_http_experiment_handle_targets(ngx_http_experiment_build_t *b,
    ngx_http_experiment_handle_t *h, ngx_uint_t segments)
{
    if (b->adding) {
        return ngx_http_experiment_add_handle(b, h, segments);
    }

    b->one = h;
    b->n++;
    b->sources += h->doc->nsources + h->doc->ntargeting + h->doc->nsegments;

    if (segments) {
        b->segments = 1;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_experiment_layer_targets(ngx_http_experiment_build_t *b,
    const ngx_http_experiment_needs_t *needs)
{
    nxe_str_t                    *s;
    ngx_uint_t                    i, j;
    nxe_json_node_t              *node;
    ngx_http_experiment_step_t   *step;

    if (!b->adding) {
        b->n += 2;              /* of more than one document */
        b->sources += needs->pointers.nelts;
        return NGX_OK;
    }

    s = needs->pointers.elts;

    for (i = 0; i < needs->pointers.nelts; i++) {
        if (ngx_http_experiment_add_pointer(b, s[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    step = needs->steps.elts;

    for (i = 0; i < needs->steps.nelts && b->ctx->elcf->body; i++) {

        if (!nxe_str_eq(step[i].step, (nxe_str_t) {
                                          (char *) b->ctx->step.data,
                                          b->ctx->step.len }))
        {
            continue;
        }

        if (nxe_places_params(&b->targets->places, step[i].params, b->mem)
            != NXE_OK)
        {
            return NGX_ERROR;
        }

        s = step[i].ops.elts;

        for (j = 0; j < step[i].ops.nelts; j++) {
            if (nxe_places_op(&b->targets->places, s[j], b->mem, &node)
                != NXE_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_experiment_init_targets(ngx_http_experiment_build_t *b)
{
    nxe_places_init(&b->targets->places, b->ctx->dialect);

    b->targets->npointers = 0;
    b->targets->pointers = nxe_alloc(b->mem, (b->sources + 1)
                                     * sizeof(ngx_http_experiment_pointer_t));

    if (b->targets->pointers == NULL
        || nxe_places_model(&b->targets->places, b->mem) != NXE_OK)
    {
        return NGX_ERROR;
    }

    return !b->usage
           || nxe_places_usage(&b->targets->places, b->mem) == NXE_OK
           ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_experiment_add_handle(ngx_http_experiment_build_t *b,
    ngx_http_experiment_handle_t *h, ngx_uint_t segments)
{
    uint32_t                    i, step;
    ngx_http_experiment_ctx_t  *ctx;

    ctx = b->ctx;

    for (i = 0; i < h->doc->nsegments; i++) {
        if (ngx_http_experiment_add_source(b, &h->doc->segments[i].source)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (segments) {
        return NGX_OK;
    }

    for (i = 0; i < h->doc->nsources; i++) {
        if (ngx_http_experiment_add_source(b, &h->doc->sources[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < h->doc->ntargeting; i++) {
        if (ngx_http_experiment_add_source(b, &h->doc->targeting[i].attribute)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    step = nxe_doc_step(h->doc, (nxe_str_t) { (char *) ctx->step.data,
                                              ctx->step.len });

    if (step == NXE_NONE || !ctx->elcf->body) {
        return NGX_OK;
    }

    if (nxe_places_params(&b->targets->places, h->doc->steps[step].params,
                          b->mem)
        != NXE_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_experiment_add_ops(b, h->doc, step);
}


static ngx_int_t
ngx_http_experiment_add_source(ngx_http_experiment_build_t *b,
    const nxe_source_t *source)
{
    return source->type == NXE_SOURCE_JSON
           ? ngx_http_experiment_add_pointer(b, source->name) : NGX_OK;
}


static ngx_int_t
ngx_http_experiment_add_pointer(ngx_http_experiment_build_t *b,
    nxe_str_t pointer)
{
    ngx_http_experiment_pointer_t  *p;

    p = &b->targets->pointers[b->targets->npointers++];
    p->pointer = pointer;

    return nxe_places_pointer(&b->targets->places, pointer, b->mem, &p->node)
           == NXE_OK ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_experiment_add_ops(ngx_http_experiment_build_t *b,
    const nxe_doc_t *doc, uint32_t step)
{
    uint32_t                v, i;
    nxe_json_node_t        *node;
    const nxe_effective_t  *e;

    for (v = 0; v < doc->nvariants; v++) {
        e = &doc->effective[v * doc->nsteps + step];

        for (i = 0; i < e->nops; i++) {
            if (nxe_places_op(&b->targets->places, e->ops[i]->path, b->mem,
                              &node)
                != NXE_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


/* A copy of the targets of one document, or of those of none. */

static ngx_int_t
ngx_http_experiment_one_target(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_http_experiment_build_t *b)
{
    ngx_uint_t                       i;
    ngx_http_experiment_targets_t   *t;

    t = b->n != 0 ? ngx_http_experiment_doc_targets(b)
                  : ngx_http_experiment_keep_targets(b, 0);

    if (t == NULL) {
        return NGX_ERROR;
    }

    ctx->targets->npointers = t->npointers;
    ctx->targets->pointers = ngx_palloc(r->pool, (t->npointers + 1)
                                     * sizeof(ngx_http_experiment_pointer_t));

    if (ctx->targets->pointers == NULL
        || nxe_places_copy(&t->places, &ctx->mem, &ctx->targets->places)
           != NXE_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < t->npointers; i++) {
        ctx->targets->pointers[i].pointer = t->pointers[i].pointer;
        ctx->targets->pointers[i].node =
            nxe_places_node(&t->places, &ctx->targets->places,
                            t->pointers[i].node);
    }

    return NGX_OK;
}


static ngx_http_experiment_targets_t *
ngx_http_experiment_doc_targets(ngx_http_experiment_build_t *b)
{
    uint32_t                          step;
    ngx_uint_t                        params;
    const nxe_doc_t                  *doc;
    ngx_http_experiment_ctx_t        *ctx;
    ngx_http_experiment_targets_t   **t;
    ngx_http_experiment_compiled_t   *c;

    ctx = b->ctx;
    c = b->one->compiled;
    doc = c->doc;

    step = nxe_doc_step(doc, (nxe_str_t) { (char *) ctx->step.data,
                                           ctx->step.len });

    if (step == NXE_NONE) {
        step = doc->nsteps;
    }

    t = &c->targets[((step * NXE_DIALECTS + ctx->dialect) * 2
                     + ctx->elcf->body) * 2 + b->usage];

    if (*t != NULL) {
        return *t;
    }

    if (ngx_http_experiment_own_targets(doc, step)) {
        *t = ngx_http_experiment_pack_targets(b, c->pool);

    } else {
        params = step == doc->nsteps || !ctx->elcf->body
                 ? 0 : doc->steps[step].params;
        *t = ngx_http_experiment_keep_targets(b, params);
    }

    return *t;
}


/* Most documents look for parameters alone: they share what is made of them. */

static ngx_http_experiment_targets_t *
ngx_http_experiment_keep_targets(ngx_http_experiment_build_t *b,
    ngx_uint_t params)
{
    ngx_http_experiment_worker_t    *w;
    ngx_http_experiment_targets_t  **t;

    w = b->ctx->worker;
    t = &w->targets[(b->ctx->dialect * 2 + b->usage) * (1 << NXE_PARAMS)
                    + params];

    if (*t == NULL) {
        *t = ngx_http_experiment_pack_targets(b, w->pool);
    }

    return *t;
}


static ngx_uint_t
ngx_http_experiment_own_targets(const nxe_doc_t *doc, uint32_t step)
{
    uint32_t  i;

    for (i = 0; i < doc->nsources; i++) {
        if (doc->sources[i].type == NXE_SOURCE_JSON) {
            return 1;
        }
    }

    for (i = 0; i < doc->ntargeting; i++) {
        if (doc->targeting[i].attribute.type == NXE_SOURCE_JSON) {
            return 1;
        }
    }

    for (i = 0; i < doc->nsegments; i++) {
        if (doc->segments[i].source.type == NXE_SOURCE_JSON) {
            return 1;
        }
    }

    for (i = 0; i < doc->nvariants && step != doc->nsteps; i++) {
        if (doc->effective[i * doc->nsteps + step].nops != 0) {
            return 1;
        }
    }

    return 0;
}


/* The names are the document's: the request's do not live as long. */

static ngx_http_experiment_targets_t *
ngx_http_experiment_pack_targets(ngx_http_experiment_build_t *b,
    ngx_pool_t *pool)
{
    ngx_uint_t                      i;
    nxe_mem_t                       mem;
    ngx_http_experiment_targets_t  *t;

    mem.alloc = ngx_http_experiment_palloc;
    mem.ctx = pool;

    t = ngx_palloc(mem.ctx, sizeof(ngx_http_experiment_targets_t));
    if (t == NULL) {
        return NULL;
    }

    b->targets = t;
    b->mem = &mem;

    if (ngx_http_experiment_init_targets(b) != NGX_OK
        || (b->one != NULL
            && ngx_http_experiment_add_handle(b, b->one, 0) != NGX_OK)
        || nxe_places_pack(&t->places, &mem) != NXE_OK)
    {
        return NULL;
    }

    /* the nodes have moved: look them up again, they are there */

    for (i = 0; i < t->npointers; i++) {
        if (nxe_places_pointer(&t->places, t->pointers[i].pointer, &mem,
                               &t->pointers[i].node)
            != NXE_OK)
        {
            return NULL;
        }
    }

    return t;
}


/*
 * Arms alike: where any variant edits the body on this step, every exposed
 * unit's body is read and checked; another one's only if its own
 * configuration, the baseline's, edits it.
 */

ngx_uint_t
ngx_http_experiment_edits_body(ngx_http_experiment_ctx_t *ctx,
    ngx_http_experiment_entry_t *e)
{
    ngx_uint_t  p;

    if (!ctx->elcf->body || e->effective == NULL) {
        return 0;
    }

    if (e->a.exposed && e->handle->doc->steps[e->a.step].body) {
        return 1;
    }

    for (p = 0; p < NXE_PARAMS; p++) {
        if (e->effective->params[p] != NULL) {
            return 1;
        }
    }

    return e->effective->nops != 0;
}
