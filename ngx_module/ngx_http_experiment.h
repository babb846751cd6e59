/*
 * What the module's files share.
 */

#ifndef _NGX_HTTP_EXPERIMENT_H_INCLUDED_
#define _NGX_HTTP_EXPERIMENT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_experiment_snapshot.h"

#include <nxe/assign.h>
#include <nxe/credential.h>
#include <nxe/feedback.h>
#include <nxe/keys.h>
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


typedef struct ngx_http_experiment_zone_s      ngx_http_experiment_zone_t;
typedef struct ngx_http_experiment_answer_s    ngx_http_experiment_answer_t;
typedef struct ngx_http_experiment_line_s      ngx_http_experiment_line_t;


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


struct ngx_http_experiment_loc_conf_s {
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
    ngx_uint_t                       bound;        /* 1: needs experiments */
    ngx_uint_t                       open;         /* 1: to all */
    ngx_http_experiment_secrets_t   *secrets;      /* NULL: no keys */
    ngx_http_experiment_feedback_conf_t
                                    *feedback;     /* NULL: none */
    ngx_uint_t                       format;       /* of the status */
    ngx_http_experiment_page_t      *page;         /* NULL: not html */
    ngx_array_t                     *hosts;        /* that may be asked for it:
                                                      ngx_str_t; NULL: any */
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

/* ngx_http_experiment_values.c */

void *ngx_http_experiment_create_main_conf(ngx_conf_t *cf);
char *ngx_http_experiment_init_main_conf(ngx_conf_t *cf, void *conf);
void *ngx_http_experiment_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_experiment_merge_loc_conf(ngx_conf_t *cf,
    void *parent, void *child);

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

/* ngx_http_experiment_assign.c */

ngx_http_experiment_ctx_t *ngx_http_experiment_get_ctx(ngx_http_request_t *r);
ngx_http_experiment_ctx_t *ngx_http_experiment_create_ctx(
    ngx_http_request_t *r);
void ngx_http_experiment_wait_turn(ngx_http_experiment_ctx_t *ctx,
    ngx_event_handler_pt handler, void *data);
void ngx_http_experiment_waited(ngx_http_experiment_ctx_t *ctx);
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

NXE_END_DECLS

#endif /* _NGX_HTTP_EXPERIMENT_H_INCLUDED_ */
