#include <string.h>

#include <nxe/json.h>
#include <nxe/meter.h>
#include <nxe/price.h>


#define NXE_PRICE_MILLION  1000000u

static const nxe_price_t *nxe_price_before(const nxe_price_t *prices,
    size_t n, nxe_str_t model);
static nxe_status_t nxe_price_parse(nxe_str_t json, const nxe_mem_t *mem,
    nxe_price_t *price, const char **expected);
static nxe_status_t nxe_price_model(const nxe_json_walk_t *w,
    const nxe_mem_t *mem, nxe_str_t *model);
static nxe_status_t nxe_price_currency(const nxe_json_walk_t *w,
    char currency[4]);


int
nxe_price_model_ok(nxe_str_t s)
{
    size_t         i;
    unsigned char  c;

    if (s.len == 0 || s.len > NXE_PRICE_MODEL || !nxe_utf8_ok(s)) {
        return 0;
    }

    for (i = 0; i < s.len; i++) {
        c = (unsigned char) s.data[i];

        /* C0, DEL, and C1, which UTF-8 writes as C2 80 to C2 9F */

        if (c < 0x20 || c == 0x7f
            || (c == 0xc2 && (unsigned char) s.data[i + 1] < 0xa0))
        {
            return 0;
        }
    }

    return 1;
}


int
nxe_price_currency_ok(nxe_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] < 'A' || s.data[i] > 'Z') {
            return 0;
        }
    }

    return s.len == 3;
}


/*
 * All that model begins with stand at or before its own place, and what
 * stands between such a one and that place begins with it, too.  So, where
 * the entry before the place is none, only what it has in common with model
 * can be left: each turn shortens model.
 */

const nxe_price_t *
nxe_price_find(const nxe_price_t *prices, size_t n, nxe_str_t model)
{
    size_t              common;
    const nxe_price_t  *p;

    for ( ;; ) {
        p = nxe_price_before(prices, n, model);
        if (p == NULL) {
            return NULL;
        }

        common = 0;
        while (common < p->model.len && common < model.len
               && p->model.data[common] == model.data[common])
        {
            common++;
        }

        if (common == p->model.len) {
            return p;
        }

        model.len = common;
        n = (size_t) (p - prices);
    }
}


/* The last entry that is not behind model, NULL if there is none. */

static const nxe_price_t *
nxe_price_before(const nxe_price_t *prices, size_t n, nxe_str_t model)
{
    size_t  lo, hi, mid;

    lo = 0;
    hi = n;

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;

        if (nxe_str_cmp(prices[mid].model, model) <= 0) {
            lo = mid + 1;

        } else {
            hi = mid;
        }
    }

    return lo == 0 ? NULL : &prices[lo - 1];
}


nxe_status_t
nxe_price_cost(const nxe_price_t *price, uint64_t input, uint64_t output,
    uint64_t cached, uint64_t cache_write, uint64_t *nano)
{
    nxe_u128_t  sum;

    if (input > NXE_TOKENS_MAX || output > NXE_TOKENS_MAX
        || cached > input || cache_write > input - cached)
    {
        return NXE_DECLINED;
    }

    /* four products of at most 2^40 and 2^50 */

    sum = (nxe_u128_t) (input - cached - cache_write) * price->input
          + (nxe_u128_t) cached * price->cached
          + (nxe_u128_t) cache_write * price->cache_write
          + (nxe_u128_t) output * price->output;

    sum = (sum + NXE_PRICE_MILLION / 2) / NXE_PRICE_MILLION;

    if (sum > UINT64_MAX) {
        return NXE_DECLINED;
    }

    *nano = (uint64_t) sum;

    return NXE_OK;
}


nxe_status_t
nxe_prices_parse(nxe_str_t json, const nxe_mem_t *mem, nxe_price_t **prices,
    size_t *n, nxe_error_t *err)
{
    size_t              count;
    nxe_text_t          text;
    const char         *expected;
    nxe_price_t        *list;
    nxe_status_t        rc;
    nxe_json_walk_t     w;
    nxe_json_result_t   result;

    if (json.len == 0) {
        *prices = NULL;
        *n = 0;
        return NXE_OK;
    }

    text.segs = &json;
    text.n = 1;

    if (nxe_json_scan(&text, NULL, 0, &result) != NXE_JSON_OK
        || json.data[0] != '[')
    {
        return nxe_fail(err, NXE_INVALID, "the prices are no JSON list");
    }

    count = 0;
    for (nxe_json_walk(&w, json); nxe_json_walk_next(&w); ) {
        count++;
    }

    if (count > NXE_PRICES) {
        return nxe_fail(err, NXE_INVALID, "there are %zu prices, expected at "
                        "most %d", count, NXE_PRICES);
    }

    list = nxe_calloc(mem, (count + 1) * sizeof(nxe_price_t));
    if (list == NULL) {
        return nxe_fail(err, NXE_NOMEM, "no memory");
    }

    count = 0;

    for (nxe_json_walk(&w, json); nxe_json_walk_next(&w); count++) {
        rc = nxe_price_parse(w.value, mem, &list[count], &expected);

        if (rc == NXE_NOMEM) {
            return nxe_fail(err, NXE_NOMEM, "no memory");
        }

        if (rc == NXE_OK && count != 0
            && nxe_str_cmp(list[count - 1].model, list[count].model) >= 0)
        {
            rc = NXE_INVALID;
            expected = "a \"model\" behind that of the price before";
        }

        if (rc != NXE_OK) {
            return nxe_fail(err, NXE_INVALID, "price %zu cannot be read: "
                            "expected %s", count + 1, expected);
        }
    }

    *prices = list;
    *n = count;

    return NXE_OK;
}


