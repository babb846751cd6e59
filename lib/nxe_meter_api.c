/*
 * Chat completions, responses, messages: where each says what.
 */

#include <string.h>

#include "nxe_meter_int.h"


static int nxe_meter_choice(nxe_meter_t *m, nxe_str_t choice);
static int nxe_meter_message(nxe_meter_t *m, nxe_str_t message);
static unsigned nxe_meter_calls(nxe_str_t list);
static void nxe_meter_responses_end(nxe_meter_t *m);
static void nxe_meter_items(nxe_meter_t *m, nxe_str_t list);


/*
 * A chunk of a stream, or an answer.  The last usage that is there counts;
 * some backends send it with each chunk.
 */

int
nxe_meter_chat(nxe_meter_t *m)
{
    int              content;
    nxe_str_t        list;
    nxe_json_walk_t  w;

    if (m->model.len == 0) {
        nxe_meter_text(&m->model, nxe_meter_get(m, NXE_METER_MODEL));
    }

    if (nxe_meter_get(m, NXE_METER_ERROR).len != 0) {
        m->failed = 1;
    }

    if (nxe_meter_some(nxe_meter_get(m, NXE_METER_USAGE))) {
        m->counted = 0;
        nxe_meter_usage(m);
    }

    content = 0;
    list = nxe_meter_get(m, NXE_METER_LIST);

    if (list.len != 0 && list.data[0] == '[') {
        for (nxe_json_walk(&w, list); nxe_json_walk_next(&w); /* void */ ) {
            if (w.type == NXE_JSON_OBJECT) {
                content |= nxe_meter_choice(m, w.value);
            }
        }
    }

    return content;
}


static int
nxe_meter_choice(nxe_meter_t *m, nxe_str_t choice)
{
    int              content;
    nxe_json_walk_t  w;

    content = 0;

    for (nxe_json_walk(&w, choice); nxe_json_walk_next(&w); /* void */ ) {

        if (w.type == NXE_JSON_OBJECT
            && (nxe_json_string_eq(w.key, nxe_str("delta"))
                || nxe_json_string_eq(w.key, nxe_str("message"))))
        {
            content |= nxe_meter_message(m, w.value);

        } else if (w.type == NXE_JSON_STRING
                   && nxe_json_string_eq(w.key, nxe_str("finish_reason")))
        {
            nxe_meter_reason(m, w.value);
        }
    }

    return content;
}


static int
nxe_meter_message(nxe_meter_t *m, nxe_str_t message)
{
    int              content;
    nxe_json_walk_t  w;

    content = 0;

    for (nxe_json_walk(&w, message); nxe_json_walk_next(&w); /* void */ ) {

        if (!nxe_meter_some(w.value)) {
            continue;
        }

        if (nxe_json_string_eq(w.key, nxe_str("content"))
            || nxe_json_string_eq(w.key, nxe_str("reasoning_content"))
            || nxe_json_string_eq(w.key, nxe_str("reasoning")))
        {
            content = 1;

        } else if (nxe_json_string_eq(w.key, nxe_str("refusal"))) {
            m->refusal = 1;
            content = 1;

        } else if (w.type == NXE_JSON_ARRAY
                   && nxe_json_string_eq(w.key, nxe_str("tool_calls")))
        {
            m->tool_calls += nxe_meter_calls(w.value);
            content = 1;
        }
    }

    return content;
}


/* Calls that begin here: the later pieces of one have no id. */

static unsigned
nxe_meter_calls(nxe_str_t list)
{
    unsigned         n;
    nxe_json_walk_t  w, call;

    n = 0;

    for (nxe_json_walk(&w, list); nxe_json_walk_next(&w); /* void */ ) {

        if (w.type != NXE_JSON_OBJECT) {
            continue;
        }

        for (nxe_json_walk(&call, w.value); nxe_json_walk_next(&call); ) {
            if (call.type == NXE_JSON_STRING && call.value.len > 2
                && nxe_json_string_eq(call.key, nxe_str("id")))
            {
                n++;
                break;
            }
        }
    }

    return n;
}


int
nxe_meter_responses_event(nxe_meter_t *m)
{
    nxe_str_t  type, delta;

    type = nxe_meter_get(m, NXE_METER_TYPE);

    if (m->model.len == 0) {
        nxe_meter_text(&m->model, nxe_meter_get(m, NXE_METER_MODEL));
    }

    if (type.len > sizeof("\"response..delta\"") - 1
        && memcmp(type.data, "\"response.", 10) == 0
        && memcmp(type.data + type.len - 7, ".delta\"", 7) == 0)
    {
        delta = nxe_meter_get(m, NXE_METER_DELTA);

        if (delta.len < 3 || delta.data[0] != '"') {
            return 0;
        }

        if (nxe_meter_is(m, NXE_METER_TYPE, "response.refusal.delta")) {
            m->refusal = 1;
        }

        return 1;
    }

    if (nxe_meter_is(m, NXE_METER_TYPE, "response.output_item.added")) {
        nxe_meter_call(m, nxe_meter_get(m, NXE_METER_ITEM));

    } else if (nxe_meter_is(m, NXE_METER_TYPE, "response.completed")
               || nxe_meter_is(m, NXE_METER_TYPE, "response.incomplete")
               || nxe_meter_is(m, NXE_METER_TYPE, "response.failed"))
    {
        nxe_meter_responses_end(m);
        m->ended = 1;

    } else if (nxe_meter_is(m, NXE_METER_TYPE, "error")) {
        m->failed = 1;
    }

    return 0;
}


