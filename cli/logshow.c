/*
 * Lines are read member by member, as JSON has them: what a newer module
 * adds is let be, and what is not there stays "-".
 */

#include <stdlib.h>
#include <string.h>

#include <nxe/json.h>

#include "cli/logshow.h"

#define TEXT_MAX  1024              /* of a text; lines have at most 256 */
#define ROW       "%-8s  %4s  %8s  %7s  %8s  %11s  %s"


/* Values as JSON spells them; empty: absent. */

typedef struct {
    nxe_str_t           kind;
    nxe_str_t           time;
    nxe_str_t           status;
    nxe_str_t           response_ms;
    nxe_str_t           ttft_ms;
    nxe_str_t           input;
    nxe_str_t           output;
    nxe_str_t           cost;
    nxe_str_t           currency;
    nxe_str_t           model;
    nxe_str_t           empty;
    nxe_str_t           stream;
    nxe_str_t           unmetered;
    nxe_str_t           stream_error;
    nxe_str_t           aborted;
    nxe_str_t           entries;
    nxe_str_t           unit;       /* of what is no request */
    nxe_str_t           unit_type;
    nxe_str_t           experiment;
    nxe_str_t           variant;
    nxe_str_t           metric;
    nxe_str_t           value;
    nxe_str_t           refused;    /* why nothing of it was taken */
} record_t;

typedef struct {
    nxe_str_t           name;
    nxe_str_t           variant;
    nxe_str_t           reason;
    nxe_str_t           unit;
    nxe_str_t           unit_type;
} entry_t;

typedef struct {
    const char         *key;        /* with its quotes */
    size_t              offset;     /* of a nxe_str_t */
} member_t;

static const member_t  record_members[] = {
    { "\"kind\"", offsetof(record_t, kind) },
    { "\"time\"", offsetof(record_t, time) },
    { "\"status\"", offsetof(record_t, status) },
    { "\"response_ms\"", offsetof(record_t, response_ms) },
    { "\"ttft_ms\"", offsetof(record_t, ttft_ms) },
    { "\"gen_ai.usage.input_tokens\"", offsetof(record_t, input) },
    { "\"gen_ai.usage.output_tokens\"", offsetof(record_t, output) },
    { "\"cost\"", offsetof(record_t, cost) },
    { "\"currency\"", offsetof(record_t, currency) },
    { "\"gen_ai.response.model\"", offsetof(record_t, model) },
    { "\"empty\"", offsetof(record_t, empty) },
    { "\"stream\"", offsetof(record_t, stream) },
    { "\"unmetered\"", offsetof(record_t, unmetered) },
    { "\"stream_error\"", offsetof(record_t, stream_error) },
    { "\"aborted\"", offsetof(record_t, aborted) },
    { "\"experiments\"", offsetof(record_t, entries) },
    { "\"unit\"", offsetof(record_t, unit) },
    { "\"unit_type\"", offsetof(record_t, unit_type) },
    { "\"experiment\"", offsetof(record_t, experiment) },
    { "\"variant\"", offsetof(record_t, variant) },
    { "\"metric\"", offsetof(record_t, metric) },
    { "\"value\"", offsetof(record_t, value) },
    { "\"refused\"", offsetof(record_t, refused) },
    { NULL, 0 }
};

static const member_t  entry_members[] = {
    { "\"name\"", offsetof(entry_t, name) },
    { "\"variant\"", offsetof(entry_t, variant) },
    { "\"reason\"", offsetof(entry_t, reason) },
    { "\"unit\"", offsetof(entry_t, unit) },
    { "\"unit_type\"", offsetof(entry_t, unit_type) },
    { NULL, 0 }
};


/* 1, or 0 where a member occurs twice: which of them holds nobody knows. */

