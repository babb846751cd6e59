/*
 * What the module's files share.
 */

#ifndef _NGX_HTTP_EXPERIMENT_H_INCLUDED_
#define _NGX_HTTP_EXPERIMENT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <nxe/assign.h>
#include <nxe/credential.h>
#include <nxe/dialect.h>
#include <nxe/doc.h>
#include <nxe/feedback.h>
#include <nxe/keys.h>
#include <nxe/meter.h>
#include <nxe/price.h>
#include <nxe/serving.h>
#include <nxe/splice.h>
#include <nxe/target.h>
#include <nxe/token.h>
#include <nxe/trace.h>


extern ngx_module_t  ngx_http_experiment_module;

NXE_BEGIN_DECLS


#define NGX_HTTP_EXPERIMENT_OFF        0
#define NGX_HTTP_EXPERIMENT_ON         1
#define NGX_HTTP_EXPERIMENT_LAYERS     2
#define NGX_HTTP_EXPERIMENT_NAMES      3

#define NGX_HTTP_EXPERIMENT_AUTO       NXE_DIALECTS

#define NGX_HTTP_EXPERIMENT_METER_OFF      0
#define NGX_HTTP_EXPERIMENT_METER_PASSIVE  1
#define NGX_HTTP_EXPERIMENT_METER_ON       2

#define NGX_HTTP_EXPERIMENT_TRACE_OFF      0
#define NGX_HTTP_EXPERIMENT_TRACE_PASS     1
#define NGX_HTTP_EXPERIMENT_TRACE_CREATE   2


typedef struct ngx_http_experiment_ctx_s       ngx_http_experiment_ctx_t;
typedef struct ngx_http_experiment_worker_s    ngx_http_experiment_worker_t;
typedef struct ngx_http_experiment_zone_s      ngx_http_experiment_zone_t;
typedef struct ngx_http_experiment_snapshot_s  ngx_http_experiment_snapshot_t;


typedef struct {
    ngx_str_t                        registry;
    ngx_str_t                        serving;      /* PATH/serving\0 */
    ngx_flag_t                       required;
    ngx_msec_t                       poll;

    nxe_hmac_key_t                  *unit_key;
    nxe_token_keys_t                *feedback_keys;
    u_char                           kid[NXE_KID_LEN];

    ngx_int_t                        request_id;   /* variable index */
    ngx_uint_t                       locations;    /* that bind anything */
    ngx_array_t                      upstreams;    /* every one named */
    const char                      *endpoint;     /* a content handler's
                                                      directive, if any is */

    unsigned                         cpu;          /* a flag of the scan */
    unsigned                         uses_model:1;
    unsigned                         uses_upstream:1;
    unsigned                         strips:1;     /* some location does */
    unsigned                         buffers:1;    /* some stream: said so */

    size_t                           zone_size;
    ngx_shm_zone_t                  *shm;

    ngx_http_experiment_worker_t    *worker;
} ngx_http_experiment_main_conf_t;


/*
 * The keys that a content handler takes.  A worker has the SHA-256 of each,
 * which is enough to know it again.
 */

typedef struct {
    u_char                         (*digests)[NXE_SHA256_LEN];
    ngx_uint_t                       n;
} ngx_http_experiment_secrets_t;


/* What a location of feedback asks for; a key's secrets are beside it. */

typedef struct {
    nxe_feedback_trust_t             trust;
    ngx_array_t                      origins;      /* of ngx_str_t */
} ngx_http_experiment_feedback_conf_t;


/* What is answered by "experiment_status html". */

typedef struct {
    ngx_str_t                        text;
    ngx_str_t                        policy;       /* Content-Security-Policy */
} ngx_http_experiment_page_t;


