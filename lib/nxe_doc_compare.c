/*
 * Does going from one document to another change what a unit gets.
 */

#include <string.h>

#include <nxe/arena.h>
#include <nxe/trust.h>

#include "nxe_doc_int.h"


#define NXE_CANONICAL_MAX  (64 * 1024 * 1024)


static nxe_doc_t *nxe_compare_build(const cJSON *tree, nxe_arena_t *arena);
static const char *nxe_compare_docs(const nxe_doc_t *a, const nxe_doc_t *b);
static const char *nxe_compare_trees(const cJSON *a, const cJSON *b);
static int nxe_compare_node(const cJSON *a, const cJSON *b);
static int nxe_compare_targeting(const nxe_doc_t *a, const nxe_doc_t *b);
static int nxe_compare_steps(const nxe_doc_t *a, const nxe_doc_t *b);
static const char *nxe_compare_variants(const nxe_doc_t *a,
    const nxe_doc_t *b);
static int nxe_compare_effective(const nxe_doc_t *a, const nxe_effective_t *x,
    const nxe_doc_t *b, const nxe_effective_t *y);
static int nxe_compare_bytes(const nxe_doc_t *a, nxe_bytes_t x,
    const nxe_doc_t *b, nxe_bytes_t y);
static int nxe_compare_headers(const nxe_effective_t *x,
    const nxe_effective_t *y);
static int nxe_compare_ops(const nxe_doc_t *a, const nxe_effective_t *x,
    const nxe_doc_t *b, const nxe_effective_t *y);


/* What is compared as it is written: nothing of it is built yet. */

static const char *const  nxe_compare_later[] = {
    "observe", "ramp", "forced", "shadow", "interleave", "switchback"
};


int
nxe_doc_changes_traffic(const cJSON *a, const cJSON *b, const char **what)
{
    nxe_doc_t    *x, *y;
    const char   *word;
    nxe_arena_t  *arena;

    arena = nxe_arena_new();

    x = nxe_compare_build(a, arena);
    y = nxe_compare_build(b, arena);

    if (x == NULL || y == NULL) {
        /* what cannot be compared is not the same */
        word = "document";

    } else {
        word = nxe_compare_docs(x, y);

        if (word == NULL) {
            word = nxe_compare_trees(a, b);
        }
    }

    nxe_arena_free(arena);

    if (word != NULL && what != NULL) {
        *what = word;
    }

    return word != NULL;
}


static nxe_doc_t *
nxe_compare_build(const cJSON *tree, nxe_arena_t *arena)
{
    nxe_doc_t     *doc;
    nxe_faults_t   faults;

    if (arena == NULL) {
        return NULL;
    }

    nxe_faults_init(&faults, nxe_arena_mem(arena));

    if (nxe_doc_build(tree, NXE_DOC_FULL, nxe_str(""), nxe_arena_mem(arena),
                      &faults, &doc)
        != NXE_OK)
    {
        return NULL;
    }

    return doc;
}


static const char *
nxe_compare_docs(const nxe_doc_t *a, const nxe_doc_t *b)
{
    if (!nxe_str_eq(a->salt, b->salt)) {
        return "hash";
    }

    /* a unit that no longer counts, or only now, is served otherwise */

    if (!nxe_doc_units_eq(a, b)
        || nxe_doc_wants_verified(a) != nxe_doc_wants_verified(b))
    {
        return "unit";
    }

    if (!nxe_str_eq(a->layer, b->layer)
        || nxe_frac_cmp(a->layer_from, b->layer_from) != 0
        || nxe_frac_cmp(a->layer_to, b->layer_to) != 0)
    {
        return "layer";
    }

    if (!nxe_compare_targeting(a, b)) {
        return "targeting";
    }

    if (!nxe_compare_steps(a, b)) {
        return "steps";
    }

    return nxe_compare_variants(a, b);
}


static const char *
nxe_compare_trees(const cJSON *a, const cJSON *b)
{
    size_t        i;
    const char   *key;
    const cJSON  *v, *w;

    v = nxe_tree_get(nxe_tree_get(a, "hash"), "algorithm");
    w = nxe_tree_get(nxe_tree_get(b, "hash"), "algorithm");

    if (strcmp(v != NULL ? v->valuestring : "sha256",
               w != NULL ? w->valuestring : "sha256")
        != 0)
    {
        return "hash";
    }

    for (i = 0;
         i < sizeof(nxe_compare_later) / sizeof(nxe_compare_later[0]);
         i++)
    {
        key = nxe_compare_later[i];

        if (!nxe_compare_node(nxe_tree_get(a, key), nxe_tree_get(b, key))) {
            return key;
        }
    }

    /* as many as each other, in one order: nxe_compare_variants() */
    v = nxe_tree_get(a, "variants")->child;
    w = nxe_tree_get(b, "variants")->child;

    for ( /* void */ ; v != NULL && w != NULL; v = v->next, w = w->next) {
        if (!nxe_compare_node(nxe_tree_get(v, "mcp"),
                              nxe_tree_get(w, "mcp")))
        {
            return "mcp";
        }

        if (!nxe_compare_node(nxe_tree_get(v, "tools"),
                              nxe_tree_get(w, "tools")))
        {
            return "tools";
        }
    }

    return NULL;
}


/* 1 if both are absent or have the same canonical JSON. */

static int
nxe_compare_node(const cJSON *a, const cJSON *b)
{
    int        equal;
    nxe_buf_t  x, y;

    if (a == NULL || b == NULL) {
        return a == b;
    }

    nxe_buf_init(&x, NXE_CANONICAL_MAX);
    nxe_buf_init(&y, NXE_CANONICAL_MAX);

    equal = nxe_tree_canonical(a, &x) == NXE_OK
            && nxe_tree_canonical(b, &y) == NXE_OK
            && nxe_str_eq(nxe_buf_str(&x), nxe_buf_str(&y));

    nxe_buf_free(&x);
    nxe_buf_free(&y);

    return equal;
}


