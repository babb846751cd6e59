/*
 * Faults of a document, shown where they are in its text.
 */

#include <stdlib.h>
#include <string.h>

#include "cli/docfault.h"


#define DOCFAULT_WIDTH   80
#define DOCFAULT_REGION  300        /* of a long line, to either side */
#define DOCFAULT_BEFORE  16         /* columns kept before a place */
#define DOCFAULT_KEY     40         /* bytes of a name that is repeated */

/* A fault and its place. */

typedef struct {
    const nxe_fault_t  *fault;      /* NULL: syntax */
    const char         *pointer;
    const char         *found;
    const char         *expected;
    const char         *near;
    nxe_span_t          span;
} docfault_t;

/* A line of the text as it is shown, cell by cell. */

typedef struct {
    size_t              at;         /* byte in the text */
    const char         *text;       /* what is printed */
    size_t              width;
} docfault_cell_t;


static void docfault_all(cli_t *cli, const char *path, nxe_str_t text,
    docfault_t *faults, size_t n, size_t total, const char *outcome);
static const char *docfault_twice(cli_t *cli, nxe_str_t text,
    docfault_t *f);
static int docfault_cmp(const void *one, const void *two);
static void docfault_place(cli_t *cli, nxe_str_t text, docfault_t *f);
static int docfault_find(cli_t *cli, nxe_str_t text, nxe_str_t pointer,
    nxe_json_node_t *found);
static size_t docfault_token(nxe_str_t text, size_t at);
static void docfault_position(nxe_str_t text, size_t at, size_t *line,
    size_t *column, size_t *start);
static void docfault_json(const char *path, nxe_str_t text,
    const docfault_t *f, nxe_buf_t *out);
static void docfault_json_member(nxe_buf_t *out, const char *name,
    const char *value);
static void docfault_text(cli_t *cli, const char *path, nxe_str_t text,
    const docfault_t *f);
static size_t docfault_cells(cli_t *cli, nxe_str_t text, size_t start,
    nxe_span_t span, docfault_cell_t *cells, int *cut_left, int *cut_right);
static size_t docfault_step(nxe_str_t text, size_t at);
static size_t docfault_width(const char *text);
static void docfault_window(const docfault_cell_t *cells, size_t n,
    size_t left, size_t room, int cut_left, int cut_right);
static void docfault_note(const char *margin, size_t room, size_t column,
    size_t carets, const char *note);
static void docfault_repeat(char ch, size_t n);


void
docfault_print(cli_t *cli, const char *path, nxe_str_t text,
    const nxe_faults_t *faults, const char *outcome)
{
    size_t       i, n;
    docfault_t   list[NXE_FAULTS_MAX];

    n = faults->n < NXE_FAULTS_MAX ? faults->n : NXE_FAULTS_MAX;

    for (i = 0; i < n; i++) {
        list[i].fault = &faults->fault[i];
        list[i].pointer = list[i].fault->pointer;
        list[i].found = list[i].fault->found;
        list[i].expected = list[i].fault->expected;
        list[i].near = list[i].fault->near;

        docfault_place(cli, text, &list[i]);
    }

    /* cppcheck-suppress uninitvar ; n are filled */
    qsort(list, n, sizeof(docfault_t), docfault_cmp);

    docfault_all(cli, path, text, list, n, faults->n, outcome);
}


void
docfault_syntax(cli_t *cli, const char *path, nxe_str_t text,
    const nxe_json_result_t *result, const char *outcome)
{
    docfault_t  f;

    memset(&f, 0, sizeof(f));

    f.span.start = result->offset < text.len ? result->offset : text.len;
    f.expected = result->expected;

    if (f.span.start == text.len) {
        f.found = "the end";

        /* not on the empty line behind the last one */
        while (f.span.start > 0
               && strchr(" \t\r\n", text.data[f.span.start - 1]) != NULL)
        {
            f.span.start--;
        }

        f.span.end = f.span.start;

    } else {
        f.span.end = docfault_token(text, f.span.start);
    }

    switch (result->cause) {

    case NXE_JSON_UTF8:
        f.expected = "UTF-8 without a byte order mark and NUL bytes";
        break;

    case NXE_JSON_DEEP:
        f.expected = "no deeper nesting than 512";
        break;

    case NXE_JSON_ROOT:
        f.expected = "an object";
        break;

    case NXE_JSON_DUPLICATE:
        f.expected = docfault_twice(cli, text, &f);
        break;

    default:
        break;
    }

    if (f.expected == NULL) {
        f.expected = "JSON";
    }

    docfault_all(cli, path, text, &f, 1, 1, outcome);
}


