/*
 * What happened between two answers of experiment_status.
 */

#include <string.h>

#include "cli/topdata.h"


static const top_row_t *
find_row(const top_sample_t *s, const top_experiment_t *e,
    const top_row_t *row)
{
    size_t                   i, j;
    const top_row_t         *r;
    const top_experiment_t  *old;

    for (i = 0; i < s->n; i++) {
        old = &s->experiments[i];

        if (!nxe_str_eq(old->name, e->name)) {
            continue;
        }

        for (j = 0; j < old->nrows; j++) {
            r = &old->rows[j];

            if (r->phase == row->phase && nxe_str_eq(r->variant, row->variant)
                && nxe_str_eq(r->step, row->step))
            {
                return r;
            }
        }
    }

    return NULL;
}


/* The exact extremes of what is between two samples are not known. */

static nxe_status_t
subtract(const top_row_t *row, const top_row_t *old, int what, nxe_hist_t *h)
{
    size_t            i;
    const top_bin_t  *b;

    h->max = UINT64_MAX;

    for (i = 0; i < row->nbins[what]; i++) {
        b = &row->bins[what][i];
        h->bins[b->bin] += b->n;
        h->n += b->n;
    }

    for (i = 0; old != NULL && i < old->nbins[what]; i++) {
        b = &old->bins[what][i];

        if (h->bins[b->bin] < b->n) {
            return NXE_INVALID;
        }

        h->bins[b->bin] -= b->n;
        h->n -= b->n;
    }

    return NXE_OK;
}


nxe_status_t
top_window(const top_sample_t *s, const top_experiment_t *e,
    const top_row_t *row, top_window_t *w)
{
    int               i;
    const top_row_t  *old;

    memset(w, 0, sizeof(*w));
    old = s != NULL ? find_row(s, e, row) : NULL;

    for (i = 0; i < TOP_COUNTS; i++) {
        w->counts[i] = row->counts[i];

        if (old != NULL && old->counts[i] > row->counts[i]) {
            return NXE_INVALID;
        }

        w->counts[i] -= old != NULL ? old->counts[i] : 0;
    }

    for (i = 0; i < TOP_TIMES; i++) {
        if (subtract(row, old, i, &w->times[i]) != NXE_OK) {
            return NXE_INVALID;
        }
    }

    return NXE_OK;
}


double
top_quantile(const nxe_hist_t *times, double p)
{
    nxe_quantile_t  q;

    return nxe_hist_quantile(times, p, &q) == NXE_OK ? q.value / 1000 : -1;
}


uint64_t
top_errors(const top_window_t *w)
{
    return w->counts[TOP_5XX] + w->counts[TOP_429] + w->counts[TOP_STREAM];
}
