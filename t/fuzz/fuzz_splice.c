/*
 * Splice, then parse, equals parse, then edit.
 *
 * HEAD bytes choose: dialect and cuts, parameters, "when": "absent", values,
 * operations.  A line for each operation is its pointer: as it stands, or,
 * behind "#", a way through the body by the numbers of its bytes.  The rest
 * is a body.  cJSON is the oracle: it parses the body, is edited as DESIGN and
 * INTEROP 5.8 say, and must equal what it parses from the spliced bytes.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <nxe/arena.h>
#include <nxe/buf.h>
#include <nxe/dialect.h>

#include "oracle.h"

#define HEAD  8


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static const char *const  param_values[NXE_PARAMS][4] = {
    { "\"B\"", "\"\"", "\"\\u0000\\\"\"", "\"\xc3\xa9\"" },
    { "0.3", "1", "2", "0.30" },
    { "0.5", "1e-1", "0", "1" },
    { "1", "400", "999999999999999999", "4e2" },
    { "\"m\"", "\"a/b\"", "\"\\u20ac\"", "\"gpt\"" },
    { "\"low\"", "\"high\"", "\"\xe2\x82\xac\"", "\"l\\now\"" }
};

static const char *const  op_values[8] = {
    "1", "\"v\"", "{}", "[]", "null", "{\"a\":[1,{\"b\":\"\\u20ac\"}]}",
    "[true,-0.5e1]", "\"\xf0\x9f\x98\x80\\\\\""
};


/* A way through a tree: each byte chooses a child; it may end beside one. */

static void
way(const cJSON *item, nxe_str_t steps, nxe_buf_t *path)
{
    int          n;
    size_t       i;
    const char  *p;

    for (i = 0; i < steps.len && i < NXE_JSON_POINTER_DEPTH; i++) {

        if (!cJSON_IsObject(item) && !cJSON_IsArray(item)) {
            (void) nxe_buf_addf(path, "/%c", steps.data[i]);
            return;
        }

        n = cJSON_GetArraySize(item);

        if (n == 0 || steps.data[i] == '-' || steps.data[i] == '+') {
            (void) nxe_buf_addf(path, "/%s",
                                cJSON_IsObject(item) ? "new" : "-");
            item = NULL;
            continue;
        }

        if (steps.data[i] == '=') {
            (void) nxe_buf_addf(path, "/%d", n);
            item = NULL;
            continue;
        }

        n = (unsigned char) steps.data[i] % n;
        (void) nxe_buf_addc(path, '/');

        if (cJSON_IsArray(item)) {
            (void) nxe_buf_addf(path, "%d", n);
            item = cJSON_GetArrayItem(item, n);
            continue;
        }

        item = cJSON_GetArrayItem(item, n);

        for (p = item->string; *p != '\0'; p++) {
            (void) (*p == '~' ? nxe_buf_add(path, nxe_str("~0"))
                    : *p == '/' ? nxe_buf_add(path, nxe_str("~1"))
                    : nxe_buf_addc(path, *p));
        }
    }
}


/* What the input asks for; the body is what is left of it. */

static unsigned
asked(const uint8_t *data, nxe_str_t *body, ask_t *asks, nxe_buf_t *paths)
{
    cJSON        *tree;
    unsigned      i, j, n, nops;
    nxe_str_t     line[OPS];
    const char   *end;

    nops = data[5] % (OPS + 1);

    for (i = 0; i < nops; i++) {
        end = memchr(body->data, '\n', body->len);

        if (end == NULL) {
            break;
        }

        line[i].data = body->data;
        line[i].len = (size_t) (end - body->data);
        body->data = end + 1;
        body->len -= line[i].len + 1;
    }

    nops = i;
    n = 0;

    for (j = 0; j < 2; j++) {

        for (i = 0; i < NXE_PARAMS && j == data[7] % 2; i++) {
            if (data[1] & 1u << i) {
                asks[n].param = (int) i;
                asks[n].if_absent = data[2] >> i & 1;
                asks[n].remove = 0;
                asks[n++].json = param_values[i][(data[3] | data[4] << 8)
                                                 >> 2 * i & 3];
            }
        }

        tree = j != data[7] % 2 && nops != 0
               ? cJSON_ParseWithLength(body->data, body->len) : NULL;

        for (i = 0; i < nops && j != data[7] % 2; i++) {

            if (line[i].len != 0 && line[i].data[0] == '#') {
                line[i].data++;
                line[i].len--;
                way(tree, line[i], &paths[i]);

            } else {
                (void) nxe_buf_add(&paths[i], line[i]);
            }

            (void) nxe_buf_addc(&paths[i], '\0');
            line[i] = nxe_str_of(paths[i].data);

            /* what a document may have */

            if (line[i].len == 0 || line[i].len + 1 != paths[i].len
                || nxe_json_pointer_check(line[i]) != NXE_OK
                || !nxe_utf8_ok(line[i]))
            {
                continue;
            }

            asks[n].param = -1;
            asks[n].if_absent = 0;
            asks[n].remove = data[6] >> i & 1;
            asks[n].path = paths[i].data;
            asks[n++].json = op_values[(data[6] >> 4 | data[7] >> 1)
                                       + i & 7];
        }

        cJSON_Delete(tree);
    }

    return n;
}


