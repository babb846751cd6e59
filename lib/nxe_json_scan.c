#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <nxe/json.h>


/*
 * The scan runs over segments without joining them: a body arrives in what
 * came with the header and the rest, and joining it would cost a copy.
 *
 * A fault of syntax or encoding ends the scan.  A root that is no object and
 * a duplicate target are reported only when nothing of that kind follows, so
 * that the cause does not depend on what comes first.
 */

typedef struct {
    const unsigned char  *p;
    const unsigned char  *end;
    const unsigned char  *base;         /* of this segment */
    size_t                offset;       /* of base in the text */
    const nxe_str_t      *seg;          /* the next segment */
    const nxe_str_t      *last;
    const nxe_text_t     *text;

    unsigned              depth;
    uint64_t              objects[NXE_JSON_DEPTH / 64];
    /* the node and the element index of each open container that is or leads
       to a target; deeper ones have none */
    nxe_json_node_t      *nodes[NXE_JSON_POINTER_DEPTH + 2];
    uint32_t              index[NXE_JSON_POINTER_DEPTH + 2];

    nxe_json_node_t      *node;         /* of the value that comes, or NULL */
    nxe_json_cause_t      pending;
    size_t                pending_at;
    const char           *expected;
} nxe_scan_t;


#define NXE_SCAN_KEY_MAX  (6 * NXE_JSON_TOKEN_MAX + 2)

#define nxe_scan_at(s)     ((s)->offset + (size_t) ((s)->p - (s)->base))
#define nxe_scan_have(s)   ((s)->p != (s)->end || nxe_scan_more(s))
#define nxe_scan_object(s)                                                    \
    (((s)->objects[((s)->depth - 1) / 64] >> (((s)->depth - 1) % 64)) & 1)


static nxe_json_cause_t nxe_scan_value(nxe_scan_t *s);
static nxe_json_cause_t nxe_scan_open(nxe_scan_t *s, nxe_json_type_t type);
static nxe_json_cause_t nxe_scan_close(nxe_scan_t *s);
static nxe_json_cause_t nxe_scan_after(nxe_scan_t *s, int *done);
static nxe_json_cause_t nxe_scan_member(nxe_scan_t *s);
static void nxe_scan_element(nxe_scan_t *s);
static nxe_json_node_t *nxe_scan_match(nxe_scan_t *s, nxe_json_node_t *parent,
    nxe_span_t key, const unsigned char *raw, int escaped);
static nxe_json_cause_t nxe_scan_string(nxe_scan_t *s, int *escaped);
static nxe_json_cause_t nxe_scan_escape(nxe_scan_t *s);
static nxe_json_cause_t nxe_scan_utf8(nxe_scan_t *s);
static nxe_json_cause_t nxe_scan_number(nxe_scan_t *s);
static nxe_json_cause_t nxe_scan_digits(nxe_scan_t *s);
static nxe_json_cause_t nxe_scan_literal(nxe_scan_t *s, const char *word);
static const unsigned char *nxe_scan_plain(const unsigned char *p,
    const unsigned char *end);
static int nxe_scan_more(nxe_scan_t *s);
static int nxe_scan_space(nxe_scan_t *s);
static nxe_json_cause_t nxe_scan_refuse(nxe_scan_t *s, const char *expected);
static void nxe_scan_later(nxe_scan_t *s, nxe_json_cause_t cause, size_t at);


