/*
 * Log lines into counts by variant, in one pass.  What comes out does not
 * depend on the order of lines or files.
 */

#ifndef EXPCTL_ANALYZE_H
#define EXPCTL_ANALYZE_H

#include <nxe/base.h>
#include <nxe/frac.h>
#include <nxe/hist.h>
#include <nxe/idset.h>
#include <nxe/logline.h>
#include <nxe/srm.h>


#define ANALYZE_REASONS  14
#define ANALYZE_NAME     64
#define ANALYZE_NONE     UINT32_MAX

/* Why entries stand in no row, in the order in which they hold. */

extern const char *const  analyze_reasons[ANALYZE_REASONS];

/* How values of feedback become one of a unit (docs/statistics.md). */

typedef enum {
    ANALYZE_BINARY = 0,
    ANALYZE_MEAN,
    ANALYZE_COUNT,
    ANALYZE_DURATION,
    ANALYZE_RATIO
} analyze_kind_t;

typedef struct {
    nxe_str_t           name;
    analyze_kind_t      kind;
    unsigned            zero:1;         /* a unit without a value has 0 */
    int64_t             window;         /* microseconds; 0: to the cut-off */
    int64_t             min;            /* of 10^-9 */
    int64_t             max;
} analyze_metric_t;

/* What is asked for.  Variants are those of the phase's document. */

typedef struct {
    nxe_str_t           name;
    int64_t             phase;
    int64_t             since;          /* microseconds, inclusive */
    int64_t             until;          /* exclusive */
    size_t              nvariants;
    nxe_str_t          *variants;
    double             *weights;
    size_t              nmetrics;       /* that feedback brings */
    analyze_metric_t   *metrics;
    uint32_t            primary;        /* of metrics; ANALYZE_NONE: another */
    nxe_str_t           currency;       /* "": that of the log */
    unsigned            trust_open:1;
} analyze_plan_t;

typedef struct {
    uint64_t            lines;
    uint64_t            bad;
    uint64_t            duplicates;
} analyze_input_t;

/* Values of requests: microseconds, or thousandths of tokens in the bins. */

typedef struct {
    uint64_t            n;
    nxe_u128_t          sum;            /* exact */
    nxe_hist_t          hist;
} analyze_dist_t;

typedef enum {
    ANALYZE_RESPONSE = 0,
    ANALYZE_TTFT,
    ANALYZE_TPOT,
    ANALYZE_ITL,
    ANALYZE_TIMES
} analyze_time_t;

/* Of all requests, and of those whose connection was warm, or cold. */

typedef enum {
    ANALYZE_ANY = 0,
    ANALYZE_WARM,
    ANALYZE_COLD,
    ANALYZE_TEMPERATURES
} analyze_temperature_t;

/* Sums of a unit; the first three are distributions of requests, too. */

typedef enum {
    ANALYZE_INPUT = 0,
    ANALYZE_OUTPUT,
    ANALYZE_TOOLS,
    ANALYZE_COUNTS,
    ANALYZE_COST = ANALYZE_COUNTS,
    ANALYZE_REQUESTS,
    ANALYZE_SUMS
} analyze_sum_t;

/* Why there is no usage: "absent" of an answer that was read. */

#define ANALYZE_CAUSES  7

extern const char *const  analyze_causes[ANALYZE_CAUSES];

/*
 * A figure of units.  Sums and quantiles are whole numbers of the unit that
 * is said where it is filled in.
 */

typedef struct {
    uint64_t            n;              /* units, or values of a ratio */
    uint64_t            missing;        /* units of n, or left out, without */
    uint64_t            immature;       /* units left out */
    __int128            sum;
    int64_t             quantiles[3];   /* p50, p95, p99, exact */
} analyze_figure_t;

/* Requests by line; what is of units once analyze_finish() has been. */

typedef struct {
    uint64_t            requests;
    uint64_t            errors;
    uint64_t            units;
    uint64_t            firsts;         /* first seen in the phase, exposed */
    nxe_u128_t          squares;        /* of response times */
    analyze_dist_t      times[ANALYZE_TIMES][ANALYZE_TEMPERATURES];
    analyze_dist_t      counts[ANALYZE_COUNTS];

    uint64_t            costs;          /* requests with a cost */
    nxe_u128_t          cost;           /* of 10^-9 */
    nxe_hist_t          cheap;          /* up to 3.6, of 10^-9 */
    nxe_hist_t          dear;           /* above, of 2^20 10^-9 */

    uint64_t            aborted;
    uint64_t            metered;
    uint64_t            empty;
    uint64_t            refusals;
    uint64_t            truncated;
    uint64_t            no_usage;
    uint64_t            causes[ANALYZE_CAUSES];
    uint64_t            with_cached;    /* requests with both of: */
    nxe_u128_t          cached;
    nxe_u128_t          cacheable;

    analyze_figure_t    sums[ANALYZE_SUMS];
    analyze_figure_t   *outcomes;       /* by metric */
    uint64_t            successes;      /* units, of the primary */
    __int128            success_cost;   /* of the units that it counts */
} analyze_row_t;