static int
read_members(nxe_str_t object, const member_t *members, void *to, size_t size)
{
    nxe_str_t        *value;
    const member_t   *m;
    nxe_json_walk_t   w;

    memset(to, 0, size);

    for (nxe_json_walk(&w, object); nxe_json_walk_next(&w); ) {

        for (m = members; m->key != NULL; m++) {

            if (nxe_str_eq(w.key, nxe_str_of(m->key))) {
                value = (nxe_str_t *) (void *) ((char *) to + m->offset);

                if (value->len != 0) {
                    return 0;
                }

                *value = w.value;
            }
        }
    }

    return 1;
}


/* NULL, or why it is no line of ours. */

static const char *
read_line(nxe_str_t line, record_t *r)
{
    nxe_text_t         text;
    nxe_json_result_t  result;

    text.segs = &line;
    text.n = 1;

    if (nxe_json_scan(&text, NULL, NXE_JSON_ROOT_OBJECT, &result)
        != NXE_JSON_OK)
    {
        return "not one JSON object";
    }

    if (!read_members(line, record_members, r, sizeof(record_t))) {
        return "a member that occurs twice";
    }

    if (!nxe_str_eq(r->kind, nxe_str("\"request\""))
        && !nxe_str_eq(r->kind, nxe_str("\"feedback\""))
        && !nxe_str_eq(r->kind, nxe_str("\"ofrep\"")))
    {
        return r->kind.len == 0 ? "no \"kind\"" : "";
    }

    return r->time.len != 0 ? NULL : "no \"time\"";
}


/* The next entry that can be read; 0: there is none. */

static int
next_entry(nxe_json_walk_t *w, entry_t *e)
{
    while (nxe_json_walk_next(w)) {
        if (w->type == NXE_JSON_OBJECT
            && read_members(w->value, entry_members, e, sizeof(entry_t)))
        {
            return 1;
        }
    }

    return 0;
}


static int
has_entries(const record_t *r)
{
    return r->entries.len != 0 && r->entries.data[0] == '[';
}


/* Every entry is looked at: its type may be needed for a later line. */

static int
is_about(logunit_t *unit, const record_t *r)
{
    int              found;
    entry_t          e;
    nxe_json_walk_t  w;

    found = logunit_is(unit, r->unit, r->unit_type);

    if (has_entries(r)) {
        for (nxe_json_walk(&w, r->entries); next_entry(&w, &e); ) {
            found |= logunit_is(unit, e.unit, e.unit_type);
        }
    }

    return found;
}


/* What the meter looked at, and whose tokens it does not know. */

static int
lacks_usage(const record_t *r)
{
    return nxe_str_eq(r->kind, nxe_str("\"request\"")) && r->output.len == 0
           && (r->model.len != 0 || r->ttft_ms.len != 0 || r->empty.len != 0
               || r->stream.len != 0 || r->unmetered.len != 0);
}


/* A string without its quotes and escapes, anything else as it is. */

static nxe_str_t
plain(const cli_t *cli, nxe_str_t json)
{
    nxe_str_t  s;

    if (json.len < 2 || json.data[0] != '"'
        || nxe_json_unescape(json, TEXT_MAX, cli->mem, &s) != NXE_OK)
    {
        return json;
    }

    return s;
}


static const char *
safe(const cli_t *cli, nxe_str_t json)
{
    return cli_safe(cli, plain(cli, json));
}


/* 1 if json is a number that is not negative. */

static int
is_number(nxe_str_t json)
{
    return json.len != 0 && json.len < 32 && json.data[0] >= '0'
           && json.data[0] <= '9';
}


static double
number_of(const cli_t *cli, nxe_str_t json)
{
    return strtod(cli_format(cli, "%.*s", (int) json.len, json.data), NULL);
}


static const char *
ms_text(const cli_t *cli, nxe_str_t json)
{
    return is_number(json) ? cli_duration(cli, number_of(cli, json)) : "-";
}


