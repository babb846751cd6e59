/*
 * What a request adds to its row and its unit, and figures of requests.
 */

#include <math.h>
#include <string.h>

#include "cli/analyze.h"


/* Bins of costs end at 3.6 times 10^9: dearer ones are scaled by this. */
#define DEAR        3600000000u
#define DEAR_SHIFT  20


const char *const  analyze_causes[ANALYZE_CAUSES] = {
    "absent", "encoded", "type", "size", "malformed", "memory", "other"
};


static void
add(analyze_dist_t *d, int64_t value, uint64_t scale)
{
    d->n++;
    d->sum += (uint64_t) value;
    nxe_hist_add(&d->hist, (uint64_t) value * scale);
}


static void
count_times(analyze_row_t *row, const nxe_logline_t *line)
{
    int            i;
    const int64_t  times[] = { line->response_us, line->ttft_us,
                               line->tpot_us, line->itl_max_us };

    for (i = 0; i < ANALYZE_TIMES; i++) {

        if (times[i] == NXE_LOGLINE_UNKNOWN) {
            continue;
        }

        add(&row->times[i][ANALYZE_ANY], times[i], 1);

        if (line->cold != NXE_LOG_ABSENT) {
            add(&row->times[i][line->cold == NXE_LOG_TRUE ? ANALYZE_COLD
                                                          : ANALYZE_WARM],
                times[i], 1);
        }
    }

    if (line->response_us != NXE_LOGLINE_UNKNOWN) {
        row->squares += (nxe_u128_t) line->response_us
                        * (uint64_t) line->response_us;
    }
}


/* A unit's sum: 2^23 requests of the largest count would be too much. */

static void
add_capped(int64_t *sum, int64_t value)
{
    if (__builtin_add_overflow(*sum, value, sum)) {
        *sum = INT64_MAX;
    }
}


static void
count_tokens(analyze_row_t *row, analyze_unit_t *unit,
    const nxe_logline_t *line)
{
    int            i;
    const int64_t  counts[] = { line->input_tokens, line->output_tokens,
                                line->tool_calls };

    for (i = 0; i < ANALYZE_COUNTS; i++) {

        if (counts[i] == NXE_LOGLINE_UNKNOWN) {
            continue;
        }

        add(&row->counts[i], counts[i], 1000);

        if (unit != NULL) {
            add_capped(&unit->sums[i], counts[i]);
        }
    }

    if (line->input_tokens != NXE_LOGLINE_UNKNOWN
        && line->cached_tokens != NXE_LOGLINE_UNKNOWN)
    {
        row->with_cached++;
        row->cached += (uint64_t) line->cached_tokens;
        row->cacheable += (uint64_t) line->input_tokens;
    }
}


/* An answer without usage, and a cause that no module writes is "other". */

static void
count_usage(analyze_row_t *row, const nxe_logline_t *line)
{
    size_t  i;

    row->metered += (uint64_t) line->metered;
    row->empty += (line->empty == NXE_LOG_TRUE);
    row->refusals += (line->refusal == NXE_LOG_TRUE);
    row->truncated += (line->truncated == NXE_LOG_TRUE);

    if (line->output_tokens != NXE_LOGLINE_UNKNOWN
        || (!line->metered && line->unmetered.len == 0))
    {
        return;
    }

    i = 0;

    if (line->unmetered.len != 0) {
        for (i = 1; i < ANALYZE_CAUSES - 1; i++) {
            if (nxe_str_eq(nxe_str_of(analyze_causes[i]), line->unmetered)) {
                break;
            }
        }
    }

    row->no_usage++;
    row->causes[i]++;
}