typedef struct {
    ngx_uint_t                       bind;
    ngx_array_t                     *names;        /* of ngx_str_t */
    ngx_uint_t                       index;        /* snapshot->binds[] */

    ngx_http_complex_value_t        *step;
    ngx_uint_t                       dialect;
    ngx_array_t                     *upstreams;    /* of ngx_str_t */
    ngx_uint_t                       body;         /* 0: off */
    ngx_uint_t                       body_error;   /* 1: reject */
    size_t                           body_max_size;
    nxe_trusted_t                   *trusted;
    ngx_flag_t                       strip;
    ngx_uint_t                       meter;
    ngx_flag_t                       unbuffered;
    ngx_msec_t                       warm_after;
    ngx_uint_t                       traceparent;
    ngx_flag_t                       baggage;
    nxe_header_t                    *response_header; /* NULL: off */
    ngx_uint_t                       no_upstream_logged;

    /* of the location alone: nothing in it inherits a content handler */

    const char                      *endpoint;     /* its directive */
    ngx_http_handler_pt              handler;
    ngx_http_experiment_secrets_t   *secrets;      /* NULL: open */
    ngx_http_experiment_feedback_conf_t
                                    *feedback;     /* NULL: none */
    ngx_uint_t                       format;       /* of the status */
    ngx_http_experiment_page_t      *page;         /* NULL: not html */
    ngx_array_t                     *hosts;        /* that may be asked for it:
                                                      ngx_str_t, NULL: open */
} ngx_http_experiment_loc_conf_t;


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


/* When a connection to an upstream was last used. */

typedef struct {
    ngx_atomic_uint_t                number;       /* nginx's, of it */
    ngx_msec_t                       msec;
} ngx_http_experiment_used_t;


struct ngx_http_experiment_worker_s {
    ngx_http_experiment_main_conf_t *emcf;
    ngx_pool_t                      *pool;
    ngx_http_experiment_snapshot_t  *snapshot;     /* NULL: baseline */
    nxe_generation_t                 generation;
    uint64_t                         tried;        /* last word acted on */

    nxe_serving_t                   *opening;
    uint64_t                         opening_word;
    ngx_event_t                      step;         /* next slice */
    ngx_event_t                      poll;

    ngx_rbtree_t                     compiled;
    ngx_rbtree_node_t                sentinel;
    ngx_queue_t                      idle;         /* documents, by how long */
    ngx_queue_t                      unused;       /* handles, by how long */
    size_t                           memory;       /* of both, about */
    ngx_queue_t                      dead;         /* snapshots that nobody
                                                      holds */
    ngx_event_t                      sweep;
    ngx_http_experiment_targets_t  **targets;      /* of parameters alone, by
                                                      dialect and mask */
    nxe_scratch_t                   *scratch;      /* of every match */
    ngx_http_experiment_used_t      *used;         /* by slot of connection */
    ngx_uint_t                       swap;
    ngx_uint_t                       polls;        /* since a failure */

    ngx_event_t                      turn;         /* a new one begins */
    uint64_t                         spent;        /* ns of it, on loading */
    unsigned                         patient:1;    /* who loads can wait */
    unsigned                         failed:1;     /* said so in the log */

    ngx_str_t                        name;         /* HOST/8 hex */
    uint64_t                         seq;
    nxe_hmac_key_t                  *trace_key;    /* random */
    uint64_t                         traces;       /* made so far */
    time_t                           second;       /* that is in time[] */
    u_char                           time[sizeof("1970-09-28T12:00:00")];
};


/* One experiment of a request. */

typedef struct {
    ngx_http_experiment_handle_t    *handle;
    nxe_assignment_t                 a;
    nxe_unit_t                       unit;         /* source NXE_NONE: named by
                                                      who asks for a flag */
    const nxe_effective_t           *effective;
    u_char                           params[NXE_PARAMS];   /* nxe_code_t */
    u_char                          *headers;              /* nxe_code_t */
    u_char                          *ops;
    nxe_str_t                       *segments;     /* no data: not found */
    char                             id[NXE_UNIT_ID_LEN];   /* keyed */
    unsigned                         identified:1; /* id is there */
    unsigned                         has_unit:1;
    unsigned                         pending:1;    /* needs the body */
    unsigned                         lacking:1;    /* a segment needs it */
} ngx_http_experiment_entry_t;


