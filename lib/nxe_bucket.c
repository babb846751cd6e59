#include <string.h>

#include <nxe/frac.h>


/* 5^32: k / 2^32 is k * 5^32 / 10^32, exactly, below 2^107. */
#define NXE_BUCKET_5_32                                                       \
    ((nxe_u128_t) 23283064365386962ULL * 1000000 + 890625)

#define NXE_BUCKET_DIGITS  32


static nxe_u128_t nxe_bucket_pow10(unsigned n);
static size_t nxe_bucket_text(uint64_t q, unsigned places,
    char out[NXE_DOUBLE_LEN]);


/*
 * The decimal of fewest digits that lies nearer to the double k / 2^32 than
 * half of the distance to its neighbours, in exact integers: units are
 * 10^-32, q is the value in units of 10^-places, each step takes a digit
 * away.  A double in [2^e, 2^(e + 1)) has neighbours at 2^(e - 52), a power
 * of two has its lower one at half of that.
 */

size_t
nxe_bucket_print(uint32_t k, char out[NXE_DOUBLE_LEN])
{
    unsigned    places, next, digit;
    uint64_t    q, shorter;
    nxe_u128_t  exact, unit, rest, off, above, below;

    if (k == 0) {
        out[0] = '0';
        out[1] = '\0';
        return 1;
    }

    exact = k * NXE_BUCKET_5_32;

    /* 2^(e - 53) with k in [2^(e + 32), 2^(e + 33)), cut: it is no integer */

    above = NXE_BUCKET_5_32 >> (53 - (31 - __builtin_clz(k)));
    below = (k & (k - 1)) == 0 ? above >> 1 : above;

    for (places = 16; nxe_bucket_pow10(NXE_BUCKET_DIGITS - places) / 2 > below;
         places++)
    {
        /* void */
    }

    /* exact = q * unit + rest, from here on */

    unit = nxe_bucket_pow10(NXE_BUCKET_DIGITS - places);
    q = (uint64_t) (exact / unit);
    rest = exact - q * unit;
    next = places;
    shorter = q;

    /* the nearest decimal of so many places, half to even as printf() does */

    if (rest > unit / 2 || (rest == unit / 2 && (q & 1))) {
        shorter++;
    }

    while (next > 1) {
        digit = (unsigned) (q % 10);
        rest += digit * unit;
        q /= 10;
        unit *= 10;
        next--;

        off = unit - rest;

        if (rest < off || (rest == off && !(q & 1))) {
            if (rest > below) {
                break;
            }

            shorter = q;

        } else {
            if (off > above) {
                break;
            }

            shorter = q + 1;
        }

        places = next;
    }

    return nxe_bucket_text(shorter, places, out);
}


static nxe_u128_t
nxe_bucket_pow10(unsigned n)
{
    nxe_u128_t  p;

    static const uint64_t  small[] = {
        1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000,
        1000000000, 10000000000, 100000000000, 1000000000000, 10000000000000,
        100000000000000, 1000000000000000, 10000000000000000
    };

    for (p = 1; n > 16; n -= 16) {
        p *= small[16];
    }

    return p * small[n];
}


/* q / 10^places as "%.17g" lays it out. */

static size_t
nxe_bucket_text(uint64_t q, unsigned places, char out[NXE_DOUBLE_LEN])
{
    char      digits[24], *d, *p;
    size_t    n;
    unsigned  zeros, exponent;

    d = digits + sizeof(digits);

    do {
        *--d = (char) ('0' + q % 10);
        q /= 10;
    } while (q != 0);

    n = (size_t) (digits + sizeof(digits) - d);
    zeros = places - (unsigned) n;
    p = out;

    while (n > 1 && d[n - 1] == '0') {
        n--;
    }

    if (zeros < 4) {
        *p++ = '0';
        *p++ = '.';
        memset(p, '0', zeros);
        p += zeros;
        memcpy(p, d, n);
        p += n;
        *p = '\0';

        return (size_t) (p - out);
    }

    *p++ = d[0];

    if (n > 1) {
        *p++ = '.';
        memcpy(p, d + 1, n - 1);
        p += n - 1;
    }

    exponent = zeros + 1;
    *p++ = 'e';
    *p++ = '-';
    *p++ = (char) ('0' + exponent / 10);
    *p++ = (char) ('0' + exponent % 10);
    *p = '\0';

    return (size_t) (p - out);
}
