/*
 * An event stream, in any chunking.
 */

#include "unit.h"

#include <nxe/buf.h>
#include <nxe/sse.h>


typedef struct {
    const char     *in;
    const char     *events;     /* "type=data|", joined */
    const char     *why;
} row_t;

static const row_t  rows[] = {
    { "data: a\n\n", "=a|", "one" },
    { "data:a\n\ndata: b\n\n", "=a|=b|", "two, and no space" },
    { "data:  a\n\n", "= a|", "one space goes" },
    { "data: a\r\n\r\n", "=a|", "CR LF" },
    { "data: a\r\rdata: b\r\r", "=a|=b|", "CR" },
    { "data: a\r\n\rdata: b\n\r\n", "=a|=b|", "mixed" },
    { "data: a\ndata: b\n\n", "=a\nb|", "two lines" },
    { "data: a\r\ndata:\r\ndata: c\r\n\r\n", "=a\n\nc|", "three, one empty" },
    { "data: a\nevent: t\ndata: b\n\n", "t=a\nb|", "a type between them" },
    { "event: ping\ndata: {}\n\n", "ping={}|", "a type" },
    { "event: a\nevent: b\ndata: x\n\n", "b=x|", "the last type" },
    { "event: a\n\ndata: x\n\n", "=x|", "a type without data is forgotten" },
    { ": ping\n\ndata: x\n\n", "=x|", "a comment" },
    { ": c\ndata: x\n: d\n\n", "=x|", "comments in an event" },
    { "id: 1\nretry: 5\nother: y\ndata: x\n\n", "=x|", "other fields" },
    { "data\n\n", "=|", "no colon" },
    { "data: a", "", "cut in the data" },
    { "data: a\n", "", "cut before the empty line" },
    { "data: a\n\ndata: b", "=a|", "cut in the second" },
    { "\n\n\ndata: a\n\n\n\n", "=a|", "empty lines" },
    { "\xef\xbb\xbf" "data: a\n\n", "=a|", "a byte order mark" },
    { "data: a\n\n\xef\xbb\xbf" "data: b\n\n", "=a|", "one later is a name" },
    { "data: a:b: c\n\n", "=a:b: c|", "colons in the data" },
    { "Data: a\n\n", "", "case matters" },
    { " data: a\n\n", "", "so does a space" },
    { "data: 0123456789012345678901234567890123456789\n\ndata: b\n\n", "=b|",
      "one is too large" },
    { "data: [DONE]\n\n", "=[DONE]|", "the end of a chat" },
    { "", "", "nothing" }
};


static void
note(void *ctx, nxe_str_t type, nxe_str_t data)
{
    nxe_buf_t  *b = ctx;

    (void) nxe_buf_add(b, type);
    (void) nxe_buf_addc(b, '=');
    (void) nxe_buf_add(b, data);
    (void) nxe_buf_addc(b, '|');
}


/* Chunks are copies, so that nobody reads one that has gone. */

static void
feed(nxe_sse_t *s, const char *p, size_t len)
{
    char  *copy;

    copy = unit_copy(p, len);
    nxe_sse_feed(s, (nxe_str_t) { copy, len });
    free(copy);
}


static void
check(const row_t *row, size_t a, size_t b, size_t step)
{
    size_t     i, len;
    nxe_buf_t  got;
    nxe_sse_t  s;

    nxe_buf_init(&got, SIZE_MAX);
    nxe_sse_init(&s, 40, note, &got, unit_mem);
    len = strlen(row->in);

    if (step != 0) {
        for (i = 0; i < len; i += step) {
            feed(&s, row->in + i, len - i < step ? len - i : step);
        }

    } else {
        feed(&s, row->in, a);
        feed(&s, row->in + a, b - a);
        feed(&s, row->in + b, len - b);
    }

    unit_row(nxe_str_eq(nxe_buf_str(&got), nxe_str_of(row->events)), row->why);
    unit_row(s.lost_events == (strstr(row->in, "0123") != NULL), row->why);
    nxe_buf_free(&got);
}


static void
test_rows(void **state)
{
    size_t  i, a, b, len;

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        len = strlen(rows[i].in);

        for (a = 0; a <= len; a++) {
            for (b = a; b <= len; b++) {
                check(&rows[i], a, b, 0);
            }
        }

        check(&rows[i], 0, 0, 1);
        check(&rows[i], 0, 0, 3);
    }
}


/* What is whole needs no memory; what is not is lost, and the next is not. */

static void
test_memory(void **state)
{
    nxe_buf_t  got;
    nxe_sse_t  s;

    (void) state;

    nxe_buf_init(&got, SIZE_MAX);
    nxe_sse_init(&s, 40, note, &got, &unit_no_mem);

    feed(&s, "data: a\n\ndata: ", 15);
    feed(&s, "b\n\ndata: c\n\n", 12);
    feed(&s, "data: d\ndata: e\n\n", 17);

    assert_true(nxe_str_eq(nxe_buf_str(&got), nxe_str("=a|=c|")));
    assert_int_equal(s.lost_events, 2);
    nxe_buf_free(&got);
}


static void
ignore(void *ctx, nxe_str_t type, nxe_str_t data)
{
    (void) ctx;
    (void) type;
    (void) data;
}


static void
gather(void *ctx, nxe_str_t bytes)
{
    assert_int_equal(nxe_buf_add(ctx, bytes), NXE_OK);
}


/* An event that is there leaves at once, and so does its last LF. */

static void
test_raw(void **state)
{
    size_t             i, cut, len;
    nxe_buf_t          got;
    nxe_sse_t          s;
    static const char  *events[] = {
        "data: a\r\n\r\n", "data: a\n\n", "data: a\n\r\n", ": b\r\n\r\n",
        "data: 0123456789012345678901234567890123456789\r\n\r\n"
    };

    (void) state;

    for (i = 0; i < unit_n(events); i++) {
        len = strlen(events[i]);

        for (cut = 0; cut < len; cut++) {
            nxe_buf_init(&got, SIZE_MAX);
            nxe_sse_init(&s, 40, ignore, &got, unit_mem);
            s.raw = gather;

            feed(&s, events[i], cut);
            feed(&s, events[i] + cut, len - cut);
            unit_row(nxe_str_eq(nxe_buf_str(&got), nxe_str_of(events[i])),
                     events[i]);
            nxe_buf_free(&got);
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_raw)
    };

    return unit_main(tests);
}
