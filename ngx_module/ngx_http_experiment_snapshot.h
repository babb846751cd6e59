/*
 * A snapshot of the registry, and what is made of it as it is used.
 */

#ifndef _NGX_HTTP_EXPERIMENT_SNAPSHOT_H_INCLUDED_
#define _NGX_HTTP_EXPERIMENT_SNAPSHOT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <nxe/dialect.h>
#include <nxe/doc.h>
#include <nxe/price.h>
#include <nxe/serving.h>

NXE_BEGIN_DECLS


typedef struct ngx_http_experiment_ctx_s       ngx_http_experiment_ctx_t;
typedef struct ngx_http_experiment_loc_conf_s  ngx_http_experiment_loc_conf_t;
typedef struct ngx_http_experiment_worker_s    ngx_http_experiment_worker_t;
typedef struct ngx_http_experiment_snapshot_s  ngx_http_experiment_snapshot_t;


/* A source json:/pointer that the scan looks for. */

typedef struct {
    nxe_str_t                        pointer;
    nxe_json_node_t                 *node;
} ngx_http_experiment_pointer_t;


/* What a scan looks for. */

typedef struct {
    nxe_places_t                     places;
    ngx_http_experiment_pointer_t   *pointers;
    ngx_uint_t                       npointers;
} ngx_http_experiment_targets_t;


/*
 * A document compiled from its serving form.  Handles of several snapshots
 * share it where they hold the same bytes; idle, it waits for the next.
 */

typedef struct {
    ngx_rbtree_node_t                node;         /* key: of the digest */
    ngx_queue_t                      queue;        /* worker->idle, if so */
    ngx_uint_t                       refs;         /* handles */
    ngx_uint_t                       swap;         /* when it became idle */
    size_t                           size;         /* of its memory, about */
    size_t                           counted;      /* idle: in w->memory */
    ngx_pool_t                      *pool;
    nxe_doc_t                       *doc;          /* NULL: invalid */
    u_char                           digest[NXE_SHA256_LEN];
    /* made once: by step, dialect, and whether bodies are edited */
    ngx_http_experiment_targets_t  **targets;
    /* by variant and step: the log's text if every edit was applied */
    ngx_str_t                       *applied;
    unsigned                         logged:1;     /* a fault in a location */
} ngx_http_experiment_compiled_t;


/*
 * An experiment in a snapshot.  Unused, it may be let go of for another, and
 * is made again when it is asked for.
 */

typedef struct ngx_http_experiment_handle_s  ngx_http_experiment_handle_t;

struct ngx_http_experiment_handle_s {
    ngx_str_node_t                   sn;           /* name */
    ngx_queue_t                      queue;        /* worker->unused, if so */
    ngx_queue_t                      all;          /* snapshot->all */
    ngx_uint_t                       refs;         /* pins, binds by name, and
                                                      what is to be told once */
    size_t                           size;         /* of its memory, about */
    size_t                           counted;      /* unused: in w->memory */
    ngx_pool_t                      *pool;
    nxe_mem_t                        mem;
    ngx_http_experiment_snapshot_t  *snapshot;
    ngx_http_experiment_handle_t   **slot;         /* in its layer, or NULL */
    ngx_http_experiment_compiled_t  *compiled;     /* NULL: off, invalid */
    const nxe_doc_t                 *doc;
    const char                      *bytes;
    nxe_str_t                        baseline;
    uint64_t                         revision;
    uint64_t                         phase;
    nxe_stage_t                      stage;
    nxe_force_t                      force;
    nxe_range_t                     *ranges;
    ngx_str_t                       *p;            /* each variant's, as text */
    ngx_str_t                       *heads;        /* of its log entries, or
                                                      empty: not made yet */
    unsigned                         error:1;
    unsigned                         routes:1;     /* some variant routes */
    unsigned                         whole:1;      /* has its layer to itself */
    unsigned                         flag:1;       /* of remote evaluation */
};


/* A handle that a request has been given: it stays until the request ends. */

typedef struct ngx_http_experiment_pin_s  ngx_http_experiment_pin_t;

struct ngx_http_experiment_pin_s {
    ngx_http_experiment_handle_t    *handle;
    ngx_http_experiment_pin_t       *next;
};


/* What any document of a layer may look for in a body on a step. */

typedef struct {
    nxe_str_t                        step;
    unsigned                         params;       /* of 1 << nxe_param_t */
    ngx_array_t                      ops;          /* of nxe_str_t: paths */
} ngx_http_experiment_step_t;

typedef struct {
    ngx_array_t                      pointers;     /* of nxe_str_t: sources */
    ngx_array_t                      steps;
} ngx_http_experiment_needs_t;


