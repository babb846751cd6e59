/*
 * A histogram of durations whose bins are equally wide on a log scale
 * (Masson, Rim, Lee 2019, "DDSketch"): bin i holds (lo * g^i, lo * g^(i+1)],
 * g = 1.01 / 0.99, and stands for its 2 g^(i+1) lo / (1 + g), which is within
 * 1 % of everything in it.  870 bins reach from 0.1 ms to 1 h.  Histograms
 * merge by adding counts, so the order of merging changes nothing.
 *
 * Durations are microseconds.  A shared zone may keep 32-bit counts over the
 * same bins: nxe_hist_bin() and nxe_hist_value() are all that it needs.
 */

#ifndef NXE_HIST_H
#define NXE_HIST_H

#include <nxe/base.h>

NXE_BEGIN_DECLS


#define NXE_HIST_BINS   870
#define NXE_HIST_MIN    100         /* the lower edge of the first bin */
#define NXE_HIST_ERROR  0.01

/*
 * What lies outside is counted in the first or last bin, and in low, high;
 * min and max are exact, and mean nothing while n is 0.
 */

typedef struct {
    uint64_t            n;
    uint64_t            low;        /* below NXE_HIST_MIN */
    uint64_t            high;       /* above the last bin */
    uint64_t            min;
    uint64_t            max;
    uint64_t            bins[NXE_HIST_BINS];
} nxe_hist_t;

/* The bin of a duration; what is outside goes to the nearest bin. */
uint32_t nxe_hist_bin(uint64_t us);

/* The edges of a bin. */
void nxe_hist_edges(uint32_t bin, double *lo, double *hi);

/* The value that a bin stands for. */
double nxe_hist_value(uint32_t bin);

/* An empty histogram is all zero bytes. */
void nxe_hist_add(nxe_hist_t *h, uint64_t us);

typedef struct {
    double              value;      /* within 1 %, from min to max */
    double              lo;         /* the edges of its bin; 0: it is below */
    double              hi;         /* the bins, INFINITY: above them */
} nxe_quantile_t;

/*
 * The quantile of order p, 0 to 1: that of the ceil(p * n)-th smallest value
 * (the inverse of the empirical distribution).  Outside the bins only lo and
 * hi hold: value is the edge nearest to it, or min or max where those are
 * nearer.  NXE_DECLINED: it is empty.
 */
nxe_status_t nxe_hist_quantile(const nxe_hist_t *h, double p,
    nxe_quantile_t *q);


NXE_END_DECLS

#endif /* NXE_HIST_H */
