/*
 * Slices, names, the arena and the growing buffer.
 */

#include "unit.h"

#include <nxe/buf.h>


static void *
nothing(void *ctx, size_t size)
{
    (void) ctx;
    (void) size;

    return NULL;
}


static void
test_fail(void **state)
{
    size_t       i;
    char         text[2 * NXE_ERROR_TEXT];
    nxe_error_t  err;

    (void) state;

    assert_int_equal(nxe_fail(&err, NXE_IO, "%s: %d", "x", 7), NXE_IO);
    assert_int_equal(err.status, NXE_IO);
    assert_string_equal(err.text, "x: 7");

    assert_int_equal(nxe_fail(NULL, NXE_NOMEM, "unheard"), NXE_NOMEM);

    for (i = 0; i < sizeof(text) - 1; i++) {
        text[i] = 'a';
    }
    text[i] = '\0';

    (void) nxe_fail(&err, NXE_INVALID, "%s", text);
    assert_int_equal(strlen(err.text), NXE_ERROR_TEXT - 1);
}


static void
test_cmp(void **state)
{
    size_t  i;
    int     rc;

    static const struct {
        nxe_str_t    a;
        nxe_str_t    b;
        int          sign;
        const char  *why;
    } rows[] = {
        { { "", 0 }, { NULL, 0 }, 0, "an empty slice may have no address" },
        { { "a", 1 }, { "a", 1 }, 0, "equal" },
        { { "a", 1 }, { "ab", 2 }, -1, "a prefix is first" },
        { { "b", 1 }, { "ab", 2 }, 1, "bytes decide before length" },
        { { "\xff", 1 }, { "a", 1 }, 1, "bytes are unsigned" },
        { { "a\0b", 3 }, { "a\0c", 3 }, -1, "a zero byte does not end" },
        { { NULL, 0 }, { "a", 1 }, -1, "the empty slice is first" },
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        rc = nxe_str_cmp(rows[i].a, rows[i].b);
        unit_row((rc > 0) - (rc < 0) == rows[i].sign, rows[i].why);

        rc = nxe_str_cmp(rows[i].b, rows[i].a);
        unit_row((rc > 0) - (rc < 0) == -rows[i].sign, rows[i].why);

        unit_row(nxe_str_eq(rows[i].a, rows[i].b) == (rows[i].sign == 0),
                 rows[i].why);
    }
}


static void
test_copy(void **state)
{
    nxe_mem_t  none;
    nxe_str_t  copy;

    (void) state;

    assert_int_equal(nxe_str_copy(unit_mem, nxe_str("a\0b"), &copy), NXE_OK);
    assert_int_equal(copy.len, 3);
    assert_memory_equal(copy.data, "a\0b", 4);      /* its own zero too */

    assert_int_equal(nxe_str_copy(unit_mem, nxe_null_str, &copy), NXE_OK);
    assert_int_equal(copy.len, 0);
    assert_string_equal(copy.data, "");

    none.alloc = nothing;
    none.ctx = NULL;
    copy = nxe_str("as it was");

    assert_int_equal(nxe_str_copy(&none, nxe_str("a"), &copy), NXE_NOMEM);
    assert_string_equal(copy.data, "as it was");
    assert_null(nxe_calloc(&none, 1));
}


static void
test_name(void **state)
{
    size_t  i;

    static const struct {
        const char  *name;
        int          ok;
        const char  *why;
    } rows[] = {
        { "a", 1, "one letter" },
        { "7", 1, "may begin with a digit" },
        { "Az09_.-", 1, "all that may stand in one" },
        { "", 0, "empty" },
        { "_a", 0, "begins with _" },
        { ".a", 0, "begins with a point" },
        { "-a", 0, "begins with -" },
        { "a/b", 0, "would be a path" },
        { "a b", 0, "white space" },
        { "a\n", 0, "a line feed" },
        { "\xc3\xa9", 0, "not ASCII" },
        { "0123456789012345678901234567890123456789012345678901234567890123",
          1, "64 bytes" },
        { "01234567890123456789012345678901234567890123456789012345678901234",
          0, "65 bytes" },
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        unit_row(nxe_name_ok(nxe_str_of(rows[i].name)) == rows[i].ok,
                 rows[i].why);
    }

    unit_row(nxe_name_ok(nxe_str("a\0")) == 0, "a zero byte");
}


