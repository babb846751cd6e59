/*
 * What experiment_status told, and what happened between two answers.
 */

#ifndef EXPCTL_TOPDATA_H
#define EXPCTL_TOPDATA_H

#include <nxe/arena.h>
#include <nxe/base.h>
#include <nxe/hist.h>

#include "cli/cli.h"

#define TOP_UNKNOWN  UINT64_MAX         /* a count that was not told */


typedef enum {
    TOP_RESPONSE = 0,
    TOP_TTFT,
    TOP_TPOT,
    TOP_TIMES
} top_times_e;

typedef enum {
    TOP_REQUESTS = 0,
    TOP_5XX,
    TOP_429,
    TOP_STREAM,
    TOP_ABORTED,
    TOP_INPUT,
    TOP_OUTPUT,
    TOP_COST,                           /* 10^-9 */
    TOP_COUNTS
} top_counts_e;

typedef struct {
    uint32_t            bin;            /* of hist.h */
    uint64_t            n;
} top_bin_t;

typedef struct {
    nxe_str_t           variant;        /* "_REASON": the baseline, so */
    nxe_str_t           step;
    uint64_t            phase;
    uint64_t            units;          /* or TOP_UNKNOWN */
    uint64_t            counts[TOP_COUNTS];
    nxe_str_t           currency;       /* empty: no cost */
    top_bin_t          *bins[TOP_TIMES];    /* in order */
    size_t              nbins[TOP_TIMES];
} top_row_t;

typedef struct {
    nxe_str_t           name;
    nxe_str_t           stage;          /* empty: not told */
    nxe_str_t           layer;
    nxe_str_t           baseline;
    nxe_str_t           exposure;       /* as spelled; empty: none */
    uint64_t            phase;          /* the one in force, else the last */
    uint64_t            revision;
    uint64_t            feedback;       /* of all phases */
    int                 error;
    nxe_str_t          *variants;       /* in the order of the document */
    size_t              nvariants;
    top_row_t          *rows;
    size_t              nrows;
} top_experiment_t;

typedef struct {
    nxe_arena_t        *arena;          /* of all that follows */
    double              at;             /* CLOCK_MONOTONIC, s */
    nxe_str_t           worker;
    nxe_str_t           now;
    nxe_str_t           started;
    uint64_t            transaction;    /* TOP_UNKNOWN: none */
    nxe_str_t           age_s;          /* as spelled */
    uint64_t            snapshot_errors;
    uint64_t            refused;        /* feedback */
    uint64_t            dropped;
    uint64_t            nrows;          /* of the zone */
    uint64_t            nrows_max;
    uint64_t            more;           /* live ones that are not listed */
    top_experiment_t   *experiments;
    size_t              n;
} top_sample_t;


/*
 * Reads an answer, which is not needed afterwards.  NXE_INVALID: it is not
 * that of experiment_status, err has the byte or the pointer, what was found
 * and expected; NXE_NOMEM.
 */
nxe_status_t top_sample_parse(nxe_str_t text, top_sample_t **sample,
    nxe_error_t *err);

/* NULL is allowed. */
void top_sample_free(top_sample_t *sample);

/*
 * 1 if both are of one zone, so that one can be subtracted from the other:
 * the same host, and the counters began at the same time.
 */
int top_sample_same(const top_sample_t *a, const top_sample_t *b);

/* Seconds from the start of the counters to the answer; 0: not known. */
double top_sample_age(const top_sample_t *sample);


/* topwindow.c: a row without what it had in another sample. */

typedef struct {
    uint64_t            counts[TOP_COUNTS];
    nxe_hist_t          times[TOP_TIMES];
} top_window_t;

/*
 * What a row of an experiment counted since a sample; old NULL: since the
 * counters began.  NXE_INVALID: it had counted more then.
 */
nxe_status_t top_window(const top_sample_t *old, const top_experiment_t *e,
    const top_row_t *row, top_window_t *window);

/* Requests that failed, of all classes. */
uint64_t top_errors(const top_window_t *window);

/* A quantile in ms; negative: there is none. */
double top_quantile(const nxe_hist_t *times, double p);


#endif /* EXPCTL_TOPDATA_H */