typedef enum {
    NGX_HTTP_EXPERIMENT_BODY_NONE = 0,             /* not read */
    NGX_HTTP_EXPERIMENT_BODY_UNCHANGED,
    NGX_HTTP_EXPERIMENT_BODY_EDITED,
    NGX_HTTP_EXPERIMENT_BODY_BYPASS,
    NGX_HTTP_EXPERIMENT_BODY_REJECTED
} ngx_http_experiment_body_e;


/* What is measured of an upstream's answer; times since the request began. */

typedef struct {
    nxe_meter_t                      meter;
    uint64_t                         first_byte;   /* nanoseconds */
    uint64_t                         now;          /* of this call, or 0 */
    const char                      *unmetered;    /* why, or NULL */
    const char                      *failed;       /* a stream: how, or NULL */
    const nxe_price_t               *price;        /* NULL: there is none */
    uint64_t                         cost;         /* 10^-9 of its currency */
    ngx_http_experiment_used_t      *used;
    ngx_atomic_uint_t                number;

    /* a stream that loses the usage which the edge asked for */
    ngx_pool_t                      *pool;
    ngx_chain_t                     *in;           /* not sent yet */
    ngx_chain_t                     *out;          /* of this call */
    ngx_chain_t                     *tail;
    ngx_chain_t                     *busy;
    ngx_chain_t                     *free;

    unsigned                         metered:1;
    unsigned                         stream:1;
    unsigned                         timed:1;      /* it leaves as it comes */
    unsigned                         strips:1;
    unsigned                         no_memory:1;
    unsigned                         connected:1;  /* cold is known */
    unsigned                         cold:1;
    unsigned                         aborted:1;    /* the client left */
    unsigned                         paid:1;       /* cost is known */
    unsigned                         done:1;       /* nothing comes any more */
} ngx_http_experiment_answer_t;


/* The lines of a request for the log, joined by newlines. */

typedef ngx_int_t (*ngx_http_experiment_line_pt)(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_str_t *line);

/*
 * What a content handler does with a body: status is 0, and body all of it, or
 * what it has to be refused with.  What it returns ends the request.
 */

typedef ngx_int_t (*ngx_http_experiment_json_pt)(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_uint_t status, nxe_str_t body);


/* Goes on with what has waited for another turn; what it returns, too. */

typedef ngx_int_t (*ngx_http_experiment_run_pt)(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);


struct ngx_http_experiment_ctx_s {
    ngx_http_request_t              *request;      /* the main one */
    ngx_http_experiment_worker_t    *worker;       /* from the handler on */
    nxe_mem_t                        mem;
    ngx_http_experiment_snapshot_t  *snapshot;
    ngx_http_experiment_loc_conf_t  *elcf;         /* entries are for */

    struct timespec                  start;        /* CLOCK_REALTIME */
    struct timespec                  mono;         /* CLOCK_MONOTONIC */
    struct timespec                  end;          /* last byte handed on */

    ngx_str_t                        uri;          /* as it came */
    ngx_str_t                        step;
    nxe_dialect_t                    dialect;

    ngx_http_experiment_entry_t     *entries;
    ngx_uint_t                       nentries;
    ngx_http_experiment_pin_t       *pins;
    ngx_uint_t                       layers;       /* of the bind, decided */
    ngx_uint_t                       layer_excluded;

    nxe_credentials_t               *credentials;  /* NULL: not asked for */
    ngx_http_experiment_targets_t   *targets;
    nxe_text_t                       text;
    nxe_str_t                        model;        /* that goes upstream */

    ngx_http_experiment_answer_t    *answer;       /* NULL: not measured */
    nxe_code_t                       usage;        /* of include_usage */

