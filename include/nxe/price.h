/*
 * What the tokens of a model cost.
 *
 * A price is an exact decimal of a currency per million tokens, kept as an
 * integer of 10^-9 of it; so is what a request costs.  No floating point.
 */

#ifndef NXE_PRICE_H
#define NXE_PRICE_H

#include <nxe/base.h>
#include <nxe/buf.h>
#include <nxe/frac.h>

NXE_BEGIN_DECLS


#define NXE_PRICES       1000       /* of a registry */
#define NXE_PRICE_MODEL  64         /* bytes of a model's name */
#define NXE_PRICE_MAX    ((uint64_t) 1000000 * NXE_NANO)

typedef struct {
    nxe_str_t           model;      /* what a model's name begins with */
    uint64_t            input;      /* 10^-9 currency per million tokens */
    uint64_t            output;
    uint64_t            cached;
    uint64_t            cache_write;
    char                currency[4];
} nxe_price_t;

/*
 * 1 if s may be the model of a price: 1 to NXE_PRICE_MODEL bytes of UTF-8
 * without control characters.
 */
int nxe_price_model_ok(nxe_str_t s);

/* 1 if s is three upper-case letters. */
int nxe_price_currency_ok(nxe_str_t s);

/*
 * The price of the longest model of the table that model begins with, byte
 * by byte; NULL where there is none.  The table is in the order of
 * nxe_prices_parse().
 */
const nxe_price_t *nxe_price_find(const nxe_price_t *prices, size_t n,
    nxe_str_t model);

/*
 * What tokens cost, in 10^-9 of the price's currency, rounded once, half up:
 *
 *     (input - cached - cache_write) x input price + cached x cached price
 *     + cache_write x cache-write price + output x output price
 *
 * over 10^6 (DESIGN, "Log": input counts all three, output has the reasoning
 * tokens).  What is not known of cached and cache_write is 0.  NXE_DECLINED:
 * cached + cache_write > input, a count above NXE_TOKENS_MAX (meter.h), or a
 * result of more than 64 bits.
 */
nxe_status_t nxe_price_cost(const nxe_price_t *price, uint64_t input,
    uint64_t output, uint64_t cached, uint64_t cache_write, uint64_t *nano);


/*
 * A table as the registry and the serving copy hold it, by model bytewise:
 *
 *     [{"model":"gpt-4o","input":2.5,"output":10,"cached":1.25,
 *       "cache_write":2.5,"currency":"USD"},…]
 *
 * parse: memory of mem; models are borrowed from json where they have no
 * escapes.  NXE_INVALID names the entry, from 1, and what is wrong with it:
 * it is no price, not in order, a model occurs twice, or there are more than
 * NXE_PRICES.  An empty json is a table of none.
 */
nxe_status_t nxe_prices_parse(nxe_str_t json, const nxe_mem_t *mem,
    nxe_price_t **prices, size_t *n, nxe_error_t *err);

/* The status is the buffer's. */
nxe_status_t nxe_prices_print(const nxe_price_t *prices, size_t n,
    nxe_buf_t *b);

/* One entry of it. */
nxe_status_t nxe_price_print(const nxe_price_t *price, nxe_buf_t *b);


NXE_END_DECLS

#endif /* NXE_PRICE_H */
