#include <string.h>

#include "nxe_meter_int.h"


typedef struct {
    uint8_t             at;         /* nxe_meter_field_e */
    uint8_t             in;         /* 1: streams, 2: JSON, 3: both */
    const char         *pointer;
} nxe_meter_field_t;


static void nxe_meter_event(void *ctx, nxe_str_t type, nxe_str_t data);
static void nxe_meter_content(nxe_meter_t *m);
static void nxe_meter_keep(nxe_meter_t *m, nxe_str_t bytes);
static void nxe_meter_body(nxe_meter_t *m, nxe_str_t body);
static nxe_status_t nxe_meter_fields(nxe_meter_t *m,
    const nxe_meter_field_t *f, unsigned in, const nxe_mem_t *mem);
static int nxe_meter_scan(nxe_meter_t *m, nxe_str_t text);
static void nxe_meter_forget(nxe_json_node_t *node);


static const nxe_meter_field_t  nxe_meter_chat_fields[] = {
    { NXE_METER_MODEL, 3, "/model" },
    { NXE_METER_ERROR, 3, "/error" },
    { NXE_METER_LIST, 3, "/choices" },
    { NXE_METER_USAGE, 3, "/usage" },
    { NXE_METER_INPUT, 3, "/usage/prompt_tokens" },
    { NXE_METER_OUTPUT, 3, "/usage/completion_tokens" },
    { NXE_METER_CACHED, 3, "/usage/prompt_tokens_details/cached_tokens" },
    { NXE_METER_CACHE_WRITE, 3,
      "/usage/prompt_tokens_details/cache_write_tokens" },
    { NXE_METER_REASONING, 3,
      "/usage/completion_tokens_details/reasoning_tokens" },
    { 0, 0, NULL }
};

static const nxe_meter_field_t  nxe_meter_responses_fields[] = {
    { NXE_METER_TYPE, 1, "/type" },
    { NXE_METER_DELTA, 1, "/delta" },
    { NXE_METER_ITEM, 1, "/item/type" },
    { NXE_METER_MODEL, 1, "/response/model" },
    { NXE_METER_STATUS, 1, "/response/status" },
    { NXE_METER_REASON, 1, "/response/incomplete_details/reason" },
    { NXE_METER_INPUT, 1, "/response/usage/input_tokens" },
    { NXE_METER_OUTPUT, 1, "/response/usage/output_tokens" },
    { NXE_METER_CACHED, 1,
      "/response/usage/input_tokens_details/cached_tokens" },
    { NXE_METER_CACHE_WRITE, 1,
      "/response/usage/input_tokens_details/cache_write_tokens" },
    { NXE_METER_REASONING, 1,
      "/response/usage/output_tokens_details/reasoning_tokens" },
    { NXE_METER_MODEL, 2, "/model" },
    { NXE_METER_STATUS, 2, "/status" },
    { NXE_METER_ERROR, 2, "/error" },
    { NXE_METER_REASON, 2, "/incomplete_details/reason" },
    { NXE_METER_LIST, 2, "/output" },
    { NXE_METER_INPUT, 2, "/usage/input_tokens" },
    { NXE_METER_OUTPUT, 2, "/usage/output_tokens" },
    { NXE_METER_CACHED, 2, "/usage/input_tokens_details/cached_tokens" },
    { NXE_METER_CACHE_WRITE, 2,
      "/usage/input_tokens_details/cache_write_tokens" },
    { NXE_METER_REASONING, 2,
      "/usage/output_tokens_details/reasoning_tokens" },
    { 0, 0, NULL }
};

