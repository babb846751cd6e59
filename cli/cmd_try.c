/*
 * expctl try: a body from stdin as it would go upstream.
 */

#define _GNU_SOURCE

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/try.h"

/* More than this is not read from stdin. */
#define STDIN_MAX  ((size_t) 1 << 30)


static int
no_memory(void)
{
    cli_error("out of memory");
    return CLI_ENV;
}


static int
read_body(try_t *t)
{
    char     buf[65536];
    ssize_t  n;

    nxe_buf_init(&t->body, STDIN_MAX);

    for ( ;; ) {
        n = read(STDIN_FILENO, buf, sizeof(buf));

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n == -1) {
            cli_error("cannot read stdin: %s", strerror(errno));
            return CLI_ENV;
        }

        if (n == 0) {
            break;
        }

        if (nxe_buf_add(&t->body, (nxe_str_t) { buf, (size_t) n }) != NXE_OK) {
            if (t->body.status == NXE_NOMEM) {
                return no_memory();
            }

            return cli_usage(t->cli, "stdin has more than %zu bytes",
                             STDIN_MAX);
        }
    }

    t->seg = nxe_buf_str(&t->body);
    t->text.segs = &t->seg;
    t->text.n = 1;

    return CLI_DONE;
}


/*
 * A word that is not in a list of names: CLI_USAGE after a message.  names
 * are those of get(), n of them.
 */

static int
unknown(const try_t *t, const char *option, const char *word,
    const char *(*get)(const try_t *t, unsigned i), unsigned n)
{
    unsigned      i;
    const char  **list, *near, *names;

    list = nxe_calloc(t->cli->mem, (n + 1) * sizeof(char *));
    near = NULL;
    names = "";

    if (list != NULL) {
        for (i = 0; i < n; i++) {
            list[i] = get(t, i);
            names = cli_format(t->cli, "%s%s%s", names, i == 0 ? "" : ", ",
                               list[i]);
        }

        near = cli_near(word, list);
    }

    return near != NULL
           ? cli_usage(t->cli, "--%s: there is no '%s', only %s, near: %s",
                       option, word, names, near)
           : cli_usage(t->cli, "--%s: there is no '%s', only %s", option,
                       word, names);
}


static const char *
dialect_at(const try_t *t, unsigned i)
{
    (void) t;

    return nxe_dialect_name((nxe_dialect_t) i);
}


static const char *
variant_at(const try_t *t, unsigned i)
{
    return t->doc->variants[i].name.data;
}


static const char *
step_at(const try_t *t, unsigned i)
{
    return t->doc->steps[i].name.data;
}


/* Without --step, "default", or the only one that there is. */

static int
choose_step(try_t *t)
{
    if (t->request.step.len == 0) {
        t->request.step = t->doc->nsteps == 1 ? t->doc->steps[0].name
                                              : nxe_str("default");

        if (nxe_doc_step(t->doc, t->request.step) == NXE_NONE) {
            return cli_usage(t->cli, "'%s' has %u steps, give --step",
                             t->subject.e.name.data, t->doc->nsteps);
        }
    }

    t->a.step = nxe_doc_step(t->doc, t->request.step);

    if (cli_has(t->cli, "variant") && t->a.step == NXE_NONE) {
        return unknown(t, "step", cli_format(t->cli, "%.*s",
                                             (int) t->request.step.len,
                                             t->request.step.data),
                       step_at, t->doc->nsteps);
    }

    return CLI_DONE;
}


/* Whose request it is has to be said, where the body cannot say it. */

static int
check_unit(const try_t *t)
{
    uint32_t  i;

    if (cli_has(t->cli, "unit") || cli_has(t->cli, "variant")
        || t->attrs.n != 0)
    {
        return CLI_DONE;
    }

    for (i = 0; i < t->doc->nsources; i++) {
        if (t->doc->sources[i].type == NXE_SOURCE_JSON) {
            return CLI_DONE;
        }
    }

    return cli_usage(t->cli, "expected --unit, --variant or what has the "
                     "unit: --header, --cookie, --arg, --var");
}


