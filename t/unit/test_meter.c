/*
 * What answers of model APIs say of themselves, whole and as streams.
 */

#include "unit.h"

#include <nxe/buf.h>
#include <nxe/meter.h>
#include <nxe/sse.h>


#define NONE  UINT64_MAX

typedef struct {
    nxe_dialect_t   dialect;
    const char     *in;
    uint64_t        tokens[NXE_TOKENS];     /* NONE: not known */
    const char     *model;
    const char     *reasons;                /* joined by "," */
    uint64_t        contents;               /* events; JSON: 0 or 1 */
    unsigned        calls;
    const char     *flags;      /* r refusal, t truncated, f failed, e ended */
    const char     *why;
} row_t;

#define NOT_COUNTED  { NONE, NONE, NONE, NONE, NONE }

#define CHAT(delta)  "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\"," \
    "\"model\":\"gpt-4o-2024\",\"choices\":[{\"index\":0,\"delta\":" delta "," \
    "\"finish_reason\":null}],\"usage\":null,\"obfuscation\":\"xy\"}\n\n"
#define CHAT_END(reason)  "data: {\"model\":\"gpt-4o-2024\",\"choices\":[{" \
    "\"index\":0,\"delta\":{},\"finish_reason\":\"" reason "\"}]}\n\n"
#define CHAT_USAGE  "data: {\"model\":\"gpt-4o-2024\",\"choices\":[],\"usage\":" \
    "{\"prompt_tokens\":120,\"completion_tokens\":30,\"total_tokens\":150," \
    "\"prompt_tokens_details\":{\"cached_tokens\":100,\"audio_tokens\":0}," \
    "\"completion_tokens_details\":{\"reasoning_tokens\":12}}}\n\n"
#define DONE  "data: [DONE]\n\n"

#define RESP(type, more)  "event: " type "\ndata: {\"type\":\"" type "\"," \
    "\"sequence_number\":1" more "}\n\n"
#define RESP_END(type, status, more)  RESP(type, ",\"response\":{\"id\":\"r\"," \
    "\"model\":\"gpt-5\",\"status\":\"" status "\"" more ",\"usage\":{" \
    "\"input_tokens\":50,\"input_tokens_details\":{\"cached_tokens\":8," \
    "\"cache_write_tokens\":4},\"output_tokens\":20," \
    "\"output_tokens_details\":{\"reasoning_tokens\":5}," \
    "\"total_tokens\":70}}")

#define ANTH(type, more)  "event: " type "\ndata: {\"type\":\"" type "\"" \
    more "}\n\n"
#define ANTH_START  ANTH("message_start", ",\"message\":{\"id\":\"m\"," \
    "\"model\":\"claude-x\",\"content\":[],\"usage\":{\"input_tokens\":10," \
    "\"cache_creation_input_tokens\":20,\"cache_read_input_tokens\":300," \
    "\"output_tokens\":1}}")
#define ANTH_DELTA(kind, name, text)  ANTH("content_block_delta", \
    ",\"index\":0,\"delta\":{\"type\":\"" kind "\",\"" name "\":\"" text "\"}")

