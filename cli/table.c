/*
 * Tables: for people, aligned; for programs, the same cells as CSV.
 */

#define _GNU_SOURCE

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/cli.h"

#define COLUMNS_MAX  96
#define CUT_MIN      8         /* what a cut leaves of a column */


typedef struct {
    const char         *text;
    const char         *mark;       /* text in its colour, or NULL */
} cell_t;

struct cli_table_s {
    const cli_t        *cli;
    char                spec[COLUMNS_MAX + 1];
    int                 ncols;
    unsigned            no_heads:1;     /* of people's table */
    unsigned            going_on:1;     /* nor of CSV */
    cell_t              heads[COLUMNS_MAX];
    cell_t             *cells;
    size_t              n;
    size_t              size;
};


cli_table_t *
cli_table_new(const cli_t *cli, const char *spec, ...)
{
    int           i;
    va_list       ap;
    cli_table_t  *t;

    t = nxe_calloc(cli->mem, sizeof(cli_table_t));
    if (t == NULL) {
        cli_error("out of memory");
        exit(CLI_ENV);
    }

    t->cli = cli;

    va_start(ap, spec);
    for (i = 0; spec[i] != '\0'; i++) {
        cli_table_column(t, spec[i], va_arg(ap, const char *));
    }
    va_end(ap);

    return t;
}


void
cli_table_column(cli_table_t *t, char spec, const char *head)
{
    if (t->ncols < COLUMNS_MAX) {
        t->spec[t->ncols] = spec;
        t->heads[t->ncols].text = head;
        t->ncols++;
    }
}


static void
add_cell(cli_table_t *t, const char *text, const char *mark)
{
    size_t   size;
    cell_t  *cells;

    if (t->n == t->size) {
        size = t->size == 0 ? 64 : t->size * 2;

        cells = nxe_calloc(t->cli->mem, size * sizeof(cell_t));
        if (cells == NULL) {
            cli_error("out of memory");
            exit(CLI_ENV);
        }

        if (t->n != 0) {
            memcpy(cells, t->cells, t->n * sizeof(cell_t));
        }

        t->cells = cells;
        t->size = size;
    }

    t->cells[t->n].text = text;
    t->cells[t->n].mark = mark;
    t->n++;
}


void
cli_cell(cli_table_t *t, const char *fmt, ...)
{
    char     *s;
    va_list   ap;

    va_start(ap, fmt);
    if (vasprintf(&s, fmt, ap) == -1) {
        cli_error("out of memory");
        exit(CLI_ENV);
    }
    va_end(ap);

    cli_cell_str(t, nxe_str_of(s));
    free(s);
}


void
cli_cell_str(cli_table_t *t, nxe_str_t s)
{
    add_cell(t, cli_safe(t->cli, s), NULL);
}


void
cli_cell_mark(cli_table_t *t, const char *word)
{
    add_cell(t, word, cli_mark(t->cli, word));
}


void
cli_table_go_on(cli_table_t *t)
{
    t->no_heads = 1;
    t->going_on = 1;
}


void
cli_table_no_heads(cli_table_t *t)
{
    t->no_heads = 1;
}


/* Code points: cells are valid UTF-8 by now. */

int
cli_width(const char *s)
{
    int  n;

    for (n = 0; *s != '\0'; s++) {
        if (((unsigned char) *s & 0xc0) != 0x80) {
            n++;
        }
    }

    return n;
}


int
cli_screen_width(FILE *f)
{
    int             n;
    const char     *s;
    struct winsize  ws;

    if (!isatty(fileno(f))) {
        return 0;
    }

    s = getenv("COLUMNS");
    if (s != NULL) {
        n = atoi(s);
        if (n > 0) {
            return n;
        }
    }

    if (ioctl(fileno(f), TIOCGWINSZ, &ws) == 0 && ws.ws_col > 0) {
        return ws.ws_col;
    }

    return 80;
}


const char *
cli_cut(const cli_t *cli, const char *s, int width)
{
    int          n;
    const char  *p;

    if (width < 4) {
        width = 4;
    }

    if (cli_width(s) <= width) {
        return s;
    }

    for (n = 0, p = s; *p != '\0'; p++) {
        if (((unsigned char) *p & 0xc0) != 0x80 && n++ == width - 3) {
            break;
        }
    }

    return cli_format(cli, "%.*s...", (int) (p - s), s);
}


