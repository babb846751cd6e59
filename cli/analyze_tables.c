/*
 * Tables of what came back: the response, its cost, the outcomes.  Each is
 * there where some arm has one of its figures.
 */

#include <math.h>
#include <string.h>

#include "cli/analyze_print.h"


#define COLUMNS  6

typedef enum { DURATION, COUNT, RATE, MONEY, TOTAL } look_t;

/* A column: a figure of a metric. */

typedef struct {
    const char         *head;           /* %s: the currency */
    const char         *metric;
    int                 quantile;       /* 0 to 2; -1: the mean */
    look_t              look;
} column_t;

typedef struct {
    const char         *needs;          /* no table without this metric */
    column_t            columns[COLUMNS];
    const char         *note;
} block_t;


static const block_t  blocks[] = {

    { "ttft_ms",
      { { "TTFT P50", "ttft_ms", 0, DURATION },
        { "TTFT P95", "ttft_ms", 1, DURATION },
        { "TPOT P50", "tpot_ms", 0, DURATION },
        { "TPOT P95", "tpot_ms", 1, DURATION },
        { "GAP P95", "itl_max_ms", 1, DURATION } },
      "first token, time per token, longest gap: by request, within 1 %" },

    { "response_ms.cold",
      { { "WARM P50", "response_ms.warm", 0, DURATION },
        { "WARM P95", "response_ms.warm", 1, DURATION },
        { "COLD P50", "response_ms.cold", 0, DURATION },
        { "COLD P95", "response_ms.cold", 1, DURATION },
        { "TTFT WARM", "ttft_ms.warm", 1, DURATION },
        { "TTFT COLD", "ttft_ms.cold", 1, DURATION } },
      "response time by connection to the upstream; last two: TTFT P95" },

    { "output_tokens",
      { { "INPUT", "input_tokens", -1, COUNT },
        { "CACHED", "cached_share", -1, RATE },
        { "OUTPUT", "output_tokens", -1, COUNT },
        { "P95", "output_tokens", 1, COUNT },
        { "OUTPUT/UNIT", "output_tokens.unit", -1, COUNT },
        { "TOOL CALLS", "tool_calls", -1, COUNT } },
      "tokens: means of a request with usage, and of a unit; CACHED: share of "
      "INPUT" },

    { "no_usage_rate",
      { { "ABORTED", "abort_rate", -1, RATE },
        { "EMPTY", "empty_rate", -1, RATE },
        { "REFUSED", "refusal_rate", -1, RATE },
        { "CUT SHORT", "truncated_rate", -1, RATE },
        { "NO USAGE", "no_usage_rate", -1, RATE } },
      "shares of all requests" },

    { "cost",
      { { "%s/REQUEST", "cost", -1, MONEY },
        { "%s/UNIT", "cost.unit", -1, MONEY },
        { "%s/SUCCESS", "cost_per_success", -1, MONEY },
        { "%s TOTAL", "cost", -1, TOTAL } },
      "cost of requests with a price and usage" },
};


static void print_outcomes(const analyze_report_t *r);
static void print_feedback(const analyze_report_t *r);


/* To three digits. */

static const char *
number_text(const cli_t *cli, double x)
{
    double  size;

    size = fabs(x);

    if (size >= 999.5 && size < 1e18) {
        return cli_format(cli, "%s%s", x < 0 ? "-" : "",
                          cli_count(cli, (unsigned long long) (size + 0.5)));
    }

    return cli_format(cli, "%.*f", size < 9.995 ? 2 : size < 99.95 ? 1 : 0, x);
}


static const char *
look_text(const cli_t *cli, look_t look, double x)
{
    switch (look) {

    case DURATION:
        return cli_duration(cli, x);

    case RATE:
        return cli_format(cli, "%.2f %%", x * 100);

    case COUNT:
        return number_text(cli, x);

    default:
        return cli_money(cli, x);
    }
}


static const char *
column_text(const cli_t *cli, const column_t *c, const analyze_value_t *v)
{
    if (v == NULL || v->reason != NULL) {
        return "-";
    }

    return look_text(cli, c->look, c->look == TOTAL ? v->total
                                   : c->quantile >= 0
                                   ? v->quantiles[c->quantile] : v->mean);
}


/* Some arm has the metric. */