static int
choose(try_t *t)
{
    int          rc;
    const char  *word;

    t->doc = t->subject.e.doc;
    t->dialect = NXE_DIALECT_OPENAI_CHAT;

    rc = check_unit(t);
    if (rc != CLI_DONE) {
        return rc;
    }

    word = cli_opt(t->cli, "dialect");

    if (word != NULL
        && nxe_dialect_parse(nxe_str_of(word), &t->dialect) != NXE_OK)
    {
        return unknown(t, "dialect", word, dialect_at, NXE_DIALECTS);
    }

    word = cli_opt(t->cli, "variant");

    if (word != NULL) {
        t->a.variant = nxe_doc_variant(t->doc, nxe_str_of(word));
        t->a.exposed = 1;
        t->reason = "forced";

        if (t->a.variant == NXE_NONE) {
            return unknown(t, "variant", word, variant_at,
                           t->doc->nvariants);
        }
    }

    return choose_step(t);
}


static int
try_body(try_t *t)
{
    int  rc;

    rc = attrs_read(t->cli, &t->attrs);

    if (rc == CLI_DONE) {
        rc = attrs_request(&t->attrs, &t->request);
    }

    if (rc == CLI_DONE) {
        rc = choose(t);
    }

    if (rc == CLI_DONE) {
        rc = read_body(t);
    }

    if (rc != CLI_DONE) {
        return rc;
    }

    if (try_decide(t) != NXE_OK || try_plan(t) != NXE_OK) {
        return no_memory();
    }

    return cli_has(t->cli, "body") ? try_print_body(t)
           : t->cli->format == CLI_JSON ? try_print_json(t) : try_print_text(t);
}


static int
cmd_try(cli_t *cli)
{
    int     rc;
    try_t  *t;

    rc = cli_args(cli, 1, 1);
    if (rc != CLI_DONE) {
        return rc;
    }

    if (cli_has(cli, "unit") && cli_has(cli, "variant")) {
        return cli_usage(cli, "expected one of --unit and --variant");
    }

    if (cli_has(cli, "body")
        && (cli_has(cli, "headers") || cli->format_given))
    {
        return cli_usage(cli, "--body prints the bytes and nothing else");
    }

    if (cli->format == CLI_CSV) {
        return cli_usage(cli, "a tried body has no CSV");
    }

    t = nxe_calloc(cli->mem, sizeof(try_t));
    if (t == NULL) {
        return no_memory();
    }

    t->cli = cli;

    rc = subject_load(cli, cli->args[0], &t->subject);
    if (rc != CLI_DONE) {
        return rc;
    }

    rc = try_body(t);

    nxe_buf_free(&t->body);
    subject_free(&t->subject);

    return rc;
}


static const cli_opt_t  try_opts[] = {
    { "unit", 0, "U", 0, "as this unit, by state and layer" },
    { "variant", 0, "V", 0, "as this variant, whatever the state" },
    { "dialect", 0, "D", 0, "of the body (else openai_chat)" },
    { "body", 0, NULL, 0, "print only the bytes" },
    { "headers", 0, NULL, 0, "print only the header edits" },
    ATTRS_OPTS,
    { NULL, 0, NULL, 0, NULL }
};

const cli_command_t  cmd_try_command = {
    "try", "NAME", "shows a body as it would go upstream",
    CLI_OUTPUT | CLI_REGISTRY, try_opts, cmd_try,
    "The body comes from stdin. The step is --step, else the header\n"
    "X-Inference-Step, else the only one or 'default'. Response headers are\n"
    "tried on a response that has none of them. Exit 1: an edit was not\n"
    "delivered (unsupported, bypassed, not_sent).\n"
    "\n"
    "Without --unit and --variant the unit is what the document's sources\n"
    "find in the request, as in expctl explain; --trusted says whom to\n"
    "believe.\n"
    "\n"
    "  expctl try tone --unit conv-1 < body.json\n"
    "  expctl try tone --variant concise --body < body.json | jq .\n"
};
