#include <string.h>

#include <nxe/json.h>


/* What an unescaping reader finds at its place in a quoted string. */

typedef struct {
    const char         *p;
    const char         *end;        /* the closing quote */
    char                out[4];     /* the code point, as UTF-8 */
    size_t              len;        /* 0: a lone surrogate */
    size_t              used;       /* of out, by nxe_unescape_byte() */
} nxe_unescape_t;

#define NXE_UNESCAPE_END    -1
#define NXE_UNESCAPE_WRONG  -2      /* a lone surrogate */


static void nxe_unescape_start(nxe_unescape_t *u, nxe_str_t quoted);
static int nxe_unescape_byte(nxe_unescape_t *u);
static int nxe_unescape_next(nxe_unescape_t *u);
static unsigned nxe_unescape_hex(const char *p);
static size_t nxe_utf8_put(unsigned c, char out[4]);
static const char *nxe_walk_space(const char *p, const char *end);
static const char *nxe_walk_string(const char *p, const char *end);
static const char *nxe_walk_value(const char *p, const char *end);
static nxe_json_type_t nxe_walk_type(char c);


size_t
nxe_text_ahead(const nxe_text_t *text, size_t at, char *c)
{
    size_t       i, n, offset;
    const char  *p;

    for (i = 0, offset = 0; i < text->n; offset += text->segs[i++].len) {

        if (at >= offset + text->segs[i].len) {
            continue;
        }

        n = text->segs[i].len - (at - offset);

        for (p = text->segs[i].data + (at - offset); n > 0; n--, p++, at++) {
            if (*p != ' ' && *p != '\n' && *p != '\r' && *p != '\t') {
                *c = *p;
                return at;
            }
        }
    }

    *c = '\0';

    return at;
}


size_t
nxe_text_back(const nxe_text_t *text, size_t at, char *c)
{
    size_t       i, n, offset;
    const char  *p;

    for (i = 0, offset = 0; i < text->n; i++) {
        offset += text->segs[i].len;
    }

    while (i-- > 0) {
        offset -= text->segs[i].len;

        if (at <= offset) {
            continue;
        }

        n = at - offset;

        for (p = text->segs[i].data + n - 1; n > 0; n--, p--) {
            at--;

            if (*p != ' ' && *p != '\n' && *p != '\r' && *p != '\t') {
                *c = *p;
                return at;
            }
        }
    }

    *c = '\0';

    return 0;
}


void
nxe_text_copy(const nxe_text_t *text, nxe_span_t span, char *out)
{
    size_t  i, n, from, offset;

    offset = 0;

    for (i = 0; i < text->n && span.start < span.end; i++) {

        if (span.start < offset + text->segs[i].len) {
            from = span.start - offset;
            n = text->segs[i].len - from;

            if (n > span.end - span.start) {
                n = span.end - span.start;
            }

            memcpy(out, text->segs[i].data + from, n);
            out += n;
            span.start += n;
        }

        offset += text->segs[i].len;
    }
}


nxe_status_t
nxe_text_span(const nxe_text_t *text, nxe_span_t span, const nxe_mem_t *mem,
    nxe_str_t *out)
{
    char    *p;
    size_t   i, offset;

    offset = 0;

    for (i = 0; i < text->n; i++) {
        if (span.start < offset + text->segs[i].len) {
            break;
        }

        offset += text->segs[i].len;
    }

    if (i != text->n && span.end <= offset + text->segs[i].len) {
        out->data = text->segs[i].data + (span.start - offset);
        out->len = span.end - span.start;
        return NXE_OK;
    }

    p = nxe_alloc(mem, span.end - span.start);
    if (p == NULL) {
        return NXE_NOMEM;
    }

    nxe_text_copy(text, span, p);

    out->data = p;
    out->len = span.end - span.start;

    return NXE_OK;
}


nxe_status_t
nxe_json_unescape(nxe_str_t quoted, size_t max, const nxe_mem_t *mem,
    nxe_str_t *out)
{
    char            *p;
    size_t           len;
    nxe_unescape_t   u;

    if (quoted.len - 2 <= max
        && memchr(quoted.data, '\\', quoted.len) == NULL)
    {
        out->data = quoted.data + 1;
        out->len = quoted.len - 2;
        return NXE_OK;
    }

    len = 0;

    for (nxe_unescape_start(&u, quoted); nxe_unescape_next(&u); ) {
        len += u.len;

        if (u.len == 0 || len > max) {
            return NXE_INVALID;
        }
    }

    p = nxe_alloc(mem, len + 1);
    if (p == NULL) {
        return NXE_NOMEM;
    }

    (void) nxe_json_unescape_to(quoted, p, len, &len);
    p[len] = '\0';

    out->data = p;
    out->len = len;

    return NXE_OK;
}


