/*
 * expctl explain: why a unit gets what it gets.
 */

#include <string.h>

#include <nxe/target.h>
#include <nxe/time.h>

#include "cli/commands.h"
#include "cli/docfile.h"
#include "cli/explain.h"


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

    if (rc != CLI_DONE) {
        return rc;
    }

    x->doc = x->subject.e.doc;
    x->request.any_step = x->request.step.len == 0;

    if (decide(x) != NXE_OK) {
        cli_error("out of memory");
        return CLI_ENV;
    }

    return x->cli->format == CLI_JSON ? explain_json(x) : explain_text(x);
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
