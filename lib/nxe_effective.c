/*
 * What each variant does on each step: its ancestors' changes from the
 * baseline down, its own last.
 */

#include <nxe/doc.h>


static nxe_status_t nxe_effective_one(nxe_doc_t *doc, const nxe_mem_t *mem,
    uint32_t variant, uint32_t step);
static nxe_status_t nxe_effective_room(const nxe_doc_t *doc,
    const nxe_mem_t *mem, const uint32_t *line, uint32_t n, uint32_t step,
    nxe_effective_t *e);
static void nxe_effective_add(const nxe_variant_t *v, uint32_t variant,
    uint32_t step, nxe_effective_t *e);
static void nxe_effective_header(nxe_effective_t *e,
    const nxe_header_t *header, uint32_t variant);
static void nxe_effective_op(nxe_effective_t *e, const nxe_body_op_t *op);
static void nxe_effective_step(nxe_doc_t *doc, uint32_t step);


#define nxe_effective_on(edit, step)                                          \
    ((edit)->step == NXE_NONE || (edit)->step == (step))


nxe_status_t
nxe_effective_build(nxe_doc_t *doc, const nxe_mem_t *mem)
{
    uint32_t      v, s;
    nxe_status_t  status;

    doc->effective = nxe_calloc(mem, (size_t) doc->nvariants * doc->nsteps
                                     * sizeof(nxe_effective_t));
    if (doc->effective == NULL) {
        return NXE_NOMEM;
    }

    for (s = 0; s < doc->nsteps; s++) {
        for (v = 0; v < doc->nvariants; v++) {
            status = nxe_effective_one(doc, mem, v, s);
            if (status != NXE_OK) {
                return status;
            }
        }

        nxe_effective_step(doc, s);
    }

    return NXE_OK;
}


static nxe_status_t
nxe_effective_one(nxe_doc_t *doc, const nxe_mem_t *mem, uint32_t variant,
    uint32_t step)
{
    uint32_t          v, n, line[NXE_VARIANTS_MAX];
    nxe_status_t      status;
    nxe_effective_t  *e;

    n = 0;

    for (v = variant; v != NXE_NONE && n < NXE_VARIANTS_MAX;
         v = doc->variants[v].parent)
    {
        line[n++] = v;
    }

    e = &doc->effective[(size_t) variant * doc->nsteps + step];

    status = nxe_effective_room(doc, mem, line, n, step, e);
    if (status != NXE_OK) {
        return status;
    }

    while (n-- > 0) {
        nxe_effective_add(&doc->variants[line[n]], line[n], step, e);
    }

    return NXE_OK;
}


static nxe_status_t
nxe_effective_room(const nxe_doc_t *doc, const nxe_mem_t *mem,
    const uint32_t *line, uint32_t n, uint32_t step, nxe_effective_t *e)
{
    uint32_t              i, j, headers, ops;
    const nxe_variant_t  *v;

    headers = 0;
    ops = 0;

    for (i = 0; i < n; i++) {
        v = &doc->variants[line[i]];

        for (j = 0; j < v->nheaders; j++) {
            headers += nxe_effective_on(&v->headers[j], step);
        }

        for (j = 0; j < v->nops; j++) {
            ops += nxe_effective_on(&v->ops[j], step);
        }
    }

    if (headers != 0) {
        e->headers = nxe_calloc(mem, headers * sizeof(nxe_header_t *));
        e->headers_from = nxe_calloc(mem, headers);

        if (e->headers == NULL || e->headers_from == NULL) {
            return NXE_NOMEM;
        }
    }

    if (ops != 0) {
        e->ops = nxe_calloc(mem, ops * sizeof(nxe_body_op_t *));

        if (e->ops == NULL) {
            return NXE_NOMEM;
        }
    }

    return NXE_OK;
}


static void
nxe_effective_add(const nxe_variant_t *v, uint32_t variant, uint32_t step,
    nxe_effective_t *e)
{
    uint32_t               i;
    const nxe_override_t  *o;

    for (i = 0; i < v->noverrides; i++) {
        o = &v->overrides[i];

        if (o->step == step) {
            e->params[o->param] = o;
            e->from[o->param] = (uint8_t) variant;
        }
    }

    for (i = 0; i < v->nheaders; i++) {
        if (nxe_effective_on(&v->headers[i], step)) {
            nxe_effective_header(e, &v->headers[i], variant);
        }
    }

    for (i = 0; i < v->nroutes; i++) {
        if (nxe_effective_on(&v->routes[i], step)) {
            e->route = &v->routes[i];
            e->route_from = (uint8_t) variant;
        }
    }

    for (i = 0; i < v->nops; i++) {
        if (nxe_effective_on(&v->ops[i], step)) {
            nxe_effective_op(e, &v->ops[i]);
        }
    }
}


static void
nxe_effective_header(nxe_effective_t *e, const nxe_header_t *header,
    uint32_t variant)
{
    uint32_t  i;

    for (i = 0; i < e->nheaders; i++) {
        if (e->headers[i]->response == header->response
            && nxe_str_eq(e->headers[i]->lower, header->lower))
        {
            break;
        }
    }

    e->headers[i] = header;
    e->headers_from[i] = (uint8_t) variant;

    if (i == e->nheaders) {
        e->nheaders++;
    }
}


static void
nxe_effective_op(nxe_effective_t *e, const nxe_body_op_t *op)
{
    uint32_t  i;

    for (i = 0; i < e->nops; i++) {
        if (nxe_str_eq(e->ops[i]->path, op->path)) {
            break;
        }
    }

    e->ops[i] = op;

    if (i == e->nops) {
        e->nops++;
    }
}


/* The baseline's changes count too: they are made only where the step is. */

static void
nxe_effective_step(nxe_doc_t *doc, uint32_t step)
{
    uint32_t                i, v;
    nxe_step_t             *s;
    const nxe_effective_t  *e;

    s = &doc->steps[step];

    for (v = 0; v < doc->nvariants; v++) {
        e = &doc->effective[(size_t) v * doc->nsteps + step];

        for (i = 0; i < NXE_PARAMS; i++) {
            if (e->params[i] != NULL) {
                s->params = (uint8_t) (s->params | 1u << i);
            }
        }

        if (e->nops != 0) {
            s->body = 1;
        }

        if (e->nops != 0 || e->nheaders != 0 || e->route != NULL
            || doc->variants[v].mcp || doc->variants[v].tools)
        {
            s->changes = 1;
        }
    }

    if (s->params != 0) {
        s->body = 1;
        s->changes = 1;
    }
}
