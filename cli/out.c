/*
 * What expctl prints: messages and text made safe for a terminal.  Tables
 * are in table.c.
 */

#define _GNU_SOURCE

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <nxe/json.h>
#include <nxe/time.h>

#include "cli/cli.h"


/*
 * The code point at s, of which n bytes are there, and its length in *len;
 * a byte that begins no valid UTF-8 is -1 with the length 1.
 */

static long
code_point(const unsigned char *s, size_t n, size_t *len)
{
    long    c;
    size_t  i, want;

    *len = 1;

    if (s[0] < 0x80) {
        return s[0];
    }

    want = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;

    if (s[0] < 0xc2 || want > n
        || !nxe_utf8_ok((nxe_str_t) { (const char *) s, want }))
    {
        return -1;
    }

    c = s[0] & (0xff >> (want + 1));

    for (i = 1; i < want; i++) {
        c = c << 6 | (s[i] & 0x3f);
    }

    *len = want;

    return c;
}


/* Code points that move, hide or reorder what is around them. */

static int
is_hostile(long c)
{
    return (c >= 0x80 && c < 0xa0)          /* C1 */
           || c == 0xad || c == 0x61c
           || c == 0x200b || c == 0x200e || c == 0x200f
           || (c >= 0x2028 && c <= 0x202e)  /* separators, bidi */
           || (c >= 0x2060 && c <= 0x206f)
           || c == 0xfeff
           || (c >= 0xfff9 && c <= 0xfffb)
           || (c >= 0xe0000 && c <= 0xe007f);
}


/* Appends s made safe; "\" becomes "\\" if backslash is set. */

static void
add_safe(nxe_buf_t *b, nxe_str_t s, int backslash)
{
    long                  c;
    size_t                len;
    const unsigned char  *p, *end;

    p = (const unsigned char *) s.data;
    end = p + s.len;

    for ( /* void */ ; p < end; p += len) {
        c = code_point(p, (size_t) (end - p), &len);

        if (c == -1 || c < 0x20 || c == 0x7f) {
            nxe_buf_addf(b, "\\x%02x", *p);

        } else if (c == '\\' && backslash) {
            nxe_buf_add(b, nxe_str("\\\\"));

        } else if (is_hostile(c)) {
            nxe_buf_addf(b, "\\u{%lx}", c);

        } else {
            nxe_buf_add(b, (nxe_str_t) { (const char *) p, len });
        }
    }
}


static void
no_memory(void)
{
    fputs("expctl: out of memory\n", stderr);
    exit(CLI_ENV);
}


/* The bytes of b in cli->mem; frees b. */

static char *
take(const cli_t *cli, nxe_buf_t *b)
{
    nxe_str_t  copy;

    if (b->status != NXE_OK
        || nxe_str_copy(cli->mem, nxe_buf_str(b), &copy) != NXE_OK)
    {
        no_memory();
    }

    nxe_buf_free(b);

    return (char *) copy.data;
}


const char *
cli_safe(const cli_t *cli, nxe_str_t s)
{
    nxe_buf_t  b;

    nxe_buf_init(&b, SIZE_MAX / 2);
    add_safe(&b, s, 1);

    return take(cli, &b);
}


char *
cli_format(const cli_t *cli, const char *fmt, ...)
{
    char       *s;
    va_list     ap;
    nxe_str_t   copy;

    va_start(ap, fmt);
    if (vasprintf(&s, fmt, ap) == -1) {
        no_memory();
    }
    va_end(ap);

    if (nxe_str_copy(cli->mem, nxe_str_of(s), &copy) != NXE_OK) {
        no_memory();
    }

    free(s);

    return (char *) copy.data;
}


/* One line to stderr behind a prefix, made safe but for backslashes. */

static void
say(const char *prefix, const char *fmt, va_list ap)
{
    char       *s;
    nxe_buf_t   b;

    if (vasprintf(&s, fmt, ap) == -1) {
        no_memory();
    }

    /* what was printed before stands before it on a terminal, too */
    fflush(stdout);

    nxe_buf_init(&b, SIZE_MAX / 2);
    nxe_buf_add(&b, nxe_str_of(prefix));
    add_safe(&b, nxe_str_of(s), 0);
    nxe_buf_addc(&b, '\n');

    if (b.status != NXE_OK) {
        no_memory();
    }

    fwrite(b.data, 1, b.len, stderr);

    nxe_buf_free(&b);
    free(s);
}


