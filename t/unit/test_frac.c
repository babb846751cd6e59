/*
 * Exact fractions and decimals, and doubles that read back.
 */

#include "unit.h"

#include <math.h>

#include <nxe/frac.h>


static void
test_parse(void **state)
{
    size_t        i;
    nxe_frac_t    f;
    nxe_status_t  rc;

    static const struct {
        const char  *in;
        int64_t      nano;          /* -1: refused */
        const char  *why;
    } rows[] = {
        { "0", 0, "zero" },
        { "1", 1000000000, "one" },
        { "0.1", 100000000, "a tenth" },
        { "0.10", 100000000, "a trailing zero" },
        { "1e-1", 100000000, "an exponent" },
        { "1E-1", 100000000, "a capital one" },
        { "10e-2", 100000000, "digits before, exponent behind" },
        { "0.01e+1", 100000000, "a positive exponent" },
        { "1.0", 1000000000, "one with a zero" },
        { "1e0", 1000000000, "one with an exponent" },
        { "0.000000001e9", 1000000000, "one from far away" },
        { "1000000000e-9", 1000000000, "one from the other side" },
        { "0.1234567890", 123456789, "ten digits, the last a zero" },
        { "0.1234567891", -1, "ten digits" },
        { "1.0000000001", -1, "above one by ten digits" },
        { "1.000000001", -1, "above one by nine" },
        { "0.999999999", 999999999, "just below one" },
        { "0.000000001", 1, "the smallest" },
        { "0.0000000001", -1, "below the smallest" },
        { "1e-9", 1, "the smallest, short" },
        { "1e-10", -1, "below the smallest, short" },
        { "0e999999999999", 0, "zero, whatever the exponent" },
        { "0.0000000000000000", 0, "zero at length" },
        { "1e-999999999999999999999", -1, "an exponent beyond any integer" },
        { "1e999999999999999999999", -1, "and a positive one" },
        { "-0", 0, "minus zero" },
        { "-0.0", 0, "minus zero with a point" },
        { "-0.1", -1, "negative" },
        { "2", -1, "two" },
        { "10", -1, "ten: its zero is no digit behind the point" },
        { "", -1, "empty" },
        { ".5", -1, "no digit before the point" },
        { "1.", -1, "no digit behind it" },
        { "0.5.5", -1, "two points" },
        { "01", -1, "a leading zero" },
        { "00.5", -1, "two" },
        { "-", -1, "a sign alone" },
        { "+1", -1, "JSON has no plus" },
        { "1e", -1, "no exponent" },
        { "1e+", -1, "a sign alone as one" },
        { "1.e0", -1, "a point before the exponent" },
        { " 1", -1, "white space in front" },
        { "1 ", -1, "and behind" },
        { "0x1", -1, "hex" },
        { "NaN", -1, "no number" },
        { "50%", -1, "a percentage is for people" },
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        f = (nxe_frac_t) { 42, 43 };
        rc = nxe_frac_parse(nxe_str_of(rows[i].in), &f);

        if (rows[i].nano < 0) {
            unit_row(rc == NXE_INVALID, rows[i].why);
            unit_row(f.num == 42 && f.den == 43, rows[i].why);
            continue;
        }

        unit_row(rc == NXE_OK, rows[i].why);
        unit_row(f.den == NXE_NANO && f.num == (uint64_t) rows[i].nano,
                 rows[i].why);
    }

    unit_row(nxe_frac_parse(nxe_null_str, &f) == NXE_INVALID, "no address");
}


