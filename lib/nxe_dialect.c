#include <string.h>

#include <nxe/dialect.h>


static const char *const  nxe_code_names[] = {
    "", "applied", "equal", "kept", "unsupported", "bypassed", "not_sent"
};


/* "auto" goes by the ending of the path; json has none. */

typedef struct {
    const char         *name;
    const char         *ending;
    unsigned            built:1;
} nxe_dialect_def_t;

static const nxe_dialect_def_t  nxe_dialects[NXE_DIALECTS] = {
    { "json", NULL, 1 },
    { "openai_chat", "/chat/completions", 1 },
    { "openai_responses", "/responses", 0 },
    { "anthropic", "/messages", 0 },
    { "mcp", "/mcp", 0 }
};


/* What a member of a top-level object is appended with. */

typedef struct {
    nxe_str_t           first;
    nxe_str_t           later;
    const char         *path;
} nxe_append_t;

#define nxe_append(name)                                                      \
    { { "\"" name "\":", sizeof("\"" name "\":") - 1 },                       \
      { ",\"" name "\":", sizeof(",\"" name "\":") - 1 }, "/" name }

static const nxe_append_t  nxe_appends[NXE_PARAMS] = {
    nxe_append("system"), nxe_append("temperature"), nxe_append("top_p"),
    nxe_append("max_tokens"), nxe_append("model"), nxe_append("verbosity")
};


static nxe_status_t nxe_places_replace(const nxe_text_t *text,
    const nxe_json_node_t *node, nxe_str_t bytes, const nxe_mem_t *mem,
    nxe_edit_t *edits, size_t *n, nxe_code_t *code);
static void nxe_places_append(nxe_places_t *p, nxe_param_t param,
    nxe_str_t bytes, nxe_edit_t *edits, size_t *n);
static nxe_status_t nxe_places_system(nxe_places_t *p,
    const nxe_text_t *text, nxe_str_t bytes, int if_absent,
    const nxe_mem_t *mem, nxe_edit_t *edits, size_t *n, nxe_code_t *code);
static int nxe_places_is_system(const nxe_places_t *p,
    const nxe_text_t *text);
static void nxe_places_insert(size_t at, nxe_str_t head, nxe_str_t bytes,
    nxe_str_t tail, nxe_edit_t *edits, size_t *n);
static int nxe_places_present(const nxe_json_node_t *node);


const char *
nxe_code_name(nxe_code_t code)
{
    return nxe_code_names[code];
}


const char *
nxe_dialect_name(nxe_dialect_t dialect)
{
    return nxe_dialects[dialect].name;
}


nxe_status_t
nxe_dialect_parse(nxe_str_t s, nxe_dialect_t *dialect)
{
    unsigned  i;

    for (i = 0; i < NXE_DIALECTS; i++) {
        if (nxe_str_eq(s, nxe_str_of(nxe_dialects[i].name))) {
            *dialect = (nxe_dialect_t) i;
            return NXE_OK;
        }
    }

    return NXE_DECLINED;
}


int
nxe_dialect_built(nxe_dialect_t dialect)
{
    return nxe_dialects[dialect].built;
}


nxe_dialect_t
nxe_dialect_of_path(nxe_str_t path)
{
    unsigned   i;
    nxe_str_t  ending;

    for (i = 1; i < NXE_DIALECTS; i++) {
        ending = nxe_str_of(nxe_dialects[i].ending);

        if (path.len >= ending.len
            && memcmp(path.data + path.len - ending.len, ending.data,
                      ending.len) == 0)
        {
            return (nxe_dialect_t) i;
        }
    }

    return NXE_DIALECT_JSON;
}


void
nxe_places_init(nxe_places_t *p, nxe_dialect_t dialect)
{
    memset(p, 0, sizeof(nxe_places_t));

    p->dialect = dialect;
    p->root.index = NXE_JSON_NO_INDEX;
}


