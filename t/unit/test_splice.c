/*
 * Edits on a text in segments.
 */

#include "unit.h"

#include <nxe/buf.h>
#include <nxe/splice.h>

#define E(start, end, head, bytes, tail)                                      \
    { start, end, { head, sizeof(head) - 1 }, { bytes, sizeof(bytes) - 1 },   \
      { tail, sizeof(tail) - 1 } }


static nxe_status_t
collect(void *ctx, nxe_str_t slice)
{
    assert_int_not_equal(slice.len, 0);

    return nxe_buf_add(ctx, slice);
}


/* Stops at the n-th slice. */

static nxe_status_t
stop(void *ctx, nxe_str_t slice)
{
    int  *n;

    (void) slice;
    n = ctx;

    return --*n == 0 ? NXE_AGAIN : NXE_OK;
}


static void
test_splice(void **state)
{
    size_t       i;
    nxe_buf_t    b;
    unit_cut_t   how;
    nxe_edit_t   edits[4];
    nxe_text_t   text;

    static const struct {
        const char  *in;
        nxe_edit_t   edits[4];
        size_t       n;
        const char  *out;           /* NULL: refused */
        const char  *why;
    } rows[] = {
        { "0123456789", { E(0, 0, "", "", "") }, 0, "0123456789",
          "no edit" },
        { "", { E(0, 0, "<", "x", ">") }, 1, "<x>", "into nothing" },
        { "0123456789", { E(3, 5, "<", "x", ">") }, 1, "012<x>56789",
          "bytes give way" },
        { "0123456789", { E(3, 3, "<", "x", ">") }, 1, "012<x>3456789",
          "an insertion" },
        { "0123456789", { E(0, 0, "", "x", "") }, 1, "x0123456789",
          "in front" },
        { "0123456789", { E(10, 10, "", "x", "") }, 1, "0123456789x",
          "behind" },
        { "0123456789", { E(0, 10, "", "", "") }, 1, "", "all goes" },
        { "0123456789", { E(9, 10, "", "i", ""), E(0, 1, "", "a", "") }, 2,
          "a12345678i", "out of order" },
        { "0123456789", { E(5, 6, "", "x", ""), E(6, 7, "", "y", "") }, 2,
          "01234xy789", "side by side" },
        { "0123456789", { E(5, 6, "", "x", ""), E(5, 5, "", "y", "") }, 2,
          "01234yx6789", "an insertion given behind what begins there" },
        { "0123456789", { E(5, 5, "", "y", ""), E(5, 6, "", "x", "") }, 2,
          "01234yx6789", "and given in front of it" },
        { "0123456789", { E(6, 6, "", "y", ""), E(5, 6, "", "x", "") }, 2,
          "01234xy6789", "where another ends" },
        { "0123456789", { E(9, 9, ",", "a", ""), E(9, 9, ",", "b", ""),
                          E(1, 2, "", "", ""), E(9, 9, ",", "c", "") }, 4,
          "02345678,a,b,c9", "insertions at one place keep their order" },
        { "0123456789", { E(3, 6, "", "x", ""), E(5, 7, "", "y", "") }, 2,
          NULL, "an overlap" },
        { "0123456789", { E(3, 6, "", "x", ""), E(4, 4, "", "y", "") }, 2,
          NULL, "an insertion inside" },
        { "0123456789", { E(3, 6, "", "x", ""), E(3, 6, "", "x", "") }, 2,
          NULL, "the same twice" },
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        memcpy(edits, rows[i].edits, sizeof(edits));

        if (rows[i].out == NULL) {
            unit_row(nxe_splice_order(edits, rows[i].n) == NXE_INVALID,
                     rows[i].why);
            continue;
        }

        unit_row(nxe_splice_order(edits, rows[i].n) == NXE_OK, rows[i].why);
        unit_row(nxe_splice_len(edits, rows[i].n, strlen(rows[i].in))
                 == strlen(rows[i].out), rows[i].why);

        for (how = UNIT_WHOLE; how < UNIT_CUTS; how++) {
            text = unit_cut(nxe_str_of(rows[i].in), how);
            nxe_buf_init(&b, 1000);

            unit_row(nxe_splice(&text, edits, rows[i].n, collect, &b)
                     == NXE_OK, rows[i].why);
            unit_row(nxe_str_eq(nxe_buf_str(&b), nxe_str_of(rows[i].out)),
                     rows[i].why);

            nxe_buf_free(&b);
            unit_cut_free(&text);
        }
    }
}


/* Whatever emit() returns ends the splice, at each slice. */

static void
test_stop(void **state)
{
    int          n, left;
    nxe_text_t   text;

    static const nxe_edit_t  edits[] = {
        E(1, 2, "<", "x", ">"), E(3, 3, "<", "y", ">")
    };

    (void) state;

    /* 0 < x > 2 < y > 3, a segment a byte */

    text = unit_cut(nxe_str("0123"), UNIT_BYTES);

    for (n = 1; n <= 9; n++) {
        left = n;
        assert_int_equal(nxe_splice(&text, edits, 2, stop, &left), NXE_AGAIN);
        assert_int_equal(left, 0);
    }

    left = 10;
    assert_int_equal(nxe_splice(&text, edits, 2, stop, &left), NXE_OK);
    assert_int_equal(left, 1);

    unit_cut_free(&text);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_splice),
        cmocka_unit_test(test_stop),
    };

    return unit_main(tests);
}