void
cli_error(const char *fmt, ...)
{
    va_list  ap;

    va_start(ap, fmt);
    say("expctl: ", fmt, ap);
    va_end(ap);
}


int
cli_usage(const cli_t *cli, const char *fmt, ...)
{
    va_list  ap;

    va_start(ap, fmt);
    say("expctl: ", fmt, ap);
    va_end(ap);

    if (cli->command != NULL) {
        cli_remedy("expctl %s -h", cli->command->name);

    } else {
        cli_remedy("expctl help");
    }

    return CLI_USAGE;
}


int
cli_fail(const nxe_error_t *err)
{
    cli_error("%s", err->text);

    switch (err->status) {

    case NXE_CONFLICT:
        return CLI_NO;

    case NXE_DECLINED:
    case NXE_INVALID:
        return CLI_USAGE;

    default:
        return CLI_ENV;
    }
}


void
cli_remedy(const char *fmt, ...)
{
    va_list  ap;

    va_start(ap, fmt);
    say("next: ", fmt, ap);
    va_end(ap);
}


static int
may_talk(const cli_t *cli)
{
    return !cli->quiet && isatty(STDERR_FILENO);
}


void
cli_next(const cli_t *cli, const char *fmt, ...)
{
    va_list  ap;

    if (may_talk(cli)) {
        va_start(ap, fmt);
        say("next: ", fmt, ap);
        va_end(ap);
    }
}


void
cli_note(const cli_t *cli, const char *fmt, ...)
{
    va_list  ap;

    if (may_talk(cli)) {
        va_start(ap, fmt);
        say("", fmt, ap);
        va_end(ap);
    }
}


const char *
cli_count(const cli_t *cli, unsigned long long n)
{
    int     i, len;
    char    digits[24], out[32], *p;

    len = snprintf(digits, sizeof(digits), "%llu", n);
    p = out;

    for (i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) {
            *p++ = ',';
        }
        *p++ = digits[i];
    }

    *p = '\0';

    return cli_format(cli, "%s", out);
}


/*
 * The double next to num/den, by long division: as doubles the two have
 * digits of their own to lose.  53 bits, one to round by, and one that says
 * whether anything is left.
 */

const char *
cli_ratio(const cli_t *cli, nxe_u128_t num, nxe_u128_t den)
{
    int       i, exponent;
    char      buf[NXE_DOUBLE_LEN];
    size_t    n;
    uint64_t  bits;

    if (num == 0 || den == 0) {
        return "0";
    }

    for (exponent = 0; num < den; num *= 2) {
        exponent--;
    }

    for (i = 0, bits = 0; i < 54; i++) {
        bits = bits * 2 + (num >= den);
        num = (num >= den ? num - den : num) * 2;
    }

    bits = bits * 2 + (num != 0);

    n = nxe_double_print(ldexp((double) bits, exponent - 54), buf);

    return cli_format(cli, "%.*s", (int) n, buf);
}


/*
 * Three digits are enough for people, but 99.96 % must not read as 100 % nor
 * 0.04 as 0.
 */

const char *
cli_percent(const cli_t *cli, nxe_u128_t num, nxe_u128_t den)
{
    int     digits;
    char    buf[64], *end;
    double  p;

    if (num == 0 || den == 0) {
        return den == 0 ? "-" : "0 %";
    }

    if (num == den) {
        return "100 %";
    }

    p = (double) num / (double) den * 100;

    digits = p >= 100 ? 0 : p >= 10 ? 1 : p >= 1 ? 2 : 3;

    for ( /* void */ ; digits < 12; digits++) {
        snprintf(buf, sizeof(buf), "%.*f", digits, p);

        if (strtod(buf, NULL) > 0 && (p > 100 || strtod(buf, NULL) < 100)) {
            break;
        }
    }

    if (strchr(buf, '.') != NULL) {
        end = buf + strlen(buf);

        while (end[-1] == '0') {
            end--;
        }

        if (end[-1] == '.') {
            end--;
        }

        *end = '\0';
    }

    return cli_format(cli, "%s %%", buf);
}


