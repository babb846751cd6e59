/*
 * The scan's kernels against the bytewise code, and members that occur twice.
 */

#include "unit.h"


static const char *const  cpus[] = {
    "portable", "sse2", "neon", "avx2", "avx512"
};


/*
 * A segment a byte leaves nothing to a kernel: its answer is the oracle for
 * each kernel over the whole text and over two segments.
 */

static void
check(nxe_str_t s, size_t cut, const char *why)
{
    size_t             i;
    unsigned           flag;
    nxe_str_t          segs[2];
    nxe_text_t         text;
    nxe_json_result_t  want, got;

    text = unit_cut(s, UNIT_BYTES);
    (void) nxe_json_scan_members(&text, NULL, NXE_JSON_PORTABLE, unit_mem,
                                 &want);
    unit_cut_free(&text);

    for (i = 0; i < unit_n(cpus); i++) {

        if (nxe_json_cpu(cpus[i], &flag) != NXE_OK) {
            continue;
        }

        text = unit_cut(s, UNIT_WHOLE);
        (void) nxe_json_scan_members(&text, NULL, flag, unit_mem, &got);
        unit_cut_free(&text);

        unit_row(got.cause == want.cause, why);
        unit_row(got.offset == want.offset, why);
        unit_row(got.expected == want.expected, why);
        unit_row(got.ambiguous == want.ambiguous, why);

        segs[0] = (nxe_str_t) { s.data, cut };
        segs[1] = (nxe_str_t) { s.data + cut, s.len - cut };
        text.segs = segs;
        text.n = 2;

        (void) nxe_json_scan_members(&text, NULL, flag, unit_mem, &got);

        unit_row(got.cause == want.cause, why);
        unit_row(got.offset == want.offset, why);
        unit_row(got.ambiguous == want.ambiguous, why);
    }
}


/*
 * What may stand in a string and what may not, at every place around the
 * ends of blocks, behind other such pieces.
 */

static void
test_strings(void **state)
{
    char         in[400];
    size_t       i, j, at, len;
    nxe_str_t    s;

    static const char *const  pieces[] = {
        "\\n", "\\\\", "\\\"", "\\u00e9", "\\uD83d\\ude00", "\\/",
        "\xc3\xa9", "\xe2\x82\xac", "\xed\x9f\xbf", "\xf0\x9f\x98\x80",
        "\xf4\x8f\xbf\xbf", "\\\\\\\\\\\\\\\\\\", "\"",
        "\\x", "\\u12g4", "\\u12", "\x1f", "\x7f", "\xc3", "\xc3\xc3\xa9",
        "\xc0\xaf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\x80", "\xe2\x82",
        "\xf0\x9f\x98", "\xff", "\xe2\x82\xac\xac", "\\\xc3\xa9", "\\u\\u"
    };

    (void) state;

    for (i = 0; i < unit_n(pieces); i++) {
        for (j = 0; j < unit_n(pieces); j++) {
            for (at = 1; at < 140; at += (at % 64 < 8 || at % 64 > 54) ? 1 : 9)
            {
                memset(in, 'a', sizeof(in));
                in[0] = '"';
                len = strlen(pieces[i]);
                memcpy(in + at, pieces[i], len);
                memcpy(in + at + len, pieces[j], strlen(pieces[j]));
                in[300] = '"';

                s = (nxe_str_t) { in, 301 };
                check(s, at + 1, pieces[i]);
            }
        }
    }
}


static void
test_numbers(void **state)
{
    char         in[512];
    size_t       i, at, len;
    nxe_str_t    s;

    static const char *const  pieces[] = {
        "0", "-0", "01", "-01", "00", "1.5", "1.5.2", "1.", ".5", "-", "--1",
        "-.5", "1e5", "1E+5", "1e-05", "1e", "1e+", "1e5.3", "1e5e5", "1-1",
        "+1", "1+1", "1e--5", "1.5e5", "1.5e5e1", "1.5e1.5", "0.0", "0e0",
        "0x1", "1 2", " 1", "1 ", "\n 1", "", "null", "\"1,2\"", "[1,2]",
        "{\"a\":1}", "12345678901234567890123456789012345678901234567890",
        "0.1234567890123456789012345678901234567890123456789012345678901234",
        "1.5,.", "1..5", "1e.5", "1.e5", "]", "\x80", "NaN", "-a", "1\t",
        "1234567812345678:", "1234567/", "-1.5e-10"
    };

    (void) state;

    for (i = 0; i < unit_n(pieces); i++) {
        for (at = 1; at < 140; at++) {

            len = 0;
            in[len++] = '[';

            while (len < at) {
                in[len] = (len & 3) == 0 ? ',' : '7';
                len++;
            }

            if (in[len - 1] != ',' && in[len - 1] != '[') {
                in[len++] = ',';
            }

            strcpy(in + len, pieces[i]);
            len += strlen(pieces[i]);

            while (len < 380) {
                in[len] = (len & 7) == 3 ? ',' : '3';
                len++;
            }

            in[len - 1] = '9';
            in[len++] = ']';

            s = (nxe_str_t) { in, len };
            check(s, at, pieces[i]);

            /* and right behind a number */

            in[at] = pieces[i][0] != '\0' ? pieces[i][0] : '8';
            check(s, at + 1, pieces[i]);
        }
    }
}