static const nxe_meter_field_t  nxe_meter_anthropic_fields[] = {
    { NXE_METER_TYPE, 3, "/type" },
    { NXE_METER_MODEL, 1, "/message/model" },
    { NXE_METER_INPUT, 1, "/message/usage/input_tokens" },
    { NXE_METER_OUTPUT, 1, "/message/usage/output_tokens" },
    { NXE_METER_CACHED, 1, "/message/usage/cache_read_input_tokens" },
    { NXE_METER_CACHE_WRITE, 1,
      "/message/usage/cache_creation_input_tokens" },
    { NXE_METER_INPUT_LATER, 1, "/usage/input_tokens" },
    { NXE_METER_OUTPUT_LATER, 1, "/usage/output_tokens" },
    { NXE_METER_CACHED_LATER, 1, "/usage/cache_read_input_tokens" },
    { NXE_METER_CACHE_WRITE_LATER, 1, "/usage/cache_creation_input_tokens" },
    { NXE_METER_ITEM, 1, "/content_block/type" },
    { NXE_METER_DELTA, 1, "/delta/text" },
    { NXE_METER_DELTA2, 1, "/delta/thinking" },
    { NXE_METER_DELTA3, 1, "/delta/partial_json" },
    { NXE_METER_REASON, 1, "/delta/stop_reason" },
    { NXE_METER_MODEL, 2, "/model" },
    { NXE_METER_LIST, 2, "/content" },
    { NXE_METER_REASON, 2, "/stop_reason" },
    { NXE_METER_INPUT, 2, "/usage/input_tokens" },
    { NXE_METER_OUTPUT, 2, "/usage/output_tokens" },
    { NXE_METER_CACHED, 2, "/usage/cache_read_input_tokens" },
    { NXE_METER_CACHE_WRITE, 2, "/usage/cache_creation_input_tokens" },
    { 0, 0, NULL }
};


nxe_status_t
nxe_meter_init(nxe_meter_t *m, nxe_dialect_t dialect, int stream,
    unsigned flags, const nxe_mem_t *mem)
{
    const nxe_meter_field_t  *fields;

    switch (dialect) {
    case NXE_DIALECT_OPENAI_CHAT:
        fields = nxe_meter_chat_fields;
        break;
    case NXE_DIALECT_OPENAI_RESPONSES:
        fields = nxe_meter_responses_fields;
        break;
    case NXE_DIALECT_ANTHROPIC:
        fields = nxe_meter_anthropic_fields;
        break;
    default:
        return NXE_DECLINED;
    }

    memset(m, 0, sizeof(*m));
    m->dialect = dialect;
    m->flags = flags;
    m->stream = stream != 0;
    m->mem = mem;
    m->root.index = NXE_JSON_NO_INDEX;

    nxe_sse_init(&m->sse, NXE_METER_MAX, nxe_meter_event, m, mem);

    return nxe_meter_fields(m, fields, stream ? 1 : 2, mem);
}


static nxe_status_t
nxe_meter_fields(nxe_meter_t *m, const nxe_meter_field_t *f, unsigned in,
    const nxe_mem_t *mem)
{
    nxe_status_t  rc;

    for ( /* void */ ; f->pointer != NULL; f++) {

        if (!(f->in & in)) {
            continue;
        }

        rc = nxe_json_target(&m->root, nxe_str_of(f->pointer), mem,
                             &m->at[f->at]);
        if (rc != NXE_OK) {
            return rc;
        }
    }

    return NXE_OK;
}


void
nxe_meter_feed(nxe_meter_t *m, nxe_str_t bytes, uint64_t now)
{
    m->now = now;

    if (m->stream) {
        nxe_sse_feed(&m->sse, bytes);

    } else if (!m->large && bytes.len != 0) {
        nxe_meter_keep(m, bytes);
    }
}


void
nxe_meter_end(nxe_meter_t *m)
{
    nxe_str_t  rest;

    if (!m->stream) {
        if (m->len != 0) {
            nxe_meter_body(m, (nxe_str_t) { m->body, m->len });
        }

        return;
    }

    rest = nxe_sse_rest(&m->sse);

    if (m->emit != NULL && rest.len != 0) {
        m->emit(m->ctx, rest);
    }
}


