/*
 * Patterns: what is refused, and that no pattern and no value costs more than
 * the limits, in time or in memory.
 */

#include "unit.h"

#include <nxe/regex.h>


#define VALUE  256          /* no attribute is longer */

/* In a build with a sanitizer, what the whole program has from malloc(). */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));


/* Memory that counts, and fails when it is told to. */

typedef struct {
    nxe_mem_t    mem;
    size_t       n;
    size_t       bytes;
    size_t       fail_at;       /* 0: never */
} counted_t;


static void *
counted_alloc(void *ctx, size_t size)
{
    counted_t  *c;

    c = ctx;
    c->n++;
    c->bytes += size;

    return c->n == c->fail_at ? NULL : nxe_alloc(unit_mem, size);
}


static void
counted_init(counted_t *c, size_t fail_at)
{
    memset(c, 0, sizeof(counted_t));
    c->mem.alloc = counted_alloc;
    c->mem.ctx = c;
    c->fail_at = fail_at;
}


static nxe_regex_t *
compiled(const char *pattern)
{
    nxe_error_t   err;
    nxe_regex_t  *re;

    if (nxe_regex_compile(nxe_str_of(pattern), unit_mem, &re, &err) != NXE_OK)
    {
        fail_msg("%s: %s", pattern, err.text);
    }

    return re;
}


static void
test_refused(void **state)
{
    char          text[NXE_PATTERN_MAX + 2];
    size_t        i;
    nxe_error_t   err;
    nxe_regex_t  *re;
    nxe_status_t  rc;

    static const struct {
        const char  *pattern;
        const char  *why;           /* NULL: taken */
    } rows[] = {
        { "a(b", "missing closing parenthesis, at byte 3" },
        { "*a", "quantifier does not follow a repeatable item, at byte 0" },
        { "[a", "missing terminating ] for character class, at byte 2" },
        { "(?<n>a)(?<n>b)", "two named subpatterns have the same name" },
        { "\xff", "UTF-8 error" },
        { "a\\Cb", "using \\C is disabled by the application, at byte 3" },
        { "[\\C]", "escape sequence is invalid in character class" },
        { "(?C)", "callouts are not taken" },
        { "a(?C1)b", "callouts are not taken" },
        { "a(?C'x')b", "callouts are not taken" },
        { "(?(?C9)(?=a)b|c)", "callouts are not taken" },
        { "(?:a|(?<=b(?C2))c)*", "callouts are not taken" },
        { "(?(DEFINE)(?<n>(?C3)a))(?&n)", "callouts are not taken" },
        { "(*ACCEPT)(?C1)", "callouts are not taken" },
        { "(((a{1000}){1000}){1000})", "regular expression is too large" },
        { "\\Q(?C1)\\E", NULL },
        { "[(?C1)]", NULL },
        { "(?#(?C1)a", NULL },
        { "\\\\C", NULL },
        { "(*UCP)\\w", NULL },
        { "(?i)stra\xc3\x9f" "e", NULL },
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        rc = nxe_regex_compile(nxe_str_of(rows[i].pattern), unit_mem, &re,
                               &err);

        if (rows[i].why == NULL) {
            unit_row(rc == NXE_OK, rows[i].pattern);
            continue;
        }

        unit_row(rc == NXE_INVALID, rows[i].pattern);

        if (strncmp(err.text, rows[i].why, strlen(rows[i].why)) != 0) {
            fail_msg("%s: %s", rows[i].pattern, err.text);
        }
    }

    /* brackets as deep as the length allows */

    memset(text, '(', NXE_PATTERN_MAX);
    text[NXE_PATTERN_MAX] = '\0';
    assert_int_equal(nxe_regex_compile(nxe_str_of(text), unit_mem, &re, &err),
                     NXE_INVALID);

    memset(text, 'a', NXE_PATTERN_MAX + 1);
    text[NXE_PATTERN_MAX + 1] = '\0';
    assert_int_equal(nxe_regex_compile(nxe_str_of(text), unit_mem, &re, &err),
                     NXE_INVALID);
    text[NXE_PATTERN_MAX] = '\0';
    assert_int_equal(nxe_regex_compile(nxe_str_of(text), unit_mem, &re, &err),
                     NXE_OK);
}


