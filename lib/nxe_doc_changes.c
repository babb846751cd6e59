/*
 * What a variant changes: parameters, route, MCP server, tools.
 */

#include <stdio.h>
#include <string.h>

#include "nxe_doc_int.h"


/* One {"value", "when"}, while it is read. */

typedef struct {
    const cJSON        *value;
    int                 absent;
} nxe_when_t;

typedef struct {
    uint32_t            step;
    nxe_str_t           upstream;
    nxe_str_t           server;
} nxe_place_edit_t;


static void nxe_doc_override_step(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, uint32_t step, nxe_variant_t *v);
static void nxe_doc_override(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, nxe_override_t *o);
static void nxe_doc_when(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
static void nxe_doc_step_fault(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const char *name);
static void nxe_doc_route_each(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, void *out);
static void nxe_doc_mcp_each(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, void *out);
static void nxe_doc_tools_each(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, void *out);
static void nxe_doc_globs(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);


const char *const  nxe_param_words[] = {
    "system", "temperature", "top_p", "max_tokens", "model", "verbosity",
    NULL
};

static const char *const  nxe_when_words[] = { "absent", NULL };


static const nxe_doc_key_t  nxe_when_keys[] = {

    nxe_key_kept("value", nxe_doc_node, NXE_KEY_REQUIRED|NXE_KEY_LIVE,
                 nxe_when_t, value, NULL),
    nxe_key_kept("when", nxe_doc_when, NXE_KEY_REQUIRED|NXE_KEY_LIVE,
                 nxe_when_t, absent, NULL),
    { NULL, NULL, 0, 0, NULL }
};

static const nxe_doc_key_t  nxe_route_keys[] = {

    nxe_key_kept("step", nxe_doc_step_ref, NXE_KEY_LIVE, nxe_place_edit_t,
                 step, NULL),
    nxe_key_kept("upstream", nxe_doc_name, NXE_KEY_REQUIRED|NXE_KEY_LIVE,
                 nxe_place_edit_t, upstream, NULL),
    { NULL, NULL, 0, 0, NULL }
};

static const nxe_doc_key_t  nxe_mcp_keys[] = {

    nxe_key_kept("step", nxe_doc_step_ref, NXE_KEY_LIVE, nxe_place_edit_t,
                 step, NULL),
    nxe_key_kept("server", nxe_doc_name, NXE_KEY_REQUIRED|NXE_KEY_LIVE,
                 nxe_place_edit_t, server, NULL),
    { NULL, NULL, 0, 0, NULL }
};

static const nxe_doc_key_t  nxe_tools_keys[] = {

    nxe_key_kept("step", nxe_doc_step_ref, NXE_KEY_LIVE, nxe_place_edit_t,
                 step, NULL),
    { "allow", nxe_doc_globs, NXE_KEY_LIVE, 0, NULL },
    { "deny", nxe_doc_globs, NXE_KEY_LIVE, 0, NULL },
    { NULL, NULL, 0, 0, NULL }
};


const char *
nxe_param_name(nxe_param_t param)
{
    return param < NXE_PARAMS ? nxe_param_words[param] : "";
}


void
nxe_doc_overrides(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    uint32_t        step;
    nxe_at_t        here;
    const cJSON    *member;
    nxe_variant_t  *v;

    (void) key;

    v = out;

    if (!cJSON_IsObject(value)) {
        nxe_doc_fault(c, at, value, "an object, {STEP: {PARAMETER: VALUE}}");
        return;
    }

    v->overrides = nxe_doc_calloc(c, nxe_doc_count(value, 2, NXE_STEPS_MAX
                                                             * NXE_PARAMS),
                                  sizeof(nxe_override_t));
    if (v->overrides == NULL) {
        return;
    }

    for (member = value->child; member != NULL; member = member->next) {
        here = nxe_at_key(at, member->string);
        step = nxe_doc_step(c->doc, nxe_str_of(member->string));

        if (step == NXE_NONE) {
            nxe_doc_step_fault(c, &here, NULL, member->string);
            continue;
        }

        nxe_doc_override_step(c, &here, member, step, v);
    }
}


static void
nxe_doc_override_step(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, uint32_t step, nxe_variant_t *v)
{
    int              i;
    nxe_at_t         here;
    nxe_near_t       near;
    const cJSON     *member;
    nxe_override_t  *o;

    if (!cJSON_IsObject(value)) {
        nxe_doc_fault(c, at, value, "an object, {PARAMETER: VALUE}");
        return;
    }

    for (member = value->child;
         member != NULL && !nxe_doc_enough(c);
         member = member->next)
    {
        here = nxe_at_key(at, member->string);
        nxe_near_init(&near, member->string);

        for (i = 0; i < NXE_PARAMS; i++) {
            if (strcmp(member->string, nxe_param_words[i]) == 0) {
                break;
            }

            nxe_near_try(&near, nxe_param_words[i]);
        }

        if (i == NXE_PARAMS) {
            nxe_doc_fault_key(c, &here, "one of system temperature top_p "
                              "max_tokens model verbosity", near.best);
            continue;
        }

        o = &v->overrides[v->noverrides++];
        o->step = step;
        o->param = (uint8_t) i;

        nxe_doc_override(c, &here, member, o);
    }
}


/* A value, or {"value": VALUE, "when": "absent"}. */

static void
nxe_doc_override(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    nxe_override_t *o)
{
    nxe_at_t    here;
    nxe_when_t  when;

    here = *at;

    /* in the serving form a bare value is an object too */
    if (cJSON_IsObject(value)
        && (c->form == NXE_DOC_FULL || nxe_tree_get(value, "at") == NULL))
    {
        memset(&when, 0, sizeof(when));

        (void) nxe_doc_object(c, at, value, nxe_when_keys,
                              "an override with \"when\"", &when);

        if (when.value == NULL) {
            return;
        }

        o->if_absent = (uint8_t) when.absent;
        here = nxe_at_key(at, "value");
        value = when.value;
    }

    nxe_doc_param_value(c, &here, value, (nxe_param_t) o->param, &o->value);
}


void
nxe_doc_node(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    (void) c;
    (void) at;
    (void) key;

    *(const cJSON **) out = value;
}


static void
nxe_doc_when(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    (void) key;

    *(int *) out = nxe_doc_one_of(c, at, value, nxe_when_words) == 0;
}


void
nxe_doc_step_ref(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    uint32_t  step;

    (void) key;

    if (!cJSON_IsString(value)) {
        nxe_doc_fault(c, at, value, "a step in scope");
        return;
    }

    step = nxe_doc_step(c->doc, nxe_str_of(value->valuestring));

    if (step == NXE_NONE) {
        nxe_doc_step_fault(c, at, value, value->valuestring);
        return;
    }

    *(uint32_t *) out = step;
}


/* value is NULL where the name is a key. */

static void
nxe_doc_step_fault(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const char *name)
{
    char        text[256];
    size_t      n;
    uint32_t    i;
    nxe_near_t  near;

    if (nxe_doc_enough(c)) {
        c->faults->n++;
        return;
    }

    nxe_near_init(&near, name);

    for (i = 0; i < c->doc->nsteps; i++) {
        nxe_near_try(&near, c->doc->steps[i].name.data);
    }

    n = snprintf(text, sizeof(text), "a step in scope");

    /* what is near is said instead of all that there are */

    for (i = 0; near.best == NULL && i < c->doc->nsteps && n < sizeof(text);
         i++)
    {
        n += snprintf(text + n, sizeof(text) - n, "%s %s", i == 0 ? ":" : "",
                      c->doc->steps[i].name.data);
    }

    if (n >= sizeof(text)) {
        snprintf(text, sizeof(text), "a step in scope: one of %u in "
                 "\"steps\"", c->doc->nsteps);
    }

    if (value == NULL) {
        nxe_doc_fault_key(c, at, text, near.best);

    } else {
        nxe_doc_fault_near(c, at, value, text, near.best);
    }
}


void
nxe_doc_objects(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    nxe_doc_each_pt each, void *out)
{
    size_t        i;
    nxe_at_t      here;
    const cJSON  *element;

    if (!cJSON_IsArray(value)) {
        each(c, at, value, out);
        return;
    }

    if (!nxe_doc_array(c, at, value, 0, NXE_LIST_MAX, "a list of objects")) {
        return;
    }

    i = 0;

    for (element = value->child; element != NULL; element = element->next) {
        here = nxe_at_index(at, i++);
        each(c, &here, element, out);
    }
}


void
nxe_doc_route(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    nxe_variant_t  *v;

    (void) key;

    v = out;
    v->routes = nxe_doc_calloc(c, cJSON_IsArray(value)
                                  ? nxe_doc_count(value, 1, NXE_LIST_MAX) : 1,
                               sizeof(nxe_route_t));

    if (v->routes != NULL) {
        nxe_doc_objects(c, at, value, nxe_doc_route_each, v);
    }
}


static void
nxe_doc_route_each(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    void *out)
{
    uint32_t           i;
    nxe_variant_t     *v;
    nxe_place_edit_t   edit;

    v = out;
    memset(&edit, 0, sizeof(edit));
    edit.step = NXE_NONE;

    (void) nxe_doc_object(c, at, value, nxe_route_keys, "a route", &edit);

    if (edit.step == NXE_NONE && nxe_tree_get(value, "step") != NULL) {
        return;                     /* a fault already */
    }

    for (i = 0; i < v->nroutes; i++) {
        if (v->routes[i].step == edit.step) {
            nxe_doc_fault(c, at, value, "one route for each step");
            return;
        }
    }

    v->routes[v->nroutes].step = edit.step;
    v->routes[v->nroutes++].upstream = edit.upstream;
}


void
nxe_doc_mcp(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    nxe_variant_t  *v;

    (void) key;

    v = out;
    v->mcp = 1;
    nxe_doc_unbuilt(c, "variants.mcp");

    nxe_doc_objects(c, at, value, nxe_doc_mcp_each, NULL);
}


static void
nxe_doc_mcp_each(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    void *out)
{
    nxe_place_edit_t  edit;

    (void) out;

    (void) nxe_doc_object(c, at, value, nxe_mcp_keys, "an MCP server", &edit);
}


void
nxe_doc_tools(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    nxe_variant_t  *v;

    (void) key;

    v = out;
    v->tools = 1;
    nxe_doc_unbuilt(c, "variants.tools");

    nxe_doc_objects(c, at, value, nxe_doc_tools_each, NULL);
}


static void
nxe_doc_tools_each(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    void *out)
{
    nxe_place_edit_t  edit;

    (void) out;

    if (nxe_doc_object(c, at, value, nxe_tools_keys, "tools", &edit)
        && (value->child == NULL
            || (value->child->next == NULL
                && nxe_tree_get(value, "step") != NULL)))
    {
        nxe_doc_fault(c, at, value, "\"allow\" or \"deny\"");
    }
}


static void
nxe_doc_globs(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    size_t        i;
    nxe_at_t      here;
    const cJSON  *element;

    (void) key;
    (void) out;

    if (!nxe_doc_array(c, at, value, 0, NXE_VALUES_MAX,
                       "a list of patterns such as \"search_*\""))
    {
        return;
    }

    i = 0;

    for (element = value->child; element != NULL; element = element->next) {
        here = nxe_at_index(at, i++);

        if (!cJSON_IsString(element) || element->valuestring[0] == '\0') {
            nxe_doc_fault(c, &here, element, "a pattern such as \"search_*\"");
        }
    }
}
