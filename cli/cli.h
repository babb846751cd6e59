/*
 * What the files of expctl share: the command table, options, output.
 */

#ifndef EXPCTL_CLI_H
#define EXPCTL_CLI_H

#include <stdio.h>

#include <nxe/arena.h>
#include <nxe/base.h>
#include <nxe/buf.h>
#include <nxe/frac.h>

/* Exit codes (DESIGN, expctl). */

#define CLI_DONE   0
#define CLI_NO     1        /* the answer is no */
#define CLI_USAGE  2        /* wrong usage or input */
#define CLI_ENV    3        /* the environment failed: I/O, network */

/* The log files where init --log named none. */

#define CLI_DEFAULT_LOG  "/var/log/nginx/experiment/*.log*"


/*
 * An option of a command.  A flag has no metavar.  Options that may be given
 * more than once (CLI_OPT_MANY) collect their values in order.
 */

#define CLI_OPT_MANY  0x1

typedef struct {
    const char         *name;       /* "registry" for --registry */
    char                letter;     /* 'f' for -f, or 0 */
    const char         *metavar;    /* NULL: a flag */
    unsigned            flags;
    const char         *help;       /* one line for -h and the manual */
} cli_opt_t;

/* Sets of common options that a command takes besides its own. */

#define CLI_OUTPUT    0x1           /* -o table/json/csv */
#define CLI_REGISTRY  0x2           /* --registry DIR */
#define CLI_WRITES    0x4           /* -m --as --dry-run */
#define CLI_FORMAT    0x8           /* -o as --format: --output is the
                                       command's own */

typedef struct cli_s  cli_t;

typedef struct {
    const char         *name;
    const char         *args;       /* "NAME UNIT...", "" */
    const char         *summary;    /* one line */
    unsigned            common;
    const cli_opt_t    *opts;       /* ended by a NULL name; may be NULL */
    int               (*run)(cli_t *cli);
    const char         *help;       /* paragraphs, examples */
} cli_command_t;

typedef enum { CLI_TABLE, CLI_JSON, CLI_CSV } cli_format_t;

/* A parsed command line. */

struct cli_s {
    const cli_command_t *command;
    char              **args;       /* positional */
    int                 nargs;
    cli_format_t        format;
    unsigned            format_given:1;
    unsigned            quiet:1;
    unsigned            color:1;    /* stdout: a terminal, and allowed */
    unsigned            dry_run:1;
    const char         *registry;   /* DIR */
    const char         *message;    /* -m, or "" */
    const char         *label;      /* --as, or NULL */
    nxe_arena_t        *arena;      /* memory of the whole run */
    const nxe_mem_t    *mem;
    void               *opts;       /* private to opt.c */
};

/* main.c: the command table, ended by NULL, and a search in it. */

extern const cli_command_t *const  cli_commands[];

const cli_command_t *cli_command_find(const char *name);

/*
 * opt.c: the i-th option that a command takes, its own ones first, then the
 * common ones; NULL behind the last.  command may be NULL: common ones alone.
 */

const cli_opt_t *cli_option(const cli_command_t *command, int i);

/*
 * Parses argv[1..] into cli, whose arena and memory are set.  CLI_DONE, or
 * CLI_USAGE after a message.  cli_has(cli, "help") tells of -h.
 */
int cli_parse(cli_t *cli, int argc, char **argv);

/*
 * The word of list (ended by NULL) that is nearest to word, or NULL if none
 * is near enough to be what was meant.
 */
const char *cli_near(const char *word, const char *const *list);

/* opt.c: values of a command's own options. */

int cli_has(const cli_t *cli, const char *name);
const char *cli_opt(const cli_t *cli, const char *name);     /* NULL: absent */
int cli_opt_count(const cli_t *cli, const char *name);
const char *cli_opt_at(const cli_t *cli, const char *name, int i);

/*
 * Checks the number of positional arguments (max -1: any number); CLI_DONE, or
 * CLI_USAGE after a message that gives the synopsis.
 */
int cli_args(const cli_t *cli, int min, int max);

/* cmd_help.c: what -h prints. */
int cli_help(const cli_command_t *command);

/* The commands, a line each. */
void cli_command_list(FILE *f);

/*
 * out.c: messages.  cli_error() prints "expctl: ..." to stderr; cli_usage()
 * also says how to get help, and returns CLI_USAGE.  cli_fail() prints err and
 * returns the exit code that belongs to its status.  cli_next() prints a
 * closing "next: ..." line to stderr where that is a terminal and not quiet;
 * cli_remedy() the one that belongs to an error, always; cli_note() talk that
 * is neither result nor error, as cli_next() does.  What they print is made
 * safe, but for "\", so that cli_safe() may have been there before.
 */

