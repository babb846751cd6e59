/*
 * Lines of expctl explain that a long unit would make too long: broken
 * between words, and a value that is wider than a line cut in its middle.
 * -o json has it whole.
 */

#include <string.h>

#include "cli/explain.h"

#define WIDTH   80
#define INDENT  8


int
explain_piece(int at, const char *piece)
{
    int  width;

    width = cli_width(piece);

    if (at > INDENT && at + 1 + width > WIDTH) {
        printf("\n%*s", INDENT - 1, "");
        at = INDENT - 1;
    }

    printf(" %s", piece);

    return at + 1 + width;
}


int
explain_words(const cli_t *cli, int at, const char *text)
{
    size_t  n;

    for ( /* void */ ; *text != '\0'; text += n + (text[n] == ' ')) {
        n = strcspn(text, " ");
        at = explain_piece(at, cli_format(cli, "%.*s", (int) n, text));
    }

    return at;
}


/* Bytes of the first n code points; of all where there are no more. */

static size_t
head_len(nxe_str_t s, int n)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (((unsigned char) s.data[i] & 0xc0) != 0x80 && n-- == 0) {
            break;
        }
    }

    return i;
}


/* Where the last n code points begin. */

static size_t
tail_at(nxe_str_t s, int n)
{
    size_t  i;

    for (i = s.len; i > 0 && n > 0; i--) {
        n -= ((unsigned char) s.data[i - 1] & 0xc0) != 0x80;
    }

    return i;
}


/* What is not safe is wider than its code points: fewer are tried. */

const char *
explain_cut(const cli_t *cli, nxe_str_t s, int max)
{
    int          n;
    size_t       at;
    const char  *text;

    text = cli_safe(cli, s);

    for (n = (max - 3) / 2; n > 0 && cli_width(text) > max; n--) {
        at = tail_at(s, n);
        text = cli_format(cli, "%s...%s",
                          cli_safe(cli, (nxe_str_t) { s.data,
                                                      head_len(s, n) }),
                          cli_safe(cli, (nxe_str_t) { s.data + at,
                                                      s.len - at }));
    }

    return cli_width(text) > max ? "..." : text;
}
