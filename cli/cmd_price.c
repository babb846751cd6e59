/*
 * expctl price set, price list.
 */

#include <string.h>

#include "cli/commands.h"
#include "cli/registry.h"


typedef struct {
    const cli_t        *cli;
    nxe_price_t         price;
    nxe_actor_t         actor;
    int                 none;       /* --none: the model has no price */
    nxe_status_t        done;       /* NXE_DECLINED: nothing to do */
} set_t;


static int  price_set(cli_t *cli);
static int  price_list(cli_t *cli);


static int
cmd_price(cli_t *cli)
{
    const char  *word;

    word = cli->nargs > 0 ? cli->args[0] : "";

    if (strcmp(word, "set") == 0) {
        return price_set(cli);
    }

    if (strcmp(word, "list") == 0) {
        return price_list(cli);
    }

    return *word == '\0'
           ? cli_usage(cli, "price needs a word: set or list")
           : cli_usage(cli, "unknown word '%s', expected set or list", word);
}


/* An option's price into *nano, fallback where it is not given. */

static int
take_price(const cli_t *cli, const char *name, const uint64_t *fallback,
    uint64_t *nano)
{
    const char  *s;

    s = cli_opt(cli, name);

    if (s == NULL && fallback == NULL) {
        return cli_usage(cli, "price set needs --%s P", name);
    }

    if (s == NULL) {
        *nano = *fallback;
        return CLI_DONE;
    }

    /* 1e3 is a number, but more often a slip than a price of a thousand */

    if (strpbrk(s, "eE") != NULL
        || nxe_nano_parse(nxe_str_of(s), NXE_PRICE_MAX, nano) != NXE_OK)
    {
        return cli_usage(cli, "--%s '%s' is no price, expected a decimal from "
                         "0 to 1000000, as 0.15, with at most nine digits "
                         "after the point and no exponent", name, s);
    }

    return CLI_DONE;
}


static int
take_prices(const cli_t *cli, nxe_price_t *price)
{
    int          rc;
    const char  *currency;

    rc = take_price(cli, "input", NULL, &price->input);

    if (rc == CLI_DONE) {
        rc = take_price(cli, "output", NULL, &price->output);
    }

    if (rc == CLI_DONE) {
        rc = take_price(cli, "cached", &price->input, &price->cached);
    }

    if (rc == CLI_DONE) {
        rc = take_price(cli, "cache-write", &price->input,
                        &price->cache_write);
    }

    if (rc != CLI_DONE) {
        return rc;
    }

    currency = cli_opt(cli, "currency");

    if (currency == NULL) {
        return cli_usage(cli, "price set needs --currency CUR");
    }

    if (!nxe_price_currency_ok(nxe_str_of(currency))) {
        return cli_usage(cli, "--currency '%s' is no currency, expected three "
                         "upper-case letters, as USD", currency);
    }

    memcpy(price->currency, currency, sizeof(price->currency));

    return CLI_DONE;
}


static int
take_set(const cli_t *cli, set_t *set)
{
    size_t             i;

    static const char  *const values[] = {
        "input", "output", "cached", "cache-write", "currency"
    };

    set->price.model = nxe_str_of(cli->args[1]);
    set->none = cli_has(cli, "none");

    if (!nxe_price_model_ok(set->price.model)) {
        return cli_usage(cli, "'%s' is no model, expected 1 to %d bytes of "
                         "UTF-8 without control characters", cli->args[1],
                         NXE_PRICE_MODEL);
    }

    if (!set->none) {
        return take_prices(cli, &set->price);
    }

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        if (cli_has(cli, values[i])) {
            return cli_usage(cli, "--none and --%s exclude each other",
                             values[i]);
        }
    }

    return CLI_DONE;
}


/* What is there already is no failure: an earlier commit is published. */

static nxe_status_t
work_set(nxe_registry_txn_t *txn, void *ctx, nxe_error_t *err)
{
    set_t  *set;

    set = ctx;

    set->done = set->none
                ? nxe_registry_drop_price(txn, set->price.model, &set->actor,
                                          err)
                : nxe_registry_put_price(txn, &set->price, &set->actor, err);

    return set->done == NXE_DECLINED ? NXE_OK : set->done;
}


