/*
 * An answer of a model API.  The first byte says which API and whether it is a
 * stream, the second how the stream is cut: what is found does not depend on
 * the cuts.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <nxe/arena.h>
#include <nxe/buf.h>
#include <nxe/meter.h>
#include <nxe/sse.h>

#define HEAD  2
#define MAX   4096      /* bytes of an event: some inputs have more */


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static const nxe_dialect_t  dialects[] = {
    NXE_DIALECT_OPENAI_CHAT, NXE_DIALECT_OPENAI_RESPONSES,
    NXE_DIALECT_ANTHROPIC, NXE_DIALECT_OPENAI_CHAT
};


/* Chunks are copies, so that a sanitizer sees who reads one that has gone. */

static void
feed(nxe_meter_t *m, const char *p, size_t len)
{
    char  *copy;

    copy = malloc(len != 0 ? len : 1);
    assert(copy != NULL);
    memcpy(copy, p, len);
    nxe_meter_feed(m, (nxe_str_t) { copy, len }, 0);
    free(copy);
}


static void
emit(void *ctx, nxe_str_t bytes)
{
    assert(bytes.len != 0);
    assert(nxe_buf_add(ctx, bytes) == NXE_OK);
}


static void
answer(nxe_meter_t *m, nxe_dialect_t dialect, int streams, nxe_str_t in,
    size_t step, int reads, nxe_buf_t *out, const nxe_mem_t *mem)
{
    size_t  i;

    assert(nxe_meter_init(m, dialect, streams, mem) == NXE_OK);
    m->sse.max = MAX;

    if (reads) {
        m->sse.same = NULL;     /* each event, also one like the last */
    }

    if (out != NULL) {
        nxe_buf_init(out, SIZE_MAX);
        nxe_meter_strip(m, emit, out);
    }

    for (i = 0; i < in.len; i += step) {
        feed(m, in.data + i, in.len - i < step ? in.len - i : step);
    }

    nxe_meter_end(m);
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

    assert(m->said.nreasons <= NXE_METER_REASONS);
    assert(m->said.model.len <= NXE_METER_TEXT);
    assert(m->contents == 0 || m->said.content);
    assert(m->gap <= m->last - m->first);
}


static int
is_object(nxe_str_t in)
{
    nxe_text_t         text;
    nxe_json_result_t  result;

    text.segs = &in;
    text.n = 1;

    return nxe_json_scan(&text, NULL, NXE_JSON_ROOT_OBJECT, &result)
           == NXE_JSON_OK;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int               i, strips, streams;
    nxe_str_t         in;
    nxe_buf_t         a, b;
    nxe_meter_t       whole, cut;
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
    streams = !(data[0] & 4);
    strips = streams && dialect == NXE_DIALECT_OPENAI_CHAT && data[0] & 8;
    in.data = (const char *) data + HEAD;
    in.len = size - HEAD;

    answer(&whole, dialect, streams, in, in.len + 1, 0, strips ? &a : NULL,
           mem);
    answer(&cut, dialect, streams, in,
           data[0] & 16 ? in.len + 1 : 1 + (data[1] & 63u), data[0] & 16,
           strips ? &b : NULL, mem);

    sane(&whole);

    /* what is JSON is picked from, whatever else is let pass */

    assert(streams || !is_object(in) || nxe_pick_done(&whole.pick) == NXE_OK);

    assert(whole.sse.lost_events == cut.sse.lost_events);
    assert(whole.said.counted == cut.said.counted);
    assert(whole.said.content == cut.said.content);
    assert(whole.contents == cut.contents);
    assert(whole.said.tool_calls == cut.said.tool_calls);
    assert(whole.said.nreasons == cut.said.nreasons);
    assert(whole.said.model.len == cut.said.model.len);
    assert(whole.said.failed == cut.said.failed && whole.ended == cut.ended);
    assert(whole.said.refusal == cut.said.refusal);

    for (i = 0; i < NXE_TOKENS; i++) {
        assert(whole.said.tokens[i] == cut.said.tokens[i]);
    }

    if (strips) {
        assert(nxe_str_eq(nxe_buf_str(&a), nxe_buf_str(&b)));
        assert(nxe_buf_str(&a).len <= in.len);
        nxe_buf_free(&a);
        nxe_buf_free(&b);
    }

    nxe_arena_free(arena);

    return 0;
}
