
/*
 * A snapshot: the open copy, and what requests have looked up in it.
 * Documents are compiled at their first use and shared between snapshots.
 */

#include "ngx_http_experiment.h"


/* Few large pieces: a snapshot is let go of within one turn. */

#define NGX_HTTP_EXPERIMENT_POOL  (32 * 1024)


static ngx_int_t ngx_http_experiment_bind_start(
    ngx_http_experiment_snapshot_t *snapshot,
    ngx_http_experiment_loc_conf_t *elcf, ngx_http_experiment_bind_t *bind);
static ngx_http_experiment_layer_t *ngx_http_experiment_layer(
    ngx_http_experiment_snapshot_t *snapshot, nxe_str_t name);
static ngx_int_t ngx_http_experiment_layer_load(
    ngx_http_experiment_snapshot_t *snapshot,
    ngx_http_experiment_layer_t *layer);
static ngx_int_t ngx_http_experiment_bind_layers(
    ngx_http_experiment_snapshot_t *snapshot,
    ngx_http_experiment_loc_conf_t *elcf, ngx_http_experiment_bind_t *bind);
static ngx_int_t ngx_http_experiment_bind_names(
    ngx_http_experiment_snapshot_t *snapshot,
    ngx_http_experiment_loc_conf_t *elcf, ngx_http_experiment_bind_t *bind);
static int ngx_libc_cdecl ngx_http_experiment_cmp_layers(const void *one,
    const void *two);
static int ngx_libc_cdecl ngx_http_experiment_cmp_handles(const void *one,
    const void *two);
static ngx_int_t ngx_http_experiment_handle(
    ngx_http_experiment_snapshot_t *snapshot, nxe_str_t name,
    ngx_uint_t must, ngx_http_experiment_handle_t **handle);
static ngx_int_t ngx_http_experiment_handle_load(
    ngx_http_experiment_snapshot_t *snapshot,
    ngx_http_experiment_handle_t *h, nxe_entry_t *entry);


