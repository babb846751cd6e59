/*
 * Status: reading the zone, and the formats that it is told in.  All of it is
 * made in small parts, as many in a turn of the event loop as there is time
 * for, and sent in pieces, of which one is in memory.
 */

#ifndef _NGX_HTTP_EXPERIMENT_STATUS_H_INCLUDED_
#define _NGX_HTTP_EXPERIMENT_STATUS_H_INCLUDED_


#include "ngx_http_experiment_zone.h"

NXE_BEGIN_DECLS


typedef struct ngx_http_experiment_group_s   ngx_http_experiment_group_t;
typedef struct ngx_http_experiment_status_s  ngx_http_experiment_status_t;


/*
 * What has one key: mostly one row.  A live experiment is a group without any,
 * of its name alone, which comes before those of its rows.
 */

struct ngx_http_experiment_group_s {
    ngx_rbtree_node_t                node;         /* by key, not hash */
    ngx_http_experiment_key_t        key;
    ngx_http_experiment_row_t       *row;          /* NULL: no rows */
    ngx_http_experiment_group_t     *same;         /* another row of the key */
    ngx_http_experiment_group_t     *next;         /* in order of key */
    uint64_t                         counters[NGX_HTTP_EXPERIMENT_COUNTERS];
    ngx_atomic_uint_t                currency;
    uint64_t                         feedback;     /* of all phases, in the
                                                      experiment's first */
};


/*
 * Does a part, and says by status->part which comes next.  NGX_AGAIN: there is
 * more; NGX_OK: that was all; NGX_ERROR.
 */

typedef ngx_int_t (*ngx_http_experiment_part_pt)(
    ngx_http_experiment_status_t *s);


struct ngx_http_experiment_status_s {
    ngx_http_request_t              *request;
    ngx_http_experiment_ctx_t       *ctx;
    ngx_http_experiment_worker_t    *worker;
    ngx_http_experiment_zone_t      *zone;
    ngx_http_experiment_part_pt      part;
    ngx_http_experiment_part_pt      print;        /* once all is read */
    struct timespec                  now;

    /* what is read */

    ngx_rbtree_t                     tree;         /* of groups */
    ngx_rbtree_node_t                sentinel;
    ngx_uint_t                       row;          /* of the zone: the next */
    nxe_str_t                       *layers;       /* of the snapshot */
    size_t                           nlayers;
    size_t                           layer;        /* the next */
    ngx_rbtree_node_t               *node;         /* the next to be counted */
    ngx_http_experiment_group_t     *groups;
    ngx_http_experiment_group_t     *first;        /* of the experiment */
    ngx_http_experiment_group_t    **last;

    /* what is printed */

    ngx_http_experiment_line_t       line;         /* the piece at hand */
    ngx_buf_t                        buf;          /* of it, on its way */
    ngx_chain_t                      out;
    ngx_http_experiment_group_t     *group;        /* the next */
    ngx_uint_t                       family;       /* of Prometheus */
    ngx_uint_t                       listed;       /* live experiments */
    ngx_uint_t                       more;         /* live, not listed */
    unsigned                         live:1;       /* without rows, too */
    unsigned                         begun:1;      /* the header is sent */
    unsigned                         ended:1;      /* and the last piece */
    unsigned                         second:1;     /* a comma is due */

    /* of the group at hand */

    nxe_hist_t                       hist;
    uint64_t                         sum;          /* microseconds */
    nxe_hll_t                        hll;
};


/* ngx_http_experiment_status_read.c */

extern const char  *ngx_http_experiment_error_names[];
extern const char  *ngx_http_experiment_token_names[];


ngx_int_t ngx_http_experiment_status_rows(ngx_http_experiment_status_t *s);
ngx_int_t ngx_http_experiment_status_live(ngx_http_experiment_status_t *s);
uint64_t ngx_http_experiment_status_units(ngx_http_experiment_status_t *s,
    ngx_http_experiment_group_t *g);
ngx_uint_t ngx_http_experiment_status_times(ngx_http_experiment_status_t *s,
    ngx_http_experiment_group_t *g, ngx_http_experiment_block_e what);
void ngx_http_experiment_status_currency(ngx_http_experiment_line_t *l,
    ngx_http_experiment_group_t *g);
ngx_int_t ngx_http_experiment_status_age(ngx_http_experiment_status_t *s,
    uint64_t *ms);

/* ngx_http_experiment_status_json.c */

ngx_int_t ngx_http_experiment_status_json(ngx_http_experiment_status_t *s);

/* ngx_http_experiment_prometheus.c */

ngx_int_t ngx_http_experiment_prometheus(ngx_http_experiment_status_t *s);


NXE_END_DECLS

#endif /* _NGX_HTTP_EXPERIMENT_STATUS_H_INCLUDED_ */