nxe_status_t
nxe_places_params(nxe_places_t *p, unsigned params, const nxe_mem_t *mem)
{
    unsigned  i;

    if (!nxe_dialect_built(p->dialect)) {
        return NXE_OK;
    }

    for (i = 0; i < NXE_PARAMS; i++) {

        if (!(params & 1u << i) || p->member[i] != NULL) {
            continue;
        }

        if (i == NXE_SYSTEM && p->dialect == NXE_DIALECT_OPENAI_CHAT) {

            if (nxe_json_target(&p->root, nxe_str("/messages/0/content"), mem,
                                &p->content) != NXE_OK
                || nxe_json_target(&p->root, nxe_str("/messages/0/role"), mem,
                                   &p->role) != NXE_OK)
            {
                return NXE_NOMEM;
            }

            /* both are there already */

            p->messages = nxe_json_child(&p->root, nxe_str("messages"), mem);
            p->first = nxe_json_child(p->messages, nxe_str("0"), mem);
            p->member[i] = p->content;
            continue;
        }

        p->member[i] = nxe_json_child(&p->root,
                                      nxe_str_of(nxe_param_name(i)), mem);
        if (p->member[i] == NULL) {
            return NXE_NOMEM;
        }

        if (i == NXE_MAX_TOKENS && p->dialect == NXE_DIALECT_OPENAI_CHAT) {
            p->completion = nxe_json_child(&p->root,
                                           nxe_str("max_completion_tokens"),
                                           mem);
            if (p->completion == NULL) {
                return NXE_NOMEM;
            }
        }
    }

    return NXE_OK;
}


nxe_status_t
nxe_places_model(nxe_places_t *p, const nxe_mem_t *mem)
{
    p->model = nxe_json_child(&p->root, nxe_str("model"), mem);

    return p->model != NULL ? NXE_OK : NXE_NOMEM;
}


nxe_status_t
nxe_places_pointer(nxe_places_t *p, nxe_str_t pointer, const nxe_mem_t *mem,
    nxe_json_node_t **node)
{
    return nxe_json_target(&p->root, pointer, mem, node);
}


nxe_status_t
nxe_places_plan(nxe_places_t *p, const nxe_text_t *text, nxe_param_t param,
    nxe_str_t bytes, int if_absent, const nxe_mem_t *mem, nxe_edit_t *edits,
    size_t *n, nxe_code_t *code)
{
    int           present;
    nxe_status_t  rc;

    if (!nxe_dialect_built(p->dialect)) {
        *code = NXE_CODE_UNSUPPORTED;
        return NXE_OK;
    }

    if (param == NXE_SYSTEM && p->dialect == NXE_DIALECT_OPENAI_CHAT) {
        return nxe_places_system(p, text, bytes, if_absent, mem, edits, n,
                                 code);
    }

    present = nxe_places_present(p->member[param])
              || (param == NXE_MAX_TOKENS && nxe_places_present(p->completion));

    if (!present) {
        nxe_places_append(p, param, bytes, edits, n);
        *code = NXE_CODE_APPLIED;
        return NXE_OK;
    }

    if (if_absent) {
        *code = NXE_CODE_KEPT;
        return NXE_OK;
    }

    *code = NXE_CODE_EQUAL;

    rc = nxe_places_replace(text, p->member[param], bytes, mem, edits, n,
                            code);

    if (rc == NXE_OK && param == NXE_MAX_TOKENS) {
        rc = nxe_places_replace(text, p->completion, bytes, mem, edits, n,
                                code);
    }

    return rc;
}


const char *
nxe_places_path(const nxe_places_t *p, nxe_param_t param)
{
    if (param == NXE_SYSTEM && p->dialect == NXE_DIALECT_OPENAI_CHAT) {
        return "/messages/0/content";   /* an inserted message's too */
    }

    if (param == NXE_MAX_TOKENS && nxe_places_present(p->completion)
        && !nxe_places_present(p->member[param]))
    {
        return "/max_completion_tokens";
    }

    return nxe_appends[param].path;
}


nxe_status_t
nxe_places_value(const nxe_text_t *text, const nxe_json_node_t *node,
    const nxe_mem_t *mem, nxe_str_t *value)
{
    size_t        i;
    nxe_str_t     s;
    nxe_status_t  rc;

    if (node->type != NXE_JSON_STRING && node->type != NXE_JSON_NUMBER) {
        return NXE_DECLINED;
    }

    /* six bytes of escape make at least one byte of value */

    if (node->value.end - node->value.start > 6 * NXE_UNIT_MAX + 2) {
        return NXE_DECLINED;
    }

    rc = nxe_text_span(text, node->value, mem, &s);
    if (rc != NXE_OK) {
        return rc;
    }

    if (node->type == NXE_JSON_STRING) {
        rc = nxe_json_unescape(s, NXE_UNIT_MAX, mem, value);

        if (rc == NXE_INVALID || (rc == NXE_OK && value->len == 0)) {
            return NXE_DECLINED;
        }

        return rc;
    }

    for (i = s.data[0] == '-' ? 1 : 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            return NXE_DECLINED;
        }
    }

    if (s.len - (s.data[0] == '-' ? 1 : 0) > 18) {
        return NXE_DECLINED;
    }

    *value = s;

    return NXE_OK;
}


