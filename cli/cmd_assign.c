/*
 * expctl assign: what units get.  A line of stdin is one unit; that path
 * allocates nothing and calls no printf(), a million units a second pass.
 */

#define _GNU_SOURCE

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/subject.h"

#define IN_SIZE   262144
#define OUT_SIZE  262144

/* The longest result: names, and a unit each of whose bytes is "\u{e0000}". */
#define RESULT_MAX  8192


typedef struct {
    cli_t              *cli;
    subject_t           subject;
    const nxe_doc_t    *doc;
    nxe_request_t       request;
    cli_format_t        format;
    cli_table_t        *table;
    size_t              len;        /* of what is in out */
    char                in[IN_SIZE];
    char                out[OUT_SIZE];
} assign_t;


/* No attribute decides: targeting counts as met. */

static nxe_status_t
no_attr(void *ctx, const nxe_source_t *source, nxe_str_t *value)
{
    (void) ctx;
    (void) source;
    (void) value;

    return NXE_DECLINED;
}


static void
flush_out(assign_t *as)
{
    fwrite(as->out, 1, as->len, stdout);
    as->len = 0;
}


static void
put(assign_t *as, const char *s, size_t n)
{
    memcpy(as->out + as->len, s, n);
    as->len += n;
}


static void
put_text(assign_t *as, const char *s)
{
    put(as, s, strlen(s));
}


/* 1 if every byte is printable ASCII and none of those in "but". */

static int
is_plain(nxe_str_t s, const char *but)
{
    size_t         i;
    unsigned char  c;

    for (i = 0; i < s.len; i++) {
        c = (unsigned char) s.data[i];

        if (c < 0x20 || c >= 0x7f || c == (unsigned char) but[0]
            || c == (unsigned char) but[1] || c == (unsigned char) but[2])
        {
            return 0;
        }
    }

    return 1;
}


/* As a cell of CSV: quoted; what could start a formula gets a "'". */

static void
put_quoted(assign_t *as, nxe_str_t s)
{
    size_t  i;

    put(as, "\"", 1);

    if (s.len != 0 && strchr("=+-@", s.data[0]) != NULL) {
        put(as, "'", 1);
    }

    for (i = 0; i < s.len; i++) {
        if (s.data[i] == '"') {
            put(as, "\"", 1);
        }

        put(as, &s.data[i], 1);
    }

    put(as, "\"", 1);
}


/* A unit that has to be made safe first, in memory of its own. */

static int
put_safe(assign_t *as, nxe_str_t unit)
{
    cli_t  line;

    line = *as->cli;
    line.arena = nxe_arena_new();

    if (line.arena == NULL) {
        cli_error("out of memory");
        return CLI_ENV;
    }

    line.mem = nxe_arena_mem(line.arena);
    put_quoted(as, nxe_str_of(cli_safe(&line, unit)));
    nxe_arena_free(line.arena);

    return CLI_DONE;
}


static int
put_csv(assign_t *as, nxe_str_t unit, const nxe_assignment_t *a,
    const char *bucket)
{
    if (!is_plain(unit, "\\\\\\")) {
        if (put_safe(as, unit) != CLI_DONE) {
            return CLI_ENV;
        }

    } else if (unit.len == 0
               || (is_plain(unit, ",\"\"")
                   && strchr("=+-@", unit.data[0]) == NULL))
    {
        put(as, unit.data, unit.len);

    } else {
        put_quoted(as, unit);
    }

    put(as, ",", 1);
    put(as, as->doc->variants[a->variant].name.data,
        as->doc->variants[a->variant].name.len);
    put_text(as, a->exposed ? ",yes," : ",no,");
    put_text(as, nxe_reason_name(a->reason));
    put(as, ",", 1);
    put_text(as, bucket);
    put(as, "\n", 1);

    return CLI_DONE;
}


static int
put_json(assign_t *as, nxe_str_t unit, const nxe_assignment_t *a,
    const char *bucket)
{
    nxe_buf_t  b;

    put_text(as, "{\"experiment\":\"");
    put(as, as->doc->name.data, as->doc->name.len);
    put_text(as, "\",\"unit\":");

    if (is_plain(unit, "\"\\\\")) {
        put(as, "\"", 1);
        put(as, unit.data, unit.len);
        put(as, "\"", 1);

    } else {
        flush_out(as);
        nxe_buf_init(&b, 1 << 20);
        nxe_buf_add_json(&b, unit);

        if (cli_print_json(&b) != CLI_DONE) {
            return CLI_ENV;
        }
    }

    put_text(as, ",\"variant\":\"");
    put(as, as->doc->variants[a->variant].name.data,
        as->doc->variants[a->variant].name.len);
    put_text(as, a->exposed ? "\",\"exposed\":true,\"reason\":\""
                            : "\",\"exposed\":false,\"reason\":\"");
    put_text(as, nxe_reason_name(a->reason));
    put_text(as, "\",\"bucket\":");
    put_text(as, bucket[0] == '\0' ? "null" : bucket);
    put(as, "}\n", 2);

    return CLI_DONE;
}


/* CLI_DONE, or the exit code after a message. */

