/*
 * The report of an analysis: table and CSV.
 */

#include <math.h>
#include <string.h>

#include <nxe/time.h>

#include "cli/analyze_print.h"

static void print_table(const analyze_report_t *r);
static void print_csv(const analyze_report_t *r);
static void print_header(const analyze_report_t *r);
static void print_quality(const analyze_report_t *r);
static void print_rows(const analyze_report_t *r);


int
analyze_srm_failed(const analyze_report_t *r)
{
    return r->result->srm_status == NXE_OK
           && r->result->srm.p < NXE_SRM_THRESHOLD;
}


int
analyze_print(const analyze_report_t *r)
{
    int        rc;
    nxe_buf_t  b;

    rc = CLI_DONE;

    switch (r->cli->format) {

    case CLI_JSON:
        nxe_buf_init(&b, SIZE_MAX / 2);
        analyze_json(r, &b);
        rc = cli_print_json(&b);
        break;

    case CLI_CSV:
        print_csv(r);
        break;

    case CLI_TABLE:
        print_table(r);
        break;
    }

    if (rc != CLI_DONE) {
        return rc;
    }

    if (r->result->requests == 0) {
        cli_error("no request of '%s' in phase %llu was assigned or not"
                  " exposed", cli_safe(r->cli, r->plan.name),
                  (unsigned long long) r->plan.phase);
        cli_remedy("expctl doctor");
        return CLI_NO;
    }

    return analyze_srm_failed(r) ? CLI_NO : CLI_DONE;
}


/* Microseconds since the epoch as RFC 3339; up rounds to the next second. */

static nxe_str_t
time_text(const cli_t *cli, int64_t us, int up)
{
    char     text[NXE_TIME_LEN];
    int64_t  sec;

    sec = us / 1000000;

    if (us % 1000000 < 0) {
        sec--;
    }

    nxe_time_print(sec + (up && sec * 1000000 != us), text);

    return nxe_str_of(cli_format(cli, "%s", text));
}


/*
 * What was asked for, else the phase, which lasts to the end of the log if it
 * has no end; wider where lines of the phase lie outside (clocks differ, and
 * requests end with what they began with).
 */

void
analyze_window(const analyze_report_t *r, nxe_str_t *from, nxe_str_t *to)
{
    int64_t           us;
    const cli_t      *cli;
    const analyze_t  *a;

    cli = r->cli;
    a = r->result;

    if (r->plan.since != INT64_MIN) {
        *from = time_text(cli, r->plan.since, 0);

    } else if (nxe_time_parse(r->phase.from, &us) == NXE_OK
               && us <= a->first)
    {
        *from = r->phase.from;

    } else {
        *from = time_text(cli, a->first, 0);
    }

    if (r->plan.until != INT64_MAX) {
        *to = time_text(cli, r->plan.until, 1);

    } else if (nxe_time_parse(r->phase.to, &us) == NXE_OK
               && us >= a->last)
    {
        *to = r->phase.to;

    } else {
        *to = a->last == INT64_MIN ? *from : time_text(cli, a->last, 1);
    }
}


static void
print_table(const analyze_report_t *r)
{
    print_header(r);
    print_quality(r);
    printf("\n");
    print_rows(r);
    printf("response time by request, within 1 %%; differences not tested\n");
    analyze_tables(r);
}


static const char *
plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}


static void
print_header(const analyze_report_t *r)
{
    int               any;
    size_t            i;
    uint64_t          bad, duplicates;
    nxe_str_t         from, to;
    const cli_t      *cli;
    const analyze_t  *a;

    cli = r->cli;
    a = r->result;
    bad = 0;
    duplicates = 0;

    for (i = 0; i < r->npaths; i++) {
        bad += r->inputs[i].bad;
        duplicates += r->inputs[i].duplicates;
    }

    analyze_window(r, &from, &to);

    if (from.len > 10 && to.len > 10 && memcmp(from.data, to.data, 10) != 0) {
        from.len = 10;
        to.len = 10;
    }

    printf("%s  phase %llu, %s, %.*s to %.*s, %llu file%s\n",
           cli_safe(cli, r->plan.name), (unsigned long long) r->plan.phase,
           nxe_stage_name(r->phase.stage), (int) from.len, from.data,
           (int) to.len, to.data, (unsigned long long) r->npaths,
           plural(r->npaths));

    printf("%s request%s, %s unit%s,", cli_count(cli, a->requests),
           plural(a->requests), cli_count(cli, a->units), plural(a->units));
    printf(" %s bad line%s, %s duplicate%s\n", cli_count(cli, bad),
           plural(bad), cli_count(cli, duplicates), plural(duplicates));

    any = 0;

    for (i = 0; i < ANALYZE_REASONS; i++) {
        if (a->left_out[i] != 0) {
            printf("%s%s %s", any ? ", " : "left out: ", analyze_reasons[i],
                   cli_count(cli, a->left_out[i]));
            any = 1;
        }
    }

    if (any) {
        printf("\n");
    }
}


