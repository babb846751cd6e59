/*
 * Values that go into a body.  A user's are encoded into the document's
 * bytes; a publisher's are bytes already, which are looked at again.
 */

#include <string.h>

#include "nxe_doc_int.h"


typedef struct {
    nxe_json_type_t         type;
    const nxe_doc_range_t  *range;      /* of numbers */
    unsigned                nonempty:1; /* strings */
    const char             *expected;
} nxe_param_kind_t;


static void nxe_doc_encode(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, nxe_bytes_t *bytes);
static int nxe_doc_encoded(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, nxe_bytes_t *bytes, nxe_json_type_t *type);
static int nxe_doc_offset(const cJSON *value, uint32_t *offset);


static const nxe_doc_range_t  nxe_range_temperature = {
    "0", "2", 0, 0, 0, "0 to 2"
};

static const nxe_doc_range_t  nxe_range_top_p = {
    "0", "1", 0, 0, 0, "0 to 1"
};

static const nxe_doc_range_t  nxe_range_max_tokens = {
    "1", "999999999999999999", 0, 0, 1, "an integer of 1 or more"
};


/* In the order of nxe_param_t. */

static const nxe_param_kind_t  nxe_param_kinds[] = {
    { NXE_JSON_STRING, NULL, 0, "a string" },
    { NXE_JSON_NUMBER, &nxe_range_temperature, 0, "0 to 2" },
    { NXE_JSON_NUMBER, &nxe_range_top_p, 0, "0 to 1" },
    { NXE_JSON_NUMBER, &nxe_range_max_tokens, 0, "an integer of 1 or more" },
    { NXE_JSON_STRING, NULL, 1, "a model's name" },
    { NXE_JSON_STRING, NULL, 1, "a word such as \"low\"" }
};


void
nxe_doc_param_value(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    nxe_param_t param, nxe_bytes_t *bytes)
{
    int                      ok;
    nxe_str_t                s;
    nxe_json_type_t          type;
    const nxe_param_kind_t  *kind;

    kind = &nxe_param_kinds[param];

    if (c->form == NXE_DOC_SERVING) {
        if (!nxe_doc_encoded(c, at, value, bytes, &type)) {
            return;
        }

        s.data = c->in.data + bytes->offset;
        s.len = bytes->len;

        /* an empty string is two quotes */
        ok = type == kind->type
             && (kind->range == NULL || nxe_doc_in_range(s, kind->range))
             && (!kind->nonempty || s.len > 2);

    } else if (kind->type == NXE_JSON_NUMBER) {
        ok = cJSON_IsNumber(value) && value->valuestring != NULL
             && nxe_doc_in_range(nxe_str_of(value->valuestring), kind->range);

    } else {
        ok = cJSON_IsString(value)
             && (!kind->nonempty || value->valuestring[0] != '\0');
    }

    if (!ok) {
        nxe_doc_fault_number(c, at, value, kind->expected);
        return;
    }

    if (c->form == NXE_DOC_FULL) {
        nxe_doc_encode(c, at, value, bytes);
    }
}


void
nxe_doc_any_value(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    nxe_bytes_t *bytes)
{
    nxe_json_type_t  type;

    if (c->form == NXE_DOC_SERVING) {
        (void) nxe_doc_encoded(c, at, value, bytes, &type);
        return;
    }

    nxe_doc_encode(c, at, value, bytes);
}


static void
nxe_doc_encode(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    nxe_bytes_t *bytes)
{
    size_t  start;

    start = c->out.len;

    switch (nxe_tree_canonical(value, &c->out)) {

    case NXE_OK:
        break;

    case NXE_INVALID:
        nxe_doc_fault(c, at, value, "at most 64 MB of values in all");
        return;

    default:
        c->nomem = 1;
        return;
    }

    bytes->offset = (uint32_t) start;
    bytes->len = (uint32_t) (c->out.len - start);
}


/*
 * {"at":[OFFSET,LEN]}: exactly one JSON value, without white space around it.
 */

static int
nxe_doc_encoded(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    nxe_bytes_t *bytes, nxe_json_type_t *type)
{
    uint32_t            offset, len;
    nxe_str_t           segment;
    nxe_text_t          text;
    const cJSON        *pair;
    nxe_json_node_t     root;
    nxe_json_result_t   result;

    pair = nxe_tree_get(value, "at");

    if (!cJSON_IsArray(pair) || value->child->next != NULL
        || cJSON_GetArraySize(pair) != 2
        || !nxe_doc_offset(pair->child, &offset)
        || !nxe_doc_offset(pair->child->next, &len)
        || offset > c->in.len || len > c->in.len - offset)
    {
        nxe_doc_fault(c, at, value, "{\"at\":[OFFSET,LENGTH]} in the bytes");
        return 0;
    }

    segment.data = c->in.data + offset;
    segment.len = len;
    text.segs = &segment;
    text.n = 1;
    memset(&root, 0, sizeof(root));

    if (nxe_json_scan(&text, &root, 0, &result) != NXE_JSON_OK
        || root.value.start != 0 || root.value.end != len)
    {
        nxe_doc_fault(c, at, value, "the bytes of one JSON value");
        return 0;
    }

    bytes->offset = offset;
    bytes->len = len;
    *type = root.type;

    return 1;
}


static int
nxe_doc_offset(const cJSON *value, uint32_t *offset)
{
    uint64_t     n;
    const char  *p;

    if (!cJSON_IsNumber(value) || value->valuestring == NULL) {
        return 0;
    }

    n = 0;

    for (p = value->valuestring; *p != '\0'; p++) {
        if (*p < '0' || *p > '9' || n > UINT32_MAX / 10) {
            return 0;
        }

        n = n * 10 + (uint64_t) (*p - '0');
    }

    if (n > UINT32_MAX) {
        return 0;
    }

    *offset = (uint32_t) n;

    return 1;
}
