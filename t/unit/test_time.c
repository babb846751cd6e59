/*
 * RFC 3339: what is read, and what is printed.
 */

#include "unit.h"

#include <nxe/time.h>


static void
test_parse(void **state)
{
    size_t   i;
    int64_t  us;

    static const struct {
        const char  *text;
        int64_t      us;        /* -1: refused.  From date -u -d TEXT +%s */
    } rows[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "2026-11-20T09:00:00Z", INT64_C(1795165200000000) },
        { "2026-11-20T09:00:00.1Z", INT64_C(1795165200100000) },
        { "2026-11-20T09:00:00.123456789Z", INT64_C(1795165200123456) },
        { "2026-11-20t11:30:00.5+02:30", INT64_C(1795165200500000) },
        { "2026-11-20T08:00:00-01:00", INT64_C(1795165200000000) },
        { "2000-02-29T23:59:60Z", INT64_C(951868800000000) },
        { "2024-02-29T00:00:00Z", INT64_C(1709164800000000) },
        { "2023-02-29T00:00:00Z", -1 },
        { "1900-02-29T00:00:00Z", -1 },
        { "2026-13-20T09:00:00Z", -1 },
        { "2026-00-20T09:00:00Z", -1 },
        { "2026-11-31T09:00:00Z", -1 },
        { "2026-11-20T24:00:00Z", -1 },
        { "2026-11-20T09:60:00Z", -1 },
        { "2026-11-20T09:00:61Z", -1 },
        { "2026-11-20T09:00:00.Z", -1 },
        { "2026-11-20T09:00:00.1234567890Z", -1 },
        { "2026-11-20T09:00:00", -1 },
        { "2026-11-20 09:00:00Z", -1 },
        { "2026-11-20T09:00:00Zz", -1 },
        { "2026-11-20T09:00:00+0200", -1 },
        { "2026-11-20T09:00:00+24:00", -1 },
        { "-026-11-20T09:00:00Z", -1 },
        { "", -1 },
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        us = -1;
        (void) nxe_time_parse(nxe_str_of(rows[i].text), &us);

        unit_row(us == rows[i].us, rows[i].text);
    }
}


static void
test_print(void **state)
{
    char      text[NXE_TIME_LEN];
    size_t    i;
    int64_t   us, t;
    uint64_t  seed;

    static const struct {
        int64_t      t;
        const char  *text;      /* from date -u -d @T */
    } rows[] = {
        { 0, "1970-01-01T00:00:00Z" },
        { -1, "1969-12-31T23:59:59Z" },
        { 951782400, "2000-02-29T00:00:00Z" },
        { INT64_C(1795165200), "2026-11-20T09:00:00Z" },
        { INT64_C(4107542400), "2100-03-01T00:00:00Z" },
        { NXE_TIME_MIN, "0000-01-01T00:00:00Z" },
        { NXE_TIME_MAX, "9999-12-31T23:59:59Z" },
        { INT64_MIN, "0000-01-01T00:00:00Z" },
        { INT64_MAX, "9999-12-31T23:59:59Z" },
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        nxe_time_print(rows[i].t, text);
        unit_row(strcmp(text, rows[i].text) == 0, rows[i].text);
    }

    /* what is printed is read as what it was */

    seed = 1;

    for (i = 0; i < 100000; i++) {
        t = NXE_TIME_MIN + (int64_t) (unit_random(&seed)
                                      % (NXE_TIME_MAX - NXE_TIME_MIN + 1));
        nxe_time_print(t, text);
        assert_int_equal(nxe_time_parse(nxe_str_of(text), &us), NXE_OK);
        assert_true(us == t * 1000000);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_print),
    };

    return unit_main(tests);
}
