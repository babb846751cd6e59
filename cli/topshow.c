/*
 * Printing what experiment_status told.
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/topshow.h"

#define HEAD_LINES   5              /* above the experiments */
#define FRAME_LINES  3              /* of an experiment, around its rows */


int
top_wanted(const cli_t *cli, const top_experiment_t *e)
{
    int  i;

    for (i = 0; i < cli->nargs; i++) {
        if (nxe_str_eq(e->name, nxe_str_of(cli->args[i]))) {
            return 1;
        }
    }

    return cli->nargs == 0;
}


int
top_named(const cli_t *cli, const top_sample_t *s)
{
    int           i;
    size_t        j;
    const char   *near, **list;

    list = nxe_calloc(cli->mem, (s->n + 1) * sizeof(char *));

    if (list == NULL) {
        cli_error("out of memory");
        return CLI_ENV;
    }

    for (j = 0; j < s->n; j++) {
        list[j] = s->experiments[j].name.data;
    }

    for (i = 0; i < cli->nargs && s->more == 0; i++) {

        for (j = 0; j < s->n && strcmp(list[j], cli->args[i]) != 0; j++) {
            /* void */
        }

        if (j < s->n) {
            continue;
        }

        near = cli_near(cli->args[i], list);

        if (near != NULL) {
            cli_error("the edge counts no experiment '%s', near: %s",
                      cli->args[i], near);

        } else {
            cli_error("the edge counts no experiment '%s'", cli->args[i]);
        }

        cli_remedy("expctl top, expctl list");

        return CLI_USAGE;
    }

    return CLI_DONE;
}


double
top_seconds(const top_view_t *v)
{
    return v->old != NULL ? v->now->at - v->old->at : top_sample_age(v->now);
}


static const char *
span_text(const cli_t *cli, double s)
{
    return s < 9.95 ? cli_format(cli, "%.1f s", s)
           : s < 120 ? cli_format(cli, "%.0f s", s)
           : s < 120 * 60 ? cli_format(cli, "%.0f min", floor(s / 60))
           : s < 48 * 3600 ? cli_format(cli, "%.0f h", floor(s / 3600))
           : cli_format(cli, "%.0f d", floor(s / 86400));
}


static int
is_arm(const top_experiment_t *e, const top_row_t *row)
{
    return row->phase == e->phase && row->variant.data[0] != '_';
}


/* Its place in the document, behind which comes what is not in it. */

static size_t
place_of(const top_experiment_t *e, nxe_str_t variant)
{
    size_t  i;

    for (i = 0; i < e->nvariants; i++) {
        if (nxe_str_eq(e->variants[i], variant)) {
            break;
        }
    }

    return i;
}


/*
 * The rows of the phase in force, by variant as the document has them; one of
 * nothing for a variant that nobody got.  Their number.
 */

static size_t
arms_of(const cli_t *cli, const top_experiment_t *e, const top_row_t ***arms)
{
    size_t             i, j, n, had;
    top_row_t         *none;
    const top_row_t  **list;

    list = nxe_calloc(cli->mem,
                      (e->nrows + e->nvariants + 1) * sizeof(top_row_t *));
    none = nxe_calloc(cli->mem, (e->nvariants + 1) * sizeof(top_row_t));

    if (list == NULL || none == NULL) {
        cli_error("out of memory");
        exit(CLI_ENV);
    }

    n = 0;

    for (i = 0; i <= e->nvariants; i++) {
        had = n;

        for (j = 0; j < e->nrows; j++) {
            if (is_arm(e, &e->rows[j])
                && place_of(e, e->rows[j].variant) == i)
            {
                list[n++] = &e->rows[j];
            }
        }

        if (n == had && i < e->nvariants) {
            none[i].variant = e->variants[i];
            none[i].phase = e->phase;
            none[i].step = nxe_str("default");
            none[i].units = TOP_UNKNOWN;
            list[n++] = &none[i];
        }
    }

    *arms = list;

    return n;
}


static const char *
time_text(const cli_t *cli, const nxe_hist_t *times, double p)
{
    double  ms;

    ms = top_quantile(times, p);

    return ms < 0 ? "-" : cli_duration(cli, ms);
}


static const char *
rate_text(const cli_t *cli, uint64_t n, double seconds)
{
    double  x;

    if (seconds <= 0) {
        return "-";
    }

    x = (double) n / seconds;

    return n == 0 ? "0" : x < 0.005 ? "<0.01"
           : x >= 999.5 ? cli_count(cli, (uint64_t) (x + 0.5))
           : cli_format(cli, "%.*f", x < 9.995 ? 2 : x < 99.95 ? 1 : 0, x);
}


