/*
 * An answer of a model API.  The first byte says which API and whether it is a
 * stream, the second how the stream is cut: what is found does not depend on
 * the cuts.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <nxe/arena.h>
#include <nxe/meter.h>
#include <nxe/sse.h>

#define HEAD  2
#define MAX   4096      /* bytes of an event: some inputs have more */


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


typedef struct {
    nxe_meter_t     m;
    uint64_t        now;
} fed_t;

static const nxe_dialect_t  dialects[] = {
    NXE_DIALECT_OPENAI_CHAT, NXE_DIALECT_OPENAI_RESPONSES,
    NXE_DIALECT_ANTHROPIC, NXE_DIALECT_OPENAI_CHAT
};


static void
event(void *ctx, nxe_str_t type, nxe_str_t data)
{
    fed_t  *f = ctx;

    assert(type.len <= NXE_SSE_TYPE);

    f->now += 7;
    (void) nxe_meter_event(&f->m, data, f->now);
}


/* Chunks are copies, so that a sanitizer sees who reads one that has gone. */

static void
feed(nxe_sse_t *s, const char *p, size_t len)
{
    char  *copy;

    copy = malloc(len != 0 ? len : 1);
    assert(copy != NULL);
    memcpy(copy, p, len);
    nxe_sse_feed(s, (nxe_str_t) { copy, len });
    free(copy);
}


static void
stream(nxe_dialect_t dialect, nxe_str_t in, size_t step, fed_t *f,
    nxe_sse_t *s, const nxe_mem_t *mem)
{
    size_t  i;

    memset(f, 0, sizeof(*f));
    assert(nxe_meter_init(&f->m, dialect, 1, 0, mem) == NXE_OK);
    nxe_sse_init(s, MAX, event, f, mem);

    for (i = 0; i < in.len; i += step) {
        feed(s, in.data + i, in.len - i < step ? in.len - i : step);
    }
}


static void
sane(const nxe_meter_t *m)
{
    int       i;
    uint64_t  n;

    for (i = 0; i < NXE_TOKENS; i++) {
        if (nxe_meter_tokens(m, (nxe_tokens_t) i, &n) == NXE_OK) {
            assert(n <= 3 * NXE_TOKENS_MAX);
        }
    }

    assert(m->nreasons <= NXE_METER_REASONS);
    assert(m->model.len <= NXE_METER_TEXT);
    assert(m->contents == 0 || m->content);
    assert(m->gap <= m->last - m->first);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int               i;
    fed_t             whole, cut;
    nxe_sse_t         a, b;
    nxe_str_t         in;
    nxe_meter_t       m;
    nxe_arena_t      *arena;
    nxe_dialect_t     dialect;
    const nxe_mem_t  *mem;

    if (size < HEAD) {
        return 0;
    }

    arena = nxe_arena_new();
    assert(arena != NULL);
    mem = nxe_arena_mem(arena);

    dialect = dialects[data[0] & 3];
    in.data = (const char *) data + HEAD;
    in.len = size - HEAD;

    if (data[0] & 4) {
        assert(nxe_meter_init(&m, dialect, 0, 0, mem) == NXE_OK);
        nxe_meter_body(&m, in);
        sane(&m);

    } else {
        stream(dialect, in, in.len + 1, &whole, &a, mem);
        stream(dialect, in, 1 + data[1] % 64u, &cut, &b, mem);

        sane(&whole.m);
        assert(a.lost_events == b.lost_events);
        assert(whole.now == cut.now);
        assert(whole.m.counted == cut.m.counted);
        assert(whole.m.contents == cut.m.contents);
        assert(whole.m.tool_calls == cut.m.tool_calls);
        assert(whole.m.nreasons == cut.m.nreasons);
        assert(whole.m.model.len == cut.m.model.len);
        assert(whole.m.failed == cut.m.failed);
        assert(whole.m.ended == cut.m.ended);
        assert(whole.m.first == cut.m.first && whole.m.gap == cut.m.gap);

        for (i = 0; i < NXE_TOKENS; i++) {
            assert(whole.m.tokens[i] == cut.m.tokens[i]);
        }
    }

    nxe_arena_free(arena);

    return 0;
}
