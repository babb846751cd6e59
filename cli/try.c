/*
 * What becomes of a body, by the functions that the module calls.
 */

#include <string.h>

#include "cli/try.h"


/* What the scan has to look for, as in the module: every arm's parameters. */

static nxe_status_t
add_ops(try_t *t)
{
    uint32_t                v, i;
    nxe_json_node_t        *node;
    const nxe_effective_t  *eff;

    for (v = 0; v < t->doc->nvariants; v++) {
        eff = &t->doc->effective[v * t->doc->nsteps + t->a.step];

        for (i = 0; i < eff->nops; i++) {
            if (nxe_places_op(&t->places, eff->ops[i]->path, t->cli->mem,
                              &node)
                != NXE_OK)
            {
                return NXE_NOMEM;
            }
        }
    }

    return NXE_OK;
}


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

    if (t->seg.len > TRY_BODY_MAX) {
        t->bypass = "size";
        return NXE_OK;
    }

    nxe_places_init(&t->places, t->dialect);

    if (nxe_places_model(&t->places, t->cli->mem) != NXE_OK
        || add_pointers(t) != NXE_OK
        || (t->a.step != NXE_NONE
            && (nxe_places_params(&t->places, t->doc->steps[t->a.step].params,
                                  t->cli->mem) != NXE_OK
                || add_ops(t) != NXE_OK)))
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

    return t->effective->nops != 0;
}


/* --unit, which counts as verified, else what the request has. */

static nxe_status_t
find_unit(try_t *t, nxe_unit_t *unit)
{
    nxe_status_t  rc;

    if (cli_has(t->cli, "unit")) {
        unit->value = nxe_str_of(cli_opt(t->cli, "unit"));
        unit->source = 0;
        unit->verified = 1;

        return subject_unit_ok(unit->value) ? NXE_OK : NXE_DECLINED;
    }

    rc = nxe_assign_unit(t->doc, &t->request, unit);

    return rc == NXE_OK && !nxe_assign_takes(t->doc, unit) ? NXE_DECLINED : rc;
}


