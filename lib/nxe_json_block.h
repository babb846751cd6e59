/*
 * What the wide kernels share: strings and numbers as 64 bits a turn, a bit a
 * byte, and the tables that vectors are looked up in by nibble.
 *
 * Escapes: a run of backslashes escapes what follows if its length is odd
 * (Langdale, Lemire: Parsing Gigabytes of JSON per Second, VLDB Journal 28,
 * 2019).  UTF-8: three look-ups a byte (Keiser, Lemire: Validating UTF-8 In
 * Less Than One Instruction Per Byte, Software: Practice and Experience 51,
 * 2021).
 */

#ifndef NXE_JSON_BLOCK_H
#define NXE_JSON_BLOCK_H

#include <immintrin.h>

#include "nxe_json_int.h"


/* What a block of a string tells the next one. */

typedef struct {
    uint64_t              escaped;      /* bit 0: its first byte is */
    uint64_t              hex;          /* its first bytes must be hex */
    uint64_t              utf8;         /* 1: it goes on with a sequence */
    uint64_t              u;            /* the escaped "u" of this block */
} nxe_block_t;


/*
 * The bytes that a backslash escapes.  The empty asm keeps gcc 12 from fusing
 * the mask into compares of the caller, which halves the speed.
 */

static inline uint64_t
nxe_block_escaped(uint64_t slash, uint64_t *carry)
{
    uint64_t               ends, escaped;
    static const uint64_t  odd = 0xaaaaaaaaaaaaaaaau;

    ends = slash & ~*carry;
    ends = (((ends << 1) | odd) - ends) ^ odd;
    escaped = ends ^ (slash | *carry);
    *carry = (ends & slash) >> 63;

    __asm__ ("" : "+r" (escaped));

    return escaped;
}


/* Faults of \uXXXX: what has to be a hexadecimal digit and is none. */

static inline uint64_t
nxe_block_hex(nxe_block_t *b, uint64_t hex)
{
    uint64_t  need;

    need = b->hex | b->u << 1 | b->u << 2 | b->u << 3 | b->u << 4;
    b->hex = b->u >> 63 | b->u >> 62 | b->u >> 61 | b->u >> 60;

    return need & ~hex;
}


/*
 * Behind a block that ends at p: the start of the escape or character that p
 * is in the middle of, or p.
 */

static inline const unsigned char *
nxe_block_clean(const unsigned char *p, const nxe_block_t *b)
{
    if (b->escaped) {
        return p - 1;
    }

    if (b->hex) {
        return p - __builtin_clzll(b->u) - 2;
    }

    if (b->utf8) {
        return p[-1] >= 0xc0 ? p - 1 : p[-2] >= 0xe0 ? p - 2 : p - 3;
    }

    return p;
}


/*
 * Numbers between commas, as bits.  A byte is judged by its kind and that of
 * the byte before, but for three faults: a second point or exponent, which
 * the ends of the runs of digits show (adding a run's first bit to the run
 * carries to the bit behind it), and a zero in front.
 */

typedef struct {
    uint64_t              digit;
    uint64_t              zero;
    uint64_t              minus;
    uint64_t              plus;
    uint64_t              point;
    uint64_t              e;
    uint64_t              comma;
    uint64_t              space;
} nxe_numbers_t;

/* Bit 0: what the last byte of the block before means to the first. */

typedef struct {
    uint64_t              digit;
    uint64_t              begin;        /* a number may begin */
    uint64_t              minus;        /* it has begun, with a sign */
    uint64_t              zero;         /* it has begun, with a zero */
    uint64_t              point;
    uint64_t              e;
    uint64_t              sign;         /* of an exponent */
    uint64_t              fraction;     /* a run of its digits goes on */
    uint64_t              exponent;
} nxe_numbers_carry_t;

/* What follows the bytes of x; the carry is that of the next block. */

static inline uint64_t
nxe_behind(uint64_t x, uint64_t *carry)
{
    uint64_t  y;

    y = x << 1 | *carry;
    *carry = x >> 63;

    return y;
}


static inline uint64_t
nxe_numbers_faults(const nxe_numbers_t *n, nxe_numbers_carry_t *c)
{
    uint64_t  begin, after_digit, after_e, fraction, exponent, ends, faults;

    after_digit = nxe_behind(n->digit, &c->digit);
    begin = nxe_behind(n->comma | n->space, &c->begin);
    after_e = nxe_behind(n->e, &c->e);

    faults = ((n->comma | n->point | n->e) & ~after_digit)
             | (n->space & ~begin) | (n->minus & ~(begin | after_e))
             | (n->plus & ~after_e);

    fraction = n->digit & nxe_behind(n->point, &c->point);
    exponent = n->digit
               & (after_e
                  | nxe_behind((n->minus | n->plus) & after_e, &c->sign));

    c->fraction = __builtin_add_overflow(fraction | c->fraction, n->digit,
                                         &ends);
    faults |= ends & ~n->digit & n->point;

    c->exponent = __builtin_add_overflow(exponent | c->exponent, n->digit,
                                         &ends);
    faults |= ends & ~n->digit & (n->point | n->e);

    begin |= nxe_behind(n->minus & begin, &c->minus);
    faults |= nxe_behind(n->zero & begin, &c->zero) & n->digit;

    return faults;
}