typedef struct {
    ngx_str_node_t                   sn;           /* name */
    nxe_str_t                        name;
    nxe_place_t                     *places;       /* by position */
    ngx_http_experiment_needs_t     *needs;        /* NULL: not asked for */
    ngx_http_experiment_handle_t   **handles;      /* NULL: not used yet */
    size_t                           n;
    size_t                           first;        /* the first by name */
} ngx_http_experiment_layer_t;


/* What a location binds, in a snapshot. */

typedef struct {
    nxe_str_t                       *names;        /* of layers */
    size_t                           nnames;
    ngx_http_experiment_layer_t    **layers;
    ngx_uint_t                       nlayers;      /* resolved so far */
    ngx_http_experiment_handle_t   **handles;      /* bound by name */
    ngx_uint_t                       nhandles;
    ngx_uint_t                       next;         /* name to resolve */
    unsigned                         ready:1;
} ngx_http_experiment_bind_t;


struct ngx_http_experiment_snapshot_s {
    nxe_serving_t                   *serving;
    ngx_pool_t                      *pool;
    nxe_mem_t                        mem;
    ngx_uint_t                       refs;
    ngx_queue_t                      queue;        /* worker->dead, if so */
    uint64_t                         generation;
    struct timespec                  published;    /* 0: not known */
    ngx_http_experiment_worker_t    *worker;

    ngx_rbtree_t                     handles;
    ngx_rbtree_node_t                sentinel;
    ngx_queue_t                      all;          /* handles */
    ngx_rbtree_t                     layers;
    ngx_rbtree_node_t                layers_sentinel;
    ngx_http_experiment_bind_t     **binds;        /* by location index */
    ngx_str_t                        log;          /* what all lines have */
    nxe_price_t                     *prices;
    size_t                           nprices;
    unsigned                         priced:1;     /* they were looked at */
};


/* ngx_http_experiment_snapshot.c */

ngx_http_experiment_snapshot_t *ngx_http_experiment_snapshot_create(
    ngx_http_experiment_worker_t *worker, nxe_serving_t *serving,
    uint64_t generation, ngx_log_t *log);
const nxe_price_t *ngx_http_experiment_price(
    ngx_http_experiment_snapshot_t *snapshot, nxe_str_t model);
void ngx_http_experiment_snapshot_destroy(
    ngx_http_experiment_snapshot_t *snapshot, ngx_uint_t max);
ngx_int_t ngx_http_experiment_bind(ngx_http_experiment_snapshot_t *snapshot,
    ngx_http_experiment_loc_conf_t *elcf, ngx_http_experiment_bind_t **bind);
void *ngx_http_experiment_palloc(void *pool, size_t size);

/* ngx_http_experiment_handle.c */

ngx_int_t ngx_http_experiment_layer_handle(ngx_http_experiment_ctx_t *ctx,
    ngx_http_experiment_layer_t *layer, size_t i,
    ngx_http_experiment_handle_t **handle);
ngx_int_t ngx_http_experiment_handle(
    ngx_http_experiment_snapshot_t *snapshot, nxe_str_t name,
    ngx_uint_t must, ngx_http_experiment_handle_t **handle);
ngx_int_t ngx_http_experiment_pin(ngx_http_experiment_ctx_t *ctx,
    ngx_http_experiment_handle_t *h);
void ngx_http_experiment_hold(ngx_http_experiment_handle_t *h);
void ngx_http_experiment_unhold(ngx_http_experiment_handle_t *h);
ngx_int_t ngx_http_experiment_make_room(ngx_http_experiment_worker_t *w,
    ngx_uint_t max);
void ngx_http_experiment_unpin(ngx_http_experiment_ctx_t *ctx);
void ngx_http_experiment_handle_free(ngx_http_experiment_handle_t *h);

/* ngx_http_experiment_compile.c */

ngx_http_experiment_compiled_t *ngx_http_experiment_compile(
    ngx_http_experiment_worker_t *worker, nxe_str_t name,
    nxe_entry_t *entry);
void ngx_http_experiment_compiled_release(
    ngx_http_experiment_worker_t *worker, ngx_http_experiment_compiled_t *c);
ngx_uint_t ngx_http_experiment_compiled_oldest(
    ngx_http_experiment_worker_t *worker);
void ngx_http_experiment_compiled_sweep(ngx_http_experiment_worker_t *worker,
    ngx_uint_t max);


NXE_END_DECLS

#endif /* _NGX_HTTP_EXPERIMENT_SNAPSHOT_H_INCLUDED_ */