static void
nxe_meter_keep(nxe_meter_t *m, nxe_str_t bytes)
{
    char    *body;
    size_t   size;

    if (bytes.len > NXE_METER_MAX - m->len) {
        m->large = 1;
        m->len = 0;
        return;
    }

    if (bytes.len > m->size - m->len) {

        for (size = m->size != 0 ? m->size : 4096;
             size - m->len < bytes.len;
             size *= 2)
        {
            /* void */
        }

        body = nxe_alloc(m->mem, size);
        if (body == NULL) {
            m->large = 1;
            m->len = 0;
            return;
        }

        if (m->len != 0) {
            memcpy(body, m->body, m->len);
        }

        m->body = body;
        m->size = size;
    }

    memcpy(m->body + m->len, bytes.data, bytes.len);
    m->len += bytes.len;
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

    if (!nxe_meter_scan(m, data)) {
        return;
    }

    switch (m->dialect) {
    case NXE_DIALECT_OPENAI_CHAT:
        content = nxe_meter_chat(m);
        break;
    case NXE_DIALECT_OPENAI_RESPONSES:
        content = nxe_meter_responses_event(m);
        break;
    default:
        content = nxe_meter_anthropic_event(m);
    }

    if (content) {
        nxe_meter_content(m);
    }

    if (m->emit != NULL) {
        nxe_meter_plan(m, data);
    }
}


static void
nxe_meter_content(nxe_meter_t *m)
{
    m->content = 1;

    if (m->contents++ == 0) {
        m->first = m->now;

    } else if (m->now - m->last > m->gap) {
        m->gap = m->now - m->last;
    }

    m->last = m->now;
}


static void
nxe_meter_body(nxe_meter_t *m, nxe_str_t body)
{
    if (!nxe_meter_scan(m, body)) {
        return;
    }

    switch (m->dialect) {
    case NXE_DIALECT_OPENAI_CHAT:
        if (nxe_meter_chat(m)) {
            m->content = 1;
        }

        break;
    case NXE_DIALECT_OPENAI_RESPONSES:
        nxe_meter_responses_body(m);
        break;
    default:
        nxe_meter_anthropic_body(m);
    }

    /* else it is no answer of this API */

    m->understood = m->failed || m->at[NXE_METER_LIST]->type == NXE_JSON_ARRAY;
    m->ended = m->understood;
}


nxe_status_t
nxe_meter_tokens(const nxe_meter_t *m, nxe_tokens_t what, uint64_t *n)
{
    if (!((m->counted >> what) & 1)) {
        return NXE_DECLINED;
    }

    *n = m->tokens[what];

    if (what == NXE_TOKENS_INPUT && m->dialect == NXE_DIALECT_ANTHROPIC) {
        *n += m->tokens[NXE_TOKENS_CACHED]
              + m->tokens[NXE_TOKENS_CACHE_WRITE];
    }

    return NXE_OK;
}


/* 1 if it is JSON, and what it has of the fields is in their nodes. */

static int
nxe_meter_scan(nxe_meter_t *m, nxe_str_t text)
{
    nxe_text_t         t;
    nxe_json_result_t  r;

    nxe_meter_forget(&m->root);

    m->data = text.data;
    t.segs = &text;
    t.n = 1;

    if (nxe_json_scan(&t, &m->root, m->flags | NXE_JSON_ROOT_OBJECT, &r)
        != NXE_JSON_OK)
    {
        return 0;
    }

    m->understood = 1;

    return 1;
}


static void
nxe_meter_forget(nxe_json_node_t *node)
{
    nxe_json_node_t  *child;

    node->type = NXE_JSON_NONE;
    node->twice = 0;

    for (child = node->child; child != NULL; child = child->next) {
        nxe_meter_forget(child);
    }
}


/* The bytes of a field; none where it is null, or not there. */

nxe_str_t
nxe_meter_get(const nxe_meter_t *m, unsigned at)
{
    const nxe_json_node_t  *node;

    node = m->at[at];

    if (node == NULL || node->type == NXE_JSON_NONE
        || node->type == NXE_JSON_NULL)
    {
        return nxe_null_str;
    }

    return (nxe_str_t) { m->data + node->value.start,
                         node->value.end - node->value.start };
}


