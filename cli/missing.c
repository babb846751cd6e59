/* Weak stand-ins for commands whose file is not there yet. */

#include "cli/commands.h"


static int
missing(cli_t *cli)
{
    cli_error("'%s' is not built yet", cli->command->name);
    return CLI_USAGE;
}

#define MISSING(n)                                                           \
    const cli_command_t  cmd_##n##_command __attribute__((weak)) =           \
        { #n, "", "(not built yet)", 0, NULL, missing, "" }

MISSING(init);
MISSING(apply);
MISSING(validate);
MISSING(get);
MISSING(list);
MISSING(tree);
MISSING(stage);
MISSING(pause);
MISSING(resume);
MISSING(rollback);
MISSING(analyze);
MISSING(completion);
MISSING(version);
MISSING(help);
