
/*
 * A line of JSON that grows in the request's pool.
 */

#include "ngx_http_experiment_log.h"


static size_t ngx_http_experiment_plain(const u_char *p, size_t len);


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


/*
 * A JSON string, cut at 256 bytes, never in the middle of a character.  Most
 * are plain: they are found to be so and copied in one go.
 */

void
ngx_http_experiment_string(ngx_http_experiment_line_t *l, const void *data,
    size_t len)
{
    u_char  *p;

    len = ngx_min(len, NGX_HTTP_EXPERIMENT_CUT);

    p = ngx_http_experiment_room(l, len + 2);
    if (p == NULL) {
        return;
    }

    *p++ = '"';
    l->pos = p;

    if (len == 0) {

        /* data may be NULL: what was no request has neither method nor uri */

    } else if (ngx_http_experiment_plain(data, len) == len) {
        l->pos = ngx_cpymem(p, data, len);

    } else {
        ngx_http_experiment_escape(l, data, len);
    }

    ngx_http_experiment_lit(l, "\"");
}


/* How many bytes in front need no escape, give or take the last few. */

static size_t
ngx_http_experiment_plain(const u_char *p, size_t len)
{
    size_t                 i;
    uint64_t               v, special;
    static const uint64_t  ones = 0x0101010101010101u;
    static const uint64_t  highs = 0x8080808080808080u;

    for (i = 0; len - i >= 8; i += 8) {
        ngx_memcpy(&v, p + i, 8);

        special = (v | (v - ones * 0x20) | ((v ^ (ones * '"')) - ones)
                   | ((v ^ (ones * '\\')) - ones)
                   | ((v ^ (ones * 0x7f)) - ones))
                  & highs;

        if (special != 0) {
            return i;
        }
    }

    while (i < len && p[i] >= 0x20 && p[i] < 0x7f && p[i] != '"'
           && p[i] != '\\')
    {
        i++;
    }

    return i;
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

    for (i = 0, run = 0; ; i += n) {

        i += ngx_http_experiment_plain(data + i, len - i);

        if (i == len) {
            break;
        }

        /* what stopped it may lie some bytes ahead */

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
        l->pos = ngx_http_experiment_decimal(ngx_cpymem(p, member, len), n, 1);
    }
}


/* At least so many digits; ngx_sprintf() costs several times as much. */

u_char *
ngx_http_experiment_decimal(u_char *p, uint64_t n, ngx_uint_t digits)
{
    u_char      tmp[NGX_INT64_LEN];
    ngx_uint_t  i;

    for (i = 0; n != 0 || i < digits; n /= 10) {
        tmp[i++] = (u_char) ('0' + n % 10);
    }

    while (i > 0) {
        *p++ = tmp[--i];
    }

    return p;
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
        *p++ = '.';
        l->pos = ngx_http_experiment_decimal(p, us % 1000, 3);
    }
}


/* 10^-9 of a currency, with nine digits. */

void
ngx_http_experiment_nano(ngx_http_experiment_line_t *l, uint64_t n)
{
    u_char  *p;

    p = ngx_http_experiment_room(l, NGX_INT64_LEN + 2);

    if (p != NULL) {
        p = ngx_http_experiment_decimal(p, n / 1000000000, 1);
        *p++ = '.';
        l->pos = ngx_http_experiment_decimal(p, n % 1000000000, 9);
    }
}


/* What has been written since an offset, for later lines too. */

void
ngx_http_experiment_keep(ngx_http_experiment_line_t *l, size_t from,
    ngx_pool_t *pool, ngx_str_t *text)
{
    size_t   len;
    u_char  *p;

    if (l->failed) {
        return;
    }

    len = l->pos - l->start - from;

    p = ngx_pnalloc(pool, len);

    if (p != NULL) {
        ngx_memcpy(p, l->start + from, len);
        text->data = p;
        text->len = len;
    }
}