int
nxe_meter_is(const nxe_meter_t *m, unsigned at, const char *s)
{
    nxe_str_t  value;

    value = nxe_meter_get(m, at);

    return value.len != 0 && value.data[0] == '"'
           && nxe_json_string_eq(value, nxe_str_of(s));
}


/* 1 for a string, a list or an object that is not empty. */

int
nxe_meter_some(nxe_str_t value)
{
    nxe_json_walk_t  w;

    if (value.len == 0) {
        return 0;
    }

    if (value.data[0] == '"') {
        return value.len > 2;
    }

    if (value.data[0] != '[' && value.data[0] != '{') {
        return 0;
    }

    nxe_json_walk(&w, value);

    return nxe_json_walk_next(&w);
}


void
nxe_meter_count(nxe_meter_t *m, nxe_tokens_t what, unsigned at)
{
    size_t     i;
    uint64_t   n;
    nxe_str_t  value;

    value = nxe_meter_get(m, at);

    if (value.len == 0 || value.len > 13) {
        return;
    }

    for (n = 0, i = 0; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') {
            return;
        }

        n = n * 10 + (uint64_t) (value.data[i] - '0');
    }

    if (n <= NXE_TOKENS_MAX) {
        m->counted |= 1u << what;
        m->tokens[what] = n;
    }
}


void
nxe_meter_usage(nxe_meter_t *m)
{
    nxe_meter_count(m, NXE_TOKENS_INPUT, NXE_METER_INPUT);
    nxe_meter_count(m, NXE_TOKENS_OUTPUT, NXE_METER_OUTPUT);
    nxe_meter_count(m, NXE_TOKENS_CACHED, NXE_METER_CACHED);
    nxe_meter_count(m, NXE_TOKENS_CACHE_WRITE, NXE_METER_CACHE_WRITE);
    nxe_meter_count(m, NXE_TOKENS_REASONING, NXE_METER_REASONING);
}


void
nxe_meter_text(nxe_meter_text_t *t, nxe_str_t quoted)
{
    size_t     len;
    nxe_str_t  s;

    if (quoted.len < 2 || quoted.data[0] != '"') {
        return;
    }

    s.data = quoted.data + 1;
    s.len = quoted.len - 2;

    if (memchr(s.data, '\\', s.len) != NULL) {

        if (nxe_json_unescape_to(quoted, t->data, NXE_METER_TEXT, &len)
            == NXE_OK)
        {
            t->len = (uint8_t) len;
        }

        return;
    }

    /* cut between characters */

    len = s.len < NXE_METER_TEXT ? s.len : NXE_METER_TEXT;

    while (len != s.len && len != 0
           && ((unsigned char) s.data[len] & 0xc0) == 0x80)
    {
        len--;
    }

    memcpy(t->data, s.data, len);
    t->len = (uint8_t) len;
}


void
nxe_meter_reason(nxe_meter_t *m, nxe_str_t quoted)
{
    size_t  i;

    static const char *const  limits[] = {
        "length", "max_tokens", "max_output_tokens",
        "model_context_window_exceeded"
    };

    if (quoted.len < 3 || quoted.data[0] != '"') {
        return;
    }

    if (m->nreasons < NXE_METER_REASONS) {
        nxe_meter_text(&m->reasons[m->nreasons++], quoted);
    }

    for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        if (nxe_json_string_eq(quoted, nxe_str_of(limits[i]))) {
            m->truncated = 1;
        }
    }

    if (nxe_json_string_eq(quoted, nxe_str("refusal"))) {
        m->refusal = 1;
    }
}


/* An item or a block that is a call of a tool: function_call, tool_use, ... */

void
nxe_meter_call(nxe_meter_t *m, nxe_str_t type)
{
    if ((type.len > 6
         && memcmp(type.data + type.len - 6, "_call\"", 6) == 0)
        || (type.len > 9
            && memcmp(type.data + type.len - 9, "tool_use\"", 9) == 0))
    {
        m->tool_calls++;
    }
}
