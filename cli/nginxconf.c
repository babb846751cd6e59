/*
 * nginx's configuration, as "nginx -T" prints it, by nginx's own grammar.
 */

#include <string.h>

#include "cli/nginxconf.h"

#define WORDS_MAX  512
#define WORD_MAX   8192


typedef enum { TOKEN_END, TOKEN_WORD, TOKEN_SEMICOLON, TOKEN_OPEN,
               TOKEN_CLOSE } token_t;

typedef struct {
    const cli_t         *cli;
    const char          *p;
    const char          *end;
    const char          *file;
    unsigned             line;
    const char          *words[WORDS_MAX];
    unsigned             nwords;
    unsigned             first_line;     /* of the words */
    unsigned             depth;
    unsigned             keys;           /* depth of a map {}, or 0 */
    nginx_directive_t   *block;          /* that is open, or NULL */
    nginx_directive_t  **last;
} parser_t;


/* Blocks in which the first word of a line is a key. */

static const char *const  key_blocks[] = {
    "map", "geo", "types", "split_clients", "charset_map", "match", NULL
};


static void
count_line(parser_t *parser, char c)
{
    if (c == '\n') {
        parser->line++;
    }
}


static int
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}


/*
 * The escapes that ngx_conf_read_token() knows; the others keep their
 * backslash.
 */

static int
escape_of(char c)
{
    switch (c) {

    case '"':
    case '\'':
    case '\\':
        return c;

    case 't':
        return '\t';

    case 'r':
        return '\r';

    case 'n':
        return '\n';

    default:
        return -1;
    }
}


/* A word from p on; quote is its closing quote, or 0. */

static const char *
read_word(parser_t *parser, char quote)
{
    int    c;
    char   word[WORD_MAX], *out;

    for (out = word; parser->p < parser->end; parser->p++) {
        c = *parser->p;
        count_line(parser, (char) c);

        if (c == '\\' && parser->p + 1 < parser->end) {
            parser->p++;
            count_line(parser, *parser->p);
            c = escape_of(*parser->p);

            if (c == -1) {
                c = *parser->p;

                if (out < word + sizeof(word) - 2) {
                    *out++ = '\\';
                }
            }

        } else if (quote != 0) {
            if (c == quote) {
                parser->p++;
                break;
            }

        } else if (is_space((char) c) || c == ';' || c == '{') {

            if (c != '{' || out == word || out[-1] != '$') {

                /* it is read again, and counted then */

                parser->line -= c == '\n';
                break;
            }
        }

        /* nginx itself takes no longer word than its buffer */

        if (out < word + sizeof(word) - 2) {
            *out++ = (char) c;
        }
    }

    return cli_format(parser->cli, "%.*s", (int) (out - word), word);
}


/* Skips white space and comments; *word is a TOKEN_WORD's. */

static token_t
next_token(parser_t *parser, const char **word)
{
    char  c;

    while (parser->p < parser->end) {
        c = *parser->p;

        if (c == '#') {
            while (parser->p < parser->end && *parser->p != '\n') {
                parser->p++;
            }

            continue;
        }

        if (!is_space(c)) {
            break;
        }

        count_line(parser, c);
        parser->p++;
    }

    if (parser->p == parser->end) {
        return TOKEN_END;
    }

    c = *parser->p;

    if (c == ';' || c == '{' || c == '}') {
        parser->p++;
        return c == ';' ? TOKEN_SEMICOLON : c == '{' ? TOKEN_OPEN
                                                     : TOKEN_CLOSE;
    }

    if (parser->nwords == 0) {
        parser->first_line = parser->line;
    }

    if (c == '"' || c == '\'') {
        parser->p++;
        *word = read_word(parser, c);

    } else {
        *word = read_word(parser, 0);
    }

    return TOKEN_WORD;
}


/* Where a block follows, what comes next is in it. */

