/*
 * Whether a log line is about one unit.
 */

#ifndef EXPCTL_LOGUNIT_H
#define EXPCTL_LOGUNIT_H

#include "cli/cli.h"


typedef struct logunit_s  logunit_t;

/*
 * What unit means: an id of 32 hex digits, as lines have it, or a raw unit,
 * which is hashed with each key of the registry's key file and each type
 * that the lines so far had.  CLI_DONE, or an exit code after a message.
 */
int logunit_new(const cli_t *cli, const char *unit, logunit_t **want);

/*
 * 1 if an id is the unit's; id and type are as JSON quotes them, type may be
 * empty.
 */
int logunit_is(logunit_t *want, nxe_str_t id, nxe_str_t type);

/* Erases the keys; NULL is allowed. */
void logunit_free(logunit_t *want);


#endif /* EXPCTL_LOGUNIT_H */
