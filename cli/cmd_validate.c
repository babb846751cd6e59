/*
 * expctl validate
 */

#include "cli/commands.h"
#include "cli/docfile.h"


static int
cmd_validate(cli_t *cli)
{
    int           i, rc, worst;
    size_t        j, n;
    docfile_t     file;
    const char  **paths;

    rc = cli_args(cli, 1, -1);
    if (rc != CLI_DONE) {
        return rc;
    }

    worst = CLI_DONE;

    for (i = 0; i < cli->nargs; i++) {
        rc = docfile_list(cli, cli->args[i], &paths, &n);

        for (j = 0; rc == CLI_DONE && j < n; j++) {
            rc = docfile_load(cli, paths[j], NULL, &file);

            if (rc == CLI_DONE) {
                docfile_free(&file);

                if (cli->format == CLI_TABLE) {
                    printf("%s: ok\n", cli_safe(cli, nxe_str_of(paths[j])));
                }

            } else {
                worst = rc > worst ? rc : worst;
                rc = CLI_DONE;
            }
        }

        worst = rc > worst ? rc : worst;
    }

    return worst;
}


const cli_command_t  cmd_validate_command = {
    "validate", "FILE...", "checks documents without a registry",
    CLI_OUTPUT, NULL, cmd_validate,
    "Makes the checks of apply on each FILE (- is stdin, a folder stands for\n"
    "its *.json) and prints every fault with its place, what was expected and\n"
    "the nearest right name.  With -o json a fault is one object a line on\n"
    "stdout: {\"file\",\"line\",\"column\",\"pointer\",\"found\",\"expected\",\n"
    "\"near\"}.\n"
    "\n"
    "Exit status 2 if a document has a fault.\n"
    "\n"
    "    expctl validate tone.json\n"
};