static nxe_status_t
assign_unit(try_t *t)
{
    nxe_unit_t    unit;
    nxe_status_t  rc;

    rc = find_unit(t, &unit);

    if (rc != NXE_OK && rc != NXE_DECLINED) {
        return rc;
    }

    rc = rc == NXE_OK
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


nxe_status_t
try_decide(try_t *t)
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


static try_edit_t *
add_edit(try_t *t, const char *name, nxe_code_t code)
{
    try_edit_t  *e;

    e = &t->edits[t->nedits++];
    e->name = name;
    e->code = code;

    return e;
}


/* What stood at a place that an edit changed. */

static void
add_old(const try_t *t, try_edit_t *e, const nxe_json_node_t *node)
{
    if (e->code == NXE_CODE_APPLIED && node != NULL
        && node->type != NXE_JSON_NONE && e->nold < 2)
    {
        e->old[e->nold++] = (nxe_str_t) {
            t->seg.data + node->value.start,
            node->value.end - node->value.start };
    }
}


static nxe_status_t
plan_param(try_t *t, nxe_param_t param)
{
    int                    in_front;
    try_edit_t            *e;
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

    rc = nxe_places_plan(&t->places, &t->text, param, bytes, o->if_absent,
                         t->cli->mem, &e->code);
    if (rc != NXE_OK) {
        return rc;
    }

    if (e->code != NXE_CODE_UNSUPPORTED) {
        e->path = nxe_places_path(&t->places, param);
    }

    if (e->code == NXE_CODE_APPLIED) {
        e->value = bytes;
    }

    /* a message in front replaces nothing */

    in_front = t->places.at[NXE_AT_MESSAGES] != NULL && param == NXE_SYSTEM
               && t->places.at[NXE_AT_MESSAGES]->mark != NULL;

    add_old(t, e, in_front ? NULL : t->places.at[param]);

    if (param == NXE_MAX_TOKENS) {
        add_old(t, e, t->places.at[NXE_AT_COMPLETION]);
    }

    return NXE_OK;
}


static nxe_status_t
plan_op(try_t *t, const nxe_body_op_t *op)
{
    try_edit_t       *e;
    nxe_str_t         bytes;
    nxe_status_t      rc;
    nxe_json_node_t  *node;

    e = add_edit(t, cli_format(t->cli, "body:%s", cli_safe(t->cli, op->path)),
                 t->bypass != NULL ? NXE_CODE_BYPASSED : NXE_CODE_NOT_SENT);

    if (!t->scanned) {
        return NXE_OK;
    }

    rc = nxe_places_op(&t->places, op->path, t->cli->mem, &node);
    if (rc != NXE_OK) {
        return rc;
    }

    bytes.data = t->doc->bytes + op->value.offset;
    bytes.len = op->remove ? 0 : op->value.len;

    rc = nxe_places_plan_op(&t->places, &t->text, node, op->remove, bytes,
                            t->cli->mem, &e->code);
    if (rc != NXE_OK) {
        return rc;
    }

    if (e->code != NXE_CODE_UNSUPPORTED) {
        e->path = cli_format(t->cli, "%s", cli_safe(t->cli, op->path));
    }

    if (e->code == NXE_CODE_APPLIED) {
        e->value = bytes;
    }

    add_old(t, e, node);

    return NXE_OK;
}


/* The response is thought of as one that has no header of the name yet. */

static void
plan_header(try_t *t, const nxe_header_t *h)
{
    size_t         n;
    try_edit_t        *e;
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


/*
 * Anthropic's blocks stay blocks: what is sent for them is more than the
 * value, and stands in what gives way to them alone.
 */

static nxe_status_t
show_blocks(try_t *t, try_edit_t *e)
{
    size_t                  i;
    nxe_buf_t               b;
    nxe_status_t            rc;
    const nxe_edit_t       *splice;
    const nxe_json_node_t  *node;

    node = t->places.at[NXE_SYSTEM];

    if (t->dialect != NXE_DIALECT_ANTHROPIC || e->code != NXE_CODE_APPLIED
        || node == NULL || node->type != NXE_JSON_ARRAY)
    {
        return NXE_OK;
    }

    nxe_buf_init(&b, (size_t) 1 << 30);

    for (i = 0; i < t->nsplices; i++) {
        splice = &t->splices[i];

        if (splice->start == node->value.start) {
            nxe_buf_add(&b, splice->head);
            nxe_buf_add(&b, splice->bytes);
            nxe_buf_add(&b, splice->tail);
        }
    }

    rc = b.status;

    if (rc == NXE_OK) {
        rc = nxe_str_copy(t->cli->mem, nxe_buf_str(&b), &e->value);
    }

    nxe_buf_free(&b);

    return rc;
}


static nxe_status_t
plan_splices(try_t *t)
{
    size_t        i;
    nxe_status_t  rc;

    rc = nxe_places_edits(&t->places, &t->text, t->cli->mem, &t->splices,
                          &t->nsplices);

    for (i = 0; rc == NXE_OK && i < t->nedits; i++) {
        if (strcmp(t->edits[i].name, nxe_param_name(NXE_SYSTEM)) == 0) {
            rc = show_blocks(t, &t->edits[i]);
        }
    }

    return rc;
}


nxe_status_t
try_plan(try_t *t)
{
    uint32_t                i;
    nxe_status_t            rc;
    const nxe_effective_t  *eff;

    eff = t->effective;

    if (eff == NULL) {
        return NXE_OK;
    }

    t->edits = nxe_calloc(t->cli->mem, (NXE_PARAMS + eff->nheaders + eff->nops
                                        + 1) * sizeof(try_edit_t));
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
        rc = plan_op(t, eff->ops[i]);
        if (rc != NXE_OK) {
            return rc;
        }
    }

    for (i = 0; i < eff->nheaders; i++) {
        plan_header(t, eff->headers[i]);
    }

    if (eff->route != NULL) {
        add_edit(t, "route", NXE_CODE_APPLIED)->value = eff->route->upstream;
    }

    return t->scanned ? plan_splices(t) : NXE_OK;
}