static nxe_status_t
add_directive(parser_t *parser, int opens)
{
    nginx_directive_t  *d;

    if (parser->nwords == 0 || parser->keys != 0) {
        return NXE_OK;
    }

    d = nxe_calloc(parser->cli->mem, sizeof(nginx_directive_t));
    if (d == NULL) {
        return NXE_NOMEM;
    }

    d->words = nxe_calloc(parser->cli->mem,
                          parser->nwords * sizeof(char *));
    if (d->words == NULL) {
        return NXE_NOMEM;
    }

    memcpy(d->words, parser->words, parser->nwords * sizeof(char *));
    d->nwords = parser->nwords;
    d->file = parser->file;
    d->line = parser->first_line;
    d->parent = parser->block;

    *parser->last = d;
    parser->last = &d->next;

    if (opens) {
        parser->block = d;
    }

    return NXE_OK;
}


static void
open_block(parser_t *parser)
{
    unsigned  i;

    parser->depth++;

    for (i = 0; parser->keys == 0 && parser->nwords != 0
                && key_blocks[i] != NULL; i++)
    {
        if (strcmp(parser->words[0], key_blocks[i]) == 0) {
            parser->keys = parser->depth;
        }
    }
}


/* One file; what nginx has accepted is balanced, anything else just ends. */

static nxe_status_t
parse_file(parser_t *parser)
{
    token_t       token;
    const char   *word;
    nxe_status_t  rc;

    parser->line = 1;
    parser->nwords = 0;
    parser->depth = 0;
    parser->keys = 0;
    parser->block = NULL;
    word = NULL;

    for ( ;; ) {
        token = next_token(parser, &word);

        switch (token) {

        case TOKEN_END:
            return NXE_OK;

        case TOKEN_WORD:
            if (parser->nwords < WORDS_MAX) {
                parser->words[parser->nwords++] = word;
            }
            break;

        case TOKEN_SEMICOLON:
        case TOKEN_OPEN:
            rc = add_directive(parser, token == TOKEN_OPEN);
            if (rc != NXE_OK) {
                return rc;
            }

            if (token == TOKEN_OPEN) {
                open_block(parser);
            }

            parser->nwords = 0;
            break;

        case TOKEN_CLOSE:
            if (parser->keys == parser->depth) {
                parser->keys = 0;
            }

            if (parser->keys == 0 && parser->block != NULL) {
                parser->block = parser->block->parent;
            }

            parser->depth -= parser->depth != 0;
            parser->nwords = 0;
            break;
        }
    }
}


/* "# configuration file PATH:" begins a file; NULL if the line is another. */

static const char *
file_of_line(const cli_t *cli, nxe_str_t line)
{
    size_t  n;

    static const char  head[] = "# configuration file ";

    n = sizeof(head) - 1;

    if (line.len <= n + 1 || memcmp(line.data, head, n) != 0
        || line.data[line.len - 1] != ':')
    {
        return NULL;
    }

    return cli_format(cli, "%.*s", (int) (line.len - n - 1), line.data + n);
}


nxe_status_t
nginx_parse(const cli_t *cli, nxe_str_t dump, nginx_directive_t **first)
{
    parser_t      parser;
    nxe_str_t     line;
    const char   *p, *end, *nl, *file, *start;
    nxe_status_t  rc;

    memset(&parser, 0, sizeof(parser_t));
    parser.cli = cli;
    parser.last = first;
    parser.file = "";
    *first = NULL;

    end = dump.data + dump.len;
    start = dump.data;
    rc = NXE_OK;

    for (p = dump.data; p < end && rc == NXE_OK; p = nl + 1) {
        nl = memchr(p, '\n', (size_t) (end - p));
        if (nl == NULL) {
            nl = end - 1;
        }

        line.data = p;
        line.len = (size_t) (nl - p);
        file = file_of_line(cli, line);

        if (file == NULL) {
            continue;
        }

        parser.p = start;
        parser.end = p;
        rc = parse_file(&parser);

        parser.file = file;
        start = nl + 1;
    }

    if (rc == NXE_OK && start < end) {
        parser.p = start;
        parser.end = end;
        rc = parse_file(&parser);
    }

    return rc;
}


const nginx_directive_t *
nginx_find(const nginx_t *nginx, const nginx_directive_t *d, const char *name)
{
    for (d = d == NULL ? nginx->first : d->next; d != NULL; d = d->next) {
        if (strcmp(d->words[0], name) == 0) {
            return d;
        }
    }

    return NULL;
}


const char *
nginx_path(const cli_t *cli, const char *folder, const char *path)
{
    return path[0] == '/' ? path : cli_format(cli, "%s%s", folder, path);
}
