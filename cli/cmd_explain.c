/*
 * expctl explain: why a unit gets what it gets.
 */

#include <string.h>
#include <time.h>

#include <nxe/target.h>

#include "cli/commands.h"
#include "cli/subject.h"

#define WIDTH  80


typedef struct {
    const cli_t        *cli;
    subject_t           subject;
    const nxe_doc_t    *doc;
    nxe_str_t           unit;
    uint32_t            position;
    attrs_t             attrs;
    nxe_request_t       request;
    nxe_assignment_t    a;
    int                 has_unit;
    nxe_buf_t           out;
} explain_t;


static void
add_double(nxe_buf_t *b, double value)
{
    char  buf[NXE_DOUBLE_LEN];

    nxe_buf_add(b, (nxe_str_t) { buf, nxe_double_print(value, buf) });
}


static void
add_bucket(nxe_buf_t *b, uint32_t k)
{
    char  buf[NXE_DOUBLE_LEN];

    nxe_buf_add(b, (nxe_str_t) { buf, nxe_bucket_print(k, buf) });
}


static void
add_bool(nxe_buf_t *b, int value)
{
    nxe_buf_add(b, nxe_str_of(value ? "true" : "false"));
}


static void
add_time(nxe_buf_t *b, int64_t at)
{
    char       buf[64];
    time_t     t;
    struct tm  tm;

    t = (time_t) at;

    if (gmtime_r(&t, &tm) == NULL
        || strftime(buf, sizeof(buf), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
    {
        buf[0] = '\0';
    }

    nxe_buf_add(b, nxe_str_of(buf));
}


/* One condition alone: whether it holds, and what was found. */

static int
condition_holds(explain_t *x, uint32_t i, nxe_str_t *found)
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


/* A member of the i-th condition, as its author wrote it. */

static const cJSON *
condition_member(const explain_t *x, uint32_t i, const char *name)
{
    return nxe_tree_get(cJSON_GetArrayItem(nxe_tree_get(x->subject.e.tree,
                                                        "targeting"),
                                           (int) i), name);
}


static int
window_holds(const explain_t *x, const nxe_window_t *w)
{
    return x->request.now >= w->from && x->request.now < w->to;
}


/* What the unit is served with on a step; NULL: nothing, or not asked for. */

static const nxe_effective_t *
effective_of(const explain_t *x, uint32_t step)
{
    nxe_assignment_t  a;

    if (!x->request.any_step && step != x->a.step) {
        return NULL;
    }

    a = x->a;
    a.step = step;

    return nxe_assign_effective(x->doc, &a);
}


/* One thing that a variant does; value is JSON text, NULL: removed. */

typedef void (*effect_pt)(explain_t *x, uint32_t step, const char *key,
    nxe_str_t value, int if_absent, uint32_t from);

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


static void
each_effect(explain_t *x, uint32_t step, effect_pt each)
{
    uint32_t                i;
    const nxe_header_t     *h;
    const nxe_override_t   *o;
    const nxe_effective_t  *e;

    e = effective_of(x, step);

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
json_effect(explain_t *x, uint32_t step, const char *key, nxe_str_t value,
    int if_absent, uint32_t from)
{
    nxe_buf_t  *b;

    (void) step;

    b = &x->out;

    if (b->len != 0 && b->data[b->len - 1] == '}') {
        nxe_buf_addc(b, ',');
    }

    nxe_buf_add_json(b, nxe_str_of(key));
    nxe_buf_add(b, nxe_str(":{\"value\":"));
    nxe_buf_add(b, value.data != NULL ? value : nxe_str("null"));

    if (if_absent) {
        nxe_buf_add(b, nxe_str(",\"when\":\"absent\""));
    }

    nxe_buf_add(b, nxe_str(",\"from\":"));
    nxe_buf_add_json(b, x->doc->variants[from].name);
    nxe_buf_addc(b, '}');
}


static void
json_targeting(explain_t *x)
{
    int        holds;
    uint32_t   i;
    nxe_str_t  found;
    nxe_buf_t *b;

    b = &x->out;
    nxe_buf_add(b, nxe_str(",\"targeting\":["));

    for (i = 0; i < x->doc->ntargeting; i++) {
        holds = condition_holds(x, i, &found);

        nxe_buf_add(b, nxe_str_of(i == 0 ? "{\"attribute\":"
                                         : ",{\"attribute\":"));
        nxe_tree_canonical(condition_member(x, i, "attribute"), b);
        nxe_buf_add(b, nxe_str(",\"op\":"));
        nxe_tree_canonical(condition_member(x, i, "op"), b);
        nxe_buf_add(b, nxe_str(",\"value\":"));
        nxe_tree_canonical(condition_member(x, i, "value"), b);
        nxe_buf_add(b, nxe_str(",\"holds\":"));
        add_bool(b, holds);
        nxe_buf_add(b, nxe_str(",\"found\":"));

        if (found.data != NULL) {
            nxe_buf_add_json(b, found);

        } else {
            nxe_buf_add(b, nxe_str("null"));
        }

        nxe_buf_addc(b, '}');
    }

    nxe_buf_addc(b, ']');
}


static void
json_windows(explain_t *x)
{
    uint32_t             i;
    nxe_buf_t           *b;
    const nxe_window_t  *w;

    b = &x->out;

    if (x->doc->nwindows == 0) {
        nxe_buf_add(b, nxe_str(",\"window\":null"));
        return;
    }

    nxe_buf_add(b, nxe_str(",\"window\":["));

    for (i = 0; i < x->doc->nwindows; i++) {
        w = &x->doc->windows[i];
        nxe_buf_add(b, nxe_str_of(i == 0 ? "{\"from\":\"" : ",{\"from\":\""));
        add_time(b, w->from);
        nxe_buf_add(b, nxe_str("\",\"to\":\""));
        add_time(b, w->to);
        nxe_buf_add(b, nxe_str("\",\"holds\":"));
        add_bool(b, window_holds(x, w));
        nxe_buf_addc(b, '}');
    }

    nxe_buf_addc(b, ']');
}


static void
json_layer(explain_t *x)
{
    nxe_buf_t  *b;

    b = &x->out;

    nxe_buf_add(b, nxe_str(",\"layer\":{\"name\":"));
    nxe_buf_add_json(b, x->doc->layer);
    nxe_buf_add(b, nxe_str(",\"position\":"));

    if (x->has_unit) {
        add_bucket(b, x->position);

    } else {
        nxe_buf_add(b, nxe_str("null"));
    }

    nxe_buf_add(b, nxe_str(",\"range\":["));
    add_double(b, nxe_frac_double(x->doc->layer_from));
    nxe_buf_addc(b, ',');
    add_double(b, nxe_frac_double(x->doc->layer_to));
    nxe_buf_add(b, nxe_str("]}"));
}


/* 1 if units are drawn at all: else no variant has a range. */

static int
has_ranges(const explain_t *x)
{
    nxe_stage_t  stage;

    stage = x->subject.force.stage;

    return stage == NXE_STAGE_CANARY || stage == NXE_STAGE_AB
           || stage == NXE_STAGE_ROLLOUT;
}


static void
json_ranges(explain_t *x)
{
    uint32_t     v;
    nxe_buf_t   *b;
    nxe_frac_t   lo, hi;

    b = &x->out;
    nxe_buf_add(b, nxe_str(",\"ranges\":["));

    for (v = 0; has_ranges(x) && v < x->doc->nvariants; v++) {
        nxe_assign_range(x->doc, &x->subject.force, v, &lo, &hi);

        nxe_buf_add(b, nxe_str_of(v == 0 ? "{\"variant\":"
                                         : ",{\"variant\":"));
        nxe_buf_add_json(b, x->doc->variants[v].name);
        nxe_buf_add(b, nxe_str(",\"from\":"));
        add_double(b, nxe_frac_double(lo));
        nxe_buf_add(b, nxe_str(",\"to\":"));
        add_double(b, nxe_frac_double(hi));
        nxe_buf_addc(b, '}');
    }

    nxe_buf_addc(b, ']');
}


static int
print_json(explain_t *x)
{
    int         first;
    uint32_t    i;
    nxe_buf_t  *b;

    b = &x->out;
    nxe_buf_init(b, (size_t) 1 << 30);

    nxe_buf_add(b, nxe_str("{\"experiment\":"));
    nxe_buf_add_json(b, x->doc->name);
    nxe_buf_add(b, nxe_str(",\"unit\":"));
    nxe_buf_add_json(b, x->unit);
    nxe_buf_add(b, nxe_str(",\"variant\":"));
    nxe_buf_add_json(b, x->doc->variants[x->a.variant].name);
    nxe_buf_add(b, nxe_str(",\"exposed\":"));
    add_bool(b, x->a.exposed);
    nxe_buf_addf(b, ",\"reason\":\"%s\",\"bucket\":",
                 nxe_reason_name(x->a.reason));

    if (x->has_unit) {
        add_bucket(b, x->a.bucket);

    } else {
        nxe_buf_add(b, nxe_str("null"));
    }

    nxe_buf_addf(b, ",\"phase\":%llu",
                 (unsigned long long) x->subject.e.state.phase);

    json_windows(x);
    json_targeting(x);
    json_layer(x);
    json_ranges(x);

    nxe_buf_add(b, nxe_str(",\"effective\":{"));

    for (i = 0, first = 1; i < x->doc->nsteps; i++) {
        if (effective_of(x, i) == NULL) {
            continue;
        }

        if (!first) {
            nxe_buf_addc(b, ',');
        }

        first = 0;
        nxe_buf_add_json(b, x->doc->steps[i].name);
        nxe_buf_add(b, nxe_str(":{"));
        each_effect(x, i, json_effect);
        nxe_buf_addc(b, '}');
    }

    nxe_buf_add(b, nxe_str("}}\n"));

    return cli_print_json(b);
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
    uint32_t             i;
    nxe_buf_t            b;
    nxe_str_t            found;
    const nxe_window_t  *w;

    for (i = 0; i < x->doc->nwindows; i++) {
        w = &x->doc->windows[i];

        nxe_buf_init(&b, 1 << 20);
        add_time(&b, w->from);
        nxe_buf_add(&b, nxe_str(" to "));
        add_time(&b, w->to);

        printf("window  %.*s  %s\n", (int) b.len, b.data,
               window_holds(x, w) ? "holds" : "does not hold");
        nxe_buf_free(&b);
    }

    if (!x->request.any_step) {
        printf("step    %s  %s\n", cli_safe(x->cli, x->request.step),
               x->a.step != NXE_NONE && x->doc->steps[x->a.step].changes
               ? "holds" : "does not hold");
    }

    for (i = 0; i < x->doc->ntargeting; i++) {
        holds = condition_holds(x, i, &found);

        nxe_buf_init(&b, 1 << 20);
        nxe_tree_canonical(condition_member(x, i, "value"), &b);

        printf("target  %s %s %s  %s, ",
               cli_safe(x->cli, nxe_str_of(condition_member(x, i,
                            "attribute")->valuestring)),
               condition_member(x, i, "op")->valuestring,
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
    char  bucket[NXE_DOUBLE_LEN];

    if (!x->has_unit) {
        printf("bucket  -, a unit has 1 to %d bytes\n", NXE_UNIT_MAX);
        return;
    }

    nxe_bucket_print(x->a.bucket, bucket);

    printf("bucket  %s from sha256(\"%s%s%s\")\n", bucket,
           cli_safe(x->cli, x->doc->salt), x->doc->salt.len != 0 ? ":" : "",
           cli_safe(x->cli, x->unit));
}


static void
text_ranges(explain_t *x)
{
    int          at, len;
    char         from[NXE_DOUBLE_LEN], to[NXE_DOUBLE_LEN];
    uint32_t     v;
    nxe_frac_t   lo, hi;
    const char  *range;

    if (!has_ranges(x)) {
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
    text_layer(x);
    text_bucket(x);
    text_ranges(x);

    printf("%.*s, %s\n", (int) x->doc->variants[x->a.variant].name.len,
           x->doc->variants[x->a.variant].name.data,
           nxe_reason_name(x->a.reason));

    for (i = 0; i < x->doc->nsteps; i++) {
        each_effect(x, i, text_effect);
    }

    return CLI_DONE;
}


static int
explain(explain_t *x)
{
    int         rc;
    nxe_unit_t  unit;

    rc = attrs_read(x->cli, &x->attrs);

    if (rc == CLI_DONE) {
        rc = attrs_request(&x->attrs, &x->request);
    }

    if (rc != CLI_DONE) {
        return rc;
    }

    x->doc = x->subject.e.doc;
    x->unit = nxe_str_of(x->cli->args[1]);
    x->has_unit = subject_unit_ok(x->unit);
    x->request.any_step = x->request.step.len == 0;

    unit.value = x->unit;
    unit.source = 0;

    if (x->has_unit) {
        x->position = nxe_assign_position(x->doc->layer, x->unit);
    }

    if (nxe_assign(x->doc, &x->subject.force, x->subject.ranges, &x->request,
                   x->has_unit ? &unit : NULL, x->position, &x->a)
        != NXE_OK)
    {
        cli_error("out of memory");
        return CLI_ENV;
    }

    return x->cli->format == CLI_JSON ? print_json(x) : print_text(x);
}


static int
cmd_explain(cli_t *cli)
{
    int        rc;
    explain_t  x;

    rc = cli_args(cli, 2, 2);
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
    { NULL, 0, NULL, 0, NULL }
};

const cli_command_t  cmd_explain_command = {
    "explain", "NAME UNIT", "says why a unit gets what it gets",
    CLI_OUTPUT | CLI_REGISTRY, explain_opts, cmd_explain,
    "The request is what the options make of it: an attribute that is not\n"
    "given is not there. Without --step and without the header\n"
    "X-Inference-Step every step is shown. Attributes from the body\n"
    "(json:) are not there: expctl try reads a body.\n"
    "\n"
    "    expctl explain tone conv-1 --header 'X-Tenant: acme'\n"
};