nxe_status_t
nxe_json_unescape_to(nxe_str_t quoted, char *out, size_t max, size_t *len)
{
    size_t          i;
    nxe_unescape_t  u;

    i = 0;

    for (nxe_unescape_start(&u, quoted); nxe_unescape_next(&u); i += u.len) {

        if (u.len == 0 || max - i < u.len) {
            return NXE_INVALID;
        }

        memcpy(out + i, u.out, u.len);
    }

    *len = i;

    return NXE_OK;
}


int
nxe_json_string_eq(nxe_str_t quoted, nxe_str_t s)
{
    size_t          i;
    nxe_unescape_t  u;

    i = 0;

    for (nxe_unescape_start(&u, quoted); nxe_unescape_next(&u); i += u.len) {
        if (u.len == 0 || s.len - i < u.len
            || memcmp(s.data + i, u.out, u.len) != 0)
        {
            return 0;
        }
    }

    return i == s.len;
}


int
nxe_json_strings_eq(nxe_str_t quoted_a, nxe_str_t quoted_b)
{
    int             a, b;
    nxe_unescape_t  x, y;

    if (nxe_str_eq(quoted_a, quoted_b)) {
        return 1;
    }

    /*
     * Every byte of a string may be an escape of six.  A short one is not
     * worth a look at a long one: a client may send many.
     */

    if (quoted_a.len > 6 * quoted_b.len || quoted_b.len > 6 * quoted_a.len) {
        return 0;
    }

    if (memchr(quoted_a.data, '\\', quoted_a.len) == NULL
        && memchr(quoted_b.data, '\\', quoted_b.len) == NULL)
    {
        return 0;
    }

    nxe_unescape_start(&x, quoted_a);
    nxe_unescape_start(&y, quoted_b);

    do {
        a = nxe_unescape_byte(&x);
        b = nxe_unescape_byte(&y);
    } while (a == b && a >= 0);

    return a == b && a == NXE_UNESCAPE_END;
}


static void
nxe_unescape_start(nxe_unescape_t *u, nxe_str_t quoted)
{
    u->p = quoted.data + 1;
    u->end = quoted.data + quoted.len - 1;
    u->len = 0;
    u->used = 0;
}


/*
 * The next byte of the unescaped string.  Comparing goes by bytes: the same
 * character may stand as it is on one side and as an escape on the other.
 */

static int
nxe_unescape_byte(nxe_unescape_t *u)
{
    if (u->used == u->len) {

        if (!nxe_unescape_next(u)) {
            return NXE_UNESCAPE_END;
        }

        if (u->len == 0) {
            return NXE_UNESCAPE_WRONG;
        }

        u->used = 0;
    }

    return (unsigned char) u->out[u->used++];
}


/* The next code point, or one byte of an unescaped one; 0 at the end. */

static int
nxe_unescape_next(nxe_unescape_t *u)
{
    unsigned           c, low;
    const char        *p;
    static const char  from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";

    if (u->p == u->end) {
        return 0;
    }

    if (*u->p != '\\') {
        u->out[0] = *u->p++;
        u->len = 1;
        return 1;
    }

    if (u->p[1] != 'u') {
        p = strchr(from, u->p[1]);
        u->out[0] = to[p - from];
        u->len = 1;
        u->p += 2;
        return 1;
    }

    c = nxe_unescape_hex(u->p + 2);
    u->p += 6;

    if (c >= 0xd800 && c <= 0xdbff && u->end - u->p >= 6
        && u->p[0] == '\\' && u->p[1] == 'u')
    {
        low = nxe_unescape_hex(u->p + 2);

        if (low >= 0xdc00 && low <= 0xdfff) {
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            u->p += 6;
        }
    }

    u->len = c >= 0xd800 && c <= 0xdfff ? 0 : nxe_utf8_put(c, u->out);

    return 1;
}


static unsigned
nxe_unescape_hex(const char *p)
{
    int       i;
    unsigned  c;

    for (c = 0, i = 0; i < 4; i++) {
        c <<= 4;
        c |= (unsigned) (p[i] <= '9' ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
    }

    return c;
}


static size_t
nxe_utf8_put(unsigned c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char) c;
        return 1;
    }

    if (c < 0x800) {
        out[0] = (char) (0xc0 | c >> 6);
        out[1] = (char) (0x80 | (c & 0x3f));
        return 2;
    }

    if (c < 0x10000) {
        out[0] = (char) (0xe0 | c >> 12);
        out[1] = (char) (0x80 | (c >> 6 & 0x3f));
        out[2] = (char) (0x80 | (c & 0x3f));
        return 3;
    }

    out[0] = (char) (0xf0 | c >> 18);
    out[1] = (char) (0x80 | (c >> 12 & 0x3f));
    out[2] = (char) (0x80 | (c >> 6 & 0x3f));
    out[3] = (char) (0x80 | (c & 0x3f));

    return 4;
}


