/*
 * The serving form of a document: the keys of live traffic, with the values
 * that go into bodies moved out, already encoded.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nxe/doc.h>


typedef struct {
    nxe_buf_t          *bytes;
    size_t              base;       /* of this document in bytes */
    nxe_bytes_t        *values;     /* stored so far */
    size_t              n;
    size_t              size;
} nxe_moved_t;


static cJSON *nxe_serving_copy(const cJSON *tree);
static void nxe_serving_metrics(cJSON *root);
static int nxe_serving_metric(cJSON *metric);
static nxe_status_t nxe_serving_variant(nxe_moved_t *m, cJSON *variant);
static nxe_status_t nxe_serving_params(nxe_moved_t *m, cJSON *params);
static nxe_status_t nxe_serving_move(nxe_moved_t *m, cJSON *object,
    cJSON *value);
static nxe_status_t nxe_serving_store(nxe_moved_t *m, const cJSON *value,
    nxe_bytes_t *stored);
static cJSON *nxe_serving_at(nxe_bytes_t stored);
static cJSON *nxe_serving_number(uint32_t n);


static const char *const  nxe_serving_keys[] = {
    "name", "risk", "steps", "unit", "hash", "layer", "targeting", "segments",
    "windows", "baseline", "variants", "metrics", "ofrep"
};

#define NXE_SERVING_KEYS                                                      \
    (sizeof(nxe_serving_keys) / sizeof(nxe_serving_keys[0]))


static const char *const  nxe_serving_plan_words[] = {
    "direction", "mde", "outcome_window", "missing", NULL
};


nxe_status_t
nxe_doc_serving(const cJSON *tree, nxe_buf_t *json, nxe_buf_t *bytes)
{
    cJSON         *root, *variant;
    nxe_moved_t    m;
    nxe_status_t   status;

    root = nxe_serving_copy(tree);
    if (root == NULL) {
        return NXE_NOMEM;
    }

    memset(&m, 0, sizeof(m));
    m.bytes = bytes;
    m.base = bytes->len;

    status = NXE_OK;

    for (variant = nxe_tree_get(root, "variants")->child;
         variant != NULL && status == NXE_OK;
         variant = variant->next)
    {
        status = nxe_serving_variant(&m, variant);
    }

    if (status == NXE_OK) {
        status = nxe_tree_canonical(root, json);
    }

    free(m.values);
    cJSON_Delete(root);

    return status;
}


/* The keys that a worker knows. */

static cJSON *
nxe_serving_copy(const cJSON *tree)
{
    size_t        i;
    cJSON        *root, *copy, *segment;
    const cJSON  *member;

    root = cJSON_CreateObject();
    if (root == NULL) {
        return NULL;
    }

    for (i = 0; i < NXE_SERVING_KEYS; i++) {
        member = nxe_tree_get(tree, nxe_serving_keys[i]);
        if (member == NULL) {
            continue;
        }

        copy = cJSON_Duplicate(member, 1);

        if (!cJSON_AddItemToObject(root, nxe_serving_keys[i], copy)) {
            cJSON_Delete(copy);
            cJSON_Delete(root);
            return NULL;
        }
    }

    segment = nxe_tree_get(root, "segments");

    for (segment = segment != NULL ? segment->child : NULL; segment != NULL;
         segment = segment->next)
    {
        cJSON_DeleteItemFromObjectCaseSensitive(segment, "critical");
    }

    nxe_serving_metrics(root);

    return root;
}


/* Of the metrics what feedback is checked against: kind and bounds. */

static void
nxe_serving_metrics(cJSON *root)
{
    cJSON  *metrics, *metric, *secondary, *next;

    metrics = nxe_tree_get(root, "metrics");
    if (metrics == NULL) {
        return;
    }

    cJSON_DeleteItemFromObjectCaseSensitive(metrics, "guardrails");

    metric = nxe_tree_get(metrics, "primary");

    if (metric != NULL && !nxe_serving_metric(metric)) {
        cJSON_DeleteItemFromObjectCaseSensitive(metrics, "primary");
    }

    secondary = nxe_tree_get(metrics, "secondary");

    if (secondary != NULL) {

        for (metric = secondary->child; metric != NULL; metric = next) {
            next = metric->next;

            if (!nxe_serving_metric(metric)) {
                cJSON_Delete(cJSON_DetachItemViaPointer(secondary, metric));
            }
        }

        if (secondary->child == NULL) {
            cJSON_DeleteItemFromObjectCaseSensitive(metrics, "secondary");
        }
    }

    if (metrics->child == NULL) {
        cJSON_DeleteItemFromObjectCaseSensitive(root, "metrics");
    }
}


/* 0 if it is none that comes as feedback, else it is left with what is read. */

