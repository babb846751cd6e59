/*
 * Prices: which one a model has, what tokens cost, the table as JSON.
 */

#include "unit.h"

#include <nxe/meter.h>
#include <nxe/price.h>


#define PRICE(model)                                                          \
    "{\"model\":\"" model "\",\"input\":1,\"output\":2,\"cached\":0.5,"       \
    "\"cache_write\":1.25,\"currency\":\"USD\"}"


static void
table(const char *json, nxe_price_t **prices, size_t *n)
{
    nxe_error_t  err;

    if (nxe_prices_parse(nxe_str_of(json), unit_mem, prices, n, &err)
        != NXE_OK)
    {
        fail_msg("%s: %s", json, err.text);
    }
}


static void
test_find(void **state)
{
    size_t              i, n;
    nxe_price_t        *prices;
    const nxe_price_t  *p;

    static const struct {
        const char  *model;
        const char  *found;         /* NULL: none */
        const char  *why;
    } rows[] = {
        { "gpt-4o", "gpt-4o", "itself" },
        { "gpt-4o-2024-08-06", "gpt-4o", "a dated one" },
        { "gpt-4o-mini", "gpt-4o-mini", "the longer of two" },
        { "gpt-4o-mini-2024-07-18", "gpt-4o-mini", "and dated" },
        { "gpt-4o-min", "gpt-4o", "the longer one is no prefix of it" },
        { "gpt-4o-z", "gpt-4o", "behind all that begin with it" },
        { "gpt-4", "gpt-4", "shorter than its neighbours" },
        { "gpt-4-turbo", "gpt-4", "'-' before 'o'" },
        { "gpt-40", "gpt-4", "three steps back" },
        { "gpt-", "g", "cut to one letter" },
        { "gzz", "g", "behind what begins with its prefix" },
        { "gpt-5-x", "gpt-5", "the last of a family" },
        { "z", NULL, "behind all" },
        { "claude", NULL, "shorter than a price" },
        { "claude-sonnet-4", NULL, "near two, of neither" },
        { "claude-opus-4-1", "claude-opus-4", "the first in order" },
        { "Gpt-4o", NULL, "case counts" },
        { "", NULL, "no name" },
        { "g", "g", "one letter" }
    };

    (void) state;

    table("[" PRICE("claude-opus-4") "," PRICE("claude-sonnet-4-5") ","
          PRICE("g") "," PRICE("gpt-4") "," PRICE("gpt-4o") ","
          PRICE("gpt-4o-mini") "," PRICE("gpt-4o-mini-audio") ","
          PRICE("gpt-5") "]", &prices, &n);
    assert_int_equal(n, 8);

    for (i = 0; i < unit_n(rows); i++) {
        p = nxe_price_find(prices, n, nxe_str_of(rows[i].model));

        if (rows[i].found == NULL) {
            unit_row(p == NULL, rows[i].why);
            continue;
        }

        unit_row(p != NULL
                 && nxe_str_eq(p->model, nxe_str_of(rows[i].found)),
                 rows[i].why);
    }

    assert_null(nxe_price_find(NULL, 0, nxe_str("gpt-4o")));
}


/* Against what "longest prefix" says, on short names of two letters. */

static void
test_find_random(void **state)
{
    char                names[64][6], model[9];
    size_t              i, j, n, size, turn;
    uint64_t            seed;
    nxe_price_t         prices[64], *best, swap;
    const nxe_price_t  *found;

    (void) state;

    seed = 42;
    memset(prices, 0, sizeof(prices));

    for (turn = 0; turn < 2000; turn++) {
        n = 0;
        size = unit_random(&seed) % 64;

        for (i = 0; i < size; i++) {
            prices[n].model.data = names[n];
            prices[n].model.len = 1 + unit_random(&seed) % 5;

            for (j = 0; j < prices[n].model.len; j++) {
                names[n][j] = "ab"[unit_random(&seed) & 1];
            }

            for (j = 0; j < n; j++) {
                if (nxe_str_eq(prices[j].model, prices[n].model)) {
                    break;
                }
            }

            n += j == n;
        }

        for (i = 1; i < n; i++) {
            for (j = i; j > 0
                 && nxe_str_cmp(prices[j - 1].model, prices[j].model) > 0; j--)
            {
                swap = prices[j];
                prices[j] = prices[j - 1];
                prices[j - 1] = swap;
            }
        }

        for (j = 0; j < sizeof(model); j++) {
            model[j] = "ab"[unit_random(&seed) & 1];
        }

        best = NULL;

        for (i = 0; i < n; i++) {
            if (memcmp(prices[i].model.data, model, prices[i].model.len) == 0
                && (best == NULL || prices[i].model.len > best->model.len))
            {
                best = &prices[i];
            }
        }

        found = nxe_price_find(prices, n,
                               (nxe_str_t) { model, sizeof(model) });
        assert_ptr_equal(found, best);
    }
}


