/*
 * Documents as cJSON trees: our own strict scan first, then cJSON, then one
 * walk over text and tree together.
 */

#include <stdlib.h>
#include <string.h>

#include <nxe/frac.h>
#include <nxe/tree.h>


/* cJSON copies a number into 64 bytes and takes what is cut off for garbage */
#define NXE_TREE_NUMBER_MAX  63


typedef struct {
    const char         *key;
    size_t              offset;
} nxe_tree_key_t;

/* The walk: p moves over a text that the scan has passed. */

typedef struct {
    const char         *start;
    const char         *p;
    const char         *end;
    nxe_json_result_t  *result;
    nxe_status_t        status;
} nxe_tree_walk_t;


static nxe_status_t nxe_tree_tokens(nxe_str_t text,
    nxe_json_result_t *result);
static const char *nxe_tree_string(const char *p, const char **bad);
static unsigned nxe_tree_hex4(const char *p);
static void nxe_tree_value(nxe_tree_walk_t *w, cJSON *node);
static void nxe_tree_members(nxe_tree_walk_t *w, cJSON *object);
static void nxe_tree_elements(nxe_tree_walk_t *w, cJSON *array);
static void nxe_tree_spelling(nxe_tree_walk_t *w, cJSON *node);
static void nxe_tree_space(nxe_tree_walk_t *w);
static void nxe_tree_duplicates(nxe_tree_walk_t *w, nxe_tree_key_t *keys,
    size_t n);
static int nxe_tree_key_cmp(const void *one, const void *two);
static int nxe_tree_node_cmp(const void *one, const void *two);
static nxe_status_t nxe_tree_print(const cJSON *node, nxe_buf_t *out);
static nxe_status_t nxe_tree_print_object(const cJSON *object,
    nxe_buf_t *out);
static nxe_status_t nxe_tree_print_number(const cJSON *node, nxe_buf_t *out);


nxe_status_t
nxe_tree_parse(nxe_str_t text, cJSON **tree, nxe_json_result_t *result)
{
    cJSON            *root;
    nxe_text_t        t;
    nxe_tree_walk_t   w;

    t.segs = &text;
    t.n = 1;

    if (nxe_json_scan(&t, NULL, 0, result) != NXE_JSON_OK) {
        return NXE_INVALID;
    }

    if (nxe_tree_tokens(text, result) != NXE_OK) {
        return NXE_INVALID;
    }

    root = cJSON_ParseWithLength(text.data, text.len);
    if (root == NULL) {
        return NXE_NOMEM;
    }

    w.start = text.data;
    w.p = text.data;
    w.end = text.data + text.len;
    w.result = result;
    w.status = NXE_OK;

    nxe_tree_space(&w);
    nxe_tree_value(&w, root);

    if (w.status != NXE_OK) {
        cJSON_Delete(root);
        return w.status;
    }

    *tree = root;

    return NXE_OK;
}


/*
 * What JSON allows and cJSON does not keep: U+0000 (its strings end there),
 * lone surrogates, very long numbers.
 */

static nxe_status_t
nxe_tree_tokens(nxe_str_t text, nxe_json_result_t *result)
{
    const char  *p, *end, *bad, *number, *expected;

    p = text.data;
    end = text.data + text.len;

    while (p < end) {
        bad = NULL;
        expected = "a string without U+0000 and lone surrogates";

        if (*p == '"') {
            p = nxe_tree_string(p + 1, &bad);

        } else if (*p == '-' || (*p >= '0' && *p <= '9')) {
            number = p;

            while (p < end && strchr("+-.eE0123456789", *p) != NULL) {
                p++;
            }

            if (p - number > NXE_TREE_NUMBER_MAX) {
                bad = number;
                expected = "a number of at most 63 characters";
            }

        } else {
            p++;
        }

        if (bad != NULL) {
            result->cause = NXE_JSON_MALFORMED;
            result->offset = bad - text.data;
            result->expected = expected;
            return NXE_INVALID;
        }
    }

    return NXE_OK;
}


/* From behind the opening quote to behind the closing one. */

