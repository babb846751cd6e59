/*
 * expctl explain: why a unit gets what it gets.
 */

#include <string.h>

#include <nxe/target.h>
#include <nxe/time.h>

#include "cli/commands.h"
#include "cli/docfile.h"
#include "cli/explain.h"

#define WIDTH  80
#define LABEL  8

#define FROM_SHA256  "from sha256(\"%s\")"


int
explain_condition(explain_t *x, uint32_t i, nxe_str_t *found)
{
    int        holds;
    nxe_doc_t  one;

    one = *x->doc;
    one.targeting = &x->doc->targeting[i];
    one.ntargeting = 1;
    holds = 0;

    if (nxe_target_holds(&one, &x->request, &holds) != NXE_OK) {
        holds = 0;
    }

    if (attrs_get(&x->attrs, &one.targeting->attribute, found) != NXE_OK) {
        *found = nxe_null_str;
    }

    return holds;
}


void
explain_segment(explain_t *x, uint32_t i, nxe_str_t *found, nxe_str_t *logged)
{
    if (nxe_segment_find(&x->doc->segments[i], &x->request, found, logged)
        != NXE_OK)
    {
        *found = nxe_null_str;
        *logged = nxe_null_str;
        return;
    }

    if (!x->has_unit || x->a.reason == NXE_REASON_OFF) {
        *logged = nxe_null_str;
    }
}


const cJSON *
explain_member(const explain_t *x, uint32_t i, const char *name)
{
    return nxe_tree_get(cJSON_GetArrayItem(nxe_tree_get(x->subject.e.tree,
                                                        "targeting"),
                                           (int) i), name);
}


int
explain_window(const explain_t *x, const nxe_window_t *w)
{
    return x->request.now >= w->from && x->request.now < w->to;
}


const nxe_effective_t *
explain_effective(const explain_t *x, uint32_t step)
{
    nxe_assignment_t  a;

    if (!x->request.any_step && step != x->a.step) {
        return NULL;
    }

    a = x->a;
    a.step = step;

    return nxe_assign_effective(x->doc, &a);
}


int
explain_ranges(const explain_t *x)
{
    nxe_stage_t  stage;

    stage = x->subject.force.stage;

    return stage == NXE_STAGE_CANARY || stage == NXE_STAGE_AB
           || stage == NXE_STAGE_ROLLOUT;
}


const char *
explain_source(const explain_t *x)
{
    return docfile_source(x->subject.e.tree, x->found.source);
}


static nxe_str_t
quoted(explain_t *x, nxe_str_t s)
{
    nxe_buf_t  b;
    nxe_str_t  copy;

    nxe_buf_init(&b, 1 << 20);

    if (nxe_buf_add_json(&b, s) != NXE_OK
        || nxe_str_copy(x->cli->mem, nxe_buf_str(&b), &copy) != NXE_OK)
    {
        copy = nxe_str("null");
    }

    nxe_buf_free(&b);

    return copy;
}


void
explain_effects(explain_t *x, uint32_t step, explain_effect_pt each)
{
    uint32_t                i;
    const nxe_header_t     *h;
    const nxe_override_t   *o;
    const nxe_effective_t  *e;

    e = explain_effective(x, step);

    if (e == NULL) {
        return;
    }

    for (i = 0; i < NXE_PARAMS; i++) {
        o = e->params[i];

        if (o != NULL) {
            each(x, step, nxe_param_name((nxe_param_t) i),
                 (nxe_str_t) { x->doc->bytes + o->value.offset, o->value.len },
                 o->if_absent, e->from[i]);
        }
    }

    for (i = 0; i < e->nheaders; i++) {
        h = e->headers[i];
        each(x, step, cli_format(x->cli, "%s%.*s", h->response
                                 ? "response_header:" : "header:",
                                 (int) h->name.len, h->name.data),
             h->remove ? nxe_null_str : quoted(x, h->value), 0,
             e->headers_from[i]);
    }

    if (e->route != NULL) {
        each(x, step, "route", quoted(x, e->route->upstream), 0,
             e->route_from);
    }
}


static void
text_effect(explain_t *x, uint32_t step, const char *key, nxe_str_t value,
    int if_absent, uint32_t from)
{
    nxe_str_t  name;

    name = x->doc->steps[step].name;

    printf("%.*s.%s  %s%s  from %.*s\n", (int) name.len, name.data, key,
           value.data != NULL ? subject_excerpt(x->cli, value) : "removed",
           if_absent ? ", when absent" : "",
           (int) x->doc->variants[from].name.len,
           x->doc->variants[from].name.data);
}


