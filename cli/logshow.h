/*
 * A log line as a row of "expctl log show".
 */

#ifndef EXPCTL_LOGSHOW_H
#define EXPCTL_LOGSHOW_H

#include "cli/cli.h"
#include "cli/logunit.h"


typedef struct {
    const cli_t        *cli;
    logunit_t          *unit;       /* NULL: every unit */
    int                 missing;    /* metered requests without usage alone */
    int                 heads;      /* 1: they are printed */
    char                day[11];    /* of the last row */
} logshow_t;

/*
 * Prints a line that is meant.  NXE_INVALID: it is no line of ours, *why is
 * static text that says so.
 */
nxe_status_t logshow_line(logshow_t *show, nxe_str_t line, const char **why);

/* The heads where no line has printed them. */
void logshow_end(logshow_t *show);


#endif /* EXPCTL_LOGSHOW_H */