/*
 * Weights as the smallest whole numbers, "1 : 1", or as shares where those
 * would be no easier to read.
 */

static const char *
ratio_text(const analyze_report_t *r)
{
    size_t    i;
    double    sum;
    uint64_t  a, b, gcd;
    char     *text;

    gcd = 0;
    sum = 0;

    for (i = 0; i < r->plan.nvariants; i++) {
        sum += r->plan.weights[i];
        a = (uint64_t) r->plan.weights[i];

        for (b = gcd; a != 0; /* void */ ) {
            gcd = a;
            a = b % a;
            b = gcd;
        }

        gcd = b;
    }

    text = cli_format(r->cli, "%s", "");

    for (i = 0; i < r->plan.nvariants; i++) {
        if (sum / (double) gcd > 1000) {
            text = cli_format(r->cli, "%s%s%.3g %%", text, i ? " : " : "",
                              r->plan.weights[i] / sum * 100);
        } else {
            text = cli_format(r->cli, "%s%s%.0f", text, i ? " : " : "",
                              r->plan.weights[i] / (double) gcd);
        }
    }

    return text;
}


static const char *
p_text(const cli_t *cli, double p)
{
    return p >= 0.095 ? cli_format(cli, "%.2f", p)
                      : cli_format(cli, "%.2g", p);
}


static void
print_srm(const analyze_report_t *r, int width)
{
    size_t            i;
    const char       *word;
    const cli_t      *cli;
    const analyze_t  *a;

    cli = r->cli;
    a = r->result;
    word = a->srm_status != NXE_OK ? "warn"
           : analyze_srm_failed(r) ? "FAIL" : "ok";

    printf("%s%*s  sample ratio  ", cli_mark(cli, word),
           width - (int) strlen(word), "");

    if (a->srm_status != NXE_OK) {
        printf("no unit was first seen and exposed in this phase\n");
        return;
    }

    if (a->srm.df == 0 && !analyze_srm_failed(r)) {
        printf("one arm, nothing to test\n");
        return;
    }

    for (i = 0; i < r->plan.nvariants; i++) {
        printf("%s%s", i ? " : " : "", cli_count(cli, a->rows[i].firsts));
    }

    printf(", expected %s, p = %s (%s)\n", ratio_text(r),
           p_text(cli, a->srm.p), a->srm.method);

    if (analyze_srm_failed(r)) {
        printf("%*s  next: expctl doctor\n", width, "");
    }
}


/* Marks are as wide as the widest one, so that texts begin in one column. */

static void
print_quality(const analyze_report_t *r)
{
    int               width;
    const cli_t      *cli;
    const analyze_t  *a;

    cli = r->cli;
    a = r->result;

    width = (a->two_variants != 0 || a->srm_status != NXE_OK
             || analyze_srm_failed(r)) ? 4 : 2;

    print_srm(r, width);

    if (a->two_variants != 0) {
        printf("%s  two variants  %s of %s units in the phase, counted for"
               " their first\n", cli_mark(cli, "warn"),
               cli_count(cli, a->two_variants), cli_count(cli, a->units));
        printf("%*s  next: expctl doctor\n", width, "");
    }
}


/* Outside the histogram's bins only the bound is known. */

static const char *
quantile_text(const cli_t *cli, const nxe_quantile_t *q)
{
    return q->lo == 0 ? "< 0.1 ms"
           : isinf(q->hi) ? "> 3,600 s"
           : cli_duration(cli, q->value / 1000);
}


static nxe_str_t
row_name(const analyze_report_t *r, size_t i, const char *not_exposed)
{
    return i < r->plan.nvariants ? r->plan.variants[i]
                                 : nxe_str_of(not_exposed);
}


