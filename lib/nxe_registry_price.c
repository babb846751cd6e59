/*
 * The prices of the registry: one table in meta.
 */

#include <string.h>

#include <nxe/arena.h>

#include "nxe_registry_int.h"

/* Of the table: a model's bytes may be six each, as \u escapes. */
#define TABLE_MAX  ((size_t) NXE_PRICES * (6 * NXE_PRICE_MODEL + 256))


nxe_status_t
nxe_registry_prices(nxe_registry_txn_t *txn, const nxe_mem_t *mem,
    nxe_price_t **prices, size_t *n, nxe_error_t *err)
{
    nxe_str_t     json;
    nxe_error_t   one;
    nxe_status_t  rc;

    /* copied, since models are borrowed from it */

    rc = nxe_registry_meta(txn, "prices", mem, &json, err);

    if (rc == NXE_DECLINED) {
        json = nxe_str("");

    } else if (rc != NXE_OK) {
        return rc;
    }

    rc = nxe_prices_parse(json, mem, prices, n, &one);

    return rc == NXE_OK
           ? NXE_OK
           : nxe_fail(err, rc, "the registry's prices: %s", one.text);
}


static nxe_status_t
put_table(nxe_registry_txn_t *txn, const nxe_price_t *prices, size_t n,
    nxe_error_t *err)
{
    nxe_buf_t     b;
    nxe_status_t  rc;

    nxe_buf_init(&b, TABLE_MAX);

    rc = nxe_prices_print(prices, n, &b) != NXE_OK
         ? nxe_fail(err, NXE_NOMEM, "out of memory")
         : nxe_registry_put_meta(txn, "prices", nxe_buf_str(&b), err);

    nxe_buf_free(&b);

    return rc;
}


/* price NULL: the model's is gone. */

static nxe_status_t
add_history(nxe_registry_txn_t *txn, nxe_str_t model,
    const nxe_price_t *price, const nxe_actor_t *actor, nxe_error_t *err)
{
    nxe_buf_t     b;
    nxe_status_t  rc;

    nxe_buf_init(&b, TABLE_MAX);

    if (price != NULL) {
        (void) nxe_price_print(price, &b);

    } else {
        (void) nxe_buf_add(&b, nxe_str("{\"model\":"));
        (void) nxe_buf_add_json(&b, model);
        (void) nxe_buf_addc(&b, '}');
    }

    rc = b.status != NXE_OK
         ? nxe_fail(err, NXE_NOMEM, "out of memory")
         : nxe_registry_add_history(txn, nxe_str(""), "price",
                                    nxe_buf_str(&b), NULL, actor, err);

    nxe_buf_free(&b);

    return rc;
}


static int
is_same(const nxe_price_t *a, const nxe_price_t *b)
{
    return a->input == b->input && a->output == b->output
           && a->cached == b->cached && a->cache_write == b->cache_write
           && strcmp(a->currency, b->currency) == 0;
}


/* The table with one price put or, where it is NULL, taken away. */

static nxe_status_t
change(nxe_registry_txn_t *txn, const nxe_mem_t *mem, nxe_str_t model,
    const nxe_price_t *price, nxe_error_t *err)
{
    int            there;
    size_t         i, n;
    nxe_price_t   *prices, *list;
    nxe_status_t   rc;

    rc = nxe_registry_prices(txn, mem, &prices, &n, err);
    if (rc != NXE_OK) {
        return rc;
    }

    for (i = 0; i < n && nxe_str_cmp(prices[i].model, model) < 0; i++) {
        /* void */
    }

    there = i < n && nxe_str_eq(prices[i].model, model);

    if (price == NULL ? !there : there && is_same(&prices[i], price)) {
        return NXE_DECLINED;
    }

    if (!there && n == NXE_PRICES) {
        return nxe_fail(err, NXE_CONFLICT, "there are %d prices, and no more "
                        "are taken", NXE_PRICES);
    }

    list = nxe_calloc(mem, (n + 1) * sizeof(nxe_price_t));
    if (list == NULL) {
        return nxe_fail(err, NXE_NOMEM, "out of memory");
    }

    /* those before it, itself, those behind it */

    if (n != 0) {
        memcpy(list, prices, i * sizeof(nxe_price_t));
        memcpy(&list[i + (price != NULL)], &prices[i + (size_t) there],
               (n - i - (size_t) there) * sizeof(nxe_price_t));
    }

    n -= (size_t) there;

    if (price != NULL) {
        list[i] = *price;
        n++;
    }

    return put_table(txn, list, n, err);
}


static nxe_status_t
change_and_tell(nxe_registry_txn_t *txn, nxe_str_t model,
    const nxe_price_t *price, const nxe_actor_t *actor, nxe_error_t *err)
{
    nxe_arena_t   *arena;
    nxe_status_t   rc;

    arena = nxe_arena_new();
    if (arena == NULL) {
        return nxe_fail(err, NXE_NOMEM, "out of memory");
    }

    rc = change(txn, nxe_arena_mem(arena), model, price, err);
    nxe_arena_free(arena);

    return rc == NXE_OK ? add_history(txn, model, price, actor, err) : rc;
}


nxe_status_t
nxe_registry_put_price(nxe_registry_txn_t *txn, const nxe_price_t *price,
    const nxe_actor_t *actor, nxe_error_t *err)
{
    if (!nxe_price_model_ok(price->model)) {
        return nxe_fail(err, NXE_INVALID, "a model is 1 to %d bytes of UTF-8 "
                        "without control characters", NXE_PRICE_MODEL);
    }

    return change_and_tell(txn, price->model, price, actor, err);
}


nxe_status_t
nxe_registry_drop_price(nxe_registry_txn_t *txn, nxe_str_t model,
    const nxe_actor_t *actor, nxe_error_t *err)
{
    return change_and_tell(txn, model, NULL, actor, err);
}