void cli_error(const char *fmt, ...) NXE_PRINTF(1, 2);
int cli_usage(const cli_t *cli, const char *fmt, ...) NXE_PRINTF(2, 3);
int cli_fail(const nxe_error_t *err);
void cli_next(const cli_t *cli, const char *fmt, ...) NXE_PRINTF(2, 3);
void cli_remedy(const char *fmt, ...) NXE_PRINTF(1, 2);
void cli_note(const cli_t *cli, const char *fmt, ...) NXE_PRINTF(2, 3);

/*
 * Text from outside, made safe for a terminal (OUTPUT 2: \xNN, \u{202e}, \\).
 * Memory of cli->mem.
 */
const char *cli_safe(const cli_t *cli, nxe_str_t s);

/* Columns of a text that is safe. */
int cli_width(const char *s);

/* Columns of the terminal behind f, or 0 if it is none. */
int cli_screen_width(FILE *f);

/*
 * Text that is safe, of at most width columns: what is longer ends in "...".
 * A width below 4 is taken for 4.  The text itself, or memory of cli->mem.
 */
const char *cli_cut(const cli_t *cli, const char *s, int width);

/*
 * A table: heads are upper case, columns two spaces apart, text left, numbers
 * right.  Cells are copied and made safe by the table.  A terminal cuts a
 * last text column at its width, and those of spec 'c' where rows are wider.
 * As CSV the same cells, quoted where needed, formula starts guarded.
 */

typedef struct cli_table_s  cli_table_t;

/* spec: one letter a column, 'l', 'c' or 'r'; heads follow, as many. */
cli_table_t *cli_table_new(const cli_t *cli, const char *spec, ...);

/* One more column, before the first cell; at most 96 in all. */
void cli_table_column(cli_table_t *t, char spec, const char *head);
void cli_cell(cli_table_t *t, const char *fmt, ...) NXE_PRINTF(2, 3);
void cli_cell_str(cli_table_t *t, nxe_str_t s);

/* A cell of one of our own words, in its colour (cli_mark()). */
void cli_cell_mark(cli_table_t *t, const char *word);

/* Leaves the heads away, but for CSV. */
void cli_table_no_heads(cli_table_t *t);

/* Its rows go on a table that is printed: no heads, in CSV neither. */
void cli_table_go_on(cli_table_t *t);

void cli_table_print(cli_table_t *t, FILE *f);

/* "1,512"; memory of cli->mem. */
const char *cli_count(const cli_t *cli, unsigned long long n);

/*
 * num/den as "2.5 %": three digits, more where they would make 100 or 0 of
 * what is neither; memory of cli->mem.
 */
const char *cli_percent(const cli_t *cli, nxe_u128_t num, nxe_u128_t den);

/* num/den, at most 1 and den below 2^126, as JSON and CSV have it. */
const char *cli_ratio(const cli_t *cli, nxe_u128_t num, nxe_u128_t den);

/*
 * Milliseconds to three digits: "4.12 ms", "412 ms", "1.21 s", "3,600 s";
 * memory of cli->mem.
 */
const char *cli_duration(const cli_t *cli, double ms);

/*
 * An amount of 0 or more, to three digits that count and no fewer than cents:
 * "0.00525", "12.35", "1,512"; memory of cli->mem.
 */
const char *cli_money(const cli_t *cli, double x);

/* Formatted text in cli->mem; never NULL (exits when there is no memory). */
char *cli_format(const cli_t *cli, const char *fmt, ...) NXE_PRINTF(2, 3);

/* The present time as RFC 3339 in UTC, in seconds; memory of cli->mem. */
nxe_str_t cli_now(const cli_t *cli);

/*
 * An exposure, which is exact, with all its digits: "28.5714285 %"; memory of
 * cli->mem.
 */
const char *cli_exposure(const cli_t *cli, nxe_frac_t exposure);

/* Prints what is in a buffer to stdout and frees it; CLI_DONE or CLI_ENV. */
int cli_print_buf(nxe_buf_t *b);

/*
 * As cli_print_buf(), for JSON: what would act on a terminal, and can only be
 * inside of strings, becomes \uXXXX, which means the same.
 */
int cli_print_json(nxe_buf_t *b);

/* A word in its colour: "ok" green, "warn" yellow, "FAIL" red. */
const char *cli_mark(const cli_t *cli, const char *word);

/* "15 min", "6 d": time since an RFC 3339 time, for SINCE. */
const char *cli_ago(const cli_t *cli, nxe_str_t rfc3339);

#endif /* EXPCTL_CLI_H */
