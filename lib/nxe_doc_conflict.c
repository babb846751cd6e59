/*
 * Can two documents both be live.
 */

#include <string.h>

#include "nxe_doc_int.h"


static nxe_status_t nxe_conflict_layer(const nxe_doc_t *a,
    const nxe_doc_t *b, nxe_error_t *err);
static nxe_status_t nxe_conflict_step(const nxe_doc_t *a, uint32_t s,
    const nxe_doc_t *b, uint32_t t, nxe_error_t *err);
static const nxe_header_t *nxe_conflict_header(const nxe_doc_t *a, uint32_t s,
    const nxe_doc_t *b, uint32_t t);
static const nxe_body_op_t *nxe_conflict_op(const nxe_doc_t *a, uint32_t s,
    const nxe_doc_t *b, uint32_t t);
static int nxe_conflict_routes(const nxe_doc_t *doc, uint32_t step);
static int nxe_conflict_mcp(const nxe_doc_t *doc);
static int nxe_conflict_tools(const nxe_doc_t *doc);
static nxe_status_t nxe_conflict_say(const nxe_doc_t *a, const nxe_doc_t *b,
    nxe_str_t step, const char *what, nxe_str_t name, nxe_error_t *err);


nxe_status_t
nxe_doc_conflict(const nxe_doc_t *a, const nxe_doc_t *b, nxe_error_t *err)
{
    uint32_t      s, t;
    nxe_status_t  status;

    if (nxe_str_eq(a->layer, b->layer)) {
        return nxe_conflict_layer(a, b, err);
    }

    for (s = 0; s < a->nsteps; s++) {
        t = nxe_doc_step(b, a->steps[s].name);
        if (t == NXE_NONE) {
            continue;
        }

        status = nxe_conflict_step(a, s, b, t, err);
        if (status != NXE_OK) {
            return status;
        }
    }

    return NXE_OK;
}


/* Thresholds, as assignment has them: what it keeps apart is apart. */

static nxe_status_t
nxe_conflict_layer(const nxe_doc_t *a, const nxe_doc_t *b, nxe_error_t *err)
{
    if (!nxe_doc_units_eq(a, b)) {
        return nxe_fail(err, NXE_CONFLICT,
                        "\"%.*s\" and \"%.*s\" are in layer \"%.*s\" and "
                        "differ in their unit",
                        (int) a->name.len, a->name.data,
                        (int) b->name.len, b->name.data,
                        (int) a->layer.len, a->layer.data);
    }

    if (nxe_frac_threshold(a->layer_to) <= nxe_frac_threshold(b->layer_from)
        || nxe_frac_threshold(b->layer_to)
           <= nxe_frac_threshold(a->layer_from))
    {
        return NXE_OK;
    }

    return nxe_fail(err, NXE_CONFLICT,
                    "in layer \"%.*s\" the range [%.9g, %.9g) of \"%.*s\" "
                    "overlaps [%.9g, %.9g) of \"%.*s\"",
                    (int) a->layer.len, a->layer.data,
                    nxe_frac_double(a->layer_from),
                    nxe_frac_double(a->layer_to),
                    (int) a->name.len, a->name.data,
                    nxe_frac_double(b->layer_from),
                    nxe_frac_double(b->layer_to),
                    (int) b->name.len, b->name.data);
}


static nxe_status_t
nxe_conflict_step(const nxe_doc_t *a, uint32_t s, const nxe_doc_t *b,
    uint32_t t, nxe_error_t *err)
{
    unsigned              both, i;
    nxe_str_t             step;
    const nxe_header_t   *header;
    const nxe_body_op_t  *op;

    step = a->steps[s].name;
    both = a->steps[s].params & b->steps[t].params;

    for (i = 0; i < NXE_PARAMS; i++) {
        if (both & (1u << i)) {
            return nxe_conflict_say(a, b, step, "",
                                    nxe_str_of(nxe_param_words[i]), err);
        }
    }

    header = nxe_conflict_header(a, s, b, t);
    if (header != NULL) {
        return nxe_conflict_say(a, b, step,
                                header->response ? "response header "
                                                 : "request header ",
                                header->name, err);
    }

    op = nxe_conflict_op(a, s, b, t);
    if (op != NULL) {
        return nxe_conflict_say(a, b, step, "body ", op->path, err);
    }

    if (nxe_conflict_routes(a, s) && nxe_conflict_routes(b, t)) {
        return nxe_conflict_say(a, b, step, "", nxe_str("the route"), err);
    }

    if (nxe_conflict_mcp(a) && nxe_conflict_mcp(b)) {
        return nxe_conflict_say(a, b, step, "", nxe_str("the MCP server"),
                                err);
    }

    if (nxe_conflict_tools(a) && nxe_conflict_tools(b)) {
        return nxe_conflict_say(a, b, step, "", nxe_str("the tools"), err);
    }

    return NXE_OK;
}


