#include <string.h>

#include <nxe/target.h>


static nxe_status_t nxe_target_meets(const nxe_target_t *t,
    const nxe_request_t *r, nxe_str_t value, int *meets);
static int nxe_target_list(const nxe_target_t *t, nxe_str_t value);


const nxe_str_t  nxe_segment_other = { "other", 5 };


nxe_status_t
nxe_target_holds(const nxe_doc_t *doc, const nxe_request_t *r, int *holds)
{
    uint32_t             i;
    nxe_str_t            value;
    nxe_status_t         rc;
    const nxe_target_t  *t;

    for (i = 0; i < doc->ntargeting; i++) {
        t = &doc->targeting[i];

        rc = r->attr(r->ctx, &t->attribute, &value);

        if (rc != NXE_OK && rc != NXE_DECLINED) {
            return rc;
        }

        if (t->op == NXE_OP_EXISTS) {
            *holds = (rc == NXE_OK) == t->wanted;

        } else if (rc != NXE_OK) {
            *holds = 0;

        } else {
            rc = nxe_target_meets(t, r, value, holds);
            if (rc != NXE_OK) {
                return rc;
            }
        }

        if (!*holds) {
            return NXE_OK;
        }
    }

    *holds = 1;

    return NXE_OK;
}


static nxe_status_t
nxe_target_meets(const nxe_target_t *t, const nxe_request_t *r,
    nxe_str_t value, int *meets)
{
    nxe_str_t  v;

    v = t->values[0];

    switch (t->op) {

    case NXE_OP_EQ:
    case NXE_OP_IN:
        *meets = nxe_target_list(t, value);
        break;

    case NXE_OP_NE:
        *meets = !nxe_target_list(t, value);
        break;

    case NXE_OP_PREFIX:
        *meets = value.len >= v.len && memcmp(value.data, v.data, v.len) == 0;
        break;

    case NXE_OP_SUFFIX:
        *meets = value.len >= v.len
                 && memcmp(value.data + value.len - v.len, v.data, v.len) == 0;
        break;

    case NXE_OP_REGEX:
        if (r->scratch == NULL) {
            return NXE_NOMEM;
        }

        /* a limit that is reached is no match */
        *meets = nxe_regex_match(t->regex, r->scratch, value) == NXE_OK;
        break;

    case NXE_OP_GT:
        *meets = nxe_decimal_ok(value) && nxe_decimal_cmp(value, v) > 0;
        break;

    case NXE_OP_LT:
        *meets = nxe_decimal_ok(value) && nxe_decimal_cmp(value, v) < 0;
        break;

    case NXE_OP_CIDR:
        *meets = nxe_cidr_holds(t->cidr, value);
        break;

    default:
        *meets = 0;
    }

    return NXE_OK;
}


static int
nxe_target_list(const nxe_target_t *t, nxe_str_t value)
{
    uint32_t  i;

    for (i = 0; i < t->nvalues; i++) {
        if (nxe_str_eq(value, t->values[i])) {
            return 1;
        }
    }

    return 0;
}


nxe_status_t
nxe_segment_find(const nxe_segment_t *segment, const nxe_request_t *r,
    nxe_str_t *found, nxe_str_t *value)
{
    uint32_t      i;
    nxe_status_t  rc;

    rc = r->attr(r->ctx, &segment->source, found);

    if (rc != NXE_OK) {
        return rc;
    }

    *value = segment->nvalues == 0 ? *found : nxe_segment_other;

    for (i = 0; i < segment->nvalues; i++) {
        if (nxe_str_eq(*found, segment->values[i])) {
            *value = segment->values[i];
            break;
        }
    }

    return NXE_OK;
}


int
nxe_target_window(const nxe_doc_t *doc, int64_t now)
{
    uint32_t  i;

    if (doc->nwindows == 0) {
        return 1;
    }

    for (i = 0; i < doc->nwindows; i++) {
        if (now >= doc->windows[i].from && now < doc->windows[i].to) {
            return 1;
        }
    }

    return 0;
}