void
nxe_meter_responses_body(nxe_meter_t *m)
{
    nxe_meter_items(m, nxe_meter_get(m, NXE_METER_LIST));
    nxe_meter_responses_end(m);
}


static void
nxe_meter_responses_end(nxe_meter_t *m)
{
    nxe_str_t  reason;

    if (m->model.len == 0) {
        nxe_meter_text(&m->model, nxe_meter_get(m, NXE_METER_MODEL));
    }

    nxe_meter_usage(m);

    reason = nxe_meter_get(m, NXE_METER_REASON);

    nxe_meter_reason(m, reason.len != 0
                        ? reason : nxe_meter_get(m, NXE_METER_STATUS));

    if (nxe_meter_is(m, NXE_METER_STATUS, "failed")
        || nxe_meter_get(m, NXE_METER_ERROR).len != 0)
    {
        m->failed = 1;
    }
}


/* The items of a whole answer, or the blocks of a message. */

static void
nxe_meter_items(nxe_meter_t *m, nxe_str_t list)
{
    nxe_json_walk_t  w, item;

    if (list.len == 0 || list.data[0] != '[') {
        return;
    }

    for (nxe_json_walk(&w, list); nxe_json_walk_next(&w); /* void */ ) {

        if (w.type != NXE_JSON_OBJECT) {
            continue;
        }

        for (nxe_json_walk(&item, w.value); nxe_json_walk_next(&item); ) {

            if (item.type == NXE_JSON_STRING
                && nxe_json_string_eq(item.key, nxe_str("type")))
            {
                nxe_meter_call(m, item.value);

                if (nxe_json_string_eq(item.value, nxe_str("refusal"))) {
                    m->refusal = 1;
                }

            } else if (item.type == NXE_JSON_ARRAY
                       && nxe_json_string_eq(item.key, nxe_str("content")))
            {
                nxe_meter_items(m, item.value);

            } else if ((nxe_json_string_eq(item.key, nxe_str("text"))
                        || nxe_json_string_eq(item.key, nxe_str("refusal")))
                       && nxe_meter_some(item.value))
            {
                m->content = 1;
            }
        }
    }
}


/*
 * What message_start counts is replaced by what a message_delta counts: that
 * is cumulative, and null where it has nothing to say.
 */

int
nxe_meter_anthropic_event(nxe_meter_t *m)
{
    if (nxe_meter_is(m, NXE_METER_TYPE, "content_block_delta")) {
        return nxe_meter_some(nxe_meter_get(m, NXE_METER_DELTA))
               || nxe_meter_some(nxe_meter_get(m, NXE_METER_DELTA2))
               || nxe_meter_some(nxe_meter_get(m, NXE_METER_DELTA3));
    }

    if (nxe_meter_is(m, NXE_METER_TYPE, "content_block_start")) {
        nxe_meter_call(m, nxe_meter_get(m, NXE_METER_ITEM));

    } else if (nxe_meter_is(m, NXE_METER_TYPE, "message_start")) {
        nxe_meter_text(&m->model, nxe_meter_get(m, NXE_METER_MODEL));
        nxe_meter_usage(m);

    } else if (nxe_meter_is(m, NXE_METER_TYPE, "message_delta")) {
        nxe_meter_count(m, NXE_TOKENS_INPUT, NXE_METER_INPUT_LATER);
        nxe_meter_count(m, NXE_TOKENS_OUTPUT, NXE_METER_OUTPUT_LATER);
        nxe_meter_count(m, NXE_TOKENS_CACHED, NXE_METER_CACHED_LATER);
        nxe_meter_count(m, NXE_TOKENS_CACHE_WRITE,
                        NXE_METER_CACHE_WRITE_LATER);
        nxe_meter_reason(m, nxe_meter_get(m, NXE_METER_REASON));

    } else if (nxe_meter_is(m, NXE_METER_TYPE, "message_stop")) {
        m->ended = 1;

    } else if (nxe_meter_is(m, NXE_METER_TYPE, "error")) {
        m->failed = 1;
    }

    return 0;
}


void
nxe_meter_anthropic_body(nxe_meter_t *m)
{
    nxe_meter_text(&m->model, nxe_meter_get(m, NXE_METER_MODEL));
    nxe_meter_usage(m);
    nxe_meter_items(m, nxe_meter_get(m, NXE_METER_LIST));
    nxe_meter_reason(m, nxe_meter_get(m, NXE_METER_REASON));

    if (nxe_meter_is(m, NXE_METER_TYPE, "error")) {
        m->failed = 1;
    }
}
