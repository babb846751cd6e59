/*
 * The counters in shared memory: fixed arrays, claimed once by compare and
 * swap and never given back.  There is neither a lock nor an allocator after
 * the start: a worker that dies anywhere loses what it was adding, and at
 * most one row or block that it was claiming.
 */

#ifndef _NGX_HTTP_EXPERIMENT_ZONE_H_INCLUDED_
#define _NGX_HTTP_EXPERIMENT_ZONE_H_INCLUDED_


#include "ngx_http_experiment.h"

#include <nxe/hist.h>
#include <nxe/hll.h>
#include <nxe/meter.h>

NXE_BEGIN_DECLS


#define NGX_HTTP_EXPERIMENT_CAUSES  7       /* why a body is bypassed */

typedef enum {
    NGX_HTTP_EXPERIMENT_REQUESTS = 0,
    NGX_HTTP_EXPERIMENT_ERROR_5XX,
    NGX_HTTP_EXPERIMENT_ERROR_429,      /* of the upstream */
    NGX_HTTP_EXPERIMENT_ERROR_STREAM,   /* failed after its 200 */
    NGX_HTTP_EXPERIMENT_ABORTED,
    NGX_HTTP_EXPERIMENT_BYPASSED,       /* by cause */
    NGX_HTTP_EXPERIMENT_REJECTED = NGX_HTTP_EXPERIMENT_BYPASSED
                                   + NGX_HTTP_EXPERIMENT_CAUSES,
    NGX_HTTP_EXPERIMENT_TOKENS,         /* by nxe_tokens_t */
    NGX_HTTP_EXPERIMENT_COST = NGX_HTTP_EXPERIMENT_TOKENS + NXE_TOKENS,
    NGX_HTTP_EXPERIMENT_NO_USAGE,       /* no tokens told; not unmetered */
    NGX_HTTP_EXPERIMENT_UNMETERED,
    NGX_HTTP_EXPERIMENT_NO_PRICE,       /* tokens, but no cost */
    NGX_HTTP_EXPERIMENT_FEEDBACK,
    NGX_HTTP_EXPERIMENT_COUNTERS
} ngx_http_experiment_counter_e;

/* Blocks that a row is given at its first hit. */

typedef enum {
    NGX_HTTP_EXPERIMENT_UNITS = 0,      /* nxe_hll_t */
    NGX_HTTP_EXPERIMENT_RESPONSE,       /* times: ngx_http_experiment_times_t */
    NGX_HTTP_EXPERIMENT_TTFT,
    NGX_HTTP_EXPERIMENT_TPOT,
    NGX_HTTP_EXPERIMENT_BLOCKS
} ngx_http_experiment_block_e;

/* Bins are those of hist.h. */

typedef struct {
    ngx_atomic_t        sum;            /* microseconds */
    uint32_t            bins[NXE_HIST_BINS];
} ngx_http_experiment_times_t;

typedef union {
    nxe_hll_t                    units;
    ngx_http_experiment_times_t  times;
} ngx_http_experiment_block_t;

/*
 * A key is phase, then experiment, variant and step, each as a byte of length
 * and that many bytes.  A variant of "_REASON" has those who got the baseline
 * for that reason; the one of outcomes counts feedback alone, and has no step.
 */

#define NGX_HTTP_EXPERIMENT_OUTCOMES  "_feedback"

#define NGX_HTTP_EXPERIMENT_NAME  64
#define NGX_HTTP_EXPERIMENT_KEY   (sizeof(uint64_t)                           \
                                   + 3 * (1 + NGX_HTTP_EXPERIMENT_NAME))

typedef struct {
    ngx_atomic_t        state;          /* 0: free; see the .c file */
    size_t              len;
    u_char              key[NGX_HTTP_EXPERIMENT_KEY];
    ngx_atomic_t        currency;       /* of its cost: the letters, or 0 */
    ngx_atomic_t        counters[NGX_HTTP_EXPERIMENT_COUNTERS];
    ngx_atomic_t        blocks[NGX_HTTP_EXPERIMENT_BLOCKS];   /* 0: none */
} ngx_http_experiment_row_t;

struct ngx_http_experiment_zone_s {
    uint64_t            layout;
    time_t              start;
    ngx_uint_t          nrows;          /* a power of two */
    ngx_uint_t          nblocks;
    ngx_uint_t          nseen;          /* a power of two */

    ngx_atomic_t        used_rows;
    ngx_atomic_t        used_blocks;
    ngx_atomic_t        dropped;        /* rows and blocks that were missing */
    ngx_atomic_t        snapshot_errors;
    ngx_atomic_t        refused;        /* feedback */

    ngx_http_experiment_row_t    *rows;
    ngx_http_experiment_block_t  *blocks;
    ngx_atomic_t                 *seen;
};


/* ngx_http_experiment_zone.c */

typedef struct {
    nxe_str_t           experiment;
    uint64_t            phase;
    nxe_str_t           variant;
    nxe_str_t           step;
} ngx_http_experiment_key_t;

ngx_http_experiment_row_t *ngx_http_experiment_row(
    ngx_http_experiment_zone_t *zone, const ngx_http_experiment_key_t *key);
ngx_http_experiment_block_t *ngx_http_experiment_block(
    ngx_http_experiment_zone_t *zone, ngx_http_experiment_row_t *row,
    ngx_http_experiment_block_e what, ngx_uint_t must);
ngx_uint_t ngx_http_experiment_row_key(ngx_http_experiment_row_t *row,
    ngx_http_experiment_key_t *key);

#define ngx_http_experiment_outcomes_key(key)                                 \
    nxe_str_eq((key)->variant, nxe_str(NGX_HTTP_EXPERIMENT_OUTCOMES))

#define ngx_http_experiment_add(row, what, n)                                 \
    (void) ngx_atomic_fetch_add(&(row)->counters[what],                       \
                                (ngx_atomic_int_t) (n))


NXE_END_DECLS

#endif /* _NGX_HTTP_EXPERIMENT_ZONE_H_INCLUDED_ */