static const char *
tokens_text(const cli_t *cli, const record_t *r)
{
    if (r->input.len == 0 && r->output.len == 0) {
        return "-";
    }

    return cli_format(cli, "%s/%s",
                      r->input.len != 0 ? safe(cli, r->input) : "-",
                      r->output.len != 0 ? safe(cli, r->output) : "-");
}


static const char *
cost_text(const cli_t *cli, const record_t *r)
{
    if (!is_number(r->cost)) {
        return "-";
    }

    return cli_format(cli, "%s%s%s", cli_money(cli, number_of(cli, r->cost)),
                      r->currency.len != 0 ? " " : "",
                      safe(cli, r->currency));
}


static int
is_string(nxe_str_t json)
{
    return json.len > 2 && json.data[0] == '"';
}


static int
is_aborted(const record_t *r)
{
    return nxe_str_eq(r->aborted, nxe_str("true"));
}


/*
 * What went wrong with the answer, "aborted, stream_error:api, ": a status
 * of 200 does not tell, and what stands behind it may be cut.
 */

static const char *
answer_text(const cli_t *cli, const record_t *r)
{
    const char  *text;

    text = is_aborted(r) ? "aborted, " : "";

    if (is_string(r->stream_error)) {
        text = cli_format(cli, "%sstream_error:%s, ", text,
                          safe(cli, r->stream_error));
    }

    if (is_string(r->unmetered)) {
        text = cli_format(cli, "%sunmetered:%s, ", text,
                          safe(cli, r->unmetered));
    }

    return text;
}


/*
 * "tone/concise assigned", for each entry; "feedback tone resolved=1", or why
 * it was refused.  Where there is little room, what a row mostly is, and what
 * a metric tells, is left away: "assigned", "feedback".
 */

static const char *
subject_text(const cli_t *cli, const record_t *r, int brief)
{
    int               plainly;
    entry_t           e;
    const char       *text;
    nxe_json_walk_t   w;

    text = "";

    if (has_entries(r)) {
        for (nxe_json_walk(&w, r->entries); next_entry(&w, &e); ) {
            plainly = brief && nxe_str_eq(e.reason,
                                          nxe_str("\"assigned\""));

            text = cli_format(cli, "%s%s%s/%s%s%s", text,
                              *text != '\0' ? ", " : "", safe(cli, e.name),
                              safe(cli, e.variant), plainly ? "" : " ",
                              plainly ? "" : safe(cli, e.reason));
        }
    }

    if (r->experiment.len != 0) {
        text = cli_format(cli, "%s%s%s%s%s", text, *text != '\0' ? ", " : "",
                          safe(cli, r->experiment),
                          r->variant.len != 0 ? "/" : "",
                          safe(cli, r->variant));
    }

    if (r->metric.len != 0) {
        text = cli_format(cli, "%s%s%s=%s", text, *text != '\0' ? " " : "",
                          safe(cli, r->metric), safe(cli, r->value));
    }

    if (r->refused.len != 0) {
        text = cli_format(cli, "%s%s%s", text, *text != '\0' ? " " : "",
                          safe(cli, r->refused));
    }

    if (!nxe_str_eq(r->kind, nxe_str("\"request\""))
        && !(brief && r->metric.len != 0))
    {
        text = cli_format(cli, "%s%s%s", safe(cli, r->kind),
                          *text != '\0' ? " " : "", text);
    }

    return text;
}


static void
print_heads(logshow_t *show)
{
    if (!show->heads) {
        printf(ROW "\n", "TIME", "CODE", "RESPONSE", "TTFT", "TOKENS",
               "COST", "EXPERIMENT");
        show->heads = 1;
    }
}


/*
 * Rows come one by one, so that the widths are given, and what does not fit
 * a terminal is cut; times are of the day that is printed before them.
 */

