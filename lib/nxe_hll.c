/*
 * HyperLogLog.
 */

#include <math.h>

#include <nxe/hll.h>


#define NXE_HLL_Q  (64 - NXE_HLL_BITS)


static double nxe_hll_sigma(double x);
static double nxe_hll_tau(double x);


void
nxe_hll_add(nxe_hll_t *h, uint64_t hash)
{
    uint8_t   rank, seen, *r;
    uint64_t  rest;

    r = &h->registers[hash >> NXE_HLL_Q];
    rest = hash << NXE_HLL_BITS;
    rank = (uint8_t) (rest != 0 ? __builtin_clzll(rest) + 1 : NXE_HLL_Q + 1);

    seen = __atomic_load_n(r, __ATOMIC_RELAXED);

    while (seen < rank
           && !__atomic_compare_exchange_n(r, &seen, rank, 1,
                                           __ATOMIC_RELAXED,
                                           __ATOMIC_RELAXED))
    {
        /* seen is what another process wrote */
    }
}


void
nxe_hll_merge(nxe_hll_t *to, const nxe_hll_t *from)
{
    uint8_t   r;
    unsigned  i;

    for (i = 0; i < NXE_HLL_REGISTERS; i++) {
        r = __atomic_load_n(&from->registers[i], __ATOMIC_RELAXED);

        if (r > to->registers[i]) {
            to->registers[i] = r;
        }
    }
}


/* Ertl 2017, algorithm 6: from how many registers have each value. */

double
nxe_hll_count(const nxe_hll_t *h)
{
    int       k;
    double    z, m;
    uint8_t   r;
    unsigned  i, n[NXE_HLL_Q + 2] = { 0 };

    for (i = 0; i < NXE_HLL_REGISTERS; i++) {
        r = __atomic_load_n(&h->registers[i], __ATOMIC_RELAXED);
        n[r <= NXE_HLL_Q + 1 ? r : NXE_HLL_Q + 1]++;
    }

    m = NXE_HLL_REGISTERS;
    z = m * nxe_hll_tau(1 - n[NXE_HLL_Q + 1] / m);

    for (k = NXE_HLL_Q; k >= 1; k--) {
        z = 0.5 * (z + n[k]);
    }

    z += m * nxe_hll_sigma(n[0] / m);

    return m * m / (2 * log(2) * z);
}


/* x + sum of x^(2^k) 2^(k-1); infinite at 1, where nothing was added. */

static double
nxe_hll_sigma(double x)
{
    double  y, z, last;

    if (x >= 1) {
        return INFINITY;
    }

    y = 1;
    z = x;

    do {
        x *= x;
        last = z;
        z += x * y;
        y += y;
    } while (z > last);

    return z;
}


/* (1 - x - sum of (1 - x^(2^-k))^2 2^-k) / 3 */

static double
nxe_hll_tau(double x)
{
    double  y, z, last;

    if (x <= 0 || x >= 1) {
        return 0;
    }

    y = 1;
    z = 1 - x;

    do {
        x = sqrt(x);
        last = z;
        y *= 0.5;
        z -= (1 - x) * (1 - x) * y;
    } while (z < last);

    return z / 3;
}
