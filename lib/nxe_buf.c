#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nxe/buf.h>
#include <nxe/json.h>


static nxe_status_t nxe_buf_reserve(nxe_buf_t *b, size_t len);
static size_t nxe_buf_escape(unsigned char c, char out[8]);


void
nxe_buf_init(nxe_buf_t *b, size_t max)
{
    b->data = NULL;
    b->len = 0;
    b->size = 0;
    b->max = max;
    b->status = NXE_OK;
}


void
nxe_buf_free(nxe_buf_t *b)
{
    free(b->data);
    nxe_buf_init(b, b->max);
}


nxe_status_t
nxe_buf_add(nxe_buf_t *b, nxe_str_t s)
{
    if (s.len == 0) {
        return b->status;
    }

    if (nxe_buf_reserve(b, s.len) != NXE_OK) {
        return b->status;
    }

    memcpy(b->data + b->len, s.data, s.len);
    b->len += s.len;

    return NXE_OK;
}


nxe_status_t
nxe_buf_addc(nxe_buf_t *b, char c)
{
    nxe_str_t  s;

    s.data = &c;
    s.len = 1;

    return nxe_buf_add(b, s);
}


nxe_status_t
nxe_buf_addf(nxe_buf_t *b, const char *fmt, ...)
{
    int      n;
    va_list  args;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);

    /* vsnprintf() ends its output with a zero byte, which len leaves out */

    if (n < 0 || nxe_buf_reserve(b, (size_t) n + 1) != NXE_OK) {
        if (b->status == NXE_OK) {
            b->status = NXE_INVALID;
        }

        return b->status;
    }

    va_start(args, fmt);
    (void) vsnprintf(b->data + b->len, (size_t) n + 1, fmt, args);
    va_end(args);

    b->len += (size_t) n;

    return NXE_OK;
}


nxe_status_t
nxe_buf_add_json(nxe_buf_t *b, nxe_str_t s)
{
    char       esc[8];
    size_t     i, n, run;
    nxe_str_t  part;

    (void) nxe_buf_addc(b, '"');

    for (i = 0, run = 0; i < s.len; /* void */ ) {

        n = nxe_utf8_len(s, i);

        if (n > 1 || (n == 1 && nxe_buf_escape((unsigned char) s.data[i], esc)
                                == 0))
        {
            i += n;
            continue;
        }

        part.data = s.data + run;
        part.len = i - run;
        (void) nxe_buf_add(b, part);

        if (n == 0) {
            (void) nxe_buf_add(b, nxe_str("\xef\xbf\xbd"));

        } else {
            part.data = esc;
            part.len = nxe_buf_escape((unsigned char) s.data[i], esc);
            (void) nxe_buf_add(b, part);
        }

        run = ++i;
    }

    if (i != run) {
        part.data = s.data + run;
        part.len = i - run;
        (void) nxe_buf_add(b, part);
    }

    return nxe_buf_addc(b, '"');
}


nxe_str_t
nxe_buf_str(const nxe_buf_t *b)
{
    nxe_str_t  s;

    s.data = b->data != NULL ? b->data : "";
    s.len = b->len;

    return s;
}


static nxe_status_t
nxe_buf_reserve(nxe_buf_t *b, size_t len)
{
    char    *data;
    size_t   size;

    if (b->status != NXE_OK) {
        return b->status;
    }

    if (len > b->max || b->len > b->max - len) {
        b->status = NXE_INVALID;
        return b->status;
    }

    if (b->size - b->len >= len) {
        return NXE_OK;
    }

    size = b->size < 256 ? 256 : b->size;
    while (size - b->len < len) {
        size = size > SIZE_MAX / 2 ? SIZE_MAX : size * 2;
    }

    data = realloc(b->data, size);
    if (data == NULL) {
        b->status = NXE_NOMEM;
        return b->status;
    }

    b->data = data;
    b->size = size;

    return NXE_OK;
}


/* The shortest JSON escape of a byte into out; 0: it needs none. */

static size_t
nxe_buf_escape(unsigned char c, char out[8])
{
    static const char  hex[] = "0123456789abcdef";
    const char        *p;
    static const char  from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";

    if (c >= 0x20 && c != '"' && c != '\\') {
        return 0;
    }

    p = c != 0 ? strchr(from, c) : NULL;

    out[0] = '\\';

    if (p != NULL) {
        out[1] = to[p - from];
        return 2;
    }

    out[1] = 'u';
    out[2] = '0';
    out[3] = '0';
    out[4] = hex[c >> 4];
    out[5] = hex[c & 15];

    return 6;
}