static void
add_row(cli_table_t *t, const top_view_t *v, const top_experiment_t *e,
    const top_row_t *row, int steps)
{
    int            known;
    const cli_t   *cli;
    top_window_t   w;

    cli = v->cli;
    known = top_window(v->old, e, row, &w) == NXE_OK;

    cli_cell_str(t, row->variant);

    if (steps) {
        cli_cell_str(t, row->step);
    }

    cli_cell(t, "%s", row->units != TOP_UNKNOWN ? cli_count(cli, row->units)
                                                : "-");

    if (!known) {
        memset(&w, 0, sizeof(w));
    }

    cli_cell(t, "%s", known ? cli_count(cli, w.counts[TOP_REQUESTS]) : "-");
    cli_cell(t, "%s", known ? rate_text(cli, w.counts[TOP_REQUESTS],
                                        top_seconds(v))
                            : "-");
    cli_cell(t, "%s", cli_percent(cli, top_errors(&w),
                                  w.counts[TOP_REQUESTS]));
    cli_cell(t, "%s", time_text(cli, &w.times[TOP_RESPONSE], 0.5));
    cli_cell(t, "%s", time_text(cli, &w.times[TOP_RESPONSE], 0.95));
    cli_cell(t, "%s", time_text(cli, &w.times[TOP_RESPONSE], 0.99));
    cli_cell(t, "%s", time_text(cli, &w.times[TOP_TTFT], 0.95));
}


static void
print_about(const cli_t *cli, const top_experiment_t *e)
{
    nxe_frac_t   exposure;
    const char  *text;

    printf("\n%s  %s", cli_safe(cli, e->name),
           e->stage.len != 0 ? cli_safe(cli, e->stage) : "off");

    if (e->exposure.len != 0) {
        text = nxe_frac_parse(e->exposure, &exposure) == NXE_OK
               ? cli_exposure(cli, exposure) : cli_safe(cli, e->exposure);
        printf(", exposure %s", text);
    }

    if (e->phase != 0) {
        printf(", phase %llu", (unsigned long long) e->phase);
    }

    if (e->revision != 0) {
        printf(", revision %llu", (unsigned long long) e->revision);
    }

    if (e->layer.len != 0) {
        printf(", layer %s", cli_safe(cli, e->layer));
    }

    if (e->feedback != 0) {
        printf(", feedback %s", cli_count(cli, e->feedback));
    }

    putchar('\n');

    if (e->error) {
        printf("%s  its document cannot be used, all get the baseline\n"
               "      next: see nginx's error log, expctl doctor\n",
               cli_mark(cli, "FAIL"));
    }
}


/* Requests since the start that are in no row, by reason; NULL: none. */

static const char *
left_out(const cli_t *cli, const top_experiment_t *e)
{
    size_t            i, j;
    uint64_t          n, others;
    const char       *text;
    const top_row_t  *row;

    text = NULL;
    others = 0;

    for (i = 0; i < e->nrows; i++) {
        row = &e->rows[i];

        if (row->phase != e->phase) {
            others += row->counts[TOP_REQUESTS];
            continue;
        }

        if (row->variant.data[0] != '_') {
            continue;
        }

        /* all steps of a reason, where the first of them stands */

        n = 0;

        for (j = 0; j < e->nrows; j++) {
            if (e->rows[j].phase == e->phase
                && nxe_str_eq(e->rows[j].variant, row->variant))
            {
                if (j < i) {
                    break;
                }

                n += e->rows[j].counts[TOP_REQUESTS];
            }
        }

        if (j == e->nrows && n != 0) {
            text = cli_format(cli, "%s%s%s %s", text != NULL ? text : "",
                              text != NULL ? ", " : "",
                              cli_safe(cli, (nxe_str_t)
                                            { row->variant.data + 1,
                                              row->variant.len - 1 }),
                              cli_count(cli, n));
        }
    }

    if (others != 0) {
        text = cli_format(cli, "%s%sother phases %s", text != NULL ? text : "",
                          text != NULL ? ", " : "", cli_count(cli, others));
    }

    return text;
}


/* At most max rows; returns the lines that it took. */

