/*
 * Variants: names, weights, parents.
 */

#include <stdio.h>
#include <string.h>

#include "nxe_doc_int.h"


/* Given weights sum to 1, up to 10^-6 less. */
#define NXE_WEIGHT_SLACK  1000u


/* A variant while it is read. */

typedef struct {
    nxe_variant_t       v;
    nxe_str_t           parent;
    nxe_frac_t          weight;     /* den 0: not given */
    int                 allow_many;
} nxe_variant_edit_t;


static void nxe_doc_variant_names(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value);
static void nxe_doc_variant_edits(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, nxe_variant_edit_t *edits);
static void nxe_doc_many(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_variant_edit_t *edit);
static void nxe_doc_edits_max(nxe_doc_ctx_t *c, const nxe_at_t *at);
static void nxe_doc_parents(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_variant_edit_t *edits);
static void nxe_doc_cycles(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value);
static void nxe_doc_overlaps(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value);
static void nxe_doc_overlap(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, uint32_t v, uint32_t ancestor);
static void nxe_doc_weights(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_variant_edit_t *edits);
static void nxe_doc_variant_fault(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const char *name, const char *expected);


static const nxe_doc_key_t  nxe_variant_keys[] = {

    nxe_key_kept("name", nxe_doc_name, NXE_KEY_REQUIRED|NXE_KEY_LIVE,
                 nxe_variant_edit_t, v.name, NULL),
    nxe_key_kept("parent", nxe_doc_name, NXE_KEY_LIVE, nxe_variant_edit_t,
                 parent, NULL),
    nxe_key_kept("weight", nxe_doc_share, NXE_KEY_LIVE, nxe_variant_edit_t,
                 weight, NULL),
    nxe_key_kept("allow_many", nxe_doc_bool, 0, nxe_variant_edit_t,
                 allow_many, NULL),
    nxe_key_kept("overrides", nxe_doc_overrides, NXE_KEY_LIVE,
                 nxe_variant_edit_t, v, NULL),
    nxe_key_kept("headers", nxe_doc_headers, NXE_KEY_LIVE,
                 nxe_variant_edit_t, v, NULL),
    nxe_key_kept("route", nxe_doc_route, NXE_KEY_LIVE, nxe_variant_edit_t, v,
                 NULL),
    nxe_key_kept("mcp", nxe_doc_mcp, NXE_KEY_LIVE, nxe_variant_edit_t, v,
                 NULL),
    nxe_key_kept("tools", nxe_doc_tools, NXE_KEY_LIVE, nxe_variant_edit_t, v,
                 NULL),
    nxe_key_kept("body", nxe_doc_body, NXE_KEY_LIVE, nxe_variant_edit_t, v,
                 NULL),
    { NULL, NULL, 0, 0, NULL }
};


void
nxe_doc_variants(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    nxe_doc_t           *doc;
    const cJSON         *name;
    nxe_variant_edit_t   edits[NXE_VARIANTS_MAX];

    (void) key;
    (void) out;

    doc = c->doc;

    if (!nxe_doc_array(c, at, value, 2, NXE_VARIANTS_MAX,
                       "a list of two variants or more"))
    {
        return;
    }

    doc->nvariants = (uint32_t) cJSON_GetArraySize(value);

    doc->variants = nxe_doc_calloc(c, doc->nvariants, sizeof(nxe_variant_t));

    if (doc->variants == NULL) {
        doc->nvariants = 0;
        return;
    }

    memset(edits, 0, doc->nvariants * sizeof(nxe_variant_edit_t));

    nxe_doc_variant_names(c, at, value);

    name = nxe_tree_get(c->tree, "baseline");

    if (cJSON_IsString(name)) {
        doc->baseline = nxe_doc_variant(doc, nxe_str_of(name->valuestring));
    }

    nxe_doc_variant_edits(c, at, value, edits);
    nxe_doc_weights(c, at, value, edits);

    if (doc->baseline != NXE_NONE) {
        nxe_doc_parents(c, at, value, edits);
    }
}


/* After the variants: they are known now. */

void
nxe_doc_baseline(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    (void) key;
    (void) out;

    if (!cJSON_IsString(value)) {
        nxe_doc_fault(c, at, value, "the name of a variant");
        return;
    }

    if (c->doc->nvariants != 0
        && nxe_doc_variant(c->doc, nxe_str_of(value->valuestring))
           == NXE_NONE)
    {
        nxe_doc_variant_fault(c, at, value, value->valuestring,
                              "the name of a variant");
    }
}


/* Parents may come later in the list, so names come first. */

