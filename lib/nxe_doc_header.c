/*
 * Header names and values (SECURITY 9), and the header edits of a variant.
 */

#include <stdio.h>
#include <string.h>

#include "nxe_doc_int.h"


#define NXE_HEADER_VALUE_MAX  4096


/* A name that ends in "-" stands for all that begin so. */

typedef struct {
    const char         *name;
    const char         *what;
} nxe_header_rule_t;

/* One {"step", "request", "response"}, while it is read. */

typedef struct {
    uint32_t            step;
    nxe_variant_t      *variant;
    uint32_t            first;      /* the first of this object and side */
    unsigned            response:1;
} nxe_header_edit_t;


static void nxe_doc_header_each(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, void *out);
static void nxe_doc_header_side(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
static void nxe_doc_header_set(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
static void nxe_doc_header_remove(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
static void nxe_doc_header_add(nxe_doc_ctx_t *c, const nxe_at_t *at,
    int at_key, const cJSON *value, const char *name, const char *set,
    nxe_header_edit_t *edit);
static void nxe_doc_header_fault(nxe_doc_ctx_t *c, const nxe_at_t *at,
    int at_key, const cJSON *value, const char *expected);
static char nxe_header_fold(char ch);


static const nxe_header_rule_t  nxe_header_rules[] = {
    { "host", "routing" },
    { "content-", "framing" },
    { "transfer-encoding", "framing" },
    { "connection", "framing" },
    { "keep-alive", "framing" },
    { "te", "framing" },
    { "trailer", "framing" },
    { "upgrade", "framing" },
    { "expect", "framing" },
    { "authorization", "credentials" },
    { "proxy-", "the proxy" },
    { "cookie", "credentials" },
    { "set-cookie", "credentials" },
    { "x-api-key", "credentials" },
    { "api-key", "credentials" },
    { "x-forwarded-", "routing" },
    { "forwarded", "routing" },
    { "x-accel-", "nginx" },
    { "mcp-", "MCP" },
    { "x-experiment-", "the edge itself" }
};


static const nxe_doc_key_t  nxe_side_keys[] = {
    { "set", nxe_doc_header_set, NXE_KEY_LIVE, 0, NULL },
    { "remove", nxe_doc_header_remove, NXE_KEY_LIVE, 0, NULL },
    { NULL, NULL, 0, 0, NULL }
};

static const nxe_doc_key_t  nxe_header_keys[] = {

    nxe_key_kept("step", nxe_doc_step_ref, NXE_KEY_LIVE, nxe_header_edit_t,
                 step, NULL),
    { "request", nxe_doc_header_side, NXE_KEY_LIVE, 0, NULL },
    { "response", nxe_doc_header_side, NXE_KEY_LIVE, 0, "" },
    { NULL, NULL, 0, 0, NULL }
};


/*
 * What may not be touched is the same in both directions: a response's
 * framing, cookies and internal redirects are no more an experiment's than a
 * request's.  Many servers behind us read "_" as "-", so we do too.
 */

const char *
nxe_header_refused(nxe_str_t lower, int response)
{
    size_t                    i, j, n;
    const nxe_header_rule_t  *rule;

    (void) response;

    for (i = 0; i < sizeof(nxe_header_rules) / sizeof(nxe_header_rules[0]);
         i++)
    {
        rule = &nxe_header_rules[i];
        n = strlen(rule->name);

        if (lower.len < n || (lower.len > n && rule->name[n - 1] != '-')) {
            continue;
        }

        for (j = 0; j < n; j++) {
            if (nxe_header_fold(lower.data[j]) != rule->name[j]) {
                break;
            }
        }

        if (j == n) {
            return rule->what;
        }
    }

    return NULL;
}


static char
nxe_header_fold(char ch)
{
    return ch == '_' ? '-' : ch;
}


int
nxe_header_ours(nxe_str_t name)
{
    char    ch;
    size_t  i;

    static const char  prefix[] = "x-experiment-";

    if (name.len < sizeof(prefix) - 1) {
        return 0;
    }

    for (i = 0; i < sizeof(prefix) - 1; i++) {
        ch = nxe_header_fold(name.data[i]);

        if (ch >= 'A' && ch <= 'Z') {
            ch = (char) (ch | 0x20);
        }

        if (ch != prefix[i]) {
            return 0;
        }
    }

    return 1;
}


int
nxe_header_name_ok(nxe_str_t name)
{
    char    ch;
    size_t  i;

    if (name.len == 0) {
        return 0;
    }

    for (i = 0; i < name.len; i++) {
        ch = name.data[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
              || (ch >= '0' && ch <= '9')
              || (ch != '\0' && strchr("!#$%&'*+-.^_`|~", ch) != NULL)))
        {
            return 0;
        }
    }

    return 1;
}


int
nxe_header_value_ok(nxe_str_t value)
{
    size_t         i;
    unsigned char  ch;

    if (value.len > NXE_HEADER_VALUE_MAX) {
        return 0;
    }

    for (i = 0; i < value.len; i++) {
        ch = (unsigned char) value.data[i];

        if (ch != '\t' && (ch < 0x20 || ch > 0x7e)) {
            return 0;
        }
    }

    return 1;
}


void
nxe_doc_headers(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    int                levels;
    nxe_header_edit_t  edit;

    (void) key;

    memset(&edit, 0, sizeof(edit));

    /* below "request" and "set"; a list's objects are a level deeper */

    levels = cJSON_IsArray(value) ? 4 : 3;

    edit.variant = out;
    edit.variant->headers = nxe_doc_calloc(c, nxe_doc_count(value, levels,
                                                            NXE_LIST_MAX),
                                           sizeof(nxe_header_t));
    if (edit.variant->headers != NULL) {
        nxe_doc_objects(c, at, value, nxe_doc_header_each, &edit);
    }
}


static void
nxe_doc_header_each(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    void *out)
{
    nxe_header_edit_t  *edit;

    edit = out;
    edit->step = NXE_NONE;

    (void) nxe_doc_object(c, at, value, nxe_header_keys, "a header edit",
                          edit);
}


static void
nxe_doc_header_side(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    nxe_header_edit_t  *edit;

    edit = out;
    edit->response = key->arg != NULL;
    edit->first = edit->variant->nheaders;

    (void) nxe_doc_object(c, at, value, nxe_side_keys,
                          edit->response ? "response headers"
                                         : "request headers", edit);
}


static void
nxe_doc_header_set(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    nxe_at_t      here;
    const cJSON  *member;

    (void) key;

    if (!cJSON_IsObject(value)) {
        nxe_doc_fault(c, at, value, "an object, {HEADER: VALUE}");
        return;
    }

    for (member = value->child; member != NULL; member = member->next) {
        here = nxe_at_key(at, member->string);

        if (!cJSON_IsString(member)) {
            nxe_doc_fault(c, &here, member, "a string");
            continue;
        }

        if (!nxe_header_value_ok(nxe_str_of(member->valuestring))) {
            nxe_doc_fault(c, &here, member,
                          "printable ASCII and tab, at most 4096 bytes");
            continue;
        }

        nxe_doc_header_add(c, &here, 1, NULL, member->string,
                           member->valuestring, out);
    }
}


static void
nxe_doc_header_remove(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out)
{
    size_t        i;
    nxe_at_t      here;
    const cJSON  *element;

    (void) key;

    if (!nxe_doc_array(c, at, value, 0, NXE_LIST_MAX,
                       "a list of header names"))
    {
        return;
    }

    i = 0;

    for (element = value->child; element != NULL; element = element->next) {
        here = nxe_at_index(at, i++);

        if (!cJSON_IsString(element)) {
            nxe_doc_fault(c, &here, element, "a header name");
            continue;
        }

        nxe_doc_header_add(c, &here, 0, element, element->valuestring, NULL,
                           out);
    }
}


static void
nxe_doc_header_add(nxe_doc_ctx_t *c, const nxe_at_t *at, int at_key,
    const cJSON *value, const char *name, const char *set,
    nxe_header_edit_t *edit)
{
    uint32_t        i;
    nxe_str_t       lower;
    const char     *refused;
    char            expected[64];
    nxe_header_t   *header;
    nxe_variant_t  *v;

    v = edit->variant;

    if (!nxe_header_name_ok(nxe_str_of(name))) {
        nxe_doc_header_fault(c, at, at_key, value,
                             "a header name, letters digits and -");
        return;
    }

    lower = nxe_doc_lower(c, nxe_str_of(name));

    refused = nxe_header_refused(lower, edit->response);
    if (refused != NULL) {
        snprintf(expected, sizeof(expected),
                 "another header: this one is for %s", refused);
        nxe_doc_header_fault(c, at, at_key, value, expected);
        return;
    }

    for (i = edit->first; i < v->nheaders; i++) {
        if (nxe_str_eq(v->headers[i].lower, lower)) {
            nxe_doc_header_fault(c, at, at_key, value, "each header once");
            return;
        }
    }

    if (v->nheaders == NXE_LIST_MAX) {
        nxe_doc_header_fault(c, at, at_key, value,
                             "at most 64 header edits in a variant");
        return;
    }

    header = &v->headers[v->nheaders++];
    header->step = edit->step;
    header->response = edit->response;
    header->remove = set == NULL;
    header->name = nxe_doc_copy(c, name);
    header->lower = lower;
    header->value = set == NULL ? nxe_str("") : nxe_doc_copy(c, set);
}


static void
nxe_doc_header_fault(nxe_doc_ctx_t *c, const nxe_at_t *at, int at_key,
    const cJSON *value, const char *expected)
{
    if (at_key) {
        nxe_doc_fault_key(c, at, expected, NULL);

    } else {
        nxe_doc_fault(c, at, value, expected);
    }
}
