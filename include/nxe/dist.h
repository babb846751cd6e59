/*
 * Distribution functions and random draws.  The only file of the library
 * that uses the GNU Scientific Library; its error handler, which would end
 * the process, is switched off by each call.
 */

#ifndef NXE_DIST_H
#define NXE_DIST_H

#include <nxe/base.h>

NXE_BEGIN_DECLS


/* P(X >= x), X chi-square with df degrees of freedom, df > 0, x >= 0. */
double nxe_dist_chi2_tail(double x, double df);


/* A generator of random numbers (MT19937): one seed, one sequence. */

typedef struct nxe_random_s  nxe_random_t;

/* NULL when there is no memory; free(NULL) does nothing. */
nxe_random_t *nxe_random_new(uint32_t seed);
void nxe_random_free(nxe_random_t *random);

/*
 * Draws n units into arms with probabilities p[0..arms-1], which need not sum
 * to 1.  n is below 2^32.
 */
void nxe_random_multinomial(nxe_random_t *random, uint32_t n,
    const double *p, size_t arms, unsigned *counts);


NXE_END_DECLS

#endif /* NXE_DIST_H */
