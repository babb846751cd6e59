/*
 * What is picked of JSON, in any chunking.
 */

#include "unit.h"

#include <nxe/buf.h>
#include <nxe/pick.h>


enum { A = 1, B, LIST, OTHER };

static const nxe_pick_node_t  inner[] = {
    { { "b", 1 }, B, NULL },
    nxe_pick_end_of_list
};

static const nxe_pick_node_t  elements[] = {
    { { "*", 1 }, 0, inner },
    nxe_pick_end_of_list
};

static const nxe_pick_node_t  members[] = {
    { { "a", 1 }, A, inner },
    { { "list", 4 }, LIST, elements },
    nxe_pick_end_of_list
};

static const nxe_pick_node_t  root = { { "", 0 }, 0, members };


typedef struct {
    const char     *in;
    const char     *told;       /* "field type text|", joined */
    int             ok;
} row_t;

static const row_t  rows[] = {
    { "{}", "", 1 },
    { " {\t\"a\" :\r\n1 } ", "A3 1|", 1 },
    { "{\"a\":\"x\\\"y\\\\\"}", "A4 \"x\\\"y\\\\\"|", 1 },
    { "{\"a\":true,\"a\":false,\"a\":null}", "A2 true|A2 false|A1 null|", 1 },
    { "{\"a\":-1.5e+3}", "A3 -1.5e+3|", 1 },
    { "{\"a\":{}}", "A6 |", 1 },
    { "{\"a\":{\"b\":1,\"c\":2}}", "A6 |A6 ...|B3 1|", 1 },
    { "{\"a\":[]}", "A5 |", 1 },
    { "{\"a\":[1]}", "A5 |A5 ...|", 1 },
    { "{\"list\":[{\"b\":1},{\"c\":1},[{\"b\":2}],{\"b\":\"3\"}]}",
      "L5 |L5 ...|B3 1|B4 \"3\"|", 1 },
    { "{\"list\":{\"b\":1}}", "L6 |L6 ...|", 1 },
    { "{\"b\":1,\"x\":{\"a\":1},\"A\":1}", "", 1 },
    { "{\"\\u0061\":1}", "A3 1|", 1 },
    { "{\"\\u006\":1}", "", 1 },
    { "{\"x\":\"}\",\"a\":1}", "A3 1|", 1 },
    { "{\"x\":[[[[[[[[[[{\"a\":1}]]]]]]]]]],\"a\":2}", "A3 2|", 1 },

    { "", "", 0 }, { " ", "", 0 }, { "[]", "", 0 }, { "1", "", 0 },
    { "\"a\"", "", 0 }, { "{", "", 0 }, { "{}x", "", 0 }, { "{}{}", "", 0 },
    { "{\"a\"}", "", 0 }, { "{\"a\":}", "", 0 }, { "{\"a\":1,}", "A3 1|", 0 },
    { "{,}", "", 0 }, { "{a:1}", "", 0 }, { "{\"x\":1 \"a\":2}", "", 0 },
    { "{\"x\":[1,]}", "", 0 }, { "{\"x\":[1}", "", 0 },
    { "{\"x\":{\"y\":1]}", "", 0 }, { "{\"x\":nul}", "", 0 },
    { "{\"x\":truee}", "", 0 }, { "{\"x\":.5}", "", 0 },
    { "{\"x\":'y'}", "", 0 }, { "{\"x\":\"y}", "", 0 },
    { "{\"x\":\"y\\\"}", "", 0 }, { "{\"x\":1", "", 0 }, { "}", "", 0 },
    { "{\"x\"::1}", "", 0 }, { "\xef\xbb\xbf{}", "", 0 }
};


static void
tell(void *ctx, unsigned field, nxe_json_type_t type, nxe_str_t text)
{
    char        head[8];
    nxe_buf_t  *b = ctx;

    if (field == OTHER) {
        return;
    }

    (void) sprintf(head, "%c%d ", " ABL"[field], (int) type);
    assert_int_equal(nxe_buf_add(b, nxe_str_of(head)), NXE_OK);
    assert_int_equal(nxe_buf_add(b, text), NXE_OK);
    assert_int_equal(nxe_buf_addc(b, '|'), NXE_OK);
}


/* Chunks are copies, so that nobody reads one that has gone. */

static void
feed(nxe_pick_t *k, const char *p, size_t len)
{
    char  *copy;

    copy = unit_copy(p, len);
    nxe_pick_feed(k, (nxe_str_t) { copy, len });
    free(copy);
}


