#include <string.h>

#include <nxe/sse.h>


static const char *nxe_sse_end(nxe_sse_t *s, const char *p, const char *end);
static const char *nxe_sse_eol(const char *p, const char *end);
static void nxe_sse_keep(nxe_sse_t *s, const char *p, size_t len);
static int nxe_sse_room(nxe_sse_t *s, size_t len);
static void nxe_sse_lose(nxe_sse_t *s);
static void nxe_sse_raw(nxe_sse_t *s, const char *p, size_t len);
static void nxe_sse_tell(nxe_sse_t *s, nxe_str_t event);
static char *nxe_sse_joined(nxe_sse_t *s, size_t len);
static unsigned nxe_sse_parse(nxe_str_t event, char *joined, char *type,
    nxe_str_t *name, nxe_str_t *data);
static int nxe_sse_line(nxe_str_t *event, nxe_str_t *field,
    nxe_str_t *value);


void
nxe_sse_init(nxe_sse_t *s, size_t max, nxe_sse_pt event, void *ctx,
    const nxe_mem_t *mem)
{
    memset(s, 0, sizeof(*s));

    s->mem = mem;
    s->max = max;
    s->event = event;
    s->ctx = ctx;
    s->bol = 1;
}


void
nxe_sse_feed(nxe_sse_t *s, nxe_str_t bytes)
{
    const char  *p, *start, *end;

    p = bytes.data;
    end = p + bytes.len;

    /* the LF of a CR LF that ends an event, of which the CR is past */

    if (s->cr && s->bol && s->len == 0 && !s->lost && p != end && *p == '\n') {
        s->cr = 0;
        nxe_sse_raw(s, p++, 1);
    }

    while (p != end) {
        start = p;

        if (s->same != NULL && s->len == 0 && s->bol && !s->cr && !s->lost
            && s->begun)
        {
            p = s->same(s->ctx, start, end);

            if (p != NULL) {
                nxe_sse_raw(s, start, (size_t) (p - start));
                continue;
            }

            p = start;
        }

        p = nxe_sse_end(s, p, end);

        if (p == NULL) {
            nxe_sse_keep(s, start, (size_t) (end - start));
            return;
        }

        if (s->len == 0 && !s->lost && (size_t) (p - start) <= s->max) {
            nxe_sse_tell(s, (nxe_str_t) { start, (size_t) (p - start) });
            nxe_sse_raw(s, start, (size_t) (p - start));

        } else {
            nxe_sse_keep(s, start, (size_t) (p - start));

            if (!s->lost) {
                nxe_sse_tell(s, (nxe_str_t) { s->kept, s->len });
                nxe_sse_raw(s, s->kept, s->len);
            }
        }

        s->lost_events += s->lost;
        s->len = 0;
        s->lost = 0;
    }
}


/* Behind the empty line that ends an event, NULL if it is not there. */

static const char *
nxe_sse_end(nxe_sse_t *s, const char *p, const char *end)
{
    while (p != end) {

        if (s->cr) {
            s->cr = 0;

            if (*p == '\n') {
                p++;
                continue;
            }
        }

        if (*p != '\n' && *p != '\r') {
            p = nxe_sse_eol(p, end);
            s->bol = 0;

            if (p == end) {
                return NULL;
            }
        }

        s->cr = *p++ == '\r';

        if (s->bol) {

            if (s->cr && p != end && *p == '\n') {
                s->cr = 0;
                p++;
            }

            return p;
        }

        s->bol = 1;
    }

    return NULL;
}


static const char *
nxe_sse_eol(const char *p, const char *end)
{
    const char  *lf, *cr;

    lf = memchr(p, '\n', (size_t) (end - p));
    end = lf != NULL ? lf : end;
    cr = memchr(p, '\r', (size_t) (end - p));

    return cr != NULL ? cr : end;
}


static void
nxe_sse_keep(nxe_sse_t *s, const char *p, size_t len)
{
    if (!s->lost && !nxe_sse_room(s, len)) {
        nxe_sse_lose(s);
    }

    if (s->lost) {
        nxe_sse_raw(s, p, len);
        return;
    }

    memcpy(s->kept + s->len, p, len);
    s->len += len;
}