static const char *
nxe_tree_string(const char *p, const char **bad)
{
    unsigned  u;

    for ( ;; ) {

        if (*p == '"') {
            return p + 1;
        }

        if (*p != '\\') {
            p++;
            continue;
        }

        if (p[1] != 'u') {
            p += 2;
            continue;
        }

        u = nxe_tree_hex4(p + 2);

        if (u >= 0xd800 && u <= 0xdbff && p[6] == '\\' && p[7] == 'u'
            && nxe_tree_hex4(p + 8) >= 0xdc00
            && nxe_tree_hex4(p + 8) <= 0xdfff)
        {
            p += 12;
            continue;
        }

        if (u == 0 || (u >= 0xd800 && u <= 0xdfff)) {
            *bad = p;
            return p;
        }

        p += 6;
    }
}


static unsigned
nxe_tree_hex4(const char *p)
{
    unsigned  i, c, u;

    u = 0;

    for (i = 0; i < 4; i++) {
        c = (unsigned char) p[i];

        if (c >= '0' && c <= '9') {
            c -= '0';

        } else {
            c = (c | 0x20) - 'a' + 10;
        }

        u = u << 4 | (c & 0xf);
    }

    return u;
}


/* The nesting is at most NXE_JSON_DEPTH, so the recursion is bounded. */

static void
nxe_tree_value(nxe_tree_walk_t *w, cJSON *node)
{
    const char  *bad;

    switch (*w->p) {

    case '{':
        nxe_tree_members(w, node);
        break;

    case '[':
        nxe_tree_elements(w, node);
        break;

    case '"':
        w->p = nxe_tree_string(w->p + 1, &bad);
        break;

    case 't':
    case 'n':
        w->p += 4;
        break;

    case 'f':
        w->p += 5;
        break;

    default:
        nxe_tree_spelling(w, node);
    }
}


static void
nxe_tree_members(nxe_tree_walk_t *w, cJSON *object)
{
    size_t           n;
    cJSON           *child;
    const char      *bad;
    nxe_tree_key_t  *keys;

    w->p++;
    nxe_tree_space(w);

    if (object->child == NULL) {
        w->p++;
        return;
    }

    keys = malloc((size_t) cJSON_GetArraySize(object) * sizeof(*keys));
    if (keys == NULL) {
        w->status = NXE_NOMEM;
        return;
    }

    n = 0;

    for (child = object->child; child != NULL; child = child->next) {
        keys[n].key = child->string;
        keys[n++].offset = w->p - w->start;

        w->p = nxe_tree_string(w->p + 1, &bad);
        nxe_tree_space(w);
        w->p++;                     /* colon */
        nxe_tree_space(w);

        nxe_tree_value(w, child);

        if (w->status != NXE_OK) {
            break;
        }

        nxe_tree_space(w);
        w->p++;                     /* comma or brace */

        if (child->next != NULL) {
            nxe_tree_space(w);
        }
    }

    if (w->status == NXE_OK) {
        nxe_tree_duplicates(w, keys, n);
    }

    free(keys);
}


static void
nxe_tree_elements(nxe_tree_walk_t *w, cJSON *array)
{
    cJSON  *child;

    w->p++;
    nxe_tree_space(w);

    if (array->child == NULL) {
        w->p++;
        return;
    }

    for (child = array->child; child != NULL; child = child->next) {
        nxe_tree_value(w, child);

        if (w->status != NXE_OK) {
            return;
        }

        nxe_tree_space(w);
        w->p++;                     /* comma or bracket */

        if (child->next != NULL) {
            nxe_tree_space(w);
        }
    }
}


static void
nxe_tree_spelling(nxe_tree_walk_t *w, cJSON *node)
{
    size_t  len;

    len = 0;

    while (w->p + len < w->end
           && strchr("+-.eE0123456789", w->p[len]) != NULL)
    {
        len++;
    }

    node->valuestring = cJSON_malloc(len + 1);
    if (node->valuestring == NULL) {
        w->status = NXE_NOMEM;
        return;
    }

    memcpy(node->valuestring, w->p, len);
    node->valuestring[len] = '\0';
    w->p += len;
}


static void
nxe_tree_space(nxe_tree_walk_t *w)
{
    while (w->p < w->end
           && (*w->p == ' ' || *w->p == '\t' || *w->p == '\n'
               || *w->p == '\r'))
    {
        w->p++;
    }
}


/* The second key of the first pair of equal ones, in order of the text. */

