
/*
 * Each worker's snapshot of the serving copy: load, poll, swap, release.
 */

#include "ngx_http_experiment.h"


/*
 * What a new copy may take of a turn of the event loop.  A slice of hashing
 * takes a fraction of it, also without SHA instructions.
 */

#define NGX_HTTP_EXPERIMENT_HASH   250000       /* ns */
#define NGX_HTTP_EXPERIMENT_SLICE  (64 * 1024)
#define NGX_HTTP_EXPERIMENT_SWEEP  256          /* handles, or documents, that
                                                   are let go of */

/* After a failure every eighth poll tries again. */

#define NGX_HTTP_EXPERIMENT_RETRY  8


/*
 * Of a turn of the event loop, what a new copy, loading documents and letting
 * go of old ones may take together: half of what is promised, since the last
 * of these begins within it and ends where it ends.
 */

#define NGX_HTTP_EXPERIMENT_TURN   500000       /* ns */


static void ngx_http_experiment_turn_handler(ngx_event_t *ev);
static void ngx_http_experiment_sweep_handler(ngx_event_t *ev);
static ngx_uint_t ngx_http_experiment_bury(ngx_http_experiment_worker_t *w);
static uint64_t ngx_http_experiment_since(struct timespec *since);
static void ngx_http_experiment_check(ngx_http_experiment_worker_t *w);
static ngx_int_t ngx_http_experiment_open(ngx_http_experiment_worker_t *w,
    nxe_error_t *err);
static void ngx_http_experiment_step_handler(ngx_event_t *ev);
static void ngx_http_experiment_poll_handler(ngx_event_t *ev);
static ngx_int_t ngx_http_experiment_swap(ngx_http_experiment_worker_t *w);
static void ngx_http_experiment_failed(ngx_http_experiment_worker_t *w,
    nxe_error_t *err);
static ngx_int_t ngx_http_experiment_worker_name(ngx_cycle_t *cycle,
    ngx_http_experiment_worker_t *w);


