/*
 * What stage and its shorter forms share.
 */

#ifndef EXPCTL_STAGE_H
#define EXPCTL_STAGE_H

#include <nxe/transition.h>

#include "cli/cli.h"

/*
 * Does the wish (all but now, by and reason) to the experiment args[0], and
 * prints what came of it.
 */
int cli_stage_one(cli_t *cli, const nxe_wish_t *wish);

#endif /* EXPCTL_STAGE_H */
