/*
 * Sources of values, and what is randomised: unit, hash, layer.
 */

#include <string.h>

#include <nxe/trust.h>

#include "nxe_doc_int.h"


typedef int (*nxe_source_form_pt)(nxe_str_t name);

typedef struct {
    const char         *prefix;
    nxe_source_type_t   type;
    nxe_source_form_pt  form;
    const char         *expected;   /* when form says no */
} nxe_source_kind_t;


static const char *nxe_source_read(nxe_str_t s, nxe_source_t *source);
static int nxe_source_token(nxe_str_t name);
static int nxe_source_arg(nxe_str_t name);
static int nxe_source_pointer(nxe_str_t name);
static int nxe_source_text(nxe_str_t name);
static int nxe_source_empty(nxe_str_t name);
static int nxe_source_session(nxe_str_t name);
static void nxe_doc_unit_sources(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
static void nxe_doc_unit_trust(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
static void nxe_doc_unit_risk(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value);
static void nxe_doc_algorithm(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
static void nxe_doc_salt(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
static void nxe_doc_layer_range(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);


static const char *const  nxe_trust_words[] = { "client", NULL };

static const char *const  nxe_algorithm_words[] = {
    "sha256", "growthbook-v1", "growthbook-v2", "unleash", "flagd",
    "tensorzero", "split_clients", NULL
};


static const nxe_source_kind_t  nxe_source_kinds[] = {

    { "header:", NXE_SOURCE_HEADER, nxe_source_token,
      "a header name behind \"header:\"" },

    { "cookie:", NXE_SOURCE_COOKIE, nxe_source_token,
      "a cookie name behind \"cookie:\"" },

    { "arg:", NXE_SOURCE_ARG, nxe_source_arg,
      "an argument name behind \"arg:\"" },

    { "var:", NXE_SOURCE_VAR, nxe_variable_ok,
      "an nginx variable without \"$\" behind \"var:\"" },

    { "json:", NXE_SOURCE_JSON, nxe_source_pointer,
      "a JSON Pointer such as \"/user\" behind \"json:\"" },

    { "jwt:", NXE_SOURCE_JWT, nxe_source_text,
      "a claim behind \"jwt:\"" },

    { "auth:", NXE_SOURCE_AUTH, nxe_source_empty,
      "nothing behind \"auth:\"" },

    { "mcp:", NXE_SOURCE_MCP, nxe_source_session,
      "\"mcp:session\"" }
};

#define NXE_SOURCE_KINDS                                                      \
    (sizeof(nxe_source_kinds) / sizeof(nxe_source_kinds[0]))


static const nxe_doc_key_t  nxe_unit_keys[] = {

    nxe_key_kept("type", nxe_doc_name, NXE_KEY_LIVE, nxe_doc_t, unit_type,
                 NULL),
    { "sources", nxe_doc_unit_sources, NXE_KEY_REQUIRED|NXE_KEY_LIVE, 0,
      NULL },
    { "trust", nxe_doc_unit_trust, NXE_KEY_LIVE, 0, NULL },
    { NULL, NULL, 0, 0, NULL }
};

static const nxe_doc_key_t  nxe_hash_keys[] = {
    { "algorithm", nxe_doc_algorithm, NXE_KEY_LIVE, 0, NULL },
    { "salt", nxe_doc_salt, NXE_KEY_LIVE, 0, NULL },
    { NULL, NULL, 0, 0, NULL }
};

static const nxe_doc_key_t  nxe_layer_keys[] = {

    nxe_key_kept("name", nxe_doc_name, NXE_KEY_REQUIRED|NXE_KEY_LIVE,
                 nxe_doc_t, layer, NULL),
    { "range", nxe_doc_layer_range, NXE_KEY_LIVE, 0, NULL },
    { NULL, NULL, 0, 0, NULL }
};


nxe_status_t
nxe_source_parse(nxe_str_t s, const nxe_mem_t *mem, nxe_source_t *source)
{
    char          *p;
    size_t         i;
    nxe_source_t   parsed;

    if (nxe_source_read(s, &parsed) != NULL) {
        return NXE_INVALID;
    }

    if (parsed.type == NXE_SOURCE_HEADER) {
        p = nxe_calloc(mem, parsed.name.len + 1);
        if (p == NULL) {
            return NXE_NOMEM;
        }

        for (i = 0; i < parsed.name.len; i++) {
            p[i] = parsed.name.data[i];

            if (p[i] >= 'A' && p[i] <= 'Z') {
                p[i] = (char) (p[i] | 0x20);
            }
        }

        parsed.name.data = p;
    }

    *source = parsed;

    return NXE_OK;
}


/* Borrows the name.  NULL, or what was expected. */

static const char *
nxe_source_read(nxe_str_t s, nxe_source_t *source)
{
    size_t                    i, n;
    const nxe_source_kind_t  *kind;

    for (i = 0; i < NXE_SOURCE_KINDS; i++) {
        kind = &nxe_source_kinds[i];
        n = strlen(kind->prefix);

        if (s.len < n || memcmp(s.data, kind->prefix, n) != 0) {
            continue;
        }

        source->type = kind->type;
        source->name.data = s.data + n;
        source->name.len = s.len - n;

        return kind->form(source->name) ? NULL : kind->expected;
    }

    return "a source: header:NAME cookie:NAME arg:NAME var:NAME json:/POINTER "
           "jwt:CLAIM auth: mcp:session";
}


static int
nxe_source_token(nxe_str_t name)
{
    return name.len <= NXE_UNIT_MAX && nxe_header_name_ok(name);
}


static int
nxe_source_arg(nxe_str_t name)
{
    size_t  i;

    for (i = 0; i < name.len; i++) {
        if (name.data[i] <= ' ' || name.data[i] == 0x7f
            || strchr("&=#", name.data[i]) != NULL)
        {
            return 0;
        }
    }

    return nxe_source_text(name);
}


int
nxe_variable_ok(nxe_str_t name)
{
    size_t  i;
    char    ch;

    for (i = 0; i < name.len; i++) {
        ch = name.data[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
              || (ch >= '0' && ch <= '9') || ch == '_'))
        {
            return 0;
        }
    }

    return nxe_source_text(name);
}


/* The root is no source: it is an object in every dialect. */

static int
nxe_source_pointer(nxe_str_t name)
{
    return nxe_source_text(name) && nxe_json_pointer_check(name) == NXE_OK;
}


static int
nxe_source_text(nxe_str_t name)
{
    return name.len > 0 && name.len <= NXE_UNIT_MAX;
}


static int
nxe_source_empty(nxe_str_t name)
{
    return name.len == 0;
}


static int
nxe_source_session(nxe_str_t name)
{
    return nxe_str_eq(name, nxe_str("session"));
}


/* A source, into a nxe_source_t. */

void
nxe_doc_source(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    size_t         i;
    char           prefix[16];
    const char    *colon, *expected;
    nxe_near_t     near;
    nxe_source_t   source;

    (void) key;

    if (!cJSON_IsString(value)) {
        nxe_doc_fault(c, at, value,
                      "a source, a string such as \"header:X-User\"");
        return;
    }

    expected = nxe_source_read(nxe_str_of(value->valuestring), &source);

    if (expected == NULL) {
        if (out != NULL) {
            source.name = source.type == NXE_SOURCE_HEADER
                          ? nxe_doc_lower(c, source.name)
                          : nxe_doc_copy(c, source.name.data);
            *(nxe_source_t *) out = source;
        }

        return;
    }

    prefix[0] = '\0';
    colon = strchr(value->valuestring, ':');

    if (colon != NULL && colon - value->valuestring < 14) {
        memcpy(prefix, value->valuestring, colon - value->valuestring + 1);
        prefix[colon - value->valuestring + 1] = '\0';
    }

    nxe_near_init(&near, prefix);

    for (i = 0; i < NXE_SOURCE_KINDS; i++) {
        nxe_near_try(&near, nxe_source_kinds[i].prefix);
    }

    if (near.best != NULL && near.distance == 0
        && strcmp(near.best, prefix) == 0)
    {
        near.best = NULL;
    }

    nxe_doc_fault_near(c, at, value, expected, near.best);
}


/* "header:X-Id" is short for {"sources": ["header:X-Id"]}. */

void
nxe_doc_unit(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    nxe_doc_t  *doc;

    (void) key;
    (void) out;

    doc = c->doc;

    if (cJSON_IsObject(value)) {
        (void) nxe_doc_object(c, at, value, nxe_unit_keys, "a unit", doc);
        nxe_doc_unit_risk(c, at, value);
        return;
    }

    if (!cJSON_IsString(value)) {
        nxe_doc_fault(c, at, value, "a source such as \"header:X-User\", or "
                      "{\"type\", \"sources\"}");
        return;
    }

    doc->sources = nxe_doc_calloc(c, 1, sizeof(nxe_source_t));
    if (doc->sources == NULL) {
        return;
    }

    nxe_doc_source(c, at, value, NULL, doc->sources);

    if (doc->sources[0].name.data != NULL) {
        doc->nsources = 1;
    }

    nxe_doc_unit_risk(c, at, value);
}


static void
nxe_doc_unit_sources(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out)
{
    uint32_t       i, n;
    nxe_at_t       here;
    nxe_doc_t     *doc;
    const cJSON   *element;
    nxe_source_t   source;

    (void) key;
    (void) out;

    doc = c->doc;

    if (!nxe_doc_array(c, at, value, 1, NXE_SOURCES_MAX,
                       "a list of sources, tried in order"))
    {
        return;
    }

    doc->sources = nxe_doc_calloc(c, nxe_doc_count(value, 1, NXE_SOURCES_MAX),
                                  sizeof(nxe_source_t));
    if (doc->sources == NULL) {
        return;
    }

    n = 0;

    for (element = value->child; element != NULL; element = element->next) {
        here = nxe_at_index(at, n);

        memset(&source, 0, sizeof(source));
        nxe_doc_source(c, &here, element, NULL, &source);

        for (i = 0; i < n; i++) {
            if (source.name.data != NULL
                && doc->sources[i].name.data != NULL
                && doc->sources[i].type == source.type
                && nxe_str_eq(doc->sources[i].name, source.name))
            {
                nxe_doc_fault(c, &here, element,
                              "a source that is not there yet");
                break;
            }
        }

        doc->sources[n++] = source;
    }

    doc->nsources = n;
}


static void
nxe_doc_unit_trust(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    (void) key;
    (void) out;

    /* a word that is not one is one fault, not two */
    c->doc->trust_client = 1;

    (void) nxe_doc_one_of(c, at, value, nxe_trust_words);
}


/*
 * A client that chooses its unit chooses its variant: where that is a high
 * risk, the document says that it knows (SECURITY 2).
 */

static void
nxe_doc_unit_risk(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value)
{
    int        client;
    uint32_t   i;
    nxe_at_t   here;

    for (i = 0, client = 0; i < c->doc->nsources; i++) {
        client |= nxe_source_client(&c->doc->sources[i]);

        if (c->doc->sources[i].type == NXE_SOURCE_MCP) {
            nxe_doc_unbuilt(c, "unit.sources");
        }
    }

    if (client && nxe_doc_wants_verified(c->doc)) {
        here = cJSON_IsObject(value) ? nxe_at_key(at, "trust") : *at;

        nxe_doc_fault(c, &here, cJSON_IsObject(value) ? NULL : value,
                      "\"trust\": \"client\" in unit: the risk is high, and "
                      "a client could choose its variant");
    }
}


void
nxe_doc_hash(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    (void) key;

    (void) nxe_doc_object(c, at, value, nxe_hash_keys, "a hash", out);
}


static void
nxe_doc_algorithm(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    (void) key;
    (void) out;

    if (nxe_doc_one_of(c, at, value, nxe_algorithm_words) > 0) {
        nxe_doc_unbuilt(c, "hash.algorithm");
    }
}


/*
 * A salt with a colon, or one of these words, could make two random
 * decisions hash the same text (STATISTICS 2).
 */

static void
nxe_doc_salt(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    const char  *s;

    (void) key;
    (void) out;

    c->salt_given = 1;

    if (!cJSON_IsString(value)) {
        nxe_doc_fault(c, at, value, "a string");
        return;
    }

    s = value->valuestring;

    if (strchr(s, ':') != NULL) {
        nxe_doc_fault(c, at, value, "a salt without \":\"");
        return;
    }

    if (strcmp(s, "layer") == 0 || strcmp(s, "shadow") == 0
        || strcmp(s, "draft") == 0)
    {
        nxe_doc_fault(c, at, value,
                      "another salt: layer, shadow and draft are taken");
        return;
    }

    c->doc->salt = nxe_doc_copy(c, s);
}


void
nxe_doc_layer(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    nxe_doc_key_t  name;

    (void) key;
    (void) out;

    if (cJSON_IsString(value)) {
        name = nxe_layer_keys[0];
        nxe_doc_name(c, at, value, &name, &c->doc->layer);
        return;
    }

    if (!cJSON_IsObject(value)) {
        nxe_doc_fault(c, at, value,
                      "a layer's name, or {\"name\", \"range\"}");
        return;
    }

    (void) nxe_doc_object(c, at, value, nxe_layer_keys, "a layer", c->doc);
}


static void
nxe_doc_layer_range(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out)
{
    nxe_frac_t  from, to;

    (void) key;
    (void) out;

    if (!cJSON_IsArray(value) || cJSON_GetArraySize(value) != 2
        || !cJSON_IsNumber(value->child)
        || !cJSON_IsNumber(value->child->next)
        || nxe_frac_parse(nxe_str_of(value->child->valuestring), &from)
           != NXE_OK
        || nxe_frac_parse(nxe_str_of(value->child->next->valuestring), &to)
           != NXE_OK
        || nxe_frac_cmp(from, to) >= 0)
    {
        nxe_doc_fault(c, at, value, "[FROM, TO], 0 <= FROM < TO <= 1, at "
                      "most nine digits");
        return;
    }

    c->doc->layer_from = from;
    c->doc->layer_to = to;
}