/* Prints text, cut to width where that is not 0. */

static void
print_cut(const cli_t *cli, FILE *f, const cell_t *cell, int width)
{
    if (width <= 0 || cli_width(cell->text) <= width) {
        fputs(cell->mark != NULL ? cell->mark : cell->text, f);
        return;
    }

    fputs(cli_cut(cli, cell->text, width), f);
}


static void
print_row(const cli_table_t *t, FILE *f, const cell_t *row, const int *widths,
    int screen)
{
    int  i, n, at, pad, cut;

    for (n = t->ncols; n > 0 && row[n - 1].text[0] == '\0'; n--) { /* void */ }

    for (i = 0, at = 0; i < n; i++) {
        pad = widths[i] - cli_width(row[i].text);
        pad = pad > 0 ? pad : 0;

        if (t->spec[i] == 'r') {
            fprintf(f, "%*s", pad, "");
        }

        cut = t->spec[i] == 'c' ? widths[i]
              : screen != 0 && i == t->ncols - 1 && t->spec[i] == 'l'
              ? screen - at : 0;

        print_cut(t->cli, f, &row[i], cut);

        if (i == n - 1) {
            break;
        }

        if (t->spec[i] != 'r') {
            fprintf(f, "%*s", pad, "");
        }

        fputs("  ", f);
        at += widths[i] + 2;
    }

    fputc('\n', f);
}


/*
 * A spreadsheet takes text that begins like this for a formula, which may
 * call out; an apostrophe in front keeps it text.
 */

static void
print_csv_cell(FILE *f, const char *s, int text)
{
    const char  *p;

    if (strpbrk(s, ",\"\r\n") == NULL
        && !(text && *s != '\0' && strchr("=+-@\t\r", *s) != NULL))
    {
        fputs(s, f);
        return;
    }

    fputc('"', f);

    if (text && strchr("=+-@\t\r", *s) != NULL) {
        fputc('\'', f);
    }

    for (p = s; *p != '\0'; p++) {
        if (*p == '"') {
            fputc('"', f);
        }
        fputc(*p, f);
    }

    fputc('"', f);
}


static void
print_csv_row(const cli_table_t *t, FILE *f, const cell_t *row)
{
    int  i;

    for (i = 0; i < t->ncols; i++) {
        if (i > 0) {
            fputc(',', f);
        }
        print_csv_cell(f, row[i].text, t->spec[i] != 'r');
    }

    fputc('\n', f);
}


/* Narrows columns that may be cut, the widest first, until rows fit. */

static void
fit(const cli_table_t *t, int *widths, int screen)
{
    int  i, sum, widest;

    for ( ;; ) {
        sum = 0;
        widest = -1;

        for (i = 0; i < t->ncols; i++) {
            sum += i == t->ncols - 1 && t->spec[i] == 'l' && widths[i] > CUT_MIN
                   ? CUT_MIN : widths[i] + 2 * (i < t->ncols - 1);

            if (t->spec[i] == 'c' && widths[i] > CUT_MIN
                && (widest == -1 || widths[i] > widths[widest]))
            {
                widest = i;
            }
        }

        if (sum <= screen || widest == -1) {
            return;
        }

        widths[widest]--;
    }
}


void
cli_table_print(cli_table_t *t, FILE *f)
{
    int     i, w, screen, widths[COLUMNS_MAX];
    size_t  n;

    if (t->cli->format == CLI_CSV) {
        if (!t->going_on) {
            print_csv_row(t, f, t->heads);
        }

        for (n = 0; n + (size_t) t->ncols <= t->n; n += (size_t) t->ncols) {
            print_csv_row(t, f, &t->cells[n]);
        }

        return;
    }

    for (i = 0; i < t->ncols; i++) {
        widths[i] = t->no_heads ? 0 : cli_width(t->heads[i].text);
    }

    for (n = 0; n < t->n; n++) {
        i = (int) (n % (size_t) t->ncols);
        w = cli_width(t->cells[n].text);

        if (w > widths[i]) {
            widths[i] = w;
        }
    }

    screen = cli_screen_width(f);

    if (screen != 0) {
        fit(t, widths, screen);
    }

    if (!t->no_heads) {
        print_row(t, f, t->heads, widths, screen);
    }

    for (n = 0; n + (size_t) t->ncols <= t->n; n += (size_t) t->ncols) {
        print_row(t, f, &t->cells[n], widths, screen);
    }
}
