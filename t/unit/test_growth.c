/*
 * What a client can make the scan and the plan cost: with eight times the
 * bytes about eight times the processor time, whatever the bytes are.  What
 * grows with the square would take 64 times as much.
 */

#include "unit.h"

#include <time.h>

#include <nxe/dialect.h>

#define SMALL   (32 * 1024)
#define TIMES   8
#define LIMIT   32
#define RUNS    3
#define TRIES   5


/* head, as many units as fit, tail; "%d" in a unit is its number. */

typedef struct {
    nxe_dialect_t   dialect;
    const char     *head;
    const char     *unit;
    const char     *tail;
    size_t          segments;
    const char     *why;
} bomb_t;

#define CHAT  NXE_DIALECT_OPENAI_CHAT
#define ANTH  NXE_DIALECT_ANTHROPIC

static const bomb_t  bombs[] = {
    { CHAT, "{\"messages\":[{\"content\":\"", "words of a user. ", "\"}]}", 1,
      "a plain body" },
    { CHAT, "{\"a\":", "[", "", 1, "arrays without an end" },
    { CHAT, "{\"a\":", "{\"a\":", "", 1, "objects without an end" },
    { CHAT, "{\"a\":[", "[[[[[[[[[[[[]]]]]]]]]]]],", "0]}", 1, "up and down" },

    { CHAT, "{", "\"a%d\":0,", "\"z\":0}", 1, "many members" },
    { CHAT, "{", "\"\\u0061%d\":0,", "\"z\":0}", 1, "escaped ones" },
    { CHAT, "{\"x\":[", "{\"\\n\":0},", "0]}", 1, "in many objects" },
    { CHAT, "{\"x\":[", "{\"a%d\":0,\"b\":0,\"c\":0},", "0]}", 1, "more of" },
    { CHAT, "{", "\"a\":0,", "\"z\":0}", 1, "one member again and again" },
    { CHAT, "{", "\"x%d\":{\"y\":", "0", 1, "objects in objects" },
    { CHAT, "{\"", "k", "\":0}", 1, "a long key" },
    { CHAT, "{\"", "k", "\":0}", 31, "a long key in segments" },
    { CHAT, "{\"", "\\u006b", "\":0}", 31, "a long escaped key in segments" },
    { CHAT, "{", "\"k%d\":\"\",", "\"z\":0}", 31, "keys across segments" },

    { CHAT, "{\"model\":\"", "\\n", "\"}", 1, "escapes" },
    { CHAT, "{\"model\":\"", "\\u0041", "\"}", 31, "escapes in segments" },
    { CHAT, "{\"model\":\"", "\\\\", "\"}", 1, "backslashes" },
    { CHAT, "{\"model\":\"", "\\\"", "\"}", 1, "quotes" },
    { CHAT, "{\"model\":\"", "x\\n\xe2\x82\xac", "\"}", 1, "a mix" },
    { CHAT, "{\"a\":[", "\"\\n\xc3\xa9\",", "0]}", 1, "short strings" },
    { CHAT, "{\"a\":[", "\"\",1,", "0]}", 1, "strings and numbers" },

    { CHAT, "{\"a\":", " \n", "0}", 1, "white space" },
    { CHAT, "{\"rm\":0", " ", "}", 31, "white space behind what is removed" },
    { CHAT, "{\"x\":1,", " ", "\"rm\":0}", 31, "in front of it" },
    { CHAT, "{\"x\":[", " 1 ,", "0]}", 1, "between numbers" },

    { CHAT, "{\"messages\":[", "0,", "0]}", 1, "elements that are counted" },
    { CHAT, "{\"messages\":[{\"role\":\"system\",\"content\":[", "{},", "0]}]}",
      1, "a long content" },
    { CHAT, "{\"x\":", "1", "}", 1, "a long number" },
    { CHAT, "{\"x\":[1,", "1", "]}", 1, "a long element" },
    { CHAT, "{\"x\":[", "1e5,", "0]}", 1, "numbers" },
    { CHAT, "{\"temperature\":0.2", "0", "}", 31, "a long equal number" },
    { CHAT, "{\"temperature\":0.", "0", "2}", 1, "a small number" },

    { ANTH, "{\"system\":[{\"a\":0,", "\"text\":\"\",", "\"z\":0}]}", 1,
      "a text again and again" },
    { ANTH, "{\"system\":[", "{\"type\":\"text\",\"text\":\"A\"},", "0]}", 1,
      "blocks" },
    { ANTH, "{\"system\":[", "{\"text\":\"\\n\"},", "0]}", 1,
      "blocks with escapes" },
    { ANTH, "{\"system\":[\"", "\\\\\\\"", "\"]}", 31, "backslashes, quotes" },
    { ANTH, "{\"system\":[", "[[[]]],", "0]}", 31, "nested blocks" },
    { ANTH, "{\"system\":[{\"cache_control\":{", "\"a%d\":{},", "\"z\":0}}]}",
      1, "a long cache_control" },
};


static nxe_str_t
make(const bomb_t *b, size_t size)
{
    int      i;
    char    *p;
    size_t   len;

    p = malloc(size + 256);
    assert_non_null(p);

    len = (size_t) sprintf(p, "%s", b->head);

    for (i = 0; len < size; i++) {
        len += (size_t) sprintf(p + len, b->unit, i);
    }

    len += (size_t) sprintf(p + len, "%s", b->tail);

    return (nxe_str_t) { p, len };
}