static void
nxe_tree_duplicates(nxe_tree_walk_t *w, nxe_tree_key_t *keys, size_t n)
{
    size_t  i, at;

    qsort(keys, n, sizeof(nxe_tree_key_t), nxe_tree_key_cmp);

    at = SIZE_MAX;

    for (i = 1; i < n; i++) {
        if (strcmp(keys[i - 1].key, keys[i].key) == 0
            && keys[i].offset < at)
        {
            at = keys[i].offset;
        }
    }

    if (at != SIZE_MAX) {
        w->result->cause = NXE_JSON_DUPLICATE;
        w->result->offset = at;
        w->result->expected = "each member once";
        w->status = NXE_INVALID;
    }
}


static int
nxe_tree_key_cmp(const void *one, const void *two)
{
    int                    rc;
    const nxe_tree_key_t  *a, *b;

    a = one;
    b = two;

    rc = strcmp(a->key, b->key);
    if (rc != 0) {
        return rc;
    }

    return a->offset < b->offset ? -1 : a->offset > b->offset;
}


nxe_status_t
nxe_tree_canonical(const cJSON *tree, nxe_buf_t *out)
{
    nxe_status_t  status;

    status = nxe_tree_print(tree, out);
    if (status != NXE_OK) {
        return status;
    }

    return out->status;
}


static nxe_status_t
nxe_tree_print(const cJSON *node, nxe_buf_t *out)
{
    const cJSON   *child;
    nxe_status_t   status;

    switch (node->type & 0xff) {

    case cJSON_False:
        return nxe_buf_add(out, nxe_str("false"));

    case cJSON_True:
        return nxe_buf_add(out, nxe_str("true"));

    case cJSON_Number:
        return nxe_tree_print_number(node, out);

    case cJSON_String:
        return nxe_buf_add_json(out, nxe_str_of(node->valuestring));

    case cJSON_Object:
        return nxe_tree_print_object(node, out);

    case cJSON_Array:
        (void) nxe_buf_addc(out, '[');

        for (child = node->child; child != NULL; child = child->next) {
            if (child != node->child) {
                (void) nxe_buf_addc(out, ',');
            }

            status = nxe_tree_print(child, out);
            if (status != NXE_OK) {
                return status;
            }
        }

        return nxe_buf_addc(out, ']');

    default:
        return nxe_buf_add(out, nxe_str("null"));
    }
}


static nxe_status_t
nxe_tree_print_object(const cJSON *object, nxe_buf_t *out)
{
    size_t         i, n;
    const cJSON   *child, **sorted;
    nxe_status_t   status;

    n = 0;

    for (child = object->child; child != NULL; child = child->next) {
        n++;
    }

    if (n == 0) {
        return nxe_buf_add(out, nxe_str("{}"));
    }

    sorted = malloc(n * sizeof(cJSON *));
    if (sorted == NULL) {
        return NXE_NOMEM;
    }

    n = 0;

    for (child = object->child; child != NULL; child = child->next) {
        sorted[n++] = child;
    }

    qsort(sorted, n, sizeof(cJSON *), nxe_tree_node_cmp);

    status = NXE_OK;

    for (i = 0; i < n && status == NXE_OK; i++) {
        (void) nxe_buf_addc(out, i == 0 ? '{' : ',');
        (void) nxe_buf_add_json(out, nxe_str_of(sorted[i]->string));
        (void) nxe_buf_addc(out, ':');

        status = nxe_tree_print(sorted[i], out);
    }

    free(sorted);

    if (status != NXE_OK) {
        return status;
    }

    return nxe_buf_addc(out, '}');
}


static int
nxe_tree_node_cmp(const void *one, const void *two)
{
    const cJSON *const  *a, *const *b;

    a = one;
    b = two;

    return strcmp((*a)->string, (*b)->string);
}


/* A node that cJSON made without us has no spelling. */

static nxe_status_t
nxe_tree_print_number(const cJSON *node, nxe_buf_t *out)
{
    char       text[NXE_DOUBLE_LEN];
    nxe_str_t  s;

    if (node->valuestring != NULL) {
        return nxe_buf_add(out, nxe_str_of(node->valuestring));
    }

    s.data = text;
    s.len = nxe_double_print(node->valuedouble, text);

    return nxe_buf_add(out, s);
}


cJSON *
nxe_tree_get(const cJSON *object, const char *name)
{
    cJSON  *child;

    if (object == NULL || !cJSON_IsObject(object)) {
        return NULL;
    }

    for (child = object->child; child != NULL; child = child->next) {
        if (strcmp(child->string, name) == 0) {
            return child;
        }
    }

    return NULL;
}
