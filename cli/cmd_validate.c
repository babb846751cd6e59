/*
 * expctl validate
 */

#include <string.h>

#include "cli/commands.h"
#include "cli/docfile.h"


/* What is said of a file; of one with faults, JSON has those. */

static void
say(const cli_t *cli, cli_table_t *t, const char *path, int ok)
{
    nxe_buf_t  b;

    switch (cli->format) {

    case CLI_JSON:

        if (ok) {
            nxe_buf_init(&b, 1 << 20);
            nxe_buf_add(&b, nxe_str("{\"file\":"));
            nxe_buf_add_json(&b, nxe_str_of(path));
            nxe_buf_add(&b, nxe_str(",\"ok\":true}\n"));
            (void) cli_print_json(&b);
        }

        break;

    case CLI_CSV:
        cli_cell(t, "%s", path);
        cli_cell(t, "%s", ok ? "true" : "false");
        break;

    case CLI_TABLE:

        if (ok) {
            printf("%s: ok\n", cli_safe(cli, nxe_str_of(path)));
        }

        break;
    }
}


static int
cmd_validate(cli_t *cli)
{
    int           i, rc, worst, stdins;
    size_t        j, n;
    docfile_t     file;
    cli_table_t  *t;
    const char  **paths;

    rc = cli_args(cli, 1, -1);
    if (rc != CLI_DONE) {
        return rc;
    }

    t = cli_table_new(cli, "ll", "FILE", "OK");
    worst = CLI_DONE;

    for (i = 0, stdins = 0; i < cli->nargs; i++) {
        stdins += strcmp(cli->args[i], "-") == 0;

        if (stdins > 1) {
            return cli_usage(cli, "stdin (-) can be read only once");
        }

        rc = docfile_list(cli, cli->args[i], &paths, &n);

        for (j = 0; rc == CLI_DONE && j < n; j++) {
            rc = docfile_load(cli, paths[j], NULL, &file);

            if (rc == CLI_DONE) {
                docfile_free(&file);
                say(cli, t, paths[j], 1);

            } else {
                say(cli, t, paths[j], 0);
                worst = rc > worst ? rc : worst;
                rc = CLI_DONE;
            }
        }

        worst = rc > worst ? rc : worst;
    }

    if (cli->format == CLI_CSV) {
        cli_table_print(t, stdout);
    }

    return worst;
}


const cli_command_t  cmd_validate_command = {
    "validate", "FILE...", "checks documents without a registry",
    CLI_OUTPUT, NULL, cmd_validate,
    "Makes the checks of apply on each FILE (- is stdin, a folder stands for\n"
    "its *.json) and prints every fault with its place, what was expected and\n"
    "the nearest right name.  With -o json a fault is one object a line on\n"
    "stdout: {\"file\",\"line\",\"column\",\"pointer\",\"found\",\n"
    "\"expected\",\"near\"}, a good file {\"file\",\"ok\":true}.\n"
    "\n"
    "Exit status 2 if a document has a fault.\n"
    "\n"
    "  expctl validate tone.json\n"
};
