/*
 * A log file that is being written, line by line, through its rotation.
 */

#ifndef EXPCTL_LOGFOLLOW_H
#define EXPCTL_LOGFOLLOW_H

#include <nxe/base.h>


typedef struct logfollow_s  logfollow_t;

/*
 * Opens a file at its end.  path is borrowed.  NXE_INVALID: it is not there;
 * NXE_IO: err says why.
 */
nxe_status_t logfollow_open(const char *path, logfollow_t **follow,
    nxe_error_t *err);

/*
 * The next whole line, without its newline, until the next call.  NXE_AGAIN:
 * there is none yet; NXE_INVALID: one longer than NXE_LOGLINE_MAX, which is
 * skipped; NXE_IO: err says why.
 *
 * A file of that name that is another one is read from its start, and the one
 * before for ten seconds more: workers reopen one after another.  One that
 * was cut is read from its start, too.
 */
nxe_status_t logfollow_line(logfollow_t *follow, nxe_str_t *line,
    nxe_error_t *err);

/* NULL is allowed. */
void logfollow_close(logfollow_t *follow);


#endif /* EXPCTL_LOGFOLLOW_H */
