
/*
 * A line of JSON that grows in the request's pool.
 */

#include "ngx_http_experiment.h"


/* Where len bytes may be written, NULL if there is no memory. */

u_char *
ngx_http_experiment_room(ngx_http_experiment_line_t *l, size_t len)
{
    u_char  *p;
    size_t   used, size;

    if (l->failed) {
        return NULL;
    }

    if ((size_t) (l->end - l->pos) >= len) {
        return l->pos;
    }

    used = l->pos - l->start;
    size = 2 * (used + len);

    p = ngx_pnalloc(l->pool, size);
    if (p == NULL) {
        l->failed = 1;
        return NULL;
    }

    if (used != 0) {
        ngx_memcpy(p, l->start, used);
    }

    l->start = p;
    l->pos = p + used;
    l->end = p + size;

    return l->pos;
}


void
ngx_http_experiment_raw(ngx_http_experiment_line_t *l, const void *data,
    size_t len)
{
    u_char  *p;

    p = ngx_http_experiment_room(l, len);

    if (p != NULL) {
        l->pos = ngx_cpymem(p, data, len);
    }
}


/* A JSON string, cut at 256 bytes, never in the middle of a character. */

void
ngx_http_experiment_string(ngx_http_experiment_line_t *l, const void *data,
    size_t len)
{
    ngx_http_experiment_lit(l, "\"");

    ngx_http_experiment_escape(l, data, ngx_min(len, NGX_HTTP_EXPERIMENT_CUT));

    ngx_http_experiment_lit(l, "\"");
}


/*
 * Controls, DEL, U+2028 and U+2029 are escaped; what is not UTF-8, and a
 * character that was cut, becomes U+FFFD.
 */

void
ngx_http_experiment_escape(ngx_http_experiment_line_t *l, const u_char *data,
    size_t len)
{
    size_t      i, n, run;
    nxe_str_t   s;

    s.data = (const char *) data;
    s.len = len;

    for (i = 0, run = 0; i < len; i += n) {

        if (data[i] >= 0x20 && data[i] < 0x7f && data[i] != '"'
            && data[i] != '\\')
        {
            n = 1;
            continue;
        }

        n = nxe_utf8_len(s, i);

        if (n > 1 && !(n == 3 && data[i] == 0xe2 && data[i + 1] == 0x80
                       && (data[i + 2] == 0xa8 || data[i + 2] == 0xa9)))
        {
            continue;
        }

        ngx_http_experiment_raw(l, data + run, i - run);

        if (ngx_http_experiment_room(l, 8) == NULL) {
            return;
        }

        if (n == 0) {
            n = 1;
            l->pos = ngx_cpymem(l->pos, "\xef\xbf\xbd", 3);

        } else if (n == 3) {
            l->pos = ngx_sprintf(l->pos, "\\u20%02xd", data[i + 2] - 0x80);

        } else if (data[i] == '"' || data[i] == '\\') {
            *l->pos++ = '\\';
            *l->pos++ = data[i];

        } else {
            l->pos = ngx_sprintf(l->pos, "\\u%04xd", data[i]);
        }

        run = i + n;
    }

    ngx_http_experiment_raw(l, data + run, len - run);
}


void
ngx_http_experiment_number(ngx_http_experiment_line_t *l, const char *member,
    uint64_t n)
{
    u_char  *p;
    size_t   len;

    len = ngx_strlen(member);

    p = ngx_http_experiment_room(l, len + NGX_INT64_LEN);

    if (p != NULL) {
        p = ngx_cpymem(p, member, len);
        l->pos = ngx_sprintf(p, "%uL", n);
    }
}


/* Microseconds as milliseconds with three digits. */

void
ngx_http_experiment_ms(ngx_http_experiment_line_t *l, const char *member,
    uint64_t us)
{
    u_char  *p;

    ngx_http_experiment_number(l, member, us / 1000);

    p = ngx_http_experiment_room(l, 8);

    if (p != NULL) {
        l->pos = ngx_sprintf(p, ".%03uL", us % 1000);
    }
}
