/*
 * What the unit tests share: rows that say which one failed and why it is
 * there, and a text cut into segments.
 */

#ifndef NXE_UNIT_H
#define NXE_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <nxe/arena.h>
#include <nxe/base.h>
#include <nxe/json.h>


#define unit_n(list)  (sizeof(list) / sizeof((list)[0]))

/* why is the row's reason; the failure prints it. */

#define unit_row(holds, why)                                                  \
    do {                                                                      \
        if (!(holds)) {                                                       \
            fail_msg("%s: %s", why, #holds);                                  \
        }                                                                     \
    } while (0)

#define unit_main(tests)                                                      \
    (setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 1) != 0                           \
     || cmocka_run_group_tests(tests, unit_setup, unit_teardown) != 0)


static nxe_arena_t      *unit_arena;
static const nxe_mem_t  *unit_mem;


static int
unit_setup(void **state)
{
    (void) state;

    unit_arena = nxe_arena_new();
    if (unit_arena == NULL) {
        return 1;
    }

    unit_mem = nxe_arena_mem(unit_arena);

    return 0;
}


static int
unit_teardown(void **state)
{
    (void) state;
    nxe_arena_free(unit_arena);

    return 0;
}


/* xorshift64: the same numbers in each run. */

static inline uint64_t
unit_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;

    return *seed;
}


/*
 * Bytes in memory of their own, which ends where they do, so that a sanitizer
 * sees a read beyond them; to be freed.
 */

static inline char *
unit_copy(const char *p, size_t len)
{
    char  *copy;

    copy = malloc(len != 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, p, len);

    return copy;
}


/* Memory of which there is none. */

static inline void *
unit_alloc_none(void *ctx, size_t size)
{
    (void) ctx;
    (void) size;

    return NULL;
}

static const nxe_mem_t  unit_no_mem = { unit_alloc_none, NULL };


/*
 * s in segments.  Each one is memory of its own, so that a sanitizer sees a
 * read beyond it; unit_cut_free() releases them.
 */

typedef enum {
    UNIT_WHOLE = 0,
    UNIT_BYTES,             /* a segment a byte */
    UNIT_EMPTY,             /* and empty ones around each */
    UNIT_PAIRS,
    UNIT_CUTS
} unit_cut_t;


static inline nxe_text_t
unit_cut(nxe_str_t s, unit_cut_t how)
{
    size_t       i, len, step;
    nxe_str_t   *segs;
    nxe_text_t   text;

    segs = calloc(2 * s.len + 3, sizeof(nxe_str_t));
    assert_non_null(segs);

    step = how == UNIT_WHOLE ? (s.len != 0 ? s.len : 1)
           : how == UNIT_PAIRS ? 2 : 1;
    text.segs = segs;
    text.n = 0;

    for (i = 0; i < s.len; i += len) {
        len = s.len - i < step ? s.len - i : step;

        if (how == UNIT_EMPTY) {
            segs[text.n++] = nxe_null_str;
        }

        segs[text.n].data = unit_copy(s.data + i, len);
        segs[text.n++].len = len;
    }

    if (how == UNIT_EMPTY) {
        segs[text.n++] = nxe_null_str;
    }

    return text;
}


static inline void
unit_cut_free(nxe_text_t *text)
{
    size_t  i;

    for (i = 0; i < text->n; i++) {
        free((void *) (uintptr_t) text->segs[i].data);
    }

    free((void *) (uintptr_t) text->segs);
}


#endif /* NXE_UNIT_H */
