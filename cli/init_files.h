/*
 * What init makes, and puts right: folders, files, the keys, with the modes
 * and groups that they need.
 */

#ifndef EXPCTL_INIT_FILES_H
#define EXPCTL_INIT_FILES_H

#include <sys/types.h>

#include "cli/cli.h"

/* All of these: CLI_DONE, or the exit code after a message. */

/* "cannot WHAT 'PATH': ", and errno's text. */
int init_failed(const char *what, const char *path);

/*
 * Group and mode of what is open; gid -1 leaves the group.  Owners other than
 * root and oneself are not overruled: what they made, they can change.
 */
int init_put_right(const cli_t *cli, int fd, const char *path, mode_t mode,
    gid_t gid);

int init_folder(const cli_t *cli, const char *path, mode_t mode, gid_t gid);

/* The folders above the last one, as "mkdir -p" makes them. */
int init_parents(const char *path);

/*
 * A file of a folder, if it is there.  Before LMDB opens it: closing a
 * descriptor of its files would let go of the locks that this process holds.
 */
int init_file(const cli_t *cli, const char *dir, const char *name,
    mode_t mode, gid_t gid);

/* Every file of a serving copy. */
int init_serving(const cli_t *cli, const char *serving, gid_t gid);

/*
 * The file of keys, made with one key if it is not there (made: 1).  kid gets
 * the id of the first, NXE_KID_LEN + 1 bytes.
 */
int init_key_file(const cli_t *cli, const char *path, char *kid, int *made);

#endif /* EXPCTL_INIT_FILES_H */
