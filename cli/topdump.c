/*
 * What experiment_status told, for programs: a row each.
 */

#include <math.h>
#include <string.h>

#include "cli/topshow.h"


/* To three digits: more are not known. */

static void
add_double(nxe_buf_t *b, double x)
{
    char  buf[NXE_DOUBLE_LEN];

    if (x < 0) {
        nxe_buf_add(b, nxe_str("null"));
        return;
    }

    nxe_buf_add(b, (nxe_str_t) { buf, nxe_double_print(round(x * 1000) / 1000,
                                                       buf) });
}


static void
add_text(nxe_buf_t *b, const char *name, nxe_str_t s)
{
    nxe_buf_addf(b, ",\"%s\":", name);

    if (s.len == 0) {
        nxe_buf_add(b, nxe_str("null"));

    } else {
        nxe_buf_add_json(b, s);
    }
}


static void
add_count(nxe_buf_t *b, const char *name, uint64_t n)
{
    if (n == TOP_UNKNOWN) {
        nxe_buf_addf(b, ",\"%s\":null", name);

    } else {
        nxe_buf_addf(b, ",\"%s\":%llu", name, (unsigned long long) n);
    }
}


static void
add_times(nxe_buf_t *b, const char *name, const nxe_hist_t *times)
{
    nxe_buf_addf(b, ",\"%s\":{\"n\":%llu,\"p50\":", name,
                 (unsigned long long) times->n);
    add_double(b, top_quantile(times, 0.5));
    nxe_buf_add(b, nxe_str(",\"p95\":"));
    add_double(b, top_quantile(times, 0.95));
    nxe_buf_add(b, nxe_str(",\"p99\":"));
    add_double(b, top_quantile(times, 0.99));
    nxe_buf_addc(b, '}');
}


static void
add_cost(nxe_buf_t *b, const top_row_t *row, const top_window_t *w)
{
    char  nano[NXE_NANO_LEN];

    if (row->currency.len == 0) {
        nxe_buf_add(b, nxe_str(",\"cost\":null,\"currency\":null"));
        return;
    }

    (void) nxe_nano_print(w->counts[TOP_COST], nano);
    nxe_buf_addf(b, ",\"cost\":%s", nano);
    add_text(b, "currency", row->currency);
}


static void
add_json_row(const top_view_t *v, nxe_buf_t *b, const top_experiment_t *e,
    const top_row_t *row)
{
    uint64_t      requests;
    top_window_t  w;

    if (top_window(v->old, e, row, &w) != NXE_OK) {
        return;                     /* a row that was made anew */
    }

    requests = w.counts[TOP_REQUESTS];

    nxe_buf_add(b, nxe_str("{\"experiment\":"));
    nxe_buf_add_json(b, e->name);
    add_text(b, "stage", e->stage);
    nxe_buf_add(b, nxe_str(",\"exposure\":"));
    nxe_buf_add(b, e->exposure.len != 0 ? e->exposure : nxe_str("null"));
    add_count(b, "phase", row->phase);
    add_count(b, "revision", e->revision != 0 ? e->revision : TOP_UNKNOWN);
    add_count(b, "feedback", e->feedback);
    add_text(b, "variant", row->variant);
    add_text(b, "step", row->step);
    nxe_buf_addf(b, ",\"window\":\"%s\",\"window_s\":",
                 v->old != NULL ? "last" : "start");
    add_double(b, top_seconds(v) > 0 ? top_seconds(v) : -1);
    add_count(b, "units", row->units);
    add_count(b, "requests", requests);
    add_count(b, "errors", top_errors(&w));
    nxe_buf_addf(b, ",\"error_rate\":%s",
                 requests != 0 && top_errors(&w) <= requests
                 ? cli_ratio(v->cli, top_errors(&w), requests) : "null");
    add_count(b, "aborted", w.counts[TOP_ABORTED]);
    add_count(b, "input_tokens", w.counts[TOP_INPUT]);
    add_count(b, "output_tokens", w.counts[TOP_OUTPUT]);
    add_cost(b, row, &w);
    add_times(b, "response_ms", &w.times[TOP_RESPONSE]);
    add_times(b, "ttft_ms", &w.times[TOP_TTFT]);
    add_times(b, "tpot_ms", &w.times[TOP_TPOT]);
    nxe_buf_add(b, nxe_str("}\n"));
}


