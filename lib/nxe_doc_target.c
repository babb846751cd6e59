/*
 * Who and when: targeting, segments, windows.
 */

#include <string.h>

#include "nxe_doc_int.h"


static void nxe_doc_target_op(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
static void nxe_doc_target_any(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
static void nxe_doc_target_value(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, nxe_target_t *target);
static int nxe_doc_target_string(nxe_op_t op, const char *s,
    const char **expected);
static void nxe_doc_target_values(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, nxe_target_t *target);
static void nxe_doc_segment(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value);
static void nxe_doc_segment_values(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
static void nxe_doc_segment_critical(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const cJSON *values);
static void nxe_doc_window_time(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
static int nxe_doc_time(const char *s, int64_t *seconds);
static int nxe_doc_digits(const char *s, size_t n, unsigned *value);
static int nxe_date_ok(unsigned year, unsigned month, unsigned day);
static int64_t nxe_doc_days(unsigned year, unsigned month, unsigned day);


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

static const nxe_doc_key_t  nxe_segment_keys[] = {
    { "source", nxe_doc_source, NXE_KEY_REQUIRED, 0, NULL },
    { "values", nxe_doc_segment_values, 0, 0, NULL },
    { "critical", nxe_doc_segment_values, 0, 0, NULL },
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

    doc->targeting = nxe_doc_calloc(c, NXE_LIST_MAX, sizeof(nxe_target_t));
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

        if (target->attribute.type >= NXE_SOURCE_JWT) {
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

    if (op >= NXE_OP_REGEX) {
        nxe_doc_unbuilt(c, "targeting.op");
    }
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
    const char  *expected;

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

    if (!nxe_doc_target_string(target->op, value->valuestring, &expected)) {
        nxe_doc_fault(c, at, value, expected);
        return;
    }

    target->values = nxe_doc_calloc(c, 1, sizeof(nxe_str_t));
    if (target->values != NULL) {
        target->values[0] = nxe_doc_copy(c, value->valuestring);
        target->nvalues = 1;
    }
}


static int
nxe_doc_target_string(nxe_op_t op, const char *s, const char **expected)
{
    nxe_str_t          segment;
    nxe_text_t         text;
    nxe_json_node_t    root;
    nxe_json_result_t  result;

    segment = nxe_str_of(s);

    if (op == NXE_OP_GT || op == NXE_OP_LT) {
        text.segs = &segment;
        text.n = 1;
        memset(&root, 0, sizeof(root));

        *expected = "a string with a number, \"10\"";

        return nxe_json_scan(&text, &root, 0, &result) == NXE_JSON_OK
               && root.type == NXE_JSON_NUMBER;
    }

    if (op == NXE_OP_REGEX) {
        *expected = "a pattern of 1 to 4096 bytes";

        return segment.len > 0 && segment.len <= NXE_PATTERN_MAX;
    }

    if (op == NXE_OP_CIDR) {
        *expected = "an address with a prefix length, \"10.0.0.0/8\"";

        return segment.len < 64
               && strspn(s, "0123456789abcdefABCDEF.:/") == segment.len
               && strchr(s, '/') != NULL;
    }

    return 1;
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
nxe_doc_segments(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    nxe_at_t      here;
    const cJSON  *member;

    (void) key;
    (void) out;

    if (!cJSON_IsObject(value)) {
        nxe_doc_fault(c, at, value, "an object, {NAME: SOURCE}");
        return;
    }

    for (member = value->child; member != NULL; member = member->next) {
        here = nxe_at_key(at, member->string);

        if (!nxe_name_ok(nxe_str_of(member->string))) {
            nxe_doc_fault_key(c, &here, "a name for the segment", NULL);
            continue;
        }

        nxe_doc_segment(c, &here, member);
    }
}


static void
nxe_doc_segment(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value)
{
    nxe_at_t      here;
    const cJSON  *critical;

    if (cJSON_IsString(value)) {
        nxe_doc_source(c, at, value, NULL, NULL);
        return;
    }

    if (!cJSON_IsObject(value)) {
        nxe_doc_fault(c, at, value,
                      "a source, or {\"source\", \"values\", \"critical\"}");
        return;
    }

    (void) nxe_doc_object(c, at, value, nxe_segment_keys, "a segment", NULL);

    critical = nxe_tree_get(value, "critical");

    if (cJSON_IsArray(critical)) {
        here = nxe_at_key(at, "critical");
        nxe_doc_segment_critical(c, &here, critical,
                                 nxe_tree_get(value, "values"));
    }
}


static void
nxe_doc_segment_values(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out)
{
    size_t        i;
    nxe_at_t      here;
    const cJSON  *element;

    (void) key;
    (void) out;

    if (!nxe_doc_array(c, at, value, 1, NXE_SEGMENT_MAX, "a list of strings"))
    {
        return;
    }

    i = 0;

    for (element = value->child; element != NULL; element = element->next) {
        here = nxe_at_index(at, i++);

        if (!cJSON_IsString(element)) {
            nxe_doc_fault(c, &here, element, "a string");
        }
    }
}


static void
nxe_doc_segment_critical(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const cJSON *values)
{
    size_t        i;
    nxe_at_t      here;
    nxe_near_t    near;
    const cJSON  *element, *known;

    i = 0;

    for (element = value->child; element != NULL; element = element->next) {
        here = nxe_at_index(at, i++);

        if (!cJSON_IsString(element)) {
            continue;
        }

        nxe_near_init(&near, element->valuestring);

        for (known = cJSON_IsArray(values) ? values->child : NULL;
             known != NULL; known = known->next)
        {
            if (!cJSON_IsString(known)) {
                continue;
            }

            if (strcmp(known->valuestring, element->valuestring) == 0) {
                break;
            }

            nxe_near_try(&near, known->valuestring);
        }

        if (known == NULL) {
            nxe_doc_fault_near(c, &here, element, "one of \"values\"",
                               near.best);
        }
    }
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

    doc->windows = nxe_doc_calloc(c, NXE_LIST_MAX, sizeof(nxe_window_t));
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
    int64_t  seconds;

    (void) key;

    if (!cJSON_IsString(value) || !nxe_doc_time(value->valuestring, &seconds))
    {
        nxe_doc_fault(c, at, value,
                      "a time in UTC such as \"2026-11-20T09:00:00Z\"");
        return;
    }

    *(int64_t *) out = seconds;
}


/* RFC 3339 in its one form of ours: whole seconds, "Z". */

static int
nxe_doc_time(const char *s, int64_t *seconds)
{
    unsigned  year, month, day, hour, minute, second;

    if (strlen(s) != sizeof("2026-11-20T09:00:00Z") - 1
        || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':'
        || s[16] != ':' || s[19] != 'Z'
        || !nxe_doc_digits(s, 4, &year) || !nxe_doc_digits(s + 5, 2, &month)
        || !nxe_doc_digits(s + 8, 2, &day)
        || !nxe_doc_digits(s + 11, 2, &hour)
        || !nxe_doc_digits(s + 14, 2, &minute)
        || !nxe_doc_digits(s + 17, 2, &second)
        || !nxe_date_ok(year, month, day)
        || hour > 23 || minute > 59 || second > 59)
    {
        return 0;
    }

    *seconds = nxe_doc_days(year, month, day) * 86400
               + (int64_t) (hour * 3600 + minute * 60 + second);

    return 1;
}


void
nxe_doc_date(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    unsigned     year, month, day;
    const char  *s;

    (void) key;
    (void) out;

    s = cJSON_IsString(value) ? value->valuestring : "";

    if (strlen(s) != sizeof("2026-11-20") - 1 || s[4] != '-' || s[7] != '-'
        || !nxe_doc_digits(s, 4, &year) || !nxe_doc_digits(s + 5, 2, &month)
        || !nxe_doc_digits(s + 8, 2, &day) || !nxe_date_ok(year, month, day))
    {
        nxe_doc_fault(c, at, value, "a date such as \"2026-11-20\"");
    }
}


static int
nxe_doc_digits(const char *s, size_t n, unsigned *value)
{
    size_t  i;

    *value = 0;

    for (i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9') {
            return 0;
        }

        *value = *value * 10 + (unsigned) (s[i] - '0');
    }

    return 1;
}


static int
nxe_date_ok(unsigned year, unsigned month, unsigned day)
{
    unsigned                    leap;
    static const unsigned char  days[] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };

    leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return year >= 1 && month >= 1 && month <= 12 && day >= 1
           && day <= days[month - 1] + (month == 2 ? leap : 0);
}


/* Days since 1970-01-01 in the Gregorian calendar, counting from March. */

static int64_t
nxe_doc_days(unsigned year, unsigned month, unsigned day)
{
    int64_t  y, m;

    y = year;
    m = month;

    if (m <= 2) {
        y--;
        m += 12;
    }

    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * (m - 3) + 2) / 5
           + day - 1 - 719468;
}
