/*
 * What becomes of each edit, as marks on the places of a scanned body.
 */

#include <nxe/frac.h>

#include "nxe_plan_int.h"


static nxe_status_t nxe_plan_set(nxe_places_t *p, const nxe_text_t *text,
    nxe_json_node_t *node, nxe_str_t bytes, int if_absent,
    const nxe_mem_t *mem, nxe_code_t *code);
static nxe_status_t nxe_plan_mark(nxe_places_t *p, nxe_json_node_t *node,
    nxe_mark_e what, nxe_str_t bytes, const nxe_mem_t *mem,
    nxe_code_t *code);
static int nxe_plan_taken(const nxe_json_node_t *node);
static int nxe_plan_covered(const nxe_json_node_t *node);
static int nxe_plan_marked(const nxe_json_node_t *node);
static int nxe_plan_reachable(const nxe_json_node_t *node);
static nxe_status_t nxe_plan_same(const nxe_text_t *text,
    const nxe_json_node_t *node, nxe_str_t bytes, const nxe_mem_t *mem,
    int *same);
static nxe_status_t nxe_plan_max_tokens(nxe_places_t *p,
    const nxe_text_t *text, nxe_str_t bytes, int if_absent,
    const nxe_mem_t *mem, nxe_code_t *code);
static nxe_status_t nxe_plan_chat_system(nxe_places_t *p,
    const nxe_text_t *text, nxe_str_t bytes, int if_absent,
    const nxe_mem_t *mem, nxe_code_t *code);
static int nxe_plan_is_system(const nxe_places_t *p, const nxe_text_t *text);
static nxe_status_t nxe_plan_blocks(nxe_places_t *p, const nxe_text_t *text,
    nxe_json_node_t *node, nxe_str_t bytes, const nxe_mem_t *mem,
    nxe_code_t *code);
static int nxe_plan_block(nxe_str_t block, nxe_str_t bytes, nxe_str_t *cache);


nxe_status_t
nxe_places_plan(nxe_places_t *p, const nxe_text_t *text, nxe_param_t param,
    nxe_str_t bytes, int if_absent, const nxe_mem_t *mem, nxe_code_t *code)
{
    nxe_json_node_t  *node;

    node = p->at[param];

    if (node == NULL) {
        *code = NXE_CODE_UNSUPPORTED;
        return NXE_OK;
    }

    if (p->dialect == NXE_DIALECT_OPENAI_CHAT) {

        if (param == NXE_SYSTEM) {
            return nxe_plan_chat_system(p, text, bytes, if_absent, mem, code);
        }

        if (param == NXE_MAX_TOKENS) {
            return nxe_plan_max_tokens(p, text, bytes, if_absent, mem, code);
        }
    }

    if (p->dialect == NXE_DIALECT_ANTHROPIC) {

        if (param == NXE_TEMPERATURE
            && nxe_decimal_cmp(bytes, nxe_str("1")) > 0)
        {
            *code = NXE_CODE_UNSUPPORTED;
            return NXE_OK;
        }

        if (param == NXE_SYSTEM && node->type == NXE_JSON_ARRAY && !if_absent)
        {
            return nxe_plan_blocks(p, text, node, bytes, mem, code);
        }
    }

    return nxe_plan_set(p, text, node, bytes, if_absent, mem, code);
}


nxe_status_t
nxe_places_plan_op(nxe_places_t *p, const nxe_text_t *text,
    nxe_json_node_t *node, int remove, nxe_str_t bytes, const nxe_mem_t *mem,
    nxe_code_t *code)
{
    if (!remove) {
        return nxe_plan_set(p, text, node, bytes, 0, mem, code);
    }

    if (node->type == NXE_JSON_NONE) {
        *code = nxe_plan_taken(node) ? NXE_CODE_NOT_SENT : NXE_CODE_EQUAL;
        return NXE_OK;
    }

    return nxe_plan_mark(p, node, NXE_MARK_REMOVE, bytes, mem, code);
}


static nxe_status_t
nxe_plan_set(nxe_places_t *p, const nxe_text_t *text, nxe_json_node_t *node,
    nxe_str_t bytes, int if_absent, const nxe_mem_t *mem, nxe_code_t *code)
{
    int           same;
    nxe_status_t  rc;

    if (node->type == NXE_JSON_NONE) {

        if (!nxe_plan_reachable(node)) {
            *code = NXE_CODE_UNSUPPORTED;
            return NXE_OK;
        }

        return nxe_plan_mark(p, node, NXE_MARK_SET, bytes, mem, code);
    }

    if (nxe_plan_taken(node)) {
        *code = NXE_CODE_NOT_SENT;
        return NXE_OK;
    }

    if (if_absent) {
        *code = NXE_CODE_KEPT;
        return NXE_OK;
    }

    rc = nxe_plan_same(text, node, bytes, mem, &same);

    if (rc != NXE_OK) {
        return rc;
    }

    if (same) {
        *code = NXE_CODE_EQUAL;
        return NXE_OK;
    }

    return nxe_plan_mark(p, node, NXE_MARK_SET, bytes, mem, code);
}


