/*
 * Who and when: targeting, windows.
 */

#include <string.h>

#include <nxe/time.h>

#include "nxe_doc_int.h"


#define NXE_TIME_EXPECTED                                                     \
    "an RFC 3339 time such as \"2026-11-20T09:00:00Z\""


static void nxe_doc_target_op(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
static void nxe_doc_target_any(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
static void nxe_doc_target_value(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, nxe_target_t *target);
static void nxe_doc_target_regex(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, nxe_target_t *target);
static void nxe_doc_target_number(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value);
static void nxe_doc_target_cidr(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, nxe_target_t *target);
static void nxe_doc_target_values(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, nxe_target_t *target);
static void nxe_doc_window_time(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
static const char *nxe_doc_time(nxe_str_t s, int64_t *seconds);
static void nxe_doc_respell_time(cJSON *value);


/* In the order of nxe_op_t. */

static const char *const  nxe_op_words[] = {
    "eq", "ne", "in", "prefix", "suffix", "exists", "regex", "gt", "lt",
    "cidr", NULL
};


static const nxe_doc_key_t  nxe_target_keys[] = {

    nxe_key_kept("attribute", nxe_doc_source, NXE_KEY_REQUIRED|NXE_KEY_LIVE,
                 nxe_target_t, attribute, NULL),
    nxe_key_kept("op", nxe_doc_target_op, NXE_KEY_REQUIRED|NXE_KEY_LIVE,
                 nxe_target_t, op, NULL),
    { "value", nxe_doc_target_any, NXE_KEY_REQUIRED|NXE_KEY_LIVE, 0, NULL },
    { NULL, NULL, 0, 0, NULL }
};

static const nxe_doc_key_t  nxe_window_keys[] = {

    nxe_key_kept("from", nxe_doc_window_time, NXE_KEY_REQUIRED|NXE_KEY_LIVE,
                 nxe_window_t, from, NULL),
    nxe_key_kept("to", nxe_doc_window_time, NXE_KEY_REQUIRED|NXE_KEY_LIVE,
                 nxe_window_t, to, NULL),
    { NULL, NULL, 0, 0, NULL }
};


void
nxe_doc_targeting(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    uint32_t       n;
    nxe_at_t       here, there;
    nxe_doc_t     *doc;
    const cJSON   *element, *v;
    nxe_target_t  *target;

    (void) key;
    (void) out;

    doc = c->doc;

    if (!nxe_doc_array(c, at, value, 0, NXE_LIST_MAX,
                       "a list of {\"attribute\", \"op\", \"value\"}"))
    {
        return;
    }

    doc->targeting = nxe_doc_calloc(c, (size_t) cJSON_GetArraySize(value),
                                    sizeof(nxe_target_t));
    if (doc->targeting == NULL) {
        return;
    }

    n = 0;

    for (element = value->child; element != NULL; element = element->next) {
        here = nxe_at_index(at, n);
        target = &doc->targeting[n++];
        target->op = (nxe_op_t) -1;

        if (!nxe_doc_object(c, &here, element, nxe_target_keys,
                            "a condition", target))
        {
            continue;
        }

        v = nxe_tree_get(element, "value");

        if (v != NULL && target->op != (nxe_op_t) -1) {
            there = nxe_at_key(&here, "value");
            nxe_doc_target_value(c, &there, v, target);
        }

        if (target->attribute.type == NXE_SOURCE_MCP) {
            nxe_doc_unbuilt(c, "targeting.attribute");
        }
    }

    doc->ntargeting = n;
}


static void
nxe_doc_target_op(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    int  op;

    (void) key;

    op = nxe_doc_one_of(c, at, value, nxe_op_words);
    if (op < 0) {
        return;
    }

    *(nxe_op_t *) out = (nxe_op_t) op;
}


/* What a value has to be depends on "op": checked when both are known. */

static void
nxe_doc_target_any(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    (void) c;
    (void) at;
    (void) value;
    (void) key;
    (void) out;
}


static void
nxe_doc_target_value(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, nxe_target_t *target)
{
    if (target->op == NXE_OP_IN) {
        nxe_doc_target_values(c, at, value, target);
        return;
    }

    if (target->op == NXE_OP_EXISTS) {
        if (!cJSON_IsBool(value)) {
            nxe_doc_fault(c, at, value, "true or false, as \"op\" is exists");
            return;
        }

        target->wanted = cJSON_IsTrue(value) ? 1 : 0;
        return;
    }

    if (!cJSON_IsString(value)) {
        nxe_doc_faultf(c, at, value, "a string, as \"op\" is %s",
                       nxe_op_words[target->op]);
        return;
    }

    target->values = nxe_doc_calloc(c, 1, sizeof(nxe_str_t));
    if (target->values == NULL) {
        return;
    }

    target->values[0] = nxe_doc_copy(c, value->valuestring);
    target->nvalues = 1;

    switch (target->op) {

    case NXE_OP_REGEX:
        nxe_doc_target_regex(c, at, value, target);
        break;

    case NXE_OP_GT:
    case NXE_OP_LT:
        nxe_doc_target_number(c, at, value);
        break;

    case NXE_OP_CIDR:
        nxe_doc_target_cidr(c, at, value, target);
        break;

    default:
        break;
    }
}


/* Compiled here, so that no request ever does. */

static void
nxe_doc_target_regex(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, nxe_target_t *target)
{
    nxe_error_t  err;

    if (target->values[0].len == 0
        || target->values[0].len > NXE_PATTERN_MAX)
    {
        nxe_doc_faultf(c, at, value, "a pattern of 1 to %d bytes",
                       NXE_PATTERN_MAX);
        return;
    }

    switch (nxe_regex_compile(target->values[0], c->mem, &target->regex,
                              &err))
    {
    case NXE_OK:
        break;

    case NXE_INVALID:
        nxe_doc_faultf(c, at, value, "a pattern of PCRE2: %s", err.text);
        break;

    default:
        c->nomem = 1;
    }
}


static void
nxe_doc_target_number(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value)
{
    nxe_str_t  s;

    s = nxe_str_of(value->valuestring);

    if (!nxe_decimal_ok(s)) {
        nxe_doc_fault(c, at, value, "a string with a number, \"10\"");

    } else if (s.len > NXE_NUMBER_MAX) {
        nxe_doc_faultf(c, at, value, "a number of at most %d characters",
                       NXE_NUMBER_MAX);
    }
}


static void
nxe_doc_target_cidr(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, nxe_target_t *target)
{
    char  right[NXE_CIDR_LEN];

    target->cidr = nxe_doc_calloc(c, 1, sizeof(nxe_cidr_t));
    if (target->cidr == NULL) {
        return;
    }

    switch (nxe_cidr_parse(target->values[0], target->cidr)) {

    case NXE_OK:
        break;

    case NXE_CONFLICT:
        nxe_cidr_print(target->cidr, right);
        nxe_doc_fault_near(c, at, value, "a network: no bit set behind its "
                           "prefix", right);
        break;

    default:
        nxe_doc_fault(c, at, value, "an address with a prefix length, "
                      "\"10.0.0.0/8\" or \"2001:db8::/32\"");
    }
}


static void
nxe_doc_target_values(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, nxe_target_t *target)
{
    size_t        i;
    nxe_at_t      here;
    nxe_str_t    *values;
    const cJSON  *element;

    if (!nxe_doc_array(c, at, value, 1, NXE_VALUES_MAX,
                       "a list of strings, as \"op\" is in"))
    {
        return;
    }

    values = nxe_doc_calloc(c, (size_t) cJSON_GetArraySize(value),
                            sizeof(nxe_str_t));
    if (values == NULL) {
        return;
    }

    i = 0;

    for (element = value->child; element != NULL; element = element->next) {
        here = nxe_at_index(at, i);

        if (!cJSON_IsString(element)) {
            nxe_doc_fault(c, &here, element, "a string");
            return;
        }

        values[i++] = nxe_doc_copy(c, element->valuestring);
    }

    target->values = values;
    target->nvalues = (uint32_t) i;
}


void
nxe_doc_windows(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    uint32_t       n;
    nxe_at_t       here, to;
    nxe_doc_t     *doc;
    const cJSON   *element;
    nxe_window_t  *window;

    (void) key;
    (void) out;

    doc = c->doc;

    if (!nxe_doc_array(c, at, value, 1, NXE_LIST_MAX,
                       "a list of {\"from\", \"to\"}"))
    {
        return;
    }

    doc->windows = nxe_doc_calloc(c, (size_t) cJSON_GetArraySize(value),
                                  sizeof(nxe_window_t));
    if (doc->windows == NULL) {
        return;
    }

    n = 0;

    for (element = value->child; element != NULL; element = element->next) {
        here = nxe_at_index(at, n);
        window = &doc->windows[n++];
        window->from = INT64_MIN;
        window->to = INT64_MIN;

        (void) nxe_doc_object(c, &here, element, nxe_window_keys, "a window",
                              window);

        if (window->from != INT64_MIN && window->to != INT64_MIN
            && window->from >= window->to)
        {
            to = nxe_at_key(&here, "to");
            nxe_doc_fault(c, &to, nxe_tree_get(element, "to"),
                          "a time after \"from\"");
        }
    }

    doc->nwindows = n;
}


static void
nxe_doc_window_time(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    int64_t      seconds;
    const char  *expected;

    (void) key;

    expected = cJSON_IsString(value)
               ? nxe_doc_time(nxe_str_of(value->valuestring), &seconds)
               : NXE_TIME_EXPECTED;

    if (expected != NULL) {
        nxe_doc_fault(c, at, value, expected);
        return;
    }

    *(int64_t *) out = seconds;
}


/*
 * NULL, or what was expected.  A window opens and shuts at whole seconds of
 * a clock that has no leap seconds.
 */

static const char *
nxe_doc_time(nxe_str_t s, int64_t *seconds)
{
    int64_t  us;

    if (nxe_time_parse(s, &us) != NXE_OK) {
        return NXE_TIME_EXPECTED;
    }

    if (us % 1000000 != 0) {
        return "a time in whole seconds";
    }

    if (s.data[17] == '6') {
        return "a second from 00 to 59: the clock has no leap seconds";
    }

    *seconds = us / 1000000;

    if (*seconds < NXE_TIME_MIN || *seconds > NXE_TIME_MAX) {
        return "a time of the years 0000 to 9999 in UTC";
    }

    return NULL;
}


void
nxe_doc_respell(cJSON *tree)
{
    cJSON  *windows, *window;

    windows = nxe_tree_get(tree, "windows");

    for (window = windows != NULL ? windows->child : NULL; window != NULL;
         window = window->next)
    {
        nxe_doc_respell_time(nxe_tree_get(window, "from"));
        nxe_doc_respell_time(nxe_tree_get(window, "to"));
    }
}


/* In place: no spelling of a time is shorter. */

static void
nxe_doc_respell_time(cJSON *value)
{
    int64_t  seconds;

    if (cJSON_IsString(value)
        && nxe_doc_time(nxe_str_of(value->valuestring), &seconds) == NULL)
    {
        nxe_time_print(seconds, value->valuestring);
    }
}


void
nxe_doc_date(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    char         text[NXE_TIME_LEN];
    int64_t      us;
    const char  *s;

    (void) key;
    (void) out;

    s = cJSON_IsString(value) ? value->valuestring : "";

    if (strlen(s) == sizeof("2026-11-20") - 1) {
        memcpy(text, "YYYY-MM-DDT00:00:00Z", NXE_TIME_LEN);
        memcpy(text, s, strlen(s));

        if (nxe_time_parse(nxe_str_of(text), &us) == NXE_OK) {
            return;
        }
    }

    nxe_doc_fault(c, at, value, "a date such as \"2026-11-20\"");
}
