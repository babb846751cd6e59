/*
 * One parser for all commands: options anywhere, "--opt=value" and
 * "--opt value", "--" ends options, "-" is an argument.
 */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

#define DEFAULT_REGISTRY  "/var/lib/nginx-experiment"
#define NEAR_WORD_MAX     64

/* Of -m and --as: they are kept in every state and history entry. */
#define TEXT_MAX          4096


typedef struct {
    const cli_opt_t    *opt;
    const char         *value;      /* NULL: a flag */
} given_t;

typedef struct {
    given_t            *given;
    int                 n;
} opts_t;

typedef struct {
    unsigned            set;        /* CLI_OUTPUT, ..., 0: every command */
    cli_opt_t           opt;
} common_t;

static const common_t  commons[] = {

    { CLI_OUTPUT,
      { "output", 'o', "table/json/csv", 0, "form of the result" } },

    { CLI_FORMAT,
      { "format", 'o', "table/json/csv", 0, "form of the result" } },

    { CLI_REGISTRY,
      { "registry", 0, "DIR", 0,
        "the registry (else EXPCTL_REGISTRY, else " DEFAULT_REGISTRY ")" } },

    { CLI_WRITES,
      { "message", 'm', "TEXT", 0, "why, for the history" } },

    { CLI_WRITES,
      { "as", 0, "LABEL", 0,
        "a label beside the login user, which is recorded too" } },

    { CLI_WRITES,
      { "dry-run", 0, NULL, 0, "say what would be done, change nothing" } },

    { 0, { "quiet", 'q', NULL, 0, "results and errors alone" } },
    { 0, { "no-color", 0, NULL, 0, "no colours" } },
    { 0, { "help", 'h', NULL, 0, "this help" } },
    { 0, { NULL, 0, NULL, 0, NULL } }
};


const cli_opt_t *
cli_option(const cli_command_t *command, int i)
{
    int              n;
    const common_t  *c;

    n = 0;

    if (command != NULL && command->opts != NULL) {
        for ( /* void */ ; command->opts[n].name != NULL; n++) {
            if (n == i) {
                return &command->opts[n];
            }
        }
    }

    for (c = commons; c->opt.name != NULL; c++) {
        if (c->set != 0 && command != NULL
            && (command->common & c->set) == 0)
        {
            continue;
        }

        if (n++ == i) {
            return &c->opt;
        }
    }

    return NULL;
}


/* An argument that begins with "-": its option in command, or NULL. */

static const cli_opt_t *
find_option(const cli_command_t *command, const char *arg, size_t len)
{
    int               i;
    const cli_opt_t  *opt;

    for (i = 0; (opt = cli_option(command, i)) != NULL; i++) {

        if (arg[1] == '-') {
            if (strlen(opt->name) == len - 2
                && strncmp(opt->name, arg + 2, len - 2) == 0)
            {
                return opt;
            }

        } else if (opt->letter != 0 && opt->letter == arg[1]) {
            return opt;
        }
    }

    return NULL;
}


static size_t
name_len(const char *arg)
{
    return strcspn(arg, "=");
}


/* Any command's option of that name: before the command is known. */

static const cli_opt_t *
find_option_anywhere(const char *arg)
{
    int               i;
    const cli_opt_t  *opt;

    opt = find_option(NULL, arg, name_len(arg));

    for (i = 0; opt == NULL && cli_commands[i] != NULL; i++) {
        opt = find_option(cli_commands[i], arg, name_len(arg));
    }

    return opt;
}


static int
is_option(const char *arg)
{
    return arg[0] == '-' && arg[1] != '\0';
}


/* 1 if the option takes the argument behind it as its value. */

static int
takes_next(const cli_opt_t *opt, const char *arg)
{
    if (opt->metavar == NULL) {
        return 0;
    }

    if (arg[1] == '-') {
        return arg[name_len(arg)] == '\0';
    }

    return arg[2] == '\0';
}


/* The index of the command in argv: argc if there is none. */

static int
find_command(int argc, char **argv)
{
    int               i;
    const cli_opt_t  *opt;

    for (i = 1; i < argc; i++) {

        if (!is_option(argv[i])) {
            return i;
        }

        if (strcmp(argv[i], "--") == 0) {
            return i + 1;
        }

        opt = find_option_anywhere(argv[i]);

        if (opt != NULL && takes_next(opt, argv[i])) {
            i++;
        }
    }

    return argc;
}


static int
unknown_command(cli_t *cli, const char *word)
{
    int          i;
    const char  *near, *names[64];

    for (i = 0; i < 63 && cli_commands[i] != NULL; i++) {
        names[i] = cli_commands[i]->name;
    }

    names[i] = NULL;
    near = cli_near(word, names);

    return near == NULL
           ? cli_usage(cli, "unknown command '%s'", word)
           : cli_usage(cli, "unknown command '%s', near: %s", word, near);
}