ngx_http_experiment_snapshot_t *
ngx_http_experiment_snapshot_create(ngx_http_experiment_worker_t *worker,
    nxe_serving_t *serving, uint64_t generation, ngx_log_t *log)
{
    ngx_pool_t                      *pool;
    ngx_http_experiment_snapshot_t  *s;

    pool = ngx_create_pool(NGX_HTTP_EXPERIMENT_POOL, log);
    if (pool == NULL) {
        return NULL;
    }

    s = ngx_pcalloc(pool, sizeof(ngx_http_experiment_snapshot_t));
    if (s == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    s->binds = ngx_pcalloc(pool, (worker->emcf->locations + 1)
                                 * sizeof(ngx_http_experiment_bind_t *));
    if (s->binds == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    s->pool = pool;
    s->mem.alloc = ngx_http_experiment_palloc;
    s->mem.ctx = pool;
    s->serving = serving;
    s->generation = generation;
    s->worker = worker;
    s->refs = 1;

    s->swap = ++worker->swap;
    ngx_queue_insert_tail(&worker->snapshots, &s->queue);

    ngx_rbtree_init(&s->handles, &s->sentinel, ngx_str_rbtree_insert_value);
    ngx_rbtree_init(&s->layers, &s->layers_sentinel,
                    ngx_str_rbtree_insert_value);

    return s;
}


void
ngx_http_experiment_snapshot_destroy(ngx_http_experiment_snapshot_t *s)
{
    nxe_serving_close(s->serving);
    ngx_destroy_pool(s->pool);
}


void *
ngx_http_experiment_palloc(void *pool, size_t size)
{
    return ngx_palloc(pool, size);
}


/*
 * What a location binds; resolved at its first request in a snapshot.
 * NGX_AGAIN: the rest of it in the next turn, for who can wait.
 */

ngx_int_t
ngx_http_experiment_bind(ngx_http_experiment_snapshot_t *s,
    ngx_http_experiment_loc_conf_t *elcf, ngx_http_experiment_bind_t **bind)
{
    ngx_int_t                    rc;
    ngx_http_experiment_bind_t  *b;

    b = s->binds[elcf->index];

    if (b == NULL) {
        b = ngx_pcalloc(s->pool, sizeof(ngx_http_experiment_bind_t));

        if (b == NULL
            || ngx_http_experiment_bind_start(s, elcf, b) != NGX_OK)
        {
            return NGX_ERROR;
        }

        s->binds[elcf->index] = b;
    }

    if (!b->ready) {
        rc = elcf->bind == NGX_HTTP_EXPERIMENT_NAMES
             ? ngx_http_experiment_bind_names(s, elcf, b)
             : ngx_http_experiment_bind_layers(s, elcf, b);

        if (rc != NGX_OK) {
            return rc;
        }

        b->ready = 1;
    }

    *bind = b;

    return NGX_OK;
}


static ngx_int_t
ngx_http_experiment_bind_start(ngx_http_experiment_snapshot_t *s,
    ngx_http_experiment_loc_conf_t *elcf, ngx_http_experiment_bind_t *bind)
{
    size_t        i;
    ngx_str_t    *name;
    nxe_error_t   err;

    if (elcf->bind == NGX_HTTP_EXPERIMENT_ON) {

        if (nxe_serving_layers(s->serving, &s->mem, &bind->names,
                               &bind->nnames, &err)
            != NXE_OK)
        {
            ngx_log_error(NGX_LOG_ERR, s->pool->log, 0,
                          "experiment registry: %s", err.text);
            return NGX_ERROR;
        }

    } else {
        bind->nnames = elcf->names->nelts;
        bind->names = ngx_palloc(s->pool, bind->nnames * sizeof(nxe_str_t));
        if (bind->names == NULL) {
            return NGX_ERROR;
        }

        name = elcf->names->elts;

        for (i = 0; i < bind->nnames; i++) {
            bind->names[i].data = (char *) name[i].data;
            bind->names[i].len = name[i].len;
        }
    }

    if (elcf->bind == NGX_HTTP_EXPERIMENT_NAMES) {
        bind->handles = ngx_palloc(s->pool, bind->nnames
                                     * sizeof(ngx_http_experiment_handle_t *));
        return bind->handles != NULL ? NGX_OK : NGX_ERROR;
    }

    bind->layers = ngx_palloc(s->pool, (bind->nnames + 1)
                                      * sizeof(ngx_http_experiment_layer_t *));

    return bind->layers != NULL ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_experiment_bind_layers(ngx_http_experiment_snapshot_t *s,
    ngx_http_experiment_loc_conf_t *elcf, ngx_http_experiment_bind_t *bind)
{
    ngx_http_experiment_layer_t  *layer;

    for ( /* void */ ; bind->next < bind->nnames; bind->next++) {

        if (s->worker->patient && ngx_http_experiment_spent(s->worker)) {
            return NGX_AGAIN;
        }

        layer = ngx_http_experiment_layer(s, bind->names[bind->next]);
        if (layer == NULL) {
            return NGX_ERROR;
        }

        bind->layers[bind->nlayers++] = layer;
    }

    ngx_qsort(bind->layers, bind->nlayers,
              sizeof(ngx_http_experiment_layer_t *),
              ngx_http_experiment_cmp_layers);

    return NGX_OK;
}


/* A layer of a snapshot, empty if there is none of that name. */

static ngx_http_experiment_layer_t *
ngx_http_experiment_layer(ngx_http_experiment_snapshot_t *s, nxe_str_t name)
{
    uint32_t                      hash;
    ngx_int_t                     rc;
    ngx_str_t                     key;
    struct timespec               since;
    ngx_http_experiment_layer_t  *layer;

    key.data = (u_char *) name.data;
    key.len = name.len;
    hash = ngx_crc32_short(key.data, key.len);

    layer = (ngx_http_experiment_layer_t *)
                ngx_str_rbtree_lookup(&s->layers, &key, hash);

    if (layer != NULL) {
        return layer;
    }

    (void) clock_gettime(CLOCK_MONOTONIC, &since);

    layer = ngx_pcalloc(s->pool, sizeof(ngx_http_experiment_layer_t));
    if (layer == NULL) {
        return NULL;
    }

    layer->sn.node.key = hash;
    layer->sn.str = key;
    layer->name = name;

    rc = ngx_http_experiment_layer_load(s, layer);

    ngx_http_experiment_spend(s->worker, &since);

    if (rc != NGX_OK) {
        return NULL;
    }

    ngx_rbtree_insert(&s->layers, &layer->sn.node);

    return layer;
}


static ngx_int_t
ngx_http_experiment_layer_load(ngx_http_experiment_snapshot_t *s,
    ngx_http_experiment_layer_t *layer)
{
    size_t        i;
    nxe_error_t   err;
    nxe_status_t  rc;

    rc = nxe_serving_layer(s->serving, layer->name, &s->mem, &layer->places,
                           &layer->n, &err);

    if (rc == NXE_NOMEM) {
        return NGX_ERROR;
    }

    if (rc == NXE_INVALID) {
        ngx_log_error(NGX_LOG_ERR, s->pool->log, 0,
                      "experiment registry: %s", err.text);
    }

    if (rc != NXE_OK) {
        layer->n = 0;
        return NGX_OK;
    }

    layer->handles = ngx_pcalloc(s->pool, layer->n
                                     * sizeof(ngx_http_experiment_handle_t *));
    if (layer->handles == NULL) {
        return NGX_ERROR;
    }

    for (i = 1; i < layer->n; i++) {
        if (nxe_str_cmp(layer->places[i].name,
                        layer->places[layer->first].name)
            < 0)
        {
            layer->first = i;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_experiment_bind_names(ngx_http_experiment_snapshot_t *s,
    ngx_http_experiment_loc_conf_t *elcf, ngx_http_experiment_bind_t *bind)
{
    ngx_int_t                      rc;
    ngx_http_experiment_handle_t  *h;

    for ( /* void */ ; bind->next < bind->nnames; bind->next++) {

        rc = ngx_http_experiment_handle(s, bind->names[bind->next], 0, &h);

        if (rc == NGX_OK) {
            bind->handles[bind->nhandles++] = h;

        } else if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    ngx_qsort(bind->handles, bind->nhandles,
              sizeof(ngx_http_experiment_handle_t *),
              ngx_http_experiment_cmp_handles);

    return NGX_OK;
}


static int ngx_libc_cdecl
ngx_http_experiment_cmp_layers(const void *one, const void *two)
{
    ngx_http_experiment_layer_t  *a, *b;

    a = *(ngx_http_experiment_layer_t **) one;
    b = *(ngx_http_experiment_layer_t **) two;

    return nxe_str_cmp(a->name, b->name);
}


/* By layer, then name; what is off or invalid has no layer. */

static int ngx_libc_cdecl
ngx_http_experiment_cmp_handles(const void *one, const void *two)
{
    int                            rc;
    nxe_str_t                      x, y;
    ngx_http_experiment_handle_t  *a, *b;

    a = *(ngx_http_experiment_handle_t **) one;
    b = *(ngx_http_experiment_handle_t **) two;

    x = a->doc != NULL ? a->doc->layer : nxe_str("");
    y = b->doc != NULL ? b->doc->layer : nxe_str("");

    rc = nxe_str_cmp(x, y);

    if (rc != 0) {
        return rc;
    }

    x.data = (char *) a->sn.str.data;
    x.len = a->sn.str.len;
    y.data = (char *) b->sn.str.data;
    y.len = b->sn.str.len;

    return nxe_str_cmp(x, y);
}


/* NGX_AGAIN: in the next turn, for who can wait. */

ngx_int_t
ngx_http_experiment_layer_handle(ngx_http_experiment_snapshot_t *s,
    ngx_http_experiment_layer_t *layer, size_t i,
    ngx_http_experiment_handle_t **handle)
{
    ngx_int_t  rc;

    if (layer->handles[i] == NULL) {
        rc = ngx_http_experiment_handle(s, layer->places[i].name, 1, handle);

        if (rc != NGX_OK) {
            return rc;
        }

        layer->handles[i] = *handle;
    }

    *handle = layer->handles[i];

    return NGX_OK;
}


/*
 * NGX_DECLINED: there is no experiment of that name.  Where it must be, since
 * a layer lists it, it is there with an error.
 */

static ngx_int_t
ngx_http_experiment_handle(ngx_http_experiment_snapshot_t *s, nxe_str_t name,
    ngx_uint_t must, ngx_http_experiment_handle_t **handle)
{
    uint32_t                       hash;
    ngx_str_t                      key;
    nxe_str_t                      copy;
    nxe_error_t                    err;
    nxe_entry_t                    entry;
    nxe_status_t                   rc;
    struct timespec                since;
    ngx_http_experiment_handle_t  *h;

    key.data = (u_char *) name.data;
    key.len = name.len;
    hash = ngx_crc32_short(key.data, key.len);

    h = (ngx_http_experiment_handle_t *)
            ngx_str_rbtree_lookup(&s->handles, &key, hash);

    if (h != NULL) {
        *handle = h;
        return NGX_OK;
    }

    if (s->worker->patient && ngx_http_experiment_spent(s->worker)) {
        return NGX_AGAIN;
    }

    (void) clock_gettime(CLOCK_MONOTONIC, &since);

    rc = nxe_serving_entry(s->serving, name, &entry, &err);

    if (rc == NXE_DECLINED) {

        if (!must) {
            return NGX_DECLINED;
        }

        (void) nxe_fail(&err, rc, "\"%.*s\" is in a layer, but not there",
                        (int) name.len, name.data);
    }

    h = ngx_pcalloc(s->pool, sizeof(ngx_http_experiment_handle_t));

    if (h == NULL || nxe_str_copy(&s->mem, name, &copy) != NXE_OK) {
        return NGX_ERROR;
    }

    h->sn.node.key = hash;
    h->sn.str.data = (u_char *) copy.data;
    h->sn.str.len = copy.len;

    if (rc != NXE_OK) {
        ngx_log_error(NGX_LOG_ERR, s->pool->log, 0,
                      "experiment registry: %s", err.text);
        h->error = 1;

    } else if (ngx_http_experiment_handle_load(s, h, &entry) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_rbtree_insert(&s->handles, &h->sn.node);

    ngx_http_experiment_spend(s->worker, &since);

    *handle = h;

    return NGX_OK;
}


static ngx_int_t
ngx_http_experiment_handle_load(ngx_http_experiment_snapshot_t *s,
    ngx_http_experiment_handle_t *h, nxe_entry_t *entry)
{
    char                             p[NXE_DOUBLE_LEN];
    uint32_t                         i;
    nxe_error_t                      err;
    nxe_state_t                      state;
    nxe_status_t                     rc;
    ngx_http_experiment_compiled_t  *c;

    h->baseline = entry->baseline;
    h->bytes = entry->bytes.data;

    rc = nxe_state_parse(entry->state, &s->mem, &state, &err);

    if (rc == NXE_NOMEM) {
        return NGX_ERROR;
    }

    if (rc != NXE_OK) {
        ngx_log_error(NGX_LOG_ERR, s->pool->log, 0,
                      "experiment \"%V\" has a bad state: %s", &h->sn.str,
                      err.text);
        h->error = 1;
        return NGX_OK;
    }

    h->revision = state.revision;
    h->phase = state.phase;
    h->stage = state.stage;

    if (!nxe_state_live(&state)) {
        return NGX_OK;
    }

    c = ngx_http_experiment_compile(s->worker,
                            (nxe_str_t) { (char *) h->sn.str.data,
                                          h->sn.str.len },
                            entry);
    if (c == NULL) {
        return NGX_ERROR;
    }

    h->compiled = c;
    h->doc = c->doc;

    if (c->doc == NULL) {
        h->error = 1;
        return NGX_OK;
    }

    if (!nxe_str_eq(c->doc->name, (nxe_str_t) { (char *) h->sn.str.data,
                                                h->sn.str.len }))
    {
        ngx_log_error(NGX_LOG_ERR, s->pool->log, 0,
                      "experiment \"%V\" has a document of another name",
                      &h->sn.str);
        h->doc = NULL;
        h->error = 1;
        return NGX_OK;
    }

    if (nxe_state_force(c->doc, &state, &h->force) != NXE_OK) {
        ngx_log_error(NGX_LOG_ERR, s->pool->log, 0,
                      "experiment \"%V\" rolls out a variant that it has not",
                      &h->sn.str);
        h->error = 1;
        return NGX_OK;
    }

    h->ranges = ngx_palloc(s->pool, c->doc->nvariants * sizeof(nxe_range_t));
    h->p = ngx_palloc(s->pool, c->doc->nvariants * sizeof(ngx_str_t));
    h->heads = ngx_pcalloc(s->pool, c->doc->nvariants * sizeof(ngx_str_t));

    if (h->ranges == NULL || h->p == NULL || h->heads == NULL) {
        return NGX_ERROR;
    }

    h->whole = nxe_frac_threshold(c->doc->layer_from) == 0
               && nxe_frac_threshold(c->doc->layer_to) == (uint64_t) 1 << 32;

    nxe_assign_ranges(c->doc, &h->force, h->ranges);

    for (i = 0; i < c->doc->nvariants; i++) {

        if (c->doc->variants[i].nroutes != 0) {
            h->routes = 1;
        }

        /* printed once: a shortest decimal costs more than a request's line */

        h->p[i].len = nxe_double_print(nxe_assign_p(c->doc, &h->force, i), p);
        h->p[i].data = ngx_pnalloc(s->pool, h->p[i].len);
        if (h->p[i].data == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(h->p[i].data, p, h->p[i].len);
    }

    return NGX_OK;
}
