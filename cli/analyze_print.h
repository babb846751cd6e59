/*
 * The report of an analysis.
 */

#ifndef EXPCTL_ANALYZE_PRINT_H
#define EXPCTL_ANALYZE_PRINT_H

#include <nxe/registry.h>

#include "cli/analyze.h"
#include "cli/cli.h"


typedef struct {
    const cli_t        *cli;
    analyze_plan_t      plan;
    nxe_phase_t         phase;
    size_t              npaths;
    char              **paths;
    analyze_input_t    *inputs;
    const analyze_t    *result;
} analyze_report_t;

/*
 * analyze_plan.c: fills in phase and plan from the registry and the options;
 * *glob is the log that init named.  An exit code.
 */
int analyze_make_plan(cli_t *cli, analyze_report_t *report, char **glob);

/* A metric of an arm, under its name of docs/statistics.md. */

typedef struct {
    const char         *name;
    uint64_t            n;
    double              mean;
    double              variance;
    double              quantiles[3];   /* p50, p95, p99 */
    double              total;
    uint64_t            missing;
    uint64_t            immature;
    const char         *reason;         /* why there is no mean, or NULL */
    unsigned            has_variance:1;
    unsigned            has_quantiles:1;
    unsigned            has_total:1;
    unsigned            outcome:1;      /* by feedback: missing, immature */
} analyze_value_t;

/* analyze_values.c: what was measured of a row, in cli->mem. */
const analyze_value_t *analyze_values(const analyze_report_t *report,
    size_t row, size_t *n);

/* NULL: it was not measured. */
const analyze_value_t *analyze_find(const analyze_value_t *values, size_t n,
    const char *name);

/* analyze_tables.c: the tables below the first one. */
void analyze_tables(const analyze_report_t *report);

/* Prints it in the format that was asked for; the exit code. */
int analyze_print(const analyze_report_t *report);

/* analyze_json.c: appends it as one line of JSON. */
void analyze_json(const analyze_report_t *report, nxe_buf_t *b);

/* 1 if the units in the arms are not as the weights say. */
int analyze_srm_failed(const analyze_report_t *report);

/* The window that the report is about, RFC 3339. */
void analyze_window(const analyze_report_t *report, nxe_str_t *from,
    nxe_str_t *to);


#endif /* EXPCTL_ANALYZE_PRINT_H */
