/*
 * The document: its keys, its faults, what it is made of.
 */

#include <string.h>

#include "nxe_doc_int.h"


#define NXE_DOC_BYTES_MAX  (64 * 1024 * 1024)

typedef struct {
    nxe_str_t           name;
    nxe_frac_t          exposure;
} nxe_doc_stage_t;


static nxe_status_t nxe_doc_finish(nxe_doc_ctx_t *c);
static nxe_status_t nxe_doc_faulty(const nxe_doc_ctx_t *c);
static void nxe_doc_experiment(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
static void nxe_doc_default_salt(nxe_doc_ctx_t *c, const nxe_at_t *at);
static void nxe_doc_steps(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
static nxe_status_t nxe_doc_default_step(nxe_doc_ctx_t *c);
static void nxe_doc_risk(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
static void nxe_doc_stage(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
static void nxe_doc_observe(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
static void nxe_doc_later(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
static char *nxe_faults_copy(nxe_faults_t *faults, const char *s);


static const char *const  nxe_target_words[] = {
    "prompt", "model", "workflow", NULL
};

static const char *const  nxe_risk_words[] = {
    "low", "medium", "high", NULL
};

static const char *const  nxe_stage_words[] = {
    "off", "canary", "ab", NULL
};


static const nxe_doc_key_t  nxe_stage_keys[] = {

    nxe_key_kept("name", nxe_doc_word, NXE_KEY_REQUIRED, nxe_doc_stage_t,
                 name, nxe_stage_words),
    nxe_key_kept("exposure", nxe_doc_share, 0, nxe_doc_stage_t, exposure,
                 NULL),
    { NULL, NULL, 0, 0, NULL }
};


/* In this order: steps, risk and unit are known when what needs them comes. */

static const nxe_doc_key_t  nxe_root_keys[] = {

    { "name", nxe_doc_experiment, NXE_KEY_REQUIRED|NXE_KEY_LIVE, 0, NULL },
    { "description", nxe_doc_text, 0, 0, NULL },
    { "hypothesis", nxe_doc_text, 0, 0, NULL },
    nxe_key_kept("owner", nxe_doc_text, 0, nxe_doc_t, owner, NULL),
    { "target", nxe_doc_word, 0, 0, nxe_target_words },
    { "risk", nxe_doc_risk, NXE_KEY_LIVE, 0, NULL },
    { "steps", nxe_doc_steps, NXE_KEY_LIVE, 0, NULL },
    { "unit", nxe_doc_unit, NXE_KEY_REQUIRED|NXE_KEY_LIVE, 0, NULL },
    { "hash", nxe_doc_hash, NXE_KEY_LIVE, 0, NULL },
    { "layer", nxe_doc_layer, NXE_KEY_LIVE, 0, NULL },
    { "targeting", nxe_doc_targeting, NXE_KEY_LIVE, 0, NULL },
    { "segments", nxe_doc_segments, NXE_KEY_LIVE, 0, NULL },
    { "windows", nxe_doc_windows, NXE_KEY_LIVE, 0, NULL },
    { "stage", nxe_doc_stage, 0, 0, NULL },
    { "variants", nxe_doc_variants, NXE_KEY_REQUIRED|NXE_KEY_LIVE, 0, NULL },
    { "baseline", nxe_doc_baseline, NXE_KEY_LIVE, 0, NULL },
    { "metrics", nxe_doc_metrics, NXE_KEY_LIVE, 0, NULL },
    { "design", nxe_doc_design, 0, 0, NULL },
    { "decision", nxe_doc_decision, 0, 0, NULL },
    { "sources", nxe_doc_sources, 0, 0, NULL },
    { "ofrep", nxe_doc_ofrep, NXE_KEY_LIVE, 0, NULL },
    { "observe", nxe_doc_observe, 0, 0, NULL },
    { "ramp", nxe_doc_later, 0, 0, NULL },
    { "forced", nxe_doc_later, 0, 0, NULL },
    { "shadow", nxe_doc_later, 0, 0, NULL },
    { "interleave", nxe_doc_later, 0, 0, NULL },
    { "switchback", nxe_doc_later, 0, 0, NULL },
    { NULL, NULL, 0, 0, NULL }
};


nxe_status_t
nxe_doc_build(const cJSON *tree, nxe_doc_form_t form, nxe_str_t bytes,
    const nxe_mem_t *mem, nxe_faults_t *faults, nxe_doc_t **doc)
{
    nxe_at_t       root;
    nxe_status_t   status;
    nxe_doc_ctx_t  c;

    memset(&c, 0, sizeof(c));

    c.form = form;
    c.in = bytes;
    c.mem = mem;
    c.faults = faults;
    c.tree = tree;

    c.doc = nxe_calloc(mem, sizeof(nxe_doc_t));
    if (c.doc == NULL) {
        return NXE_NOMEM;
    }

    c.doc->unit_type = nxe_str("unit");
    c.doc->layer = nxe_str("default");
    c.doc->layer_from = NXE_FRAC_ZERO;
    c.doc->layer_to = NXE_FRAC_ONE;
    c.doc->stage = nxe_str("off");
    c.doc->exposure = NXE_FRAC_ZERO;
    c.doc->owner = nxe_str("");

    nxe_buf_init(&c.out, NXE_DOC_BYTES_MAX);

    root = nxe_at_key(NULL, "");

    status = nxe_doc_default_step(&c);

    if (status == NXE_OK) {
        (void) nxe_doc_object(&c, &root, tree, nxe_root_keys, "a document",
                              c.doc);
        nxe_doc_default_salt(&c, &root);

        status = nxe_doc_finish(&c);
    }

    nxe_buf_free(&c.out);

    if (status == NXE_OK) {
        *doc = c.doc;
    }

    return status;
}


static nxe_status_t
nxe_doc_finish(nxe_doc_ctx_t *c)
{
    nxe_str_t     copy;
    nxe_status_t  status;

    status = nxe_doc_faulty(c);
    if (status != NXE_OK) {
        return status;
    }

    if (c->form == NXE_DOC_SERVING) {
        c->doc->bytes = c->in.data;
        c->doc->bytes_len = c->in.len;

    } else {
        status = nxe_str_copy(c->mem, nxe_buf_str(&c->out), &copy);
        if (status != NXE_OK) {
            return status;
        }

        c->doc->bytes = copy.data;
        c->doc->bytes_len = copy.len;
    }

    return nxe_effective_build(c->doc, c->mem);
}


static nxe_status_t
nxe_doc_faulty(const nxe_doc_ctx_t *c)
{
    size_t  i;

    if (c->nomem) {
        return NXE_NOMEM;
    }

    if (c->faults->n == 0) {
        return NXE_OK;
    }

    if (c->faults->fault == NULL) {
        return NXE_NOMEM;
    }

    for (i = 0; i < c->faults->n && i < NXE_FAULTS_MAX; i++) {
        if (c->faults->fault[i].pointer == NULL) {
            return NXE_NOMEM;
        }
    }

    return NXE_INVALID;
}


static void
nxe_doc_experiment(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    nxe_doc_key_t  kept;

    (void) out;

    /* the words of the directive */
    if (cJSON_IsString(value) && (strcmp(value->valuestring, "on") == 0
                                  || strcmp(value->valuestring, "off") == 0))
    {
        nxe_doc_fault(c, at, value, "a name other than on and off");
        return;
    }

    kept = *key;
    kept.flags |= NXE_KEY_KEPT;

    nxe_doc_name(c, at, value, &kept, &c->doc->name);
}


/* The name is the salt, so what no salt may be, it may not be either. */

static void
nxe_doc_default_salt(nxe_doc_ctx_t *c, const nxe_at_t *at)
{
    nxe_at_t   here;
    nxe_str_t  name;

    if (c->salt_given) {
        return;
    }

    name = c->doc->name;
    c->doc->salt = name;

    if (nxe_str_eq(name, nxe_str("layer"))
        || nxe_str_eq(name, nxe_str("shadow"))
        || nxe_str_eq(name, nxe_str("draft")))
    {
        here = nxe_at_key(at, "name");
        nxe_doc_fault(c, &here, nxe_tree_get(c->tree, "name"),
                      "a name that may be a salt, or \"hash\" with a \"salt\"");
    }
}


static void
nxe_doc_steps(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    nxe_doc_t    *doc;
    const cJSON  *element;

    (void) out;

    nxe_doc_names(c, at, value, key, NULL);

    if (!cJSON_IsArray(value) || value->child == NULL) {
        return;
    }

    doc = c->doc;
    doc->nsteps = 0;

    doc->steps = nxe_doc_calloc(c, nxe_doc_count(value, 1, NXE_STEPS_MAX),
                                sizeof(nxe_step_t));
    if (doc->steps == NULL) {
        return;
    }

    for (element = value->child;
         element != NULL && doc->nsteps < NXE_STEPS_MAX;
         element = element->next)
    {
        if (cJSON_IsString(element)) {
            doc->steps[doc->nsteps++].name = nxe_doc_copy(c,
                                                       element->valuestring);
        }
    }
}


static nxe_status_t
nxe_doc_default_step(nxe_doc_ctx_t *c)
{
    c->doc->steps = nxe_calloc(c->mem, sizeof(nxe_step_t));
    if (c->doc->steps == NULL) {
        return NXE_NOMEM;
    }

    c->doc->steps[0].name = nxe_str("default");
    c->doc->nsteps = 1;

    return NXE_OK;
}


static void
nxe_doc_risk(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    int  i;

    (void) key;
    (void) out;

    i = nxe_doc_one_of(c, at, value, nxe_risk_words);

    c->doc->risk_high = i >= 0 && strcmp(nxe_risk_words[i], "high") == 0;
}


static void
nxe_doc_stage(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    nxe_doc_stage_t  stage;

    (void) key;
    (void) out;

    memset(&stage, 0, sizeof(stage));

    (void) nxe_doc_object(c, at, value, nxe_stage_keys, "a stage", &stage);

    if (stage.name.data != NULL) {
        c->doc->stage = stage.name;
    }

    if (stage.exposure.den != 0) {
        c->doc->exposure = stage.exposure;
        c->doc->has_exposure = 1;
    }
}


static void
nxe_doc_observe(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    nxe_doc_bool(c, at, value, key, out);

    if (cJSON_IsTrue(value)) {
        nxe_doc_unbuilt(c, key->name);
    }
}


/* Stored as it is until the part that reads it is built. */

static void
nxe_doc_later(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    (void) out;

    if (!cJSON_IsObject(value) && !cJSON_IsArray(value)) {
        nxe_doc_fault(c, at, value, "an object or a list");
    }

    nxe_doc_unbuilt(c, key->name);
}


uint32_t
nxe_doc_variant(const nxe_doc_t *doc, nxe_str_t name)
{
    uint32_t  i;

    for (i = 0; i < doc->nvariants; i++) {
        if (nxe_str_eq(doc->variants[i].name, name)) {
            return i;
        }
    }

    return NXE_NONE;
}


uint32_t
nxe_doc_step(const nxe_doc_t *doc, nxe_str_t name)
{
    uint32_t  i;

    for (i = 0; i < doc->nsteps; i++) {
        if (nxe_str_eq(doc->steps[i].name, name)) {
            return i;
        }
    }

    return NXE_NONE;
}


void
nxe_faults_init(nxe_faults_t *faults, const nxe_mem_t *mem)
{
    faults->fault = NULL;
    faults->n = 0;
    faults->mem = mem;
}


/*
 * A fault that there is no memory for is counted and has no pointer, by
 * which nxe_doc_build() knows.
 */

void
nxe_faults_add(nxe_faults_t *faults, const char *pointer, int at_key,
    const char *found, const char *expected, const char *near)
{
    nxe_fault_t  *fault;

    if (faults->n++ >= NXE_FAULTS_MAX) {
        return;
    }

    if (faults->fault == NULL) {
        faults->fault = nxe_calloc(faults->mem,
                                   NXE_FAULTS_MAX * sizeof(nxe_fault_t));
        if (faults->fault == NULL) {
            return;
        }
    }

    fault = &faults->fault[faults->n - 1];
    fault->at_key = at_key ? 1 : 0;
    fault->found = nxe_faults_copy(faults, found);
    fault->expected = nxe_faults_copy(faults, expected);
    fault->near = nxe_faults_copy(faults, near);
    fault->pointer = nxe_faults_copy(faults, pointer);

    if (fault->expected == NULL && expected != NULL) {
        fault->pointer = NULL;
    }
}


static char *
nxe_faults_copy(nxe_faults_t *faults, const char *s)
{
    char    *copy;
    size_t   len;

    if (s == NULL) {
        return NULL;
    }

    len = strlen(s) + 1;

    copy = nxe_alloc(faults->mem, len);
    if (copy != NULL) {
        memcpy(copy, s, len);
    }

    return copy;
}
