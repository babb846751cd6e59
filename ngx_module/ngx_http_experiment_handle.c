
/*
 * The experiments of a snapshot: made when they are asked for, held by who
 * uses them, let go of when others need the room.
 */

#include "ngx_http_experiment.h"


/*
 * Of a worker's private memory, what handles and documents that nobody uses
 * may take: some two thousand of them, of four variants each.
 */

#define NGX_HTTP_EXPERIMENT_ROOM  (6 * 1024 * 1024)

/* Who makes a handle lets go of so many: one, mostly, and of its document. */

#define NGX_HTTP_EXPERIMENT_FEW    4

/* Pieces of a handle's memory. */

#define NGX_HTTP_EXPERIMENT_PIECE  512
#define NGX_HTTP_EXPERIMENT_HEAD   160          /* of a log entry */


static ngx_http_experiment_handle_t *ngx_http_experiment_handle_create(
    ngx_http_experiment_snapshot_t *s, nxe_str_t name, uint32_t hash);
static ngx_int_t ngx_http_experiment_handle_load(
    ngx_http_experiment_handle_t *h, nxe_entry_t *entry);
static ngx_int_t ngx_http_experiment_handle_state(
    ngx_http_experiment_handle_t *h);


/*
 * An experiment of a layer, for the rest of the request.  NGX_AGAIN: in the
 * next turn, for who can wait.
 */

ngx_int_t
ngx_http_experiment_layer_handle(ngx_http_experiment_ctx_t *ctx,
    ngx_http_experiment_layer_t *layer, size_t i,
    ngx_http_experiment_handle_t **handle)
{
    ngx_int_t                      rc;
    ngx_http_experiment_handle_t  *h;

    h = layer->handles[i];

    if (h == NULL) {
        rc = ngx_http_experiment_handle(ctx->snapshot, layer->places[i].name,
                                        1, &h);
        if (rc != NGX_OK) {
            return rc;
        }

        /* a copy that lists a name twice has one slot for it */

        if (h->slot == NULL) {
            layer->handles[i] = h;
            h->slot = &layer->handles[i];
        }
    }

    *handle = h;

    return ngx_http_experiment_pin(ctx, h);
}


ngx_int_t
ngx_http_experiment_pin(ngx_http_experiment_ctx_t *ctx,
    ngx_http_experiment_handle_t *h)
{
    ngx_http_experiment_pin_t  *pin;

    if (ctx->pins != NULL && ctx->pins->handle == h) {
        return NGX_OK;
    }

    pin = ngx_palloc(ctx->request->pool, sizeof(ngx_http_experiment_pin_t));
    if (pin == NULL) {
        return NGX_ERROR;
    }

    pin->handle = h;
    pin->next = ctx->pins;
    ctx->pins = pin;

    ngx_http_experiment_hold(h);

    return NGX_OK;
}


/* The request ends. */

void
ngx_http_experiment_unpin(ngx_http_experiment_ctx_t *ctx)
{
    ngx_http_experiment_pin_t  *pin;

    for (pin = ctx->pins; pin != NULL; pin = pin->next) {
        ngx_http_experiment_unhold(pin->handle);
    }

    ctx->pins = NULL;
}


void
ngx_http_experiment_hold(ngx_http_experiment_handle_t *h)
{
    if (h->refs++ == 0) {
        ngx_queue_remove(&h->queue);
        h->snapshot->worker->memory -= h->counted;
    }
}


void
ngx_http_experiment_unhold(ngx_http_experiment_handle_t *h)
{
    ngx_http_experiment_worker_t  *w;

    if (--h->refs != 0) {
        return;
    }

    w = h->snapshot->worker;

    h->counted = h->size + (h->compiled != NULL ? h->compiled->size : 0);
    w->memory += h->counted;

    ngx_queue_insert_tail(&w->unused, &h->queue);

    if (w->memory > NGX_HTTP_EXPERIMENT_ROOM && !w->sweep.posted) {
        ngx_post_event(&w->sweep, &ngx_posted_next_events);
    }
}


/*
 * NGX_DECLINED: there is no experiment of that name.  Where it must be, since
 * a layer lists it, it is there with an error.
 */

ngx_int_t
ngx_http_experiment_handle(ngx_http_experiment_snapshot_t *s, nxe_str_t name,
    ngx_uint_t must, ngx_http_experiment_handle_t **handle)
{
    uint32_t                       hash;
    ngx_str_t                      key;
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

    (void) ngx_http_experiment_make_room(s->worker, NGX_HTTP_EXPERIMENT_FEW);

    rc = nxe_serving_entry(s->serving, name, &entry, &err);

    if (rc == NXE_DECLINED) {

        if (!must) {
            ngx_http_experiment_spend(s->worker, &since);
            return NGX_DECLINED;
        }

        (void) nxe_fail(&err, rc, "\"%.*s\" is in a layer, but not there",
                        (int) name.len, name.data);
    }

    h = ngx_http_experiment_handle_create(s, name, hash);
    if (h == NULL) {
        return NGX_ERROR;
    }

    if (rc != NXE_OK) {
        ngx_log_error(NGX_LOG_ERR, s->pool->log, 0,
                      "experiment registry: %s", err.text);
        h->error = 1;

    } else if (ngx_http_experiment_handle_load(h, &entry) != NGX_OK) {
        ngx_http_experiment_handle_free(h);
        return NGX_ERROR;
    }

    /* one with an error stays held: what it said, it said once */

    if (!h->error) {
        ngx_http_experiment_unhold(h);
    }

    ngx_http_experiment_spend(s->worker, &since);

    *handle = h;

    return NGX_OK;
}


/* It is held by who makes it. */