uint32_t
explain_op_from(const explain_t *x, const nxe_body_op_t *op)
{
    uint32_t              v;
    const nxe_variant_t  *variant;

    for (v = x->a.variant; v != NXE_NONE; v = variant->parent) {
        variant = &x->doc->variants[v];

        if (variant->nops != 0 && op >= variant->ops
            && op < variant->ops + variant->nops)
        {
            return v;
        }
    }

    return x->a.variant;
}


static void
text_ops(explain_t *x, uint32_t step)
{
    uint32_t                i;
    const nxe_body_op_t    *op;
    const nxe_effective_t  *e;

    e = explain_effective(x, step);

    for (i = 0; e != NULL && i < e->nops; i++) {
        op = e->ops[i];
        text_effect(x, step, cli_format(x->cli, "body:%s",
                                        subject_excerpt(x->cli, op->path)),
                    op->remove ? nxe_null_str : (nxe_str_t) {
                        x->doc->bytes + op->value.offset, op->value.len },
                    0, explain_op_from(x, op));
    }
}


static void
text_state(explain_t *x)
{
    const nxe_state_t  *s;

    s = &x->subject.e.state;

    printf("%s  revision %llu, phase %llu, %s, ", x->subject.e.name.data,
           (unsigned long long) s->revision, (unsigned long long) s->phase,
           cli_stage_text(x->cli, s));

    if (x->doc->nwindows == 0) {
        printf("no window, ");

    } else {
        printf("%u window%s, ", x->doc->nwindows,
               x->doc->nwindows == 1 ? "" : "s");
    }

    if (x->doc->ntargeting == 0) {
        printf("no targeting\n");

    } else {
        printf("%u condition%s\n", x->doc->ntargeting,
               x->doc->ntargeting == 1 ? "" : "s");
    }
}


static void
text_conditions(explain_t *x)
{
    int                  holds;
    char                 from[NXE_TIME_LEN], to[NXE_TIME_LEN];
    uint32_t             i;
    nxe_buf_t            b;
    nxe_str_t            found;
    const nxe_window_t  *w;

    for (i = 0; i < x->doc->nwindows; i++) {
        w = &x->doc->windows[i];
        nxe_time_print(w->from, from);
        nxe_time_print(w->to, to);

        printf("window  %s to %s  %s\n", from, to,
               explain_window(x, w) ? "holds" : "does not hold");
    }

    if (!x->request.any_step) {
        printf("step    %s  %s\n", cli_safe(x->cli, x->request.step),
               x->a.step != NXE_NONE && x->doc->steps[x->a.step].changes
               ? "holds" : "does not hold");
    }

    for (i = 0; i < x->doc->ntargeting; i++) {
        holds = explain_condition(x, i, &found);

        nxe_buf_init(&b, 1 << 20);
        nxe_tree_canonical(explain_member(x, i, "value"), &b);

        printf("target  %s %s %s  %s, ",
               cli_safe(x->cli, nxe_str_of(explain_member(x, i,
                            "attribute")->valuestring)),
               explain_member(x, i, "op")->valuestring,
               cli_safe(x->cli, nxe_buf_str(&b)),
               holds ? "holds" : "does not hold");

        if (found.data != NULL) {
            printf("found \"%s\"\n", cli_safe(x->cli, found));

        } else {
            printf("not there\n");
        }

        nxe_buf_free(&b);
    }
}


/* Who says that the unit is this one; a unit alone needs no line. */

static void
text_unit(explain_t *x)
{
    int  at;

    if (!x->has_found) {
        if (x->unit.data == NULL) {
            printf("unit    none, no source of the document is there\n");
        }

        return;
    }

    at = printf("unit   ");

    if (!nxe_str_eq(x->unit, x->found.value)) {
        at = explain_words(x->cli, at, "as given; the request has");
    }

    at = explain_piece(at, explain_cut(x->cli, x->found.value, WIDTH - LABEL));

    at = explain_piece(at, cli_format(x->cli, "from %s,", cli_safe(x->cli,
                                      nxe_str_of(explain_source(x)))));

    explain_words(x->cli, at, cli_format(x->cli, "%s%s", x->found.verified
                  ? "verified" : "which a client chooses",
                  nxe_assign_takes(x->doc, &x->found)
                  ? "" : ": of no use, the risk is high"));
    putchar('\n');
}


