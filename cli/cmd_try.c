/*
 * expctl try: a body from stdin as it would go upstream, by the functions
 * that the module calls.
 */

#define _GNU_SOURCE

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <nxe/splice.h>

#include "cli/commands.h"
#include "cli/subject.h"

/* What the module passes by without a look. */
#define BODY_MAX  (8 * 1024 * 1024)

/* More than this is not read from stdin. */
#define STDIN_MAX  ((size_t) 1 << 30)


/* An edit that was meant, and what became of it. */

typedef struct {
    const char         *name;       /* "system", "header:X-Prompt", "route" */
    const char         *path;       /* NULL: it has none */
    nxe_code_t          code;
    nxe_str_t           old[NXE_PLAN_EDITS];
    unsigned            nold;
    nxe_str_t           value;      /* empty: there is none to show */
    unsigned            header:1;
} edit_t;

typedef struct {
    cli_t                  *cli;
    subject_t               subject;
    const nxe_doc_t        *doc;
    attrs_t                 attrs;
    nxe_request_t           request;
    nxe_dialect_t           dialect;
    nxe_assignment_t        a;
    const char             *reason;
    const nxe_effective_t  *effective;

    nxe_buf_t               body;
    nxe_str_t               seg;
    nxe_text_t              text;
    nxe_places_t            places;
    unsigned                scanned:1;
    const char             *bypass;     /* the cause, or NULL */
    nxe_json_result_t       fault;

    nxe_edit_t              splices[NXE_PARAMS * NXE_PLAN_EDITS];
    size_t                  nsplices;
    edit_t                 *edits;
    size_t                  nedits;
} try_t;


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


/* What the scan has to look for, as in the module: every arm's parameters. */

static nxe_status_t
add_pointers(try_t *t)
{
    uint32_t             i, n;
    attr_pointer_t      *p;
    const nxe_source_t  *source;

    n = t->doc->nsources + t->doc->ntargeting;

    t->attrs.pointers = nxe_calloc(t->cli->mem,
                                   (n + 1) * sizeof(attr_pointer_t));
    if (t->attrs.pointers == NULL) {
        return NXE_NOMEM;
    }

    for (i = 0; i < n; i++) {
        source = i < t->doc->nsources
                 ? &t->doc->sources[i]
                 : &t->doc->targeting[i - t->doc->nsources].attribute;

        if (source->type != NXE_SOURCE_JSON) {
            continue;
        }

        p = &t->attrs.pointers[t->attrs.npointers++];
        p->pointer = source->name;

        if (nxe_places_pointer(&t->places, source->name, t->cli->mem,
                               &p->node)
            != NXE_OK)
        {
            return NXE_NOMEM;
        }
    }

    return NXE_OK;
}


static nxe_status_t
scan(try_t *t)
{
    nxe_json_cause_t  cause;

    t->attrs.json = NXE_DECLINED;

    if (t->seg.len == 0) {
        return NXE_OK;          /* as a request without a body */
    }

    if (t->seg.len > BODY_MAX) {
        t->bypass = "size";
        return NXE_OK;
    }

    nxe_places_init(&t->places, t->dialect);

    if (nxe_places_model(&t->places, t->cli->mem) != NXE_OK
        || add_pointers(t) != NXE_OK
        || (t->a.step != NXE_NONE
            && nxe_places_params(&t->places, t->doc->steps[t->a.step].params,
                                 t->cli->mem) != NXE_OK))
    {
        return NXE_NOMEM;
    }

    cause = nxe_json_scan(&t->text, &t->places.root, NXE_JSON_ROOT_OBJECT,
                          &t->fault);

    if (cause != NXE_JSON_OK) {
        t->bypass = nxe_json_cause_name(cause);
        return NXE_OK;
    }

    t->scanned = 1;
    t->attrs.json = NXE_OK;
    t->attrs.text = &t->text;

    return NXE_OK;
}


/* Arms alike: an exposed unit's body is read where any arm edits it. */

static int
wants_body(const try_t *t)
{
    int  p;

    if (t->effective == NULL) {
        return 0;
    }

    if (t->a.exposed && t->doc->steps[t->a.step].body) {
        return 1;
    }

    for (p = 0; p < NXE_PARAMS; p++) {
        if (t->effective->params[p] != NULL) {
            return 1;
        }
    }

    return 0;
}