static int
assign_unit(assign_t *as, nxe_str_t s)
{
    char              bucket[NXE_DOUBLE_LEN];
    subject_t        *subject;
    nxe_unit_t        unit;
    nxe_assignment_t  a;

    subject = &as->subject;
    bucket[0] = '\0';
    unit.value = s;
    unit.source = 0;
    unit.verified = 1;

    if (subject_unit_ok(s)) {
        nxe_assign(as->doc, &subject->force, subject->ranges, &as->request,
                   &unit, subject_position(subject, s), &a);
        nxe_bucket_print(a.bucket, bucket);

    } else {
        nxe_assign(as->doc, &subject->force, subject->ranges, &as->request,
                   NULL, 0, &a);
    }

    if (s.len > NXE_UNIT_MAX) {
        s.len = NXE_UNIT_MAX;       /* it is no unit: enough to know it by */
    }

    if (as->len + RESULT_MAX > sizeof(as->out)) {
        flush_out(as);
    }

    switch (as->format) {

    case CLI_JSON:
        return put_json(as, s, &a, bucket);

    case CLI_CSV:
        return put_csv(as, s, &a, bucket);

    default:
        cli_cell_str(as->table, s);
        cli_cell_str(as->table, as->doc->variants[a.variant].name);
        cli_cell(as->table, "%s", a.exposed ? "yes" : "no");
        cli_cell(as->table, "%s", nxe_reason_name(a.reason));
        cli_cell(as->table, "%s", bucket[0] == '\0' ? "-" : bucket);
        return CLI_DONE;
    }
}


/*
 * Lines of stdin.  Of one that is longer than the buffer the beginning is
 * enough: it is no unit.
 */

static int
assign_stdin(assign_t *as)
{
    int      rc, ended, skipping;
    char    *p, *end, *nl;
    size_t   len;
    ssize_t  n;

    len = 0;
    ended = 0;
    skipping = 0;

    while (!ended) {
        n = read(STDIN_FILENO, as->in + len, sizeof(as->in) - len);

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n == -1) {
            cli_error("cannot read stdin: %s", strerror(errno));
            return CLI_ENV;
        }

        ended = n == 0;
        len += (size_t) n;
        p = as->in;
        end = p + len;

        while (p < end) {
            nl = memchr(p, '\n', (size_t) (end - p));

            if (nl == NULL && !ended
                && (p != as->in || len < sizeof(as->in)))
            {
                break;
            }

            if (!skipping) {
                rc = assign_unit(as, (nxe_str_t) {
                        p, (size_t) ((nl != NULL ? nl : end) - p) });
                if (rc != CLI_DONE) {
                    return rc;
                }
            }

            skipping = nl == NULL;
            p = nl != NULL ? nl + 1 : end;
        }

        len = (size_t) (end - p);
        memmove(as->in, p, len);
    }

    return CLI_DONE;
}


static int
assign_all(assign_t *as, int from_stdin)
{
    int  i, rc;

    if (as->format == CLI_CSV) {
        put_text(as, "unit,variant,exposed,reason,bucket\n");

    } else if (as->format == CLI_TABLE) {
        as->table = cli_table_new(as->cli, "lllll", "UNIT", "VARIANT",
                                  "EXPOSED", "REASON", "BUCKET");
    }

    rc = CLI_DONE;

    if (from_stdin) {
        rc = assign_stdin(as);

    } else {
        for (i = 1; i < as->cli->nargs && rc == CLI_DONE; i++) {
            rc = assign_unit(as, nxe_str_of(as->cli->args[i]));
        }
    }

    flush_out(as);

    if (as->table != NULL && rc == CLI_DONE) {
        cli_table_print(as->table, stdout);
    }

    return rc;
}


static int
cmd_assign(cli_t *cli)
{
    int        rc, from_stdin;
    assign_t  *as;

    rc = cli_args(cli, 1, -1);
    if (rc != CLI_DONE) {
        return rc;
    }

    as = nxe_calloc(cli->mem, sizeof(assign_t));
    if (as == NULL) {
        cli_error("out of memory");
        return CLI_ENV;
    }

    rc = subject_load(cli, cli->args[0], &as->subject);
    if (rc != CLI_DONE) {
        return rc;
    }

    as->cli = cli;
    as->doc = as->subject.e.doc;
    as->request.attr = no_attr;
    as->request.any_step = 1;
    as->request.any_window = 1;
    as->request.any_target = 1;

    from_stdin = cli->nargs == 1
                 || (cli->nargs == 2 && strcmp(cli->args[1], "-") == 0);

    as->format = from_stdin && !cli->format_given ? CLI_CSV : cli->format;

    rc = assign_all(as, from_stdin);
    subject_free(&as->subject);

    return rc;
}


const cli_command_t  cmd_assign_command = {
    "assign", "NAME UNIT...", "says which variant units get",
    CLI_OUTPUT | CLI_REGISTRY, NULL, cmd_assign,
    "Units are values as a source yields them. Without one (or for -) they\n"
    "come from stdin, one a line, and the output is CSV unless -o is given.\n"
    "Targeting, steps, windows and trust count as met: expctl explain looks\n"
    "at them. A line that is empty or longer than 256 bytes is no unit. Of\n"
    "auth: the unit is the credential's SHA-256 in hex.\n"
    "\n"
    "  expctl assign tone conv-1 conv-2\n"
    "  printf %s \"$KEY\" | sha256sum | cut -c 1-64 | expctl assign tone\n"
    "  seq 1 1000000 | expctl assign tone > units.csv\n"
};
