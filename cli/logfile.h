/*
 * Log files, line by line: plain or gzip, named, by pattern, or stdin.
 */

#ifndef EXPCTL_LOGFILE_H
#define EXPCTL_LOGFILE_H

#include <nxe/base.h>

#include "cli/cli.h"


typedef struct logfile_s  logfile_t;

/*
 * The files that names stand for, in cli->mem: "-" as it is, a file of that
 * name, else the files that match it as a pattern, in order of name.
 * NXE_IO: one stands for nothing.
 */
nxe_status_t logfile_list(const cli_t *cli, char *const *names, int n,
    char ***paths, size_t *npaths, nxe_error_t *err);

/* "-" is stdin.  NXE_IO: err names the file. */
nxe_status_t logfile_open(const char *path, logfile_t **file,
    nxe_error_t *err);

/*
 * The next line, without its newline, until the next call; *number counts
 * from 1.  NXE_DECLINED: that was all; NXE_INVALID: a line longer than
 * NXE_LOGLINE_MAX, which is skipped; NXE_IO: err says why.
 */
nxe_status_t logfile_line(logfile_t *file, nxe_str_t *line, uint64_t *number,
    nxe_error_t *err);

/* Bytes of the file itself read so far, and its size (0: not known). */
uint64_t logfile_offset(const logfile_t *file);
uint64_t logfile_size(const char *path);

/* NULL is allowed. */
void logfile_close(logfile_t *file);


#endif /* EXPCTL_LOGFILE_H */