static nxe_status_t
assign_unit(try_t *t)
{
    nxe_unit_t    unit;
    nxe_status_t  rc;

    unit.value = nxe_str_of(cli_opt(t->cli, "unit"));
    unit.source = 0;

    rc = subject_unit_ok(unit.value)
         ? nxe_assign(t->doc, &t->subject.force, t->subject.ranges,
                      &t->request, &unit,
                      subject_position(&t->subject, unit.value), &t->a)
         : nxe_assign(t->doc, &t->subject.force, t->subject.ranges,
                      &t->request, NULL, 0, &t->a);

    if (rc == NXE_OK) {
        t->reason = nxe_reason_name(t->a.reason);
        t->effective = nxe_assign_effective(t->doc, &t->a);
    }

    return rc;
}


static nxe_status_t
decide(try_t *t)
{
    nxe_status_t  rc;

    if (cli_has(t->cli, "variant")) {
        t->effective = &t->doc->effective[t->a.variant * t->doc->nsteps
                                          + t->a.step];
        return wants_body(t) ? scan(t) : NXE_OK;
    }

    /* until the body has been read, what is in it is not known */

    t->attrs.json = NXE_AGAIN;
    rc = assign_unit(t);

    if (rc == NXE_OK && wants_body(t)) {
        rc = scan(t);

    } else if (rc == NXE_AGAIN) {
        rc = scan(t);

        if (rc == NXE_OK) {
            rc = assign_unit(t);
        }
    }

    return rc;
}


static edit_t *
add_edit(try_t *t, const char *name, nxe_code_t code)
{
    edit_t  *e;

    e = &t->edits[t->nedits++];
    e->name = name;
    e->code = code;

    return e;
}


static nxe_status_t
plan_param(try_t *t, nxe_param_t param)
{
    size_t                 i, first;
    edit_t                *e;
    nxe_str_t              bytes;
    nxe_status_t           rc;
    const nxe_override_t  *o;

    o = t->effective->params[param];
    e = add_edit(t, nxe_param_name(param), t->bypass != NULL
                                           ? NXE_CODE_BYPASSED
                                           : NXE_CODE_NOT_SENT);

    if (!t->scanned) {
        return NXE_OK;
    }

    bytes.data = t->doc->bytes + o->value.offset;
    bytes.len = o->value.len;
    first = t->nsplices;

    rc = nxe_places_plan(&t->places, &t->text, param, bytes, o->if_absent,
                         t->cli->mem, t->splices, &t->nsplices, &e->code);
    if (rc != NXE_OK) {
        return rc;
    }

    if (e->code != NXE_CODE_UNSUPPORTED) {
        e->path = nxe_places_path(&t->places, param);
    }

    if (e->code == NXE_CODE_APPLIED) {
        e->value = bytes;
    }

    for (i = first; i < t->nsplices; i++) {
        if (t->splices[i].end > t->splices[i].start) {
            e->old[e->nold++] = (nxe_str_t) {
                t->seg.data + t->splices[i].start,
                t->splices[i].end - t->splices[i].start };
        }
    }

    return NXE_OK;
}


/* The response is thought of as one that has no header of the name yet. */

static void
plan_header(try_t *t, const nxe_header_t *h)
{
    size_t         n;
    edit_t        *e;
    const attr_t  *there;

    e = add_edit(t, cli_format(t->cli, "%s%.*s", h->response
                               ? "response_header:" : "header:",
                               (int) h->name.len, h->name.data),
                 NXE_CODE_APPLIED);
    e->header = 1;

    n = 0;
    there = h->response ? NULL : attrs_header(&t->attrs, h->lower, &n);

    if ((h->remove && n == 0)
        || (!h->remove && n == 1 && nxe_str_eq(there->value, h->value)))
    {
        e->code = NXE_CODE_EQUAL;
        return;
    }

    if (there != NULL) {
        e->old[e->nold++] = there->value;
    }

    if (!h->remove) {
        e->value = h->value;
    }
}


