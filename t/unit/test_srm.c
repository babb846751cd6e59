/*
 * Sample ratio mismatch.
 */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <nxe/srm.h>


typedef struct {
    size_t       arms;
    uint64_t     observed[6];
    double       weights[6];
    double       chi2;
    uint32_t     df;
    double       p;
    const char  *method;
    const char  *source;
} row_t;


static void
close_to(double a, double b, double rel, const char *what)
{
    if (fabs(a - b) > rel * (fabs(b) > 1e-300 ? fabs(b) : 1)) {
        fail_msg("%s: %.17g, wanted %.17g", what, a, b);
    }
}


static void
test_one_phase(void **state)
{
    double           rel;
    size_t           i;
    nxe_srm_t        srm;
    nxe_srm_phase_t  phase;

    static const row_t  rows[] = {
        { 2, { 1512, 1488 }, { 0.5, 0.5 },
          0.192, 1, 0.6612572218537375, "chi-square",
          "the example of the command line's reference" },
        { 2, { 821588, 815482 }, { 1, 1 },
          2 * 3053.0 * 3053.0 / 818535, 1, 1.821792872619186e-06, "chi-square",
          "Kohavi et al. 2020: p = 1.8E-6; digits by erfc(sqrt(x / 2))" },
        { 3, { 20, 30, 50 }, { 1, 1, 1 },
          14, 2, 0.00091188196555451624, "chi-square",
          "(13.33^2 + 3.33^2 + 16.67^2) / 33.33 = 14, exp(-7)" },
        { 5, { 89, 37, 30, 28, 2 }, { 40, 20, 20, 15, 5 },
          9.9901, 4, 0.04059, "chi-square",
          "example(chisq.test) of R, to the digits that it prints" },
        { 3, { 1512, 0, 1488 }, { 0.5, 0, 0.5 },
          0.192, 1, 0.6612572218537375, "chi-square",
          "an empty arm of weight 0 is none" },
        { 2, { 1, 8 }, { 1, 1 },
          49 / 9.0, 1, 20 / 512.0, "exact multinomial",
          "2 (1 + 9) / 2^9, counted by hand" },
        { 2, { 5, 0 }, { 1, 1 },
          5, 1, 2 / 32.0, "exact multinomial", "2 / 2^5" },
        { 2, { 2, 7 }, { 0.25, 0.75 },
          1 / 27.0, 1, 1, "exact multinomial",
          "the most probable outcome: all outcomes are counted" },
        { 3, { 4, 0, 0 }, { 1, 1, 1 },
          8, 2, 3 / 81.0, "exact multinomial",
          "3 of 3^4 sequences are of one arm" },
        { 3, { 3, 1, 0 }, { 1, 1, 1 },
          3.5, 2, 27 / 81.0, "exact multinomial",
          "6 splits 3:1:0, 4 sequences each, and the 3 of above" },
        { 2, { 10, 1 }, { 1, 0 },
          0, 0, 0, "unit in an arm of weight 0", "no unit belongs there" },
        { 2, { 10, 0 }, { 1, 0 },
          0, 0, 1, "chi-square", "one arm: nothing to compare" },
    };

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        phase.observed = rows[i].observed;
        phase.weights = rows[i].weights;

        assert_int_equal(nxe_srm(&phase, 1, rows[i].arms, &srm), NXE_OK);
        assert_int_equal(srm.df, rows[i].df);
        assert_string_equal(srm.method, rows[i].method);

        rel = strstr(rows[i].source, "of R") == NULL ? 1e-9 : 1e-4;
        close_to(srm.chi2, rows[i].chi2, rel, rows[i].source);
        close_to(srm.p, rows[i].p, rel, rows[i].source);
    }
}


/*
 * The exact test against exact arithmetic: weights 1/6, 2/6, 3/6, so that
 * every probability is a whole number of 6^-n, and sums have no rounding.
 */

static void
test_exact(void **state)
{
    double           p;
    uint64_t         n, a, b, x, y, here, seen, sum, all;
    nxe_srm_t        srm;
    nxe_srm_phase_t  phase;

    static const double    weights[3] = { 1, 2, 3 };
    static const uint64_t  factorial[11] =
        { 1, 1, 2, 6, 24, 120, 720, 5040, 40320, 362880, 3628800 };

    (void) state;

#define ways(i, j, k)                                                        \
    (factorial[n] / factorial[i] / factorial[j] / factorial[k]               \
     * (1ull << (j)) * (uint64_t) llround(pow(3, (double) (k))))

    for (n = 1; n <= 10; n++) {
        all = (uint64_t) llround(pow(6, (double) n));

        for (a = 0; a <= n; a++) {
            for (b = 0; a + b <= n; b++) {
                uint64_t  observed[3] = { a, b, n - a - b };

                seen = ways(a, b, n - a - b);
                sum = 0;

                for (x = 0; x <= n; x++) {
                    for (y = 0; x + y <= n; y++) {
                        here = ways(x, y, n - x - y);
                        sum += here <= seen ? here : 0;
                    }
                }

                p = (double) sum / (double) all;
                phase.observed = observed;
                phase.weights = weights;

                assert_int_equal(nxe_srm(&phase, 1, 3, &srm), NXE_OK);
                assert_string_equal(srm.method, "exact multinomial");
                close_to(srm.p, p, 1e-9, "exact arithmetic");
            }
        }
    }
}