static void
test_cost(void **state)
{
    size_t        i;
    uint64_t      nano;
    nxe_price_t   price;
    nxe_status_t  rc;

    static const struct {
        uint64_t     price[4];      /* input output cached cache_write */
        uint64_t     tokens[4];     /* input output cached cache_write */
        uint64_t     nano;          /* UINT64_MAX: declined */
        const char  *why;
    } rows[] = {
        /* 0.8 k x 2.5 + 0.2 k x 1.25 + 0.3 k x 10, over 10^6: 0.00525 */
        { { 2500000000, 10000000000, 1250000000, 2500000000 },
          { 1000, 300, 200, 0 }, 5250000, "cached tokens are cheaper" },
        /* 100 x 3 + 50 x 15 + 600 x 0.3 + 250 x 3.75: 0.0021675 */
        { { 3000000000, 15000000000, 300000000, 3750000000 },
          { 950, 50, 600, 250 }, 2167500, "all four" },
        { { 2500000000, 10000000000, 1250000000, 2500000000 },
          { 0, 0, 0, 0 }, 0, "no tokens" },
        { { 0, 0, 0, 0 }, { 1000, 1000, 10, 10 }, 0, "a free model" },
        { { 500000, 0, 0, 0 }, { 1, 0, 0, 0 }, 1, "half a unit, up" },
        { { 499999, 0, 0, 0 }, { 1, 0, 0, 0 }, 0, "just below half" },
        { { 1499999, 0, 0, 0 }, { 1, 0, 0, 0 }, 1, "just below one half" },
        { { 500000, 0, 0, 0 }, { 3, 0, 0, 0 }, 2, "one and a half, up" },
        { { 500000, 500000, 0, 0 }, { 1, 1, 0, 0 }, 1, "rounded once" },
        { { 1, 0, 0, 0 }, { 500000, 0, 0, 0 }, 1, "the smallest price" },
        { { 1, 0, 0, 0 }, { 499999, 0, 0, 0 }, 0, "too few of it" },
        { { 1000000, 1, 7, 9 }, { 10, 0, 10, 0 }, 0, "all cached" },
        { { 0, 0, 1000000, 2000000 }, { 10, 0, 4, 6 }, 16,
          "cached and written make the input" },
        { { 0, 0, 1000000, 2000000 }, { 10, 0, 4, 7 }, UINT64_MAX,
          "more than the input" },
        { { 0, 0, 0, 0 }, { 10, 0, 11, 0 }, UINT64_MAX,
          "more cached than input" },
        { { 0, 0, 0, 0 }, { 0, 0, 0, 1 }, UINT64_MAX, "written from nothing" },
        { { 0, 0, 0, 0 }, { UINT64_MAX, 0, UINT64_MAX, UINT64_MAX },
          UINT64_MAX, "a sum that wraps" },
        { { 1000000, 0, 0, 0 }, { NXE_TOKENS_MAX, 0, 0, 0 },
          NXE_TOKENS_MAX, "the most tokens" },
        { { 0, 0, 0, 0 }, { NXE_TOKENS_MAX + 1, 0, 0, 0 }, UINT64_MAX,
          "one more of input" },
        { { 0, 0, 0, 0 }, { 0, NXE_TOKENS_MAX + 1, 0, 0 }, UINT64_MAX,
          "one more of output" },
        { { NXE_PRICE_MAX, 0, 0, 0 }, { 18446744073, 0, 0, 0 },
          18446744073000000000u, "the last that fits" },
        { { NXE_PRICE_MAX, 0, 0, 0 }, { 18446744074, 0, 0, 0 }, UINT64_MAX,
          "the first that does not" },
        { { NXE_PRICE_MAX, NXE_PRICE_MAX, NXE_PRICE_MAX, NXE_PRICE_MAX },
          { NXE_TOKENS_MAX, NXE_TOKENS_MAX, 1, 1 }, UINT64_MAX,
          "all at their most" }
    };

    (void) state;

    memset(&price, 0, sizeof(price));

    for (i = 0; i < unit_n(rows); i++) {
        price.input = rows[i].price[0];
        price.output = rows[i].price[1];
        price.cached = rows[i].price[2];
        price.cache_write = rows[i].price[3];
        nano = 12345;

        rc = nxe_price_cost(&price, rows[i].tokens[0], rows[i].tokens[1],
                            rows[i].tokens[2], rows[i].tokens[3], &nano);

        if (rows[i].nano == UINT64_MAX) {
            unit_row(rc == NXE_DECLINED && nano == 12345, rows[i].why);

        } else {
            unit_row(rc == NXE_OK && nano == rows[i].nano, rows[i].why);
        }
    }
}