static void
test_share(void **state)
{
    size_t        i;
    nxe_str_t     s;
    nxe_frac_t    f;
    nxe_status_t  rc;

    static const struct {
        const char  *in;
        int64_t      nano;
        const char  *why;
    } rows[] = {
        { "10%", 100000000, "a percentage" },
        { "0.1", 100000000, "a plain number" },
        { "100%", 1000000000, "all" },
        { "0%", 0, "nothing" },
        { "33.3333333%", 333333333, "nine digits after division" },
        { "33.33333333%", -1, "ten" },
        { "12.50%", 125000000, "a trailing zero" },
        { "100.1%", -1, "more than all" },
        { "101%", -1, "more than all, whole" },
        { "%", -1, "no number" },
        { "-1%", -1, "negative" },
        { "1e1%", -1, "an exponent would be read with ours" },
        { "1E1%", -1, "a capital one too" },
        { "10 %", -1, "white space" },
        { "10%%", -1, "twice" },
        { "0.00000000000000000000000000000000000000000000%", -1, "endless" },
        { "", -1, "empty" },
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        rc = nxe_frac_parse_share(nxe_str_of(rows[i].in), &f);

        if (rows[i].nano < 0) {
            unit_row(rc == NXE_INVALID, rows[i].why);
            continue;
        }

        unit_row(rc == NXE_OK && f.den == NXE_NANO, rows[i].why);
        unit_row(f.num == (uint64_t) rows[i].nano, rows[i].why);
    }

    s = nxe_str("1\0" "00%");
    unit_row(nxe_frac_parse_share(s, &f) == NXE_INVALID,
             "a zero byte cuts nothing off");
}


static void
test_threshold(void **state)
{
    size_t    i;
    uint64_t  t, before;

    static const struct {
        nxe_frac_t   f;
        uint64_t     t;
        const char  *why;
    } rows[] = {
        { { 0, 1 }, 0, "T(0) = 0" },
        { { 0, NXE_NANO }, 0, "T(0) over 10^9" },
        { { 1, 1 }, 4294967296, "T(1) = 2^32" },
        { { NXE_NANO, NXE_NANO }, 4294967296, "T(1) over 10^9" },
        { { 1, 2 }, 2147483648, "a half is exact" },
        { { 1, 3 }, 1431655766, "ceil(2^32 / 3) = 1431655765.33 up" },
        { { 2, 3 }, 2863311531, "ceil(2^33 / 3) = 2863311530.67 up" },
        { { 1, NXE_NANO }, 5, "ceil(4.29)" },
        { { 999999999, NXE_NANO }, 4294967292, "ceil(4294967291.7)" },
        { { 1, 1000000000000000000 }, 1, "the smallest product" },
        { { 999999999999999999, 1000000000000000000 }, 4294967296,
          "the largest below one: ceil, so no k is left out" },
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        unit_row(nxe_frac_threshold(rows[i].f) == rows[i].t, rows[i].why);
    }

    for (i = 0, before = 0; i <= 1000000; i++) {
        t = nxe_frac_threshold((nxe_frac_t) { i, 1000000 });
        assert_true(t >= before);
        before = t;
    }
}


static void
test_arithmetic(void **state)
{
    nxe_frac_t  a, b;

    (void) state;

    a = (nxe_frac_t) { 333333333333333333, 1000000000000000000 };
    b = (nxe_frac_t) { 1, 3 };
    unit_row(nxe_frac_cmp(a, b) < 0 && nxe_frac_cmp(b, a) > 0,
             "a third is not 18 threes, which a double would not see");
    unit_row(nxe_frac_double(a) == nxe_frac_double(b), "nor does it");
}


static void
test_print(void **state)
{
    char          out[NXE_FRAC_LEN];
    size_t        i, n;
    uint64_t      seed;
    nxe_frac_t    f, back;

    static const struct {
        nxe_frac_t   f;
        const char  *out;
    } rows[] = {
        { { 0, 1 }, "0" },
        { { 0, NXE_NANO }, "0" },
        { { 1, 1 }, "1" },
        { { NXE_NANO, NXE_NANO }, "1" },
        { { 250000000, NXE_NANO }, "0.25" },
        { { 1, NXE_NANO }, "0.000000001" },
        { { 999999999, NXE_NANO }, "0.999999999" },
        { { 100000000, NXE_NANO }, "0.1" },
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        n = nxe_frac_print(rows[i].f, out);
        assert_string_equal(out, rows[i].out);
        assert_int_equal(n, strlen(out));
    }

    for (i = 0, seed = 1; i < 100000; i++) {
        f = (nxe_frac_t) { unit_random(&seed) % (NXE_NANO + 1), NXE_NANO };
        n = nxe_frac_print(f, out);
        assert_int_equal(nxe_frac_parse((nxe_str_t) { out, n }, &back),
                         NXE_OK);
        assert_int_equal(back.num, f.num);
    }
}