static const char *
nano_text(const cli_t *cli, uint64_t nano)
{
    char  buf[NXE_NANO_LEN];

    (void) nxe_nano_print(nano, buf);

    return cli_format(cli, "%s", buf);
}


static void
print_row(cli_table_t *t, const cli_t *cli, const nxe_price_t *p)
{
    cli_cell_str(t, p->model);
    cli_cell(t, "%s", nano_text(cli, p->input));
    cli_cell(t, "%s", nano_text(cli, p->output));
    cli_cell(t, "%s", nano_text(cli, p->cached));
    cli_cell(t, "%s", nano_text(cli, p->cache_write));
    cli_cell(t, "%s", p->currency);
}


static cli_table_t *
price_table(const cli_t *cli)
{
    return cli_table_new(cli, "lrrrrl", "MODEL", "INPUT", "OUTPUT", "CACHED",
                         "CACHE_WRITE", "CURRENCY");
}


static int
print_set_json(const set_t *set, uint64_t id)
{
    nxe_buf_t  b;

    nxe_buf_init(&b, 1 << 20);

    if (set->none) {
        nxe_buf_add(&b, nxe_str("{\"model\":"));
        nxe_buf_add_json(&b, set->price.model);
        nxe_buf_add(&b, nxe_str(",\"input\":null,\"output\":null,"
                                "\"cached\":null,\"cache_write\":null,"
                                "\"currency\":null}"));

    } else {
        (void) nxe_price_print(&set->price, &b);
    }

    if (b.status == NXE_OK) {
        b.len--;                        /* the closing brace */
    }

    if (id != 0) {
        nxe_buf_addf(&b, ",\"registry\":%llu}\n", (unsigned long long) id);

    } else {
        nxe_buf_add(&b, nxe_str(",\"registry\":null}\n"));
    }

    return cli_print_json(&b);
}


static int
print_set(const set_t *set, uint64_t id)
{
    const char         *model;
    const cli_t        *cli;
    cli_table_t        *t;
    const nxe_price_t  *p;

    cli = set->cli;
    p = &set->price;
    model = cli_safe(cli, p->model);

    if (cli->format == CLI_JSON) {
        return print_set_json(set, id);
    }

    if (cli->format == CLI_CSV) {
        t = price_table(cli);

        if (!set->none) {
            print_row(t, cli, p);
        }

        cli_table_print(t, stdout);

        return CLI_DONE;
    }

    if (set->done == NXE_DECLINED) {
        printf("%s: unchanged\n", model);

    } else if (set->none) {
        printf("%s: no price%s\n", model, cli_written(cli, id));

    } else {
        printf("%s: input %s, output %s, cached %s, cache write %s %s%s\n",
               model, nano_text(cli, p->input), nano_text(cli, p->output),
               nano_text(cli, p->cached), nano_text(cli, p->cache_write),
               p->currency, cli_written(cli, id));
    }

    return CLI_DONE;
}


static int
no_price(const set_t *set)
{
    cli_error("there is no price of '%s'",
              cli_safe(set->cli, set->price.model));
    cli_remedy("expctl price list");

    return CLI_USAGE;
}


static int
too_many(const set_t *set, const nxe_error_t *err)
{
    nxe_buf_t  b;

    static const char  next[] = "expctl price list, and price set MODEL "
                                "--none of what is not used";

    cli_error("%s", err->text);
    cli_remedy("%s", next);

    if (set->cli->format == CLI_JSON) {
        nxe_buf_init(&b, 1 << 20);
        nxe_buf_add(&b, nxe_str("{\"model\":"));
        nxe_buf_add_json(&b, set->price.model);
        nxe_buf_add(&b, nxe_str(",\"why\":[\"too_many\"],\"message\":"));
        nxe_buf_add_json(&b, nxe_str_of(err->text));
        nxe_buf_addf(&b, ",\"next\":\"%s\"}\n", next);
        cli_print_json(&b);
    }

    return CLI_NO;
}