static void
test_names(void **state)
{
    size_t     i;
    nxe_str_t  s;

    static const struct {
        const char  *s;
        size_t       len;
        int          ok;
        const char  *why;
    } rows[] = {
        { "gpt-4o", 6, 1, "a model" },
        { "ft:gpt-4o:acme::x/1", 19, 1, "punctuation" },
        { "", 0, 0, "empty" },
        { "a\n", 2, 0, "a line's end" },
        { "a\0b", 3, 0, "a zero byte" },
        { "\x1b[2J", 4, 0, "an escape" },
        { "\x7f", 1, 0, "DEL" },
        { "\xc2\x9b", 2, 0, "a C1 control" },
        { "\xc2\xa0", 2, 1, "the first behind C1" },
        { "\xc3\x9b", 2, 1, "not all that end so" },
        { "\xff", 1, 0, "no UTF-8" },
        { "\xc2", 1, 0, "half a character" }
    };

    static const char  long_name[] =
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdefX";

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        s.data = rows[i].s;
        s.len = rows[i].len;
        unit_row(nxe_price_model_ok(s) == rows[i].ok, rows[i].why);
    }

    s.data = long_name;
    s.len = 64;
    assert_true(nxe_price_model_ok(s));
    s.len = 65;
    assert_false(nxe_price_model_ok(s));

    assert_true(nxe_price_currency_ok(nxe_str("EUR")));
    assert_false(nxe_price_currency_ok(nxe_str("eur")));
    assert_false(nxe_price_currency_ok(nxe_str("EU")));
    assert_false(nxe_price_currency_ok(nxe_str("EURO")));
    assert_false(nxe_price_currency_ok(nxe_str("E1R")));
    assert_false(nxe_price_currency_ok(nxe_str("")));
}


static void
test_round(void **state)
{
    size_t        n;
    nxe_buf_t     b;
    nxe_price_t  *prices;

    static const char  json[] =
        "[{\"model\":\"a\\\"b\\\\\",\"input\":0.000000001,\"output\":1000000,"
        "\"cached\":0,\"cache_write\":0.1,\"currency\":\"EUR\"},"
        "{\"model\":\"gpt-4o\",\"input\":2.5,\"output\":10,\"cached\":1.25,"
        "\"cache_write\":2.5,\"currency\":\"USD\"}]";

    (void) state;

    table(json, &prices, &n);
    assert_int_equal(n, 2);
    assert_true(nxe_str_eq(prices[0].model, nxe_str("a\"b\\")));
    assert_int_equal(prices[0].input, 1);
    assert_true(prices[0].output == NXE_PRICE_MAX);
    assert_int_equal(prices[0].cached, 0);
    assert_int_equal(prices[0].cache_write, 100000000);
    assert_string_equal(prices[0].currency, "EUR");
    assert_true(prices[1].output == 10000000000u);
    assert_string_equal(prices[1].currency, "USD");

    nxe_buf_init(&b, 4096);
    assert_int_equal(nxe_prices_print(prices, n, &b), NXE_OK);
    assert_true(nxe_str_eq(nxe_buf_str(&b), nxe_str(json)));
    nxe_buf_free(&b);

    table("", &prices, &n);
    assert_int_equal(n, 0);
    table("[]", &prices, &n);
    assert_int_equal(n, 0);

    table("[{\"new\":[1],\"model\":\"m\",\"input\":1e0,\"output\":1,"
          "\"cached\":1,\"cache_write\":1,\"currency\":\"USD\"}]", &prices,
          &n);
    assert_true(prices[0].input == NXE_NANO);
}


