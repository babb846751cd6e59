#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nxe/frac.h>


/*
 * A JSON number taken apart: 0.D1D2D3... x 10^exp, without leading or
 * trailing zeros among the digits; zero has no digits.
 */

typedef struct {
    nxe_str_t           text;
    size_t              first;      /* of the first significant digit */
    size_t              last;       /* of the last one */
    size_t              n;          /* how many, points not counted */
    int64_t             exp;
    unsigned            negative:1;
} nxe_decimal_t;


static int nxe_decimal_scan(nxe_str_t s, nxe_decimal_t *d);
static int64_t nxe_decimal_exponent(nxe_str_t s, size_t *i);
static int nxe_decimal_digits_cmp(const nxe_decimal_t *a,
    const nxe_decimal_t *b);


nxe_status_t
nxe_frac_parse(nxe_str_t s, nxe_frac_t *f)
{
    uint64_t      nano;
    nxe_status_t  rc;

    rc = nxe_nano_parse(s, NXE_NANO, &nano);

    if (rc == NXE_OK) {
        *f = (nxe_frac_t) { nano, NXE_NANO };
    }

    return rc;
}


nxe_status_t
nxe_nano_parse(nxe_str_t s, uint64_t max, uint64_t *nano)
{
    size_t         i;
    int64_t        digits;
    uint64_t       num;
    nxe_decimal_t  d;

    if (nxe_decimal_scan(s, &d) != 0 || (d.negative && d.n != 0)) {
        return NXE_INVALID;
    }

    if (d.n == 0) {
        *nano = 0;
        return NXE_OK;
    }

    /*
     * 0.D1... x 10^exp has n - exp digits behind the point; with more than
     * ten before it, it is above any max, and num would not hold it.
     */

    if (d.exp > 10 || d.exp < -9 || (int64_t) d.n - d.exp > 9) {
        return NXE_INVALID;
    }

    num = 0;
    for (i = d.first; i <= d.last; i++) {
        if (s.data[i] != '.') {
            num = num * 10 + (uint64_t) (s.data[i] - '0');
        }
    }

    for (digits = (int64_t) d.n - d.exp; digits < 9; digits++) {
        num *= 10;
    }

    if (num > max) {
        return NXE_INVALID;
    }

    *nano = num;

    return NXE_OK;
}


nxe_status_t
nxe_frac_parse_share(nxe_str_t s, nxe_frac_t *f)
{
    int        n;
    char       buf[64];
    nxe_str_t  number;

    if (s.len == 0 || s.data[s.len - 1] != '%') {
        return nxe_frac_parse(s, f);
    }

    if (s.len > 40) {
        return NXE_INVALID;
    }

    /* a percentage is the number with its exponent lowered by two */

    number.data = s.data;
    number.len = s.len - 1;

    if (memchr(number.data, 'e', number.len) != NULL
        || memchr(number.data, 'E', number.len) != NULL
        || memchr(number.data, '\0', number.len) != NULL)
    {
        return NXE_INVALID;
    }

    n = snprintf(buf, sizeof(buf), "%.*se-2", (int) number.len, number.data);

    number.data = buf;
    number.len = (size_t) n;

    return nxe_frac_parse(number, f);
}


int
nxe_frac_cmp(nxe_frac_t a, nxe_frac_t b)
{
    nxe_u128_t  x, y;

    x = (nxe_u128_t) a.num * b.den;
    y = (nxe_u128_t) b.num * a.den;

    return (x > y) - (x < y);
}


uint64_t
nxe_frac_threshold(nxe_frac_t f)
{
    return (uint64_t) ((((nxe_u128_t) f.num << 32) + f.den - 1) / f.den);
}


double
nxe_frac_double(nxe_frac_t f)
{
    return (double) f.num / (double) f.den;
}


size_t
nxe_frac_print(nxe_frac_t f, char out[NXE_FRAC_LEN])
{
    size_t  n;
    char    buf[NXE_NANO_LEN];

    n = nxe_nano_print(f.num * (NXE_NANO / f.den), buf);
    memcpy(out, buf, n + 1);

    return n;
}


size_t
nxe_nano_print(uint64_t nano, char out[NXE_NANO_LEN])
{
    int  n;

    if (nano % NXE_NANO == 0) {
        n = snprintf(out, NXE_NANO_LEN, "%llu",
                     (unsigned long long) (nano / NXE_NANO));
        return (size_t) n;
    }

    n = snprintf(out, NXE_NANO_LEN, "%llu.%09u",
                 (unsigned long long) (nano / NXE_NANO),
                 (unsigned) (nano % NXE_NANO));

    while (out[n - 1] == '0') {
        out[--n] = '\0';
    }

    return (size_t) n;
}


size_t
nxe_double_print(double value, char out[NXE_DOUBLE_LEN])
{
    int  n, digits;

    if (value == 0) {
        value = 0;              /* no "-0" */
    }

    for (digits = 1, n = 0; digits <= 17; digits++) {
        n = snprintf(out, NXE_DOUBLE_LEN, "%.*g", digits, value);

        if (strtod(out, NULL) == value) {
            break;
        }
    }

    /* %g writes 1e+02 where 100 is as short and what people expect */

    if (fabs(value) < 1e15 && value == floor(value)) {
        n = snprintf(out, NXE_DOUBLE_LEN, "%.0f", value);
    }

    return (size_t) n;
}