int
nxe_doc_units_eq(const nxe_doc_t *a, const nxe_doc_t *b)
{
    uint32_t  i;

    if (!nxe_str_eq(a->unit_type, b->unit_type)
        || a->nsources != b->nsources)
    {
        return 0;
    }

    for (i = 0; i < a->nsources; i++) {
        if (a->sources[i].type != b->sources[i].type
            || !nxe_str_eq(a->sources[i].name, b->sources[i].name))
        {
            return 0;
        }
    }

    return 1;
}


static int
nxe_compare_targeting(const nxe_doc_t *a, const nxe_doc_t *b)
{
    uint32_t             i, j;
    const nxe_target_t  *x, *y;

    if (a->ntargeting != b->ntargeting) {
        return 0;
    }

    for (i = 0; i < a->ntargeting; i++) {
        x = &a->targeting[i];
        y = &b->targeting[i];

        if (x->op != y->op || x->wanted != y->wanted
            || x->nvalues != y->nvalues
            || x->attribute.type != y->attribute.type
            || !nxe_str_eq(x->attribute.name, y->attribute.name))
        {
            return 0;
        }

        for (j = 0; j < x->nvalues; j++) {
            if (!nxe_str_eq(x->values[j], y->values[j])) {
                return 0;
            }
        }
    }

    return 1;
}


/* Steps are a set: nothing depends on their order. */

static int
nxe_compare_steps(const nxe_doc_t *a, const nxe_doc_t *b)
{
    uint32_t  i;

    if (a->nsteps != b->nsteps) {
        return 0;
    }

    for (i = 0; i < a->nsteps; i++) {
        if (nxe_doc_step(b, a->steps[i].name) == NXE_NONE) {
            return 0;
        }
    }

    return 1;
}


static const char *
nxe_compare_variants(const nxe_doc_t *a, const nxe_doc_t *b)
{
    uint32_t                v, s, t;
    const nxe_effective_t  *x, *y;

    if (a->nvariants != b->nvariants) {
        return "variants";
    }

    for (v = 0; v < a->nvariants; v++) {
        if (!nxe_str_eq(a->variants[v].name, b->variants[v].name)) {
            return "variants";
        }
    }

    if (a->baseline != b->baseline) {
        return "baseline";
    }

    for (v = 0; v < a->nvariants; v++) {
        if (a->variants[v].weight * b->weight_den
            != b->variants[v].weight * a->weight_den)
        {
            return "weights";
        }
    }

    for (v = 0; v < a->nvariants; v++) {
        for (s = 0; s < a->nsteps; s++) {
            t = nxe_doc_step(b, a->steps[s].name);
            x = &a->effective[(size_t) v * a->nsteps + s];
            y = &b->effective[(size_t) v * b->nsteps + t];

            if (!nxe_compare_effective(a, x, b, y)) {
                return "variants";
            }
        }
    }

    return NULL;
}


static int
nxe_compare_effective(const nxe_doc_t *a, const nxe_effective_t *x,
    const nxe_doc_t *b, const nxe_effective_t *y)
{
    uint32_t               i;
    const nxe_override_t  *o, *p;

    for (i = 0; i < NXE_PARAMS; i++) {
        o = x->params[i];
        p = y->params[i];

        if (o == NULL && p == NULL) {
            continue;
        }

        if (o == NULL || p == NULL || o->if_absent != p->if_absent
            || !nxe_compare_bytes(a, o->value, b, p->value))
        {
            return 0;
        }
    }

    if ((x->route == NULL) != (y->route == NULL)
        || (x->route != NULL
            && !nxe_str_eq(x->route->upstream, y->route->upstream)))
    {
        return 0;
    }

    return nxe_compare_headers(x, y) && nxe_compare_ops(a, x, b, y);
}


static int
nxe_compare_bytes(const nxe_doc_t *a, nxe_bytes_t x, const nxe_doc_t *b,
    nxe_bytes_t y)
{
    return x.len == y.len
           && memcmp(a->bytes + x.offset, b->bytes + y.offset, x.len) == 0;
}


/* Each name is there once, so equal numbers and a match for each are enough. */

static int
nxe_compare_headers(const nxe_effective_t *x, const nxe_effective_t *y)
{
    uint32_t             i, j;
    const nxe_header_t  *h, *g;

    if (x->nheaders != y->nheaders) {
        return 0;
    }

    for (i = 0; i < x->nheaders; i++) {
        h = x->headers[i];

        for (j = 0; j < y->nheaders; j++) {
            g = y->headers[j];

            if (h->response == g->response && h->remove == g->remove
                && nxe_str_eq(h->name, g->name)
                && nxe_str_eq(h->value, g->value))
            {
                break;
            }
        }

        if (j == y->nheaders) {
            return 0;
        }
    }

    return 1;
}


static int
nxe_compare_ops(const nxe_doc_t *a, const nxe_effective_t *x,
    const nxe_doc_t *b, const nxe_effective_t *y)
{
    uint32_t              i, j;
    const nxe_body_op_t  *o, *p;

    if (x->nops != y->nops) {
        return 0;
    }

    for (i = 0; i < x->nops; i++) {
        o = x->ops[i];

        for (j = 0; j < y->nops; j++) {
            p = y->ops[j];

            if (o->remove == p->remove && nxe_str_eq(o->path, p->path)
                && (o->remove || nxe_compare_bytes(a, o->value, b, p->value)))
            {
                break;
            }
        }

        if (j == y->nops) {
            return 0;
        }
    }

    return 1;
}
