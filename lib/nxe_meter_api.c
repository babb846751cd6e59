/*
 * Chat completions, responses, messages: what a part of each means.
 */

#include <string.h>

#include "nxe_meter_int.h"


static void nxe_meter_model(nxe_meter_t *m);
static void nxe_meter_counts(nxe_meter_t *m);
static void nxe_meter_reasons(nxe_meter_t *m);
static void nxe_meter_marks(nxe_meter_t *m);
static void nxe_meter_responses_end(nxe_meter_t *m);


/* The first model that is named stays. */

static void
nxe_meter_model(nxe_meter_t *m)
{
    if (m->said.model.len == 0) {
        m->said.model = m->part.said.model;
    }
}


/* What is counted anew replaces what was: it is cumulative, never added. */

static void
nxe_meter_counts(nxe_meter_t *m)
{
    unsigned  i, counted;

    counted = m->part.said.counted;
    m->said.counted |= counted;

    for (i = 0; i < NXE_TOKENS && counted != 0; i++) {
        if ((counted >> i) & 1) {
            m->said.tokens[i] = m->part.said.tokens[i];
        }
    }
}


static void
nxe_meter_reasons(nxe_meter_t *m)
{
    unsigned           i;
    nxe_meter_said_t  *part;

    part = &m->part.said;

    for (i = 0; i < part->nreasons && m->said.nreasons < NXE_METER_REASONS;
         i++)
    {
        m->said.reasons[m->said.nreasons++] = part->reasons[i];
    }

    m->said.truncated |= part->truncated;
    m->said.refusal |= part->refusal;
}


static void
nxe_meter_marks(nxe_meter_t *m)
{
    m->said.tool_calls += m->part.said.tool_calls;
    m->said.refusal |= m->part.said.refusal;
    m->said.failed |= m->part.said.failed;
}


/*
 * A chunk of a stream, or an answer.  The last usage that is there counts;
 * some backends send it with each chunk.
 */

int
nxe_meter_chat(nxe_meter_t *m)
{
    nxe_meter_model(m);
    nxe_meter_marks(m);
    nxe_meter_reasons(m);

    if (m->part.usage) {
        m->said.counted = 0;
        nxe_meter_counts(m);
    }

    return m->part.said.content;
}


int
nxe_meter_responses_event(nxe_meter_t *m)
{
    const nxe_meter_text_t  *type;

    type = &m->part.type;

    nxe_meter_model(m);

    if (type->len > sizeof("response..delta") - 1
        && memcmp(type->data, "response.", 9) == 0
        && memcmp(type->data + type->len - 6, ".delta", 6) == 0)
    {
        if (m->part.delta && nxe_meter_is(type, "response.refusal.delta")) {
            m->said.refusal = 1;
        }

        return m->part.delta;
    }

    if (nxe_meter_is(type, "response.output_item.added")) {
        nxe_meter_marks(m);

    } else if (nxe_meter_is(type, "response.completed")
               || nxe_meter_is(type, "response.incomplete")
               || nxe_meter_is(type, "response.failed"))
    {
        nxe_meter_responses_end(m);
        m->ended = 1;

    } else if (nxe_meter_is(type, "error")) {
        m->said.failed = 1;
    }

    return 0;
}


void
nxe_meter_responses_body(nxe_meter_t *m)
{
    nxe_meter_model(m);
    nxe_meter_marks(m);
    nxe_meter_responses_end(m);

    m->said.content = m->part.said.content;
}


/* Without a reason, the status is one. */

static void
nxe_meter_responses_end(nxe_meter_t *m)
{
    nxe_meter_said_t  *part;

    part = &m->part.said;

    nxe_meter_counts(m);

    if (part->nreasons == 0 && m->part.status.len != 0) {
        part->reasons[part->nreasons++] = m->part.status;
    }

    nxe_meter_reasons(m);

    if (nxe_meter_is(&m->part.status, "failed")) {
        m->said.failed = 1;
    }
}


/*
 * What message_start counts is replaced by what a message_delta counts, which
 * is null where it has nothing to say.
 */

int
nxe_meter_anthropic_event(nxe_meter_t *m)
{
    const nxe_meter_text_t  *type;

    type = &m->part.type;

    if (nxe_meter_is(type, "content_block_delta")) {
        return m->part.delta;
    }

    if (nxe_meter_is(type, "content_block_start")) {
        nxe_meter_marks(m);

    } else if (nxe_meter_is(type, "message_start")) {
        nxe_meter_model(m);

        /* of output it tells what there is before any: no figure */

        m->part.said.counted &= ~(1u << NXE_TOKENS_OUTPUT);
        nxe_meter_counts(m);

    } else if (nxe_meter_is(type, "message_delta")) {
        nxe_meter_counts(m);
        nxe_meter_reasons(m);

    } else if (nxe_meter_is(type, "message_stop")) {
        m->ended = 1;

    } else if (nxe_meter_is(type, "error")) {
        m->said.failed = 1;
    }

    return 0;
}


void
nxe_meter_anthropic_body(nxe_meter_t *m)
{
    nxe_meter_model(m);
    nxe_meter_marks(m);
    nxe_meter_counts(m);
    nxe_meter_reasons(m);

    m->said.content = m->part.said.content;

    if (nxe_meter_is(&m->part.type, "error")) {
        m->said.failed = 1;
    }
}
