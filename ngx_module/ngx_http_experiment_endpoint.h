/*
 * The content handlers: flags, feedback, the status.
 */

#ifndef _NGX_HTTP_EXPERIMENT_ENDPOINT_H_INCLUDED_
#define _NGX_HTTP_EXPERIMENT_ENDPOINT_H_INCLUDED_


#include "ngx_http_experiment_log.h"

NXE_BEGIN_DECLS


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


/* ngx_http_experiment_endpoint.c */

ngx_int_t ngx_http_experiment_set_endpoint(ngx_conf_t *cf,
    ngx_command_t *cmd, ngx_http_experiment_loc_conf_t *elcf,
    ngx_http_handler_pt handler);
ngx_http_experiment_loc_conf_t *ngx_http_experiment_endpoint(
    ngx_http_request_t *r, ngx_http_handler_pt handler);
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
ngx_int_t ngx_http_experiment_feedback_token(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_str_t *token);

/* ngx_http_experiment_log_outcome.c */

ngx_int_t ngx_http_experiment_outcome_lines(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_str_t *line);

/* ngx_http_experiment_status.c */

char *ngx_http_experiment_set_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* ngx_http_experiment_status_access.c */

ngx_int_t ngx_http_experiment_status_hosts(ngx_conf_t *cf,
    ngx_http_experiment_loc_conf_t *elcf);
ngx_int_t ngx_http_experiment_status_allowed(ngx_http_request_t *r,
    ngx_http_experiment_loc_conf_t *elcf);


NXE_END_DECLS

#endif /* _NGX_HTTP_EXPERIMENT_ENDPOINT_H_INCLUDED_ */