ngx_int_t
ngx_http_experiment_init_worker(ngx_cycle_t *cycle,
    ngx_http_experiment_main_conf_t *emcf)
{
    nxe_mem_t                      mem;
    nxe_error_t                    err;
    nxe_status_t                   rc;
    ngx_pool_cleanup_t            *cln;
    ngx_http_experiment_worker_t  *w;

    /*
     * With "master_process off" a reload makes a new cycle in this process,
     * and the old one goes when its last connection does.
     */

    cln = ngx_pool_cleanup_add(cycle->pool, 0);
    w = ngx_pcalloc(cycle->pool, sizeof(ngx_http_experiment_worker_t));

    if (cln == NULL || w == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_experiment_exit_worker;
    cln->data = emcf;

    w->emcf = emcf;
    w->pool = cycle->pool;
    emcf->worker = w;

    ngx_rbtree_init(&w->compiled, &w->sentinel, ngx_rbtree_insert_value);
    ngx_queue_init(&w->idle);
    ngx_queue_init(&w->unused);
    ngx_queue_init(&w->dead);

    mem.alloc = ngx_http_experiment_palloc;
    mem.ctx = cycle->pool;

    w->scratch = nxe_scratch_new(&mem);
    w->targets = ngx_pcalloc(cycle->pool, (2 * NXE_DIALECTS << NXE_PARAMS)
                                     * sizeof(ngx_http_experiment_targets_t *));

    w->used = nxe_calloc(&mem, cycle->connection_n
                               * sizeof(ngx_http_experiment_used_t));

    if (w->scratch == NULL || w->targets == NULL || w->used == NULL
        || ngx_http_experiment_worker_name(cycle, w) != NGX_OK
        || ngx_http_experiment_trace_init(cycle, w) != NGX_OK)
    {
        return NGX_ERROR;
    }

    w->step.handler = ngx_http_experiment_step_handler;
    w->step.data = w;
    w->step.log = cycle->log;

    w->turn.handler = ngx_http_experiment_turn_handler;
    w->turn.data = w;
    w->turn.log = cycle->log;

    w->sweep.handler = ngx_http_experiment_sweep_handler;
    w->sweep.data = w;
    w->sweep.log = cycle->log;

    w->poll.handler = ngx_http_experiment_poll_handler;
    w->poll.data = w;
    w->poll.log = cycle->log;
    w->poll.cancelable = 1;

    /* the first snapshot whole, before there are connections */

    if (ngx_http_experiment_open(w, &err) == NGX_OK) {

        do {
            rc = nxe_serving_step(w->opening, SIZE_MAX, &err);
        } while (rc == NXE_AGAIN);

        if (rc != NXE_OK) {
            nxe_serving_close(w->opening);
            w->opening = NULL;
            ngx_http_experiment_failed(w, &err);

        } else if (ngx_http_experiment_swap(w) != NGX_OK) {
            return NGX_ERROR;
        }

    } else {
        ngx_http_experiment_failed(w, &err);
    }

    ngx_add_timer(&w->poll, emcf->poll);

    return NGX_OK;
}


void
ngx_http_experiment_exit_worker(void *data)
{
    ngx_http_experiment_main_conf_t  *emcf = data;

    ngx_http_experiment_worker_t  *w;

    w = emcf->worker;

    if (w == NULL) {
        return;
    }

    emcf->worker = NULL;

    if (w->poll.timer_set) {
        ngx_del_timer(&w->poll);
    }

    if (w->step.posted) {
        ngx_delete_posted_event(&w->step);
    }

    if (w->turn.posted) {
        ngx_delete_posted_event(&w->turn);
    }

    if (w->snapshot != NULL) {
        ngx_http_experiment_release(w->snapshot);
        w->snapshot = NULL;
    }

    nxe_serving_close(w->opening);
    w->opening = NULL;

    if (w->sweep.posted) {
        ngx_delete_posted_event(&w->sweep);
    }

    while (ngx_http_experiment_bury(w)) { /* void */ }
    while (ngx_http_experiment_compiled_oldest(w)) { /* void */ }

    nxe_generation_unmap(&w->generation);
}


/* With "required", a copy that cannot be served refuses the start. */

ngx_int_t
ngx_http_experiment_check_required(ngx_cycle_t *cycle,
    ngx_http_experiment_main_conf_t *emcf)
{
    nxe_error_t     err;
    nxe_serving_t  *serving;
    nxe_current_t   current;

    if (nxe_current_read((char *) emcf->serving.data, &current, &err)
        != NXE_OK
        || nxe_serving_open((char *) emcf->serving.data, &current, &serving,
                            &err)
           != NXE_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "experiment_registry is required: %s", err.text);
        return NGX_ERROR;
    }

    nxe_serving_close(serving);

    return NGX_OK;
}


/* "master_process off" calls init_process for its first cycle only. */

ngx_http_experiment_worker_t *
ngx_http_experiment_worker(ngx_http_experiment_main_conf_t *emcf)
{
    if (emcf->worker == NULL
        && ngx_http_experiment_init_worker((ngx_cycle_t *) ngx_cycle, emcf)
           != NGX_OK)
    {
        return NULL;
    }

    return emcf->worker;
}


/* The snapshot for a request, NULL if there is none: release it later. */

ngx_http_experiment_snapshot_t *
ngx_http_experiment_acquire(ngx_http_experiment_main_conf_t *emcf)
{
    ngx_http_experiment_worker_t  *w;

    w = ngx_http_experiment_worker(emcf);

    if (w == NULL) {
        return NULL;
    }

    if (w->generation.word != NULL && *w->generation.word != w->tried
        && w->opening == NULL)
    {
        ngx_http_experiment_check(w);
    }

    if (w->snapshot != NULL) {
        w->snapshot->refs++;
    }

    return w->snapshot;
}


void
ngx_http_experiment_release(ngx_http_experiment_snapshot_t *snapshot)
{
    ngx_http_experiment_worker_t  *w;

    if (--snapshot->refs != 0) {
        return;
    }

    /* it goes in a turn of its own, and what only it had taken after it */

    w = snapshot->worker;

    ngx_queue_insert_tail(&w->dead, &snapshot->queue);

    if (!w->sweep.posted) {
        ngx_post_event(&w->sweep, &ngx_posted_next_events);
    }
}