static nxe_status_t
collect(void *ctx, nxe_str_t slice)
{
    assert(slice.len != 0);

    return nxe_buf_add(ctx, slice);
}


static void
make_places(nxe_places_t *p, nxe_dialect_t dialect, const ask_t *asks,
    unsigned n, const nxe_mem_t *mem)
{
    unsigned          i, params;
    nxe_json_node_t  *node;

    nxe_places_init(p, dialect);

    for (i = 0, params = 0; i < n; i++) {
        if (asks[i].param >= 0) {
            params |= 1u << asks[i].param;
        }
    }

    assert(nxe_places_params(p, params, mem) == NXE_OK);

    for (i = 0; i < n; i++) {
        if (asks[i].param < 0) {
            assert(nxe_places_op(p, nxe_str_of(asks[i].path), mem, &node)
                   == NXE_OK);
        }
    }
}


static void
plan(nxe_places_t *p, const nxe_text_t *text, ask_t *ask,
    const nxe_mem_t *mem)
{
    uint32_t          marks;
    nxe_json_node_t  *node, *other;

    marks = p->marks;

    if (ask->param < 0) {
        assert(nxe_places_op(p, nxe_str_of(ask->path), mem, &node) == NXE_OK);
        assert(nxe_places_plan_op(p, text, node, ask->remove,
                                  nxe_str_of(ask->json), mem, &ask->code)
               == NXE_OK);

    } else {
        node = p->at[ask->param];
        other = ask->param == NXE_MAX_TOKENS ? p->at[NXE_AT_COMPLETION] : NULL;
        ask->marked = (node != NULL && node->mark != NULL)
                      | (other != NULL && other->mark != NULL) << 1;

        assert(nxe_places_plan(p, text, (nxe_param_t) ask->param,
                               nxe_str_of(ask->json), ask->if_absent, mem,
                               &ask->code)
               == NXE_OK);

        ask->marked ^= (node != NULL && node->mark != NULL)
                       | (other != NULL && other->mark != NULL) << 1;
    }

    assert((p->marks != marks) == (ask->code == NXE_CODE_APPLIED));
}


/* What is not edited is there, byte for byte, and the edits are in order. */

static void
check_edits(nxe_str_t body, const nxe_edit_t *edits, size_t n, nxe_str_t out)
{
    size_t     i, at;
    nxe_buf_t  b;

    nxe_buf_init(&b, SIZE_MAX);

    for (i = 0, at = 0; i < n; i++) {
        assert(edits[i].start >= at && edits[i].end >= edits[i].start);

        (void) nxe_buf_add(&b, (nxe_str_t) { body.data + at,
                                             edits[i].start - at });
        (void) nxe_buf_add(&b, edits[i].head);
        (void) nxe_buf_add(&b, edits[i].bytes);
        (void) nxe_buf_add(&b, edits[i].tail);
        at = edits[i].end;
    }

    assert(at <= body.len);
    (void) nxe_buf_add(&b, (nxe_str_t) { body.data + at, body.len - at });
    assert(b.status == NXE_OK && nxe_str_eq(nxe_buf_str(&b), out));

    nxe_buf_free(&b);
}


/* Scan, plan and splice, as a request does; packed: with a copy of places. */