static nxe_status_t
plan(try_t *t)
{
    uint32_t                i;
    nxe_status_t            rc;
    const nxe_effective_t  *eff;

    eff = t->effective;

    if (eff == NULL) {
        return NXE_OK;
    }

    t->edits = nxe_calloc(t->cli->mem, (NXE_PARAMS + eff->nheaders + eff->nops
                                        + 1) * sizeof(edit_t));
    if (t->edits == NULL) {
        return NXE_NOMEM;
    }

    for (i = 0; i < NXE_PARAMS; i++) {
        if (eff->params[i] != NULL) {
            rc = plan_param(t, (nxe_param_t) i);
            if (rc != NXE_OK) {
                return rc;
            }
        }
    }

    for (i = 0; i < eff->nops; i++) {
        add_edit(t, cli_format(t->cli, "body:%s",
                               cli_safe(t->cli, eff->ops[i]->path)),
                 NXE_CODE_UNSUPPORTED);
    }

    for (i = 0; i < eff->nheaders; i++) {
        plan_header(t, eff->headers[i]);
    }

    if (eff->route != NULL) {
        add_edit(t, "route", NXE_CODE_APPLIED)->value = eff->route->upstream;
    }

    return nxe_splice_order(t->splices, t->nsplices);
}


/* 1 if it did not get there, and not because the document says so. */

static int
is_lost(const edit_t *e)
{
    return e->code == NXE_CODE_UNSUPPORTED || e->code == NXE_CODE_BYPASSED
           || e->code == NXE_CODE_NOT_SENT;
}


static int
answer(const try_t *t)
{
    size_t  i;

    for (i = 0; i < t->nedits; i++) {
        if (is_lost(&t->edits[i])) {
            return CLI_NO;
        }
    }

    return CLI_DONE;
}


static int
is_shown(const try_t *t, const edit_t *e)
{
    return e->header || !cli_has(t->cli, "headers");
}


static const char *
bypass_text(const try_t *t)
{
    if (t->fault.expected == NULL) {
        return cli_format(t->cli, "body bypass:%s, more than %d MB",
                          t->bypass, BODY_MAX / 1024 / 1024);
    }

    return cli_format(t->cli, "body bypass:%s at byte %zu, expected %s",
                      t->bypass, t->fault.offset, t->fault.expected);
}


static nxe_status_t
write_slice(void *ctx, nxe_str_t slice)
{
    (void) ctx;

    fwrite(slice.data, 1, slice.len, stdout);

    return NXE_OK;
}


/* The bytes alone; what else there is to say goes to stderr. */

static int
print_body(const try_t *t)
{
    size_t  i;

    (void) nxe_splice(&t->text, t->splices, t->nsplices, write_slice, NULL);

    if (t->bypass != NULL) {
        cli_error("%s", bypass_text(t));
        return answer(t);
    }

    for (i = 0; i < t->nedits; i++) {
        if (is_lost(&t->edits[i])) {
            cli_error("%s: %s", t->edits[i].name,
                      nxe_code_name(t->edits[i].code));
        }
    }

    return answer(t);
}


