/*
 * Tables of keys, faults with their place, and values of one kind.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "nxe_doc_int.h"


#define NXE_POINTER_MAX    65536
#define NXE_FOUND_MAX      40
#define NXE_EXPECTED_MAX   256
#define NXE_MEMBERS_MAX    1000


static void nxe_doc_unknown(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const nxe_doc_key_t *keys, const char *what);
static int nxe_doc_legal(const nxe_doc_ctx_t *c, const nxe_doc_key_t *key);
static void nxe_doc_fault_add(nxe_doc_ctx_t *c, const nxe_at_t *at,
    int at_key, const cJSON *value, const char *expected, const char *near);
static void nxe_doc_pointer(const nxe_at_t *at, nxe_buf_t *out);
static void nxe_doc_found(const cJSON *value, nxe_buf_t *out);
static void nxe_doc_found_string(const char *s, nxe_buf_t *out);


int
nxe_doc_object(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *keys, const char *what, void *out)
{
    nxe_at_t              here;
    const cJSON          *member;
    const nxe_doc_key_t  *key;

    if (!cJSON_IsObject(value)) {
        nxe_doc_faultf(c, at, value, "%s, an object", what);
        return 0;
    }

    for (key = keys; key->name != NULL; key++) {

        if (!nxe_doc_legal(c, key)) {
            continue;
        }

        here = nxe_at_key(at, key->name);
        member = nxe_tree_get(value, key->name);

        if (member != NULL) {
            key->check(c, &here, member, key,
                       key->flags & NXE_KEY_KEPT
                       ? (char *) out + key->offset : out);
            continue;
        }

        if (key->flags & NXE_KEY_REQUIRED) {
            nxe_doc_faultf(c, &here, NULL, "\"%s\", which is required",
                           key->name);
        }
    }

    for (member = value->child; member != NULL; member = member->next) {

        for (key = keys; key->name != NULL; key++) {
            if (nxe_doc_legal(c, key)
                && strcmp(key->name, member->string) == 0)
            {
                break;
            }
        }

        if (key->name == NULL) {
            here = nxe_at_key(at, member->string);
            nxe_doc_unknown(c, &here, keys, what);
        }
    }

    return 1;
}


/* Names the keys that there are, where they fit into a line. */

static void
nxe_doc_unknown(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const nxe_doc_key_t *keys, const char *what)
{
    size_t                n;
    char                  text[NXE_EXPECTED_MAX];
    nxe_near_t            near;
    const nxe_doc_key_t  *key;

    if (nxe_doc_enough(c)) {
        c->faults->n++;
        return;
    }

    nxe_near_init(&near, at->key);

    n = snprintf(text, sizeof(text), "a key of %s:", what);

    for (key = keys; key->name != NULL; key++) {

        if (!nxe_doc_legal(c, key)) {
            continue;
        }

        nxe_near_try(&near, key->name);

        if (n < sizeof(text)) {
            n += snprintf(text + n, sizeof(text) - n, " %s", key->name);
        }
    }

    if (near.best != NULL || n >= sizeof(text)) {
        snprintf(text, sizeof(text), "a key of %s", what);
    }

    nxe_doc_fault_key(c, at, text, near.best);
}


static int
nxe_doc_legal(const nxe_doc_ctx_t *c, const nxe_doc_key_t *key)
{
    return c->form == NXE_DOC_FULL || (key->flags & NXE_KEY_LIVE);
}


int
nxe_doc_array(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    size_t min, size_t max, const char *expected)
{
    size_t        n;
    const cJSON  *element;

    n = 0;

    if (cJSON_IsArray(value)) {
        for (element = value->child; element != NULL; element = element->next)
        {
            n++;
        }

        if (n >= min && n <= max) {
            return 1;
        }
    }

    if (cJSON_IsArray(value) && n > max) {
        nxe_doc_faultf(c, at, value, "%s, at most %zu", expected, max);

    } else {
        nxe_doc_fault(c, at, value, expected);
    }

    return 0;
}


void
nxe_doc_fault(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const char *expected)
{
    nxe_doc_fault_add(c, at, 0, value, expected, NULL);
}


void
nxe_doc_fault_near(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const char *expected, const char *near)
{
    nxe_doc_fault_add(c, at, 0, value, expected, near);
}


void
nxe_doc_fault_key(nxe_doc_ctx_t *c, const nxe_at_t *at, const char *expected,
    const char *near)
{
    nxe_doc_fault_add(c, at, 1, NULL, expected, near);
}


void
nxe_doc_faultf(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const char *fmt, ...)
{
    char     expected[NXE_EXPECTED_MAX];
    va_list  args;

    va_start(args, fmt);
    vsnprintf(expected, sizeof(expected), fmt, args);
    va_end(args);

    nxe_doc_fault_add(c, at, 0, value, expected, NULL);
}