static int
unknown_option(cli_t *cli, const char *arg)
{
    int               i;
    size_t            len;
    const char       *near, *names[64];
    char              word[NEAR_WORD_MAX];
    const cli_opt_t  *opt;

    for (i = 0; i < 63 && (opt = cli_option(cli->command, i)) != NULL; i++) {
        names[i] = opt->name;
    }

    names[i] = NULL;

    len = name_len(arg);
    near = NULL;

    if (arg[1] == '-' && len - 2 < sizeof(word)) {
        memcpy(word, arg + 2, len - 2);
        word[len - 2] = '\0';
        near = cli_near(word, names);
    }

    if (arg[1] != '-') {
        len = 2;
    }

    return near == NULL
           ? cli_usage(cli, "unknown option '%.*s'", (int) len, arg)
           : cli_usage(cli, "unknown option '%.*s', near: --%s", (int) len,
                       arg, near);
}


/* Takes one option; *i is its index, moved on if its value comes next. */

static int
take_option(cli_t *cli, int argc, char **argv, int *i)
{
    char             *arg;
    opts_t           *opts;
    const char       *value;
    const cli_opt_t  *opt;

    arg = argv[*i];
    opts = cli->opts;

    opt = find_option(cli->command, arg, name_len(arg));
    if (opt == NULL) {
        return unknown_option(cli, arg);
    }

    value = NULL;

    if (takes_next(opt, arg)) {

        if (*i + 1 == argc) {
            return cli_usage(cli, "option '%s' needs a value: %s", arg,
                             opt->metavar);
        }

        value = argv[++*i];

    } else if (opt->metavar != NULL) {
        value = arg[1] == '-' ? arg + name_len(arg) + 1 : arg + 2;

    } else if (arg[1] == '-' ? arg[name_len(arg)] != '\0' : arg[2] != '\0') {
        return cli_usage(cli, "option '--%s' takes no value", opt->name);
    }

    if ((opt->flags & CLI_OPT_MANY) == 0 && value != NULL
        && cli_has(cli, opt->name))
    {
        return cli_usage(cli, "option '--%s' is given twice", opt->name);
    }

    opts->given[opts->n].opt = opt;
    opts->given[opts->n].value = value;
    opts->n++;

    return CLI_DONE;
}


/* What the common options and the environment say. */

static int
set_common(cli_t *cli)
{
    const char  *s;

    cli->quiet = cli_has(cli, "quiet") != 0;
    cli->dry_run = cli_has(cli, "dry-run") != 0;
    cli->label = cli_opt(cli, "as");

    s = cli_opt(cli, "message");
    cli->message = s != NULL ? s : "";

    if (strlen(cli->message) > TEXT_MAX
        || (cli->label != NULL && strlen(cli->label) > TEXT_MAX))
    {
        return cli_usage(cli, "a message or label is at most %d bytes long",
                         TEXT_MAX);
    }

    s = cli_opt(cli, "registry");
    if (s != NULL && *s == '\0') {
        /* "$DIR" that is not set does not mean the default */
        return cli_usage(cli, "option '--registry' needs a value: DIR");
    }
    if (s == NULL) {
        s = getenv("EXPCTL_REGISTRY");
    }
    cli->registry = s != NULL && *s != '\0' ? s : DEFAULT_REGISTRY;

    s = getenv("TERM");
    cli->color = isatty(STDOUT_FILENO) && !cli_has(cli, "no-color")
                 && getenv("NO_COLOR") == NULL
                 && (s == NULL || strcmp(s, "dumb") != 0);

    s = cli_opt(cli, cli->command->common & CLI_FORMAT ? "format" : "output");
    if (s == NULL) {
        return CLI_DONE;
    }

    cli->format_given = 1;

    if (strcmp(s, "json") == 0) {
        cli->format = CLI_JSON;

    } else if (strcmp(s, "csv") == 0) {
        cli->format = CLI_CSV;

    } else if (strcmp(s, "table") != 0) {
        return cli_usage(cli, "unknown output '%s', expected table, json or "
                         "csv", s);
    }

    return CLI_DONE;
}


/*
 * "expctl --version" and "expctl --help" are what many try first.
 */

static int
parse_without_command(cli_t *cli, int argc, char **argv)
{
    int  i;

    for (i = 1; i < argc; i++) {

        if (strcmp(argv[i], "--version") == 0) {
            cli->command = cli_command_find("version");
            return CLI_DONE;
        }

        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return CLI_DONE;
        }

        if (is_option(argv[i]) && find_option_anywhere(argv[i]) == NULL
            && strcmp(argv[i], "--") != 0)
        {
            return unknown_option(cli, argv[i]);
        }
    }

    return cli_usage(cli, "no command is given");
}