static void
print_rows(const analyze_report_t *r)
{
    size_t                i, k;
    cli_table_t          *t;
    double                ms;
    nxe_quantile_t        q;
    const analyze_t      *a;
    const analyze_row_t  *row;

    static const double  orders[] = { 0.5, 0.95, 0.99 };

    a = r->result;
    t = cli_table_new(r->cli, "lrrrrrrr", "VARIANT", "UNITS", "SHARE",
                      "REQUESTS", "ERRORS", "P50", "P95", "P99");

    for (i = 0; i <= r->plan.nvariants; i++) {
        row = &a->rows[i];

        cli_cell_str(t, row_name(r, i, "not exposed"));
        cli_cell(t, "%s", cli_count(r->cli, row->units));

        if (a->units != 0) {
            cli_cell(t, "%.1f %%",
                     100.0 * (double) row->units / (double) a->units);
        } else {
            cli_cell(t, "-");
        }

        cli_cell(t, "%s", cli_count(r->cli, row->requests));

        if (row->requests != 0) {
            cli_cell(t, "%.2f %%",
                     100.0 * (double) row->errors / (double) row->requests);
        } else {
            cli_cell(t, "-");
        }

        for (k = 0; k < 3; k++) {
            if (analyze_time_quantile(&row->times[ANALYZE_RESPONSE][0],
                                      orders[k], &ms, &q) == NXE_OK)
            {
                cli_cell(t, "%s", quantile_text(r->cli, &q));
            } else {
                cli_cell(t, "-");
            }
        }
    }

    cli_table_print(t, stdout);
}


static const char *
number(const cli_t *cli, double value)
{
    char  text[NXE_DOUBLE_LEN];
    int   len;

    len = (int) nxe_double_print(value, text);

    return cli_format(cli, "%.*s", len, text);
}


/* Metrics of a CSV row: stable, whatever the log has. */

static const struct {
    const char  *name;
    const char  *suffix;        /* "", ".mean": the mean */
} columns[] = {
    { "response_ms", ".p50" }, { "response_ms", ".p95" },
    { "response_ms", ".p99" }, { "abort_rate", "" },
    { "ttft_ms", ".p50" }, { "ttft_ms", ".p95" }, { "tpot_ms", ".p50" },
    { "tpot_ms", ".p95" }, { "itl_max_ms", ".p95" },
    { "input_tokens", ".mean" }, { "output_tokens", ".mean" },
    { "cached_share", "" }, { "tool_calls", ".mean" }, { "empty_rate", "" },
    { "refusal_rate", "" }, { "truncated_rate", "" },
    { "no_usage_rate", "" }, { "cost", ".mean" }, { "cost.unit", "" },
    { "cost", ".total" }, { "cost_per_success", "" },
};

#define NCOLUMNS  (sizeof(columns) / sizeof(columns[0]))


static const char *
csv_value(const cli_t *cli, const analyze_value_t *v, const char *suffix)
{
    if (v == NULL) {
        return "";
    }

    if (suffix[0] == '\0' || suffix[1] == 'm') {
        return v->reason == NULL ? number(cli, v->mean) : "";
    }

    return number(cli, suffix[1] == 't' ? v->total
                       : v->quantiles[suffix[2] == '5' ? 0
                                              : suffix[3] == '5' ? 1 : 2]);
}


/* As JSON has it: plain numbers, and nothing where nothing was measured. */

static void
print_csv(const analyze_report_t *r)
{
    size_t                  i, k, n;
    cli_table_t            *t;
    const analyze_t        *a;
    const analyze_row_t    *row;
    const analyze_value_t  *values;

    a = r->result;
    t = cli_table_new(r->cli, "lrrrr", "variant", "units", "requests",
                      "errors", "error_rate");

    for (k = 0; k < NCOLUMNS; k++) {
        cli_table_column(t, 'r', cli_format(r->cli, "%s%s", columns[k].name,
                                            columns[k].suffix));
    }

    for (k = 0; k < r->plan.nmetrics; k++) {
        cli_table_column(t, 'r', (const char *) r->plan.metrics[k].name.data);
    }

    for (i = 0; i <= r->plan.nvariants; i++) {
        row = &a->rows[i];
        values = analyze_values(r, i, &n);

        cli_cell_str(t, row_name(r, i, "not exposed"));
        cli_cell(t, "%llu", (unsigned long long) row->units);
        cli_cell(t, "%llu", (unsigned long long) row->requests);
        cli_cell(t, "%llu", (unsigned long long) row->errors);
        cli_cell(t, "%s", row->requests == 0 ? ""
                 : number(r->cli,
                          (double) row->errors / (double) row->requests));

        for (k = 0; k < NCOLUMNS; k++) {
            cli_cell(t, "%s",
                     csv_value(r->cli, analyze_find(values, n,
                                                    columns[k].name),
                               columns[k].suffix));
        }

        for (k = 0; k < r->plan.nmetrics; k++) {
            cli_cell(t, "%s",
                     csv_value(r->cli,
                               analyze_find(values, n,
                                            r->plan.metrics[k].name.data),
                               ""));
        }
    }

    cli_table_print(t, stdout);

    if (analyze_srm_failed(r)) {
        cli_error("sample ratio mismatch, p = %s: do not compare the arms",
                  p_text(r->cli, a->srm.p));
    }
}
