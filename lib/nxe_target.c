#include <string.h>

#include <nxe/target.h>


static int nxe_target_meets(const nxe_target_t *t, nxe_str_t value);


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

        } else {
            *holds = rc == NXE_OK && nxe_target_meets(t, value);
        }

        if (!*holds) {
            return NXE_OK;
        }
    }

    *holds = 1;

    return NXE_OK;
}


static int
nxe_target_meets(const nxe_target_t *t, nxe_str_t value)
{
    uint32_t   i;
    nxe_str_t  v;

    for (i = 0; i < t->nvalues; i++) {
        v = t->values[i];

        switch (t->op) {

        case NXE_OP_EQ:
        case NXE_OP_IN:
            if (nxe_str_eq(value, v)) {
                return 1;
            }
            break;

        case NXE_OP_NE:
            return !nxe_str_eq(value, v);

        case NXE_OP_PREFIX:
            return value.len >= v.len && memcmp(value.data, v.data, v.len) == 0;

        case NXE_OP_SUFFIX:
            return value.len >= v.len
                   && memcmp(value.data + value.len - v.len, v.data, v.len)
                      == 0;

        default:
            return 0;           /* a stage refuses what is not evaluated */
        }
    }

    return 0;
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
