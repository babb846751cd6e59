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

/* Appends a state as a line of JSON, with the id that cli_written() takes. */
void cli_state_json(nxe_buf_t *b, nxe_str_t name, const nxe_state_t *state,
    uint64_t id);

#endif /* EXPCTL_STAGE_H */
