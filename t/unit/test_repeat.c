/*
 * Structure that comes again: passed by comparison, it means what it means
 * when it is read.
 */

#include "unit.h"


static const char *const  pointers[] = {
    "/messages", "/messages/0/role", "/messages/3/role", "/messages/5",
    "/messages/2/content/1/text", "/tools/1/name", "/messages/4/content/0"
};

typedef struct {
    nxe_json_node_t     root;
    nxe_json_node_t    *nodes[unit_n(pointers)];
    nxe_json_result_t   result;
} answer_t;


static void
scan(nxe_str_t s, unit_cut_t how, size_t cut, int targets, unsigned flags,
    answer_t *a)
{
    size_t      i;
    nxe_str_t   segs[2];
    nxe_text_t  text, two;

    memset(a, 0, sizeof(*a));
    a->root.index = NXE_JSON_NO_INDEX;

    for (i = 0; i < unit_n(pointers) && targets; i++) {
        assert_int_equal(nxe_json_target(&a->root, nxe_str_of(pointers[i]),
                                         unit_mem, &a->nodes[i]), NXE_OK);
        if (i % 2 == 1) {
            nxe_json_edit(a->nodes[i]);
        }
    }

    text = unit_cut(s, how);

    /* not one behind the other in memory */

    segs[0] = (nxe_str_t) { memcpy(malloc(cut + 1), s.data, cut), cut };
    segs[1] = (nxe_str_t) { memcpy(malloc(s.len - cut + 1), s.data + cut,
                                   s.len - cut), s.len - cut };
    two.segs = segs;
    two.n = 2;

    (void) nxe_json_scan_members(cut != 0 ? &two : &text,
                                 targets ? &a->root : NULL, flags, unit_mem,
                                 &a->result);
    unit_cut_free(&text);
    free((char *) segs[0].data);
    free((char *) segs[1].data);
}


static void
same(const answer_t *a, const answer_t *b, int targets, const char *why)
{
    size_t                  i;
    const nxe_json_node_t  *x, *y;

    unit_row(a->result.cause == b->result.cause, why);
    unit_row(a->result.offset == b->result.offset, why);
    unit_row(a->result.expected == b->result.expected, why);
    unit_row(a->result.ambiguous == b->result.ambiguous, why);

    if (!targets || a->result.cause != NXE_JSON_OK) {
        return;
    }

    for (i = 0; i < unit_n(pointers); i++) {
        x = a->nodes[i];
        y = b->nodes[i];

        unit_row(x->type == y->type, why);
        unit_row(x->twice == y->twice, why);
        unit_row(x->type == NXE_JSON_NONE
                 || (x->value.start == y->value.start
                     && x->value.end == y->value.end
                     && x->key.start == y->key.start
                     && x->count == y->count
                     && x->nonempty == y->nonempty), why);
    }
}


/* A segment a byte leaves nothing to compare: its answer is the oracle. */

static void
check(nxe_str_t s, size_t cut, const char *why)
{
    int       targets;
    answer_t  want, got;

    for (targets = 0; targets < 2; targets++) {
        scan(s, UNIT_BYTES, 0, targets, NXE_JSON_PORTABLE, &want);

        scan(s, UNIT_WHOLE, 0, targets, 0, &got);
        same(&want, &got, targets, why);

        scan(s, UNIT_WHOLE, cut, targets, 0, &got);
        same(&want, &got, targets, why);
    }
}


#define T     "{\"a\":1,\"b\":1}"
#define C     "{\"a\":1,\"b\":1,\"c\":1}"
#define M(x)  "{\"messages\":[" x "]}"
#define U     "{\"role\":\"user\",\"content\":\"a longer text than a name\"}"

static const char *const  rows[] = {
    M(U "," U "," U "," U),
    M(U "," U "," U "," U "," U "," U "," U),
    M(U "," U "," U ",7," U "," U),
    M(U "," U "," U "}," U),
    M(U "," U "," U "],[" U),
    M(U "," U ",{\"role\":\"user\",\"content\":\"x\",\"role\":1}," U),
    M(U "," U ",{\"role\":\"user\",\"content\":\"x\",\"content\":1}," U),
    M(U "," U ",{\"role\":\"user\",\"content\":\"x\",\"n\":1}," U),
    M(U "," U ",{\"role\":\"user\",\"content\":{\"role\":1,\"role\":2}}"),
    M(U "," U ",{\"role\":\"user\",\"content\":[" U "," U "," U "]}," U),
    M(U "," U "," U ",[1},{\"role\":\"user\",\"content\":1}"),
    M(U "," U "," U "],\"y\":{\"z\":1},{\"role\":\"user\",\"content\":1}"),
    "{\"y\":[" T "," T "," T "],\"b\":1},{\"a\":1,\"b\":1}",
    M("[" T "," T "],[" T "," T "],[" T "," T "],[" T "," T "],[" T "]"),
    M(U "," U ",{\"role\":\"user\",\"content\":}"),
    M(U "," U ",{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"user\","),
    "{\"a\":{\"b\":{\"c\":1},\"d\":{\"c\":1},\"e\":{\"c\":1},\"e\":{\"c\":1}}}",
    "{\"a\":{\"b\":{\"c\":1,\"x\":1},\"},{\":{\"c\":1,\"x\":1},"
        "\"},{\":{\"c\":1,\"x\":1}}}",
    "[{\"a\":1,\"b\":2},{\"a\":1,\"b\":2},{\"a\":1,\"b\":2},{\"a\":1,\"a\":2}]",
    "[{\"a\":1},{\"a\":1},{\"a\":1,\"b\":1},{\"a\":1,\"b\":1,\"a\":1}]",
    "[{\"a\":{},\"b\":1},{\"a\":{},\"b\":1},{\"a\":{},\"b\":1,\"b\":1}]",
    "[{\"a\":[],\"b\":1},{\"a\":[],\"b\":1},{\"a\":[1],\"b\":1}]",
    "[{\"\\u0061\":1,\"b\":1},{\"\\u0061\":1,\"b\":1},"
        "{\"\\u0061\":1,\"b\":1,\"a\":1}]",
    "[ { \"a\" : 1 , \"b\" : 1 } , { \"a\" : 1 , \"b\" : 1 } ,"
        " { \"a\" : 1 , \"b\" : 1 , \"b\" : 1 } ]",
    "[{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5},{\"a\":1,\"b\":2,\"c\":3,"
        "\"d\":4,\"e\":5},{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"e\":1}]",
    "{\"tools\":[{\"name\":\"a\",\"x\":1},{\"name\":\"a\",\"x\":1},"
        "{\"name\":\"a\",\"x\":1},{\"name\":\"a\",\"x\":1}]}",
    "{\"tools\":[{\"name\":\"a\",\"x\":1},{\"name\":\"a\",\"x\":1,\"name\":2}]}"
};