/* Replaces a member that is there, unless it says the same already. */

static nxe_status_t
nxe_places_replace(const nxe_text_t *text, const nxe_json_node_t *node,
    nxe_str_t bytes, const nxe_mem_t *mem, nxe_edit_t *edits, size_t *n,
    nxe_code_t *code)
{
    int           same;
    nxe_str_t     old;
    nxe_edit_t   *e;
    nxe_status_t  rc;

    if (!nxe_places_present(node)) {
        return NXE_OK;
    }

    same = 0;

    if ((node->type == NXE_JSON_STRING && bytes.data[0] == '"')
        || (node->type == NXE_JSON_NUMBER && bytes.data[0] != '"'))
    {
        /* what is much longer cannot be the same: every byte of a string may
           be an escape of six, numbers are taken whole */

        if (node->type == NXE_JSON_NUMBER
            || node->value.end - node->value.start <= 6 * bytes.len)
        {
            rc = nxe_text_span(text, node->value, mem, &old);
            if (rc != NXE_OK) {
                return rc;
            }

            same = node->type == NXE_JSON_STRING
                   ? nxe_json_strings_eq(old, bytes)
                   : nxe_decimal_cmp(old, bytes) == 0;
        }
    }

    if (same) {
        return NXE_OK;
    }

    e = &edits[(*n)++];
    e->start = node->value.start;
    e->end = node->value.end;
    e->head = nxe_null_str;
    e->bytes = bytes;
    e->tail = nxe_null_str;

    *code = NXE_CODE_APPLIED;

    return NXE_OK;
}


/* Appends a top-level member, in front of the closing brace. */

static void
nxe_places_append(nxe_places_t *p, nxe_param_t param, nxe_str_t bytes,
    nxe_edit_t *edits, size_t *n)
{
    int  first;

    first = !p->root.nonempty && !p->appended;
    p->appended = 1;

    nxe_places_insert(p->root.value.end - 1,
                      first ? nxe_appends[param].first
                            : nxe_appends[param].later,
                      bytes, nxe_null_str, edits, n);
}


/*
 * The whole content of messages[0] if its role is system or developer, else
 * a message in front.
 */

static nxe_status_t
nxe_places_system(nxe_places_t *p, const nxe_text_t *text, nxe_str_t bytes,
    int if_absent, const nxe_mem_t *mem, nxe_edit_t *edits, size_t *n,
    nxe_code_t *code)
{
    if (p->messages->type != NXE_JSON_ARRAY) {
        *code = NXE_CODE_UNSUPPORTED;
        return NXE_OK;
    }

    if (!nxe_places_is_system(p, text)) {
        nxe_places_insert(p->messages->value.start + 1,
                          nxe_str("{\"role\":\"system\",\"content\":"), bytes,
                          p->messages->nonempty ? nxe_str("},")
                                                : nxe_str("}"),
                          edits, n);
        *code = NXE_CODE_APPLIED;
        return NXE_OK;
    }

    if (!nxe_places_present(p->content)) {
        nxe_places_insert(p->first->value.end - 1, nxe_str(",\"content\":"),
                          bytes, nxe_null_str, edits, n);
        *code = NXE_CODE_APPLIED;
        return NXE_OK;
    }

    if (if_absent) {
        *code = NXE_CODE_KEPT;
        return NXE_OK;
    }

    *code = NXE_CODE_EQUAL;

    return nxe_places_replace(text, p->content, bytes, mem, edits, n, code);
}


static int
nxe_places_is_system(const nxe_places_t *p, const nxe_text_t *text)
{
    char        raw[64];
    nxe_str_t   role;
    nxe_span_t  span;

    span = p->role->value;
    role.data = raw;
    role.len = span.end - span.start;

    if (p->first->type != NXE_JSON_OBJECT || p->role->type != NXE_JSON_STRING
        || role.len > sizeof(raw))
    {
        return 0;
    }

    nxe_text_copy(text, span, raw);

    return nxe_json_string_eq(role, nxe_str("system"))
           || nxe_json_string_eq(role, nxe_str("developer"));
}


static void
nxe_places_insert(size_t at, nxe_str_t head, nxe_str_t bytes, nxe_str_t tail,
    nxe_edit_t *edits, size_t *n)
{
    nxe_edit_t  *e;

    e = &edits[(*n)++];
    e->start = at;
    e->end = at;
    e->head = head;
    e->bytes = bytes;
    e->tail = tail;
}


static int
nxe_places_present(const nxe_json_node_t *node)
{
    return node != NULL && node->type != NXE_JSON_NONE;
}
