/*
 * Whose workers read what init makes.
 */

#ifndef EXPCTL_INIT_GROUP_H
#define EXPCTL_INIT_GROUP_H

#include <sys/types.h>

#include "cli/cli.h"

/*
 * The group of nginx's workers: --group, else that of PATH/serving if it is
 * there, else by the "user" line of "nginx -T", else www-data.  CLI_DONE, or
 * the exit code after a message.
 */
int init_group(const cli_t *cli, const char *serving, gid_t *gid);

/* The name of a group or user, or its number. */
const char *init_group_name(const cli_t *cli, gid_t gid);
const char *init_user_name(const cli_t *cli, uid_t uid);

#endif /* EXPCTL_INIT_GROUP_H */