int
nxe_decimal_ok(nxe_str_t s)
{
    nxe_decimal_t  d;

    return nxe_decimal_scan(s, &d) == 0;
}


int
nxe_decimal_cmp(nxe_str_t a, nxe_str_t b)
{
    int            rc;
    nxe_decimal_t  x, y;

    if (nxe_decimal_scan(a, &x) != 0 || nxe_decimal_scan(b, &y) != 0) {
        return nxe_str_cmp(a, b);
    }

    if (x.n == 0 || y.n == 0) {
        rc = (x.n != 0) - (y.n != 0);
        return (x.n != 0 ? x.negative : y.negative) ? -rc : rc;
    }

    if (x.negative != y.negative) {
        return x.negative ? -1 : 1;
    }

    rc = x.exp != y.exp ? (x.exp > y.exp ? 1 : -1)
                        : nxe_decimal_digits_cmp(&x, &y);

    return x.negative ? -rc : rc;
}


nxe_status_t
nxe_decimal_nano(nxe_str_t s, int64_t *nano)
{
    int            up;
    size_t         i;
    int64_t        left, value;
    nxe_decimal_t  d;

    if (nxe_decimal_scan(s, &d) != 0) {
        return NXE_INVALID;
    }

    if (d.n == 0 || d.exp < -9) {
        *nano = 0;
        return NXE_OK;
    }

    if (d.exp > 9) {
        return NXE_INVALID;
    }

    /* 0.D1D2... x 10^exp has exp + 9 digits down to the 10^-9 */

    left = d.exp + 9;
    value = 0;
    up = 0;

    for (i = d.first; i <= d.last; i++) {

        if (s.data[i] == '.') {
            continue;
        }

        if (left-- == 0) {
            up = (s.data[i] >= '5');
            break;
        }

        value = value * 10 + (s.data[i] - '0');
    }

    for ( /* void */ ; left > 0; left--) {
        value *= 10;
    }

    value += up;
    *nano = d.negative ? -value : value;

    return NXE_OK;
}


/* 0 if s is a JSON number. */

static int
nxe_decimal_scan(nxe_str_t s, nxe_decimal_t *d)
{
    char    c;
    size_t  i, start, before, point;

    memset(d, 0, sizeof(nxe_decimal_t));
    d->text = s;

    i = 0;

    if (i < s.len && s.data[i] == '-') {
        d->negative = 1;
        i++;
    }

    start = i;
    point = SIZE_MAX;
    before = 0;                 /* significant digits before the point */

    for ( /* void */ ; i < s.len; i++) {
        c = s.data[i];

        if (c == '.' && point == SIZE_MAX && i != start) {
            point = i;
            continue;
        }

        if (c < '0' || c > '9') {
            break;
        }

        if (d->n == 0 && c == '0') {
            if (point != SIZE_MAX) {
                d->exp--;
            }

            continue;
        }

        if (d->n++ == 0) {
            d->first = i;
        }

        if (point == SIZE_MAX) {
            before++;
        }
    }

    if (i == start || s.data[i - 1] == '.'
        || (s.data[start] == '0' && i > start + 1 && point != start + 1))
    {
        return 1;
    }

    if (d->n != 0) {
        for (d->last = i - 1; s.data[d->last] == '0' || s.data[d->last] == '.';
             d->last--)
        {
            if (s.data[d->last] == '0') {
                d->n--;
            }
        }
    }

    d->exp += (int64_t) before + nxe_decimal_exponent(s, &i);

    return i != s.len;
}


/* The exponent at s.data[*i], 0 if there is none; *i moves behind it. */

static int64_t
nxe_decimal_exponent(nxe_str_t s, size_t *i)
{
    int      negative;
    size_t   p;
    int64_t  e;

    p = *i;

    if (p == s.len || (s.data[p] | 0x20) != 'e') {
        return 0;
    }

    p++;
    negative = p < s.len && s.data[p] == '-';

    if (p < s.len && (s.data[p] == '-' || s.data[p] == '+')) {
        p++;
    }

    if (p == s.len || s.data[p] < '0' || s.data[p] > '9') {
        return 0;               /* *i stays: not a number */
    }

    for (e = 0; p < s.len && s.data[p] >= '0' && s.data[p] <= '9'; p++) {
        if (e < 1000000000) {
            e = e * 10 + (s.data[p] - '0');
        }
    }

    *i = p;

    return negative ? -e : e;
}


static int
nxe_decimal_digits_cmp(const nxe_decimal_t *a, const nxe_decimal_t *b)
{
    size_t  i, j;

    for (i = a->first, j = b->first; i <= a->last && j <= b->last; i++, j++) {

        if (a->text.data[i] == '.') {
            i++;
        }

        if (b->text.data[j] == '.') {
            j++;
        }

        if (a->text.data[i] != b->text.data[j]) {
            return a->text.data[i] > b->text.data[j] ? 1 : -1;
        }
    }

    return (a->n > b->n) - (a->n < b->n);
}
