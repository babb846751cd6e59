/*
 * Distribution functions against values from elsewhere.
 */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <nxe/dist.h>


static void
test_chi2(void **state)
{
    double    x, want;
    size_t    i, df;
    double    term;

    static const struct {
        double       x;
        double       df;
        double       p;
        const char  *source;
    } rows[] = {
        { 3.841458820694124, 1, 0.05, "R: qchisq(0.95, 1)" },
        { 5.991464547107979, 2, 0.05, "-2 ln 0.05" },
        { 10.827566170662733, 1, 0.001, "R: qchisq(0.999, 1)" },
        { 0.192, 1, 0.6612572218537375, "erfc(sqrt(0.096))" },
        { 0, 3, 1, "the whole distribution" },
    };

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_true(fabs(nxe_dist_chi2_tail(rows[i].x, rows[i].df)
                         - rows[i].p) < 1e-14 + 1e-13 * rows[i].p);
    }

    /* even df: exp(-x/2) times the first df/2 terms of exp(x/2) */

    for (df = 2; df <= 60; df += 2) {
        for (x = 0.25; x < 200; x *= 2) {
            term = exp(-x / 2);
            want = 0;

            for (i = 0; i < df / 2; i++) {
                want += term;
                term *= x / 2 / (double) (i + 1);
            }

            assert_true(fabs(nxe_dist_chi2_tail(x, (double) df) - want)
                        <= 1e-11 * want);
        }
    }

    /* odd df of 1: the normal distribution, down to where doubles end */

    for (x = 1e-6; x < 1400; x *= 1.7) {
        want = erfc(sqrt(x / 2));
        assert_true(fabs(nxe_dist_chi2_tail(x, 1) - want) <= 1e-11 * want);
    }

    /* a GSL error must not end the process */

    assert_true(nxe_dist_chi2_tail(1e6, 1) == 0);
}


static void
test_multinomial(void **state)
{
    size_t         i, k;
    double         mean[3] = { 0, 0, 0 };
    unsigned       a[3], b[3];
    nxe_random_t  *one, *two;

    static const double  p[3] = { 1, 0, 3 };

    (void) state;

    one = nxe_random_new(42);
    two = nxe_random_new(42);
    assert_non_null(one);
    assert_non_null(two);

    for (i = 0; i < 1000; i++) {
        nxe_random_multinomial(one, 400, p, 3, a);
        nxe_random_multinomial(two, 400, p, 3, b);
        assert_memory_equal(a, b, sizeof(a));
        assert_int_equal(a[0] + a[1] + a[2], 400);

        for (k = 0; k < 3; k++) {
            mean[k] += a[k] / 1000.0;
        }
    }

    /* five standard errors: sqrt(400 * 3 / 16 / 1000) = 0.27 */

    assert_true(fabs(mean[0] - 100) < 1.4);
    assert_true(mean[1] == 0);
    assert_true(fabs(mean[2] - 300) < 1.4);

    nxe_random_free(one);
    nxe_random_free(two);
    nxe_random_free(NULL);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_chi2),
        cmocka_unit_test(test_multinomial),
    };

    setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 1);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