static void
nxe_doc_variant_names(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value)
{
    uint32_t      i;
    nxe_at_t      here, there;
    const cJSON  *element, *name;

    i = 0;

    for (element = value->child; element != NULL; element = element->next) {
        name = nxe_tree_get(element, "name");
        c->doc->variants[i].name = nxe_str("");

        if (cJSON_IsString(name)
            && nxe_name_ok(nxe_str_of(name->valuestring)))
        {
            if (nxe_doc_variant(c->doc, nxe_str_of(name->valuestring))
                != NXE_NONE)
            {
                here = nxe_at_index(at, i);
                there = nxe_at_key(&here, "name");
                nxe_doc_fault(c, &there, name, "a name that no variant has");
            }

            c->doc->variants[i].name = nxe_doc_copy(c, name->valuestring);
        }

        i++;
    }
}


static void
nxe_doc_variant_edits(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, nxe_variant_edit_t *edits)
{
    uint32_t      i;
    nxe_at_t      here;
    const cJSON  *element;

    i = 0;

    for (element = value->child; element != NULL; element = element->next) {
        here = nxe_at_index(at, i);

        if (nxe_doc_object(c, &here, element, nxe_variant_keys, "a variant",
                           &edits[i]))
        {
            if (i != c->doc->baseline && c->form == NXE_DOC_FULL) {
                nxe_doc_many(c, &here, element, &edits[i]);
            }

            edits[i].v.name = c->doc->variants[i].name;
            c->doc->variants[i] = edits[i].v;
        }

        c->doc->variants[i].parent = NXE_NONE;
        i++;
    }

    nxe_doc_edits_max(c, at);
}


/*
 * Two changes at once cannot be told apart by their effect, so a variant says
 * that it means to.
 */

static void
nxe_doc_many(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_variant_edit_t *edit)
{
    int                   n;
    const nxe_variant_t  *v;

    v = &edit->v;

    n = (int) (v->noverrides + v->nheaders + v->nroutes + v->nops)
        + v->mcp + v->tools;

    if (n > 1 && !edit->allow_many) {
        nxe_doc_faultf(c, at, value,
                       "one change, not %d, or \"allow_many\": true in this "
                       "variant", n);
    }
}


/* Each variant and step holds all that it inherits: keep that small. */

static void
nxe_doc_edits_max(nxe_doc_ctx_t *c, const nxe_at_t *at)
{
    uint32_t  i, headers, ops;

    headers = 0;
    ops = 0;

    for (i = 0; i < c->doc->nvariants; i++) {
        headers += c->doc->variants[i].nheaders;
        ops += c->doc->variants[i].nops;
    }

    if (headers > NXE_EDITS_MAX || ops > NXE_EDITS_MAX) {
        nxe_doc_faultf(c, at, NULL, "at most %d %s in all variants",
                       NXE_EDITS_MAX,
                       ops > NXE_EDITS_MAX ? "body operations"
                                           : "header edits");
    }
}


static void
nxe_doc_parents(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_variant_edit_t *edits)
{
    int             bad;
    uint32_t        i;
    nxe_at_t        here, there;
    nxe_doc_t      *doc;
    const cJSON    *element, *parent;
    nxe_variant_t  *v;

    doc = c->doc;
    element = value->child;
    bad = 0;

    for (i = 0; i < doc->nvariants; i++, element = element->next) {
        here = nxe_at_index(at, i);
        there = nxe_at_key(&here, "parent");
        parent = nxe_tree_get(element, "parent");
        v = &doc->variants[i];

        if (i == doc->baseline) {
            if (parent != NULL) {
                nxe_doc_fault(c, &there, parent,
                              "no parent: this is the baseline");
            }

            continue;
        }

        v->parent = doc->baseline;

        if (edits[i].parent.data == NULL) {
            continue;
        }

        v->parent = nxe_doc_variant(doc, edits[i].parent);

        if (v->parent == NXE_NONE) {
            nxe_doc_variant_fault(c, &there, parent, edits[i].parent.data,
                                  "the name of a variant");
            v->parent = doc->baseline;
            bad = 1;
        }
    }

    if (!bad) {
        nxe_doc_cycles(c, at, value);
    }
}