int
nxe_utf8_ok(nxe_str_t s)
{
    size_t  i, n;

    for (i = 0; i < s.len; i += n) {
        n = nxe_utf8_len(s, i);

        if (n == 0) {
            return 0;
        }
    }

    return 1;
}


size_t
nxe_utf8_len(nxe_str_t s, size_t i)
{
    size_t                j, n;
    const unsigned char  *p;

    p = (const unsigned char *) s.data + i;

    if (p[0] < 0x80) {
        return 1;
    }

    n = p[0] >= 0xc2 && p[0] <= 0xdf ? 2
        : p[0] >= 0xe0 && p[0] <= 0xef ? 3
        : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4 : 0;

    if (n == 0 || s.len - i < n) {
        return 0;
    }

    for (j = 1; j < n; j++) {
        if ((p[j] & 0xc0) != 0x80) {
            return 0;
        }
    }

    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f)
        || (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
    {
        return 0;
    }

    return n;
}


void
nxe_json_walk(nxe_json_walk_t *w, nxe_str_t container)
{
    while (container.len > 1 && container.data[container.len - 1] != '}'
           && container.data[container.len - 1] != ']')
    {
        container.len--;        /* white space behind the value */
    }

    w->p = container.data + 1;
    w->end = container.data + container.len - 1;
    w->key = nxe_null_str;
    w->value = nxe_null_str;
    w->type = nxe_walk_type(container.data[0]);
}


int
nxe_json_walk_next(nxe_json_walk_t *w)
{
    const char  *start;

    w->p = nxe_walk_space(w->p, w->end);

    if (w->p != w->end && *w->p == ',') {
        w->p = nxe_walk_space(w->p + 1, w->end);
    }

    if (w->p == w->end) {
        return 0;
    }

    /* a member has a colon behind its first string, an element has none */

    start = w->p;
    w->p = nxe_walk_value(w->p, w->end);
    w->value.data = start;
    w->value.len = (size_t) (w->p - start);
    w->key = nxe_null_str;

    w->p = nxe_walk_space(w->p, w->end);

    if (w->p != w->end && *w->p == ':') {
        w->key = w->value;
        start = nxe_walk_space(w->p + 1, w->end);
        w->p = nxe_walk_value(start, w->end);
        w->value.data = start;
        w->value.len = (size_t) (w->p - start);
    }

    w->type = nxe_walk_type(w->value.data[0]);

    return 1;
}


static const char *
nxe_walk_space(const char *p, const char *end)
{
    while (p != end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) {
        p++;
    }

    return p;
}


static const char *
nxe_walk_string(const char *p, const char *end)
{
    const char  *q, *s;

    for (q = p + 1; q < end; q++) {

        q = memchr(q, '"', (size_t) (end - q));
        if (q == NULL) {
            break;
        }

        /* an odd number of backslashes in front escapes the quote */

        for (s = q; s[-1] == '\\'; s--) { /* void */ }

        if (((q - s) & 1) == 0) {
            return q + 1;
        }
    }

    return end;
}


static const char *
nxe_walk_value(const char *p, const char *end)
{
    unsigned  depth;

    if (*p == '"') {
        return nxe_walk_string(p, end);
    }

    if (*p != '{' && *p != '[') {
        while (p != end && *p != ',' && *p != '}' && *p != ']' && *p != ' '
               && *p != '\n' && *p != '\r' && *p != '\t')
        {
            p++;
        }

        return p;
    }

    depth = 0;

    while (p != end) {
        if (*p == '"') {
            p = nxe_walk_string(p, end);
            continue;
        }

        if (*p == '{' || *p == '[') {
            depth++;

        } else if (*p == '}' || *p == ']') {
            depth--;
        }

        p++;

        if (depth == 0) {
            break;
        }
    }

    return p;
}


static nxe_json_type_t
nxe_walk_type(char c)
{
    switch (c) {
    case '{':
        return NXE_JSON_OBJECT;
    case '[':
        return NXE_JSON_ARRAY;
    case '"':
        return NXE_JSON_STRING;
    case 't':
    case 'f':
        return NXE_JSON_BOOL;
    case 'n':
        return NXE_JSON_NULL;
    default:
        return NXE_JSON_NUMBER;
    }
}