static const row_t  streams[] = {
    { NXE_DIALECT_OPENAI_CHAT,
      CHAT("{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}")
      CHAT("{\"content\":\"Hel\"}") CHAT("{\"content\":\"lo\"}")
      CHAT_END("stop") CHAT_USAGE DONE,
      { 120, 30, 100, NONE, 12 }, "gpt-4o-2024", "stop", 2, 0, "e", "chat" },
    { NXE_DIALECT_OPENAI_CHAT,
      CHAT("{\"content\":\"Hel\"}") CHAT_END("length") DONE,
      NOT_COUNTED, "gpt-4o-2024", "length", 1, 0, "te", "chat without usage" },
    { NXE_DIALECT_OPENAI_CHAT,
      "data: {\"model\":\"first\",\"usage\":{\"prompt_tokens\":9,"
      "\"prompt_tokens_details\":{\"cached_tokens\":4}}}\n\n"
      "data: {\"model\":\"second\",\"choices\":[{\"finish_reason\":\"\"}],"
      "\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":1}}\n\n" DONE,
      { 8, 1, NONE, NONE, NONE }, "first", "", 0, 0, "e",
      "chat, the first model and the last usage, a reason that is none" },
    { NXE_DIALECT_OPENAI_CHAT,
      CHAT("{\"content\":\"Hel\"}") CHAT("{\"content\":\"lo\"}"),
      NOT_COUNTED, "gpt-4o-2024", "", 2, 0, "", "chat, cut off" },
    { NXE_DIALECT_OPENAI_CHAT,
      CHAT("{\"tool_calls\":[{\"index\":0,\"id\":\"call_1\",\"type\":"
           "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}")
      CHAT("{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":"
           "\"{}\"}}]}")
      CHAT("{\"tool_calls\":[{\"index\":1,\"id\":\"call_2\",\"function\":{}}]}")
      CHAT_END("tool_calls") DONE,
      NOT_COUNTED, "gpt-4o-2024", "tool_calls", 3, 2, "e", "chat, two tools" },
    { NXE_DIALECT_OPENAI_CHAT,
      CHAT("{\"reasoning_content\":\"hm\"}") CHAT("{\"refusal\":\"no\"}") DONE,
      NOT_COUNTED, "gpt-4o-2024", "", 2, 0, "re", "chat, a refusal" },
    { NXE_DIALECT_OPENAI_CHAT,
      "data: {\"model\":\"m\",\"choices\":null,\"usage\":{\"prompt_tokens\":1,"
      "\"completion_tokens\":1}}\n\n"
      "data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"a\"}}],"
      "\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n",
      { 1, 2, NONE, NONE, NONE }, "m", "", 1, 0, "", "chat, the last usage" },
    { NXE_DIALECT_OPENAI_CHAT,
      "data: {\"error\":{\"message\":\"overloaded\"}}\n\n",
      NOT_COUNTED, "", "", 0, 0, "f", "chat, an error in a 200" },
    { NXE_DIALECT_OPENAI_CHAT,
      "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},"
      "\"finish_reason\":\"stop\"},{\"index\":1,\"delta\":{},"
      "\"finish_reason\":\"length\"}]}\n\n",
      NOT_COUNTED, "", "stop,length", 1, 0, "t", "chat, two choices" },
    { NXE_DIALECT_OPENAI_CHAT,
      "data: {\"usage\":{\"prompt_tokens\":-1,\"completion_tokens\":1.0}}\n\n"
      "data: not json\n\ndata: [1]\n\ndata: {\"usage\":{\"prompt_tokens\":"
      "\"3\",\"completion_tokens\":1099511627777}}\n\n"
      "data: {\"usage\":{\"prompt_tokens\":012,\"completion_tokens\":00}}\n\n",
      NOT_COUNTED, "", "", 0, 0, "", "chat, what counts nothing" },
    { NXE_DIALECT_OPENAI_CHAT,
      "data: {\"usage\":{\"prompt_tokens\":0,"
      "\"completion_tokens\":1099511627776}}\n\n",
      { 0, (uint64_t) 1 << 40, NONE, NONE, NONE }, "", "", 0, 0, "",
      "chat, the least and the most" },

    { NXE_DIALECT_OPENAI_RESPONSES,
      RESP("response.created", ",\"response\":{\"model\":\"gpt-5\"}")
      RESP("response.in_progress", "")
      RESP("response.output_item.added", ",\"item\":{\"type\":\"message\"}")
      RESP("response.output_text.delta", ",\"delta\":\"Hel\"")
      RESP("response.output_text.delta", ",\"delta\":\"lo\"")
      RESP("response.output_text.delta", ",\"delta\":\"\"")
      RESP("response.output_text.done", ",\"text\":\"Hello\"")
      RESP_END("response.completed", "completed", ""),
      { 50, 20, 8, 4, 5 }, "gpt-5", "completed", 2, 0, "e", "responses" },
    { NXE_DIALECT_OPENAI_RESPONSES,
      RESP("response.reasoning_summary_text.delta", ",\"delta\":\"hm\"")
      RESP("response.output_item.added",
           ",\"item\":{\"type\":\"function_call\",\"name\":\"f\"}")
      RESP("response.function_call_arguments.delta", ",\"delta\":\"{\"")
      RESP("response.output_item.added", ",\"item\":{\"type\":\"mcp_call\"}")
      RESP_END("response.incomplete", "incomplete",
               ",\"incomplete_details\":{\"reason\":\"max_output_tokens\"}"),
      { 50, 20, 8, 4, 5 }, "gpt-5", "max_output_tokens", 2, 2, "te",
      "responses, tools, cut short" },
    { NXE_DIALECT_OPENAI_RESPONSES,
      RESP("response.refusal.delta", ",\"delta\":\"no\"")
      RESP_END("response.failed", "failed", ""),
      { 50, 20, 8, 4, 5 }, "gpt-5", "failed", 1, 0, "rfe",
      "responses, failed" },
    { NXE_DIALECT_OPENAI_RESPONSES,
      RESP("error", ",\"message\":\"x\""),
      NOT_COUNTED, "", "", 0, 0, "f", "responses, an error" },

    { NXE_DIALECT_ANTHROPIC,
      ANTH_START ANTH("ping", "")
      ANTH("content_block_start", ",\"content_block\":{\"type\":\"text\","
           "\"text\":\"\"}")
      ANTH_DELTA("text_delta", "text", "Hel")
      ANTH_DELTA("text_delta", "text", "")
      ANTH_DELTA("text_delta", "text", "lo")
      ANTH_DELTA("signature_delta", "signature", "abc")
      ANTH("content_block_stop", "")
      ANTH("message_delta", ",\"delta\":{\"stop_reason\":\"end_turn\"},"
           "\"usage\":{\"output_tokens\":9,\"input_tokens\":null}")
      ANTH("message_delta", ",\"delta\":{},\"usage\":{\"output_tokens\":12}")
      ANTH("message_stop", ""),
      { 330, 12, 300, 20, NONE }, "claude-x", "end_turn", 2, 0, "e",
      "anthropic" },
    { NXE_DIALECT_ANTHROPIC,
      ANTH_START
      ANTH("content_block_start", ",\"content_block\":{\"type\":"
           "\"tool_use\",\"name\":\"f\"}")
      ANTH_DELTA("input_json_delta", "partial_json", "")
      ANTH_DELTA("input_json_delta", "partial_json", "{")
      ANTH_DELTA("thinking_delta", "thinking", "hm")
      ANTH("message_delta", ",\"delta\":{\"stop_reason\":\"tool_use\"},"
           "\"usage\":{\"input_tokens\":11,\"output_tokens\":7,"
           "\"cache_read_input_tokens\":301}")
      ANTH("message_stop", ""),
      { 332, 7, 301, 20, NONE }, "claude-x", "tool_use", 2, 1, "e",
      "anthropic, a tool" },
    { NXE_DIALECT_ANTHROPIC,
      ANTH_START ANTH("error", ",\"error\":{\"type\":\"overloaded_error\"}"),
      { 330, NONE, 300, 20, NONE }, "claude-x", "", 0, 0, "f",
      "anthropic, an error" },
    { NXE_DIALECT_ANTHROPIC,
      ANTH_START ANTH("message_delta",
                      ",\"delta\":{\"stop_reason\":\"refusal\"},\"usage\":{}"),
      { 330, NONE, 300, 20, NONE }, "claude-x", "refusal", 0, 0, "r",
      "anthropic, a refusal" }
};

