#include <stddef.h>
#include <string.h>

#include "nxe_meter_int.h"


static void nxe_meter_event(void *ctx, nxe_str_t type, nxe_str_t data);
static void nxe_meter_raw(void *ctx, nxe_str_t bytes);
static void nxe_meter_body(nxe_meter_t *m);
static void nxe_meter_begin(nxe_meter_t *m);


nxe_status_t
nxe_meter_init(nxe_meter_t *m, nxe_dialect_t dialect, int stream,
    const nxe_mem_t *mem)
{
    const nxe_pick_node_t  *fields;

    fields = nxe_meter_fields(dialect, stream != 0);

    if (fields == NULL) {
        return NXE_DECLINED;
    }

    /* what the parts of it hold is set as they begin */

    memset(m, 0, offsetof(nxe_meter_t, pick));

    m->dialect = dialect;
    m->stream = stream != 0;

    nxe_sse_init(&m->sse, NXE_METER_MAX, nxe_meter_event, m, mem);
    m->sse.raw = nxe_meter_raw;
    m->sse.same = nxe_meter_same;

    nxe_pick_init(&m->pick, fields, nxe_meter_tell,
                  stream ? NXE_METER_OTHER : 0, m);
    nxe_meter_begin(m);

    return NXE_OK;
}


void
nxe_meter_feed(nxe_meter_t *m, nxe_str_t bytes, uint64_t now)
{
    m->now = now;

    if (m->stream) {
        nxe_sse_feed(&m->sse, bytes);

    } else {
        nxe_pick_feed(&m->pick, bytes);
    }
}


void
nxe_meter_end(nxe_meter_t *m)
{
    nxe_str_t  rest;

    if (!m->stream) {
        nxe_meter_body(m);
        return;
    }

    rest = nxe_sse_rest(&m->sse);

    if (m->emit != NULL && rest.len != 0) {
        m->emit(m->ctx, rest);
    }
}


nxe_status_t
nxe_meter_tokens(const nxe_meter_t *m, nxe_tokens_t what, uint64_t *n)
{
    const nxe_meter_said_t  *s;

    s = &m->said;

    if (!((s->counted >> what) & 1)) {
        return NXE_DECLINED;
    }

    *n = s->tokens[what];

    if (what == NXE_TOKENS_INPUT && m->dialect == NXE_DIALECT_ANTHROPIC) {
        *n += s->tokens[NXE_TOKENS_CACHED]
              + s->tokens[NXE_TOKENS_CACHE_WRITE];
    }

    return NXE_OK;
}


/* An event of a stream: what is no JSON says nothing. */

static void
nxe_meter_event(void *ctx, nxe_str_t type, nxe_str_t data)
{
    int           content;
    nxe_meter_t  *m = ctx;

    (void) type;

    if (nxe_str_eq(data, nxe_str("[DONE]"))) {
        m->ended = m->dialect == NXE_DIALECT_OPENAI_CHAT;
        return;
    }

    m->data = data;
    nxe_meter_begin(m);
    nxe_pick_reset(&m->pick);
    nxe_pick_feed(&m->pick, data);

    if (nxe_pick_done(&m->pick) != NXE_OK) {
        m->cut = nxe_null_str;
        return;
    }

    m->understood = 1;

    switch (m->dialect) {
    case NXE_DIALECT_OPENAI_CHAT:
        content = nxe_meter_chat(m);

        /* what asking for usage adds has no choices, and is no error */

        m->drop = m->emit != NULL && m->part.usage && m->part.list
                  && !m->part.some && !m->part.said.failed;
        break;
    case NXE_DIALECT_OPENAI_RESPONSES:
        content = nxe_meter_responses_event(m);
        break;
    default:
        content = nxe_meter_anthropic_event(m);
    }

    if (content) {
        m->plain = 1;
        nxe_meter_content(m);
    }
}


/* After an event was told, its bytes. */

static void
nxe_meter_raw(void *ctx, nxe_str_t bytes)
{
    nxe_meter_t  *m = ctx;

    if (m->plain) {
        nxe_meter_learn(m, bytes);
        m->plain = 0;
    }

    if (m->emit != NULL) {
        nxe_meter_pass(m, bytes);
    }
}


void
nxe_meter_content(nxe_meter_t *m)
{
    if (m->contents++ == 0) {
        m->said.content = 1;
        m->first = m->now;

    } else if (m->now - m->last > m->gap) {
        m->gap = m->now - m->last;
    }

    m->last = m->now;
}


/* What is no answer of this API says nothing, whatever it counts. */

static void
nxe_meter_body(nxe_meter_t *m)
{
    if (nxe_pick_done(&m->pick) != NXE_OK) {
        return;
    }

    switch (m->dialect) {
    case NXE_DIALECT_OPENAI_CHAT:
        m->said.content = nxe_meter_chat(m) != 0;
        break;
    case NXE_DIALECT_OPENAI_RESPONSES:
        nxe_meter_responses_body(m);
        break;
    default:
        nxe_meter_anthropic_body(m);
    }

    m->understood = m->said.failed || m->part.list;
    m->ended = m->understood;

    if (!m->understood) {
        memset(&m->said, 0, sizeof(m->said));
    }
}


/* Of texts and counts, their lengths and marks say whether they are there. */

static void
nxe_meter_begin(nxe_meter_t *m)
{
    nxe_meter_part_t  *part;

    part = &m->part;

    part->said.counted = 0;
    part->said.model.len = 0;
    part->said.nreasons = 0;
    part->said.tool_calls = 0;
    part->said.refusal = 0;
    part->said.truncated = 0;
    part->said.content = 0;
    part->said.failed = 0;
    part->type.len = 0;
    part->status.len = 0;
    part->usage = 0;
    part->list = 0;
    part->some = 0;
    part->delta = 0;

    m->plain = 0;

    if (m->repeat != NULL) {
        m->repeat->nvaries = 0;
    }
}