static nxe_status_t
nxe_plan_mark(nxe_places_t *p, nxe_json_node_t *node, nxe_mark_e what,
    nxe_str_t bytes, const nxe_mem_t *mem, nxe_code_t *code)
{
    nxe_mark_t  *mark;

    if (nxe_plan_taken(node)) {
        *code = NXE_CODE_NOT_SENT;
        return NXE_OK;
    }

    mark = nxe_calloc(mem, sizeof(nxe_mark_t));
    if (mark == NULL) {
        return NXE_NOMEM;
    }

    mark->what = what;
    mark->seq = p->marks++;
    mark->bytes = bytes;
    node->mark = mark;

    *code = NXE_CODE_APPLIED;

    return NXE_OK;
}


/* The first edit of a place, of what it lies in, or of what is in it stands. */

static int
nxe_plan_taken(const nxe_json_node_t *node)
{
    return nxe_plan_covered(node) || nxe_plan_marked(node->child);
}


/* A message in front leaves what is in the array to others. */

static int
nxe_plan_covered(const nxe_json_node_t *node)
{
    const nxe_json_node_t  *above;

    if (node->mark != NULL) {
        return 1;
    }

    for (above = node->parent; above != NULL; above = above->parent) {
        if (above->mark != NULL && above->mark->what != NXE_MARK_INSERT) {
            return 1;
        }
    }

    return 0;
}


static int
nxe_plan_marked(const nxe_json_node_t *node)
{
    for ( /* void */ ; node != NULL; node = node->next) {
        if (node->mark != NULL || nxe_plan_marked(node->child)) {
            return 1;
        }
    }

    return 0;
}


/*
 * 1 if what is absent can be put there: as a member of an object that is
 * there or will be made, or behind the last element of an array that is there.
 */

static int
nxe_plan_reachable(const nxe_json_node_t *node)
{
    const nxe_json_node_t  *above;

    for (above = node->parent; above != NULL; above = above->parent) {

        switch (above->type) {

        case NXE_JSON_NONE:
            if (node->index != NXE_JSON_NO_INDEX
                || nxe_str_eq(node->name, nxe_str("-")))
            {
                return 0;       /* nobody knows what to fill an array with */
            }

            break;

        case NXE_JSON_OBJECT:
            return 1;

        case NXE_JSON_ARRAY:
            return node->index == above->count
                   || nxe_str_eq(node->name, nxe_str("-"));

        default:
            return 0;
        }

        node = above;
    }

    return 0;
}


/*
 * The same string once unescaped, the same number as an exact decimal, else
 * the same bytes.
 */

static nxe_status_t
nxe_plan_same(const nxe_text_t *text, const nxe_json_node_t *node,
    nxe_str_t bytes, const nxe_mem_t *mem, int *same)
{
    int           string, number;
    size_t        len;
    nxe_str_t     old;
    nxe_status_t  rc;

    len = node->value.end - node->value.start;
    string = node->type == NXE_JSON_STRING && bytes.data[0] == '"';
    number = node->type == NXE_JSON_NUMBER
             && (bytes.data[0] == '-'
                 || (bytes.data[0] >= '0' && bytes.data[0] <= '9'));

    /* every byte of a string may be an escape of six */

    if (string ? len > 6 * bytes.len || bytes.len > 6 * len
               : !number && len != bytes.len)
    {
        *same = 0;
        return NXE_OK;
    }

    rc = nxe_text_span(text, node->value, mem, &old);
    if (rc != NXE_OK) {
        return rc;
    }

    *same = nxe_str_eq(old, bytes)
            || (string && nxe_json_strings_eq(old, bytes))
            || (number && nxe_decimal_cmp(old, bytes) == 0);

    return NXE_OK;
}


/* Whichever name is there, both where both are. */