static const row_t  bodies[] = {
    { NXE_DIALECT_OPENAI_CHAT,
      "{\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"message\":{\"role\":"
      "\"assistant\",\"content\":\"Hi\",\"refusal\":null,\"annotations\":[]},"
      "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":5,"
      "\"completion_tokens\":2,\"prompt_tokens_details\":null}}",
      { 5, 2, NONE, NONE, NONE }, "gpt-4o", "stop", 1, 0, "e", "chat" },
    { NXE_DIALECT_OPENAI_CHAT,
      "{\"model\":\"gpt-4o\",\"choices\":[{\"message\":{\"content\":null,"
      "\"tool_calls\":[{\"id\":\"a\"},{\"id\":\"b\"}]},"
      "\"finish_reason\":\"tool_calls\"}]}",
      NOT_COUNTED, "gpt-4o", "tool_calls", 1, 2, "e", "chat, tools" },
    { NXE_DIALECT_OPENAI_CHAT,
      "{\"choices\":[{\"message\":{\"content\":\"\"}}]}",
      NOT_COUNTED, "", "", 0, 0, "e", "chat, empty" },
    { NXE_DIALECT_OPENAI_CHAT, "{\"choices\":[",
      NOT_COUNTED, "", "", 0, 0, "", "chat, no JSON" },
    { NXE_DIALECT_OPENAI_CHAT,
      "{\"model\":\"\\u0067pt \\\"x\\\"\",\"choices\":[]}",
      NOT_COUNTED, "gpt \"x\"", "", 0, 0, "e", "an escaped model" },
    { NXE_DIALECT_OPENAI_CHAT,
      "{\"model\":\"gpt-4o\",\"usage\":{\"prompt_tokens\":5,"
      "\"completion_tokens\":2}}",
      NOT_COUNTED, "", "", 0, 0, "", "chat, no answer that counts" },
    { NXE_DIALECT_OPENAI_CHAT,
      "{\"model\":\"012345678901234567890123456789012345678901234567890"
      "123456789012\xc3\xa9xx\",\"choices\":[]}",
      NOT_COUNTED, "0123456789012345678901234567890123456789012345678901234"
      "56789012", "", 0, 0, "e", "a long model, cut between characters" },

    { NXE_DIALECT_OPENAI_RESPONSES,
      "{\"model\":\"gpt-5\",\"status\":\"completed\",\"error\":null,"
      "\"incomplete_details\":null,\"output\":[{\"type\":\"reasoning\","
      "\"summary\":[]},{\"type\":\"function_call\",\"name\":\"f\"},"
      "{\"type\":\"message\",\"content\":[{\"type\":\"output_text\","
      "\"text\":\"Hi\"}]}],\"usage\":{\"input_tokens\":9,"
      "\"output_tokens\":3,\"output_tokens_details\":{\"reasoning_tokens\":1}"
      "}}",
      { 9, 3, NONE, NONE, 1 }, "gpt-5", "completed", 1, 1, "e", "responses" },
    { NXE_DIALECT_OPENAI_RESPONSES,
      "{\"status\":\"completed\",\"output\":[{\"type\":\"message\","
      "\"content\":[{\"type\":\"refusal\",\"refusal\":\"no\"}]}]}",
      NOT_COUNTED, "", "completed", 1, 0, "re", "responses, a refusal" },
    { NXE_DIALECT_OPENAI_RESPONSES,
      "{\"status\":\"failed\",\"error\":{\"code\":\"server_error\"}}",
      NOT_COUNTED, "", "failed", 0, 0, "fe", "responses, failed" },

    { NXE_DIALECT_ANTHROPIC,
      "{\"type\":\"message\",\"model\":\"claude-x\",\"content\":[{\"type\":"
      "\"text\",\"text\":\"Hi\"},{\"type\":\"tool_use\",\"input\":{}}],"
      "\"stop_reason\":\"max_tokens\",\"usage\":{\"input_tokens\":4,"
      "\"cache_read_input_tokens\":6,\"cache_creation_input_tokens\":null,"
      "\"output_tokens\":2}}",
      { 10, 2, 6, NONE, NONE }, "claude-x", "max_tokens", 1, 1, "te",
      "anthropic" },
    { NXE_DIALECT_ANTHROPIC,
      "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}",
      NOT_COUNTED, "", "", 0, 0, "fe", "anthropic, an error" }
};