/* The member that is there twice, by its name. */

static const char *
docfault_twice(cli_t *cli, nxe_str_t text, docfault_t *f)
{
    nxe_str_t  key;

    key.data = text.data + f->span.start;
    key.len = f->span.end - f->span.start;

    if (key.len > DOCFAULT_KEY) {
        return "each member once";
    }

    f->found = cli_format(cli, "%.*s", (int) key.len, key.data);

    return cli_format(cli, "each member once, %s is there already",
                      cli_safe(cli, key));
}


static void
docfault_all(cli_t *cli, const char *path, nxe_str_t text,
    docfault_t *faults, size_t n, size_t total, const char *outcome)
{
    size_t      i;
    nxe_buf_t   out;

    if (cli->format == CLI_JSON) {
        nxe_buf_init(&out, SIZE_MAX / 2);

        for (i = 0; i < n; i++) {
            docfault_json(path, text, &faults[i], &out);
        }

        (void) cli_print_json(&out);
        return;
    }

    cli_error("%s: %zu %s%s%s", path, total, total == 1 ? "fault" : "faults",
              outcome != NULL ? ", " : "", outcome != NULL ? outcome : "");

    for (i = 0; i < n; i++) {
        docfault_text(cli, path, text, &faults[i]);
    }

    if (total > n) {
        fprintf(stderr, "%zu more\n", total - n);
    }
}


static int
docfault_cmp(const void *one, const void *two)
{
    const docfault_t  *a, *b;

    a = one;
    b = two;

    if (a->span.start != b->span.start) {
        return a->span.start < b->span.start ? -1 : 1;
    }

    /* as they were found */
    return a->fault < b->fault ? -1 : a->fault > b->fault;
}


/*
 * The span of a fault.  What is not there is shown at what should hold it.
 */

static void
docfault_place(cli_t *cli, nxe_str_t text, docfault_t *f)
{
    int               whole;
    nxe_str_t         pointer;
    nxe_json_node_t   node;

    pointer = nxe_str_of(f->pointer);
    whole = 1;

    while (!docfault_find(cli, text, pointer, &node)) {
        whole = 0;

        do {
            pointer.len--;
        } while (pointer.data[pointer.len] != '/');
    }

    if (whole && f->fault->at_key && node.key.end != 0) {
        f->span = node.key;
        return;
    }

    f->span = node.value;

    if (!whole || node.type == NXE_JSON_OBJECT) {
        f->span.end = f->span.start + 1;
    }
}


/* The root is always found. */

static int
docfault_find(cli_t *cli, nxe_str_t text, nxe_str_t pointer,
    nxe_json_node_t *found)
{
    nxe_text_t          segment;
    nxe_json_node_t     root, *node;
    nxe_json_result_t   result;

    memset(&root, 0, sizeof(root));
    segment.segs = &text;
    segment.n = 1;

    if (nxe_json_target(&root, pointer, cli->mem, &node) != NXE_OK) {
        return 0;
    }

    if (nxe_json_scan(&segment, &root, 0, &result) != NXE_JSON_OK
        || node->type == NXE_JSON_NONE)
    {
        return 0;
    }

    *found = *node;

    return 1;
}


/* Behind what stands at a place where a text stops being JSON. */

static size_t
docfault_token(nxe_str_t text, size_t at)
{
    size_t  end;

    end = at;

    if (text.data[at] == '"') {
        for (end = at + 1; end < text.len; end++) {
            if (text.data[end] == '\\') {
                end++;

            } else if (text.data[end] == '"') {
                return end + 1;

            } else if (text.data[end] == '\n') {
                break;
            }
        }

        return at + 1;
    }

    if (text.data[at] == '\\') {
        return text.len - at < 6 ? at + 1 : at + 6;
    }

    while (end < text.len
           && ((text.data[end] >= 'a' && text.data[end] <= 'z')
               || (text.data[end] >= 'A' && text.data[end] <= 'Z')
               || (text.data[end] >= '0' && text.data[end] <= '9')))
    {
        end++;
    }

    return end > at ? end : docfault_step(text, at);
}


