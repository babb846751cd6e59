/*
 * The histogram: its error bound, merging, and what is out of range.
 */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <nxe/hist.h>


#define HOUR  UINT64_C(3600000000)      /* microseconds */


static uint64_t
next(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407u;

    return *seed >> 33;
}


static void
check_value(uint64_t us)
{
    double    lo, hi, v;
    uint32_t  bin;

    bin = nxe_hist_bin(us);
    nxe_hist_edges(bin, &lo, &hi);
    v = nxe_hist_value(bin);

    assert_in_range(bin, 0, NXE_HIST_BINS - 1);
    assert_true((double) us >= lo * (1 - 1e-12));
    assert_true((double) us <= hi * (1 + 1e-12));
    assert_true(fabs(v - (double) us) <= NXE_HIST_ERROR * (double) us
                                         * (1 + 1e-9));
}


static void
test_error(void **state)
{
    double    lo, hi;
    uint32_t  bin;
    uint64_t  us;

    (void) state;

    /* every microsecond up to a second, then every 0.001 % up to an hour */

    for (us = NXE_HIST_MIN; us < 1000000; us++) {
        check_value(us);
    }

    for ( /* void */ ; us <= HOUR; us += us / 100000) {
        check_value(us);
    }

    check_value(HOUR);

    /* and both sides of every edge */

    for (bin = 0; bin < NXE_HIST_BINS; bin++) {
        nxe_hist_edges(bin, &lo, &hi);
        check_value((uint64_t) ceil(lo));
        check_value((uint64_t) floor(hi));
    }
}


static void
test_bins(void **state)
{
    uint32_t  bin, before;
    uint64_t  us;

    (void) state;

    before = 0;

    for (us = 1; us < 4000000000u; us += 1 + us / 500) {
        bin = nxe_hist_bin(us);
        assert_true(bin >= before);
        before = bin;
    }

    assert_int_equal(nxe_hist_bin(NXE_HIST_MIN), 0);
    assert_int_equal(nxe_hist_bin(NXE_HIST_MIN + 3), 1);
    assert_int_equal(nxe_hist_bin(HOUR), NXE_HIST_BINS - 1);
}


static void
test_extremes(void **state)
{
    size_t          i;
    nxe_hist_t      h, one;
    nxe_quantile_t  q;

    static const uint64_t  alone[] = { 0, 1, 99, 100, 5000, HOUR, 24 * HOUR };

    (void) state;

    memset(&h, 0, sizeof(nxe_hist_t));
    assert_int_equal(nxe_hist_quantile(&h, 0.5, &q), NXE_DECLINED);

    nxe_hist_add(&h, 0);
    nxe_hist_add(&h, NXE_HIST_MIN - 1);
    nxe_hist_add(&h, NXE_HIST_MIN);
    nxe_hist_add(&h, 2 * HOUR);
    nxe_hist_add(&h, UINT64_MAX);

    assert_int_equal(h.n, 5);
    assert_int_equal(h.low, 2);
    assert_int_equal(h.high, 2);
    assert_int_equal(h.bins[0], 3);
    assert_int_equal(h.bins[NXE_HIST_BINS - 1], 2);

    assert_int_equal(h.min, 0);
    assert_true(h.max == UINT64_MAX);

    assert_int_equal(nxe_hist_quantile(&h, 0.2, &q), NXE_OK);
    assert_true(q.lo == 0 && q.hi == NXE_HIST_MIN);

    assert_int_equal(nxe_hist_quantile(&h, 0.5, &q), NXE_OK);
    assert_true(q.lo == NXE_HIST_MIN && q.hi > NXE_HIST_MIN);

    assert_int_equal(nxe_hist_quantile(&h, 0.8, &q), NXE_OK);
    assert_true(isinf(q.hi) && q.lo > (double) HOUR);
    assert_true(q.value == q.lo);

    /* one value is all quantiles, wherever it lies */

    for (i = 0; i < sizeof(alone) / sizeof(alone[0]); i++) {
        memset(&one, 0, sizeof(nxe_hist_t));
        nxe_hist_add(&one, alone[i]);

        assert_int_equal(nxe_hist_quantile(&one, 0.5, &q), NXE_OK);
        assert_true(q.value == (double) alone[i]);
        assert_int_equal(q.lo == 0, alone[i] < NXE_HIST_MIN);
        assert_int_equal(isinf(q.hi) != 0, alone[i] > 2 * HOUR);
    }

    assert_int_equal(nxe_hist_quantile(&h, 1.5, &q), NXE_DECLINED);
    assert_int_equal(nxe_hist_quantile(&h, NAN, &q), NXE_DECLINED);
}


static int
by_value(const void *a, const void *b)
{
    uint64_t  x, y;

    x = *(const uint64_t *) a;
    y = *(const uint64_t *) b;

    return (x > y) - (x < y);
}


/* Against the order statistics themselves, for every n up to 400. */

static void
test_quantile(void **state)
{
    double          us, true_value;
    size_t          i, k, n, rank;
    uint64_t        seed, values[400];
    nxe_hist_t      h;
    nxe_quantile_t  q;

    static const struct {
        double      p;
        size_t      num;
        size_t      den;
    } orders[] = {
        { 0, 0, 1 }, { 0.05, 1, 20 }, { 0.5, 1, 2 }, { 0.95, 19, 20 },
        { 0.99, 99, 100 }, { 1, 1, 1 }
    };

    (void) state;

    seed = 1;

    for (n = 1; n <= 400; n++) {
        memset(&h, 0, sizeof(nxe_hist_t));

        for (i = 0; i < n; i++) {
            us = 100 * exp((double) next(&seed) / 2147483648.0 * 17);
            values[i] = (uint64_t) us;
            nxe_hist_add(&h, values[i]);
        }

        qsort(values, n, sizeof(uint64_t), by_value);

        for (k = 0; k < sizeof(orders) / sizeof(orders[0]); k++) {
            rank = (n * orders[k].num + orders[k].den - 1) / orders[k].den;
            true_value = (double) values[rank == 0 ? 0 : rank - 1];

            assert_int_equal(nxe_hist_quantile(&h, orders[k].p, &q), NXE_OK);
            assert_true(fabs(q.value - true_value)
                        <= 0.01 * true_value * (1 + 1e-9));
            assert_true(q.lo <= true_value && true_value <= q.hi);
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_error),
        cmocka_unit_test(test_bins),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_quantile),
    };

    setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 1);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