static const nxe_header_t *
nxe_conflict_header(const nxe_doc_t *a, uint32_t s, const nxe_doc_t *b,
    uint32_t t)
{
    uint32_t              v, w, i, j;
    const nxe_header_t   *x, *y;
    const nxe_variant_t  *p, *q;

    for (v = 0; v < a->nvariants; v++) {
        p = &a->variants[v];

        for (i = 0; i < p->nheaders; i++) {
            x = &p->headers[i];

            if (x->step != NXE_NONE && x->step != s) {
                continue;
            }

            for (w = 0; w < b->nvariants; w++) {
                q = &b->variants[w];

                for (j = 0; j < q->nheaders; j++) {
                    y = &q->headers[j];

                    if ((y->step == NXE_NONE || y->step == t)
                        && x->response == y->response
                        && nxe_str_eq(x->lower, y->lower))
                    {
                        return x;
                    }
                }
            }
        }
    }

    return NULL;
}


static const nxe_body_op_t *
nxe_conflict_op(const nxe_doc_t *a, uint32_t s, const nxe_doc_t *b,
    uint32_t t)
{
    uint32_t              v, w, i, j;
    const nxe_body_op_t  *x, *y;
    const nxe_variant_t  *p, *q;

    for (v = 0; v < a->nvariants; v++) {
        p = &a->variants[v];

        for (i = 0; i < p->nops; i++) {
            x = &p->ops[i];

            if (x->step != NXE_NONE && x->step != s) {
                continue;
            }

            for (w = 0; w < b->nvariants; w++) {
                q = &b->variants[w];

                for (j = 0; j < q->nops; j++) {
                    y = &q->ops[j];

                    if ((y->step == NXE_NONE || y->step == t)
                        && (nxe_pointer_within(x->path, y->path)
                            || nxe_pointer_within(y->path, x->path)))
                    {
                        return x;
                    }
                }
            }
        }
    }

    return NULL;
}


static int
nxe_conflict_routes(const nxe_doc_t *doc, uint32_t step)
{
    uint32_t  v;

    for (v = 0; v < doc->nvariants; v++) {
        if (doc->effective[(size_t) v * doc->nsteps + step].route != NULL) {
            return 1;
        }
    }

    return 0;
}


static int
nxe_conflict_mcp(const nxe_doc_t *doc)
{
    uint32_t  v;

    for (v = 0; v < doc->nvariants; v++) {
        if (doc->variants[v].mcp) {
            return 1;
        }
    }

    return 0;
}


static int
nxe_conflict_tools(const nxe_doc_t *doc)
{
    uint32_t  v;

    for (v = 0; v < doc->nvariants; v++) {
        if (doc->variants[v].tools) {
            return 1;
        }
    }

    return 0;
}


static nxe_status_t
nxe_conflict_say(const nxe_doc_t *a, const nxe_doc_t *b, nxe_str_t step,
    const char *what, nxe_str_t name, nxe_error_t *err)
{
    return nxe_fail(err, NXE_CONFLICT,
                    "\"%.*s\" and \"%.*s\" both change %s%.*s on step "
                    "\"%.*s\", so they must share a layer",
                    (int) a->name.len, a->name.data,
                    (int) b->name.len, b->name.data, what,
                    (int) name.len, name.data, (int) step.len, step.data);
}