static void
print_row(logshow_t *show, const cli_t *cli, const record_t *r)
{
    int          screen;
    nxe_str_t    time, day;
    const char  *subject, *row;

    print_heads(show);

    time = plain(cli, r->time);
    day = time;

    if (time.len >= 20 && time.data[10] == 'T') {
        day.len = 10;
        time.data += 11;
        time.len = 8;

        if (strncmp(show->day, day.data, 10) != 0) {
            memcpy(show->day, day.data, 10);
            printf("%s UTC\n", cli_safe(cli, day));
        }
    }

    subject = subject_text(cli, r, 1);

    row = cli_format(cli, ROW, cli_safe(cli, time),
                     r->status.len != 0 ? safe(cli, r->status) : "-",
                     ms_text(cli, r->response_ms), ms_text(cli, r->ttft_ms),
                     tokens_text(cli, r), cost_text(cli, r),
                     cli_format(cli, "%s%s", answer_text(cli, r),
                                *subject != '\0' ? subject : "-"));

    screen = cli_screen_width(stdout);

    puts(screen != 0 ? cli_cut(cli, row, screen) : row);
}


static void
print_csv(logshow_t *show, const cli_t *cli, const record_t *r)
{
    cli_table_t  *t;

    t = cli_table_new(cli, "llrrrrrrllllll", "TIME", "KIND", "STATUS",
                      "RESPONSE_MS", "TTFT_MS", "INPUT_TOKENS",
                      "OUTPUT_TOKENS", "COST", "CURRENCY", "MODEL",
                      "EXPERIMENT", "ABORTED", "STREAM_ERROR", "UNMETERED");

    if (show->heads) {
        cli_table_go_on(t);
    }

    show->heads = 1;

    if (r != NULL) {
        cli_cell_str(t, plain(cli, r->time));
        cli_cell_str(t, plain(cli, r->kind));
        cli_cell_str(t, r->status);
        cli_cell_str(t, r->response_ms);
        cli_cell_str(t, r->ttft_ms);
        cli_cell_str(t, r->input);
        cli_cell_str(t, r->output);
        cli_cell_str(t, r->cost);
        cli_cell_str(t, plain(cli, r->currency));
        cli_cell_str(t, plain(cli, r->model));
        cli_cell(t, "%s", subject_text(cli, r, 0));
        cli_cell(t, "%s", is_aborted(r) ? "true" : "");
        cli_cell_str(t, plain(cli, r->stream_error));
        cli_cell_str(t, plain(cli, r->unmetered));
    }

    cli_table_print(t, stdout);
}


static void
print_json(nxe_str_t line)
{
    nxe_buf_t  b;

    nxe_buf_init(&b, line.len + 1);
    nxe_buf_add(&b, line);
    nxe_buf_addc(&b, '\n');
    (void) cli_print_json(&b);
}


nxe_status_t
logshow_line(logshow_t *show, nxe_str_t line, const char **why)
{
    cli_t     cli;
    record_t  r;

    *why = read_line(line, &r);

    if (*why != NULL) {
        return **why == '\0' ? NXE_OK : NXE_INVALID;
    }

    if ((show->unit != NULL && !is_about(show->unit, &r))
        || (show->missing && !lacks_usage(&r)))
    {
        return NXE_OK;
    }

    if (show->cli->format == CLI_JSON) {
        print_json(line);
        return NXE_OK;
    }

    /* memory of the row alone: logs are long */

    cli = *show->cli;
    cli.arena = nxe_arena_new();

    if (cli.arena == NULL) {
        *why = "out of memory";
        return NXE_NOMEM;
    }

    cli.mem = nxe_arena_mem(cli.arena);

    if (cli.format == CLI_CSV) {
        print_csv(show, &cli, &r);

    } else {
        print_row(show, &cli, &r);
    }

    nxe_arena_free(cli.arena);

    return NXE_OK;
}


void
logshow_end(logshow_t *show)
{
    if (show->cli->format == CLI_CSV && !show->heads) {
        print_csv(show, show->cli, NULL);

    } else if (show->cli->format == CLI_TABLE) {
        print_heads(show);
    }
}
