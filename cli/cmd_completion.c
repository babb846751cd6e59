/*
 * expctl completion: scripts for shells, made from the command table.
 */

#include <string.h>

#include "cli/commands.h"


/* What the value of an option, or an argument, is completed with. */

static const struct {
    const char         *metavar;
    const char         *words;      /* NULL: files */
} values[] = {
    { "table/json/csv", "table json csv" },
    { "S", "off canary ab rollout paused rolled_back" },
    { "D", "json openai_chat openai_responses anthropic" },
    { "open", "open" },
    { "WHAT", "usage" },
    { "URL", "http://127.0.0.1/experiment_status" },
    { "FILE/DIR/-", NULL },
    { "FILE", NULL },
    { "DIR", NULL },
    { "BINARY", NULL },
    { NULL, NULL }
};


/* 1 if metavar is known: words, or NULL for files, are in *words. */

static int
find_value(const char *metavar, const char **words)
{
    int  i;

    for (i = 0; values[i].metavar != NULL; i++) {
        if (strcmp(values[i].metavar, metavar) == 0) {
            *words = values[i].words;
            return 1;
        }
    }

    return 0;
}


/* Words that follow a command, as its synopsis names them. */

static const char *
words_of(const cli_command_t *command)
{
    static const struct {
        const char  *name;
        const char  *words;
    } fixed[] = {
        { "stage", "off canary ab rollout" },
        { "price", "set list" },
        { "log", "show" },
        { "completion", "bash zsh fish" }
    };

    size_t  i;

    for (i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        if (strcmp(fixed[i].name, command->name) == 0) {
            return fixed[i].words;
        }
    }

    return "";
}


static int
takes_name(const cli_command_t *command)
{
    const char  *args;

    args = command->args;

    return strncmp(args + (*args == '['), "NAME", 4) == 0;
}


static int
takes_files(const cli_command_t *command)
{
    return strstr(command->args, "FILE") != NULL
           || strstr(command->args, "LOG") != NULL;
}


/* Inside of single quotes, of a POSIX shell or of fish. */

static void
put_quoted(const char *s, int fish)
{
    for ( /* void */ ; *s != '\0'; s++) {
        if (*s == '\'') {
            fputs(fish ? "\\'" : "'\\''", stdout);

        } else {
            putchar(*s);
        }
    }
}


static void
put_commands(void)
{
    int  i;

    for (i = 0; cli_commands[i] != NULL; i++) {
        printf("%s%s", i > 0 ? " " : "", cli_commands[i]->name);
    }
}


static void
bash_options(const cli_command_t *command)
{
    int               i;
    const cli_opt_t  *opt;

    for (i = 0; (opt = cli_option(command, i)) != NULL; i++) {
        printf("%s--%s", i > 0 ? " " : "", opt->name);

        if (opt->letter != 0) {
            printf(" -%c", opt->letter);
        }
    }
}


/* What may stand behind each option that takes a value. */

static void
bash_values(const cli_command_t *command)
{
    int               i;
    const char       *words;
    const cli_opt_t  *opt;

    for (i = 0; (opt = cli_option(command, i)) != NULL; i++) {
        if (opt->metavar == NULL) {
            continue;
        }

        printf("        %s:--%s", command->name, opt->name);

        if (opt->letter != 0) {
            printf("|%s:-%c", command->name, opt->letter);
        }

        if (!find_value(opt->metavar, &words)) {
            printf(") return ;;\n");

        } else if (words == NULL) {
            printf(") COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n");

        } else {
            printf(") COMPREPLY=($(compgen -W \"%s\" -- \"$cur\")); "
                   "return ;;\n", words);
        }
    }
}


static const char  bash_names[] =
    "_expctl_names()\n"
    "{\n"
    "    command expctl list -o json 2>/dev/null |\n"
    "        sed -n 's/^{\"name\":\"\\([^\"]*\\)\".*/\\1/p'\n"
    "}\n"
    "\n";