static nxe_status_t
count_cost(analyze_t *a, analyze_row_t *row, analyze_unit_t *unit,
    nxe_error_t *err)
{
    uint64_t              cost;
    const nxe_logline_t  *line;

    line = &a->line;

    if (line->cost == NXE_LOGLINE_UNKNOWN) {
        return NXE_OK;
    }

    if (a->currency[0] == '\0') {
        memcpy(a->currency, a->plan->currency.len != 0
                            ? a->plan->currency.data : line->currency.data, 3);
    }

    if (!nxe_str_eq(line->currency, nxe_str_of(a->currency))) {
        return nxe_fail(err, NXE_CONFLICT, "a cost in '%.*s', where %s '%s':"
                        " amounts of two currencies are never added",
                        (int) line->currency.len, line->currency.data,
                        a->plan->currency.len != 0
                        ? "the document has" : "those before are in",
                        a->currency);
    }

    cost = (uint64_t) line->cost;
    row->costs++;
    row->cost += cost;

    if (cost <= DEAR) {
        nxe_hist_add(&row->cheap, cost);
    } else {
        nxe_hist_add(&row->dear, cost >> DEAR_SHIFT);
    }

    if (unit != NULL) {
        add_capped(&unit->sums[ANALYZE_COST], line->cost);
    }

    return NXE_OK;
}


nxe_status_t
analyze_count(analyze_t *a, analyze_row_t *row, analyze_unit_t *unit,
    nxe_error_t *err)
{
    const nxe_logline_t  *line;

    line = &a->line;
    row->requests++;
    a->requests++;

    if (line->time < a->first) {
        a->first = line->time;
    }

    if (line->time > a->last) {
        a->last = line->time;
    }

    if ((line->status >= 500 && line->status <= 599)
        || line->upstream_status == 429
        || line->stream_error == NXE_LOG_TRUE)
    {
        row->errors++;
    }

    row->aborted += (uint64_t) (line->aborted != 0);

    if (unit != NULL) {
        add_capped(&unit->sums[ANALYZE_REQUESTS], 1);
    }

    count_times(row, line);
    count_tokens(row, unit, line);
    count_usage(row, line);

    return count_cost(a, row, unit, err);
}


/*
 * Sum of squares less sum^2 / n, over n - 1.  With sum = q n + r it is
 * squares - q^2 n - 2 q r - r^2 / n, of which only the last term is no whole
 * number: nothing cancels.
 */

double
analyze_variance(const analyze_row_t *row)
{
    double                 left;
    uint64_t               n;
    nxe_u128_t             q, r;
    const analyze_dist_t  *d;

    d = &row->times[ANALYZE_RESPONSE][ANALYZE_ANY];
    n = d->n;
    q = d->sum / n;
    r = d->sum % n;

    left = (double) (row->squares - q * q * n - 2 * q * r)
           - (double) r * (double) r / (double) n;

    return left / (double) (n - 1) / 1e6;
}


nxe_status_t
analyze_time_quantile(const analyze_dist_t *d, double p, double *value,
    nxe_quantile_t *bounds)
{
    nxe_status_t    rc;
    nxe_quantile_t  q;

    rc = nxe_hist_quantile(&d->hist, p, &q);

    if (rc == NXE_OK) {
        *value = q.value / 1000;

        if (bounds != NULL) {
            *bounds = q;
        }
    }

    return rc;
}


/*
 * A bin below 50 has one whole number, which its value is within 1 % of; what
 * is below the bins is 0, and rounds to it.
 */

nxe_status_t
analyze_count_quantile(const analyze_dist_t *d, double p, double *value)
{
    nxe_status_t    rc;
    nxe_quantile_t  q;

    rc = nxe_hist_quantile(&d->hist, p, &q);

    if (rc == NXE_OK) {
        *value = q.value / 1000;

        if (*value < 49.5) {
            *value = nearbyint(*value);
        }
    }

    return rc;
}


nxe_status_t
analyze_cost_quantile(const analyze_row_t *row, double p, double *value)
{
    double          rank;
    nxe_status_t    rc;
    nxe_quantile_t  q;

    if (row->costs == 0) {
        return NXE_DECLINED;
    }

    rank = ceil(p * (double) row->costs * (1 - 1e-12));

    if (rank <= (double) row->cheap.n) {
        rc = nxe_hist_quantile(&row->cheap, rank / (double) row->cheap.n, &q);
        *value = q.value / NXE_NANO;

        return rc;
    }

    rank -= (double) row->cheap.n;
    rc = nxe_hist_quantile(&row->dear, rank / (double) row->dear.n, &q);
    *value = ldexp(q.value, DEAR_SHIFT) / NXE_NANO;

    return rc;
}
