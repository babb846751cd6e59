/*
 * What one item of feedback means: its value, and of whom it is.
 */

#include <stdio.h>
#include <string.h>

#include <nxe/feedback.h>
#include <nxe/frac.h>


_Static_assert(2 * NXE_UNIT_ID_LEN + 16 + 2 * (1 + 64) <= NXE_TOKEN_PAYLOAD,
               "nxe_feedback_pack()");


static const char *nxe_feedback_number(const nxe_metric_t *metric,
    nxe_str_t s);
static int nxe_feedback_integer(nxe_str_t s, int64_t nano);


const char *
nxe_feedback_trust_name(nxe_feedback_trust_t trust)
{
    static const char *const  names[] = { "key", "token", "open" };

    return names[trust];
}


int
nxe_feedback_id_ok(nxe_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (!((s.data[i] >= '0' && s.data[i] <= '9')
              || (s.data[i] >= 'a' && s.data[i] <= 'f')))
        {
            return 0;
        }
    }

    return s.len == NXE_UNIT_ID_LEN;
}


nxe_status_t
nxe_feedback_value(nxe_feedback_t *f, int32_t i, const nxe_metric_t *metric,
    nxe_str_t *value)
{
    int                   one;
    nxe_str_t             s;
    const char           *expected;
    nxe_feedback_item_t  *item;

    item = &f->items[i];
    s = item->value;

    if (metric->kind == NXE_METRIC_BINARY) {

        /* the same number in any spelling, 1.0 and 1e0 */

        if (item->type == NXE_JSON_BOOL) {
            one = s.data[0] == 't';

        } else {
            one = nxe_decimal_cmp(s, nxe_str("1")) == 0;

            if (!one && nxe_decimal_cmp(s, nxe_str("0")) != 0) {
                nxe_feedback_fault(f, i, "value", "0, 1, true or false");
                return NXE_INVALID;
            }
        }

        s = one ? nxe_str("1") : nxe_str("0");

    } else {
        expected = item->type == NXE_JSON_NUMBER
                   ? nxe_feedback_number(metric, s) : "a number";

        if (expected != NULL) {
            nxe_feedback_fault(f, i, "value", "%s", expected);
            return NXE_INVALID;
        }
    }

    if (metric->min.len != 0 && nxe_decimal_cmp(s, metric->min) < 0) {
        nxe_feedback_fault(f, i, "value", "%.*s or more",
                           (int) metric->min.len, metric->min.data);
        return NXE_INVALID;
    }

    if (metric->max.len != 0 && nxe_decimal_cmp(s, metric->max) > 0) {
        nxe_feedback_fault(f, i, "value", "%.*s or less",
                           (int) metric->max.len, metric->max.data);
        return NXE_INVALID;
    }

    *value = s;

    return NXE_OK;
}


/* NULL if the kind of metric takes the number, else what it takes. */

static const char *
nxe_feedback_number(const nxe_metric_t *metric, nxe_str_t s)
{
    int      below, far;
    int64_t  nano;

    below = nxe_decimal_cmp(s, nxe_str("0")) < 0;
    far = nxe_decimal_nano(s, &nano) != NXE_OK;

    if (metric->kind == NXE_METRIC_COUNT) {
        return below || far || !nxe_feedback_integer(s, nano)
               ? "an integer from 0 to 999999999" : NULL;
    }

    if (metric->kind == NXE_METRIC_DURATION) {
        return below || far ? "milliseconds from 0 to below 1000000000"
                            : NULL;
    }

    return far ? "a number between -1000000000 and 1000000000" : NULL;
}


/* Exactly, where nano has been rounded. */

static int
nxe_feedback_integer(nxe_str_t s, int64_t nano)
{
    char       text[32];
    nxe_str_t  whole;

    whole.data = text;
    whole.len = (size_t) snprintf(text, sizeof(text), "%lld",
                                  (long long) (nano / NXE_NANO));

    return nxe_decimal_cmp(s, whole) == 0;
}


/*
 * Request id and unit, as hex; phase and revision, eight bytes each, the high
 * one first; then the two names, each behind its length.
 */

