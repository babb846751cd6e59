/*
 * Most events of a stream are the one before but for some letters of content.
 * What lies between is compared and not read again: the answer is the same as
 * that of reading, only sooner.
 */

#include <endian.h>
#include <stddef.h>
#include <string.h>

#include "nxe_meter_int.h"


static size_t nxe_meter_common(const char *a, const char *b, size_t max);
static const char *nxe_meter_other(const nxe_meter_span_t *span,
    const char *p, const char *end);


/*
 * Behind the event that begins at p if it is like the last one, NULL if it has
 * to be read.  Where the two differ has to be a value that nobody asks for, or
 * content, which is not empty.
 */

const char *
nxe_meter_same(void *ctx, const char *p, const char *end)
{
    size_t               i, k, n;
    unsigned             s;
    ptrdiff_t            shift;
    const char          *q;
    nxe_meter_t         *m = ctx;
    nxe_meter_repeat_t  *r;

    r = m->repeat;

    if (r == NULL || r->len == 0) {
        return NULL;
    }

    shift = 0;
    s = 0;
    i = 0;
    q = p;

    for ( ;; ) {
        n = r->len - i;

        if (n > (size_t) (end - q)) {
            n = (size_t) (end - q);
        }

        k = nxe_meter_common(r->text + i, q, n);
        i += k;
        q += k;

        if (i == r->len) {
            break;
        }

        while (s != r->nspans && r->spans[s].end < i) {
            s++;
        }

        if (q == end || s == r->nspans || r->spans[s].start > i) {
            return NULL;
        }

        q = nxe_meter_other(&r->spans[s], q - (i - r->spans[s].start), end);

        if (q == NULL) {
            return NULL;
        }

        i = r->spans[s++].end;

        if (i <= r->cut) {
            shift = (q - p) - (ptrdiff_t) i;
        }
    }

    nxe_meter_content(m);

    if (m->emit != NULL && r->cut_len != 0) {
        m->cut.data = p + r->cut + shift;
        m->cut.len = r->cut_len;
    }

    return q;
}


/* How many bytes are the same from the start. */

static size_t
nxe_meter_common(const char *a, const char *b, size_t max)
{
    size_t    i;
    uint64_t  x, y;

    for (i = 0; max - i >= sizeof(x); i += sizeof(x)) {
        memcpy(&x, a + i, sizeof(x));
        memcpy(&y, b + i, sizeof(y));

        if (x != y) {
            return i + (unsigned) __builtin_ctzll(le64toh(x ^ y)) / 8;
        }
    }

    while (i != max && a[i] == b[i]) {
        i++;
    }

    return i;
}


/* The end of a value that begins at p and may be another; NULL: it may not. */

static const char *
nxe_meter_other(const nxe_meter_span_t *span, const char *p, const char *end)
{
    size_t       len;
    const char  *last;

    if (!span->string) {
        last = nxe_pick_scalar(p, end);

        return last != NULL && (*p == '-' || (*p >= '0' && *p <= '9'))
               ? last : NULL;
    }

    last = nxe_pick_quote(p, end);

    if (last == NULL) {
        return NULL;
    }

    len = (size_t) (last - p);

    return len >= span->least && memchr(p, '\n', len) == NULL
           && memchr(p, '\r', len) == NULL
           ? last : NULL;
}


/* A value may be another in the next event, and nothing changes but that. */

void
nxe_meter_vary(nxe_meter_t *m, nxe_str_t text, int string, int content)
{
    nxe_meter_span_t    *span;
    nxe_meter_repeat_t  *r;

    r = m->repeat;

    if (r == NULL || r->nvaries == NXE_METER_SPANS) {
        return;
    }

    span = &r->varies[r->nvaries++];
    span->string = string;
    span->least = content != 0;
    span->start = (uint32_t) (text.data - m->data.data);
    span->end = (uint32_t) (span->start + text.len);

    if (string) {
        span->start++;
        span->end--;
    }
}


/*
 * The event that was read, as it came, is the one that later ones are compared
 * with, if it had content and said nothing else.
 */

void
nxe_meter_learn(nxe_meter_t *m, nxe_str_t raw)
{
    size_t                   offset;
    unsigned                 i;
    const nxe_meter_said_t  *said;
    nxe_meter_repeat_t      *r;

    if (m->repeat == NULL) {
        m->repeat = nxe_calloc(m->sse.mem, sizeof(nxe_meter_repeat_t));
        return;
    }

    r = m->repeat;
    said = &m->part.said;

    if (!m->plain || m->part.usage || raw.len > NXE_METER_REPEAT
        || r->nvaries == NXE_METER_SPANS || said->nreasons != 0
        || said->tool_calls != 0 || said->refusal || said->failed
        || m->data.data < raw.data
        || m->data.data >= raw.data + raw.len
        || raw.data[raw.len - 1] != '\n')
    {
        return;
    }

    offset = (size_t) (m->data.data - raw.data);

    memcpy(r->text, raw.data, raw.len);
    r->len = raw.len;
    r->nspans = r->nvaries;

    for (i = 0; i < r->nvaries; i++) {
        r->spans[i] = r->varies[i];
        r->spans[i].start += (uint32_t) offset;
        r->spans[i].end += (uint32_t) offset;
    }

    r->cut_len = m->cut.len;
    r->cut = m->cut.len != 0 ? (size_t) (m->cut.data - raw.data) : 0;
}
