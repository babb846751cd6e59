/*
 * Strings of a document that are given as {"file": PATH}.
 */

#ifndef EXPCTL_DOCTAKE_H
#define EXPCTL_DOCTAKE_H

#include <nxe/doc.h>
#include <nxe/tree.h>

#include "cli/cli.h"

/*
 * Puts the text of a file in the place of each {"file": PATH} where a long
 * string may stand.  A PATH is below the folder of the document, and nothing
 * on it is a symlink; a document from stdin has no folder.  What cannot be
 * taken is a fault.
 */
void doctake(cli_t *cli, const char *path, cJSON *tree,
    nxe_faults_t *faults);

#endif /* EXPCTL_DOCTAKE_H */