static int
nxe_sse_room(nxe_sse_t *s, size_t len)
{
    char    *kept;
    size_t   size;

    if (len > s->max - s->len) {
        return 0;
    }

    if (len <= s->size - s->len) {
        return 1;
    }

    size = s->size != 0 ? s->size : 512;

    while (size - s->len < len) {
        size *= 2;
    }

    kept = nxe_alloc(s->mem, size);
    if (kept == NULL) {
        return 0;
    }

    if (s->len != 0) {
        memcpy(kept, s->kept, s->len);
    }

    s->kept = kept;
    s->size = size;

    return 1;
}


/* It will not be told, but it is passed on. */

static void
nxe_sse_lose(nxe_sse_t *s)
{
    s->lost = 1;
    nxe_sse_raw(s, s->kept, s->len);
    s->len = 0;
}


static void
nxe_sse_raw(nxe_sse_t *s, const char *p, size_t len)
{
    if (s->raw != NULL && len != 0) {
        s->raw(s->ctx, (nxe_str_t) { p, len });
    }
}


nxe_str_t
nxe_sse_rest(nxe_sse_t *s)
{
    nxe_str_t  rest;

    rest.data = s->kept;
    rest.len = s->len;
    s->len = 0;

    return rest;
}


static void
nxe_sse_tell(nxe_sse_t *s, nxe_str_t event)
{
    char      *joined;
    char       type[NXE_SSE_TYPE];
    unsigned   lines;
    nxe_str_t  name, data;

    if (!s->begun) {
        s->begun = 1;

        if (event.len >= 3 && memcmp(event.data, "\xef\xbb\xbf", 3) == 0) {
            event.data += 3;
            event.len -= 3;
        }
    }

    lines = nxe_sse_parse(event, NULL, type, &name, &data);

    if (lines > 1) {
        joined = nxe_sse_joined(s, event.len);

        if (joined == NULL) {
            s->lost_events++;
            return;
        }

        (void) nxe_sse_parse(event, joined, type, &name, &data);
    }

    if (lines != 0) {
        s->event(s->ctx, name, data);
    }
}


static char *
nxe_sse_joined(nxe_sse_t *s, size_t len)
{
    size_t  size;

    if (len > s->joined_size) {
        size = 2 * len;
        s->joined = nxe_alloc(s->mem, size);
        s->joined_size = s->joined != NULL ? size : 0;
    }

    return s->joined;
}


/* The number of lines of data.  They are joined at joined, if it is there. */

static unsigned
nxe_sse_parse(nxe_str_t event, char *joined, char *type, nxe_str_t *name,
    nxe_str_t *data)
{
    char      *p;
    unsigned   lines;
    nxe_str_t  field, value;

    p = joined;
    lines = 0;
    name->data = type;
    name->len = 0;
    *data = nxe_null_str;

    while (nxe_sse_line(&event, &field, &value)) {

        if (nxe_str_eq(field, nxe_str("event"))) {
            name->len = value.len < NXE_SSE_TYPE ? value.len : NXE_SSE_TYPE;
            memcpy(type, value.data, name->len);

        } else if (nxe_str_eq(field, nxe_str("data"))) {

            if (joined == NULL) {
                *data = value;

            } else {
                if (lines != 0) {
                    *p++ = '\n';
                }

                memcpy(p, value.data, value.len);
                p += value.len;
            }

            lines++;
        }
    }

    if (joined != NULL) {
        data->data = joined;
        data->len = (size_t) (p - joined);
    }

    return lines;
}


/* Takes a line off an event: "field: value", "field:value", "field". */

static int
nxe_sse_line(nxe_str_t *event, nxe_str_t *field, nxe_str_t *value)
{
    const char  *p, *end, *eol, *colon;

    if (event->len == 0) {
        return 0;
    }

    p = event->data;
    end = p + event->len;
    eol = nxe_sse_eol(p, end);
    colon = memchr(p, ':', (size_t) (eol - p));

    field->data = p;
    field->len = (size_t) ((colon != NULL ? colon : eol) - p);
    value->data = colon != NULL ? colon + 1 : eol;
    value->len = (size_t) (eol - value->data);

    if (value->len != 0 && *value->data == ' ') {
        value->data++;
        value->len--;
    }

    if (eol != end) {
        eol += *eol == '\r' && end - eol > 1 && eol[1] == '\n' ? 2 : 1;
    }

    event->data = eol;
    event->len = (size_t) (end - eol);

    return 1;
}
