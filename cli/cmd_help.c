/*
 * expctl help: the commands, or one of them with its options.
 */

#include <string.h>

#include "cli/commands.h"


void
cli_command_list(FILE *f)
{
    int  i;

    for (i = 0; cli_commands[i] != NULL; i++) {
        fprintf(f, "  %-10s  %s\n", cli_commands[i]->name,
                cli_commands[i]->summary);
    }

    fprintf(f, "next: expctl help COMMAND\n");
}


/* An option as help shows it, "-f, --file FILE"; returns its length. */

static int
option_text(const cli_opt_t *opt, char *buf, size_t size)
{
    char  letter[8];

    letter[0] = '\0';

    if (opt->letter != 0) {
        snprintf(letter, sizeof(letter), "-%c, ", opt->letter);
    }

    return snprintf(buf, size, "%s--%s%s%s", letter, opt->name,
                    opt->metavar != NULL ? " " : "",
                    opt->metavar != NULL ? opt->metavar : "");
}


/* Words of text from column indent on, lines of at most 79. */

static void
print_wrapped(const char *text, int column, int indent)
{
    size_t  len;

    while (*text != '\0') {
        len = strcspn(text, " ");

        if (column + 1 + (int) len > 79) {
            printf("\n%*s", indent, "");
            column = indent;

        } else if (column > indent) {
            putchar(' ');
            column++;
        }

        printf("%.*s", (int) len, text);
        column += (int) len;
        text += len;
        text += strspn(text, " ");
    }

    putchar('\n');
}


static void
print_options(const cli_command_t *command)
{
    int               i, n, width;
    char              buf[80];
    const cli_opt_t  *opt;

    width = 0;

    for (i = 0; (opt = cli_option(command, i)) != NULL; i++) {
        n = option_text(opt, buf, sizeof(buf));
        if (n > width) {
            width = n;
        }
    }

    if (width > 28) {
        width = 28;
    }

    for (i = 0; (opt = cli_option(command, i)) != NULL; i++) {
        n = option_text(opt, buf, sizeof(buf));
        printf("  %-*s", width, buf);

        if (n > width) {
            printf("\n%*s", width + 2, "");
        }

        printf("  ");
        print_wrapped(opt->help, width + 4, width + 4);
    }
}


int
cli_help(const cli_command_t *command)
{
    if (command == NULL) {
        printf("expctl: experiments at the edge\n"
               "usage: expctl COMMAND [ARGS] [OPTIONS]\n\n");
        cli_command_list(stdout);
        printf("\noptions of every command:\n");
        print_options(cli_command_find("help"));
        printf("\nenvironment: EXPCTL_REGISTRY NO_COLOR TERM COLUMNS\n"
               "exit: 0 done, 1 the answer is no, 2 wrong usage or input, "
               "3 I/O\n");
        return CLI_DONE;
    }

    printf("expctl %s: %s\nusage: expctl %s%s%s [OPTIONS]\n",
           command->name, command->summary, command->name,
           *command->args != '\0' ? " " : "", command->args);

    if (command->help != NULL && *command->help != '\0') {
        printf("\n%s", command->help);
        if (command->help[strlen(command->help) - 1] != '\n') {
            putchar('\n');
        }
    }

    printf("\noptions:\n");
    print_options(command);

    return CLI_DONE;
}


/* Whether the command begins with the word, as "set" of "set/list [MODEL]". */

static int
has_word(const cli_command_t *command, const char *word)
{
    size_t       n, len;
    const char  *p;

    p = command->args;
    len = strlen(word);

    for ( ;; ) {
        n = strspn(p, "abcdefghijklmnopqrstuvwxyz");

        if (n != 0 && n == len && memcmp(p, word, n) == 0) {
            return 1;
        }

        if (p[n] != '/') {
            return 0;
        }

        p += n + 1;
    }
}


static int
cmd_help(cli_t *cli)
{
    int                   rc;
    char                 *argv[2];
    const cli_command_t  *command;

    rc = cli_args(cli, 0, 2);
    if (rc != CLI_DONE) {
        return rc;
    }

    if (cli->nargs == 0) {
        return cli_help(NULL);
    }

    command = cli_command_find(cli->args[0]);

    if (command == NULL) {
        /* the parser has the words for it */
        argv[0] = cli->args[0];
        argv[1] = cli->args[0];
        cli->command = NULL;
        return cli_parse(cli, 2, argv);
    }

    if (cli->nargs == 2 && !has_word(command, cli->args[1])) {
        cli->command = command;
        return cli_usage(cli, "unexpected argument '%s', expected %s",
                         cli->args[1],
                         *command->args != '\0' ? command->args : "none");
    }

    return cli_help(command);
}


const cli_command_t  cmd_help_command = {
    "help", "[COMMAND [WORD]]", "shows the commands, or one with its options",
    0, NULL, cmd_help,
    "\"expctl help COMMAND\" prints the same as \"expctl COMMAND -h\"; so does\n"
    "\"expctl help price set\", of a command that begins with a word.\n"
};