static void
test_arena(void **state)
{
    size_t            i, j, size;
    char             *p[200];
    nxe_arena_t      *arena;
    const nxe_mem_t  *mem;

    (void) state;

    arena = nxe_arena_new();
    assert_non_null(arena);
    mem = nxe_arena_mem(arena);

    /* sizes on both sides of a block; the last bytes tell of an overlap */

    for (i = 0; i < unit_n(p); i++) {
        size = 1 + i * i;
        p[i] = nxe_alloc(mem, size);
        assert_non_null(p[i]);
        assert_int_equal((uintptr_t) p[i] % _Alignof(max_align_t), 0);
        memset(p[i], (int) i, size);
    }

    for (i = 0; i < unit_n(p); i++) {
        for (j = 0; j < 1 + i * i; j++) {
            assert_int_equal((unsigned char) p[i][j], i);
        }
    }

    assert_null(nxe_alloc(mem, SIZE_MAX));
    assert_null(nxe_alloc(mem, SIZE_MAX - 15));
    assert_non_null(nxe_alloc(mem, 0));

    nxe_arena_free(arena);
    nxe_arena_free(NULL);
}


static void
test_buf(void **state)
{
    int        i;
    nxe_buf_t  b;

    (void) state;

    nxe_buf_init(&b, 10);
    assert_int_equal(nxe_buf_str(&b).len, 0);
    assert_non_null(nxe_buf_str(&b).data);

    assert_int_equal(nxe_buf_add(&b, nxe_str("12345")), NXE_OK);
    assert_int_equal(nxe_buf_add(&b, nxe_null_str), NXE_OK);
    assert_int_equal(nxe_buf_add(&b, nxe_str("67890")), NXE_OK);
    assert_true(nxe_str_eq(nxe_buf_str(&b), nxe_str("1234567890")));

    /* one byte too many: the buffer keeps what it has and stays failed */

    assert_int_equal(nxe_buf_addc(&b, 'x'), NXE_INVALID);
    assert_true(nxe_str_eq(nxe_buf_str(&b), nxe_str("1234567890")));
    assert_int_equal(nxe_buf_add(&b, nxe_null_str), NXE_INVALID);
    assert_int_equal(nxe_buf_addf(&b, "%s", ""), NXE_INVALID);
    assert_int_equal(b.len, 10);

    nxe_buf_free(&b);
    assert_int_equal(b.max, 10);

    /* nor does it take what would fit: a text with a hole */

    assert_int_equal(nxe_buf_add(&b, nxe_str("12345")), NXE_OK);
    assert_int_equal(nxe_buf_add(&b, nxe_str("678901")), NXE_INVALID);
    assert_int_equal(nxe_buf_addc(&b, 'x'), NXE_INVALID);
    assert_true(nxe_str_eq(nxe_buf_str(&b), nxe_str("12345")));
    nxe_buf_free(&b);

    nxe_buf_init(&b, SIZE_MAX);

    for (i = 0; i < 1000; i++) {
        assert_int_equal(nxe_buf_addf(&b, "%03d,", i), NXE_OK);
    }

    assert_int_equal(b.len, 4000);
    assert_memory_equal(b.data + 3996, "999,", 4);
    nxe_buf_free(&b);
}


static void
test_buf_json(void **state)
{
    size_t     i;
    nxe_buf_t  b;

    static const struct {
        nxe_str_t    in;
        nxe_str_t    out;
        const char  *why;
    } rows[] = {
        { { NULL, 0 }, { "\"\"", 2 }, "empty" },
        { { "a\"b\\c/", 6 }, { "\"a\\\"b\\\\c/\"", 10 },
          "quote and backslash, not the slash" },
        { { "\b\f\n\r\t", 5 }, { "\"\\b\\f\\n\\r\\t\"", 12 },
          "short escapes" },
        { { "\0\x1f", 2 }, { "\"\\u0000\\u001f\"", 14 },
          "other controls" },
        { { "\x7f\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 10 },
          { "\"\x7f\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", 12 },
          "UTF-8 stays" },
        { { "\xc3", 1 }, { "\"\xef\xbf\xbd\"", 5 }, "cut short" },
        { { "a\xff" "b", 3 }, { "\"a\xef\xbf\xbd" "b\"", 7 },
          "no UTF-8 byte at all" },
        { { "\xed\xa0\x80", 3 },
          { "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"", 11 },
          "a surrogate, byte by byte" },
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        nxe_buf_init(&b, 100);
        unit_row(nxe_buf_add_json(&b, rows[i].in) == NXE_OK, rows[i].why);
        unit_row(nxe_str_eq(nxe_buf_str(&b), rows[i].out), rows[i].why);
        nxe_buf_free(&b);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_fail),
        cmocka_unit_test(test_cmp),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_name),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_buf),
        cmocka_unit_test(test_buf_json),
    };

    return unit_main(tests);
}