static void
test_phases(void **state)
{
    double     v, x2;
    nxe_srm_t  one, two;

    static const double    half[2] = { 0.5, 0.5 }, fifth[2] = { 0.8, 0.2 };
    static const double    left[4] = { 1, 1, 0, 0 }, right[4] = { 0, 0, 1, 1 };
    static const uint64_t  a[2] = { 1000, 1040 }, b[2] = { 810, 190 };
    static const uint64_t  c[2] = { 512, 488 }, both[2] = { 1512, 1528 };
    static const uint64_t  l[4] = { 110, 90, 0, 0 }, r[4] = { 0, 0, 130, 70 };

    nxe_srm_phase_t  mixed[2] = { { a, half }, { b, fifth } };
    nxe_srm_phase_t  same[2] = { { a, half }, { c, half } };
    nxe_srm_phase_t  pooled = { both, half };
    nxe_srm_phase_t  apart[2] = { { l, left }, { r, right } };

    (void) state;

    /* two arms: (O - E)^2 / V, V = 2040 / 4 + 1000 * 0.16 */

    v = 2040 * 0.25 + 1000 * 0.16;
    x2 = (1810 - 1820.0) * (1810 - 1820.0) / v;

    assert_int_equal(nxe_srm(mixed, 2, 2, &one), NXE_OK);
    assert_int_equal(one.df, 1);
    close_to(one.chi2, x2, 1e-12, "two phases");
    close_to(one.expected[0], 1820, 1e-12, "expected");

    /* phases of the same weights are one phase */

    assert_int_equal(nxe_srm(same, 2, 2, &one), NXE_OK);
    assert_int_equal(nxe_srm(&pooled, 1, 2, &two), NXE_OK);
    close_to(one.chi2, two.chi2, 1e-12, "equal weights");
    close_to(one.p, two.p, 1e-12, "equal weights");

    /* phases without a common arm: the sum of their own */

    assert_int_equal(nxe_srm(apart, 2, 4, &one), NXE_OK);
    assert_int_equal(one.df, 2);
    close_to(one.chi2, 2 + 18, 1e-12, "disjoint phases");
}


/* What cannot be enumerated is drawn; both agree where both are possible. */

static void
test_drawn(void **state)
{
    double     se;
    nxe_srm_t  exact, drawn, again;

    static const double    w[3] = { 0.5, 0.45, 0.05 };
    static const double    wide[6] = { 0.3, 0.3, 0.3, 0.098, 0.001, 0.001 };
    static const uint64_t  o[3] = { 28, 17, 5 }, zero[3] = { 0, 0, 0 };
    static const uint64_t  many[6] = { 300, 290, 320, 80, 9, 1 };

    nxe_srm_phase_t  phase[2] = { { o, w }, { zero, w } };
    nxe_srm_phase_t  large = { many, wide };

    (void) state;

    assert_int_equal(nxe_srm(phase, 1, 3, &exact), NXE_OK);
    assert_string_equal(exact.method, "exact multinomial");

    /* the ninth unit of an arm that expects one: P(X >= 9) is near 1e-6 */

    assert_int_equal(nxe_srm(&large, 1, 6, &drawn), NXE_OK);
    assert_string_equal(drawn.method, "Monte Carlo, 99999 draws");
    assert_true(drawn.p < NXE_SRM_THRESHOLD);
    assert_true(drawn.p >= 1e-5);

    assert_int_equal(nxe_srm(&large, 1, 6, &again), NXE_OK);
    assert_true(drawn.p == again.p);

    /* a phase without units draws, and judges by X^2: near, not equal */

    assert_int_equal(nxe_srm(phase, 2, 3, &drawn), NXE_OK);
    assert_string_equal(drawn.method, "Monte Carlo, 99999 draws");
    close_to(drawn.chi2, exact.chi2, 1e-9, "chi2");

    se = sqrt(exact.p * (1 - exact.p) / NXE_SRM_DRAWS);
    assert_true(fabs(drawn.p - exact.p) < 0.05 + 5 * se);
}


static void
test_refused(void **state)
{
    nxe_srm_t  srm;

    static const double    w[2] = { 1, 1 }, none[2] = { 0, 0 };
    static const uint64_t  o[2] = { 1, 1 }, zero[2] = { 0, 0 };
    static const uint64_t  big[2] = { UINT32_MAX, 1 };

    nxe_srm_phase_t  empty = { zero, w }, unweighted = { o, none };
    nxe_srm_phase_t  large = { big, w }, good = { o, w };

    (void) state;

    assert_int_equal(nxe_srm(&empty, 1, 2, &srm), NXE_DECLINED);
    assert_int_equal(nxe_srm(&good, 0, 2, &srm), NXE_DECLINED);
    assert_int_equal(nxe_srm(&unweighted, 1, 2, &srm), NXE_INVALID);
    assert_int_equal(nxe_srm(&large, 1, 2, &srm), NXE_INVALID);
    assert_int_equal(nxe_srm(&good, 1, 0, &srm), NXE_INVALID);
    assert_int_equal(nxe_srm(&good, 1, 65, &srm), NXE_INVALID);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_one_phase),
        cmocka_unit_test(test_exact),
        cmocka_unit_test(test_phases),
        cmocka_unit_test(test_drawn),
        cmocka_unit_test(test_refused),
    };

    setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 1);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
