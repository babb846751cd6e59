/*
 * expctl: the command table and the way in and out.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"


const cli_command_t *const  cli_commands[] = {
    &cmd_init_command,
    &cmd_apply_command,
    &cmd_validate_command,
    &cmd_get_command,
    &cmd_list_command,
    &cmd_tree_command,
    &cmd_stage_command,
    &cmd_pause_command,
    &cmd_resume_command,
    &cmd_rollback_command,
    &cmd_assign_command,
    &cmd_explain_command,
    &cmd_try_command,
    &cmd_analyze_command,
    &cmd_log_command,
    &cmd_top_command,
    &cmd_price_command,
    &cmd_doctor_command,
    &cmd_completion_command,
    &cmd_version_command,
    &cmd_help_command,
    NULL
};


const cli_command_t *
cli_command_find(const char *name)
{
    int  i;

    for (i = 0; cli_commands[i] != NULL; i++) {
        if (strcmp(cli_commands[i]->name, name) == 0) {
            return cli_commands[i];
        }
    }

    return NULL;
}


/*
 * A file that is opened while descriptor 1 is closed would get its number,
 * and then what is printed.  Descriptors that are not there are taken first,
 * by one that cannot be written.
 */

static void
hold_descriptors(void)
{
    int  fd;

    do {
        fd = open("/dev/null", O_RDONLY);
    } while (fd != -1 && fd <= STDERR_FILENO);

    if (fd != -1) {
        close(fd);
    }
}


static int
run(cli_t *cli, int argc, char **argv)
{
    int  rc;

    if (argc < 2) {
        fprintf(stderr, "usage: expctl COMMAND [ARGS] [OPTIONS]\n");
        cli_command_list(stderr);
        return CLI_USAGE;
    }

    rc = cli_parse(cli, argc, argv);
    if (rc != CLI_DONE) {
        return rc;
    }

    if (cli->command == NULL || cli_has(cli, "help")) {
        return cli_help(cli->command);
    }

    return cli->command->run(cli);
}


int
main(int argc, char **argv)
{
    int    rc;
    cli_t  cli;

    hold_descriptors();

    /* a file that may not grow is an error, not the end in the middle */
    signal(SIGXFSZ, SIG_IGN);

    memset(&cli, 0, sizeof(cli));
    cli.arena = nxe_arena_new();
    if (cli.arena == NULL) {
        cli_error("out of memory");
        return CLI_ENV;
    }
    cli.mem = nxe_arena_mem(cli.arena);

    rc = run(&cli, argc, argv);

    nxe_arena_free(cli.arena);

    /* What was not written was not said, whatever was done. */

    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout) || fclose(stdout) != 0) {
        cli_error("cannot write to stdout: %s",
                  strerror(errno != 0 ? errno : EIO));
        return CLI_ENV;
    }

    return rc;
}
