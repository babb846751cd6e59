
/*
 * A snapshot: the open copy, and what locations bind of it.
 */

#include "ngx_http_experiment.h"


/* Few large pieces: what is left without its handles goes in one turn. */

#define NGX_HTTP_EXPERIMENT_POOL  (32 * 1024)


static void ngx_http_experiment_published(ngx_http_experiment_snapshot_t *s);
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

    worker->swap++;

    ngx_http_experiment_published(s);

    ngx_queue_init(&s->all);
    ngx_rbtree_init(&s->handles, &s->sentinel, ngx_str_rbtree_insert_value);
    ngx_rbtree_init(&s->layers, &s->layers_sentinel,
                    ngx_str_rbtree_insert_value);

    return s;
}


/* When its file was written, which nobody writes again. */

static void
ngx_http_experiment_published(ngx_http_experiment_snapshot_t *s)
{
    u_char       path[NGX_MAX_PATH];
    struct stat  st;

    (void) ngx_snprintf(path, NGX_MAX_PATH, "%s/%s%Z",
                        s->worker->emcf->serving.data,
                        nxe_serving_current(s->serving)->file);

    path[NGX_MAX_PATH - 1] = '\0';

    /* one that a newer copy has displaced already is not known */

    if (stat((char *) path, &st) == 0) {
        s->published = st.st_mtim;
    }
}


/*
 * The price of a model, NULL if it has none.  The table is read when it is
 * first asked for; one that cannot be read is as none.
 */

const nxe_price_t *
ngx_http_experiment_price(ngx_http_experiment_snapshot_t *snapshot,
    nxe_str_t model)
{
    nxe_error_t  err;

    if (!snapshot->priced) {
        snapshot->priced = 1;

        if (nxe_serving_prices(snapshot->serving, &snapshot->mem,
                               &snapshot->prices, &snapshot->nprices, &err)
            != NXE_OK)
        {
            snapshot->nprices = 0;

            ngx_http_experiment_snapshot_error(snapshot->worker->emcf);

            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "the prices of the serving copy cannot be read: %s",
                          err.text);
        }
    }

    return nxe_price_find(snapshot->prices, snapshot->nprices, model);
}


/* In parts: after max handles it is still there. */

void
ngx_http_experiment_snapshot_destroy(ngx_http_experiment_snapshot_t *s,
    ngx_uint_t max)
{
    while (!ngx_queue_empty(&s->all)) {

        if (max-- == 0) {
            return;
        }

        ngx_http_experiment_handle_free(
                     ngx_queue_data(ngx_queue_head(&s->all),
                                    ngx_http_experiment_handle_t, all));
    }

    ngx_queue_remove(&s->queue);
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
            ngx_http_experiment_hold(h);
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
