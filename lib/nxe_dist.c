/*
 * Distribution functions, by way of GSL.
 */

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>

#include <nxe/dist.h>


double
nxe_dist_chi2_tail(double x, double df)
{
    (void) gsl_set_error_handler_off();

    return gsl_cdf_chisq_Q(x, df);
}


nxe_random_t *
nxe_random_new(uint32_t seed)
{
    gsl_rng  *rng;

    (void) gsl_set_error_handler_off();

    rng = gsl_rng_alloc(gsl_rng_mt19937);
    if (rng != NULL) {
        gsl_rng_set(rng, seed);
    }

    return (nxe_random_t *) rng;
}


void
nxe_random_free(nxe_random_t *random)
{
    if (random != NULL) {
        gsl_rng_free((gsl_rng *) random);
    }
}


void
nxe_random_multinomial(nxe_random_t *random, uint32_t n, const double *p,
    size_t arms, unsigned *counts)
{
    gsl_ran_multinomial((gsl_rng *) random, arms, n, p, counts);
}
