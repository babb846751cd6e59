/*
 * expctl explain -o json.
 */

#include <nxe/time.h>

#include "cli/explain.h"


static void
add_string(nxe_buf_t *b, nxe_str_t s)
{
    if (s.data != NULL) {
        nxe_buf_add_json(b, s);

    } else {
        nxe_buf_add(b, nxe_str("null"));
    }
}


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


/* A member that only steps with body operations have. */

static void
json_ops(explain_t *x, const nxe_effective_t *e)
{
    uint32_t              i;
    nxe_buf_t            *b;
    const nxe_body_op_t  *op;

    if (e->nops == 0) {
        return;
    }

    b = &x->out;
    nxe_buf_add(b, nxe_str_of(b->data[b->len - 1] == '}' ? ",\"body\":["
                                                         : "\"body\":["));

    for (i = 0; i < e->nops; i++) {
        op = e->ops[i];

        nxe_buf_addf(b, "%s{\"op\":\"%s\",\"path\":", i == 0 ? "" : ",",
                     op->remove ? "remove" : "set");
        nxe_buf_add_json(b, op->path);
        nxe_buf_add(b, nxe_str(",\"value\":"));
        nxe_buf_add(b, op->remove ? nxe_str("null") : (nxe_str_t) {
                    x->doc->bytes + op->value.offset, op->value.len });
        nxe_buf_add(b, nxe_str(",\"from\":"));
        nxe_buf_add_json(b, x->doc->variants[explain_op_from(x, op)].name);
        nxe_buf_addc(b, '}');
    }

    nxe_buf_addc(b, ']');
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
        holds = explain_condition(x, i, &found);

        nxe_buf_add(b, nxe_str_of(i == 0 ? "{\"attribute\":"
                                         : ",{\"attribute\":"));
        nxe_tree_canonical(explain_member(x, i, "attribute"), b);
        nxe_buf_add(b, nxe_str(",\"op\":"));
        nxe_tree_canonical(explain_member(x, i, "op"), b);
        nxe_buf_add(b, nxe_str(",\"value\":"));
        nxe_tree_canonical(explain_member(x, i, "value"), b);
        nxe_buf_add(b, nxe_str(",\"holds\":"));
        add_bool(b, holds);
        nxe_buf_add(b, nxe_str(",\"found\":"));
        add_string(b, found);
        nxe_buf_addc(b, '}');
    }

    nxe_buf_addc(b, ']');
}


/* A member that only documents with segments have. */

static void
json_segments(explain_t *x)
{
    uint32_t    i;
    nxe_str_t   found, logged;
    nxe_buf_t  *b;

    b = &x->out;

    for (i = 0; i < x->doc->nsegments; i++) {
        explain_segment(x, i, &found, &logged);

        nxe_buf_add(b, nxe_str_of(i == 0 ? ",\"segments\":{" : ","));
        nxe_buf_add_json(b, x->doc->segments[i].name);
        nxe_buf_add(b, nxe_str(":{\"found\":"));
        add_string(b, found);
        nxe_buf_add(b, nxe_str(",\"logged\":"));
        add_string(b, logged);
        nxe_buf_addc(b, '}');
    }

    if (x->doc->nsegments != 0) {
        nxe_buf_addc(b, '}');
    }
}


static void
json_windows(explain_t *x)
{
    char                 text[NXE_TIME_LEN];
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
        nxe_time_print(w->from, text);
        nxe_buf_addf(b, "%s{\"from\":\"%s\"", i == 0 ? "" : ",", text);
        nxe_time_print(w->to, text);
        nxe_buf_addf(b, ",\"to\":\"%s\",\"holds\":", text);
        add_bool(b, explain_window(x, w));
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


static void
json_ranges(explain_t *x)
{
    uint32_t     v;
    nxe_buf_t   *b;
    nxe_frac_t   lo, hi;

    b = &x->out;
    nxe_buf_add(b, nxe_str(",\"ranges\":["));

    for (v = 0; explain_ranges(x) && v < x->doc->nvariants; v++) {
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


/* The request's own unit, and from where. */

static void
json_found(explain_t *x)
{
    nxe_buf_t  *b;

    b = &x->out;
    nxe_buf_add(b, nxe_str(",\"found\":"));

    if (!x->has_found) {
        nxe_buf_add(b, nxe_str("null"));
        return;
    }

    nxe_buf_add(b, nxe_str("{\"unit\":"));
    nxe_buf_add_json(b, x->found.value);
    nxe_buf_addf(b, ",\"unit_source\":%u,\"source\":", x->found.source);
    nxe_buf_add_json(b, nxe_str_of(explain_source(x)));
    nxe_buf_add(b, nxe_str(",\"verified\":"));
    add_bool(b, x->found.verified);
    nxe_buf_add(b, nxe_str(",\"taken\":"));
    add_bool(b, nxe_assign_takes(x->doc, &x->found));
    nxe_buf_addc(b, '}');
}


int
explain_json(explain_t *x)
{
    int         first;
    uint32_t    i;
    nxe_buf_t  *b;

    b = &x->out;
    nxe_buf_init(b, (size_t) 1 << 30);

    nxe_buf_add(b, nxe_str("{\"experiment\":"));
    nxe_buf_add_json(b, x->doc->name);
    nxe_buf_add(b, nxe_str(",\"unit\":"));

    if (x->unit.data != NULL) {
        nxe_buf_add_json(b, x->unit);

    } else {
        nxe_buf_add(b, nxe_str("null"));
    }

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
        if (explain_effective(x, i) == NULL) {
            continue;
        }

        if (!first) {
            nxe_buf_addc(b, ',');
        }

        first = 0;
        nxe_buf_add_json(b, x->doc->steps[i].name);
        nxe_buf_add(b, nxe_str(":{"));
        explain_effects(x, i, json_effect);
        json_ops(x, explain_effective(x, i));
        nxe_buf_addc(b, '}');
    }

    nxe_buf_addc(b, '}');
    json_segments(x);
    json_found(x);
    nxe_buf_add(b, nxe_str("}\n"));

    return cli_print_json(b);
}
