/*
 * The metrics of an arm, by name.
 */

#include <stdlib.h>
#include <string.h>

#include "cli/analyze_print.h"


/* Times with warm and cold, counts and costs by request and unit, the rest. */
#define FIXED  (ANALYZE_TIMES * ANALYZE_TEMPERATURES + 2 * ANALYZE_COUNTS + 12)


typedef struct {
    const cli_t            *cli;
    const analyze_row_t    *row;
    analyze_value_t        *values;
    size_t                  n;
} list_t;


static const double  orders[] = { 0.5, 0.95, 0.99 };


static analyze_value_t *
add(list_t *l, const char *name, uint64_t n)
{
    analyze_value_t  *v;

    v = &l->values[l->n++];
    v->name = name;
    v->n = n;

    return v;
}


static void
add_times(list_t *l)
{
    int                    i, k, t;
    analyze_value_t       *v;
    const analyze_dist_t  *d;

    static const char *const  names[] = {
        "response_ms", "response_ms.warm", "response_ms.cold",
        "ttft_ms", "ttft_ms.warm", "ttft_ms.cold",
        "tpot_ms", "tpot_ms.warm", "tpot_ms.cold",
        "itl_max_ms", "itl_max_ms.warm", "itl_max_ms.cold",
    };

    for (i = 0; i < ANALYZE_TIMES * ANALYZE_TEMPERATURES; i++) {
        t = i / ANALYZE_TEMPERATURES;
        d = &l->row->times[t][i % ANALYZE_TEMPERATURES];

        if (d->n == 0) {
            continue;
        }

        v = add(l, names[i], d->n);
        v->mean = (double) d->sum / (double) d->n / 1000;
        v->total = (double) d->sum / 1000;
        v->has_total = 1;
        v->has_quantiles = 1;

        for (k = 0; k < 3; k++) {
            (void) analyze_time_quantile(d, orders[k], &v->quantiles[k], NULL);
        }

        if (i == ANALYZE_RESPONSE && d->n > 1) {
            v->has_variance = 1;
            v->variance = analyze_variance(l->row);
        }
    }
}


/* A figure of units, whose whole numbers are scale of one. */

static void
add_units(list_t *l, const char *name, const analyze_figure_t *f, double scale)
{
    int               k;
    analyze_value_t  *v;

    if (f->n == 0) {
        return;
    }

    v = add(l, name, f->n);
    v->total = (double) f->sum / scale;
    v->mean = (double) f->sum / (double) f->n / scale;
    v->has_total = 1;
    v->has_quantiles = 1;

    for (k = 0; k < 3; k++) {
        v->quantiles[k] = (double) f->quantiles[k] / scale;
    }
}


static void
add_counts(list_t *l)
{
    int                    i, k;
    analyze_value_t       *v;
    const analyze_dist_t  *d;

    static const char *const  names[][2] = {
        { "input_tokens", "input_tokens.unit" },
        { "output_tokens", "output_tokens.unit" },
        { "tool_calls", "tool_calls.unit" },
    };

    for (i = 0; i < ANALYZE_COUNTS; i++) {
        d = &l->row->counts[i];

        if (d->n == 0) {
            continue;
        }

        v = add(l, names[i][0], d->n);
        v->mean = (double) d->sum / (double) d->n;
        v->total = (double) d->sum;
        v->has_total = 1;
        v->has_quantiles = 1;

        for (k = 0; k < 3; k++) {
            (void) analyze_count_quantile(d, orders[k], &v->quantiles[k]);
        }

        add_units(l, names[i][1], &l->row->sums[i], 1);
    }

    if (l->row->cacheable != 0) {
        v = add(l, "cached_share", l->row->with_cached);
        v->mean = (double) l->row->cached / (double) l->row->cacheable;
    }
}