int
cli_parse(cli_t *cli, int argc, char **argv)
{
    int      i, rc, at, ended;
    opts_t  *opts;

    opts = nxe_calloc(cli->mem, sizeof(opts_t));
    if (opts != NULL) {
        opts->given = nxe_calloc(cli->mem,
                                 (size_t) (argc + 1) * sizeof(given_t));
    }

    cli->args = nxe_calloc(cli->mem, (size_t) (argc + 1) * sizeof(char *));
    cli->opts = opts;

    if (opts == NULL || opts->given == NULL || cli->args == NULL) {
        cli_error("out of memory");
        return CLI_ENV;
    }

    at = find_command(argc, argv);
    if (at >= argc) {
        return parse_without_command(cli, argc, argv);
    }

    cli->command = cli_command_find(argv[at]);
    if (cli->command == NULL) {
        return unknown_command(cli, argv[at]);
    }

    ended = 0;

    for (i = 1; i < argc; i++) {

        if (i == at) {
            continue;
        }

        if (!ended && strcmp(argv[i], "--") == 0) {
            /* "expctl -- list" ends options, too */
            ended = 1;
            continue;
        }

        if (ended || !is_option(argv[i])) {
            cli->args[cli->nargs++] = argv[i];
            continue;
        }

        rc = take_option(cli, argc, argv, &i);
        if (rc != CLI_DONE) {
            return rc;
        }
    }

    return set_common(cli);
}


int
cli_args(const cli_t *cli, int min, int max)
{
    const char  *args;

    if (cli->nargs >= min && (max == -1 || cli->nargs <= max)) {
        return CLI_DONE;
    }

    args = cli->command->args;

    if (cli->nargs < min) {
        return cli_usage(cli, "%s needs %s", cli->command->name, args);
    }

    return cli_usage(cli, "unexpected argument '%s', expected %s",
                     cli->args[max], *args != '\0' ? args : "none");
}


static const char *
opt_nth(const cli_t *cli, const char *name, int nth, int *count)
{
    int            i, n;
    const char    *value;
    const opts_t  *opts;

    opts = cli->opts;
    value = NULL;
    n = 0;

    for (i = 0; opts != NULL && i < opts->n; i++) {
        if (strcmp(opts->given[i].opt->name, name) == 0) {
            if (n++ == nth) {
                value = opts->given[i].value;
            }
        }
    }

    if (count != NULL) {
        *count = n;
    }

    return value;
}


int
cli_has(const cli_t *cli, const char *name)
{
    return cli_opt_count(cli, name) > 0;
}


const char *
cli_opt(const cli_t *cli, const char *name)
{
    return opt_nth(cli, name, 0, NULL);
}


int
cli_opt_count(const cli_t *cli, const char *name)
{
    int  n;

    (void) opt_nth(cli, name, 0, &n);

    return n;
}


const char *
cli_opt_at(const cli_t *cli, const char *name, int i)
{
    return opt_nth(cli, name, i, NULL);
}


/* Edits between two short words; a swap of neighbours is one edit. */

static int
distance(const char *a, const char *b)
{
    int     d, above, i, j, la, lb;
    int     row[3][NEAR_WORD_MAX + 1];
    int    *cur, *last, *before;

    la = (int) strlen(a);
    lb = (int) strlen(b);

    if (la >= NEAR_WORD_MAX || lb >= NEAR_WORD_MAX) {
        return NEAR_WORD_MAX;
    }

    for (j = 0; j <= lb; j++) {
        row[0][j] = j;
    }

    for (i = 1; i <= la; i++) {
        cur = row[i % 3];
        last = row[(i + 2) % 3];
        before = row[(i + 1) % 3];
        cur[0] = i;

        for (j = 1; j <= lb; j++) {
            d = last[j - 1] + (a[i - 1] != b[j - 1]);
            above = last[j] < cur[j - 1] ? last[j] : cur[j - 1];

            if (above + 1 < d) {
                d = above + 1;
            }

            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]
                && before[j - 2] + 1 < d)
            {
                d = before[j - 2] + 1;
            }

            cur[j] = d;
        }
    }

    return row[la % 3][lb];
}


const char *
cli_near(const char *word, const char *const *list)
{
    int          i, d, best;
    const char  *near;

    near = NULL;

    /* two letters, or one in three of a long word; one of a short word */

    best = (int) strlen(word);
    best = best < 4 ? 2 : best / 3 > 2 ? best / 3 + 1 : 3;

    for (i = 0; list[i] != NULL; i++) {
        d = distance(word, list[i]);

        if (d < best) {
            best = d;
            near = list[i];
        }
    }

    return near;
}