static void
test_rows(void **state)
{
    size_t      i, k, a, b, len;
    nxe_buf_t   told;
    nxe_pick_t  pick;

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        len = strlen(rows[i].in);

        for (a = 0; a <= len; a++) {
            for (b = a; b <= len; b++) {
                nxe_buf_init(&told, 4096);
                nxe_pick_init(&pick, &root, tell, b & 1 ? OTHER : 0, &told);

                if (a == len) {
                    for (k = 0; k < len; k++) {
                        feed(&pick, rows[i].in + k, 1);
                    }

                } else {
                    feed(&pick, rows[i].in, a);
                    feed(&pick, rows[i].in + a, b - a);
                    feed(&pick, rows[i].in + b, len - b);
                }

                unit_row((nxe_pick_done(&pick) == NXE_OK) == rows[i].ok,
                         rows[i].in);
                unit_row(nxe_str_eq(nxe_buf_str(&told),
                                    nxe_str_of(rows[i].told)), rows[i].in);
                nxe_buf_free(&told);
            }
        }
    }
}


/* Nested as deep as JSON may be here, and once deeper; begun anew. */

static void
test_depth(void **state)
{
    char        text[2 * NXE_JSON_DEPTH + 32], *p;
    int         i, depth;
    nxe_buf_t   told;
    nxe_pick_t  pick;

    (void) state;

    nxe_buf_init(&told, 4096);
    nxe_pick_init(&pick, &root, tell, 0, &told);

    for (depth = NXE_JSON_DEPTH - 1; depth <= NXE_JSON_DEPTH; depth++) {
        p = text + sprintf(text, "{\"x\":");

        for (i = 0; i < depth; i++) {
            *p++ = '[';
        }

        for (i = 0; i < depth; i++) {
            *p++ = ']';
        }

        (void) strcpy(p, ",\"a\":7}");

        nxe_pick_reset(&pick);
        feed(&pick, text, strlen(text));
        assert_int_equal(nxe_pick_done(&pick),
                         depth == NXE_JSON_DEPTH ? NXE_INVALID : NXE_OK);
    }

    assert_true(nxe_str_eq(nxe_buf_str(&told), nxe_str("A3 7|")));
    nxe_buf_free(&told);
}


/* What chunks cut is told up to a bound, and what comes behind it as ever. */

static void
test_long(void **state)
{
    char        text[4 * NXE_PICK_TEXT];
    size_t      i, n, step;
    nxe_buf_t   told;
    nxe_pick_t  pick;

    (void) state;

    for (n = NXE_PICK_TEXT - 4; n < NXE_PICK_TEXT + 4; n++) {
        for (step = 1; step < 700; step += 37) {
            nxe_buf_init(&told, 4096);
            nxe_pick_init(&pick, &root, tell, 0, &told);

            i = (size_t) sprintf(text, "{\"a\":\"");
            memset(text + i, 'x', n);
            (void) strcpy(text + i + n, "\",\"a\":2}");

            for (i = 0; i < strlen(text); i += step) {
                feed(&pick, text + i, strlen(text) - i < step
                                      ? strlen(text) - i : step);
            }

            assert_int_equal(nxe_pick_done(&pick), NXE_OK);
            assert_true(nxe_buf_str(&told).len
                        >= (n < NXE_PICK_TEXT - 2 ? n : NXE_PICK_TEXT - 2)
                           + sizeof("A4 \"\"|A3 2|") - 1);
            assert_memory_equal(nxe_buf_str(&told).data
                                + nxe_buf_str(&told).len - 8, "x\"|A3 2|", 8);
            nxe_buf_free(&told);
        }
    }
}


static void
test_escapes(void **state)
{
    size_t  i;

    static const struct {
        const char  *in;
        int          ok;
    } strings[] = {
        { "\"\"", 1 }, { "\"a\"", 1 },
        { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uABcd\"", 1 },
        { "\"\\x\"", 0 }, { "\"\\u12\"", 0 }, { "\"\\u12g4\"", 0 },
        { "\"\\u\"", 0 }, { "\"a\\\"", 0 }
    };

    (void) state;

    for (i = 0; i < unit_n(strings); i++) {
        unit_row(nxe_pick_escapes_ok(nxe_str_of(strings[i].in))
                 == strings[i].ok, strings[i].in);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_escapes)
    };

    return unit_main(tests);
}
