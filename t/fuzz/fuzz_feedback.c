/*
 * Bodies of feedback.  The first byte says who sends it.  What is taken is
 * whole and of its form; what is refused has a place and a reason; and both
 * are so again for the same body.
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <nxe/arena.h>
#include <nxe/feedback.h>
#include <nxe/frac.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
check_values(nxe_feedback_t *f, size_t i)
{
    int            kind;
    nxe_str_t      s;
    nxe_metric_t   m;

    m.name = f->items[i].metric;
    m.min = nxe_str("-3.5");
    m.max = nxe_str("1e3");

    for (kind = NXE_METRIC_BINARY; kind <= NXE_METRIC_RATIO; kind++) {
        m.kind = (nxe_metric_kind_t) kind;

        if (nxe_feedback_value(f, (int32_t) i, &m, &s) == NXE_OK) {
            assert(nxe_decimal_ok(s));
            assert(nxe_decimal_cmp(s, m.min) >= 0);
            assert(nxe_decimal_cmp(s, m.max) <= 0);
        }
    }
}


static void
check_item(nxe_feedback_t *f, size_t i, nxe_feedback_trust_t trust)
{
    int                         n;
    const nxe_feedback_item_t  *item;

    item = &f->items[i];

    assert(nxe_name_ok(item->metric));
    assert(item->value.len != 0 && item->value.len <= NXE_FEEDBACK_NUMBER);
    assert(item->experiment.data == NULL || nxe_name_ok(item->experiment));
    assert(item->key.len <= NXE_FEEDBACK_KEY);
    assert(item->unit.len <= NXE_UNIT_MAX);

    n = (item->unit.data != NULL) + (item->unit_hash.data != NULL)
        + (item->request_id.data != NULL);

    assert(trust == NXE_TRUST_TOKEN ? item->unit.data == NULL : n == 1);
    assert(trust == NXE_TRUST_KEY || item->unit_hash.data == NULL);

    check_values(f, i);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                i;
    char                  pointer[NXE_FEEDBACK_POINTER];
    nxe_str_t             body;
    nxe_arena_t          *arena;
    nxe_status_t          rc;
    nxe_feedback_t        f, again;
    nxe_feedback_trust_t  trust;

    if (size == 0) {
        return 0;
    }

    trust = (nxe_feedback_trust_t) (data[0] % 3);
    body.data = (const char *) data + 1;
    body.len = size - 1;

    arena = nxe_arena_new();
    assert(arena != NULL);

    rc = nxe_feedback_parse(body, trust, 0, nxe_arena_mem(arena), &f);
    assert(rc == (f.nfaults == 0 ? NXE_OK : NXE_INVALID));

    assert(nxe_feedback_parse(body, trust, 0, nxe_arena_mem(arena), &again)
           == rc);
    assert(again.nfaults == f.nfaults && again.n == f.n);

    for (i = 0; i < f.nfaults && i < NXE_FEEDBACK_FAULTS; i++) {
        assert(f.faults[i].expected[0] != '\0');
        assert(nxe_feedback_pointer(&f, &f.faults[i], pointer)
               == strnlen(pointer, sizeof(pointer)));
    }

    if (rc == NXE_OK) {
        assert(f.n >= 1 && f.n <= NXE_FEEDBACK_ITEMS);

        for (i = 0; i < f.n; i++) {
            check_item(&f, i, trust);
        }
    }

    nxe_arena_free(arena);

    return 0;
}