static void
add_cost(list_t *l, const analyze_plan_t *plan)
{
    int                   k;
    analyze_value_t      *v;
    const analyze_row_t  *row;

    row = l->row;

    if (row->costs == 0) {
        return;
    }

    v = add(l, "cost", row->costs);
    v->total = (double) row->cost / NXE_NANO;
    v->mean = (double) row->cost / (double) row->costs / NXE_NANO;
    v->has_total = 1;
    v->has_quantiles = 1;

    for (k = 0; k < 3; k++) {
        (void) analyze_cost_quantile(row, orders[k], &v->quantiles[k]);
    }

    add_units(l, "cost.unit", &row->sums[ANALYZE_COST], NXE_NANO);

    if (plan->primary == ANALYZE_NONE || row->units == 0
        || plan->metrics[plan->primary].kind != ANALYZE_BINARY)
    {
        return;
    }

    v = add(l, "cost_per_success", row->successes);
    v->total = (double) row->success_cost / NXE_NANO;
    v->has_total = 1;

    if (row->successes == 0) {
        v->reason = "no_successes";

    } else {
        v->mean = (double) row->success_cost / (double) row->successes
                  / NXE_NANO;
    }
}


static void
add_rates(list_t *l)
{
    size_t                i;
    analyze_value_t      *v;
    const analyze_row_t  *row = l->row;

    const struct {
        const char  *name;
        uint64_t     n;
        int          measured;
    } rates[] = {
        { "abort_rate", row->aborted, 1 },
        { "empty_rate", row->empty, row->metered != 0 },
        { "refusal_rate", row->refusals, row->metered != 0 },
        { "truncated_rate", row->truncated, row->metered != 0 },
        { "no_usage_rate", row->no_usage,
          row->metered != 0 || row->no_usage != 0 },
    };

    for (i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {

        if (!rates[i].measured || row->requests == 0) {
            continue;
        }

        v = add(l, rates[i].name, row->requests);
        v->mean = (double) rates[i].n / (double) row->requests;
        v->total = (double) rates[i].n;
        v->has_total = 1;
    }
}


/* Nothing is said of outcomes that nobody sent, in any arm. */

static void
add_outcomes(list_t *l, const analyze_report_t *r)
{
    size_t                    m;
    analyze_value_t          *v;
    const analyze_figure_t   *f;

    if (r->result->nevents == 0 || l->row->units == 0) {
        return;
    }

    for (m = 0; m < r->plan.nmetrics; m++) {
        f = &l->row->outcomes[m];

        if (f->n != 0) {
            add_units(l, r->plan.metrics[m].name.data, f, NXE_NANO);
            v = &l->values[l->n - 1];
            v->has_quantiles = r->plan.metrics[m].kind != ANALYZE_BINARY
                               && r->plan.metrics[m].kind != ANALYZE_RATIO;

        } else {
            v = add(l, r->plan.metrics[m].name.data, 0);
            v->reason = f->immature != 0 ? "immature" : "no_outcomes";
        }

        v->outcome = 1;
        v->missing = f->missing;
        v->immature = f->immature;
    }
}


const analyze_value_t *
analyze_values(const analyze_report_t *r, size_t row, size_t *n)
{
    list_t  l;

    l.cli = r->cli;
    l.row = &r->result->rows[row];
    l.n = 0;
    l.values = nxe_calloc(r->cli->mem, (FIXED + r->plan.nmetrics)
                                       * sizeof(analyze_value_t));
    if (l.values == NULL) {
        cli_error("out of memory");
        exit(CLI_ENV);
    }

    add_times(&l);
    add_counts(&l);
    add_cost(&l, &r->plan);
    add_units(&l, "requests", &l.row->sums[ANALYZE_REQUESTS], 1);
    add_rates(&l);

    if (row < r->plan.nvariants) {
        add_outcomes(&l, r);
    }

    *n = l.n;

    return l.values;
}


const analyze_value_t *
analyze_find(const analyze_value_t *values, size_t n, const char *name)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (strcmp(values[i].name, name) == 0) {
            return &values[i];
        }
    }

    return NULL;
}