static void
text_segments(explain_t *x)
{
    uint32_t              i;
    nxe_str_t             found, logged;
    const nxe_segment_t  *segment;

    for (i = 0; i < x->doc->nsegments; i++) {
        segment = &x->doc->segments[i];
        explain_segment(x, i, &found, &logged);

        printf("segment %.*s  ", (int) segment->name.len, segment->name.data);

        if (found.data == NULL) {
            printf("not there\n");

        } else if (logged.data == NULL) {
            printf("not logged, found \"%s\"\n", cli_safe(x->cli, found));

        } else {
            printf("\"%s\"", cli_safe(x->cli, logged));

            if (nxe_str_eq(logged, found)) {
                putchar('\n');

            } else {
                printf(", found \"%s\"\n", cli_safe(x->cli, found));
            }
        }
    }
}


static void
text_layer(explain_t *x)
{
    char  position[NXE_DOUBLE_LEN], from[NXE_DOUBLE_LEN], to[NXE_DOUBLE_LEN];

    nxe_bucket_print(x->position, position);
    nxe_double_print(nxe_frac_double(x->doc->layer_from), from);
    nxe_double_print(nxe_frac_double(x->doc->layer_to), to);

    printf("layer   %.*s, position %s %s [%s, %s)\n",
           (int) x->doc->layer.len, x->doc->layer.data,
           x->has_unit ? position : "-",
           !x->has_unit || x->a.in_layer ? "in" : "outside", from, to);
}


static void
text_bucket(explain_t *x)
{
    int        at;
    char       bucket[NXE_DOUBLE_LEN];
    nxe_buf_t  hashed;

    if (!x->has_unit) {
        if (x->unit.data != NULL && !subject_unit_ok(x->unit)) {
            printf("bucket  -, a unit has 1 to %d bytes\n", NXE_UNIT_MAX);

        } else {
            printf("bucket  -, no unit\n");
        }

        return;
    }

    nxe_bucket_print(x->a.bucket, bucket);

    nxe_buf_init(&hashed, 1 << 20);
    nxe_buf_add(&hashed, x->doc->salt);
    nxe_buf_add(&hashed, nxe_str_of(x->doc->salt.len != 0 ? ":" : ""));
    nxe_buf_add(&hashed, x->unit);

    at = explain_piece(printf("bucket "), bucket);

    explain_piece(at, cli_format(x->cli, FROM_SHA256,
                  explain_cut(x->cli, nxe_buf_str(&hashed), WIDTH - LABEL
                              - (int) strlen(FROM_SHA256) + 2)));
    putchar('\n');

    nxe_buf_free(&hashed);
}


static void
text_ranges(explain_t *x)
{
    int          at, len;
    char         from[NXE_DOUBLE_LEN], to[NXE_DOUBLE_LEN];
    uint32_t     v;
    nxe_frac_t   lo, hi;
    const char  *range;

    if (!explain_ranges(x)) {
        printf("ranges  none, %s\n", nxe_stage_name(x->subject.force.stage));
        return;
    }

    at = printf("ranges");

    for (v = 0; v < x->doc->nvariants; v++) {
        nxe_assign_range(x->doc, &x->subject.force, v, &lo, &hi);
        nxe_double_print(nxe_frac_double(lo), from);
        nxe_double_print(nxe_frac_double(hi), to);

        range = cli_format(x->cli, "%.*s [%s, %s)",
                           (int) x->doc->variants[v].name.len,
                           x->doc->variants[v].name.data, from, to);
        len = (int) strlen(range);

        if (v != 0 && at + 2 + len > WIDTH) {
            at = printf("\n      ") - 1;
        }

        at += printf("  %s", range);
    }

    putchar('\n');
}


static int
print_text(explain_t *x)
{
    uint32_t  i;

    text_state(x);
    text_conditions(x);
    text_segments(x);
    text_unit(x);
    text_layer(x);
    text_bucket(x);
    text_ranges(x);

    printf("%.*s, %s\n", (int) x->doc->variants[x->a.variant].name.len,
           x->doc->variants[x->a.variant].name.data,
           nxe_reason_name(x->a.reason));

    for (i = 0; i < x->doc->nsteps; i++) {
        explain_effects(x, i, text_effect);
        text_ops(x, i);
    }

    return CLI_DONE;
}


/* What nginx.conf would say in experiment_trusted. */