static void
test_rows(void **state)
{
    size_t     i, cut;
    nxe_str_t  s;

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        s = nxe_str_of(rows[i]);

        for (cut = 0; cut < s.len; cut++) {
            check(s, cut, rows[i]);
        }
    }
}


/* An object of n members that end with text. */

static char *
large(char *p, size_t n, const char *text)
{
    size_t  i;

    p += sprintf(p, "{");

    for (i = 0; i < n; i++) {
        p += sprintf(p, "\"m%zu\":0,", i);
    }

    return p + sprintf(p, "%s", text);
}


/* Where the members of an object are not on the stack, or no longer. */

static void
test_large(void **state)
{
    char    in[16384], *p;
    size_t  i, n;

    (void) state;

    for (n = 29; n < 36; n++) {
        p = in + sprintf(in, "{\"messages\":[" T "," T "," T ",");
        p = large(p, n, "\"z\":1}," T "," T ",{\"a\":1,\"b\":1,\"a\":1}]}");
        check((nxe_str_t) { in, (size_t) (p - in) }, 40, "behind a large one");
    }

    for (n = 250; n < 258; n++) {
        /* the shape is known before, else the objects below are only read */

        p = in + sprintf(in, "{\"p\":[" T "," T "," T "],\"q\":");

        for (i = n; i > 31; i -= 31) {
            p = large(p, 30, "\"x\":");
        }

        p = large(p, i - 1, "\"x\":[" T "," T "," T ","
                  "{\"a\":1,\"b\":1,\"a\":1},{\"a\":1,\"b\":1,\"b\":1}]");

        for (i = n; i > 31; i -= 31) {
            *p++ = '}';
        }

        *p++ = '}';
        *p++ = '}';
        check((nxe_str_t) { in, (size_t) (p - in) }, 40, "a full stack");
    }
}


/* Conversations of few shapes; some with a fault, or with a name twice. */

static void
test_random(void **state)
{
    int          i, k, n, set;
    char         in[8192];
    size_t       len;
    uint64_t     seed;
    nxe_str_t    s;
    const char  *shape;

    static const char *const  shapes[] = {
        "{\"role\":\"user\",\"content\":\"hello\"}",
        "{\"role\":\"assistant\",\"content\":\"h\\u00e9llo \xc3\xa9\"}",
        "{\"role\":\"tool\",\"id\":\"call_0123456789abcdef01\",\"content\":1}",
        "{\"content\":\"a text\",\"role\":\"user\"}",
        "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
            "{\"type\":\"text\",\"text\":\"b\"},"
            "{\"type\":\"text\",\"text\":\"c\"}]}",
        "{\"a\":1,\"b\":true,\"c\":null,\"d\":-1.5e3}",
        "{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6}",
        "{\n  \"role\": \"user\",\n  \"content\": \"x\"\n}",
        "{\"role\":\"user\",\"role\":\"user\",\"content\":\"hello\"}",
        "{\"role\":\"user\",\"content\":\"hello\",\"role\":1}",
        T, C, "{}", "[]", "1", "\"},{\"", "{\"x\":{\"y\":1},\"z\":1}",
        "{\"x\":[{\"a\":1},{\"a\":1},{\"a\":1}],\"z\":1}"
    };

    (void) state;

    seed = 7;

    for (i = 0; i < 4000; i++) {
        len = (size_t) sprintf(in, "{\"messages\":[");
        set = (int) (unit_random(&seed) % unit_n(shapes));
        n = 2 + (int) (unit_random(&seed) % 24);

        for (k = 0; k < n; k++) {
            shape = shapes[unit_random(&seed) % 4 != 0
                           ? ((unsigned) set + unit_random(&seed) % 2)
                             % unit_n(shapes)
                           : unit_random(&seed) % unit_n(shapes)];

            len += (size_t) sprintf(in + len, "%s%s", k == 0 ? ""
                                    : i % 5 == 0 ? " , " : ",", shape);
        }

        len += (size_t) sprintf(in + len, "],\"tools\":[%s,%s,%s]}",
                                shapes[0], shapes[0], shapes[set]);

        if (i % 4 == 0) {
            in[unit_random(&seed) % len] =
                                   "{}[],:\"\\ 1a"[unit_random(&seed) % 11];
        }

        s = (nxe_str_t) { in, len };
        check(s, unit_random(&seed) % len, "shapes by chance");
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_random)
    };

    return unit_main(tests);
}