static nxe_status_t
nxe_plan_max_tokens(nxe_places_t *p, const nxe_text_t *text, nxe_str_t bytes,
    int if_absent, const nxe_mem_t *mem, nxe_code_t *code)
{
    nxe_code_t        other;
    nxe_status_t      rc;
    nxe_json_node_t  *old, *new;

    old = p->at[NXE_MAX_TOKENS];
    new = p->at[NXE_AT_COMPLETION];

    if (new->type == NXE_JSON_NONE) {
        return nxe_plan_set(p, text, old, bytes, if_absent, mem, code);
    }

    rc = nxe_plan_set(p, text, new, bytes, if_absent, mem, code);

    if (rc != NXE_OK || old->type == NXE_JSON_NONE) {
        return rc;
    }

    rc = nxe_plan_set(p, text, old, bytes, if_absent, mem, &other);

    if (rc == NXE_OK && other == NXE_CODE_APPLIED) {
        *code = other;
    }

    return rc;
}


/*
 * The whole content of messages[0] if its role is system or developer, else
 * a message in front.
 */

static nxe_status_t
nxe_plan_chat_system(nxe_places_t *p, const nxe_text_t *text,
    nxe_str_t bytes, int if_absent, const nxe_mem_t *mem, nxe_code_t *code)
{
    nxe_json_node_t  *messages;

    messages = p->at[NXE_AT_MESSAGES];

    if (messages->type != NXE_JSON_ARRAY) {
        *code = NXE_CODE_UNSUPPORTED;
        return NXE_OK;
    }

    if (nxe_plan_is_system(p, text)) {
        return nxe_plan_set(p, text, p->at[NXE_SYSTEM], bytes, if_absent, mem,
                            code);
    }

    return nxe_plan_mark(p, messages, NXE_MARK_INSERT, bytes, mem, code);
}


static int
nxe_plan_is_system(const nxe_places_t *p, const nxe_text_t *text)
{
    char                    raw[64];
    nxe_str_t               role;
    const nxe_json_node_t  *node;

    node = p->at[NXE_AT_ROLE];
    role.data = raw;
    role.len = node->value.end - node->value.start;

    if (p->at[NXE_AT_FIRST]->type != NXE_JSON_OBJECT
        || node->type != NXE_JSON_STRING || role.len > sizeof(raw))
    {
        return 0;
    }

    nxe_text_copy(text, node->value, raw);

    return nxe_json_string_eq(role, nxe_str("system"))
           || nxe_json_string_eq(role, nxe_str("developer"));
}


/*
 * Anthropic's system as an array of blocks stays one: a block of our text,
 * with the cache_control of the last block that has one, so that what the
 * client wants cached still is.
 */

static nxe_status_t
nxe_plan_blocks(nxe_places_t *p, const nxe_text_t *text,
    nxe_json_node_t *node, nxe_str_t bytes, const nxe_mem_t *mem,
    nxe_code_t *code)
{
    int               same;
    size_t            n;
    nxe_str_t         value, cache;
    nxe_status_t      rc;
    nxe_json_walk_t   w;

    rc = nxe_text_span(text, node->value, mem, &value);
    if (rc != NXE_OK) {
        return rc;
    }

    n = 0;
    same = 0;
    cache = nxe_null_str;

    for (nxe_json_walk(&w, value); nxe_json_walk_next(&w); n++) {
        if (w.type == NXE_JSON_OBJECT) {
            same = nxe_plan_block(w.value, bytes, &cache);
        }
    }

    if (n == 1 && same && !nxe_plan_taken(node)) {
        *code = NXE_CODE_EQUAL;
        return NXE_OK;
    }

    rc = nxe_plan_mark(p, node, NXE_MARK_SET, bytes, mem, code);

    if (rc == NXE_OK && *code == NXE_CODE_APPLIED) {
        node->mark->blocks = 1;
        node->mark->cache = cache;
    }

    return rc;
}


/* 1 if it is a block of this text; cache is set if it has a cache_control. */

static int
nxe_plan_block(nxe_str_t block, nxe_str_t bytes, nxe_str_t *cache)
{
    int              type, text;
    nxe_json_walk_t  w;

    type = 0;
    text = 0;

    for (nxe_json_walk(&w, block); nxe_json_walk_next(&w); ) {

        if (nxe_json_string_eq(w.key, nxe_str("cache_control"))) {
            if (w.type == NXE_JSON_OBJECT) {
                *cache = w.value;
            }

        } else if (nxe_json_string_eq(w.key, nxe_str("type"))) {
            type = w.type == NXE_JSON_STRING
                   && nxe_json_string_eq(w.value, nxe_str("text"));

        } else if (nxe_json_string_eq(w.key, nxe_str("text"))) {
            text = w.type == NXE_JSON_STRING
                   && nxe_json_strings_eq(w.value, bytes);
        }
    }

    return type && text;
}