    ngx_str_t                        trace_id;     /* of what goes upstream,
                                                      or none */
    ngx_str_t                        baggage;      /* our members */
    ngx_uint_t                       members;

    ngx_event_t                      wait;         /* for the next turn */
    ngx_http_experiment_body_e       body;
    const char                      *cause;
    uint64_t                         seq;
    ngx_int_t                        status;       /* of the handler */

    ngx_http_experiment_json_pt      read;         /* of a content handler */
    size_t                           read_max;
    ngx_http_experiment_line_pt      line;         /* NULL: a request's */
    void                            *data;         /* of that handler */
    ngx_http_experiment_run_pt       run;          /* it, when it has waited */
    ngx_str_t                        feedback_key;   /* as it came */
    ngx_str_t                        feedback_token;

    unsigned                         assigned:1;   /* entries are there */
    unsigned                         partial:1;    /* some are, for now */
    unsigned                         accessed:1;   /* that phase is over */
    unsigned                         frozen:1;     /* the handler has run */
    unsigned                         readable:1;   /* json: may come yet */
    unsigned                         scanned:1;
    unsigned                         ambiguous:1;  /* a member occurs twice */
    unsigned                         last:1;       /* last buffer seen */
    unsigned                         ended:1;
    unsigned                         has_seq:1;
    unsigned                         traced:1;     /* trace_id is decided */
    unsigned                         sends_id:1;   /* the edge's own */
};


/* A member of an evaluation's context that is named as a source is. */

typedef struct {
    nxe_source_t                     source;
    nxe_str_t                        value;        /* as it stands there */
    nxe_json_type_t                  type;
} ngx_http_experiment_named_t;


/* A text that grows in the request's pool. */

typedef struct {
    ngx_pool_t         *pool;
    u_char             *start;
    u_char             *pos;
    u_char             *end;
    unsigned            failed:1;
} ngx_http_experiment_line_t;

#define NGX_HTTP_EXPERIMENT_CUT        256         /* bytes of a string */


/* A remote evaluation: ctx->data of its handler. */

#define NGX_HTTP_EXPERIMENT_FLAGS      200         /* of one answer */

typedef struct {
    nxe_str_t                        key;          /* of one flag, or none */
    nxe_str_t                        name;         /* of its experiment */
    nxe_str_t                        step;         /* no data: none named */
    nxe_str_t                        body;
    nxe_str_t                        context;      /* the object in it */
    nxe_str_t                        unit;
    ngx_array_t                     *named;        /* NULL: not looked at */

    ngx_uint_t                       layer;        /* of the bind: how far */
    size_t                           place;
    ngx_uint_t                       handle;

    ngx_http_experiment_line_t       json;         /* the flags, so far */
    ngx_http_experiment_line_t       keys;         /* for the log */
    unsigned                         keyed:1;      /* who asks has a key */
} ngx_http_experiment_ofrep_t;


/* A POST of feedback: ctx->data of its handler. */

#define NGX_HTTP_EXPERIMENT_NAMED      64     /* experiments of one POST */

typedef struct {
    nxe_str_t                        name;
    ngx_http_experiment_handle_t    *handle;       /* NULL: not live here */
} ngx_http_experiment_about_t;

typedef struct {
    ngx_http_experiment_handle_t    *handle;
    const nxe_metric_t              *metric;
    nxe_str_t                        value;        /* a JSON number */
    nxe_str_t                        of;           /* unit's or request's id */
    unsigned                         unit:1;
    unsigned                         duplicate:1;
} ngx_http_experiment_outcome_t;