static int
print_json(const try_t *t)
{
    size_t         i, n;
    nxe_buf_t      b;
    const edit_t  *e;

    nxe_buf_init(&b, 1 << 24);

    nxe_buf_add(&b, nxe_str("{\"experiment\":"));
    nxe_buf_add_json(&b, t->doc->name);
    nxe_buf_add(&b, nxe_str(",\"variant\":"));
    nxe_buf_add_json(&b, t->doc->variants[t->a.variant].name);
    nxe_buf_addf(&b, ",\"reason\":\"%s\",\"dialect\":\"%s\",\"step\":",
                 t->reason, nxe_dialect_name(t->dialect));
    nxe_buf_add_json(&b, t->request.step);
    nxe_buf_addf(&b, ",\"bytes_in\":%zu,\"bytes_out\":%zu,\"edits\":[",
                 t->seg.len,
                 nxe_splice_len(t->splices, t->nsplices, t->seg.len));

    for (i = 0, n = 0; i < t->nedits; i++) {
        e = &t->edits[i];

        if (!is_shown(t, e)) {
            continue;
        }

        nxe_buf_add(&b, nxe_str_of(n++ == 0 ? "{\"parameter\":"
                                            : ",{\"parameter\":"));
        nxe_buf_add_json(&b, nxe_str_of(e->name));
        nxe_buf_addf(&b, ",\"result\":\"%s\",\"path\":",
                     nxe_code_name(e->code));

        if (e->path != NULL) {
            nxe_buf_add_json(&b, nxe_str_of(e->path));

        } else {
            nxe_buf_add(&b, nxe_str("null"));
        }

        nxe_buf_addc(&b, '}');
    }

    nxe_buf_addc(&b, ']');

    if (t->bypass != NULL) {
        nxe_buf_addf(&b, ",\"body\":\"bypass:%s\"", t->bypass);

        if (t->fault.expected != NULL) {
            nxe_buf_addf(&b, ",\"offset\":%zu,\"expected\":",
                         t->fault.offset);
            nxe_buf_add_json(&b, nxe_str_of(t->fault.expected));
        }
    }

    if (answer(t) == CLI_NO) {
        nxe_buf_add(&b, nxe_str(",\"why\":["));

        for (i = 0, n = 0; i < t->nedits; i++) {
            if (is_lost(&t->edits[i])) {
                nxe_buf_add(&b, nxe_str_of(n++ == 0 ? "" : ","));
                nxe_buf_add_json(&b, nxe_str_of(t->edits[i].name));
            }
        }

        nxe_buf_addc(&b, ']');
    }

    nxe_buf_add(&b, nxe_str("}\n"));

    i = (size_t) cli_print_json(&b);

    return i == CLI_DONE ? answer(t) : CLI_ENV;
}


static void
print_edit(const try_t *t, const edit_t *e)
{
    unsigned  i;

    printf("%s  %s", e->name, nxe_code_name(e->code));

    if (e->path != NULL) {
        printf("  %s", e->path);
    }

    putchar('\n');

    for (i = 0; i < e->nold; i++) {
        printf("  - %s\n", subject_excerpt(t->cli, e->old[i]));
    }

    if (e->value.len != 0) {
        printf("  + %s\n", subject_excerpt(t->cli, e->value));
    }
}


static int
print_text(const try_t *t)
{
    size_t  i;

    if (!cli_has(t->cli, "headers")) {
        printf("%.*s, %s  %s, step %s, %s -> %s bytes\n",
               (int) t->doc->variants[t->a.variant].name.len,
               t->doc->variants[t->a.variant].name.data, t->reason,
               nxe_dialect_name(t->dialect),
               cli_safe(t->cli, t->request.step),
               cli_count(t->cli, t->seg.len),
               cli_count(t->cli, nxe_splice_len(t->splices, t->nsplices,
                                                t->seg.len)));

        if (t->bypass != NULL) {
            printf("%s\n", bypass_text(t));
        }
    }

    for (i = 0; i < t->nedits; i++) {
        if (is_shown(t, &t->edits[i])) {
            print_edit(t, &t->edits[i]);
        }
    }

    if (!cli_has(t->cli, "headers")) {
        puts(t->nsplices != 0 ? "all other bytes unchanged"
                              : "all bytes unchanged");
    }

    return answer(t);
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
    const char  **list, *near;

    list = nxe_calloc(t->cli->mem, (n + 1) * sizeof(char *));
    near = NULL;

    if (list != NULL) {
        for (i = 0; i < n; i++) {
            list[i] = get(t, i);
        }

        near = cli_near(word, list);
    }

    return near != NULL
           ? cli_usage(t->cli, "--%s: there is no '%s', near: %s", option,
                       word, near)
           : cli_usage(t->cli, "--%s: there is no '%s'", option, word);
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


static int
choose(try_t *t)
{
    const char  *word;

    t->doc = t->subject.e.doc;
    t->dialect = NXE_DIALECT_OPENAI_CHAT;

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

    if (decide(t) != NXE_OK || plan(t) != NXE_OK) {
        return no_memory();
    }

    return cli_has(t->cli, "body") ? print_body(t)
           : t->cli->format == CLI_JSON ? print_json(t) : print_text(t);
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

    if (cli_has(cli, "unit") == cli_has(cli, "variant")) {
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
    "    expctl try tone --unit conv-1 < body.json\n"
    "    expctl try tone --variant concise --body < body.json | jq .\n"
};