static int
print_experiment(const top_view_t *v, const top_experiment_t *e,
    const top_row_t **arms, size_t n, size_t max)
{
    int           steps;
    size_t        i;
    const char   *left;
    cli_table_t  *t;

    print_about(v->cli, e);

    for (i = 0, steps = 0; i < n; i++) {
        steps = steps || !nxe_str_eq(arms[i]->step, nxe_str("default"));
    }

    t = cli_table_new(v->cli, "c", "VARIANT");

    if (steps) {
        cli_table_column(t, 'c', "STEP");
    }

    cli_table_column(t, 'r', "UNITS");
    cli_table_column(t, 'r', "REQUESTS");
    cli_table_column(t, 'r', "REQ/S");
    cli_table_column(t, 'r', "ERRORS");
    cli_table_column(t, 'r', "P50");
    cli_table_column(t, 'r', "P95");
    cli_table_column(t, 'r', "P99");
    cli_table_column(t, 'r', "TTFT P95");

    for (i = 0; i < n && i < max; i++) {
        add_row(t, v, e, arms[i], steps);
    }

    cli_table_print(t, stdout);

    left = left_out(v->cli, e);

    if (n > max) {
        printf("... %zu more rows\n", n - max);
    }

    if (left != NULL) {
        printf("left out: %s\n", left);
    }

    return FRAME_LINES + (int) (n < max ? n : max + 1) + (left != NULL)
           + 2 * e->error;
}


/* A line that is ok or not, and then what to do. */

static void
print_check(const cli_t *cli, int bad, const char *text, const char *next)
{
    printf("%s%s%s\n", cli_mark(cli, bad ? "warn" : "ok"),
           bad ? "  " : "    ", text);

    if (bad) {
        printf("      next: %s\n", next);
    }
}


static void
print_head(const top_view_t *v)
{
    const char          *text;
    const cli_t         *cli;
    cli_table_t         *t;
    const top_sample_t  *s;

    cli = v->cli;
    s = v->now;

    /* what may be long is cut by a terminal */

    t = cli_table_new(cli, "ll", "", "");
    cli_table_no_heads(t);
    cli_cell_str(t, s->now);
    cli_cell_str(t, s->worker);
    cli_table_print(t, stdout);

    if (v->trouble != NULL) {
        t = cli_table_new(cli, "ll", "", "");
        cli_table_no_heads(t);
        cli_cell_mark(t, "warn");
        cli_cell(t, "%s", v->trouble);
        cli_table_print(t, stdout);
    }

    text = s->transaction != TOP_UNKNOWN
           ? cli_format(cli, "registry %llu",
                        (unsigned long long) s->transaction)
           : "no registry";

    if (s->age_s.len != 0) {
        text = cli_format(cli, "%s, published %s ago", text,
                          span_text(cli, strtod(s->age_s.data, NULL)));
    }

    print_check(cli, s->transaction == TOP_UNKNOWN || s->snapshot_errors != 0,
                cli_format(cli, "%s, snapshot errors %s", text,
                           cli_count(cli, s->snapshot_errors)),
                "see nginx's error log, expctl doctor");

    print_check(cli, s->dropped != 0,
                cli_format(cli, "rows %s of %s, requests not counted %s",
                           cli_count(cli, s->nrows),
                           cli_count(cli, s->nrows_max),
                           cli_count(cli, s->dropped)),
                "a larger experiment_zone in nginx.conf");

    if (v->old != NULL) {
        printf("requests, errors, times of the last %s; units since %s\n",
               span_text(cli, top_seconds(v)), cli_safe(cli, s->started));

    } else {
        printf("since %s; units within 1.6 %% (standard error)\n",
               cli_safe(cli, s->started));
    }
}


static void
print_table(const top_view_t *v)
{
    int                      room, taken, all;
    size_t                   i, n, max, shown, hidden;
    const top_row_t        **arms;
    const top_experiment_t  *e;

    print_head(v);

    room = v->lines - HEAD_LINES - 1;
    shown = 0;
    hidden = 0;

    for (i = 0; i < v->now->n; i++) {
        e = &v->now->experiments[i];

        if (!top_wanted(v->cli, e)) {
            continue;
        }

        n = arms_of(v->cli, e, &arms);
        all = FRAME_LINES + (int) n + 1;
        max = n;

        if (v->lines != 0 && all > room) {
            if (shown != 0) {
                hidden++;
                room = 0;
                continue;
            }

            max = room > FRAME_LINES + 3 ? (size_t) (room - FRAME_LINES - 2)
                                         : 1;
        }

        taken = print_experiment(v, e, arms, n, max);
        room -= taken;
        shown++;
    }

    if (hidden != 0) {
        printf("... %zu more experiments, name those to be shown: expctl top "
               "NAME\n", hidden);

    } else if (shown == 0) {
        printf("\n%s\n", v->cli->nargs != 0
                          ? "no experiment of those named has counts"
                          : "no experiment is live, and none has counts");

    } else if (v->now->more != 0) {
        printf("... %s more that are live\n", cli_count(v->cli,
                                                        v->now->more));
    }
}


int
top_show(const top_view_t *v)
{
    switch (v->cli->format) {

    case CLI_JSON:
        return top_dump_json(v);

    case CLI_CSV:
        return top_dump_csv(v);

    default:
        print_table(v);
        return CLI_DONE;
    }
}