static void
test_double(void **state)
{
    char      out[NXE_DOUBLE_LEN];
    double    d;
    size_t    i, n;
    uint64_t  seed, bits;

    static const struct {
        double       value;
        const char  *out;
        const char  *why;
    } rows[] = {
        { 0.5106575842946768, "0.5106575842946768", "OUTPUT 3, conv-1" },
        { 0.8681750756222755, "0.8681750756222755", "OUTPUT 3, conv-2" },
        { 0.1, "0.1", "not 0.1000000000000000055" },
        { 0.1 + 0.2, "0.30000000000000004", "seventeen digits" },
        { 1.0 / 3, "0.3333333333333333", "sixteen" },
        { 0, "0", "zero" },
        { -0.0, "0", "minus zero" },
        { 1, "1", "an integer" },
        { 100, "100", "not 1e+02" },
        { 7000, "7000", "as people write it" },
        { -512400, "-512400", "a negative one" },
        { 1e-9, "1e-09", "small" },
        { 1e15, "1e+15", "the first that is shorter so" },
        { 999999999999999, "999999999999999", "the last that is not" },
        { 9007199254740993.0, "9007199254740992", "a double's own" },
        { 1.7976931348623157e308, "1.7976931348623157e+308", "the largest" },
        { 5e-324, "5e-324", "the smallest" },
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        n = nxe_double_print(rows[i].value, out);
        unit_row(n == strlen(out), rows[i].why);
        unit_row(strcmp(out, rows[i].out) == 0, rows[i].why);
    }

    for (i = 0, seed = 7; i < 200000; i++) {
        bits = unit_random(&seed);
        memcpy(&d, &bits, sizeof(d));

        if (!isfinite(d)) {
            continue;
        }

        n = nxe_double_print(d, out);
        assert_true(n < NXE_DOUBLE_LEN);
        assert_true(strtod(out, NULL) == d);
        assert_int_equal(nxe_decimal_cmp((nxe_str_t) { out, n },
                                         (nxe_str_t) { out, n }), 0);

        d = (double) (bits >> 32) / 4294967296.0;
        (void) nxe_double_print(d, out);
        assert_true(strtod(out, NULL) == d);
    }
}


static void
test_decimal(void **state)
{
    int     rc;
    size_t  i;

    static const struct {
        const char  *a;
        const char  *b;
        int          sign;
        const char  *why;
    } rows[] = {
        { "1.0", "1", 0, "a zero behind the point" },
        { "-0", "0", 0, "minus zero" },
        { "0e5", "0.000", 0, "zeros" },
        { "0.3", "3e-1", 0, "an exponent" },
        { "50", "5e1", 0, "another" },
        { "500e-1", "5e+1", 0, "and two" },
        { "0.0005", "5E-4", 0, "zeros behind the point" },
        { "10.50", "1.05e1", 0, "the point elsewhere" },
        { "9007199254740993", "9007199254740992", 1, "beyond a double" },
        { "50", "50.00000000000000001", -1, "closer than a double" },
        { "1e400", "1e401", -1, "larger than a double" },
        { "1e-400", "0", 1, "smaller than a double" },
        { "-1e400", "1e-400", -1, "signs" },
        { "-2", "-1", -1, "negative order" },
        { "-1e2", "-1e1", -1, "negative order by exponent" },
        { "0", "-1", 1, "zero above a negative one" },
        { "0", "1", -1, "and below a positive one" },
        { "0.30000000000000001", "0.3", 1, "digits decide" },
        { "123", "1234", -1, "a prefix of another length" },
        { "1.2", "1.19", 1, "digits, not lengths" },
        { "101", "1.01e2", 0, "a zero inside" },
        { "1e1000000001", "1e1000000000", 1, "exponents about 10^9" },
        { "1e99999999999999999999", "1e1", 1, "an endless exponent" },
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        rc = nxe_decimal_cmp(nxe_str_of(rows[i].a), nxe_str_of(rows[i].b));
        unit_row((rc > 0) - (rc < 0) == rows[i].sign, rows[i].why);

        rc = nxe_decimal_cmp(nxe_str_of(rows[i].b), nxe_str_of(rows[i].a));
        unit_row((rc > 0) - (rc < 0) == -rows[i].sign, rows[i].why);
    }
}


/* Multiples of 10^-9 beyond one, as prices are. */

