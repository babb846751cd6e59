/*
 * Exact fractions: no floating point decides an assignment.
 *
 * A fraction is num/den with 0 <= num <= den <= 10^18, so that products of a
 * weight and an exposure, and their multiples of 2^32, fit into 128 bits.
 */

#ifndef NXE_FRAC_H
#define NXE_FRAC_H

#include <nxe/base.h>

NXE_BEGIN_DECLS


typedef unsigned __int128  nxe_u128_t;

typedef struct {
    uint64_t            num;
    uint64_t            den;
} nxe_frac_t;

#define NXE_FRAC_ZERO   ((nxe_frac_t) { 0, 1 })
#define NXE_FRAC_ONE    ((nxe_frac_t) { 1, 1 })
#define NXE_NANO        1000000000u

/*
 * A JSON number from 0 to 1 with at most nine digits after the point once
 * trailing zeros are gone ("1e-1" and "0.10" are the same 0.1).
 * NXE_INVALID: anything else.
 */
nxe_status_t nxe_frac_parse(nxe_str_t s, nxe_frac_t *f);

/*
 * A JSON number from 0 to max * 10^-9 with at most nine digits after the
 * point once trailing zeros are gone, as a multiple of 10^-9.  max is at most
 * 10^18.  NXE_INVALID: anything else.
 */
nxe_status_t nxe_nano_parse(nxe_str_t s, uint64_t max, uint64_t *nano);

/*
 * The shortest decimal of a multiple of 10^-9: "2.5", "0.000000001", "0".
 * Returns the length; out is zero-terminated.
 */
#define NXE_NANO_LEN  24

size_t nxe_nano_print(uint64_t nano, char out[NXE_NANO_LEN]);

/* As nxe_frac_parse(), or a percentage: "10%" is 0.1. */
nxe_status_t nxe_frac_parse_share(nxe_str_t s, nxe_frac_t *f);

/* Below 0, 0, above 0. */
int nxe_frac_cmp(nxe_frac_t a, nxe_frac_t b);

/*
 * T(f) = ceil(f * 2^32), from 0 to 2^32: a 32-bit k is in [s, e) if and only
 * if T(s) <= k < T(e).
 */
uint64_t nxe_frac_threshold(nxe_frac_t f);

double nxe_frac_double(nxe_frac_t f);

/*
 * A fraction of 10^9 (or 0/1, 1/1) as the shortest decimal: "0.25", "1".
 * Returns the length; out is zero-terminated.
 */
#define NXE_FRAC_LEN  16

size_t nxe_frac_print(nxe_frac_t f, char out[NXE_FRAC_LEN]);

/*
 * The shortest decimal that reads back as the same double, for JSON:
 * "0.5106575842946768", "1", "1e-09".  out has NXE_DOUBLE_LEN bytes; returns
 * the length.  value must be finite.
 */
#define NXE_DOUBLE_LEN  32

size_t nxe_double_print(double value, char out[NXE_DOUBLE_LEN]);

/*
 * k / 2^32 as nxe_double_print() gives it, many times faster.
 */
size_t nxe_bucket_print(uint32_t k, char out[NXE_DOUBLE_LEN]);

/* 1 if s is a JSON number, with nothing around it. */
int nxe_decimal_ok(nxe_str_t s);

/*
 * Compares two JSON numbers as exact decimals, whatever their spelling: 0 if
 * equal, below 0 or above 0 in order.  Both must be valid JSON numbers; an
 * exponent beyond +-10^9 saturates.
 */
int nxe_decimal_cmp(nxe_str_t a, nxe_str_t b);

/*
 * A JSON number, of either sign, as a multiple of 10^-9, halves rounded away
 * from zero.  NXE_INVALID: it is none, or not within 10^9 of 0.
 */
nxe_status_t nxe_decimal_nano(nxe_str_t s, int64_t *nano);


NXE_END_DECLS

#endif /* NXE_FRAC_H */