static void
nxe_doc_fault_add(nxe_doc_ctx_t *c, const nxe_at_t *at, int at_key,
    const cJSON *value, const char *expected, const char *near)
{
    nxe_buf_t    pointer, found;
    const char  *text;

    if (nxe_doc_enough(c)) {
        c->faults->n++;
        return;
    }

    nxe_buf_init(&pointer, NXE_POINTER_MAX);
    nxe_buf_init(&found, NXE_POINTER_MAX);

    nxe_doc_pointer(at, &pointer);
    (void) nxe_buf_addc(&pointer, '\0');

    text = NULL;

    if (at_key || value != NULL) {
        if (at_key) {
            nxe_doc_found_string(at->key, &found);

        } else {
            nxe_doc_found(value, &found);
        }

        (void) nxe_buf_addc(&found, '\0');
        text = found.data;
    }

    if (pointer.status == NXE_NOMEM || found.status == NXE_NOMEM) {
        c->nomem = 1;

    } else {
        nxe_faults_add(c->faults,
                       pointer.status == NXE_OK ? pointer.data : "",
                       at_key, found.status == NXE_OK ? text : NULL,
                       expected, near);
    }

    nxe_buf_free(&pointer);
    nxe_buf_free(&found);
}


/* The chain has as many links as tables are nested: a handful. */

static void
nxe_doc_pointer(const nxe_at_t *at, nxe_buf_t *out)
{
    const char  *p;

    if (at->up == NULL) {
        return;
    }

    nxe_doc_pointer(at->up, out);

    if (at->key == NULL) {
        (void) nxe_buf_addf(out, "/%zu", at->index);
        return;
    }

    (void) nxe_buf_addc(out, '/');

    for (p = at->key; *p != '\0'; p++) {
        if (*p == '~') {
            (void) nxe_buf_add(out, nxe_str("~0"));

        } else if (*p == '/') {
            (void) nxe_buf_add(out, nxe_str("~1"));

        } else {
            (void) nxe_buf_addc(out, *p);
        }
    }
}


static void
nxe_doc_found(const cJSON *value, nxe_buf_t *out)
{
    if (cJSON_IsObject(value)) {
        (void) nxe_buf_add(out, value->child != NULL ? nxe_str("{...}")
                                                     : nxe_str("{}"));

    } else if (cJSON_IsArray(value)) {
        (void) nxe_buf_add(out, value->child != NULL ? nxe_str("[...]")
                                                     : nxe_str("[]"));

    } else if (cJSON_IsString(value)) {
        nxe_doc_found_string(value->valuestring, out);

    } else {
        (void) nxe_tree_canonical(value, out);
    }
}


static void
nxe_doc_found_string(const char *s, nxe_buf_t *out)
{
    size_t     n;
    nxe_str_t  cut;

    cut = nxe_str_of(s);

    if (cut.len <= NXE_FOUND_MAX) {
        (void) nxe_buf_add_json(out, cut);
        return;
    }

    /* not within a character */
    n = NXE_FOUND_MAX - 3;

    while (n > 0 && ((unsigned char) s[n] & 0xc0) == 0x80) {
        n--;
    }

    cut.len = n;

    (void) nxe_buf_add_json(out, cut);

    if (out->status == NXE_OK) {
        out->len--;                 /* the quote */
        (void) nxe_buf_add(out, nxe_str("...\""));
    }
}


/*
 * How many values are that many levels below, at most max: what a list of a
 * document can come to, so that a worker with many documents has no room that
 * nothing fills.
 */

size_t
nxe_doc_count(const cJSON *value, int levels, size_t max)
{
    size_t        n;
    const cJSON  *child;

    if (levels == 0) {
        return 1;
    }

    for (child = value->child, n = 0;
         child != NULL && n < max;
         child = child->next)
    {
        n += nxe_doc_count(child, levels - 1, max);
    }

    return n < max ? n : max;
}


void *
nxe_doc_calloc(nxe_doc_ctx_t *c, size_t n, size_t size)
{
    void  *p;

    if (n > SIZE_MAX / size) {
        c->nomem = 1;
        return NULL;
    }

    /* an empty list is a list */
    p = nxe_calloc(c->mem, n == 0 ? size : n * size);
    if (p == NULL) {
        c->nomem = 1;
    }

    return p;
}


nxe_str_t
nxe_doc_copy(nxe_doc_ctx_t *c, const char *s)
{
    nxe_str_t  copy;

    if (nxe_str_copy(c->mem, nxe_str_of(s), &copy) != NXE_OK) {
        c->nomem = 1;
        return nxe_str("");
    }

    return copy;
}


nxe_str_t
nxe_doc_lower(nxe_doc_ctx_t *c, nxe_str_t s)
{
    char    *p;
    size_t   i;

    p = nxe_doc_calloc(c, s.len + 1, 1);
    if (p == NULL) {
        return nxe_str("");
    }

    for (i = 0; i < s.len; i++) {
        p[i] = s.data[i];

        if (p[i] >= 'A' && p[i] <= 'Z') {
            p[i] = (char) (p[i] | 0x20);
        }
    }

    s.data = p;

    return s;
}


void
nxe_doc_unbuilt(nxe_doc_ctx_t *c, const char *what)
{
    if (c->doc->unbuilt == NULL) {
        c->doc->unbuilt = what;
    }
}