/* Texts of random tokens, with a random byte changed. */

static void
test_random(void **state)
{
    int          i, k;
    char         in[2048];
    size_t       len;
    uint64_t     seed;
    nxe_str_t    s;

    static const char *const  tokens[] = {
        "{", "}", "[", "]", ",", ":", "\"a\":", "\"b\":1,", "\"", "\\n",
        "\\\"", "\\u0061", "1", "-0.25", "1e9", "123,456,", "0.5, -1.25, 3e4, ",
        "true", "false", "null", " ", "\n", "\xc3\xa9", "\xe2\x80\x99",
        "text that goes on for a while without anything special in it ",
        "\"role\":\"user\",\"content\":\"", "\"}", "[1,2,3]", "{\"a\":{}}"
    };

    (void) state;

    seed = 42;

    for (i = 0; i < 60000; i++) {
        len = 0;
        in[len++] = (i & 1) ? '[' : '{';

        for (k = (int) (unit_random(&seed) % 40); k > 0; k--) {
            const char  *t = tokens[unit_random(&seed) % unit_n(tokens)];

            if (len + strlen(t) + 2 > sizeof(in)) {
                break;
            }

            memcpy(in + len, t, strlen(t));
            len += strlen(t);
        }

        if (unit_random(&seed) % 3 == 0) {
            in[unit_random(&seed) % len] = (char) unit_random(&seed);
        }

        s = (nxe_str_t) { in, len };
        check(s, unit_random(&seed) % (len + 1), "random tokens");
    }
}


typedef struct {
    const char     *in;
    unsigned        ambiguous;
    const char     *why;
} members_row_t;

static const members_row_t  members_rows[] = {
    { "{\"a\":1,\"b\":2}", 0, "two" },
    { "{\"a\":1,\"a\":2}", 1, "twice" },
    { "{\"a\":1,\"\\u0061\":2}", 1, "escaped" },
    { "{\"\\u0061\":1,\"a\":2}", 1, "escaped, the first" },
    { "{\"a\":1,\"A\":2}", 0, "case differs" },
    { "{\"\":1,\"\":2}", 1, "the empty name" },
    { "{\"a\":1,\"aa\":2,\"aaa\":3,\"aaaa\":4,\"aaaaa\":5}", 0, "lengths" },
    { "{\"abcabcab\":1,\"abcabcabcabcab\":2}", 0, "overlapping words" },
    { "{\"a\":{\"a\":{\"a\":1}},\"b\":{\"a\":1}}", 0, "in other objects" },
    { "[{\"a\":1},{\"a\":1}]", 0, "one behind the other" },
    { "{\"x\":[{\"y\":{\"b\":1,\"c\":2,\"b\":3}}]}", 1, "deep" },
    { "{\"x\":{\"b\":1},\"c\":2,\"b\":3}", 0, "before and in" },
    { "{\"c\":{\"x\":{}},\"d\":1,\"c\":3}", 1, "behind an inner object" },
    { "{\"\xc3\xa9\":1,\"\\u00e9\":2}", 1, "beyond ASCII" },
    { "{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}", 1, "a pair" },
    { "{\"\\ud800\":1,\"\\ud801\":2}", 0, "lone surrogates" },
    { "{\"\\u017f\":1,\"s\":2}", 0, "what folds to it" },
    { "{\"a name of more than sixteen bytes, 1\":1,"
      "\"a name of more than sixteen bytes, 2\":1}", 0, "long names" },
    { "{\"a name of more than sixteen bytes\":1,"
      "\"a name of more th\\u0061n sixteen bytes\":1}", 1, "long, escaped" }
};


static void
test_members(void **state)
{
    size_t             i;
    unit_cut_t         how;
    nxe_text_t         text;
    nxe_json_result_t  r;

    (void) state;

    for (i = 0; i < unit_n(members_rows); i++) {
        for (how = UNIT_WHOLE; how < UNIT_CUTS; how++) {
            text = unit_cut(nxe_str_of(members_rows[i].in), how);

            unit_row(nxe_json_scan_members(&text, NULL, 0, unit_mem, &r)
                     == NXE_JSON_OK, members_rows[i].why);
            unit_row(r.ambiguous == members_rows[i].ambiguous,
                     members_rows[i].why);

            (void) nxe_json_scan(&text, NULL, 0, &r);
            unit_row(!r.ambiguous, members_rows[i].why);

            unit_cut_free(&text);
        }
    }
}


/*
 * Objects of n members, one of them twice or none; nested in one another
 * where the stack of small ones overflows.
 */