nxe_json_cause_t
nxe_json_scan(const nxe_text_t *text, nxe_json_node_t *root, unsigned flags,
    nxe_json_result_t *result)
{
    int               done;
    nxe_scan_t        s;
    nxe_json_cause_t  cause;

    s.p = NULL;
    s.end = NULL;
    s.base = NULL;
    s.offset = 0;
    s.text = text;
    s.seg = text->segs;
    s.last = text->n != 0 ? text->segs + text->n : text->segs;
    s.depth = 0;
    s.node = root;
    s.pending = NXE_JSON_OK;
    s.pending_at = 0;
    s.expected = NULL;

    if (nxe_scan_space(&s) && (flags & NXE_JSON_ROOT_OBJECT) && *s.p != '{') {
        nxe_scan_later(&s, NXE_JSON_ROOT, nxe_scan_at(&s));
    }

    done = 0;

    do {
        cause = nxe_scan_value(&s);

        if (cause == NXE_JSON_OK) {
            cause = nxe_scan_after(&s, &done);
        }

    } while (cause == NXE_JSON_OK && !done);

    result->offset = nxe_scan_at(&s);
    result->expected = s.expected;

    if (cause == NXE_JSON_OK && s.pending != NXE_JSON_OK) {
        cause = s.pending;
        result->offset = s.pending_at;
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
                return nxe_scan_close(s);
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

    if (s->depth < NXE_JSON_POINTER_DEPTH + 2) {
        s->nodes[s->depth] = s->node;
        s->index[s->depth] = 0;
    }

    return NXE_JSON_OK;
}


static nxe_json_cause_t
nxe_scan_close(nxe_scan_t *s)
{
    s->p++;

    if (s->depth < NXE_JSON_POINTER_DEPTH + 2
        && s->nodes[s->depth] != NULL)
    {
        s->nodes[s->depth]->value.end = nxe_scan_at(s);
    }

    s->depth--;

    return NXE_JSON_OK;
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

        (void) nxe_scan_close(s);
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

    if (parent != NULL && parent->child != NULL) {
        s->node = nxe_scan_match(s, parent, key, s->offset == seg ? raw : NULL,
                                 escaped);
    }

    if (!nxe_scan_space(s) || *s->p != ':') {
        return nxe_scan_refuse(s, "\":\"");
    }

    s->p++;

    return NXE_JSON_OK;
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


/* raw: the key's bytes, NULL if they lie in several segments. */

static nxe_json_node_t *
nxe_scan_match(nxe_scan_t *s, nxe_json_node_t *parent, nxe_span_t key,
    const unsigned char *raw, int escaped)
{
    int               same;
    char              joined[NXE_SCAN_KEY_MAX];
    nxe_str_t         name;
    nxe_json_node_t  *node;

    name.len = key.end - key.start;

    if (name.len > sizeof(joined)) {
        return NULL;
    }

    if (raw == NULL) {
        nxe_text_copy(s->text, key, joined);
        name.data = joined;

    } else {
        name.data = (const char *) raw;
    }

    for (node = parent->child; node != NULL; node = node->next) {

        if (escaped) {
            same = nxe_json_string_eq(name, node->name);

        } else {
            same = node->name.len == name.len - 2
                   && memcmp(node->name.data, name.data + 1, name.len - 2)
                      == 0;
        }

        if (!same) {
            continue;
        }

        if (node->type != NXE_JSON_NONE) {
            nxe_scan_later(s, NXE_JSON_DUPLICATE, key.start);
        }

        node->key = key;
        return node;
    }

    return NULL;
}


/* From the opening quote to behind the closing one. */

static nxe_json_cause_t
nxe_scan_string(nxe_scan_t *s, int *escaped)
{
    nxe_json_cause_t  cause;

    *escaped = 0;
    s->p++;

    for ( ;; ) {
        s->p = nxe_scan_plain(s->p, s->end);

        if (!nxe_scan_have(s)) {
            return nxe_scan_refuse(s, "the end of the string");
        }

        if (*s->p == '"') {
            s->p++;
            return NXE_JSON_OK;
        }

        if (*s->p == '\\') {
            *escaped = 1;
            cause = nxe_scan_escape(s);

        } else if (*s->p >= 0x80) {
            cause = nxe_scan_utf8(s);

        } else if (*s->p < 0x20) {
            cause = nxe_scan_refuse(s, "an escape: a control character may "
                                    "not stand in a string");

        } else {
            cause = NXE_JSON_OK;    /* the first byte of a new segment */
        }

        if (cause != NXE_JSON_OK) {
            return cause;
        }
    }
}


static nxe_json_cause_t
nxe_scan_escape(nxe_scan_t *s)
{
    int            i;
    unsigned char  c;

    s->p++;

    if (!nxe_scan_have(s)) {
        return nxe_scan_refuse(s, "an escape");
    }

    if (*s->p == 0 || strchr("\"\\/bfnrtu", *s->p) == NULL) {
        return nxe_scan_refuse(s, "one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t "
                               "\\u");
    }

    if (*s->p++ != 'u') {
        return NXE_JSON_OK;
    }

    for (i = 0; i < 4; i++, s->p++) {
        if (!nxe_scan_have(s)) {
            return nxe_scan_refuse(s, "four hex digits");
        }

        c = *s->p | 0x20;

        if (!((*s->p >= '0' && *s->p <= '9') || (c >= 'a' && c <= 'f'))) {
            return nxe_scan_refuse(s, "four hex digits");
        }
    }

    return NXE_JSON_OK;
}


/*
 * One sequence of RFC 3629; its second byte decides about overlong forms,
 * surrogates and what is above U+10FFFF.
 */

static nxe_json_cause_t
nxe_scan_utf8(nxe_scan_t *s)
{
    int            n;
    unsigned char  c, lo, hi;

    c = *s->p;
    lo = 0x80;
    hi = 0xbf;

    if (c >= 0xc2 && c <= 0xdf) {
        n = 1;

    } else if (c >= 0xe0 && c <= 0xef) {
        n = 2;
        lo = c == 0xe0 ? 0xa0 : lo;
        hi = c == 0xed ? 0x9f : hi;

    } else if (c >= 0xf0 && c <= 0xf4) {
        n = 3;
        lo = c == 0xf0 ? 0x90 : lo;
        hi = c == 0xf4 ? 0x8f : hi;

    } else {
        s->expected = "UTF-8";
        return NXE_JSON_UTF8;
    }

    s->p++;

    while (n-- > 0) {
        if (!nxe_scan_have(s) || *s->p < lo || *s->p > hi) {
            s->expected = "UTF-8";
            return NXE_JSON_UTF8;
        }

        lo = 0x80;
        hi = 0xbf;
        s->p++;
    }

    return NXE_JSON_OK;
}


static nxe_json_cause_t
nxe_scan_number(nxe_scan_t *s)
{
    nxe_json_cause_t  cause;

    if (*s->p == '-') {
        s->p++;

        if (!nxe_scan_have(s)) {
            return nxe_scan_refuse(s, "a digit");
        }

    } else if (*s->p < '0' || *s->p > '9') {
        return nxe_scan_refuse(s, "a value");
    }

    if (*s->p == '0') {
        s->p++;

    } else {
        cause = nxe_scan_digits(s);
        if (cause != NXE_JSON_OK) {
            return cause;
        }
    }

    if (nxe_scan_have(s) && *s->p == '.') {
        s->p++;

        cause = nxe_scan_digits(s);
        if (cause != NXE_JSON_OK) {
            return cause;
        }
    }

    if (nxe_scan_have(s) && (*s->p | 0x20) == 'e') {
        s->p++;

        if (nxe_scan_have(s) && (*s->p == '+' || *s->p == '-')) {
            s->p++;
        }

        return nxe_scan_digits(s);
    }

    return NXE_JSON_OK;
}


/* One digit or more. */

static nxe_json_cause_t
nxe_scan_digits(nxe_scan_t *s)
{
    if (!nxe_scan_have(s) || *s->p < '0' || *s->p > '9') {
        return nxe_scan_refuse(s, "a digit");
    }

    do {
        s->p++;
    } while (nxe_scan_have(s) && *s->p >= '0' && *s->p <= '9');

    return NXE_JSON_OK;
}


static nxe_json_cause_t
nxe_scan_literal(nxe_scan_t *s, const char *word)
{
    for ( /* void */ ; *word != '\0'; word++, s->p++) {
        if (!nxe_scan_have(s) || *s->p != (unsigned char) *word) {
            return nxe_scan_refuse(s, "true, false or null");
        }
    }

    return NXE_JSON_OK;
}


/*
 * Passes the bytes of a string that need no look of their own: those that are
 * ASCII, no control, no quote and no backslash.  Sixteen at a time with SSE2,
 * which every x86-64 has, then eight, then one.
 */

static const unsigned char *
nxe_scan_plain(const unsigned char *p, const unsigned char *end)
{
    uint64_t               v, q, b, special;
    static const uint64_t  ones = 0x0101010101010101u;
    static const uint64_t  highs = 0x8080808080808080u;

#if defined(__SSE2__)

    int      mask;
    __m128i  x;

    for ( /* void */ ; end - p >= 16; p += 16) {
        x = _mm_loadu_si128((const __m128i *) (const void *) p);

        /* as signed bytes, those from 0x80 on are below 0x20 too */

        mask = _mm_movemask_epi8(
                   _mm_or_si128(_mm_cmplt_epi8(x, _mm_set1_epi8(0x20)),
                       _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('"')),
                                    _mm_cmpeq_epi8(x,
                                                   _mm_set1_epi8('\\')))));

        if (mask != 0) {
            return p + __builtin_ctz((unsigned) mask);
        }
    }

#endif

    while (end - p >= 8) {
        memcpy(&v, p, 8);

        q = v ^ (ones * '"');
        b = v ^ (ones * '\\');

        special = (v | (v - ones * 0x20) | (q - ones) | (b - ones)) & highs;

        if (special != 0) {
            break;
        }

        p += 8;
    }

    while (p != end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\') {
        p++;
    }

    return p;
}