typedef struct {
    nxe_feedback_t                   f;
    nxe_feedback_trust_t             trust;
    nxe_token_t                      token;
    nxe_feedback_bound_t             bound;        /* by the token */
    nxe_str_t                        who;          /* shows it: of its id */

    ngx_http_experiment_outcome_t   *outcomes;
    ngx_uint_t                       next;         /* item to resolve */
    ngx_http_experiment_about_t      about[NGX_HTTP_EXPERIMENT_NAMED];
    ngx_uint_t                       nabout;
    ngx_http_experiment_handle_t   **bounds;       /* all that are bound */
    ngx_uint_t                       nbounds;

    ngx_uint_t                       accepted;
    ngx_uint_t                       duplicates;
    ngx_uint_t                       status;       /* 0: not known yet */
    const char                      *cause;        /* of a refusal */
    const char                      *why;          /* a token is none */
    ngx_str_t                        line;
} ngx_http_experiment_feedback_t;


/* ngx_http_experiment_conf.c */

char *ngx_http_experiment_set_registry(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
char *ngx_http_experiment_set_keys(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_experiment_set_bind(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_experiment_set_step(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_experiment_set_dialect(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
char *ngx_http_experiment_set_upstream(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
char *ngx_http_experiment_set_trusted(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
char *ngx_http_experiment_set_response_header(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
ngx_int_t ngx_http_experiment_read_secret(ngx_conf_t *cf, ngx_str_t *file,
    u_char *buf, nxe_str_t *text);

/* ngx_http_experiment_endpoint.c */

ngx_int_t ngx_http_experiment_set_endpoint(ngx_conf_t *cf,
    ngx_command_t *cmd, ngx_http_experiment_loc_conf_t *elcf,
    ngx_http_handler_pt handler);
ngx_int_t ngx_http_experiment_set_secrets(ngx_conf_t *cf, ngx_str_t *word,
    ngx_http_experiment_loc_conf_t *elcf);
ngx_int_t ngx_http_experiment_secret(ngx_http_experiment_secrets_t *secrets,
    nxe_str_t presented, ngx_uint_t *which);
ngx_int_t ngx_http_experiment_read_json(ngx_http_request_t *r, size_t max,
    ngx_http_experiment_json_pt read);
ngx_int_t ngx_http_experiment_next_turn(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_http_experiment_run_pt run);
ngx_int_t ngx_http_experiment_answer_header(ngx_http_request_t *r,
    const char *name, ngx_str_t value);
ngx_int_t ngx_http_experiment_answer_text(ngx_http_request_t *r,
    const char *name, const char *value);
ngx_int_t ngx_http_experiment_answer(ngx_http_request_t *r,
    ngx_uint_t status, ngx_http_experiment_line_t *json);
ngx_int_t ngx_http_experiment_answer_chain(ngx_http_request_t *r,
    ngx_uint_t status, const ngx_str_t *type, ngx_chain_t *out, off_t size);
ngx_uint_t ngx_http_experiment_tagged(ngx_http_request_t *r, ngx_str_t *tag);

/* ngx_http_experiment_page.c */

ngx_http_experiment_page_t *ngx_http_experiment_page(ngx_conf_t *cf);
ngx_int_t ngx_http_experiment_answer_page(ngx_http_request_t *r,
    ngx_http_experiment_page_t *page);

/* ngx_http_experiment_registry.c */

ngx_int_t ngx_http_experiment_init_worker(ngx_cycle_t *cycle,
    ngx_http_experiment_main_conf_t *emcf);
void ngx_http_experiment_exit_worker(void *data);
ngx_int_t ngx_http_experiment_check_required(ngx_cycle_t *cycle,
    ngx_http_experiment_main_conf_t *emcf);
ngx_http_experiment_worker_t *ngx_http_experiment_worker(
    ngx_http_experiment_main_conf_t *emcf);
ngx_http_experiment_snapshot_t *ngx_http_experiment_acquire(
    ngx_http_experiment_main_conf_t *emcf);
void ngx_http_experiment_release(ngx_http_experiment_snapshot_t *snapshot);
ngx_uint_t ngx_http_experiment_spent(ngx_http_experiment_worker_t *w);
void ngx_http_experiment_spend(ngx_http_experiment_worker_t *w,
    struct timespec *since);

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

/* ngx_http_experiment_assign.c */

ngx_http_experiment_ctx_t *ngx_http_experiment_get_ctx(ngx_http_request_t *r);
ngx_http_experiment_ctx_t *ngx_http_experiment_create_ctx(
    ngx_http_request_t *r);
ngx_int_t ngx_http_experiment_assign(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_uint_t again);
ngx_int_t ngx_http_experiment_assign_rest(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
ngx_uint_t ngx_http_experiment_listed(ngx_http_experiment_loc_conf_t *elcf,
    nxe_str_t upstream);

/* ngx_http_experiment_needs.c */

ngx_int_t ngx_http_experiment_layer_needs(ngx_http_experiment_ctx_t *ctx,
    ngx_http_experiment_layer_t *layer);

/* ngx_http_experiment_targets.c */

ngx_int_t ngx_http_experiment_make_targets(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
ngx_uint_t ngx_http_experiment_edits_body(ngx_http_experiment_ctx_t *ctx,
    ngx_http_experiment_entry_t *e);

/* ngx_http_experiment_segment.c */

ngx_int_t ngx_http_experiment_segments(ngx_http_experiment_ctx_t *ctx,
    ngx_http_experiment_entry_t *e, const nxe_request_t *req);
void ngx_http_experiment_log_segments(ngx_http_experiment_line_t *l,
    ngx_http_experiment_ctx_t *ctx, ngx_http_experiment_entry_t *e);

/* ngx_http_experiment_source.c */

ngx_int_t ngx_http_experiment_get_step(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
nxe_status_t ngx_http_experiment_attr(void *data, const nxe_source_t *source,
    nxe_str_t *value);
ngx_table_elt_t *ngx_http_experiment_find_header(ngx_http_request_t *r,
    nxe_str_t lower, ngx_uint_t *n);

/* ngx_http_experiment_zone.c */

char *ngx_http_experiment_set_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_int_t ngx_http_experiment_add_zone(ngx_conf_t *cf,
    ngx_http_experiment_main_conf_t *emcf);
ngx_http_experiment_zone_t *ngx_http_experiment_zone(
    ngx_http_experiment_main_conf_t *emcf);
void ngx_http_experiment_snapshot_error(
    ngx_http_experiment_main_conf_t *emcf);
ngx_uint_t ngx_http_experiment_zone_seen(
    ngx_http_experiment_main_conf_t *emcf, const u_char hash[16]);

/* ngx_http_experiment_count.c */

ngx_int_t ngx_http_experiment_count_init(ngx_conf_t *cf);

/* ngx_http_experiment_body.c */

/* What a body may be refused for, as the log says and in words. */

typedef struct {
    const char                      *name;         /* NULL: the last */
    const char                      *message;
} ngx_http_experiment_cause_t;

extern const ngx_http_experiment_cause_t  ngx_http_experiment_causes[];


ngx_int_t ngx_http_experiment_handler(ngx_http_request_t *r);
ngx_uint_t ngx_http_experiment_is_json(ngx_http_request_t *r);

/* ngx_http_experiment_scan.c */

ngx_int_t ngx_http_experiment_scan(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
ngx_int_t ngx_http_experiment_text(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, size_t max);
void ngx_http_experiment_bypass(ngx_http_experiment_ctx_t *ctx,
    const char *cause);

/* ngx_http_experiment_edit.c */

ngx_int_t ngx_http_experiment_edit(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
ngx_int_t ngx_http_experiment_codes(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, nxe_code_t code);
ngx_uint_t ngx_http_experiment_sent(ngx_http_request_t *r);

/* ngx_http_experiment_headers.c */

/* NGX_OK: out with it; NGX_DECLINED: it stays; NGX_ERROR. */

typedef ngx_int_t (*ngx_http_experiment_drop_pt)(ngx_http_request_t *r,
    ngx_table_elt_t *h, const void *data);

ngx_int_t ngx_http_experiment_drop(ngx_http_request_t *r,
    ngx_http_experiment_drop_pt drop, const void *data);
ngx_int_t ngx_http_experiment_request_headers(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
ngx_int_t ngx_http_experiment_request_header(ngx_http_request_t *r,
    const nxe_header_t *edit, u_char *code);
ngx_int_t ngx_http_experiment_response_header(ngx_http_request_t *r,
    const nxe_header_t *edit, u_char *code);
ngx_int_t ngx_http_experiment_filter_init(ngx_conf_t *cf);

/* ngx_http_experiment_meter.c */

ngx_uint_t ngx_http_experiment_asks_usage(ngx_http_experiment_ctx_t *ctx);
ngx_int_t ngx_http_experiment_meter_request(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
void ngx_http_experiment_meter_header(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
ngx_int_t ngx_http_experiment_meter_filter(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_chain_t *in,
    ngx_http_output_body_filter_pt next);
void ngx_http_experiment_meter_buf(ngx_http_experiment_ctx_t *ctx,
    ngx_buf_t *b);
ngx_uint_t ngx_http_experiment_aborted(ngx_http_experiment_ctx_t *ctx);
ngx_int_t ngx_http_experiment_tpot(ngx_http_experiment_answer_t *a,
    uint64_t *ns);
uint64_t ngx_http_experiment_now(ngx_http_experiment_ctx_t *ctx);

/* ngx_http_experiment_usage.c */

void ngx_http_experiment_usage_header(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
ngx_int_t ngx_http_experiment_usage_filter(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_chain_t *in,
    ngx_http_output_body_filter_pt next);

/* ngx_http_experiment_strip.c */

ngx_int_t ngx_http_experiment_strip_init(ngx_conf_t *cf);

/* ngx_http_experiment_trace.c */

ngx_int_t ngx_http_experiment_trace_init(ngx_cycle_t *cycle,
    ngx_http_experiment_worker_t *w);
ngx_int_t ngx_http_experiment_trace_request(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
ngx_int_t ngx_http_experiment_trace_headers(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
ngx_int_t ngx_http_experiment_trace_answer(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx);
ngx_uint_t ngx_http_experiment_trace_id(ngx_http_request_t *r,
    ngx_str_t *id);
ngx_int_t ngx_http_experiment_variable_trace_id(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);

/* ngx_http_experiment_variables.c */

ngx_int_t ngx_http_experiment_add_variables(ngx_conf_t *cf);
ngx_int_t ngx_http_experiment_ready(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t **ctx);
ngx_int_t ngx_http_experiment_add_table(ngx_conf_t *cf,
    ngx_http_variable_t *v);
ngx_int_t ngx_http_experiment_assignments(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_str_t *value);
nxe_str_t ngx_http_experiment_served(ngx_http_experiment_entry_t *e);
void ngx_http_experiment_value(ngx_http_variable_value_t *v,
    const void *data, size_t len);

/* ngx_http_experiment_answer_variables.c */

ngx_int_t ngx_http_experiment_add_answer_variables(ngx_conf_t *cf);

/* ngx_http_experiment_ofrep.c */

char *ngx_http_experiment_set_ofrep(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* ngx_http_experiment_context.c */

ngx_int_t ngx_http_experiment_context(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, const char **code, const char **details);
nxe_status_t ngx_http_experiment_context_attr(void *data,
    const nxe_source_t *source, nxe_str_t *value);

/* ngx_http_experiment_flag.c */

ngx_uint_t ngx_http_experiment_bound(ngx_http_experiment_loc_conf_t *elcf,
    ngx_http_experiment_handle_t *h);
ngx_int_t ngx_http_experiment_flag(ngx_http_experiment_ctx_t *ctx);
ngx_int_t ngx_http_experiment_flags(ngx_http_experiment_ctx_t *ctx);

/* ngx_http_experiment_feedback.c */

char *ngx_http_experiment_set_feedback(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_int_t ngx_http_experiment_feedback_headers(ngx_http_request_t *r);

/* ngx_http_experiment_origin.c */

char *ngx_http_experiment_set_origin(ngx_conf_t *cf, ngx_str_t *word,
    ngx_http_experiment_feedback_conf_t *conf);
ngx_int_t ngx_http_experiment_origin(ngx_http_request_t *r,
    ngx_http_experiment_feedback_conf_t *conf);
ngx_int_t ngx_http_experiment_preflight(ngx_http_request_t *r,
    ngx_http_experiment_loc_conf_t *elcf, ngx_int_t listed);

/* ngx_http_experiment_outcome.c */

ngx_int_t ngx_http_experiment_outcomes(ngx_http_experiment_ctx_t *ctx);
void ngx_http_experiment_outcomes_take(ngx_http_experiment_ctx_t *ctx);
ngx_int_t ngx_http_experiment_outcome_lines(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_str_t *line);
ngx_int_t ngx_http_experiment_feedback_token(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_str_t *token);
/* ngx_http_experiment_status.c */

char *ngx_http_experiment_set_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_int_t ngx_http_experiment_status_hosts(ngx_conf_t *cf,
    ngx_http_experiment_loc_conf_t *elcf);

/* ngx_http_experiment_line.c */

u_char *ngx_http_experiment_room(ngx_http_experiment_line_t *l,
    size_t len);
void ngx_http_experiment_raw(ngx_http_experiment_line_t *l,
    const void *data, size_t len);
void ngx_http_experiment_string(ngx_http_experiment_line_t *l,
    const void *data, size_t len);
void ngx_http_experiment_escape(ngx_http_experiment_line_t *l,
    const u_char *p, size_t len);
void ngx_http_experiment_number(ngx_http_experiment_line_t *l,
    const char *member, uint64_t n);
u_char *ngx_http_experiment_decimal(u_char *p, uint64_t n,
    ngx_uint_t digits);
void ngx_http_experiment_ms(ngx_http_experiment_line_t *l,
    const char *member, uint64_t us);

void ngx_http_experiment_nano(ngx_http_experiment_line_t *l, uint64_t n);

void ngx_http_experiment_keep(ngx_http_experiment_line_t *l, size_t from,
    ngx_pool_t *pool, ngx_str_t *text);

#define ngx_http_experiment_lit(l, s)                                         \
    ngx_http_experiment_raw(l, s, sizeof(s) - 1)

/* ngx_http_experiment_log.c */

void ngx_http_experiment_log_start(ngx_http_experiment_line_t *l,
    ngx_http_request_t *r, ngx_http_experiment_ctx_t *ctx,
    const char *kind);
ngx_int_t ngx_http_experiment_json(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_str_t *line);
uint64_t ngx_http_experiment_elapsed(ngx_http_experiment_ctx_t *ctx);
ngx_uint_t ngx_http_experiment_code_of(ngx_http_request_t *r);
ngx_uint_t ngx_http_experiment_upstream_code(ngx_http_request_t *r,
    uint64_t *ms);
ngx_uint_t ngx_http_experiment_routed(ngx_http_request_t *r,
    nxe_str_t upstream);

/* ngx_http_experiment_log_answer.c */

void ngx_http_experiment_log_answer(ngx_http_experiment_line_t *l,
    ngx_http_experiment_ctx_t *ctx);

/* ngx_http_experiment_log_entry.c */

void ngx_http_experiment_log_entry(ngx_http_experiment_line_t *l,
    ngx_http_experiment_ctx_t *ctx, ngx_http_experiment_entry_t *e);
const char *ngx_http_experiment_unit_id(ngx_http_request_t *r,
    ngx_http_experiment_entry_t *e);
ngx_int_t ngx_http_experiment_applied(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_str_t *value);


NXE_END_DECLS

#endif /* _NGX_HTTP_EXPERIMENT_H_INCLUDED_ */