const char *
cli_exposure(const cli_t *cli, nxe_frac_t exposure)
{
    char      buf[32], *end;
    uint64_t  nano;

    nano = exposure.num * (NXE_NANO / exposure.den);

    snprintf(buf, sizeof(buf), "%llu.%07llu",
             (unsigned long long) (nano / 10000000),
             (unsigned long long) (nano % 10000000));

    for (end = buf + strlen(buf); end[-1] == '0'; end--) { /* void */ }

    if (end[-1] == '.') {
        end--;
    }

    return cli_format(cli, "%.*s %%", (int) (end - buf), buf);
}


nxe_str_t
cli_now(const cli_t *cli)
{
    char  text[NXE_TIME_LEN];

    nxe_time_print((int64_t) time(NULL), text);

    return nxe_str_of(cli_format(cli, "%s", text));
}


const char *
cli_duration(const cli_t *cli, double ms)
{
    int          digits;
    double       x;
    const char  *unit;

    unit = ms < 999.5 ? "ms" : "s";
    x = ms < 999.5 ? ms : ms / 1000;

    if (x >= 999.5) {
        return cli_format(cli, "%s s", cli_count(cli, (uint64_t) (x + 0.5)));
    }

    digits = x < 9.995 ? 2 : x < 99.95 ? 1 : 0;

    return cli_format(cli, "%.*f %s", digits, x, unit);
}


const char *
cli_money(const cli_t *cli, double x)
{
    int  digits;

    if (x >= 999.5 && x < 1e18) {
        return cli_count(cli, (unsigned long long) (x + 0.5));
    }

    digits = x > 0 ? 2 - (int) floor(log10(x)) : 2;

    digits = digits < 2 ? 2 : digits > 9 ? 9 : digits;

    return cli_format(cli, "%.*f", digits, x);
}


int
cli_print_buf(nxe_buf_t *b)
{
    int  rc;

    rc = CLI_DONE;

    if (b->status != NXE_OK) {
        cli_error("out of memory");
        rc = CLI_ENV;

    } else {
        fwrite(b->data, 1, b->len, stdout);
    }

    nxe_buf_free(b);

    return rc;
}


int
cli_print_json(nxe_buf_t *b)
{
    int                   rc;
    long                  c;
    size_t                len;
    nxe_buf_t             out;
    const unsigned char  *p, *end;

    nxe_buf_init(&out, SIZE_MAX / 2);

    p = (const unsigned char *) b->data;
    end = p + b->len;

    for ( /* void */ ; p < end; p += len) {
        c = code_point(p, (size_t) (end - p), &len);

        if (c != 0x7f && !is_hostile(c)) {
            nxe_buf_add(&out, (nxe_str_t) { (const char *) p, len });

        } else if (c < 0x10000) {
            nxe_buf_addf(&out, "\\u%04lx", c);

        } else {
            nxe_buf_addf(&out, "\\u%04lx\\u%04lx",
                         0xd800 + ((c - 0x10000) >> 10),
                         0xdc00 + ((c - 0x10000) & 0x3ff));
        }
    }

    if (b->status != NXE_OK) {
        out.status = b->status;
    }

    rc = cli_print_buf(&out);
    nxe_buf_free(b);

    return rc;
}


const char *
cli_mark(const cli_t *cli, const char *word)
{
    const char  *color;

    color = strcmp(word, "ok") == 0 ? "32"
            : strcmp(word, "warn") == 0 ? "33"
            : strcmp(word, "FAIL") == 0 ? "31" : NULL;

    if (!cli->color || color == NULL) {
        return word;
    }

    return cli_format(cli, "\033[%sm%s\033[0m", color, word);
}


const char *
cli_ago(const cli_t *cli, nxe_str_t rfc3339)
{
    long        s;
    char        buf[32];
    time_t      then;
    struct tm   tm;

    memset(&tm, 0, sizeof(tm));

    if (rfc3339.len < 20 || rfc3339.len >= sizeof(buf)) {
        return "-";
    }

    memcpy(buf, rfc3339.data, rfc3339.len);
    buf[rfc3339.len] = '\0';

    if (strptime(buf, "%Y-%m-%dT%H:%M:%S", &tm) == NULL) {
        return "-";
    }

    then = timegm(&tm);
    s = (long) (time(NULL) - then);

    if (s < 0) {
        s = 0;
    }

    return s < 120 ? cli_format(cli, "%ld s", s)
           : s < 120 * 60 ? cli_format(cli, "%ld min", s / 60)
           : s < 48 * 3600 ? cli_format(cli, "%ld h", s / 3600)
           : cli_format(cli, "%ld d", s / 86400);
}