typedef struct {
    int64_t             first_time;     /* over all phases */
    int64_t             first_phase;
    int64_t             exposed_time;
    int64_t             sums[ANALYZE_SUMS];
    uint32_t            variant;        /* ANALYZE_NONE: not exposed */
    unsigned            in_phase:1;
    unsigned            two:1;          /* of two variants in the phase */
} analyze_unit_t;

/* What feedback came to nothing for, in the order in which they hold. */

typedef enum {
    ANALYZE_REFUSED = 0,                /* by the edge */
    ANALYZE_UNTRUSTED,
    ANALYZE_UNDECLARED,                 /* the document has no such metric */
    ANALYZE_INVALID,                    /* for the metric */
    ANALYZE_UNKNOWN_REQUEST,
    ANALYZE_NEVER_EXPOSED,
    ANALYZE_BEFORE,                     /* the unit's exposure */
    ANALYZE_AFTER,                      /* its window, or the cut-off */
    ANALYZE_UNHEARD
} analyze_unheard_t;

extern const char *const  analyze_unheard[ANALYZE_UNHEARD];

/* One outcome: when its unit was exposed is known at the end alone. */

typedef struct {
    unsigned char       id[NXE_LOGLINE_ID];
    int64_t             time;
    int64_t             value;          /* of 10^-9 */
    uint32_t            metric;
    uint32_t            by_request;     /* id is the request's */
} analyze_event_t;

typedef struct {
    const analyze_plan_t *plan;
    analyze_row_t      *rows;           /* variants, then not exposed */
    uint64_t            requests;       /* in all rows */
    uint64_t            units;
    uint64_t            two_variants;
    int64_t             first;          /* times of the lines in rows */
    int64_t             last;
    uint64_t            left_out[ANALYZE_REASONS];
    nxe_status_t        srm_status;     /* NXE_DECLINED: no unit to test */
    nxe_srm_t           srm;

    int                 has_key;
    char                key_id[ANALYZE_NAME + 1];
    char                currency[4];    /* "": no cost */

    nxe_idset_t         answers;        /* feedback: who, and n */
    analyze_event_t    *events;
    size_t              nevents;
    size_t              event_room;
    uint64_t            heard;
    uint64_t            unheard[ANALYZE_UNHEARD];
    int64_t             latest;         /* time of any line */
    uint32_t           *request_unit;   /* by number in ids, +1; 0: none */
    size_t              request_room;

    nxe_idset_t         ids;
    nxe_idset_t         unit_ids;
    analyze_unit_t     *unit;           /* by number in unit_ids */
    size_t              unit_room;
    nxe_logline_t       line;
} analyze_t;

/* NULL when there is no memory.  plan must outlive the analysis. */
analyze_t *analyze_new(const analyze_plan_t *plan);
void analyze_free(analyze_t *a);

/*
 * Counts a line.  NXE_INVALID: it is bad, fault says why, and has been
 * counted as such; NXE_CONFLICT: its unit ids are of another key, or its cost
 * is of another currency, than those before; NXE_NOMEM.
 */
nxe_status_t analyze_line(analyze_t *a, analyze_input_t *input,
    nxe_str_t line, nxe_logline_fault_t *fault, nxe_error_t *err);

/* Counts units and tests the sample ratio, after the last line. */
nxe_status_t analyze_finish(analyze_t *a, nxe_error_t *err);

/* One unit has different ids under two keys: NXE_CONFLICT. */
nxe_status_t analyze_check_key(analyze_t *a, nxe_error_t *err);

/*
 * analyze_row.c: adds the line to a row, and to its unit, which may be NULL.
 * NXE_CONFLICT: the currency is another than before.
 */
nxe_status_t analyze_count(analyze_t *a, analyze_row_t *row,
    analyze_unit_t *unit, nxe_error_t *err);

/* The sample variance of response times, ms^2; n is 2 or more. */
double analyze_variance(const analyze_row_t *row);

/*
 * Quantiles of order p: of times in milliseconds, of counts, which below 50
 * are exact, and of costs.  bounds may be NULL.  NXE_DECLINED: of nothing.
 */
nxe_status_t analyze_time_quantile(const analyze_dist_t *d, double p,
    double *value, nxe_quantile_t *bounds);
nxe_status_t analyze_count_quantile(const analyze_dist_t *d, double p,
    double *value);
nxe_status_t analyze_cost_quantile(const analyze_row_t *row, double p,
    double *value);

/*
 * analyze_feedback.c: keeps the outcome of the line, if it is one that
 * counts, until all exposures are known.
 */
nxe_status_t analyze_hear(analyze_t *a, analyze_input_t *input,
    nxe_error_t *err);

/* The unit of a request: number in a->ids, number in a->unit_ids. */
nxe_status_t analyze_remember(analyze_t *a, uint32_t request, uint32_t unit);

/* analyze_units.c: figures of units by arm, once units are in arms. */
nxe_status_t analyze_units(analyze_t *a, nxe_error_t *err);

/*
 * analyze_feedback.c: the outcomes of metric m by unit: sums, and how many
 * values, both by number in a->unit_ids and zero before.
 */
void analyze_outcomes(analyze_t *a, uint32_t m, __int128 *sums,
    uint32_t *counts);

/* When all that counts was over: what was asked for, or the last line. */
int64_t analyze_cutoff(const analyze_t *a);


#endif /* EXPCTL_ANALYZE_H */