static int
price_set(cli_t *cli)
{
    int              rc, published;
    set_t            set;
    uint64_t         id;
    nxe_error_t      err;
    nxe_status_t     st;
    nxe_registry_t  *reg;

    rc = cli_args(cli, 2, 2);
    if (rc != CLI_DONE) {
        return rc;
    }

    memset(&set, 0, sizeof(set));
    set.cli = cli;

    rc = take_set(cli, &set);
    if (rc != CLI_DONE) {
        return rc;
    }

    cli_actor(cli, &set.actor);

    rc = cli_registry_open(cli, 1, &reg);
    if (rc != CLI_DONE) {
        return rc;
    }

    st = cli_registry_write(cli, reg, work_set, &set, &id, &published, &err);

    if (st == NXE_CONFLICT) {
        rc = too_many(&set, &err);

    } else if (st != NXE_OK) {
        rc = cli_fail(&err);

    } else if (set.none && set.done == NXE_DECLINED) {
        rc = no_price(&set);

    } else {
        rc = print_set(&set, id);

        if (rc == CLI_DONE) {
            rc = published;
        }
    }

    nxe_registry_close(reg);

    return rc;
}


static int
print_list(const cli_t *cli, const nxe_price_t *prices, size_t n)
{
    size_t        i;
    nxe_buf_t     b;
    cli_table_t  *t;

    if (cli->format == CLI_JSON) {
        nxe_buf_init(&b, 1 << 24);

        for (i = 0; i < n; i++) {
            (void) nxe_price_print(&prices[i], &b);
            nxe_buf_addc(&b, '\n');
        }

        return cli_print_json(&b);
    }

    t = price_table(cli);

    for (i = 0; i < n; i++) {
        print_row(t, cli, &prices[i]);
    }

    cli_table_print(t, stdout);

    if (n == 0) {
        cli_next(cli, "expctl price set MODEL --input P --output P "
                 "--currency CUR");
    }

    return CLI_DONE;
}


static int
price_list(cli_t *cli)
{
    int                  rc;
    size_t               n;
    nxe_error_t          err;
    nxe_price_t         *prices;
    nxe_registry_t      *reg;
    nxe_registry_txn_t  *txn;

    rc = cli_args(cli, 1, 1);
    if (rc != CLI_DONE) {
        return rc;
    }

    rc = cli_registry_open(cli, 0, &reg);
    if (rc != CLI_DONE) {
        return rc;
    }

    if (nxe_registry_begin(reg, &txn, &err) != NXE_OK) {
        rc = cli_fail(&err);

    } else {
        rc = nxe_registry_prices(txn, cli->mem, &prices, &n, &err) == NXE_OK
             ? print_list(cli, prices, n) : cli_fail(&err);
        nxe_registry_end(txn);
    }

    nxe_registry_close(reg);

    return rc;
}


static const cli_opt_t  price_opts[] = {
    { "input", 0, "P", 0, "of a million input tokens" },
    { "output", 0, "P", 0, "of a million output tokens" },
    { "cached", 0, "P", 0, "of input read from a cache (as input)" },
    { "cache-write", 0, "P", 0, "of input written to a cache (as input)" },
    { "currency", 0, "CUR", 0, "three upper-case letters, as USD" },
    { "none", 0, NULL, 0, "the model has no price any more" },
    { NULL, 0, NULL, 0, NULL }
};

const cli_command_t  cmd_price_command = {
    "price", "set/list [MODEL]", "what the tokens of models cost",
    CLI_FORMAT | CLI_REGISTRY | CLI_WRITES, price_opts, cmd_price,
    "A request costs what the price says of the longest MODEL that the model\n"
    "named by the response begins with. Without one it has no cost. P is a\n"
    "decimal from 0 to 1000000 with at most nine digits after the point, per\n"
    "million tokens. A price is set whole, and published at once. The form\n"
    "of the result is -o or --format here.\n"
    "\n"
    "  expctl price set gpt-4o --input 2.5 --cached 1.25 --output 10 \\\n"
    "      --currency USD -m \"list price\"\n"
    "  expctl price set gpt-4o --none\n"
    "  expctl price list\n"
};