static int
nxe_serving_metric(cJSON *metric)
{
    size_t  i;

    if (!cJSON_IsObject(metric) || nxe_tree_get(metric, "from") != NULL
        || nxe_metric_measured(
               nxe_str_of(nxe_tree_get(metric, "name")->valuestring)))
    {
        return 0;
    }

    for (i = 0; nxe_serving_plan_words[i] != NULL; i++) {
        cJSON_DeleteItemFromObjectCaseSensitive(metric,
                                                nxe_serving_plan_words[i]);
    }

    return 1;
}


static nxe_status_t
nxe_serving_variant(nxe_moved_t *m, cJSON *variant)
{
    cJSON         *step, *op, *value;
    nxe_status_t   status;

    cJSON_DeleteItemFromObjectCaseSensitive(variant, "allow_many");

    step = nxe_tree_get(variant, "overrides");

    for (step = step != NULL ? step->child : NULL; step != NULL;
         step = step->next)
    {
        status = nxe_serving_params(m, step);
        if (status != NXE_OK) {
            return status;
        }
    }

    op = nxe_tree_get(variant, "body");

    for (op = op != NULL ? op->child : NULL; op != NULL; op = op->next) {
        value = nxe_tree_get(op, "value");
        if (value == NULL) {
            continue;
        }

        status = nxe_serving_move(m, op, value);
        if (status != NXE_OK) {
            return status;
        }
    }

    return NXE_OK;
}


static nxe_status_t
nxe_serving_params(nxe_moved_t *m, cJSON *params)
{
    cJSON         *param, *next;
    nxe_status_t   status;

    for (param = params->child; param != NULL; param = next) {
        next = param->next;

        if (cJSON_IsObject(param)) {
            status = nxe_serving_move(m, param, nxe_tree_get(param, "value"));

        } else {
            status = nxe_serving_move(m, params, param);
        }

        if (status != NXE_OK) {
            return status;
        }
    }

    return NXE_OK;
}


/* A member of object gives way to the place where its bytes are. */

static nxe_status_t
nxe_serving_move(nxe_moved_t *m, cJSON *object, cJSON *value)
{
    cJSON         *at;
    nxe_bytes_t    stored;
    nxe_status_t   status;

    status = nxe_serving_store(m, value, &stored);
    if (status != NXE_OK) {
        return status;
    }

    at = nxe_serving_at(stored);
    if (at == NULL) {
        return NXE_NOMEM;
    }

    if (!cJSON_ReplaceItemInObjectCaseSensitive(object, value->string, at)) {
        cJSON_Delete(at);
        return NXE_NOMEM;
    }

    return NXE_OK;
}


static nxe_status_t
nxe_serving_store(nxe_moved_t *m, const cJSON *value, nxe_bytes_t *stored)
{
    size_t         i, start, len, size;
    const char    *data;
    nxe_bytes_t   *values;
    nxe_status_t   status;

    start = m->bytes->len;

    status = nxe_tree_canonical(value, m->bytes);
    if (status != NXE_OK) {
        return status;
    }

    len = m->bytes->len - start;
    data = m->bytes->data + m->base;

    for (i = 0; i < m->n; i++) {
        if (m->values[i].len == len
            && memcmp(data + m->values[i].offset, m->bytes->data + start, len)
               == 0)
        {
            m->bytes->len = start;
            *stored = m->values[i];
            return NXE_OK;
        }
    }

    if (m->bytes->len - m->base > UINT32_MAX) {
        return NXE_INVALID;
    }

    if (m->n == m->size) {
        size = m->size == 0 ? 16 : m->size * 2;

        values = realloc(m->values, size * sizeof(nxe_bytes_t));
        if (values == NULL) {
            return NXE_NOMEM;
        }

        m->values = values;
        m->size = size;
    }

    stored->offset = (uint32_t) (start - m->base);
    stored->len = (uint32_t) len;
    m->values[m->n++] = *stored;

    return NXE_OK;
}


static cJSON *
nxe_serving_at(nxe_bytes_t stored)
{
    cJSON  *at, *pair, *offset, *len;

    at = cJSON_CreateObject();
    pair = cJSON_CreateArray();
    offset = nxe_serving_number(stored.offset);
    len = nxe_serving_number(stored.len);

    if (at != NULL && pair != NULL && offset != NULL && len != NULL
        && cJSON_AddItemToObject(at, "at", pair))
    {
        (void) cJSON_AddItemToArray(pair, offset);
        (void) cJSON_AddItemToArray(pair, len);

        return at;
    }

    cJSON_Delete(at);
    cJSON_Delete(pair);
    cJSON_Delete(offset);
    cJSON_Delete(len);

    return NULL;
}


/* With its spelling, which is what is printed. */

static cJSON *
nxe_serving_number(uint32_t n)
{
    cJSON   *number;
    char    *text;

    number = cJSON_CreateNumber(n);
    text = cJSON_malloc(sizeof("4294967295"));

    if (number == NULL || text == NULL) {
        cJSON_Delete(number);
        cJSON_free(text);
        return NULL;
    }

    snprintf(text, sizeof("4294967295"), "%u", n);
    number->valuestring = text;

    return number;
}
