#include "nxe_json_int.h"


#define NXE_SCAN_KEY_MAX  (6 * NXE_JSON_TOKEN_MAX + 2)

#define nxe_scan_object(s)                                                    \
    (((s)->objects[((s)->depth - 1) / 64] >> (((s)->depth - 1) % 64)) & 1)


static nxe_json_cause_t nxe_scan_all(nxe_scan_t *s, unsigned flags,
    nxe_json_result_t *result);
static nxe_json_cause_t nxe_scan_value(nxe_scan_t *s);
static nxe_json_cause_t nxe_scan_open(nxe_scan_t *s, nxe_json_type_t type);
static void nxe_scan_close(nxe_scan_t *s);
static nxe_json_cause_t nxe_scan_after(nxe_scan_t *s, int *done);
static nxe_json_cause_t nxe_scan_member(nxe_scan_t *s);
static void nxe_scan_key(nxe_scan_t *s, nxe_json_node_t *parent,
    nxe_span_t key, const unsigned char *raw, int escaped);
static void nxe_scan_element(nxe_scan_t *s);
static nxe_json_node_t *nxe_scan_match(nxe_scan_t *s, nxe_json_node_t *parent,
    nxe_span_t key, nxe_str_t name, int escaped);
static void nxe_scan_later(nxe_scan_t *s, nxe_json_cause_t cause, size_t at);


nxe_json_cause_t
nxe_json_scan(const nxe_text_t *text, nxe_json_node_t *root, unsigned flags,
    nxe_json_result_t *result)
{
    nxe_scan_t  s;

    s.text = text;
    s.node = root;
    s.members = NULL;

    return nxe_scan_all(&s, flags, result);
}


nxe_json_cause_t
nxe_json_scan_members(const nxe_text_t *text, nxe_json_node_t *root,
    unsigned flags, const nxe_mem_t *mem, nxe_json_result_t *result)
{
    nxe_scan_t        s;
    nxe_members_t     m;
    nxe_json_cause_t  cause;

    m.mem = mem;
    m.twice = 0;
    m.top = 0;
    m.serial = 0;
    m.table = NULL;
    m.size = 0;
    m.used = 0;

    s.text = text;
    s.node = root;
    s.members = &m;

    cause = nxe_scan_all(&s, flags, result);
    result->ambiguous = m.twice != 0;

    return cause;
}


static nxe_json_cause_t
nxe_scan_all(nxe_scan_t *s, unsigned flags, nxe_json_result_t *result)
{
    int               done, closes;
    size_t            from;
    nxe_json_cause_t  cause;

    s->p = NULL;
    s->end = NULL;
    s->base = NULL;
    s->offset = 0;
    s->seg = s->text->segs;
    s->last = s->text->n != 0 ? s->text->segs + s->text->n : s->text->segs;
    s->kernel = nxe_json_kernel(flags);
    s->depth = 0;
    s->repeats.n = 0;
    s->repeats.last = 0;
    s->repeats.lessons = NXE_REPEAT_LESSONS;
    s->repeats.depth = 0;
    s->pending = NXE_JSON_OK;
    s->pending_at = 0;
    s->expected = NULL;

    if (nxe_scan_space(s) && (flags & NXE_JSON_ROOT_OBJECT) && *s->p != '{') {
        nxe_scan_later(s, NXE_JSON_ROOT, nxe_scan_at(s));
    }

    done = 0;

    for ( ;; ) {
        cause = nxe_scan_value(s);
        if (cause != NXE_JSON_OK) {
            break;
        }

        closes = s->p != s->end && (*s->p == '}' || *s->p <= ' ');

        if (closes && s->repeats.n != 0 && nxe_repeat_pass(s)) {
            continue;
        }

        from = nxe_scan_at(s);

        cause = nxe_scan_after(s, &done);
        if (cause != NXE_JSON_OK || done) {
            break;
        }

        if ((closes && s->repeats.lessons != 0) || s->repeats.depth != 0) {
            nxe_repeat_learn(s, from);
        }
    }

    result->offset = nxe_scan_at(s);
    result->expected = s->expected;
    result->ambiguous = 0;

    if (cause == NXE_JSON_OK && s->pending != NXE_JSON_OK) {
        cause = s->pending;
        result->offset = s->pending_at;
        result->expected = cause == NXE_JSON_ROOT ? "an object"
                                                  : "each member once";
    }

    result->cause = cause;

    return cause;
}


const char *
nxe_json_cause_name(nxe_json_cause_t cause)
{
    static const char *const  names[] = {
        "", "malformed", "utf8", "root", "depth", "duplicate"
    };

    return names[cause];
}


