/*
 * Log-scaled histogram.
 */

#include <math.h>

#include <nxe/hist.h>


/* ln(1.01 / 0.99) */
#define LOG_GROWTH  0.02000066670666952


uint32_t
nxe_hist_bin(uint64_t us)
{
    double    x;
    uint32_t  bin;

    if (us <= NXE_HIST_MIN) {
        return 0;
    }

    x = ceil(log((double) us / NXE_HIST_MIN) / LOG_GROWTH) - 1;
    bin = x < NXE_HIST_BINS ? (uint32_t) x : NXE_HIST_BINS;

    return bin < NXE_HIST_BINS ? bin : NXE_HIST_BINS - 1;
}


void
nxe_hist_edges(uint32_t bin, double *lo, double *hi)
{
    *lo = NXE_HIST_MIN * exp(bin * LOG_GROWTH);
    *hi = NXE_HIST_MIN * exp((bin + 1) * LOG_GROWTH);
}


double
nxe_hist_value(uint32_t bin)
{
    double  lo, hi;

    nxe_hist_edges(bin, &lo, &hi);

    /* the harmonic mean: as far, relatively, from one edge as the other */

    return 2 * lo * hi / (lo + hi);
}


void
nxe_hist_add(nxe_hist_t *h, uint64_t us)
{
    double  lo, hi;

    nxe_hist_edges(NXE_HIST_BINS - 1, &lo, &hi);

    if (h->n == 0 || us < h->min) {
        h->min = us;
    }

    if (h->n == 0 || us > h->max) {
        h->max = us;
    }

    h->n++;
    h->low += (us < NXE_HIST_MIN);
    h->high += ((double) us > hi);
    h->bins[nxe_hist_bin(us)]++;
}


nxe_status_t
nxe_hist_quantile(const nxe_hist_t *h, double p, nxe_quantile_t *q)
{
    double    rank;
    uint32_t  i;
    uint64_t  sum;

    if (h->n == 0 || !(p >= 0 && p <= 1)) {
        return NXE_DECLINED;
    }

    /* 0.95 * 20 is a little above 19 as a double, and must not become 20 */

    rank = ceil(p * (double) h->n * (1 - 1e-12));
    sum = 0;

    for (i = 0; i < NXE_HIST_BINS - 1; i++) {
        sum += h->bins[i];

        if (sum != 0 && (double) sum >= rank) {
            break;
        }
    }

    nxe_hist_edges(i, &q->lo, &q->hi);
    q->value = nxe_hist_value(i);

    /* the values below the bins are the smallest, those above the largest */

    if (h->low != 0 && rank <= (double) h->low) {
        q->lo = 0;
        q->hi = NXE_HIST_MIN;
        q->value = NXE_HIST_MIN;

    } else if (h->high != 0 && rank > (double) (h->n - h->high)) {
        q->lo = q->hi;
        q->hi = INFINITY;
        q->value = q->lo;
    }

    q->value = fmax(q->value, (double) h->min);
    q->value = fmin(q->value, (double) h->max);

    return NXE_OK;
}