static void
nxe_doc_cycles(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value)
{
    int           bad;
    uint32_t      i, n, parent;
    nxe_at_t      here, there;
    nxe_doc_t    *doc;
    const cJSON  *element;

    doc = c->doc;
    element = value->child;
    bad = 0;

    for (i = 0; i < doc->nvariants; i++, element = element->next) {
        parent = i;

        for (n = 0; parent != NXE_NONE && n <= doc->nvariants; n++) {
            parent = doc->variants[parent].parent;
        }

        if (parent != NXE_NONE) {
            here = nxe_at_index(at, i);
            there = nxe_at_key(&here, "parent");
            nxe_doc_fault(c, &there, nxe_tree_get(element, "parent"),
                          "a parent that descends from the baseline");
            bad = 1;
        }
    }

    if (!bad) {
        nxe_doc_overlaps(c, at, value);
    }
}


/*
 * A child may set what its ancestor sets, but neither a part of it nor what
 * it is a part of: the two edits could not both be made.
 */

static void
nxe_doc_overlaps(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value)
{
    uint32_t      i, ancestor;
    nxe_at_t      here;
    nxe_doc_t    *doc;
    const cJSON  *element;

    doc = c->doc;
    element = value->child;

    for (i = 0; i < doc->nvariants; i++, element = element->next) {
        here = nxe_at_index(at, i);

        if (doc->variants[i].nops == 0) {
            continue;
        }

        for (ancestor = doc->variants[i].parent;
             ancestor != NXE_NONE;
             ancestor = doc->variants[ancestor].parent)
        {
            nxe_doc_overlap(c, &here, element, i, ancestor);
        }
    }
}


static void
nxe_doc_overlap(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    uint32_t v, uint32_t ancestor)
{
    uint32_t              i, j;
    nxe_at_t              here;
    const nxe_body_op_t  *a, *b;
    const nxe_variant_t  *child, *parent;

    child = &c->doc->variants[v];
    parent = &c->doc->variants[ancestor];
    here = nxe_at_key(at, "body");

    for (i = 0; i < child->nops; i++) {
        for (j = 0; j < parent->nops; j++) {
            a = &child->ops[i];
            b = &parent->ops[j];

            if ((a->step == NXE_NONE || b->step == NXE_NONE
                 || a->step == b->step)
                && !nxe_str_eq(a->path, b->path)
                && (nxe_pointer_within(a->path, b->path)
                    || nxe_pointer_within(b->path, a->path)))
            {
                nxe_doc_faultf(c, &here, nxe_tree_get(value, "body"),
                               "places apart from those of \"%s\"",
                               parent->name.data);
                return;
            }
        }
    }
}


/* In billionths: exact.  The last is 1 minus the others. */

static void
nxe_doc_weights(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_variant_edit_t *edits)
{
    uint32_t      i, n, missing;
    uint64_t      sum;
    nxe_at_t      here, there;
    nxe_doc_t    *doc;
    const cJSON  *element;

    doc = c->doc;
    doc->weight_den = doc->nvariants;
    sum = 0;
    n = 0;
    missing = 0;

    for (i = 0, element = value->child; i < doc->nvariants;
         i++, element = element->next)
    {
        doc->variants[i].weight = 1;

        if (nxe_tree_get(element, "weight") == NULL) {
            missing = i;
            continue;
        }

        n++;

        if (edits[i].weight.den == 0) {
            return;                 /* a fault already */
        }

        sum += edits[i].weight.num * (NXE_NANO / edits[i].weight.den);
    }

    if (n == 0) {
        return;
    }

    if (n < doc->nvariants) {
        here = nxe_at_index(at, missing);
        there = nxe_at_key(&here, "weight");
        nxe_doc_fault(c, &there, NULL,
                      "\"weight\", as other variants have one");
        return;
    }

    if (sum > NXE_NANO || sum < NXE_NANO - NXE_WEIGHT_SLACK) {
        here = nxe_at_index(at, doc->nvariants - 1);
        there = nxe_at_key(&here, "weight");
        nxe_doc_faultf(c, &there,
                       nxe_tree_get(cJSON_GetArrayItem(value,
                                    (int) doc->nvariants - 1), "weight"),
                       "weights that sum to 1, not %.9g",
                       (double) sum / NXE_NANO);
        return;
    }

    doc->weight_den = NXE_NANO;

    for (i = 0; i < doc->nvariants; i++) {
        doc->variants[i].weight = edits[i].weight.num
                                  * (NXE_NANO / edits[i].weight.den);
    }

    doc->variants[doc->nvariants - 1].weight += NXE_NANO - sum;
}


static void
nxe_doc_variant_fault(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const char *name, const char *expected)
{
    uint32_t    i;
    nxe_near_t  near;

    nxe_near_init(&near, name);

    for (i = 0; i < c->doc->nvariants; i++) {
        nxe_near_try(&near, c->doc->variants[i].name.data);
    }

    nxe_doc_fault_near(c, at, value, expected, near.best);
}