static void
csv_double(cli_table_t *t, double x)
{
    char    buf[NXE_DOUBLE_LEN];
    size_t  n;

    if (x < 0) {
        cli_cell(t, "%s", "");
        return;
    }

    n = nxe_double_print(round(x * 1000) / 1000, buf);
    cli_cell(t, "%.*s", (int) n, buf);
}


static void
add_csv_row(const top_view_t *v, cli_table_t *t, const top_experiment_t *e,
    const top_row_t *row)
{
    int           i;
    top_window_t  w;

    static const int  counts[] = {
        TOP_REQUESTS, TOP_5XX, TOP_429, TOP_STREAM, TOP_ABORTED
    };

    if (top_window(v->old, e, row, &w) != NXE_OK) {
        return;
    }

    cli_cell_str(t, e->name);
    cli_cell_str(t, e->stage);
    cli_cell(t, "%llu", (unsigned long long) row->phase);
    cli_cell_str(t, row->variant);
    cli_cell_str(t, row->step);
    cli_cell(t, "%s", v->old != NULL ? "last" : "start");
    csv_double(t, top_seconds(v) > 0 ? top_seconds(v) : -1);

    if (row->units != TOP_UNKNOWN) {
        cli_cell(t, "%llu", (unsigned long long) row->units);

    } else {
        cli_cell(t, "%s", "");
    }

    for (i = 0; i < (int) (sizeof(counts) / sizeof(counts[0])); i++) {
        cli_cell(t, "%llu", (unsigned long long) w.counts[counts[i]]);
    }

    csv_double(t, top_quantile(&w.times[TOP_RESPONSE], 0.5));
    csv_double(t, top_quantile(&w.times[TOP_RESPONSE], 0.95));
    csv_double(t, top_quantile(&w.times[TOP_RESPONSE], 0.99));
    csv_double(t, top_quantile(&w.times[TOP_TTFT], 0.95));
    cli_cell(t, "%llu", (unsigned long long) e->feedback);
}


int
top_dump_json(const top_view_t *v)
{
    size_t                   i, j;
    nxe_buf_t                b;
    const top_experiment_t  *e;

    nxe_buf_init(&b, 1 << 26);

    for (i = 0; i < v->now->n; i++) {
        e = &v->now->experiments[i];

        for (j = 0; top_wanted(v->cli, e) && j < e->nrows; j++) {
            add_json_row(v, &b, e, &e->rows[j]);
        }
    }

    return cli_print_json(&b);
}


int
top_dump_csv(const top_view_t *v)
{
    size_t                   i, j;
    cli_table_t             *t;
    const top_experiment_t  *e;

    t = cli_table_new(v->cli, "llrlllrrrrrrrrrrrr", "EXPERIMENT", "STAGE",
                      "PHASE", "VARIANT", "STEP", "WINDOW", "WINDOW_S",
                      "UNITS", "REQUESTS", "5XX", "429", "STREAM", "ABORTED",
                      "P50_MS", "P95_MS", "P99_MS", "TTFT_P95_MS",
                      "FEEDBACK");

    if (v->again) {
        cli_table_go_on(t);
    }

    for (i = 0; i < v->now->n; i++) {
        e = &v->now->experiments[i];

        for (j = 0; top_wanted(v->cli, e) && j < e->nrows; j++) {
            add_csv_row(v, t, e, &e->rows[j]);
        }
    }

    cli_table_print(t, stdout);

    return CLI_DONE;
}
