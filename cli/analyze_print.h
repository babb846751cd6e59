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