/*
 * A scalar, or the way down to one: opens containers until a scalar or an
 * empty container has been passed.
 */

static nxe_json_cause_t
nxe_scan_value(nxe_scan_t *s)
{
    int               escaped;
    nxe_json_node_t  *node;
    nxe_json_type_t   type;
    nxe_json_cause_t  cause;

    for ( ;; ) {
        if (!nxe_scan_space(s)) {
            return nxe_scan_refuse(s, "a value");
        }

        switch (*s->p) {
        case '{':
            type = NXE_JSON_OBJECT;
            break;
        case '[':
            type = NXE_JSON_ARRAY;
            break;
        case '"':
            type = NXE_JSON_STRING;
            break;
        case 't':
        case 'f':
            type = NXE_JSON_BOOL;
            break;
        case 'n':
            type = NXE_JSON_NULL;
            break;
        default:
            type = NXE_JSON_NUMBER;
            break;
        }

        node = s->node;

        if (node != NULL) {
            node->type = type;
            node->nonempty = 0;
            node->value.start = nxe_scan_at(s);
        }

        switch (type) {
        case NXE_JSON_OBJECT:
        case NXE_JSON_ARRAY:
            cause = nxe_scan_open(s, type);
            if (cause != NXE_JSON_OK) {
                return cause;
            }

            if (!nxe_scan_space(s)) {
                return nxe_scan_refuse(s, type == NXE_JSON_OBJECT
                                          ? "a member or \"}\""
                                          : "a value or \"]\"");
            }

            if (*s->p == (type == NXE_JSON_OBJECT ? '}' : ']')) {
                nxe_scan_close(s);
                return NXE_JSON_OK;
            }

            if (node != NULL) {
                node->nonempty = 1;
            }

            if (type == NXE_JSON_OBJECT) {
                cause = nxe_scan_member(s);
                if (cause != NXE_JSON_OK) {
                    return cause;
                }

            } else {
                nxe_scan_element(s);
            }

            continue;

        case NXE_JSON_STRING:
            cause = nxe_scan_string(s, &escaped);
            break;

        case NXE_JSON_NUMBER:
            cause = nxe_scan_number(s);
            break;

        default:
            cause = nxe_scan_literal(s, *s->p == 't' ? "true"
                                        : *s->p == 'f' ? "false" : "null");
        }

        if (node != NULL) {
            node->value.end = nxe_scan_at(s);
        }

        return cause;
    }
}


static nxe_json_cause_t
nxe_scan_open(nxe_scan_t *s, nxe_json_type_t type)
{
    uint64_t  bit;

    if (s->depth == NXE_JSON_DEPTH) {
        s->expected = "at most 512 levels";
        return NXE_JSON_DEEP;
    }

    bit = (uint64_t) 1 << (s->depth % 64);

    if (type == NXE_JSON_OBJECT) {
        s->objects[s->depth / 64] |= bit;

    } else {
        s->objects[s->depth / 64] &= ~bit;
    }

    s->depth++;
    s->p++;

    if (s->members != NULL && type == NXE_JSON_OBJECT) {
        nxe_members_open(s->members, s->depth);
    }

    if (s->depth < NXE_JSON_POINTER_DEPTH + 2) {
        s->nodes[s->depth] = s->node;
        s->index[s->depth] = 0;
    }

    return NXE_JSON_OK;
}


static void
nxe_scan_close(nxe_scan_t *s)
{
    nxe_json_node_t  *node;

    s->p++;

    if (s->members != NULL && nxe_scan_object(s)) {
        nxe_members_close(s->members, s->depth);
    }

    if (s->depth < NXE_JSON_POINTER_DEPTH + 2) {
        node = s->nodes[s->depth];

        if (node != NULL) {
            node->value.end = nxe_scan_at(s);
            node->count = s->index[s->depth];
        }
    }

    s->depth--;
}


/* Behind a value: closes containers, and goes on to the next value. */

static nxe_json_cause_t
nxe_scan_after(nxe_scan_t *s, int *done)
{
    int  object;

    for ( ;; ) {
        if (s->depth == 0) {
            *done = 1;
            return nxe_scan_space(s) ? nxe_scan_refuse(s, "the end")
                                     : NXE_JSON_OK;
        }

        object = nxe_scan_object(s);

        if (!nxe_scan_space(s)) {
            return nxe_scan_refuse(s, object ? "\",\" or \"}\""
                                             : "\",\" or \"]\"");
        }

        if (*s->p == ',') {
            s->p++;

            if (!object) {
                nxe_scan_element(s);
                return NXE_JSON_OK;
            }

            if (!nxe_scan_space(s)) {
                return nxe_scan_refuse(s, "a member");
            }

            return nxe_scan_member(s);
        }

        if (*s->p != (object ? '}' : ']')) {
            return nxe_scan_refuse(s, object ? "\",\" or \"}\""
                                             : "\",\" or \"]\"");
        }

        nxe_scan_close(s);
    }
}