/* Chunks are copies, so that nobody reads one that has gone. */

static void
feed(nxe_meter_t *m, const char *p, size_t len)
{
    char  *copy;

    copy = unit_copy(p, len);
    nxe_meter_feed(m, (nxe_str_t) { copy, len }, 0);
    free(copy);
}


/* Cut in two at a place; behind the end: a byte at a time. */

static void
feed_cut(nxe_meter_t *m, const char *in, size_t cut)
{
    size_t  k, len;

    len = strlen(in);

    if (cut <= len) {
        feed(m, in, cut);
        feed(m, in + cut, len - cut);

    } else {
        for (k = 0; k < len; k++) {
            feed(m, in + k, 1);
        }
    }

    nxe_meter_end(m);
}


static void
same(const row_t *row, const nxe_meter_t *m, uint64_t contents)
{
    int           i;
    char          reasons[1024], flags[8], *p;
    unsigned      k;
    uint64_t      n;
    nxe_status_t  rc;

    for (i = 0; i < NXE_TOKENS; i++) {
        rc = nxe_meter_tokens(m, (nxe_tokens_t) i, &n);
        unit_row(rc == (row->tokens[i] == NONE ? NXE_DECLINED : NXE_OK),
                 row->why);
        unit_row(rc != NXE_OK || n == row->tokens[i], row->why);
    }

    p = reasons;
    *p = '\0';

    for (k = 0; k < m->said.nreasons; k++) {
        p += sprintf(p, "%s%.*s", k == 0 ? "" : ",", m->said.reasons[k].len,
                     m->said.reasons[k].data);
    }

    (void) sprintf(flags, "%s%s%s%s", m->said.refusal ? "r" : "",
                   m->said.truncated ? "t" : "", m->said.failed ? "f" : "",
                   m->ended ? "e" : "");

    unit_row(strcmp(reasons, row->reasons) == 0, row->why);
    unit_row((m->said.nreasons != 0) == (row->reasons[0] != '\0'), row->why);
    unit_row(strcmp(flags, row->flags) == 0, row->why);
    unit_row(m->said.model.len == strlen(row->model)
             && memcmp(m->said.model.data, row->model, m->said.model.len) == 0,
             row->why);
    unit_row(contents == row->contents, row->why);
    unit_row(m->said.tool_calls == row->calls, row->why);
}