/* The next segment that is not empty; 0 at the end of the text. */

static int
nxe_scan_more(nxe_scan_t *s)
{
    for ( ;; ) {
        if (s->seg == s->last) {
            return 0;
        }

        if (s->seg->len != 0) {
            s->offset += (size_t) (s->end - s->base);
            s->base = (const unsigned char *) s->seg->data;
            s->p = s->base;
            s->end = s->base + s->seg->len;
            s->seg++;

            return 1;
        }

        s->seg++;
    }
}


/* Passes white space; 0 at the end of the text. */

static int
nxe_scan_space(nxe_scan_t *s)
{
    while (nxe_scan_have(s)) {
        if (*s->p != ' ' && *s->p != '\n' && *s->p != '\r' && *s->p != '\t') {
            return 1;
        }

        s->p++;
    }

    return 0;
}


/*
 * A fault of syntax, unless the byte is none of a UTF-8 text: a zero byte, a
 * byte order mark, the start of an invalid sequence.
 */

static nxe_json_cause_t
nxe_scan_refuse(nxe_scan_t *s, const char *expected)
{
    char        first[3];
    nxe_scan_t  ahead;

    s->expected = expected;

    if (s->p == s->end || (*s->p != 0 && *s->p < 0x80)) {
        return NXE_JSON_MALFORMED;
    }

    ahead = *s;
    memset(first, 0, sizeof(first));

    if (nxe_scan_at(s) == 0) {
        nxe_text_copy(s->text, (nxe_span_t) { 0, sizeof(first) }, first);
    }

    if (*s->p == 0 || memcmp(first, "\xef\xbb\xbf", 3) == 0
        || nxe_scan_utf8(&ahead) != NXE_JSON_OK)
    {
        s->expected = "UTF-8 without a byte order mark";
        return NXE_JSON_UTF8;
    }

    return NXE_JSON_MALFORMED;
}


static void
nxe_scan_later(nxe_scan_t *s, nxe_json_cause_t cause, size_t at)
{
    if (s->pending == NXE_JSON_OK) {
        s->pending = cause;
        s->pending_at = at;
    }
}
