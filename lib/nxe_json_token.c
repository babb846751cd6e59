/*
 * The scan's tokens, byte by byte and across segments; a kernel passes over
 * what is plain.
 */

#include "nxe_json_int.h"


static nxe_json_cause_t nxe_scan_escape(nxe_scan_t *s);
static nxe_json_cause_t nxe_scan_utf8(nxe_scan_t *s);
static nxe_json_cause_t nxe_scan_digits(nxe_scan_t *s);


/* From where the kernel left it; p is no quote, or at the segment's end. */

nxe_json_cause_t
nxe_scan_string_rest(nxe_scan_t *s, int *escaped)
{
    nxe_json_cause_t  cause;

    for ( ;; ) {
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
            cause = NXE_JSON_OK;        /* a new segment begins */
        }

        if (cause != NXE_JSON_OK) {
            return cause;
        }

        s->p = s->kernel->string(s->p, s->end, escaped);
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


nxe_json_cause_t
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
    const unsigned char  *p, *end;

    if (!nxe_scan_have(s) || *s->p < '0' || *s->p > '9') {
        return nxe_scan_refuse(s, "a digit");
    }

    do {
        p = s->p + 1;
        end = s->end;

        while (p != end && (unsigned char) (*p - '0') <= 9) {
            p++;
        }

        s->p = p;

    } while (p == end && nxe_scan_more(s) && *s->p >= '0' && *s->p <= '9');

    return NXE_JSON_OK;
}


nxe_json_cause_t
nxe_scan_literal(nxe_scan_t *s, const char *word)
{
    for ( /* void */ ; *word != '\0'; word++, s->p++) {
        if (!nxe_scan_have(s) || *s->p != (unsigned char) *word) {
            return nxe_scan_refuse(s, "true, false or null");
        }
    }

    return NXE_JSON_OK;
}


int
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


nxe_json_cause_t
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