static int
has(const analyze_report_t *r, const char *metric)
{
    size_t                  i, n;
    const analyze_value_t  *values;

    for (i = 0; i < r->plan.nvariants; i++) {
        values = analyze_values(r, i, &n);

        if (analyze_find(values, n, metric) != NULL) {
            return 1;
        }
    }

    return 0;
}


static void
print_block(const analyze_report_t *r, const block_t *block)
{
    int                     k;
    char                    currency[4];
    size_t                  i, n;
    cli_table_t            *t;
    const char             *p;
    const column_t         *c;
    const analyze_value_t  *values;

    memcpy(currency, r->result->currency, sizeof(currency));
    t = cli_table_new(r->cli, "l", "VARIANT");

    for (k = 0; k < COLUMNS && block->columns[k].head != NULL; k++) {
        c = &block->columns[k];
        p = c->head[0] == '%' ? c->head + 2 : c->head;
        cli_table_column(t, 'r', cli_format(r->cli, "%s%s",
                                            p == c->head ? "" : currency, p));
    }

    for (i = 0; i < r->plan.nvariants; i++) {
        values = analyze_values(r, i, &n);
        cli_cell_str(t, r->plan.variants[i]);

        for (k = 0; k < COLUMNS && block->columns[k].head != NULL; k++) {
            c = &block->columns[k];
            cli_cell(t, "%s", column_text(r->cli, c,
                                          analyze_find(values, n, c->metric)));
        }
    }

    printf("\n");
    cli_table_print(t, stdout);
    printf("%s\n", block->note);
}


void
analyze_tables(const analyze_report_t *r)
{
    size_t  i;

    for (i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        if (has(r, blocks[i].needs)) {
            print_block(r, &blocks[i]);
        }
    }

    print_outcomes(r);
    print_feedback(r);
}


/* A row an outcome and variant: documents may have many of them. */

static void
print_outcomes(const analyze_report_t *r)
{
    int                      k;
    look_t                   look;
    size_t                   i, m, n;
    cli_table_t             *t;
    const analyze_value_t   *v, *values;

    if (r->result->nevents == 0) {
        return;
    }

    t = cli_table_new(r->cli, "llrrrrrr", "OUTCOME", "VARIANT", "N",
                      "MISSING", "IMMATURE", "MEAN", "P50", "P95");

    for (m = 0; m < r->plan.nmetrics; m++) {
        look = r->plan.metrics[m].kind == ANALYZE_BINARY ? RATE
               : r->plan.metrics[m].kind == ANALYZE_DURATION ? DURATION
               : COUNT;

        for (i = 0; i < r->plan.nvariants; i++) {
            values = analyze_values(r, i, &n);
            v = analyze_find(values, n, r->plan.metrics[m].name.data);

            cli_cell_str(t, r->plan.metrics[m].name);
            cli_cell_str(t, r->plan.variants[i]);
            cli_cell(t, "%s", v == NULL ? "-" : cli_count(r->cli, v->n));
            cli_cell(t, "%s", v == NULL ? "-" : cli_count(r->cli, v->missing));
            cli_cell(t, "%s", v == NULL ? "-"
                              : cli_count(r->cli, v->immature));
            cli_cell(t, "%s", v == NULL || v->reason != NULL ? "-"
                              : look_text(r->cli, look, v->mean));

            for (k = 0; k < 2; k++) {
                cli_cell(t, "%s", v == NULL || !v->has_quantiles ? "-"
                                  : look_text(r->cli, look, v->quantiles[k]));
            }
        }
    }

    printf("\n");
    cli_table_print(t, stdout);
    printf("outcomes by unit, from its exposure on; differences not tested\n");
}


static void
print_feedback(const analyze_report_t *r)
{
    int               any, width;
    size_t            i;
    const char       *item;
    const analyze_t  *a;

    a = r->result;

    if (a->answers.n == 0) {
        return;
    }

    width = printf("feedback: counted %s, left out:",
                   cli_count(r->cli, a->heard));
    any = 0;

    for (i = 0; i < ANALYZE_UNHEARD; i++) {

        if (a->unheard[i] == 0) {
            continue;
        }

        item = cli_format(r->cli, "%s %s", analyze_unheard[i],
                          cli_count(r->cli, a->unheard[i]));

        width += printf("%s", any ? "," : "");
        any = 1;

        /* a comma may follow */

        if (width + 1 + (int) strlen(item) > 79) {
            printf("\n ");
            width = 1;
        }

        width += printf(" %s", item);
    }

    printf("%s\n", any ? "" : " none");
}