/* 1 where who can wait has to wait for the next turn. */

ngx_uint_t
ngx_http_experiment_spent(ngx_http_experiment_worker_t *w)
{
    return w->spent >= NGX_HTTP_EXPERIMENT_TURN;
}


void
ngx_http_experiment_spend(ngx_http_experiment_worker_t *w,
    struct timespec *since)
{
    w->spent += ngx_http_experiment_since(since);

    if (!w->turn.posted) {
        ngx_post_event(&w->turn, &ngx_posted_next_events);
    }
}


static uint64_t
ngx_http_experiment_since(struct timespec *since)
{
    struct timespec  now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);

    return (uint64_t) (now.tv_sec - since->tv_sec) * 1000000000
           + now.tv_nsec - since->tv_nsec;
}


static void
ngx_http_experiment_turn_handler(ngx_event_t *ev)
{
    ngx_http_experiment_worker_t  *w;

    w = ev->data;
    w->spent = 0;
}


/* Begins to open what is published now. */

static void
ngx_http_experiment_check(ngx_http_experiment_worker_t *w)
{
    nxe_error_t  err;

    if (ngx_http_experiment_open(w, &err) != NGX_OK) {
        ngx_http_experiment_failed(w, &err);
        return;
    }

    ngx_post_event(&w->step, &ngx_posted_next_events);
}