static const char  bash_start[] =
    "_expctl()\n"
    "{\n"
    "    local cur prev cmd i words\n"
    "    COMPREPLY=()\n"
    "    cur=${COMP_WORDS[COMP_CWORD]}\n"
    "    prev=${COMP_WORDS[COMP_CWORD-1]}\n"
    "    cmd=\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        case ${COMP_WORDS[i]} in\n"
    "        --registry|-o|--output|-m|--message|--as) ((i++)) ;;\n"
    "        -*) ;;\n"
    "        *) cmd=${COMP_WORDS[i]}; break ;;\n"
    "        esac\n"
    "    done\n"
    "    if [ -z \"$cmd\" ]; then\n";


static void
print_bash(void)
{
    int                   i;
    const cli_command_t  *c;

    fputs("# bash completion for expctl: source it, or put it into\n"
          "# /usr/share/bash-completion/completions/expctl\n\n", stdout);
    fputs(bash_names, stdout);
    fputs(bash_start, stdout);

    printf("        COMPREPLY=($(compgen -W \"");
    put_commands();
    printf("\" -- \"$cur\"))\n        return\n    fi\n"
           "    case $cmd:$prev in\n");

    for (i = 0; cli_commands[i] != NULL; i++) {
        bash_values(cli_commands[i]);
    }

    printf("    esac\n    words=\n    case $cmd in\n");

    for (i = 0; (c = cli_commands[i]) != NULL; i++) {
        printf("    %s)\n        case $cur in\n        -*) words=\"", c->name);
        bash_options(c);
        printf("\" ;;\n        *) words=\"%s\"", words_of(c));

        if (takes_name(c)) {
            printf("\n            words=\"$words $(_expctl_names)\"");
        }

        if (takes_files(c)) {
            printf("\n            COMPREPLY=($(compgen -f -- \"$cur\"))");
        }

        printf(" ;;\n        esac ;;\n");
    }

    printf("    esac\n    if [ \"$cmd\" = help ]; then\n        words=\"");
    put_commands();
    printf("\"\n    fi\n"
           "    COMPREPLY+=($(compgen -W \"$words\" -- \"$cur\"))\n"
           "}\n\n"
           "complete -o filenames -F _expctl expctl\n");
}


/* A description inside of [...] of _arguments, in single quotes. */

static void
put_zsh_help(const char *s)
{
    for ( /* void */ ; *s != '\0'; s++) {
        if (*s == '[' || *s == ']' || *s == ':' || *s == '\\') {
            putchar('\\');
        }

        if (*s == '\'') {
            fputs("'\\''", stdout);

        } else {
            putchar(*s);
        }
    }
}


static void
zsh_option(const cli_opt_t *opt)
{
    const char  *words;

    if (opt->letter != 0) {
        printf("            {-%c,--%s}'[", opt->letter, opt->name);

    } else {
        printf("            '--%s[", opt->name);
    }

    put_zsh_help(opt->help);
    putchar(']');

    if (opt->metavar != NULL) {
        putchar(':');
        put_zsh_help(opt->metavar);
        putchar(':');

        if (find_value(opt->metavar, &words)) {
            if (words != NULL) {
                printf("(%s)", words);

            } else {
                printf("_files");
            }
        }
    }

    printf("' \\\n");
}


static void
print_zsh(void)
{
    int                   i, j;
    const cli_opt_t      *opt;
    const cli_command_t  *c;

    printf("#compdef expctl\n\n"
           "_expctl_names()\n{\n    local -a names\n"
           "    names=(${(f)\"$(command expctl list -o json 2>/dev/null |\n"
           "        sed -n 's/^{\"name\":\"\\([^\"]*\\)\".*/\\1/p')\"})\n"
           "    compadd -a names\n}\n\n"
           "_expctl()\n{\n    local -a commands\n    commands=(\n");

    for (i = 0; (c = cli_commands[i]) != NULL; i++) {
        printf("        '%s:", c->name);
        put_zsh_help(c->summary);
        printf("'\n");
    }

    printf("    )\n    if (( CURRENT == 2 )); then\n"
           "        _describe command commands\n        return\n    fi\n"
           "    case $words[2] in\n");

    for (i = 0; (c = cli_commands[i]) != NULL; i++) {
        printf("    %s)\n        _arguments \\\n", c->name);

        for (j = 0; (opt = cli_option(c, j)) != NULL; j++) {
            zsh_option(opt);
        }

        printf("            '*:%s:", c->name);

        if (strcmp(c->name, "help") == 0) {
            printf("(");
            put_commands();
            printf(")");

        } else if (takes_name(c)) {
            printf("_expctl_names");

        } else if (takes_files(c)) {
            printf("_files");

        } else if (*words_of(c) != '\0') {
            printf("(%s)", words_of(c));
        }

        printf("' ;;\n");
    }

    printf("    esac\n}\n\n_expctl \"$@\"\n");
}