/* Each limit in turn; a shorter value shows that the pattern itself is good. */

typedef struct {
    const char  *pattern;
    const char  *good;          /* is matched */
    char         fill;          /* VALUE of it and "last" reach a limit */
    char         last;
    const char  *limit;
} limit_t;


/* A frame has 16 bytes for each group, also for those that are not tried. */

static const char *
many_groups(char *text, size_t n)
{
    char  *p;

    p = text + sprintf(text, "(?:(a)|b)*c|x");

    while (n-- != 0) {
        p += sprintf(p, "()");
    }

    return text;
}


static size_t
limits(limit_t *rows)
{
    static char  some[NXE_PATTERN_MAX], most[NXE_PATTERN_MAX];

    static const limit_t  fixed[] = {
        { "^(a|a)*$", "aaa", 'a', 'b', "match" },
        { "^(?:a+)+$", "aaa", 'a', 'b', "match" },
        { "^(?:(?:(?:(?:(?:a|b)|b)|b)|b)|b)*$", "ab", 'a', 'b', "depth" },
        { "(?R)?a|b(?R)", NULL, 'b', 'b', "recursion" },
    };

    memcpy(rows, fixed, sizeof(fixed));

    /* one doubles its frames up to the limit, the other starts near it */

    rows[unit_n(fixed)] = (limit_t) { many_groups(some, 60), "aac", 'a', 'c',
                                      "heap" };
    rows[unit_n(fixed) + 1] = (limit_t) { many_groups(most, 1000), "aac", 'a',
                                          'c', "heap" };

    return unit_n(fixed) + 2;
}


static void
hostile(const limit_t *row, char value[VALUE])
{
    memset(value, row->fill, VALUE);
    value[VALUE - 1] = row->last;
}


static void
test_limits(void **state)
{
    char            value[VALUE];
    size_t          i, n;
    limit_t         rows[16];
    nxe_str_t       s;
    nxe_regex_t    *re;
    nxe_scratch_t  *scratch;

    (void) state;

    scratch = nxe_scratch_new(unit_mem);
    assert_non_null(scratch);

    n = limits(rows);

    for (i = 0; i < n; i++) {
        re = compiled(rows[i].pattern);

        if (rows[i].good != NULL) {
            unit_row(nxe_regex_match(re, scratch, nxe_str_of(rows[i].good))
                     == NXE_OK, rows[i].pattern);
        }

        hostile(&rows[i], value);
        s.data = value;
        s.len = VALUE;

        unit_row(nxe_regex_match(re, scratch, s) == NXE_INVALID,
                 rows[i].limit);

        /* and the next match is as good as the first */

        if (rows[i].good != NULL) {
            unit_row(nxe_regex_match(re, scratch, nxe_str_of(rows[i].good))
                     == NXE_OK, rows[i].pattern);
        }
    }

    /* a pattern can lower a limit, never raise it */

    s.len = VALUE;
    memset(value, 'a', VALUE);
    value[VALUE - 1] = 'b';
    re = compiled("(*LIMIT_MATCH=4000000000)(*LIMIT_DEPTH=4000000000)"
                  "(*LIMIT_HEAP=4000000000)^(a|a)*$");
    assert_int_equal(nxe_regex_match(re, scratch, s), NXE_INVALID);
}


/*
 * The limits are ours: PCRE2's own are a hundred times as high, and the block
 * itself would end a match of 320 KB.
 */

