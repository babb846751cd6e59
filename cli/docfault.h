/*
 * Faults of a document, shown where they are in its text.
 */

#ifndef EXPCTL_DOCFAULT_H
#define EXPCTL_DOCFAULT_H

#include <nxe/doc.h>
#include <nxe/json.h>

#include "cli/cli.h"

/*
 * Prints the faults of a text that is JSON, in order of place: to stderr as
 * OUTPUT 3 shows them, or with -o json an object a line to stdout.  outcome
 * (may be NULL) follows their number.
 */
void docfault_print(cli_t *cli, const char *path, nxe_str_t text,
    const nxe_faults_t *faults, const char *outcome);

/* The one fault of a text that is not JSON, in the same form. */
void docfault_syntax(cli_t *cli, const char *path, nxe_str_t text,
    const nxe_json_result_t *result, const char *outcome);

#endif /* EXPCTL_DOCFAULT_H */