static ngx_http_experiment_handle_t *
ngx_http_experiment_handle_create(ngx_http_experiment_snapshot_t *s,
    nxe_str_t name, uint32_t hash)
{
    nxe_str_t                      copy;
    ngx_pool_t                    *pool;
    ngx_http_experiment_handle_t  *h;

    pool = ngx_create_pool(NGX_HTTP_EXPERIMENT_PIECE, s->pool->log);
    if (pool == NULL) {
        return NULL;
    }

    h = ngx_pcalloc(pool, sizeof(ngx_http_experiment_handle_t));

    if (h != NULL) {
        h->mem.alloc = ngx_http_experiment_palloc;
        h->mem.ctx = pool;
    }

    if (h == NULL || nxe_str_copy(&h->mem, name, &copy) != NXE_OK) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    h->pool = pool;
    h->snapshot = s;
    h->refs = 1;
    h->size = NGX_HTTP_EXPERIMENT_PIECE;
    h->sn.node.key = hash;
    h->sn.str.data = (u_char *) copy.data;
    h->sn.str.len = copy.len;

    ngx_rbtree_insert(&s->handles, &h->sn.node);
    ngx_queue_insert_tail(&s->all, &h->all);

    return h;
}


void
ngx_http_experiment_handle_free(ngx_http_experiment_handle_t *h)
{
    ngx_http_experiment_worker_t  *w;

    w = h->snapshot->worker;

    if (h->refs == 0) {
        ngx_queue_remove(&h->queue);
        w->memory -= h->counted;
    }

    if (h->slot != NULL) {
        *h->slot = NULL;
    }

    if (h->compiled != NULL) {
        ngx_http_experiment_compiled_release(w, h->compiled);
    }

    ngx_rbtree_delete(&h->snapshot->handles, &h->sn.node);
    ngx_queue_remove(&h->all);
    ngx_destroy_pool(h->pool);
}


/*
 * Documents that no handle has go first, then what was used least lately.
 * NGX_AGAIN: there is more to let go of than max.
 */

ngx_int_t
ngx_http_experiment_make_room(ngx_http_experiment_worker_t *w, ngx_uint_t max)
{
    while (w->memory > NGX_HTTP_EXPERIMENT_ROOM) {

        if (max-- == 0) {
            return NGX_AGAIN;
        }

        if (ngx_http_experiment_compiled_oldest(w)) {
            continue;
        }

        if (ngx_queue_empty(&w->unused)) {
            break;
        }

        ngx_http_experiment_handle_free(
                     ngx_queue_data(ngx_queue_head(&w->unused),
                                    ngx_http_experiment_handle_t, queue));
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_experiment_handle_load(ngx_http_experiment_handle_t *h,
    nxe_entry_t *entry)
{
    nxe_error_t                      err;
    nxe_state_t                      state;
    nxe_status_t                     rc;
    ngx_http_experiment_compiled_t  *c;

    h->baseline = entry->baseline;
    h->bytes = entry->bytes.data;
    h->flag = entry->flag;

    rc = nxe_state_parse(entry->state, &h->mem, &state, &err);

    if (rc == NXE_NOMEM) {
        return NGX_ERROR;
    }

    if (rc != NXE_OK) {
        ngx_log_error(NGX_LOG_ERR, h->pool->log, 0,
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

    c = ngx_http_experiment_compile(h->snapshot->worker,
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
        ngx_log_error(NGX_LOG_ERR, h->pool->log, 0,
                      "experiment \"%V\" has a document of another name",
                      &h->sn.str);
        h->doc = NULL;
        h->error = 1;
        return NGX_OK;
    }

    if (nxe_state_force(c->doc, &state, &h->force) != NXE_OK) {
        ngx_log_error(NGX_LOG_ERR, h->pool->log, 0,
                      "experiment \"%V\" rolls out a variant that it has not",
                      &h->sn.str);
        h->error = 1;
        return NGX_OK;
    }

    return ngx_http_experiment_handle_state(h);
}


/* What the state makes of the document, as requests and log lines want it. */

static ngx_int_t
ngx_http_experiment_handle_state(ngx_http_experiment_handle_t *h)
{
    char              p[NXE_DOUBLE_LEN];
    uint32_t          i;
    const nxe_doc_t  *doc;

    doc = h->doc;

    h->ranges = ngx_palloc(h->pool, doc->nvariants * sizeof(nxe_range_t));
    h->p = ngx_palloc(h->pool, doc->nvariants * sizeof(ngx_str_t));
    h->heads = ngx_pcalloc(h->pool, doc->nvariants * sizeof(ngx_str_t));

    if (h->ranges == NULL || h->p == NULL || h->heads == NULL) {
        return NGX_ERROR;
    }

    h->whole = nxe_frac_threshold(doc->layer_from) == 0
               && nxe_frac_threshold(doc->layer_to) == (uint64_t) 1 << 32;

    nxe_assign_ranges(doc, &h->force, h->ranges);

    for (i = 0; i < doc->nvariants; i++) {

        if (doc->variants[i].nroutes != 0) {
            h->routes = 1;
        }

        /* printed once: a shortest decimal costs more than a request's line */

        h->p[i].len = nxe_double_print(nxe_assign_p(doc, &h->force, i), p);
        h->p[i].data = ngx_pnalloc(h->pool, h->p[i].len);
        if (h->p[i].data == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(h->p[i].data, p, h->p[i].len);
    }

    /* the heads, too, which come one by one */

    h->size += doc->nvariants * (sizeof(nxe_range_t) + 2 * sizeof(ngx_str_t)
                                 + NGX_HTTP_EXPERIMENT_HEAD);
    h->size = ngx_align(h->size, NGX_HTTP_EXPERIMENT_PIECE);

    return NGX_OK;
}