static void
test_ours(void **state)
{
    char            value[VALUE], text[NXE_PATTERN_MAX];
    nxe_regex_t    *re;
    nxe_scratch_t  *scratch;

    (void) state;

    scratch = nxe_scratch_new(unit_mem);
    assert_non_null(scratch);

    /* 2^10 ways to fail, then 2^18 */

    re = compiled("^(a|a)*$");
    assert_int_equal(nxe_regex_match(re, scratch, nxe_str("aaaaaaaaaab")),
                     NXE_DECLINED);
    assert_int_equal(nxe_regex_match(re, scratch,
                                     nxe_str("aaaaaaaaaaaaaaaaaab")),
                     NXE_INVALID);

    /* three frames of 1.1 KB a character */

    re = compiled(many_groups(text, 60));
    memset(value, 'a', VALUE);
    value[69] = 'c';
    assert_int_equal(nxe_regex_match(re, scratch,
                                     (nxe_str_t) { value, 70 }), NXE_OK);
    value[69] = 'a';
    value[87] = 'c';
    assert_int_equal(nxe_regex_match(re, scratch,
                                     (nxe_str_t) { value, 88 }), NXE_INVALID);
}


/* Nothing is asked of anybody once pattern and scratch are there. */

static void
test_flat(void **state)
{
    char            value[VALUE];
    size_t          i, j, n, before, had;
    limit_t         rows[16];
    uint64_t        seed;
    counted_t       c;
    nxe_str_t       s;
    nxe_error_t     err;
    nxe_regex_t    *re[17];
    nxe_scratch_t  *scratch;

    (void) state;

    counted_init(&c, 0);
    scratch = nxe_scratch_new(&c.mem);
    assert_non_null(scratch);

    n = limits(rows);

    for (i = 0; i < n; i++) {
        assert_int_equal(nxe_regex_compile(nxe_str_of(rows[i].pattern),
                                           &c.mem, &re[i], &err), NXE_OK);
    }

    assert_int_equal(nxe_regex_compile(nxe_str("^(acme|globex)-\\d+$"),
                                       &c.mem, &re[n++], &err), NXE_OK);

    /* one block of a fixed size, and some KB a pattern */

    assert_true(c.bytes < 1024 * 1024);

    seed = 1;
    s.data = value;
    had = c.n;
    before = __sanitizer_get_current_allocated_bytes != NULL
             ? __sanitizer_get_current_allocated_bytes() : 0;

    for (i = 0; i < 20000; i++) {
        s.len = unit_random(&seed) % VALUE + 1;

        for (j = 0; j < s.len; j++) {
            value[j] = i % 3 == 0 ? (char) unit_random(&seed)
                                  : "aaaaab=c"[unit_random(&seed) % 8];
        }

        (void) nxe_regex_match(re[i % n], scratch, s);

        /* the dear ones run into their limits now and then */

        if (i % 100 < n - 1) {
            hostile(&rows[i % 100], value);
            s.len = VALUE;
            assert_int_equal(nxe_regex_match(re[i % 100], scratch, s),
                             NXE_INVALID);
        }
    }

    assert_int_equal(c.n, had);

    if (__sanitizer_get_current_allocated_bytes != NULL) {
        assert_int_equal(__sanitizer_get_current_allocated_bytes(), before);
    }
}


static void
test_nomem(void **state)
{
    char          text[NXE_PATTERN_MAX];
    size_t        i;
    counted_t     c;
    nxe_error_t   err;
    nxe_regex_t  *re;
    nxe_status_t  rc;

    (void) state;

    for (i = 1, rc = NXE_NOMEM; rc != NXE_OK; i++) {
        counted_init(&c, i);
        rc = nxe_regex_compile(nxe_str_of(many_groups(text, 1000)), &c.mem, &re, &err);
        assert_true(rc == NXE_OK || rc == NXE_NOMEM);
    }

    assert_true(i > 3);

    for (i = 1; i < 3; i++) {
        counted_init(&c, i);
        assert_null(nxe_scratch_new(&c.mem));
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_ours),
        cmocka_unit_test(test_flat),
        cmocka_unit_test(test_nomem),
    };

    return unit_main(tests);
}