/* A key and its colon; s->node becomes the node of the value behind it. */

static nxe_json_cause_t
nxe_scan_member(nxe_scan_t *s)
{
    int                   escaped;
    size_t                seg;
    nxe_span_t            key;
    nxe_json_node_t      *parent;
    nxe_json_cause_t      cause;
    const unsigned char  *raw;

    if (*s->p != '"') {
        return nxe_scan_refuse(s, "a member name in quotes");
    }

    key.start = nxe_scan_at(s);
    raw = s->p;
    seg = s->offset;

    cause = nxe_scan_string(s, &escaped);
    if (cause != NXE_JSON_OK) {
        return cause;
    }

    key.end = nxe_scan_at(s);
    s->node = NULL;

    parent = s->depth < NXE_JSON_POINTER_DEPTH + 2 ? s->nodes[s->depth] : NULL;

    if (parent != NULL && parent->child == NULL) {
        parent = NULL;
    }

    if (parent != NULL || s->members != NULL) {
        nxe_scan_key(s, parent, key, s->offset == seg ? raw : NULL, escaped);
    }

    if (!nxe_scan_space(s) || *s->p != ':') {
        return nxe_scan_refuse(s, "\":\"");
    }

    s->p++;

    return NXE_JSON_OK;
}


/*
 * A key that lies in several segments is joined: where it can be a target's
 * on the stack, else, for the members' sake, in their memory.
 */

static void
nxe_scan_key(nxe_scan_t *s, nxe_json_node_t *parent, nxe_span_t key,
    const unsigned char *raw, int escaped)
{
    char       joined[NXE_SCAN_KEY_MAX];
    nxe_str_t  name;

    name.data = (const char *) raw;
    name.len = key.end - key.start;

    if (raw == NULL && name.len <= sizeof(joined)) {
        nxe_text_copy(s->text, key, joined);
        name.data = joined;
    }

    if (parent != NULL && name.len <= sizeof(joined)) {
        s->node = nxe_scan_match(s, parent, key, name, escaped);
    }

    if (s->members == NULL) {
        return;
    }

    if (name.data == NULL
        && nxe_text_span(s->text, key, s->members->mem, &name) != NXE_OK)
    {
        s->members->twice = 1;      /* it cannot be told */
        return;
    }

    nxe_members_add(s->members, s->depth, name, escaped);
}


static void
nxe_scan_element(nxe_scan_t *s)
{
    uint32_t          index;
    nxe_json_node_t  *node;

    s->node = NULL;

    if (s->depth >= NXE_JSON_POINTER_DEPTH + 2
        || s->nodes[s->depth] == NULL)
    {
        /* nobody asks for an element of this array */

        if (nxe_scan_space(s)
            && (*s->p == '-' || (unsigned char) (*s->p - '0') <= 9))
        {
            s->p = s->kernel->numbers(s->p, s->end);
        }

        return;
    }

    index = s->index[s->depth]++;

    for (node = s->nodes[s->depth]->child; node != NULL; node = node->next) {
        if (node->index == index) {
            node->key.start = 0;
            node->key.end = 0;
            s->node = node;
            return;
        }
    }
}


static nxe_json_node_t *
nxe_scan_match(nxe_scan_t *s, nxe_json_node_t *parent, nxe_span_t key,
    nxe_str_t name, int escaped)
{
    char              plain[NXE_JSON_TOKEN_MAX];
    nxe_json_node_t  *node;

    if (!escaped) {
        name.data++;
        name.len -= 2;

    } else if (nxe_json_unescape_to(name, plain, sizeof(plain), &name.len)
               == NXE_OK)
    {
        name.data = plain;

    } else {
        return NULL;        /* no target has such a name */
    }

    for (node = parent->child; node != NULL; node = node->next) {

        if (node->name.len != name.len
            || memcmp(node->name.data, name.data, name.len) != 0)
        {
            continue;
        }

        if (node->type == NXE_JSON_NONE) {
            node->key = key;
            return node;
        }

        node->twice = 1;

        if (node->edit) {
            nxe_scan_later(s, NXE_JSON_DUPLICATE, key.start);
        }

        return NULL;
    }

    return NULL;
}


static void
nxe_scan_later(nxe_scan_t *s, nxe_json_cause_t cause, size_t at)
{
    if (s->pending == NXE_JSON_OK) {
        s->pending = cause;
        s->pending_at = at;
    }
}
