/*
 * Sample ratio mismatch.
 */

#include <math.h>
#include <string.h>

#include <nxe/dist.h>
#include <nxe/srm.h>


#define MIN_EXPECTED  5
#define SEED          20260521u

/* Outcomes this close in probability are equally probable (as in R). */
#define SAME          1e-7


/*
 * V of all phases without one arm of each component (arms that share a phase
 * are one component), as a Cholesky factor.  V is singular, for the counts
 * of a component sum to a constant; what is left is not, and gives the same
 * X^2 as any generalised inverse of V.
 */

typedef struct {
    size_t              n;
    size_t              arm[NXE_SRM_ARMS];
    double              l[NXE_SRM_ARMS][NXE_SRM_ARMS];
} factor_t;

/* Walks all ways to put n units into arms. */

typedef struct {
    size_t              arms;
    double              log_p[NXE_SRM_ARMS];
    double              limit;      /* count outcomes up to this log */
    double              sum;
} outcomes_t;


static void expect(const nxe_srm_phase_t *phases, size_t nphases, size_t arms,
    nxe_srm_t *srm);
static double statistic(const factor_t *f, const double *diff);
static void factorise(const nxe_srm_phase_t *phases, size_t nphases,
    size_t arms, factor_t *f);
static nxe_status_t small_cells(const nxe_srm_phase_t *phases, size_t nphases,
    size_t arms, const factor_t *f, nxe_srm_t *srm);
static void enumerate(outcomes_t *o, size_t arm, uint64_t left,
    double log_so_far);
static nxe_status_t draw(const nxe_srm_phase_t *phases, size_t nphases,
    size_t arms, const factor_t *f, nxe_srm_t *srm);


static double
log_factorial(uint64_t n)
{
    int  sign;

    return lgamma_r((double) n + 1, &sign);
}


static uint64_t
phase_units(const nxe_srm_phase_t *phase, size_t arms)
{
    size_t    i;
    uint64_t  n;

    n = 0;

    for (i = 0; i < arms; i++) {
        n += phase->observed[i];
    }

    return n;
}


static double
phase_weight(const nxe_srm_phase_t *phase, size_t arms)
{
    size_t  i;
    double  w;

    w = 0;

    for (i = 0; i < arms; i++) {
        w += phase->weights[i];
    }

    return w;
}


nxe_status_t
nxe_srm(const nxe_srm_phase_t *phases, size_t nphases, size_t arms,
    nxe_srm_t *srm)
{
    size_t        i, e;
    double        diff[NXE_SRM_ARMS];
    factor_t      f;
    nxe_srm_t     r;
    nxe_status_t  rc;

    memset(&r, 0, sizeof(nxe_srm_t));

    if (arms == 0 || arms > NXE_SRM_ARMS) {
        return NXE_INVALID;
    }

    for (e = 0; e < nphases; e++) {
        r.units += phase_units(&phases[e], arms);

        if (!(phase_weight(&phases[e], arms) > 0)) {
            return NXE_INVALID;
        }
    }

    if (r.units == 0) {
        return NXE_DECLINED;
    }

    if (r.units > UINT32_MAX) {
        return NXE_INVALID;
    }

    expect(phases, nphases, arms, &r);
    factorise(phases, nphases, arms, &f);

    for (i = 0; i < arms; i++) {
        diff[i] = -r.expected[i];

        for (e = 0; e < nphases; e++) {
            diff[i] += (double) phases[e].observed[i];
        }
    }

    r.df = (uint32_t) f.n;
    r.chi2 = statistic(&f, diff);
    r.p = 1;
    r.method = "chi-square";

    for (e = 0; e < nphases; e++) {
        for (i = 0; i < arms; i++) {
            if (phases[e].weights[i] == 0 && phases[e].observed[i] != 0) {
                r.p = 0;
                r.method = "unit in an arm of weight 0";
            }
        }
    }

    if (r.p == 1 && r.df != 0) {
        r.p = nxe_dist_chi2_tail(r.chi2, r.df);

        rc = small_cells(phases, nphases, arms, &f, &r);
        if (rc != NXE_OK) {
            return rc;
        }
    }

    *srm = r;
    return NXE_OK;
}