static void
test_refused(void **state)
{
    size_t        i, n;
    nxe_buf_t     b;
    nxe_error_t   err;
    nxe_price_t  *prices;

#define WITH(input, currency)                                                 \
    "[{\"model\":\"m\",\"input\":" input ",\"output\":1,\"cached\":1,"        \
    "\"cache_write\":1,\"currency\":" currency "}]"

    static const struct {
        const char  *json;
        const char  *error;         /* a part of it */
        const char  *why;
    } rows[] = {
        { "{}", "no JSON list", "an object" },
        { "[", "no JSON list", "not whole" },
        { "[1]", "price 1 cannot be read: expected an object", "a number" },
        { "[{}]", "price 1 cannot be read: expected an object with",
          "no members" },
        { "[" PRICE("b") "," PRICE("a") "]", "price 2 cannot be read: "
          "expected a \"model\" behind", "out of order" },
        { "[" PRICE("b") "," PRICE("b") "]", "price 2", "twice" },
        { "[" PRICE("") "]", "\"model\" of 1 to 64", "no name" },
        { "[" PRICE("\\n") "]", "\"model\" of 1 to 64", "a control" },
        { WITH("1000000.000000001", "\"USD\""), "\"input\" from 0 to 1000000",
          "too dear" },
        { WITH("0.0000000001", "\"USD\""), "\"input\"", "ten digits" },
        { WITH("-1", "\"USD\""), "\"input\"", "negative" },
        { WITH("\"1\"", "\"USD\""), "\"input\"", "a string" },
        { WITH("99999999999999999999999999", "\"USD\""), "\"input\"",
          "more than 64 bits" },
        { WITH("1e400", "\"USD\""), "\"input\"", "no double either" },
        { WITH("1", "\"usd\""), "\"currency\" of three", "small letters" },
        { WITH("1", "\"US\""), "\"currency\" of three", "two letters" },
        { WITH("1", "\"USDT\""), "\"currency\" of three", "four" },
        { WITH("1", "840"), "\"currency\" of three", "a number" }
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        unit_row(nxe_prices_parse(nxe_str_of(rows[i].json), unit_mem, &prices,
                                  &n, &err) == NXE_INVALID, rows[i].why);
        unit_row(strstr(err.text, rows[i].error) != NULL, rows[i].why);
    }

    /* as many as there may be, and one more */

    for (n = NXE_PRICES; n <= NXE_PRICES + 1; n++) {
        nxe_buf_init(&b, 1 << 20);

        for (i = 0; i < n; i++) {
            nxe_buf_addf(&b, "%s{\"model\":\"m%05zu\",\"input\":1,\"output\":"
                         "1,\"cached\":1,\"cache_write\":1,\"currency\":"
                         "\"USD\"}", i == 0 ? "[" : ",", i);
        }

        nxe_buf_addc(&b, ']');
        assert_int_equal(nxe_prices_parse(nxe_buf_str(&b), unit_mem, &prices,
                                          &i, &err),
                         n == NXE_PRICES ? NXE_OK : NXE_INVALID);
        nxe_buf_free(&b);
    }

    assert_string_equal(err.text, "there are 1001 prices, expected at most "
                                  "1000");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_find_random),
        cmocka_unit_test(test_cost),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_round),
        cmocka_unit_test(test_refused)
    };

    return unit_main(tests);
}
