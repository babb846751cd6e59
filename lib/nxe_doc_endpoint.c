/*
 * What the endpoints of live traffic read of a document: the metrics that
 * feedback may bring, and what remote evaluation may tell.
 */

#include <string.h>

#include "nxe_doc_int.h"


typedef struct {
    nxe_metric_t        metric;
    nxe_str_t           from;       /* the field that it is read from */
} nxe_doc_metric_t;


static void nxe_doc_declared(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
static void nxe_doc_bounds(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, nxe_metric_t *metric);
static void nxe_doc_metric_keep(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_metric_t *m);
static void nxe_doc_metric_kind(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
static void nxe_doc_secondary(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
static void nxe_doc_members(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
static void nxe_doc_exposure(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);


/* In the order of nxe_metric_kind_t. */

static const char *const  nxe_kind_words[] = {
    "binary", "mean", "count", "duration", "ratio", NULL
};

static const char *const  nxe_direction_words[] = { "up", "down", NULL };
static const char *const  nxe_missing_words[] = { "zero", "exclude", NULL };


/* What the edge measures, and what may stand behind a metric's name. */

static const char *const  nxe_measured_words[] = {
    "error_rate", "abort_rate", "response_ms", "ttft_ms", "tpot_ms",
    "itl_max_ms", "input_tokens", "output_tokens", "tool_calls", "cost",
    "empty_rate", "refusal_rate", "truncated_rate", "guard_hit_rate",
    "no_usage_rate", "cost_per_success", "cached_share", "requests", NULL
};

static const char *const  nxe_suffix_words[] = {
    ".mean", ".unit", ".p50", ".p95", ".p99", ".total", NULL
};


static const nxe_doc_range_t  nxe_range_any = {
    NULL, NULL, 0, 0, 0, "a number"
};

static const nxe_doc_range_t  nxe_range_positive = {
    "0", NULL, 1, 0, 0, "a number above 0"
};


static const nxe_doc_key_t  nxe_metric_keys[] = {

    nxe_key_kept("name", nxe_doc_name, NXE_KEY_REQUIRED|NXE_KEY_LIVE,
                 nxe_doc_metric_t, metric.name, NULL),
    nxe_key_kept("kind", nxe_doc_metric_kind, NXE_KEY_REQUIRED|NXE_KEY_LIVE,
                 nxe_doc_metric_t, metric.kind, NULL),
    { "direction", nxe_doc_word, NXE_KEY_REQUIRED, 0, nxe_direction_words },
    { "mde", nxe_doc_number, 0, 0, &nxe_range_positive },
    { "outcome_window", nxe_doc_duration, 0, 0, NULL },
    { "missing", nxe_doc_word, 0, 0, nxe_missing_words },
    nxe_key_kept("from", nxe_doc_name, 0, nxe_doc_metric_t, from, NULL),
    { "min", nxe_doc_number, NXE_KEY_LIVE, 0, &nxe_range_any },
    { "max", nxe_doc_number, NXE_KEY_LIVE, 0, &nxe_range_any },
    { NULL, NULL, 0, 0, NULL }
};

static const nxe_doc_key_t  nxe_metrics_keys[] = {
    { "primary", nxe_doc_declared, NXE_KEY_LIVE, 0, NULL },
    { "secondary", nxe_doc_secondary, NXE_KEY_LIVE, 0, NULL },
    { "guardrails", nxe_doc_guardrails, 0, 0, NULL },
    { NULL, NULL, 0, 0, NULL }
};

static const nxe_doc_key_t  nxe_ofrep_keys[] = {
    { "members", nxe_doc_members, NXE_KEY_LIVE, 0, NULL },
    { "exposure", nxe_doc_exposure, NXE_KEY_LIVE, 0, NULL },
    { NULL, NULL, 0, 0, NULL }
};


void
nxe_doc_metrics(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    size_t        n;
    const cJSON  *secondary;

    (void) key;

    secondary = nxe_tree_get(value, "secondary");
    n = secondary != NULL ? nxe_doc_count(secondary, 1, NXE_LIST_MAX) : 0;

    c->doc->metrics = nxe_doc_calloc(c, n + 1, sizeof(nxe_metric_t));
    if (c->doc->metrics == NULL) {
        return;
    }

    (void) nxe_doc_object(c, at, value, nxe_metrics_keys, "metrics", out);
}


static void
nxe_doc_declared(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    nxe_doc_metric_t  m;

    (void) key;
    (void) out;

    memset(&m, 0, sizeof(m));
    m.metric.min = nxe_str("");
    m.metric.max = nxe_str("");

    if (!nxe_doc_object(c, at, value, nxe_metric_keys, "a metric", &m)) {
        return;
    }

    nxe_doc_bounds(c, at, value, &m.metric);
    nxe_doc_metric_keep(c, at, value, &m);
}


static void
nxe_doc_bounds(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    nxe_metric_t *metric)
{
    nxe_at_t      here;
    const cJSON  *min, *max;

    min = nxe_tree_get(value, "min");
    max = nxe_tree_get(value, "max");

    if (cJSON_IsNumber(min)) {
        metric->min = nxe_doc_copy(c, min->valuestring);
    }

    if (cJSON_IsNumber(max)) {
        metric->max = nxe_doc_copy(c, max->valuestring);
    }

    if (cJSON_IsNumber(min) && cJSON_IsNumber(max)
        && nxe_decimal_cmp(nxe_str_of(min->valuestring),
                           nxe_str_of(max->valuestring)) >= 0)
    {
        here = nxe_at_key(at, "max");
        nxe_doc_fault(c, &here, max, "a number above \"min\"");
    }
}


/* A value that comes as feedback has to mean one thing, with one bound. */

static void
nxe_doc_metric_keep(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_metric_t *m)
{
    nxe_at_t  here;

    if (m->metric.name.data == NULL || m->from.data != NULL
        || nxe_metric_measured(m->metric.name))
    {
        return;
    }

    if (nxe_doc_metric(c->doc, m->metric.name) != NULL) {
        here = nxe_at_key(at, "name");
        nxe_doc_fault(c, &here, nxe_tree_get(value, "name"),
                      "a name that no other metric has");
        return;
    }

    c->doc->metrics[c->doc->nmetrics++] = m->metric;
}


static void
nxe_doc_metric_kind(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    int  i;

    (void) key;

    i = nxe_doc_one_of(c, at, value, nxe_kind_words);

    if (i >= 0) {
        *(nxe_metric_kind_t *) out = (nxe_metric_kind_t) i;
    }
}


/* Names of what the edge measures, or metrics of their own. */

static void
nxe_doc_secondary(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    size_t        i;
    nxe_at_t      here;
    const cJSON  *element;

    if (!nxe_doc_array(c, at, value, 0, NXE_LIST_MAX,
                       "a list of names and metrics"))
    {
        return;
    }

    i = 0;

    for (element = value->child; element != NULL; element = element->next) {
        here = nxe_at_index(at, i++);

        if (cJSON_IsString(element)) {
            nxe_doc_name(c, &here, element, key, out);

        } else {
            nxe_doc_declared(c, &here, element, key, out);
        }
    }
}


int
nxe_metric_measured(nxe_str_t name)
{
    size_t     i;
    nxe_str_t  suffix, end;

    for (i = 0; nxe_suffix_words[i] != NULL; i++) {
        suffix = nxe_str_of(nxe_suffix_words[i]);

        if (name.len <= suffix.len) {
            continue;
        }

        end.data = name.data + name.len - suffix.len;
        end.len = suffix.len;

        if (nxe_str_eq(end, suffix)) {
            name.len -= suffix.len;
            break;
        }
    }

    for (i = 0; nxe_measured_words[i] != NULL; i++) {
        if (nxe_str_eq(name, nxe_str_of(nxe_measured_words[i]))) {
            return 1;
        }
    }

    return 0;
}


const nxe_metric_t *
nxe_doc_metric(const nxe_doc_t *doc, nxe_str_t name)
{
    uint32_t  i;

    for (i = 0; i < doc->nmetrics; i++) {
        if (nxe_str_eq(doc->metrics[i].name, name)) {
            return &doc->metrics[i];
        }
    }

    return NULL;
}


void
nxe_doc_ofrep(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    (void) key;

    (void) nxe_doc_object(c, at, value, nxe_ofrep_keys, "ofrep", out);
}


static void
nxe_doc_members(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    int           param;
    size_t        i;
    nxe_at_t      here;
    const cJSON  *element;

    (void) key;
    (void) out;

    if (!nxe_doc_array(c, at, value, 0, NXE_PARAMS, "a list of parameters")) {
        return;
    }

    i = 0;

    for (element = value->child; element != NULL; element = element->next) {
        here = nxe_at_index(at, i++);
        param = nxe_doc_one_of(c, &here, element, nxe_param_words);

        if (param >= 0) {
            c->doc->ofrep_members |= (uint8_t) (1u << param);
        }
    }
}


static void
nxe_doc_exposure(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    (void) out;

    nxe_doc_bool(c, at, value, key, NULL);

    c->doc->ofrep_exposure = cJSON_IsTrue(value) ? 1 : 0;
}
