
/*
 * What the documents of a layer look for in bodies, all together: asked for
 * where the body decides which of them it will be.  Found once in a snapshot,
 * so that no request needs them all again.
 */

#include "ngx_http_experiment.h"


static ngx_int_t ngx_http_experiment_add_needs(
    ngx_http_experiment_needs_t *needs, const nxe_doc_t *doc,
    const nxe_mem_t *mem);
static ngx_int_t ngx_http_experiment_need_source(
    ngx_http_experiment_needs_t *needs, const nxe_source_t *source,
    const nxe_mem_t *mem);
static ngx_int_t ngx_http_experiment_need_step(
    ngx_http_experiment_needs_t *needs, const nxe_doc_t *doc, uint32_t step,
    const nxe_mem_t *mem);
static ngx_http_experiment_step_t *ngx_http_experiment_step(
    ngx_http_experiment_needs_t *needs, nxe_str_t name, const nxe_mem_t *mem);
static ngx_int_t ngx_http_experiment_need(ngx_array_t *list, nxe_str_t s,
    const nxe_mem_t *mem);


/* NGX_AGAIN: in the next turn, for who can wait. */

ngx_int_t
ngx_http_experiment_layer_needs(ngx_http_experiment_ctx_t *ctx,
    ngx_http_experiment_layer_t *layer)
{
    size_t                           i;
    ngx_int_t                        rc;
    ngx_pool_t                      *pool;
    ngx_http_experiment_needs_t     *needs;
    ngx_http_experiment_handle_t    *h;

    if (layer->needs != NULL) {
        return NGX_OK;
    }

    /* first all of them, which may take turns; the request holds them */

    for (i = 0; i < layer->n; i++) {
        rc = ngx_http_experiment_layer_handle(ctx, layer, i, &h);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    pool = ctx->snapshot->pool;

    needs = ngx_palloc(pool, sizeof(ngx_http_experiment_needs_t));

    if (needs == NULL
        || ngx_array_init(&needs->pointers, pool, 4, sizeof(nxe_str_t))
           != NGX_OK
        || ngx_array_init(&needs->steps, pool, 2,
                          sizeof(ngx_http_experiment_step_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < layer->n; i++) {
        rc = ngx_http_experiment_layer_handle(ctx, layer, i, &h);
        if (rc != NGX_OK) {
            return rc;
        }

        if (h->doc != NULL
            && ngx_http_experiment_add_needs(needs, h->doc,
                                             &ctx->snapshot->mem)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    layer->needs = needs;

    return NGX_OK;
}


static ngx_int_t
ngx_http_experiment_add_needs(ngx_http_experiment_needs_t *needs,
    const nxe_doc_t *doc, const nxe_mem_t *mem)
{
    uint32_t  i;

    for (i = 0; i < doc->nsources; i++) {
        if (ngx_http_experiment_need_source(needs, &doc->sources[i], mem)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < doc->ntargeting; i++) {
        if (ngx_http_experiment_need_source(needs,
                                            &doc->targeting[i].attribute, mem)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < doc->nsegments; i++) {
        if (ngx_http_experiment_need_source(needs, &doc->segments[i].source,
                                            mem)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < doc->nsteps; i++) {
        if (ngx_http_experiment_need_step(needs, doc, i, mem) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_experiment_need_source(ngx_http_experiment_needs_t *needs,
    const nxe_source_t *source, const nxe_mem_t *mem)
{
    return source->type == NXE_SOURCE_JSON
           ? ngx_http_experiment_need(&needs->pointers, source->name, mem)
           : NGX_OK;
}


static ngx_int_t
ngx_http_experiment_need_step(ngx_http_experiment_needs_t *needs,
    const nxe_doc_t *doc, uint32_t step, const nxe_mem_t *mem)
{
    uint32_t                     v, i;
    const nxe_effective_t       *e;
    ngx_http_experiment_step_t  *s;

    s = ngx_http_experiment_step(needs, doc->steps[step].name, mem);
    if (s == NULL) {
        return NGX_ERROR;
    }

    s->params |= doc->steps[step].params;

    for (v = 0; v < doc->nvariants; v++) {
        e = &doc->effective[v * doc->nsteps + step];

        for (i = 0; i < e->nops; i++) {
            if (ngx_http_experiment_need(&s->ops, e->ops[i]->path, mem)
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


static ngx_http_experiment_step_t *
ngx_http_experiment_step(ngx_http_experiment_needs_t *needs, nxe_str_t name,
    const nxe_mem_t *mem)
{
    ngx_uint_t                   i;
    ngx_http_experiment_step_t  *s;

    s = needs->steps.elts;

    for (i = 0; i < needs->steps.nelts; i++) {
        if (nxe_str_eq(s[i].step, name)) {
            return &s[i];
        }
    }

    s = ngx_array_push(&needs->steps);

    if (s == NULL
        || nxe_str_copy(mem, name, &s->step) != NXE_OK
        || ngx_array_init(&s->ops, needs->steps.pool, 4, sizeof(nxe_str_t))
           != NGX_OK)
    {
        return NULL;
    }

    s->params = 0;

    return s;
}


/* Adds what is not there; copies, since documents come and go. */

static ngx_int_t
ngx_http_experiment_need(ngx_array_t *list, nxe_str_t s, const nxe_mem_t *mem)
{
    nxe_str_t   *have;
    ngx_uint_t   i;

    have = list->elts;

    for (i = 0; i < list->nelts; i++) {
        if (nxe_str_eq(have[i], s)) {
            return NGX_OK;
        }
    }

    have = ngx_array_push(list);

    return have != NULL && nxe_str_copy(mem, s, have) == NXE_OK
           ? NGX_OK : NGX_ERROR;
}