/* What comes behind the bytes that are told of a long string says nothing. */

static void
test_long(void **state)
{
    char         in[2048], *p;
    size_t       cut;
    nxe_meter_t  m;

    (void) state;

    p = in + sprintf(in, "{\"model\":\"");
    memset(p, 'x', 600);
    (void) strcpy(p + 600, "\\n\",\"choices\":[]}");

    for (cut = 0; cut <= strlen(in) + 1; cut++) {
        assert_int_equal(nxe_meter_init(&m, NXE_DIALECT_OPENAI_CHAT, 0,
                                        unit_mem), NXE_OK);
        feed_cut(&m, in, cut);
        assert_int_equal(m.said.model.len, NXE_METER_TEXT);
    }

    p = in + sprintf(in, "{\"content\":[{\"type\":\"");
    memset(p, 'x', 600);
    memcpy(p + 502, "tool_use", 8);
    (void) strcpy(p + 600, "\"}]}");

    for (cut = 0; cut <= strlen(in) + 1; cut++) {
        assert_int_equal(nxe_meter_init(&m, NXE_DIALECT_ANTHROPIC, 0,
                                        unit_mem), NXE_OK);
        feed_cut(&m, in, cut);
        assert_int_equal(m.said.tool_calls, 0);
    }
}


static void
each(const row_t *row, int stream)
{
    size_t       cut, len;
    nxe_meter_t  m;

    len = strlen(row->in);

    for (cut = 0; cut <= len + 1; cut++) {
        assert_int_equal(nxe_meter_init(&m, row->dialect, stream,
                                        unit_mem), NXE_OK);
        feed_cut(&m, row->in, cut);
        same(row, &m, stream ? m.contents : m.said.content);
    }
}


static void
test_streams(void **state)
{
    size_t  i;

    (void) state;

    for (i = 0; i < unit_n(streams); i++) {
        each(&streams[i], 1);
    }
}


static void
test_bodies(void **state)
{
    size_t       i;
    nxe_meter_t  m;

    (void) state;

    for (i = 0; i < unit_n(bodies); i++) {
        each(&bodies[i], 0);
    }

    assert_int_equal(nxe_meter_init(&m, NXE_DIALECT_JSON, 0, unit_mem),
                     NXE_DECLINED);
}


/*
 * Events that are compared with the one before give what reading gives: what
 * comes between them, what ends a string, what makes a number none.
 */

#define EVENT(content, n, more)  "data: {\"choices\":[{\"delta\":{\"content\":\""  \
    content "\"}}],\"n\":" n ",\"usage\":null" more "}\n\n"

#define TEN    "xxxxxxxxxx"
#define LONG   TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static const char  before[] = EVENT("0", "0", "");