/* From 1, in code points; a byte that is not UTF-8 counts as one. */

static void
docfault_position(nxe_str_t text, size_t at, size_t *line, size_t *column,
    size_t *start)
{
    size_t  i;

    *line = 1;
    *start = 0;

    for (i = 0; i < at; i++) {
        if (text.data[i] == '\n') {
            (*line)++;
            *start = i + 1;
        }
    }

    *column = 1;

    for (i = *start; i < at; i = docfault_step(text, i)) {
        (*column)++;
    }
}


static void
docfault_json(const char *path, nxe_str_t text, const docfault_t *f,
    nxe_buf_t *out)
{
    size_t  line, column, start;

    docfault_position(text, f->span.start, &line, &column, &start);

    (void) nxe_buf_add(out, nxe_str("{\"file\":"));
    (void) nxe_buf_add_json(out, nxe_str_of(path));
    (void) nxe_buf_addf(out, ",\"line\":%zu,\"column\":%zu", line, column);

    docfault_json_member(out, "pointer", f->pointer);
    docfault_json_member(out, "found", f->found);
    docfault_json_member(out, "expected", f->expected);
    docfault_json_member(out, "near", f->near);

    (void) nxe_buf_add(out, nxe_str("}\n"));
}


static void
docfault_json_member(nxe_buf_t *out, const char *name, const char *value)
{
    (void) nxe_buf_addf(out, ",\"%s\":", name);

    if (value == NULL) {
        (void) nxe_buf_add(out, nxe_str("null"));

    } else {
        (void) nxe_buf_add_json(out, nxe_str_of(value));
    }
}


static void
docfault_text(cli_t *cli, const char *path, nxe_str_t text,
    const docfault_t *f)
{
    int               cut_left, cut_right;
    char              margin[32], number[32];
    size_t            i, n, line, column, start;
    size_t            room, left, before, carets, width;
    const char       *note;
    docfault_cell_t   cells[2 * DOCFAULT_REGION];

    docfault_position(text, f->span.start, &line, &column, &start);

    fprintf(stderr, "%s:%zu:%zu", cli_safe(cli, nxe_str_of(path)), line,
            column);

    if (f->pointer != NULL) {
        fprintf(stderr, "  %s", f->pointer[0] != '\0'
                ? cli_safe(cli, nxe_str_of(f->pointer)) : "(document)");
    }

    fputc('\n', stderr);

    n = snprintf(number, sizeof(number), "  %zu | ", line);
    snprintf(margin, sizeof(margin), "%*s| ", (int) n - 2, "");
    room = DOCFAULT_WIDTH - n;

    note = f->near == NULL
           ? cli_format(cli, "expected %s", f->expected)
           : cli_format(cli, "expected %s, near: \"%s\"", f->expected,
                        cli_safe(cli, nxe_str_of(f->near)));

    n = docfault_cells(cli, text, start, f->span, cells, &cut_left,
                       &cut_right);

    /* columns before the place, of the place, and of the line */
    before = 0;
    carets = 0;
    width = 0;

    for (i = 0; i < n; i++) {
        if (cells[i].at < f->span.start) {
            before += cells[i].width;

        } else if (cells[i].at < f->span.end) {
            carets += cells[i].width;
        }

        width += cells[i].width;
    }

    left = 0;

    /* a line that is too long begins where place and note can be seen */
    if (width > room || cut_left || cut_right) {
        left = carets + 1 + strlen(note);
        left = left + DOCFAULT_BEFORE < room ? room - left : DOCFAULT_BEFORE;
        left = before > left ? before - left : 0;
    }

    fputs(number, stderr);
    docfault_window(cells, n, left, room, left > 0, cut_right);

    docfault_note(margin, room, before - left, carets, note);
}


/* The part of the line around a place, a cell a code point. */

