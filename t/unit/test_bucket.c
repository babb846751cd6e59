/*
 * k / 2^32 printed the fast way, and the general one: both give the same text
 * for every k.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <nxe/frac.h>


static void
check(uint32_t k)
{
    char    want[NXE_DOUBLE_LEN], got[NXE_DOUBLE_LEN];
    size_t  n;

    nxe_double_print((double) k / 4294967296.0, want);
    n = nxe_bucket_print(k, got);

    assert_string_equal(got, want);
    assert_int_equal(n, strlen(want));
    assert_true(strtod(got, NULL) * 4294967296.0 == (double) k);
}


static void
test_known(void **state)
{
    size_t  i;
    char    got[NXE_DOUBLE_LEN];

    static const struct {
        uint32_t     k;
        const char  *text;
        const char  *reason;
    } rows[] = {
        { 0, "0", "none" },
        { 0x80000000u, "0.5", "a half" },
        { 0xc0000000u, "0.75", "exact" },
        { 1617624561u, "0.3766325677279383", "DESIGN, return-ticket-48291" },
        { 1, "2.3283064365386963e-10", "the least" },
        { UINT32_MAX, "0.9999999997671694", "the greatest" },
    };

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        nxe_bucket_print(rows[i].k, got);
        assert_string_equal(got, rows[i].text);
    }
}


/* Where the exponent changes, and all with few bits. */

static void
test_edges(void **state)
{
    uint32_t  i, j, d;

    (void) state;

    for (i = 0; i < 32; i++) {
        for (d = 0; d < 64; d++) {
            check(((uint32_t) 1 << i) + d);
            check(((uint32_t) 1 << i) - d);
        }

        for (j = 0; j < i; j++) {
            check((uint32_t) 1 << i | (uint32_t) 1 << j);
        }
    }

    for (i = 0; i < 20000; i++) {
        check(i);
        check(UINT32_MAX - i);
    }
}


/* Odd multiples of 2^15: halfway between two decimals of 16 places. */

static void
test_halves(void **state)
{
    uint32_t  i;

    (void) state;

    for (i = 1; i < 131072; i += 2) {
        check(i << 15);
    }
}


static void
test_decimals(void **state)
{
    uint32_t  i;

    (void) state;

    for (i = 1; i < 10000; i++) {
        check((uint32_t) ((uint64_t) i * 4294967296u / 10000));
    }
}


static void
test_random(void **state)
{
    int       i;
    uint64_t  x;

    (void) state;

    x = 88172645463325252u;

    for (i = 0; i < 60000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;

        check((uint32_t) (x >> 16));
        check((uint32_t) (x >> 32) >> (i & 31));
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_halves),
        cmocka_unit_test(test_decimals),
        cmocka_unit_test(test_random),
    };

    setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 1);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
