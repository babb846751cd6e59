/*
 * Lines of the log.
 */

#ifndef _NGX_HTTP_EXPERIMENT_LOG_H_INCLUDED_
#define _NGX_HTTP_EXPERIMENT_LOG_H_INCLUDED_


#include "ngx_http_experiment.h"

NXE_BEGIN_DECLS


/* A text that grows in the request's pool. */

struct ngx_http_experiment_line_s {
    ngx_pool_t         *pool;
    u_char             *start;
    u_char             *pos;
    u_char             *end;
    unsigned            failed:1;
};

#define NGX_HTTP_EXPERIMENT_CUT        256         /* bytes of a string */


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

/* ngx_http_experiment_log_entry.c */

void ngx_http_experiment_log_entry(ngx_http_experiment_line_t *l,
    ngx_http_experiment_ctx_t *ctx, ngx_http_experiment_entry_t *e);
const char *ngx_http_experiment_unit_id(ngx_http_request_t *r,
    ngx_http_experiment_entry_t *e);
ngx_int_t ngx_http_experiment_applied(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_str_t *value);


NXE_END_DECLS

#endif /* _NGX_HTTP_EXPERIMENT_LOG_H_INCLUDED_ */