static size_t
docfault_cells(cli_t *cli, nxe_str_t text, size_t start, nxe_span_t span,
    docfault_cell_t *cells, int *cut_left, int *cut_right)
{
    size_t     n, at, next;
    nxe_str_t  c;

    at = start;
    *cut_left = 0;
    *cut_right = 0;

    if (span.start - start > DOCFAULT_REGION) {
        at = span.start - DOCFAULT_REGION;
        *cut_left = 1;

        while (at < span.start
               && ((unsigned char) text.data[at] & 0xc0) == 0x80)
        {
            at++;
        }
    }

    for (n = 0; at < text.len; at = next) {

        if (text.data[at] == '\n'
            || (text.data[at] == '\r' && at + 1 < text.len
                && text.data[at + 1] == '\n'))
        {
            break;
        }

        if (n == 2 * DOCFAULT_REGION) {
            *cut_right = 1;
            break;
        }

        next = docfault_step(text, at);
        c.data = text.data + at;
        c.len = next - at;

        cells[n].at = at;
        cells[n].text = text.data[at] == '\t' ? "    " : cli_safe(cli, c);
        cells[n].width = docfault_width(cells[n].text);
        n++;
    }

    return n;
}


/* The next code point; a byte that begins none is one. */

static size_t
docfault_step(nxe_str_t text, size_t at)
{
    size_t         n;
    nxe_str_t      s;
    unsigned char  ch;

    ch = (unsigned char) text.data[at];
    n = ch >= 0xf0 ? 4 : ch >= 0xe0 ? 3 : ch >= 0xc2 ? 2 : 1;

    s.data = text.data + at;
    s.len = n;

    return n <= text.len - at && nxe_utf8_ok(s) ? at + n : at + 1;
}


/* Columns of a safe code point: East Asian ones and pictures take two. */

static size_t
docfault_width(const char *text)
{
    unsigned              c;
    const unsigned char  *p;

    p = (const unsigned char *) text;

    if (p[0] < 0xc2) {
        return strlen(text);
    }

    if (p[0] < 0xe0) {
        c = (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);

    } else if (p[0] < 0xf0) {
        c = (p[0] & 0xfu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);

    } else {
        c = (p[0] & 0x7u) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6
            | (p[3] & 0x3fu);
    }

    if (c >= 0x300 && c <= 0x36f) {
        return 0;                   /* combining */
    }

    return (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf)
           || (c >= 0xac00 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff)
           || (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60)
           || (c >= 0xffe0 && c <= 0xffe6) || (c >= 0x1f300 && c <= 0x1faff)
           || c >= 0x20000 ? 2 : 1;
}


/* Columns [left, left + room) of a line; dots stand for what is cut off. */

static void
docfault_window(const docfault_cell_t *cells, size_t n, size_t left,
    size_t room, int cut_left, int cut_right)
{
    size_t  i, column, end;

    column = 0;

    for (i = 0; i < n; i++) {
        column += cells[i].width;
    }

    end = left + room;
    cut_right |= column > end;

    if (cut_right) {
        end -= 3;
    }

    if (cut_left) {
        fputs("...", stderr);
        left += 3;
    }

    column = 0;

    for (i = 0; i < n && column + cells[i].width <= end; i++) {

        if (column >= left) {
            fputs(cells[i].text, stderr);

        } else if (column + cells[i].width > left) {
            docfault_repeat(' ', column + cells[i].width - left);
        }

        column += cells[i].width;
    }

    fputs(cut_right ? "...\n" : "\n", stderr);
}


/* Carets under the place and the note beside them, or below in lines. */

static void
docfault_note(const char *margin, size_t room, size_t column, size_t carets,
    const char *note)
{
    size_t  n, len;

    if (column >= room) {
        column = room - 1;
    }

    if (carets == 0) {
        carets = 1;
    }

    if (carets > room - column) {
        carets = room - column;
    }

    fputs(margin, stderr);
    docfault_repeat(' ', column);
    docfault_repeat('^', carets);

    len = strlen(note);

    if (column + carets + 1 + len <= room) {
        fprintf(stderr, " %s\n", note);
        return;
    }

    fputc('\n', stderr);

    while (len > 0) {
        n = len;

        if (n > room) {
            for (n = room; n > 0 && note[n] != ' '; n--) { /* void */ }

            n = n == 0 ? room : n;
        }

        fprintf(stderr, "%s%.*s\n", margin, (int) n, note);

        while (note[n] == ' ') {
            n++;
        }

        note += n;
        len -= n;
    }
}


static void
docfault_repeat(char ch, size_t n)
{
    while (n-- > 0) {
        fputc(ch, stderr);
    }
}