static void
test_many_members(void **state)
{
    size_t             i, k, n, len, levels;
    char              *in;
    nxe_str_t          s;
    nxe_text_t         text;
    nxe_json_result_t  r;

    static const size_t  counts[] = { 31, 32, 33, 34, 255, 257, 5000, 65000 };

    (void) state;

    in = malloc(4 << 20);
    assert_non_null(in);

    for (i = 0; i < unit_n(counts); i++) {
        for (levels = 1; levels <= 20; levels += 19) {
            for (k = 0; k < 3; k++) {

                n = counts[i] / levels;
                len = 0;

                for (size_t l = 0; l < levels; l++) {
                    in[len++] = '{';

                    for (size_t m = 0; m < n; m++) {
                        len += (size_t) sprintf(in + len, "\"m%zu\":%zu,", m,
                                                m);
                    }

                    len += (size_t) sprintf(in + len, "\"in\":");
                }

                in[len++] = '0';

                for (size_t l = 0; l < levels; l++) {

                    /* the outermost has its last, or its first, again */

                    if (l + 1 == levels && k != 0 && n != 0) {
                        len += (size_t) sprintf(in + len, ",\"m%zu\":0",
                                                k == 1 ? n - 1 : 0);
                    }

                    in[len++] = '}';
                }

                s = (nxe_str_t) { in, len };
                text.segs = &s;
                text.n = 1;

                assert_int_equal(nxe_json_scan_members(&text, NULL, 0,
                                                       unit_mem, &r),
                                 NXE_JSON_OK);
                assert_int_equal(r.ambiguous, k != 0 && n != 0);
            }
        }
    }

    free(in);
}


/* What cannot be told counts as ambiguous. */

static void
test_members_limits(void **state)
{
    char              *in;
    size_t             i, len;
    nxe_str_t          s;
    nxe_text_t         text;
    nxe_json_result_t  r;

    (void) state;

    in = malloc(4 << 20);
    assert_non_null(in);

    in[0] = '{';
    len = 1;

    for (i = 0; i < 70000; i++) {
        len += (size_t) sprintf(in + len, "\"m%zu\":0,", i);
    }

    in[len - 1] = '}';
    s = (nxe_str_t) { in, len };
    text.segs = &s;
    text.n = 1;

    assert_int_equal(nxe_json_scan_members(&text, NULL, 0, unit_mem, &r),
                     NXE_JSON_OK);
    assert_int_equal(r.ambiguous, 1);

    s = nxe_str("{\"\\u0061\":1}");
    assert_int_equal(nxe_json_scan_members(&text, NULL, 0, &unit_no_mem, &r),
                     NXE_JSON_OK);
    assert_int_equal(r.ambiguous, 1);

    s = nxe_str("{\"a\":1}");
    assert_int_equal(nxe_json_scan_members(&text, NULL, 0, &unit_no_mem, &r),
                     NXE_JSON_OK);
    assert_int_equal(r.ambiguous, 0);

    free(in);
}


/*
 * A target that is not edited and occurs twice is no fault; it, and what is
 * in it, is marked.
 */

static void
test_twice(void **state)
{
    nxe_str_t           s;
    nxe_text_t          text;
    nxe_json_node_t     root, *id, *edit;
    nxe_json_result_t   r;

    (void) state;

    text.segs = &s;
    text.n = 1;

    memset(&root, 0, sizeof(root));
    root.index = NXE_JSON_NO_INDEX;

    assert_int_equal(nxe_json_target(&root, nxe_str("/meta/id"), unit_mem,
                                     &id), NXE_OK);
    assert_int_equal(nxe_json_target(&root, nxe_str("/text/v"), unit_mem,
                                     &edit), NXE_OK);
    nxe_json_edit(edit);

    s = nxe_str("{\"meta\":{\"id\":1},\"meta\":{\"id\":2}}");
    assert_int_equal(nxe_json_scan(&text, &root, 0, &r), NXE_JSON_OK);
    assert_true(id->parent->twice);
    assert_int_equal(id->value.start, 14);

    memset(&root, 0, sizeof(root));
    root.index = NXE_JSON_NO_INDEX;
    assert_int_equal(nxe_json_target(&root, nxe_str("/text/v"), unit_mem,
                                     &edit), NXE_OK);
    nxe_json_edit(edit);

    s = nxe_str("{\"text\":{},\"text\":{\"v\":2}}");
    assert_int_equal(nxe_json_scan(&text, &root, 0, &r), NXE_JSON_DUPLICATE);
    assert_int_equal(r.offset, 11);
}


static void
test_cpu(void **state)
{
    unsigned  best, flag;

    (void) state;

    assert_int_equal(nxe_json_cpu(NULL, &best), NXE_OK);
    assert_int_equal(nxe_json_cpu("portable", &flag), NXE_OK);
    assert_int_equal(flag, NXE_JSON_PORTABLE);
    assert_int_equal(nxe_json_cpu("z80", &flag), NXE_DECLINED);
    assert_int_equal(nxe_json_cpu("", &flag), NXE_DECLINED);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_many_members),
        cmocka_unit_test(test_members_limits),
        cmocka_unit_test(test_twice),
        cmocka_unit_test(test_cpu)
    };

    return unit_main(tests);
}