/* What a string may not have as it is, at its low nibble; else no such byte */

#define nxe_quotes(table)                                                     \
    table(1, 0, '"', 0, 0, 0, 0, 0, 0, 0, 0, 0, '\\', 0, 0, 0)


/* Of " \ / b f n r t u: bits 1 for 0x2_, 2 for 0x5_, 4 for 0x6_, 8 for 0x7_ */

#define nxe_escapable_low(table)                                              \
    table(0, 0, 1 | 4 | 8, 0, 8, 8, 4, 0, 0, 0, 0, 0, 2, 0, 4, 1)

#define nxe_escapable_high(table)                                             \
    table(0, 0, 1, 0, 0, 2, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0)


/* Of 0-9, A-F, a-f: bits 1 for 0x3_, 2 for 0x4_ and 0x6_ */

#define nxe_hex_low(table)                                                    \
    table(1, 3, 3, 3, 3, 3, 3, 1, 1, 1, 0, 0, 0, 0, 0, 0)

#define nxe_hex_high(table)                                                   \
    table(0, 0, 0, 1, 2, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0)


/*
 * The tables of Keiser and Lemire: what may be wrong with a pair of bytes, by
 * the nibbles of the first and the high nibble of the second.
 */

#define NXE_U_SHORT      0x01       /* a lead, then no continuation */
#define NXE_U_LONG       0x02       /* ASCII, then a continuation */
#define NXE_U_OVER3      0x04
#define NXE_U_LARGE      0x08       /* above U+10FFFF */
#define NXE_U_SURROGATE  0x10
#define NXE_U_OVER2      0x20
#define NXE_U_LARGE_OR4  0x40       /* above, or overlong in four bytes */
#define NXE_U_TWO        (-0x80)    /* two continuations: a sequence of three
                                       or four has to be before them */
#define NXE_U_ANY        (NXE_U_SHORT | NXE_U_LONG | NXE_U_TWO)

#define nxe_utf8_first_high(table)                                            \
    table(NXE_U_LONG, NXE_U_LONG, NXE_U_LONG, NXE_U_LONG,                     \
          NXE_U_LONG, NXE_U_LONG, NXE_U_LONG, NXE_U_LONG,                     \
          NXE_U_TWO, NXE_U_TWO, NXE_U_TWO, NXE_U_TWO,                         \
          NXE_U_SHORT | NXE_U_OVER2, NXE_U_SHORT,                             \
          NXE_U_SHORT | NXE_U_OVER3 | NXE_U_SURROGATE,                        \
          NXE_U_SHORT | NXE_U_LARGE | NXE_U_LARGE_OR4)

#define nxe_utf8_first_low(table)                                             \
    table(NXE_U_ANY | NXE_U_OVER3 | NXE_U_OVER2 | NXE_U_LARGE_OR4,            \
          NXE_U_ANY | NXE_U_OVER2, NXE_U_ANY, NXE_U_ANY,                      \
          NXE_U_ANY | NXE_U_LARGE, NXE_U_ANY | NXE_U_LARGE | NXE_U_LARGE_OR4, \
          NXE_U_ANY | NXE_U_LARGE | NXE_U_LARGE_OR4,                          \
          NXE_U_ANY | NXE_U_LARGE | NXE_U_LARGE_OR4,                          \
          NXE_U_ANY | NXE_U_LARGE | NXE_U_LARGE_OR4,                          \
          NXE_U_ANY | NXE_U_LARGE | NXE_U_LARGE_OR4,                          \
          NXE_U_ANY | NXE_U_LARGE | NXE_U_LARGE_OR4,                          \
          NXE_U_ANY | NXE_U_LARGE | NXE_U_LARGE_OR4,                          \
          NXE_U_ANY | NXE_U_LARGE | NXE_U_LARGE_OR4,                          \
          NXE_U_ANY | NXE_U_LARGE | NXE_U_LARGE_OR4 | NXE_U_SURROGATE,        \
          NXE_U_ANY | NXE_U_LARGE | NXE_U_LARGE_OR4,                          \
          NXE_U_ANY | NXE_U_LARGE | NXE_U_LARGE_OR4)

#define NXE_U_SECOND     (NXE_U_LONG | NXE_U_OVER2 | NXE_U_TWO)

#define nxe_utf8_second_high(table)                                           \
    table(NXE_U_SHORT, NXE_U_SHORT, NXE_U_SHORT, NXE_U_SHORT,                 \
          NXE_U_SHORT, NXE_U_SHORT, NXE_U_SHORT, NXE_U_SHORT,                 \
          NXE_U_SECOND | NXE_U_OVER3 | NXE_U_LARGE_OR4,                       \
          NXE_U_SECOND | NXE_U_OVER3 | NXE_U_LARGE,                           \
          NXE_U_SECOND | NXE_U_SURROGATE | NXE_U_LARGE,                       \
          NXE_U_SECOND | NXE_U_SURROGATE | NXE_U_LARGE,                       \
          NXE_U_SHORT, NXE_U_SHORT, NXE_U_SHORT, NXE_U_SHORT)


#endif /* NXE_JSON_BLOCK_H */
