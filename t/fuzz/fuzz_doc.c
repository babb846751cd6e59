/*
 * A document from outside: parsed, built, and where it is good, published
 * and built again from its serving form.  The bytes behind a zero byte are
 * the bytes of a serving copy that the text before it may point into, and the
 * value of every attribute that a good document asks for.
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <nxe/arena.h>
#include <nxe/doc.h>
#include <nxe/target.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
same_bytes(const nxe_doc_t *a, nxe_bytes_t x, const nxe_doc_t *b,
    nxe_bytes_t y)
{
    assert((size_t) x.offset + x.len <= a->bytes_len);
    assert((size_t) y.offset + y.len <= b->bytes_len);
    assert(x.len == y.len);
    assert(memcmp(a->bytes + x.offset, b->bytes + y.offset, x.len) == 0);
}


static nxe_status_t
attr(void *ctx, const nxe_source_t *source, nxe_str_t *value)
{
    (void) source;

    *value = *(nxe_str_t *) ctx;

    return value->len == 0 || value->len > NXE_UNIT_MAX ? NXE_DECLINED
                                                        : NXE_OK;
}


/* Both forms give the same answers about a request. */

static void
same_answers(const nxe_doc_t *a, const nxe_doc_t *b, nxe_str_t value)
{
    int            x, y;
    uint32_t       i;
    nxe_str_t      found, u, v;
    nxe_status_t   rc;
    nxe_request_t  r;

    static nxe_arena_t    *arena;
    static nxe_scratch_t  *scratch;

    /* as a worker has one for all of its matches */

    if (arena == NULL) {
        arena = nxe_arena_new();
        assert(arena != NULL);
        scratch = nxe_scratch_new(nxe_arena_mem(arena));
        assert(scratch != NULL);
    }

    memset(&r, 0, sizeof(r));
    r.attr = attr;
    r.ctx = &value;
    r.scratch = scratch;

    assert(a->ntargeting == b->ntargeting && a->nwindows == b->nwindows);
    assert(nxe_target_holds(a, &r, &x) == NXE_OK);
    assert(nxe_target_holds(b, &r, &y) == NXE_OK);
    assert(x == y);

    for (i = 0; i < a->nwindows; i++) {
        assert(a->windows[i].from == b->windows[i].from
               && a->windows[i].to == b->windows[i].to);
    }

    assert(a->nsegments == b->nsegments);

    for (i = 0; i < a->nsegments; i++) {
        assert(nxe_str_eq(a->segments[i].name, b->segments[i].name));

        rc = nxe_segment_find(&a->segments[i], &r, &found, &u);
        assert(nxe_segment_find(&b->segments[i], &r, &found, &v) == rc);
        assert(rc == NXE_DECLINED || nxe_str_eq(u, v));
    }
}


static void
same(const nxe_doc_t *a, const nxe_doc_t *b)
{
    size_t                  i, p;
    const nxe_effective_t  *x, *y;

    assert(nxe_str_eq(a->name, b->name));
    assert(nxe_str_eq(a->salt, b->salt));
    assert(a->nvariants == b->nvariants && a->nsteps == b->nsteps);
    assert(a->baseline == b->baseline && a->weight_den == b->weight_den);

    for (i = 0; i < (size_t) a->nvariants * a->nsteps; i++) {
        x = &a->effective[i];
        y = &b->effective[i];

        assert(x->nheaders == y->nheaders && x->nops == y->nops);
        assert((x->route == NULL) == (y->route == NULL));

        for (p = 0; p < NXE_PARAMS; p++) {
            assert((x->params[p] == NULL) == (y->params[p] == NULL));

            if (x->params[p] != NULL) {
                same_bytes(a, x->params[p]->value, b, y->params[p]->value);
            }
        }

        for (p = 0; p < x->nops; p++) {
            if (!x->ops[p]->remove) {
                same_bytes(a, x->ops[p]->value, b, y->ops[p]->value);
            }
        }
    }
}


static void
serving(const cJSON *tree, const nxe_doc_t *full, nxe_str_t value,
    nxe_arena_t *arena)
{
    cJSON              *again;
    nxe_doc_t          *doc;
    nxe_buf_t           json, bytes;
    nxe_faults_t        faults;
    nxe_json_result_t   result;

    nxe_buf_init(&json, 1 << 24);
    nxe_buf_init(&bytes, 1 << 24);
    nxe_faults_init(&faults, nxe_arena_mem(arena));

    assert(nxe_doc_serving(tree, &json, &bytes) == NXE_OK);
    assert(nxe_tree_parse(nxe_buf_str(&json), &again, &result) == NXE_OK);
    assert(nxe_doc_build(again, NXE_DOC_SERVING, nxe_buf_str(&bytes),
                         nxe_arena_mem(arena), &faults, &doc)
           == NXE_OK);

    same(full, doc);
    same_answers(full, doc, value);
    assert(!nxe_doc_changes_traffic(tree, tree, NULL));

    cJSON_Delete(again);
    nxe_buf_free(&json);
    nxe_buf_free(&bytes);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cJSON              *tree, *again;
    nxe_doc_t          *doc;
    nxe_str_t           text, rest;
    nxe_buf_t           out, twice;
    nxe_arena_t        *arena;
    const char         *zero;
    nxe_faults_t        faults;
    nxe_json_result_t   result;

    text.data = (const char *) data;
    text.len = size;
    rest = nxe_str("");

    zero = size > 0 ? memchr(data, '\0', size) : NULL;

    if (zero != NULL) {
        text.len = zero - text.data;
        rest.data = zero + 1;
        rest.len = size - text.len - 1;
    }

    if (nxe_tree_parse(text, &tree, &result) != NXE_OK) {
        assert(result.offset <= text.len);
        return 0;
    }

    /* canonical JSON is its own canonical JSON */
    nxe_buf_init(&out, 1 << 24);
    nxe_buf_init(&twice, 1 << 24);
    assert(nxe_tree_canonical(tree, &out) == NXE_OK);
    assert(nxe_tree_parse(nxe_buf_str(&out), &again, &result) == NXE_OK);
    assert(nxe_tree_canonical(again, &twice) == NXE_OK);
    assert(nxe_str_eq(nxe_buf_str(&out), nxe_buf_str(&twice)));

    arena = nxe_arena_new();
    assert(arena != NULL);

    nxe_faults_init(&faults, nxe_arena_mem(arena));

    /* the canonical tree, so that the order of members is the serving form's */
    if (nxe_doc_build(again, NXE_DOC_FULL, nxe_str(""), nxe_arena_mem(arena),
                      &faults, &doc)
        == NXE_OK)
    {
        nxe_doc_respell(again);
        serving(again, doc, rest, arena);

    } else {
        assert(faults.n > 0 && faults.fault[0].pointer != NULL);
    }

    nxe_faults_init(&faults, nxe_arena_mem(arena));
    (void) nxe_doc_build(tree, NXE_DOC_SERVING, rest, nxe_arena_mem(arena),
                         &faults, &doc);

    nxe_arena_free(arena);
    nxe_buf_free(&out);
    nxe_buf_free(&twice);
    cJSON_Delete(again);
    cJSON_Delete(tree);

    return 0;
}
