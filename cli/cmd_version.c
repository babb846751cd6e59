/*
 * expctl version
 */

#include "cli/commands.h"

#define EXPCTL_VERSION  "0.1.0"


static int
cmd_version(cli_t *cli)
{
    int  rc;

    rc = cli_args(cli, 0, 0);
    if (rc != CLI_DONE) {
        return rc;
    }

    if (cli->format == CLI_JSON) {
        printf("{\"version\":\"" EXPCTL_VERSION "\",\"registry_format\":1,"
               "\"serving_format\":1}\n");

    } else if (cli->format == CLI_CSV) {
        printf("version\n" EXPCTL_VERSION "\n");

    } else {
        printf("expctl " EXPCTL_VERSION "\n");
    }

    return CLI_DONE;
}


const cli_command_t  cmd_version_command = {
    "version", "", "prints the version",
    CLI_OUTPUT, NULL, cmd_version, ""
};
