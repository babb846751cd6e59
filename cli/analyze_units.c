/*
 * Figures of units by arm.  All sums are of whole numbers, so that the order
 * of units changes nothing.
 */

#include <stdlib.h>
#include <string.h>

#include "cli/analyze.h"


/* Units of the arms, grouped, and room for what is done with them. */

typedef struct {
    uint32_t           *units;          /* numbers, arm after arm */
    size_t             *first;          /* of an arm in units; one more */
    int64_t            *values;
    __int128           *sums;           /* by number of the unit */
    uint32_t           *counts;
} work_t;


static int
compare(const void *a, const void *b)
{
    int64_t  x = *(const int64_t *) a, y = *(const int64_t *) b;

    return (x > y) - (x < y);
}


/* The ceil(p n)-th smallest, as nxe_hist_quantile() has it. */

static void
set_quantiles(analyze_figure_t *f, int64_t *values, size_t n)
{
    int     i;
    size_t  rank;

    static const size_t  percent[] = { 50, 95, 99 };

    if (n == 0) {
        return;
    }

    qsort(values, n, sizeof(int64_t), compare);

    for (i = 0; i < 3; i++) {
        rank = n / 100 * percent[i] + (n % 100 * percent[i] + 99) / 100;
        f->quantiles[i] = values[rank - 1];
    }
}


static void
free_work(work_t *w)
{
    free(w->units);
    free(w->first);
    free(w->values);
    free(w->sums);
    free(w->counts);
}


static nxe_status_t
group(analyze_t *a, work_t *w)
{
    size_t    arms, i;
    uint32_t  v;

    arms = a->plan->nvariants;
    memset(w, 0, sizeof(work_t));

    w->units = calloc(a->unit_ids.n + 1, sizeof(uint32_t));
    w->values = calloc(a->unit_ids.n + 1, sizeof(int64_t));
    w->first = calloc(arms + 2, sizeof(size_t));

    if (w->units == NULL || w->values == NULL || w->first == NULL) {
        return NXE_NOMEM;
    }

    if (a->plan->nmetrics != 0) {
        w->sums = calloc(a->unit_ids.n + 1, sizeof(__int128));
        w->counts = calloc(a->unit_ids.n + 1, sizeof(uint32_t));

        if (w->sums == NULL || w->counts == NULL) {
            return NXE_NOMEM;
        }
    }

    /* first[v + 1] is where the next unit of v goes, and ends as its end */

    for (i = 0; i < a->unit_ids.n; i++) {
        v = a->unit[i].variant;

        if (v != ANALYZE_NONE && v + 2 <= arms) {
            w->first[v + 2]++;
        }
    }

    for (i = 2; i <= arms; i++) {
        w->first[i] += w->first[i - 1];
    }

    for (i = 0; i < a->unit_ids.n; i++) {
        v = a->unit[i].variant;

        if (v != ANALYZE_NONE) {
            w->units[w->first[v + 1]++] = (uint32_t) i;
        }
    }

    return NXE_OK;
}


static void
sum_units(analyze_t *a, work_t *w, size_t arm, analyze_sum_t what)
{
    size_t             i, n;
    int64_t            value;
    analyze_figure_t  *f;

    f = &a->rows[arm].sums[what];
    n = 0;

    for (i = w->first[arm]; i < w->first[arm + 1]; i++) {
        value = a->unit[w->units[i]].sums[what];
        w->values[n++] = value;
        f->sum += value;
    }

    f->n = n;
    set_quantiles(f, w->values, n);
}


/* What a unit's values come to, of 10^-9; a mean is rounded to that. */

static int64_t
unit_value(analyze_kind_t kind, __int128 sum, uint32_t count)
{
    __int128  half;

    if (kind == ANALYZE_BINARY) {
        return sum != 0 ? NXE_NANO : 0;
    }

    if (kind == ANALYZE_MEAN || kind == ANALYZE_DURATION) {
        half = count / 2;
        return (int64_t) ((sum + (sum < 0 ? -half : half)) / count);
    }

    return sum > INT64_MAX ? INT64_MAX : sum < INT64_MIN ? INT64_MIN
                                                         : (int64_t) sum;
}


static void
sum_outcomes(analyze_t *a, work_t *w, size_t arm, uint32_t m)
{
    size_t                   i, n;
    int64_t                  cutoff, value;
    uint32_t                 unit;
    analyze_row_t           *row;
    analyze_figure_t        *f;
    const analyze_unit_t    *u;
    const analyze_metric_t  *metric;

    row = &a->rows[arm];
    f = &row->outcomes[m];
    metric = &a->plan->metrics[m];
    cutoff = analyze_cutoff(a);
    n = 0;

    for (i = w->first[arm]; i < w->first[arm + 1]; i++) {
        unit = w->units[i];
        u = &a->unit[unit];

        if (metric->window != 0 && cutoff - metric->window < u->exposed_time) {
            f->immature++;
            continue;
        }

        if (m == a->plan->primary) {
            row->success_cost += u->sums[ANALYZE_COST];
        }

        if (w->counts[unit] == 0) {
            f->missing++;

            if (!metric->zero) {
                continue;
            }

            value = 0;

        } else {
            value = unit_value(metric->kind, w->sums[unit], w->counts[unit]);
        }

        if (m == a->plan->primary && value != 0) {
            row->successes++;
        }

        w->values[n++] = value;

        /* of a ratio every value counts for itself */

        f->n += metric->kind != ANALYZE_RATIO || w->counts[unit] == 0
                ? 1 : w->counts[unit];
        f->sum += metric->kind == ANALYZE_RATIO ? w->sums[unit] : value;
    }

    set_quantiles(f, w->values, n);
}


nxe_status_t
analyze_units(analyze_t *a, nxe_error_t *err)
{
    int       what;
    size_t    arm;
    work_t    w;
    uint32_t  m;

    if (group(a, &w) != NXE_OK) {
        free_work(&w);
        return nxe_fail(err, NXE_NOMEM, "out of memory");
    }

    for (arm = 0; arm < a->plan->nvariants; arm++) {
        for (what = 0; what < ANALYZE_SUMS; what++) {
            sum_units(a, &w, arm, (analyze_sum_t) what);
        }
    }

    for (m = 0; m < a->plan->nmetrics; m++) {
        memset(w.sums, 0, a->unit_ids.n * sizeof(__int128));
        memset(w.counts, 0, a->unit_ids.n * sizeof(uint32_t));
        analyze_outcomes(a, m, w.sums, w.counts);

        for (arm = 0; arm < a->plan->nvariants; arm++) {
            sum_outcomes(a, &w, arm, m);
        }
    }

    free_work(&w);

    return NXE_OK;
}
