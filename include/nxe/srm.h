/*
 * Sample ratio mismatch: are the units in the arms as the weights say?
 *
 * Pearson's chi-square over phases (docs/statistics.md), or, where an arm
 * expects fewer than five units, an exact multinomial test.  A mismatch is
 * p < 0.001 (Kohavi, Tang, Xu 2020, "Trustworthy Online Controlled
 * Experiments", chapter 21).
 */

#ifndef NXE_SRM_H
#define NXE_SRM_H

#include <nxe/base.h>

NXE_BEGIN_DECLS


#define NXE_SRM_THRESHOLD  0.001
#define NXE_SRM_ARMS       64
#define NXE_SRM_EXACT      5000000      /* no more outcomes are enumerated */
#define NXE_SRM_DRAWS      99999

/* The units first seen and exposed in a phase, by arm, and its weights. */

typedef struct {
    const uint64_t     *observed;
    const double       *weights;        /* any scale; 0: an arm of no units */
} nxe_srm_phase_t;

typedef struct {
    double              chi2;
    uint32_t            df;             /* 0: nothing to compare; p is 1 */
    double              p;
    const char         *method;         /* "chi-square", "exact multinomial",
                                           "Monte Carlo, 99999 draws",
                                           "unit in an arm of weight 0" */
    uint64_t            units;
    double              expected[NXE_SRM_ARMS];
} nxe_srm_t;

/*
 * Tests the arms of all phases together.  NXE_DECLINED: no unit at all;
 * NXE_INVALID: more than NXE_SRM_ARMS arms, 2^32 units or more, or a phase
 * without a positive weight; NXE_NOMEM.
 */
nxe_status_t nxe_srm(const nxe_srm_phase_t *phases, size_t nphases,
    size_t arms, nxe_srm_t *srm);


NXE_END_DECLS

#endif /* NXE_SRM_H */