static void
test_nano(void **state)
{
    char          out[NXE_NANO_LEN];
    size_t        i, n;
    uint64_t      nano, seed, back;
    nxe_status_t  rc;

    static const struct {
        const char  *in;
        uint64_t     max;
        uint64_t     nano;          /* UINT64_MAX: refused */
        const char  *why;
    } rows[] = {
        { "2.5", 10000000000u, 2500000000u, "above one" },
        { "10", 10000000000u, 10000000000u, "the most" },
        { "10.000000001", 10000000000u, UINT64_MAX, "just above it" },
        { "1e1", 10000000000u, 10000000000u, "an exponent" },
        { "0", 0, 0, "zero where only zero is" },
        { "1e-9", 0, UINT64_MAX, "more than zero there" },
        { "1000000000", 1000000000000000000u, 1000000000000000000u,
          "the largest max" },
        { "1000000000.000000001", 1000000000000000000u, UINT64_MAX,
          "just above that" },
        { "9999999999.999999999", 1000000000000000000u, UINT64_MAX,
          "19 digits" },
        { "18446744074", 1000000000000000000u, UINT64_MAX,
          "would wrap to 0.290448384" },
        { "99999999999999999999", 1000000000000000000u, UINT64_MAX,
          "would wrap at twenty digits" },
        { "2.0000000001", 10000000000u, UINT64_MAX, "ten digits" },
        { "-0.1", 10000000000u, UINT64_MAX, "negative" },
        { "2,5", 10000000000u, UINT64_MAX, "a comma" }
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        rc = nxe_nano_parse(nxe_str_of(rows[i].in), rows[i].max, &nano);

        if (rows[i].nano == UINT64_MAX) {
            unit_row(rc == NXE_INVALID, rows[i].why);

        } else {
            unit_row(rc == NXE_OK && nano == rows[i].nano, rows[i].why);
        }
    }

    n = nxe_nano_print(UINT64_MAX, out);
    assert_string_equal(out, "18446744073.709551615");
    assert_int_equal(n, strlen(out));
    n = nxe_nano_print(12500000000u, out);
    assert_string_equal(out, "12.5");

    for (i = 0, seed = 3; i < 100000; i++) {
        nano = unit_random(&seed) % 1000000000000000001u;
        n = nxe_nano_print(nano, out);
        assert_int_equal(nxe_nano_parse((nxe_str_t) { out, n },
                                        1000000000000000000u, &back),
                         NXE_OK);
        assert_true(back == nano);
    }
}


static void
test_rounded(void **state)
{
    size_t        i;
    int64_t       nano;
    nxe_status_t  rc;

    static const struct {
        const char  *text;
        int64_t      nano;      /* INT64_MIN: refused */
        const char  *why;
    } rows[] = {
        { "0", 0, "zero" },
        { "-0.0", 0, "zero has no sign" },
        { "1", INT64_C(1000000000), "one" },
        { "-2.5", INT64_C(-2500000000), "below zero" },
        { "0.000214500", INT64_C(214500), "trailing zeros" },
        { "1e3", INT64_C(1000000000000), "an exponent" },
        { "12.5E-1", INT64_C(1250000000), "an exponent down" },
        { "0.30000000000000004", INT64_C(300000000), "a double's tail" },
        { "0.0000000005", 1, "half goes up" },
        { "-0.0000000005", -1, "half goes away from zero" },
        { "0.00000000049999", 0, "less than half" },
        { "1e-400", 0, "far below" },
        { "999999999.999999999", INT64_C(999999999999999999), "the most" },
        { "1000000000", INT64_MIN, "too much" },
        { "-1e9", INT64_MIN, "too little" },
        { "1e400", INT64_MIN, "no double holds it" },
        { "1e99999999999999999999", INT64_MIN, "an exponent of no sense" },
        { "", INT64_MIN, "nothing" },
        { "nan", INT64_MIN, "no number" },
        { "1 ", INT64_MIN, "something behind" },
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        nano = INT64_MIN;
        rc = nxe_decimal_nano(nxe_str_of(rows[i].text), &nano);
        unit_row(nano == rows[i].nano, rows[i].why);
        unit_row((rc == NXE_OK) == (rows[i].nano != INT64_MIN), rows[i].why);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_share),
        cmocka_unit_test(test_threshold),
        cmocka_unit_test(test_arithmetic),
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_nano),
        cmocka_unit_test(test_rounded),
        cmocka_unit_test(test_double),
        cmocka_unit_test(test_decimal),
    };

    return unit_main(tests);
}