static double
cpu_ms(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);

    return (double) ts.tv_sec * 1e3 + (double) ts.tv_nsec / 1e6;
}


/* Scan and plan as a request does; the prompt is as long as the body. */

static double
cost(const bomb_t *b, const nxe_text_t *text, nxe_str_t prompt)
{
    size_t              n;
    double              start;
    unsigned            i, cpu;
    nxe_code_t          code;
    nxe_edit_t         *edits;
    nxe_arena_t        *arena;
    nxe_places_t        p;
    const nxe_mem_t    *mem;
    nxe_json_node_t    *node;
    nxe_json_result_t   r;

    static const char *const  values[NXE_PARAMS] = {
        NULL, "0.2", "0.3", "400", "\"small\"", "\"low\""
    };

    arena = nxe_arena_new();
    assert_non_null(arena);
    mem = nxe_arena_mem(arena);

    assert_int_equal(nxe_json_cpu(NULL, &cpu), NXE_OK);
    nxe_places_init(&p, b->dialect);
    assert_int_equal(nxe_places_params(&p, (1u << NXE_PARAMS) - 1, mem),
                     NXE_OK);
    assert_int_equal(nxe_places_op(&p, nxe_str("/rm"), mem, &node), NXE_OK);

    start = cpu_ms();

    if (nxe_json_scan_members(text, &p.root, NXE_JSON_ROOT_OBJECT|cpu, mem,
                              &r)
        == NXE_JSON_OK)
    {
        for (i = 0; i < NXE_PARAMS; i++) {
            unit_row(nxe_places_plan(&p, text, (nxe_param_t) i,
                                     i == NXE_SYSTEM ? prompt
                                                     : nxe_str_of(values[i]),
                                     0, mem, &code)
                     == NXE_OK, b->why);
        }

        unit_row(nxe_places_plan_op(&p, text, node, 1, nxe_null_str, mem,
                                    &code)
                 == NXE_OK, b->why);
        unit_row(nxe_places_edits(&p, text, mem, &edits, &n) == NXE_OK,
                 b->why);
    }

    start = cpu_ms() - start;
    nxe_arena_free(arena);

    return start;
}


static double
least(const bomb_t *b, size_t size)
{
    char        *prompt;
    size_t       at, len;
    double       ms, best;
    unsigned     i;
    nxe_str_t    body, segs[32];
    nxe_text_t   text;

    body = make(b, size);
    prompt = malloc(size);
    assert_non_null(prompt);
    memset(prompt, 'A', size);
    prompt[0] = '"';
    prompt[size - 1] = '"';

    text.segs = segs;
    text.n = 0;

    for (at = 0; at < body.len; at += len) {
        len = body.len / b->segments + 1;
        len = len > body.len - at ? body.len - at : len;
        segs[text.n].data = body.data + at;
        segs[text.n++].len = len;
    }

    for (i = 0, best = 0; i < RUNS; i++) {
        ms = cost(b, &text, (nxe_str_t) { prompt, size });
        best = i == 0 || ms < best ? ms : best;
    }

    free(prompt);
    free((void *) (uintptr_t) body.data);

    return best;
}


static void
test_growth(void **state)
{
    size_t         i;
    double         few, many;
    unsigned       tries;
    const bomb_t  *b;

    (void) state;

    for (i = 0; i < unit_n(bombs); i++) {
        b = &bombs[i];

        /* others may take the processor's caches away meanwhile */

        for (tries = 0, few = 0, many = 1; tries < TRIES; tries++) {
            few = least(b, SMALL);
            many = least(b, TIMES * SMALL);

            if (many < LIMIT * few) {
                break;
            }
        }

        if (tries == TRIES) {
            fail_msg("%s: %.3f ms, then %.3f ms for %d times the bytes",
                     b->why, few, many, TIMES);
        }
    }
}


/*
 * Names that all belong into the same slots of the table for large objects:
 * the search gives up, and the body is called ambiguous.
 */

static uint64_t
mixed(uint64_t a, uint64_t b)
{
    a = (a ^ 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
    b = (b ^ (b >> 32)) * 0x94d049bb133111ebu;

    return a ^ b ^ (a >> 32) ^ (b << 21);
}


static void
test_collisions(void **state)
{
    char                name[9], *p;
    size_t              len;
    uint64_t            seed, word;
    unsigned            i, n;
    nxe_str_t           s;
    nxe_text_t          text;
    nxe_json_result_t   r;

    (void) state;

    p = malloc(64 * 1024);
    assert_non_null(p);
    len = (size_t) sprintf(p, "{");
    seed = 1;

    for (n = 0; n < 1000; ) {

        for (i = 0; i < 8; i++) {
            name[i] = (char) ('a' + unit_random(&seed) % 26);
        }

        name[8] = '\0';
        memcpy(&word, name, 8);
        word = mixed((8 * 0x94d049bb133111ebu) ^ word, word);

        if ((mixed(word, 1) & 0x7ff) < 8) {
            len += (size_t) sprintf(p + len, "\"%s\":0,", name);
            n++;
        }
    }

    len += (size_t) sprintf(p + len, "\"z\":0}");
    s.data = p;
    s.len = len;
    text.segs = &s;
    text.n = 1;

    assert_int_equal(nxe_json_scan_members(&text, NULL, 0, unit_mem, &r),
                     NXE_JSON_OK);
    assert_int_equal(r.ambiguous, 1);

    free(p);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_growth),
        cmocka_unit_test(test_collisions),
    };

    return unit_main(tests);
}