static const struct {
    const char  *in;
    uint64_t     contents;      /* with the event before */
} likes[] = {
    { EVENT("a", "1", "") "data: " LONG "\n" EVENT("b", "1", ""), 2 },
    { EVENT("a", "1", "") EVENT("b", "1", "") EVENT("ccc", "22", ""), 4 },
    { EVENT("a", "1", "") EVENT("", "1", "") EVENT("b", "1", ""), 3 },
    { EVENT("aa", "12", "") EVENT("a", "1", "") EVENT("\\\"", "-3", ""), 4 },
    { EVENT("a", "1", "") EVENT("a", ".", "") EVENT("a", "", ""), 2 },
    { EVENT("a", "1", "") EVENT("a", "null", "") EVENT("a", "\"1\"", ""), 4 },
    { EVENT("a", "1", "") EVENT("\\", "1", "") EVENT("b", "1", ""), 3 },
    { EVENT("a", "1", "") EVENT("x\n\ndata: y", "1", "")
      EVENT("b", "1", ""), 3 },
    { EVENT("a", "1", "") EVENT("x\r\rdata: y", "1", "")
      EVENT("b", "1", ""), 3 },
    { EVENT("a", "1", ",\"model\":\"m\"") EVENT("b", "1", ",\"model\":\"n\""),
      3 },
    { EVENT("a", "1", "") "data: {\"choices\":[],\"usage\":{"
      "\"completion_tokens\":4}}\n\n" EVENT("b", "1", ""), 3 },
    { "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":{"
      "\"x\":1}}\n\ndata: {\"choices\":[],\"usage\":{"
      "\"completion_tokens\":4}}\n\ndata: {\"choices\":[{\"delta\":{"
      "\"content\":\"b\"}}],\"usage\":{\"x\":1}}\n\n", 3 },
    { EVENT("a", "1", "") EVENT("b", "1", ",\"error\":\"\"")
      EVENT("c", "1", ""), 4 }
};


static void
test_likes(void **state)
{
    size_t       i, cut;
    nxe_meter_t  m, read;

    (void) state;

    for (i = 0; i < unit_n(likes); i++) {
        assert_int_equal(nxe_meter_init(&read, NXE_DIALECT_OPENAI_CHAT, 1,
                                        unit_mem), NXE_OK);
        read.sse.same = NULL;
        read.sse.max = 150;
        feed(&read, before, sizeof(before) - 1);
        feed_cut(&read, likes[i].in, 0);
        unit_row(read.contents == likes[i].contents, likes[i].in);

        for (cut = 0; cut <= strlen(likes[i].in) + 1; cut++) {
            assert_int_equal(nxe_meter_init(&m, NXE_DIALECT_OPENAI_CHAT, 1,
                                            unit_mem), NXE_OK);
            m.sse.max = 150;
            feed(&m, before, sizeof(before) - 1);
            feed_cut(&m, likes[i].in, cut);

            unit_row(m.contents == read.contents
                     && m.said.counted == read.said.counted
                     && m.said.failed == read.said.failed
                     && m.said.model.len == read.said.model.len
                     && memcmp(m.said.model.data, read.said.model.data,
                               m.said.model.len) == 0, likes[i].in);
        }
    }
}


static const struct {
    const char  *in;
    const char  *out;
    const char  *why;
} strips[] = {
    { EVENT("a", "1", ",\"o\":\"\"") EVENT("a", "1", ",\"o\":\"xyz\"")
      EVENT("bcd", "1", ",\"o\":\"\""),
      "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"n\":1,"
      "\"o\":\"\"}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],"
      "\"n\":1,\"o\":\"xyz\"}\n\ndata: {\"choices\":[{\"delta\":{\"content\":"
      "\"bcd\"}}],\"n\":1,\"o\":\"\"}\n\n", "like the one before" },
    { "data: {\"choices\":[],\"usage\":null}\n\n",
      "data: {\"choices\":[]}\n\n", "the last member" },
    { "data: {\"usage\" : null , \"choices\":[]}\n\n",
      "data: { \"choices\":[]}\n\n", "the first member" },
    { "data: {\"usage\":null}\n\n", "data: {}\n\n", "the only one" },
    { "data: {\"a\":1 ,\t\"usage\":null,\"b\":2}\r\n\r\ndata: 1\r\n\r\n",
      "data: {\"a\":1 ,\"b\":2}\r\n\r\ndata: 1\r\n\r\n", "in the middle" },
    { "data: {\"choices\":[{}],\"usage\":{\"prompt_tokens\":1}}\n\n",
      "data: {\"choices\":[{}],\"usage\":{\"prompt_tokens\":1}}\n\n",
      "usage beside content" },
    { "data: a\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n"
      "data: [DONE]\n\n", "data: a\n\ndata: [DONE]\n\n", "the extra chunk" },
    { "data: a\r\n\r\ndata: {\"choices\":[],\"usage\":{\"a\":1}}\r\n\r\n"
      "data: [DONE]\r\n\r\n", "data: a\r\n\r\ndata: [DONE]\r\n\r\n",
      "the extra chunk and its LF" },
    { "data: {\"choices\":[],\"usage\":{\"a\":1}}\r\rdata: b\r\r",
      "data: b\r\r", "the extra chunk without one" },
    { "data: {\"choices\":null,\"usage\":{\"prompt_tokens\":1}}\n\n", "",
      "the extra chunk of others" },
    { "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n: b\n\n",
      ": b\n\n", "a comment stays" },
    { "data: {\"usage\":{\"prompt_tokens\":1}}\n\n",
      "data: {\"usage\":{\"prompt_tokens\":1}}\n\n", "without choices" },
    { "data: {\"choices\":[],\"error\":{},\"usage\":{\"a\":1}}\n\n",
      "data: {\"choices\":[],\"error\":{},\"usage\":{\"a\":1}}\n\n",
      "an error" },
    { "data: {\"choices\":[],\ndata: \"usage\":null}\n\n",
      "data: {\"choices\":[],\ndata: \"usage\":null}\n\n",
      "in lines it stays" },
    { "data: {\"choices\":[],\ndata: \"usage\":{\"a\":1}}\n\ndata: b\n\n",
      "data: b\n\n", "all of it goes, in lines too" },
    { ": a\n\nid: 1\n\n\n\ndata: {\"usage\":nul\n\ndata: c",
      ": a\n\nid: 1\n\n\n\ndata: {\"usage\":nul\n\ndata: c",
      "what it does not know, and an end in the middle" },
    { "data: {\"a\":\"0123456789012345678901234567890123456789012345678901"
      "01234567890123456789\","
      "\"usage\":null}\n\ndata: {\"usage\":null}\n\n",
      "data: {\"a\":\"0123456789012345678901234567890123456789012345678901"
      "01234567890123456789\","
      "\"usage\":null}\n\ndata: {}\n\n", "a large one passes" }
};


static void
emit(void *ctx, nxe_str_t bytes)
{
    assert_int_equal(nxe_buf_add(ctx, bytes), NXE_OK);
}


static void
test_strip(void **state)
{
    size_t       i, cut;
    nxe_buf_t    out;
    nxe_meter_t  m;

    (void) state;

    for (i = 0; i < unit_n(strips); i++) {
        for (cut = 0; cut <= strlen(strips[i].in) + 1; cut++) {
            nxe_buf_init(&out, 4096);
            assert_int_equal(nxe_meter_init(&m, NXE_DIALECT_OPENAI_CHAT, 1,
                                            unit_mem), NXE_OK);
            m.sse.max = 100;
            nxe_meter_strip(&m, emit, &out);
            feed_cut(&m, strips[i].in, cut);

            unit_row(nxe_str_eq(nxe_buf_str(&out), nxe_str_of(strips[i].out)),
                     strips[i].why);
            nxe_buf_free(&out);
        }
    }
}


/* When content came: the first, the last, the longest gap. */

static void
test_times(void **state)
{
    size_t       i;
    nxe_meter_t  m;

    static const struct {
        const char  *in;
        uint64_t     now;
        unsigned     contents;
    } events[] = {
        { "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n", 5,
          0 },
        { "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n", 10, 1 },
        { "data: {\"choices\":[{\"delta\":{\"content\":\"\"}}]}\n\n", 11, 1 },
        { "data: {\"choices\":[{\"delta\":{\"content\":\"b\"}}]}\n\nda", 40, 2 },
        { "ta: {\"choices\":[{\"delta\":{\"content\":\"c\"}}]}\n\n", 45, 3 },
        { "data: [DONE]\n\n", 90, 3 }
    };

    (void) state;

    assert_int_equal(nxe_meter_init(&m, NXE_DIALECT_OPENAI_CHAT, 1,
                                    unit_mem), NXE_OK);

    for (i = 0; i < unit_n(events); i++) {
        nxe_meter_feed(&m, nxe_str_of(events[i].in), events[i].now);
        assert_int_equal(m.contents, events[i].contents);
    }

    assert_int_equal(m.contents, 3);
    assert_int_equal(m.first, 10);
    assert_int_equal(m.last, 45);
    assert_int_equal(m.gap, 30);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_likes),
        cmocka_unit_test(test_strip),
        cmocka_unit_test(test_times)
    };

    return unit_main(tests);
}