static nxe_json_cause_t
run(const nxe_text_t *text, nxe_str_t body, int packed, nxe_dialect_t dialect,
    ask_t *asks, unsigned n, nxe_buf_t *out, unsigned *ambiguous)
{
    size_t              nedits, applied;
    unsigned            i, cpu;
    nxe_edit_t         *edits;
    nxe_arena_t        *arena;
    nxe_places_t        made, copy, *p;
    const nxe_mem_t    *mem;
    nxe_json_result_t   r;

    arena = nxe_arena_new();
    assert(arena != NULL);
    mem = nxe_arena_mem(arena);

    cpu = NXE_JSON_PORTABLE;
    p = &made;
    make_places(p, dialect, asks, n, mem);

    if (packed) {
        assert(nxe_json_cpu(NULL, &cpu) == NXE_OK);
        assert(nxe_places_pack(&made, mem) == NXE_OK);
        p = &copy;
        assert(nxe_places_copy(&made, mem, p) == NXE_OK);
    }

    *ambiguous = 0;

    if (nxe_json_scan_members(text, &p->root, NXE_JSON_ROOT_OBJECT|cpu, mem,
                              &r)
        == NXE_JSON_OK)
    {
        *ambiguous = r.ambiguous;

        for (i = 0, applied = 0; i < n; i++) {
            plan(p, text, &asks[i], mem);
            applied += asks[i].code == NXE_CODE_APPLIED;
        }

        assert(nxe_places_edits(p, text, mem, &edits, &nedits) == NXE_OK);
        assert((nedits != 0) == (applied != 0));

        assert(nxe_splice(text, edits, nedits, collect, out) == NXE_OK);
        assert(out->len == nxe_splice_len(edits, nedits, body.len));
        check_edits(body, edits, nedits, nxe_buf_str(out));
    }

    nxe_arena_free(arena);

    return r.cause;
}


/* The result is one that can be edited again. */

static void
rescan(nxe_str_t out, nxe_dialect_t dialect, const ask_t *asks, unsigned n,
    unsigned ambiguous)
{
    nxe_text_t          text;
    nxe_arena_t        *arena;
    nxe_places_t        p;
    nxe_json_result_t   r;

    arena = nxe_arena_new();
    assert(arena != NULL);

    text.segs = &out;
    text.n = 1;

    make_places(&p, dialect, asks, n, nxe_arena_mem(arena));
    assert(nxe_json_scan_members(&text, &p.root, NXE_JSON_ROOT_OBJECT,
                                 nxe_arena_mem(arena), &r)
           == NXE_JSON_OK);
    assert(ambiguous || !r.ambiguous);

    nxe_arena_free(arena);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char               *copy;
    size_t              at, len, step;
    ask_t               asks[ASKS], again[ASKS];
    unsigned            i, n, ambiguous, ambiguous2;
    nxe_str_t           body, *segs;
    nxe_buf_t           out, out2, paths[OPS];
    nxe_text_t          one, cut;
    nxe_dialect_t       dialect;
    nxe_json_cause_t    cause;

    if (size < HEAD) {
        return 0;
    }

    for (i = 0; i < OPS; i++) {
        nxe_buf_init(&paths[i], SIZE_MAX);
    }

    nxe_buf_init(&out, SIZE_MAX);
    nxe_buf_init(&out2, SIZE_MAX);

    body.data = (const char *) data + HEAD;
    body.len = size - HEAD;
    dialect = (nxe_dialect_t) (data[0] % (NXE_DIALECT_ANTHROPIC + 1));
    n = asked(data, &body, asks, paths);

    /* segments of one length, each in memory of its own */

    segs = malloc((body.len + 1) * sizeof(nxe_str_t));
    assert(segs != NULL);
    step = data[0] / 4 % 32;
    cut.segs = segs;
    cut.n = 0;

    for (at = 0; at < body.len; at += len) {
        len = step == 0 || step > body.len - at ? body.len - at : step;
        copy = malloc(len);
        assert(copy != NULL);
        memcpy(copy, body.data + at, len);
        segs[cut.n].data = copy;
        segs[cut.n++].len = len;
    }

    one.segs = &body;
    one.n = 1;
    memcpy(again, asks, sizeof(asks));

    cause = run(&one, body, 0, dialect, asks, n, &out, &ambiguous);
    assert(run(&cut, body, 1, dialect, again, n, &out2, &ambiguous2) == cause);

    if (cause == NXE_JSON_OK) {
        assert(ambiguous == ambiguous2);
        assert(nxe_str_eq(nxe_buf_str(&out), nxe_buf_str(&out2)));

        for (i = 0; i < n; i++) {
            assert(asks[i].code == again[i].code);
        }

        rescan(nxe_buf_str(&out), dialect, asks, n, ambiguous);
        oracle(body, dialect, asks, n, nxe_buf_str(&out));
    }

    while (cut.n-- > 0) {
        free((void *) (uintptr_t) segs[cut.n].data);
    }

    for (i = 0; i < OPS; i++) {
        nxe_buf_free(&paths[i]);
    }

    free(segs);
    nxe_buf_free(&out);
    nxe_buf_free(&out2);

    return 0;
}