/* Members that are not known are let be: a newer publisher's. */

static nxe_status_t
nxe_price_parse(nxe_str_t json, const nxe_mem_t *mem, nxe_price_t *price,
    const char **expected)
{
    size_t           i;
    unsigned         found;
    nxe_status_t     rc;
    nxe_json_walk_t  w;

    const struct {
        const char  *key;
        uint64_t    *number;
        const char  *expected;
    } members[] = {
        { "\"input\"", &price->input, "\"input\" from 0 to 1000000" },
        { "\"output\"", &price->output, "\"output\" from 0 to 1000000" },
        { "\"cached\"", &price->cached, "\"cached\" from 0 to 1000000" },
        { "\"cache_write\"", &price->cache_write,
          "\"cache_write\" from 0 to 1000000" },
        { "\"model\"", NULL, "a \"model\" of 1 to 64 printable bytes" },
        { "\"currency\"", NULL,
          "a \"currency\" of three upper-case letters" }
    };

    enum { N = sizeof(members) / sizeof(members[0]), MODEL = 4 };

    *expected = "an object with \"model\", \"input\", \"output\", "
                "\"cached\", \"cache_write\" and \"currency\"";

    if (json.data[0] != '{') {
        return NXE_INVALID;
    }

    found = 0;

    for (nxe_json_walk(&w, json); nxe_json_walk_next(&w); ) {

        i = 0;
        while (i < N && !nxe_str_eq(w.key, nxe_str_of(members[i].key))) {
            i++;
        }

        if (i == N) {
            continue;
        }

        rc = members[i].number != NULL
             ? nxe_nano_parse(w.value, NXE_PRICE_MAX, members[i].number)
             : i == MODEL ? nxe_price_model(&w, mem, &price->model)
                          : nxe_price_currency(&w, price->currency);

        if (rc != NXE_OK) {
            *expected = members[i].expected;
            return rc;
        }

        found |= 1u << i;
    }

    return found == (1u << N) - 1 ? NXE_OK : NXE_INVALID;
}


static nxe_status_t
nxe_price_model(const nxe_json_walk_t *w, const nxe_mem_t *mem,
    nxe_str_t *model)
{
    nxe_status_t  rc;

    if (w->type != NXE_JSON_STRING) {
        return NXE_INVALID;
    }

    rc = nxe_json_unescape(w->value, NXE_PRICE_MODEL, mem, model);

    return rc != NXE_OK || nxe_price_model_ok(*model) ? rc : NXE_INVALID;
}


static nxe_status_t
nxe_price_currency(const nxe_json_walk_t *w, char currency[4])
{
    char    code[3];
    size_t  len;

    if (w->type != NXE_JSON_STRING
        || nxe_json_unescape_to(w->value, code, sizeof(code), &len) != NXE_OK
        || !nxe_price_currency_ok((nxe_str_t) { code, len }))
    {
        return NXE_INVALID;
    }

    memcpy(currency, code, sizeof(code));
    currency[3] = '\0';

    return NXE_OK;
}


nxe_status_t
nxe_prices_print(const nxe_price_t *prices, size_t n, nxe_buf_t *b)
{
    size_t  i;

    (void) nxe_buf_addc(b, '[');

    for (i = 0; i < n; i++) {
        if (i != 0) {
            (void) nxe_buf_addc(b, ',');
        }

        (void) nxe_price_print(&prices[i], b);
    }

    return nxe_buf_addc(b, ']');
}


nxe_status_t
nxe_price_print(const nxe_price_t *price, nxe_buf_t *b)
{
    char  input[NXE_NANO_LEN], output[NXE_NANO_LEN], cached[NXE_NANO_LEN];
    char  cache_write[NXE_NANO_LEN];

    (void) nxe_nano_print(price->input, input);
    (void) nxe_nano_print(price->output, output);
    (void) nxe_nano_print(price->cached, cached);
    (void) nxe_nano_print(price->cache_write, cache_write);

    (void) nxe_buf_add(b, nxe_str("{\"model\":"));
    (void) nxe_buf_add_json(b, price->model);

    return nxe_buf_addf(b, ",\"input\":%s,\"output\":%s,\"cached\":%s,"
                        "\"cache_write\":%s,\"currency\":\"%s\"}", input,
                        output, cached, cache_write, price->currency);
}