nxe_status_t
nxe_feedback_pack(const nxe_feedback_bound_t *bound, nxe_token_t *t)
{
    int                i;
    char              *p;
    uint64_t           n[2];
    nxe_str_t          names[2];
    unsigned           k;

    names[0] = bound->experiment;
    names[1] = bound->variant;
    n[0] = bound->phase;
    n[1] = bound->revision;

    if (!nxe_feedback_id_ok(bound->request_id)
        || !nxe_feedback_id_ok(bound->unit)
        || !nxe_name_ok(names[0]) || !nxe_name_ok(names[1]))
    {
        return NXE_INVALID;
    }

    p = t->payload;

    memcpy(p, bound->request_id.data, NXE_UNIT_ID_LEN);
    memcpy(p + NXE_UNIT_ID_LEN, bound->unit.data, NXE_UNIT_ID_LEN);
    p += 2 * NXE_UNIT_ID_LEN;

    for (k = 0; k < 2; k++) {
        for (i = 56; i >= 0; i -= 8) {
            *p++ = (char) (n[k] >> i & 0xff);
        }
    }

    for (k = 0; k < 2; k++) {
        *p++ = (char) names[k].len;
        memcpy(p, names[k].data, names[k].len);
        p += names[k].len;
    }

    t->len = (size_t) (p - t->payload);

    return NXE_OK;
}


nxe_status_t
nxe_feedback_unpack(const nxe_token_t *t, nxe_feedback_bound_t *bound)
{
    int                    i;
    size_t                 len;
    unsigned               k;
    uint64_t               n[2];
    nxe_str_t              names[2];
    const char            *p, *end;
    nxe_feedback_bound_t   b;

    p = t->payload;
    end = p + t->len;

    if (t->len < 2 * NXE_UNIT_ID_LEN + 16) {
        return NXE_INVALID;
    }

    b.request_id.data = p;
    b.request_id.len = NXE_UNIT_ID_LEN;
    b.unit.data = p + NXE_UNIT_ID_LEN;
    b.unit.len = NXE_UNIT_ID_LEN;
    p += 2 * NXE_UNIT_ID_LEN;

    for (k = 0; k < 2; k++) {
        for (i = 0, n[k] = 0; i < 8; i++) {
            n[k] = n[k] << 8 | (unsigned char) *p++;
        }
    }

    for (k = 0; k < 2; k++) {

        len = p < end ? (unsigned char) *p++ : 0;

        if (len > (size_t) (end - p)) {
            return NXE_INVALID;
        }

        names[k].data = p;
        names[k].len = len;
        p += len;
    }

    if (p != end || !nxe_name_ok(names[0]) || !nxe_name_ok(names[1])
        || !nxe_feedback_id_ok(b.request_id) || !nxe_feedback_id_ok(b.unit))
    {
        return NXE_INVALID;
    }

    b.phase = n[0];
    b.revision = n[1];
    b.experiment = names[0];
    b.variant = names[1];
    *bound = b;

    return NXE_OK;
}


nxe_status_t
nxe_feedback_bound(nxe_feedback_t *f, const nxe_feedback_bound_t *bound)
{
    size_t                i;
    nxe_feedback_item_t  *item;

    for (i = 0; i < f->n; i++) {
        item = &f->items[i];

        if (item->experiment.data != NULL
            && !nxe_str_eq(item->experiment, bound->experiment))
        {
            nxe_feedback_fault(f, (int32_t) i, "experiment",
                               "the token's experiment, or none");
        }

        if (item->request_id.data != NULL
            && !nxe_str_eq(item->request_id, bound->request_id))
        {
            nxe_feedback_fault(f, (int32_t) i, "request_id",
                               "the token's request, or none");
        }
    }

    return f->nfaults == 0 ? NXE_OK : NXE_INVALID;
}


void
nxe_feedback_id(nxe_str_t who, nxe_str_t experiment, nxe_str_t metric,
    nxe_str_t of, nxe_str_t key, unsigned char out[NXE_FEEDBACK_ID])
{
    size_t         i;
    nxe_str_t      parts[5];
    nxe_sha256_t   c;
    unsigned char  digest[NXE_SHA256_LEN], len[2];

    parts[0] = who;
    parts[1] = experiment;
    parts[2] = metric;
    parts[3] = of;
    parts[4] = key;

    nxe_sha256_init(&c);

    for (i = 0; i < 5; i++) {
        len[0] = (unsigned char) (parts[i].len >> 8 & 0xff);
        len[1] = (unsigned char) (parts[i].len & 0xff);
        nxe_sha256_update(&c, len, 2);
        nxe_sha256_update(&c, parts[i].data, parts[i].len);
    }

    nxe_sha256_final(&c, digest);
    memcpy(out, digest, NXE_FEEDBACK_ID);
}