static void
fish_option(const cli_command_t *c, const cli_opt_t *opt)
{
    const char  *words;

    printf("complete -c expctl -n '__fish_seen_subcommand_from %s' -l %s",
           c->name, opt->name);

    if (opt->letter != 0) {
        printf(" -s %c", opt->letter);
    }

    if (opt->metavar != NULL) {
        if (!find_value(opt->metavar, &words)) {
            printf(" -x");

        } else if (words == NULL) {
            printf(" -r -F");

        } else {
            printf(" -x -a '%s'", words);
        }
    }

    printf(" -d '");
    put_quoted(opt->help, 1);
    printf("'\n");
}


static void
print_fish(void)
{
    int                   i, j;
    const cli_opt_t      *opt;
    const cli_command_t  *c;

    printf("function __expctl_names\n"
           "    command expctl list -o json 2>/dev/null |"
           " string match -r -g '^\\{\"name\":\"([^\"]*)\"'\n"
           "end\n\ncomplete -c expctl -f\n");

    for (i = 0; (c = cli_commands[i]) != NULL; i++) {
        printf("complete -c expctl -n __fish_use_subcommand -a %s -d '",
               c->name);
        put_quoted(c->summary, 1);
        printf("'\n");

        for (j = 0; (opt = cli_option(c, j)) != NULL; j++) {
            fish_option(c, opt);
        }

        if (takes_name(c)) {
            printf("complete -c expctl -n '__fish_seen_subcommand_from %s' "
                   "-a '(__expctl_names)'\n", c->name);
        }

        if (takes_files(c)) {
            printf("complete -c expctl -n '__fish_seen_subcommand_from %s' "
                   "-F\n", c->name);
        }

        if (*words_of(c) != '\0') {
            printf("complete -c expctl -n '__fish_seen_subcommand_from %s' "
                   "-a '%s'\n", c->name, words_of(c));
        }
    }

    printf("complete -c expctl -n '__fish_seen_subcommand_from help' -a '");
    put_commands();
    printf("'\n");
}


static int
cmd_completion(cli_t *cli)
{
    int          rc;
    const char  *shell, *near;

    static const char *const  shells[] = { "bash", "zsh", "fish", NULL };

    rc = cli_args(cli, 1, 1);
    if (rc != CLI_DONE) {
        return rc;
    }

    shell = cli->args[0];

    if (strcmp(shell, "bash") == 0) {
        print_bash();

    } else if (strcmp(shell, "zsh") == 0) {
        print_zsh();

    } else if (strcmp(shell, "fish") == 0) {
        print_fish();

    } else {
        near = cli_near(shell, shells);
        return near != NULL
               ? cli_usage(cli, "unknown shell '%s', near: %s", shell, near)
               : cli_usage(cli, "unknown shell '%s', expected bash, zsh or "
                           "fish", shell);
    }

    return CLI_DONE;
}


const cli_command_t  cmd_completion_command = {
    "completion", "bash/zsh/fish", "prints a completion script for a shell",
    0, NULL, cmd_completion,
    "  expctl completion bash > /etc/bash_completion.d/expctl\n"
    "  expctl completion zsh > \"${fpath[1]}/_expctl\"\n"
    "  expctl completion fish > ~/.config/fish/completions/expctl.fish\n"
};