static ngx_int_t
ngx_http_experiment_open(ngx_http_experiment_worker_t *w, nxe_error_t *err)
{
    char           *dir;
    nxe_current_t   current;

    dir = (char *) w->emcf->serving.data;

    if (w->generation.word == NULL
        && nxe_generation_map(dir, &w->generation, err) != NXE_OK)
    {
        return NGX_ERROR;
    }

    /*
     * The word first: whatever is published behind our back from here on
     * makes it differ again.
     */

    w->opening_word = *w->generation.word;
    w->tried = w->opening_word;
    ngx_memory_barrier();

    if (nxe_current_read(dir, &current, err) != NXE_OK
        || nxe_serving_start(dir, &current, &w->opening, err) != NXE_OK)
    {
        w->opening = NULL;
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_experiment_step_handler(ngx_event_t *ev)
{
    nxe_error_t                    err;
    nxe_status_t                   rc;
    struct timespec                since;
    ngx_http_experiment_worker_t  *w;

    w = ev->data;

    if (w->opening == NULL) {
        return;
    }

    (void) clock_gettime(CLOCK_MONOTONIC, &since);

    do {
        rc = nxe_serving_step(w->opening, NGX_HTTP_EXPERIMENT_SLICE, &err);

    } while (rc == NXE_AGAIN
             && ngx_http_experiment_since(&since) < NGX_HTTP_EXPERIMENT_HASH);

    ngx_http_experiment_spend(w, &since);

    if (rc == NXE_AGAIN) {
        ngx_post_event(&w->step, &ngx_posted_next_events);
        return;
    }

    if (rc != NXE_OK) {
        nxe_serving_close(w->opening);
        w->opening = NULL;
        ngx_http_experiment_failed(w, &err);
        return;
    }

    if (ngx_http_experiment_swap(w) != NGX_OK) {
        (void) nxe_fail(&err, NXE_NOMEM, "no memory for a snapshot");
        ngx_http_experiment_failed(w, &err);
    }
}


static void
ngx_http_experiment_poll_handler(ngx_event_t *ev)
{
    nxe_error_t                    err;
    ngx_http_experiment_worker_t  *w;

    w = ev->data;

    if (ngx_exiting || ngx_quit) {
        return;
    }

    if (w->opening == NULL) {

        if (w->generation.word == NULL) {
            ngx_http_experiment_check(w);

        } else if (nxe_generation_stale((char *) w->emcf->serving.data,
                                        &w->generation))
        {
            (void) nxe_fail(&err, NXE_IO, "\"%s/generation\" is gone or was "
                            "replaced", (char *) w->emcf->serving.data);

            nxe_generation_unmap(&w->generation);
            ngx_http_experiment_check(w);

        } else if (*w->generation.word != w->tried
                   || (w->failed
                       && ++w->polls % NGX_HTTP_EXPERIMENT_RETRY == 0))
        {
            /* what failed may have been this worker's own lack of something */

            ngx_http_experiment_check(w);
        }
    }

    ngx_add_timer(ev, w->emcf->poll);
}


static ngx_int_t
ngx_http_experiment_swap(ngx_http_experiment_worker_t *w)
{
    const nxe_current_t             *current;
    ngx_http_experiment_snapshot_t  *snapshot, *old;

    snapshot = ngx_http_experiment_snapshot_create(w, w->opening,
                                                   w->opening_word,
                                                   w->poll.log);
    if (snapshot == NULL) {
        nxe_serving_close(w->opening);
        w->opening = NULL;
        return NGX_ERROR;
    }

    w->opening = NULL;
    w->failed = 0;

    current = nxe_serving_current(snapshot->serving);

    ngx_log_error(NGX_LOG_NOTICE, w->poll.log, 0,
                  "experiment registry: serving transaction %uL",
                  current->txn);

    old = w->snapshot;
    w->snapshot = snapshot;

    if (old != NULL) {
        ngx_http_experiment_release(old);
    }

    return NGX_OK;
}


static void
ngx_http_experiment_sweep_handler(ngx_event_t *ev)
{
    struct timespec                since;
    ngx_http_experiment_worker_t  *w;

    w = ev->data;

    if (ngx_http_experiment_spent(w)) {
        ngx_post_event(ev, &ngx_posted_next_events);
        return;
    }

    (void) clock_gettime(CLOCK_MONOTONIC, &since);

    if (ngx_http_experiment_bury(w)) {
        ngx_post_event(ev, &ngx_posted_next_events);

    } else if (ngx_http_experiment_make_room(w, NGX_HTTP_EXPERIMENT_SWEEP)
               == NGX_AGAIN)
    {
        ngx_post_event(ev, &ngx_posted_next_events);

    } else {
        ngx_http_experiment_compiled_sweep(w, NGX_HTTP_EXPERIMENT_SWEEP);
    }

    ngx_http_experiment_spend(w, &since);
}


/* A part of a snapshot that nobody holds; 0 if there is none. */

static ngx_uint_t
ngx_http_experiment_bury(ngx_http_experiment_worker_t *w)
{
    ngx_http_experiment_snapshot_t  *s;

    if (ngx_queue_empty(&w->dead)) {
        return 0;
    }

    s = ngx_queue_data(ngx_queue_head(&w->dead),
                       ngx_http_experiment_snapshot_t, queue);

    ngx_http_experiment_snapshot_destroy(s, NGX_HTTP_EXPERIMENT_SWEEP);

    return 1;
}


/* One line a worker, until a copy can be served again. */

static void
ngx_http_experiment_failed(ngx_http_experiment_worker_t *w, nxe_error_t *err)
{
    /* a copy that a newer one has displaced meanwhile is no fault */

    if (w->failed
        || (w->generation.word != NULL && *w->generation.word != w->tried))
    {
        return;
    }

    w->failed = 1;

    ngx_http_experiment_snapshot_error(w->emcf);

    ngx_log_error(NGX_LOG_ERR, w->poll.log, 0,
                  "experiment registry: %s; %s", err->text,
                  w->snapshot != NULL ? "the last good copy goes on serving"
                                      : "requests get the baseline");
}


static ngx_int_t
ngx_http_experiment_worker_name(ngx_cycle_t *cycle,
    ngx_http_experiment_worker_t *w)
{
    u_char  *p;

    p = ngx_pnalloc(cycle->pool, cycle->hostname.len + sizeof("/12345678"));
    if (p == NULL) {
        return NGX_ERROR;
    }

    /* workers are forked with one seed: mix in what tells them apart */

    w->name.data = p;
    p = ngx_sprintf(p, "%V/%08xD", &cycle->hostname,
                    (uint32_t) ngx_random()
                    ^ ngx_murmur_hash2((u_char *) &ngx_pid, sizeof(ngx_pid))
                    ^ (uint32_t) ngx_cached_time->msec << 16);
    w->name.len = p - w->name.data;

    return NGX_OK;
}
