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

/* Why entries stand in no row, in the order in which they hold. */

extern const char *const  analyze_reasons[ANALYZE_REASONS];

/* What is asked for.  Variants are those of the phase's document. */

typedef struct {
    nxe_str_t           name;
    int64_t             phase;
    int64_t             since;          /* microseconds, inclusive */
    int64_t             until;          /* exclusive */
    size_t              nvariants;
    nxe_str_t          *variants;
    double             *weights;
} analyze_plan_t;

typedef struct {
    uint64_t            lines;
    uint64_t            bad;
    uint64_t            duplicates;
} analyze_input_t;

/* Requests by line; units, and firsts, once analyze_finish() has been. */

typedef struct {
    uint64_t            requests;
    uint64_t            errors;
    uint64_t            units;
    uint64_t            firsts;         /* first seen in the phase, exposed */
    uint64_t            measured;       /* requests with a response_ms */
    nxe_u128_t          sum;            /* of microseconds, exact */
    nxe_u128_t          squares;
    nxe_hist_t          hist;
} analyze_row_t;

typedef struct {
    int64_t             first_time;     /* over all phases */
    int64_t             first_phase;
    int64_t             exposed_time;
    uint32_t            variant;        /* ANALYZE_NONE: not exposed */
    unsigned            in_phase:1;
    unsigned            two:1;          /* of two variants in the phase */
} analyze_unit_t;

#define ANALYZE_NONE  UINT32_MAX

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
 * counted as such; NXE_CONFLICT: its unit ids are of another key than those
 * before; NXE_NOMEM.
 */
nxe_status_t analyze_line(analyze_t *a, analyze_input_t *input,
    nxe_str_t line, nxe_logline_fault_t *fault, nxe_error_t *err);

/* Counts units and tests the sample ratio, after the last line. */
nxe_status_t analyze_finish(analyze_t *a, nxe_error_t *err);

/* Of response times in milliseconds; n is row->measured. */
double analyze_mean(const analyze_row_t *row);
double analyze_variance(const analyze_row_t *row);      /* n of 2 or more */
double analyze_total(const analyze_row_t *row);


#endif /* EXPCTL_ANALYZE_H */
