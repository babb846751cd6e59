/*
 * What was picked of an event or of an answer.  It counts for nothing before
 * all of it has come and is JSON.
 */

#include <string.h>

#include "nxe_meter_int.h"


static int nxe_meter_some(nxe_str_t text);
static void nxe_meter_text(nxe_meter_text_t *t, nxe_str_t quoted);
static void nxe_meter_number(nxe_meter_said_t *s, unsigned what,
    nxe_str_t text);
static void nxe_meter_reason(nxe_meter_said_t *s, nxe_str_t quoted);
static void nxe_meter_block(nxe_meter_said_t *s, nxe_str_t quoted);
static int nxe_meter_ends(nxe_str_t quoted, const char *end);


void
nxe_meter_tell(void *ctx, unsigned field, nxe_json_type_t type,
    nxe_str_t text)
{
    int                string;
    nxe_meter_t       *m = ctx;
    nxe_meter_part_t  *part;

    part = &m->part;
    string = type == NXE_JSON_STRING;

    switch (field) {

    case NXE_METER_TYPE:
        if (string) {
            nxe_meter_text(&part->type, text);
        }
        break;

    case NXE_METER_STATUS:
        if (string) {
            nxe_meter_text(&part->status, text);
        }
        break;

    case NXE_METER_MODEL:
        if (string) {
            nxe_meter_text(&part->said.model, text);
        }
        break;

    case NXE_METER_ERROR:
        if (type != NXE_JSON_NULL) {
            part->said.failed = 1;
        }
        break;

    case NXE_METER_USAGE:
        if (type == NXE_JSON_OBJECT) {
            part->usage = text.len != 0;

        } else if (type == NXE_JSON_NULL) {
            if (m->emit != NULL) {
                nxe_meter_null_usage(m, text);
            }
        }
        break;

    case NXE_METER_REASON:
        if (string) {
            nxe_meter_reason(&part->said, text);
        }
        break;

    case NXE_METER_LIST:
        if (type == NXE_JSON_ARRAY || (type == NXE_JSON_NULL && m->stream)) {
            part->list = 1;
        }

        if (text.len != 0 && type != NXE_JSON_NULL) {
            part->some = 1;
        }
        break;

    case NXE_METER_BLOCK:
        if (string) {
            nxe_meter_block(&part->said, text);
        }
        break;

    case NXE_METER_OTHER:
        if (string || type == NXE_JSON_NUMBER) {
            nxe_meter_vary(m, text, string, 0);
        }
        break;

    case NXE_METER_CONTENT:
        if (nxe_meter_some(text)) {
            part->said.content = 1;

            if (m->stream && string) {
                nxe_meter_vary(m, text, 1, 1);
            }
        }
        break;

    case NXE_METER_REFUSAL:
        if (nxe_meter_some(text)) {
            part->said.content = 1;
            part->said.refusal = 1;
        }
        break;

    case NXE_METER_CALLS:
        if (type == NXE_JSON_ARRAY && text.len != 0) {
            part->said.content = 1;
        }
        break;

    case NXE_METER_CALL_ID:
        if (string && text.len > 2) {
            part->said.tool_calls++;
        }
        break;

    case NXE_METER_DELTA:
        if (string && text.len > 2) {
            part->delta = 1;
            nxe_meter_vary(m, text, 1, 1);
        }
        break;

    default:
        if (type == NXE_JSON_NUMBER) {
            nxe_meter_number(&part->said, field - NXE_METER_COUNT, text);
        }
    }
}


/* 1 for a string that is not empty, or for a container that has something. */

static int
nxe_meter_some(nxe_str_t text)
{
    return text.len > 2 && (text.data[0] == '"' || text.data[0] == '.');
}


/*
 * Keeps a string, cut between characters.  Of a long one no more is looked at
 * than is told where chunks cut it.
 */

static void
nxe_meter_text(nxe_meter_text_t *t, nxe_str_t quoted)
{
    size_t     len;
    nxe_str_t  s;

    if (quoted.len > NXE_PICK_TEXT) {
        quoted.len = NXE_PICK_TEXT;
    }

    s.data = quoted.data + 1;
    s.len = quoted.len - 2;

    if (memchr(s.data, '\\', s.len) != NULL) {

        if (nxe_pick_escapes_ok(quoted)
            && nxe_json_unescape_to(quoted, t->data, NXE_METER_TEXT, &len)
               == NXE_OK)
        {
            t->len = (uint8_t) len;
        }

        return;
    }

    len = s.len < NXE_METER_TEXT ? s.len : NXE_METER_TEXT;

    while (len != s.len && len != 0
           && ((unsigned char) s.data[len] & 0xc0) == 0x80)
    {
        len--;
    }

    memcpy(t->data, s.data, len);
    t->len = (uint8_t) len;
}


int
nxe_meter_is(const nxe_meter_text_t *t, const char *s)
{
    return t->len == strlen(s) && memcmp(t->data, s, t->len) == 0;
}


/* A count of tokens, if it is one. */

static void
nxe_meter_number(nxe_meter_said_t *s, unsigned what, nxe_str_t text)
{
    size_t    i;
    uint64_t  n;

    if (text.len > 13 || (text.len > 1 && text.data[0] == '0')) {
        return;
    }

    for (n = 0, i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return;
        }

        n = n * 10 + (uint64_t) (text.data[i] - '0');
    }

    if (n <= NXE_TOKENS_MAX) {
        s->counted |= 1u << what;
        s->tokens[what] = n;
    }
}


/* Why the answer ended. */

static void
nxe_meter_reason(nxe_meter_said_t *s, nxe_str_t quoted)
{
    size_t             i;
    nxe_meter_text_t  *t, other;

    static const char *const  limits[] = {
        "length", "max_tokens", "max_output_tokens",
        "model_context_window_exceeded"
    };

    if (quoted.len < 3) {
        return;
    }

    t = s->nreasons < NXE_METER_REASONS ? &s->reasons[s->nreasons++] : &other;
    t->len = 0;
    nxe_meter_text(t, quoted);

    if (t->len == 0) {
        s->nreasons -= t != &other;     /* it cannot be read */
        return;
    }

    for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        if (nxe_meter_is(t, limits[i])) {
            s->truncated = 1;
        }
    }

    if (nxe_meter_is(t, "refusal")) {
        s->refusal = 1;
    }
}


/* What calls a tool: function_call, tool_use, ...; what refuses. */

static void
nxe_meter_block(nxe_meter_said_t *s, nxe_str_t quoted)
{
    if (nxe_meter_ends(quoted, "_call\"") || nxe_meter_ends(quoted,
                                                            "tool_use\""))
    {
        s->tool_calls++;

    } else if (quoted.len == sizeof("\"refusal\"") - 1
               && nxe_meter_ends(quoted, "\"refusal\""))
    {
        s->refusal = 1;
    }
}


static int
nxe_meter_ends(nxe_str_t quoted, const char *end)
{
    size_t  len;

    len = strlen(end);

    return quoted.len >= len && quoted.len < NXE_PICK_TEXT
           && memcmp(quoted.data + quoted.len - len, end, len) == 0;
}