static void
expect(const nxe_srm_phase_t *phases, size_t nphases, size_t arms,
    nxe_srm_t *srm)
{
    size_t  i, e;
    double  share;

    for (e = 0; e < nphases; e++) {
        share = (double) phase_units(&phases[e], arms)
                / phase_weight(&phases[e], arms);

        for (i = 0; i < arms; i++) {
            srm->expected[i] += share * phases[e].weights[i];
        }
    }
}


/* Each arm points to an arm with a lower index of its component. */

static void
components(const nxe_srm_phase_t *phases, size_t nphases, size_t arms,
    size_t *root)
{
    size_t  i, j, e, first, from, to;

    for (i = 0; i < arms; i++) {
        root[i] = i;
    }

    for (e = 0; e < nphases; e++) {
        first = arms;

        if (phase_units(&phases[e], arms) == 0) {
            continue;
        }

        for (i = 0; i < arms; i++) {
            if (phases[e].weights[i] == 0) {
                continue;
            }

            if (first == arms) {
                first = i;
            }

            from = root[i] > root[first] ? root[i] : root[first];
            to = root[i] > root[first] ? root[first] : root[i];

            for (j = 0; j < arms; j++) {
                if (root[j] == from) {
                    root[j] = to;
                }
            }
        }
    }
}


static double
covariance(const nxe_srm_phase_t *phases, size_t nphases, size_t arms,
    size_t i, size_t j)
{
    size_t  e;
    double  n, v, w, wi, wj;

    v = 0;

    for (e = 0; e < nphases; e++) {
        n = (double) phase_units(&phases[e], arms);
        w = phase_weight(&phases[e], arms);
        wi = phases[e].weights[i] / w;
        wj = phases[e].weights[j] / w;

        v += (i == j) ? n * wi * (1 - wi) : -n * wi * wj;
    }

    return v;
}


static void
factorise(const nxe_srm_phase_t *phases, size_t nphases, size_t arms,
    factor_t *f)
{
    size_t  i, j, k, root[NXE_SRM_ARMS];
    double  sum;

    components(phases, nphases, arms, root);

    f->n = 0;

    for (i = 0; i < arms; i++) {
        if (root[i] != i) {
            f->arm[f->n++] = i;
        }
    }

    for (i = 0; i < f->n; i++) {
        for (j = 0; j <= i; j++) {
            sum = covariance(phases, nphases, arms, f->arm[i], f->arm[j]);

            for (k = 0; k < j; k++) {
                sum -= f->l[i][k] * f->l[j][k];
            }

            f->l[i][j] = (i == j) ? sqrt(sum) : sum / f->l[j][j];
        }
    }
}


/* |L^-1 d|^2 */

static double
statistic(const factor_t *f, const double *diff)
{
    size_t  i, k;
    double  sum, x2, y[NXE_SRM_ARMS];

    x2 = 0;

    for (i = 0; i < f->n; i++) {
        sum = diff[f->arm[i]];

        for (k = 0; k < i; k++) {
            sum -= f->l[i][k] * y[k];
        }

        y[i] = sum / f->l[i][i];
        x2 += y[i] * y[i];
    }

    return x2;
}


/* The number of outcomes, or something larger than the most we enumerate. */

static double
outcome_count(uint64_t n, size_t arms)
{
    size_t  i;
    double  count;

    count = 1;

    for (i = 1; i < arms && count <= NXE_SRM_EXACT; i++) {
        count *= ((double) n + (double) i) / (double) i;
    }

    return count;
}