static int
read_trusted(explain_t *x)
{
    int             i, n;
    const char     *word;
    nxe_trusted_t  *t;

    n = cli_opt_count(x->cli, "trusted");
    t = &x->trusted;

    t->names = nxe_calloc(x->cli->mem, ((size_t) n + 1) * sizeof(nxe_str_t));
    if (t->names == NULL) {
        cli_error("out of memory");
        return CLI_ENV;
    }

    for (i = 0; i < n; i++) {
        word = cli_opt_at(x->cli, "trusted", i);

        if (nxe_trusted_add(t, nxe_str_of(word)) == NXE_INVALID) {
            return cli_usage(x->cli, "--trusted '%s': expected auth or the "
                             "name of a variable", word);
        }
    }

    x->request.trusted = t;

    return CLI_DONE;
}


/*
 * The unit is the argument, whoever it may come from, unless the request
 * yields the same: then it is known from whom it comes.
 */

static nxe_status_t
decide(explain_t *x)
{
    nxe_unit_t    unit;
    nxe_status_t  rc;

    rc = nxe_assign_unit(x->doc, &x->request, &x->found);

    if (rc != NXE_OK && rc != NXE_DECLINED) {
        return rc;
    }

    x->has_found = rc == NXE_OK;

    if (x->cli->nargs == 2) {
        x->unit = nxe_str_of(x->cli->args[1]);

    } else if (x->has_found) {
        x->unit = x->found.value;
    }

    unit.value = x->unit;
    unit.source = 0;
    unit.verified = 1;

    if (x->has_found && nxe_str_eq(x->unit, x->found.value)) {
        unit = x->found;
    }

    x->has_unit = subject_unit_ok(x->unit) && nxe_assign_takes(x->doc, &unit);

    if (x->has_unit) {
        x->position = nxe_assign_position(x->doc->layer, x->unit);
    }

    return nxe_assign(x->doc, &x->subject.force, x->subject.ranges,
                      &x->request, x->has_unit ? &unit : NULL, x->position,
                      &x->a);
}


static int
explain(explain_t *x)
{
    int  rc;

    rc = attrs_read(x->cli, &x->attrs);

    if (rc == CLI_DONE) {
        rc = attrs_request(&x->attrs, &x->request);
    }

    if (rc == CLI_DONE) {
        rc = read_trusted(x);
    }

    if (rc != CLI_DONE) {
        return rc;
    }

    x->doc = x->subject.e.doc;
    x->request.any_step = x->request.step.len == 0;

    if (decide(x) != NXE_OK) {
        cli_error("out of memory");
        return CLI_ENV;
    }

    return x->cli->format == CLI_JSON ? explain_json(x) : print_text(x);
}


static int
cmd_explain(cli_t *cli)
{
    int        rc;
    explain_t  x;

    rc = cli_args(cli, 1, 2);
    if (rc != CLI_DONE) {
        return rc;
    }

    if (cli->format == CLI_CSV) {
        return cli_usage(cli, "an explanation has no CSV");
    }

    memset(&x, 0, sizeof(explain_t));
    x.cli = cli;

    rc = subject_load(cli, cli->args[0], &x.subject);
    if (rc != CLI_DONE) {
        return rc;
    }

    rc = explain(&x);
    subject_free(&x.subject);

    return rc;
}


static const cli_opt_t  explain_opts[] = {
    ATTRS_OPTS,
    { "trusted", 0, "NAME", CLI_OPT_MANY,
      "as in experiment_trusted of nginx.conf" },
    { NULL, 0, NULL, 0, NULL }
};

const cli_command_t  cmd_explain_command = {
    "explain", "NAME [UNIT]", "says why a unit gets what it gets",
    CLI_OUTPUT | CLI_REGISTRY, explain_opts, cmd_explain,
    "The request is what the options make of it: an attribute that is not\n"
    "given is not there. Without --step and without the header\n"
    "X-Inference-Step every step is shown. Attributes from the body\n"
    "(json:) are not there: expctl try reads a body.\n"
    "\n"
    "Without UNIT it is what the document's sources find in the request, jwt:\n"
    "in its Authorization header, auth: there, else in X-API-Key or API-Key.\n"
    "From which one it is, and whether a client can choose it, is said.\n"
    "\n"
    "  expctl explain tone conv-1 --header 'X-Tenant: acme'\n"
    "  expctl explain tone --header \"Authorization: Bearer $JWT\" --trusted auth\n"
};
