/*
 * What analysis reads: guardrails, design, decision, sources of facts.  Live
 * traffic never does, so nothing is kept here: these are checks alone.
 */

#include <string.h>

#include "nxe_doc_int.h"


static void nxe_doc_limit(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
static void nxe_doc_sided(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
static void nxe_doc_looks(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
static void nxe_doc_boundaries(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
static void nxe_doc_covariate(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
static void nxe_doc_currency(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);


static const char *const  nxe_rule_words[] = { "point", "bound", NULL };

static const char *const  nxe_action_words[] = {
    "alert", "pause", "rollback", "review", NULL
};

static const char *const  nxe_method_words[] = {
    "fixed", "group_sequential", "always_valid", NULL
};

static const char *const  nxe_spending_words[] = {
    "obrien-fleming", "pocock", "OF", NULL
};


static const nxe_doc_range_t  nxe_range_any = {
    NULL, NULL, 0, 0, 0, "a number"
};

static const nxe_doc_range_t  nxe_range_positive = {
    "0", NULL, 1, 0, 0, "a number above 0"
};

static const nxe_doc_range_t  nxe_range_not_negative = {
    "0", NULL, 0, 0, 0, "a number of 0 or more"
};

static const nxe_doc_range_t  nxe_range_count = {
    "1", "1000000000000", 0, 0, 1, "an integer of 1 or more"
};

static const nxe_doc_range_t  nxe_range_inside = {
    "0", "1", 1, 1, 0, "above 0 and below 1"
};


static const nxe_doc_key_t  nxe_limit_keys[] = {
    { "max", nxe_doc_number, 0, 0, &nxe_range_any },
    { "min", nxe_doc_number, 0, 0, &nxe_range_any },
    { "change", nxe_doc_number, 0, 0, &nxe_range_any },
    { "baseline_quantile", nxe_doc_number, 0, 0, &nxe_range_inside },
    { "relative", nxe_doc_bool, 0, 0, NULL },
    { "over", nxe_doc_duration, 0, 0, NULL },
    { NULL, NULL, 0, 0, NULL }
};

static const nxe_doc_key_t  nxe_guardrail_keys[] = {
    { "metric", nxe_doc_name, NXE_KEY_REQUIRED, 0, NULL },
    { "limit", nxe_doc_limit, NXE_KEY_REQUIRED, 0, NULL },
    { "rule", nxe_doc_word, 0, 0, nxe_rule_words },
    { "window", nxe_doc_duration, 0, 0, NULL },
    { "min_units", nxe_doc_number, 0, 0, &nxe_range_count },
    { "consecutive_windows", nxe_doc_number, 0, 0, &nxe_range_count },
    { "action", nxe_doc_word, 0, 0, nxe_action_words },
    { NULL, NULL, 0, 0, NULL }
};

static const nxe_doc_key_t  nxe_covariate_keys[] = {
    { "metric", nxe_doc_name, NXE_KEY_REQUIRED, 0, NULL },
    { "period", nxe_doc_duration, NXE_KEY_REQUIRED, 0, NULL },
    { NULL, NULL, 0, 0, NULL }
};

static const nxe_doc_key_t  nxe_design_keys[] = {
    { "method", nxe_doc_word, 0, 0, nxe_method_words },
    { "sided", nxe_doc_sided, 0, 0, NULL },
    { "alpha", nxe_doc_number, 0, 0, &nxe_range_inside },
    { "power", nxe_doc_number, 0, 0, &nxe_range_inside },
    { "max_units", nxe_doc_number, 0, 0, &nxe_range_count },
    { "looks", nxe_doc_looks, 0, 0, NULL },
    { "spending", nxe_doc_word, 0, 0, nxe_spending_words },
    { "boundaries", nxe_doc_boundaries, 0, 0, NULL },
    { "burn_in", nxe_doc_duration, 0, 0, NULL },
    { "covariate", nxe_doc_covariate, 0, 0, NULL },
    { NULL, NULL, 0, 0, NULL }
};

static const nxe_doc_key_t  nxe_decision_keys[] = {
    { "quality", nxe_doc_name, 0, 0, NULL },
    { "cost", nxe_doc_name, 0, 0, NULL },
    { "risk_events", nxe_doc_names, 0, 0, NULL },
    { "currency", nxe_doc_currency, NXE_KEY_REQUIRED, 0, NULL },
    { "lambda_cost", nxe_doc_number, 0, 0, &nxe_range_not_negative },
    { "lambda_risk", nxe_doc_number, 0, 0, &nxe_range_not_negative },
    { "budget", nxe_doc_number, 0, 0, &nxe_range_not_negative },
    { NULL, NULL, 0, 0, NULL }
};

static const nxe_doc_key_t  nxe_sources_keys[] = {
    { "item", nxe_doc_text, NXE_KEY_REQUIRED, 0, NULL },
    { "baseline_date", nxe_doc_date, 0, 0, NULL },
    { "recheck_by", nxe_doc_date, 0, 0, NULL },
    { "primary_source", nxe_doc_text, 0, 0, NULL },
    { NULL, NULL, 0, 0, NULL }
};


void
nxe_doc_guardrails(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    size_t        i;
    nxe_at_t      here;
    const cJSON  *element;

    (void) key;

    if (!nxe_doc_array(c, at, value, 0, NXE_LIST_MAX, "a list of guardrails"))
    {
        return;
    }

    i = 0;

    for (element = value->child; element != NULL; element = element->next) {
        here = nxe_at_index(at, i++);
        (void) nxe_doc_object(c, &here, element, nxe_guardrail_keys,
                              "a guardrail", out);
    }
}


static void
nxe_doc_limit(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    int           n;
    nxe_at_t      here;
    const cJSON  *change, *quantile;

    (void) key;

    if (!nxe_doc_object(c, at, value, nxe_limit_keys, "a limit", out)) {
        return;
    }

    change = nxe_tree_get(value, "change");
    quantile = nxe_tree_get(value, "baseline_quantile");

    n = (nxe_tree_get(value, "max") != NULL)
        + (nxe_tree_get(value, "min") != NULL)
        + (change != NULL) + (quantile != NULL);

    if (n != 1) {
        nxe_doc_fault(c, at, value,
                      "one of max min change baseline_quantile");
        return;
    }

    if (change == NULL && nxe_tree_get(value, "relative") != NULL) {
        here = nxe_at_key(at, "relative");
        nxe_doc_fault_key(c, &here, "\"relative\" only beside \"change\"",
                          NULL);
    }

    if (quantile == NULL && nxe_tree_get(value, "over") != NULL) {
        here = nxe_at_key(at, "over");
        nxe_doc_fault_key(c, &here,
                          "\"over\" only beside \"baseline_quantile\"", NULL);
    }
}


void
nxe_doc_design(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    nxe_at_t      here;
    const cJSON  *looks, *boundaries;

    (void) key;

    if (!nxe_doc_object(c, at, value, nxe_design_keys, "a design", out)) {
        return;
    }

    looks = nxe_tree_get(value, "looks");
    boundaries = nxe_tree_get(value, "boundaries");

    if (boundaries == NULL) {
        return;
    }

    here = nxe_at_key(at, "boundaries");

    if (nxe_tree_get(value, "spending") != NULL) {
        nxe_doc_fault_key(c, &here, "\"spending\" or \"boundaries\"", NULL);
        return;
    }

    if (cJSON_IsArray(boundaries)
        && (!cJSON_IsArray(looks)
            || cJSON_GetArraySize(looks) != cJSON_GetArraySize(boundaries)))
    {
        nxe_doc_fault(c, &here, boundaries, "as many numbers as \"looks\"");
    }
}


static void
nxe_doc_sided(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    (void) key;
    (void) out;

    if (!cJSON_IsNumber(value)
        || (strcmp(value->valuestring, "1") != 0
            && strcmp(value->valuestring, "2") != 0))
    {
        nxe_doc_fault(c, at, value, "1 or 2");
    }
}


static void
nxe_doc_looks(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    nxe_str_t     last;
    const cJSON  *element;

    (void) key;
    (void) out;

    last = nxe_str("0");

    if (cJSON_IsArray(value)) {
        for (element = value->child; element != NULL; element = element->next)
        {
            if (!cJSON_IsNumber(element)
                || nxe_decimal_cmp(last, nxe_str_of(element->valuestring))
                   >= 0)
            {
                break;
            }

            last = nxe_str_of(element->valuestring);
        }

        if (element == NULL && nxe_decimal_cmp(last, nxe_str("1")) == 0) {
            return;
        }
    }

    nxe_doc_fault(c, at, value, "rising numbers above 0, the last 1");
}


static void
nxe_doc_boundaries(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    size_t         i;
    nxe_at_t       here;
    const cJSON   *element;
    nxe_doc_key_t  number;

    if (!nxe_doc_array(c, at, value, 1, NXE_LIST_MAX, "a list of numbers")) {
        return;
    }

    number = *key;
    number.arg = &nxe_range_positive;
    i = 0;

    for (element = value->child; element != NULL; element = element->next) {
        here = nxe_at_index(at, i++);
        nxe_doc_number(c, &here, element, &number, out);
    }
}


static void
nxe_doc_covariate(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    (void) key;

    (void) nxe_doc_object(c, at, value, nxe_covariate_keys, "a covariate",
                          out);
}


void
nxe_doc_decision(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    (void) key;

    (void) nxe_doc_object(c, at, value, nxe_decision_keys, "a decision", out);
}


static void
nxe_doc_currency(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    const char  *s;

    (void) key;
    (void) out;

    s = cJSON_IsString(value) ? value->valuestring : "";

    if (strlen(s) != 3 || strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 3) {
        nxe_doc_fault(c, at, value, "a currency such as \"USD\"");
    }
}


void
nxe_doc_sources(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    size_t        i;
    nxe_at_t      here;
    const cJSON  *element;

    (void) key;

    if (!nxe_doc_array(c, at, value, 0, NXE_VALUES_MAX,
                       "a list of sources of facts, {\"item\", ...}"))
    {
        return;
    }

    i = 0;

    for (element = value->child; element != NULL; element = element->next) {
        here = nxe_at_index(at, i++);
        (void) nxe_doc_object(c, &here, element, nxe_sources_keys,
                              "a source of facts", out);
    }
}