static nxe_status_t
small_cells(const nxe_srm_phase_t *phases, size_t nphases, size_t arms,
    const factor_t *f, nxe_srm_t *srm)
{
    size_t      i;
    double      w, log_observed;
    outcomes_t  o;

    for (i = 0; i < arms; i++) {
        if (srm->expected[i] > 0 && srm->expected[i] < MIN_EXPECTED) {
            break;
        }
    }

    if (i == arms) {
        return NXE_OK;
    }

    if (nphases != 1 || outcome_count(srm->units, f->n + 1) > NXE_SRM_EXACT) {
        return draw(phases, nphases, arms, f, srm);
    }

    w = phase_weight(phases, arms);
    log_observed = log_factorial(srm->units);
    o.arms = 0;
    o.sum = 0;

    for (i = 0; i < arms; i++) {
        if (phases->weights[i] == 0) {
            continue;
        }

        o.log_p[o.arms] = log(phases->weights[i] / w);
        log_observed += (double) phases->observed[i] * o.log_p[o.arms]
                        - log_factorial(phases->observed[i]);
        o.arms++;
    }

    o.limit = log_observed + SAME;

    enumerate(&o, 0, srm->units, log_factorial(srm->units));

    srm->p = o.sum < 1 ? o.sum : 1;
    srm->method = "exact multinomial";

    return NXE_OK;
}


static void
enumerate(outcomes_t *o, size_t arm, uint64_t left, double log_so_far)
{
    double    log_here;
    uint64_t  i;

    if (arm + 1 == o->arms) {
        log_here = log_so_far + (double) left * o->log_p[arm]
                   - log_factorial(left);

        if (log_here <= o->limit) {
            o->sum += exp(log_here);
        }

        return;
    }

    for (i = 0; i <= left; i++) {
        enumerate(o, arm + 1, left - i,
                  log_so_far + (double) i * o->log_p[arm] - log_factorial(i));
    }
}


/* How far an outcome is from the expected one: larger is farther. */

static double
distance(const nxe_srm_phase_t *phases, size_t nphases, size_t arms,
    const factor_t *f, const nxe_srm_t *srm, const uint64_t *counts)
{
    size_t  i;
    double  diff[NXE_SRM_ARMS], far;

    if (nphases != 1) {
        for (i = 0; i < arms; i++) {
            diff[i] = (double) counts[i] - srm->expected[i];
        }

        return statistic(f, diff);
    }

    /* the logarithm of its improbability, but for a constant */

    far = 0;

    for (i = 0; i < arms; i++) {
        if (phases->weights[i] > 0) {
            far += log_factorial(counts[i])
                   - (double) counts[i] * log(phases->weights[i]);
        }
    }

    return far;
}


/*
 * Too many outcomes, or several phases: random outcomes under the weights.
 * Those at least as far from the expectation as what was observed are counted
 * together with it (Phipson, Smyth 2010), so that p is never 0.
 */

static nxe_status_t
draw(const nxe_srm_phase_t *phases, size_t nphases, size_t arms,
    const factor_t *f, nxe_srm_t *srm)
{
    double         limit;
    size_t         e, i;
    unsigned       drawn[NXE_SRM_ARMS];
    uint32_t       b, far;
    uint64_t       counts[NXE_SRM_ARMS];
    nxe_random_t  *random;

    random = nxe_random_new(SEED);
    if (random == NULL) {
        return NXE_NOMEM;
    }

    memset(counts, 0, sizeof(counts));

    for (e = 0; e < nphases; e++) {
        for (i = 0; i < arms; i++) {
            counts[i] += phases[e].observed[i];
        }
    }

    limit = distance(phases, nphases, arms, f, srm, counts) - SAME;
    far = 0;

    for (b = 0; b < NXE_SRM_DRAWS; b++) {
        memset(counts, 0, sizeof(counts));

        for (e = 0; e < nphases; e++) {
            nxe_random_multinomial(random,
                                   (uint32_t) phase_units(&phases[e], arms),
                                   phases[e].weights, arms, drawn);

            for (i = 0; i < arms; i++) {
                counts[i] += drawn[i];
            }
        }

        far += (distance(phases, nphases, arms, f, srm, counts) >= limit);
    }

    nxe_random_free(random);

    srm->p = (far + 1.0) / (NXE_SRM_DRAWS + 1.0);
    srm->method = "Monte Carlo, 99999 draws";

    return NXE_OK;
}
