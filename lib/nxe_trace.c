/*
 * traceparent: read and made; members of baggage.
 */

#include <string.h>

#include <nxe/trace.h>


#define NXE_TRACE_ID_AT   3
#define NXE_PARENT_ID_AT  36
#define NXE_FLAGS_AT      53

#define NXE_PARENT_ID_LEN 16


static int nxe_trace_hex(const char *p, size_t n);
static int nxe_trace_id_ok(const char *p, size_t n);


nxe_status_t
nxe_traceparent_parse(nxe_str_t value, nxe_str_t *trace_id)
{
    const char  *p;

    p = value.data;

    if (value.len < NXE_TRACEPARENT_LEN
        || !nxe_trace_hex(p, 2) || p[NXE_TRACE_ID_AT - 1] != '-'
        || !nxe_trace_id_ok(p + NXE_TRACE_ID_AT, NXE_TRACE_ID_LEN)
        || p[NXE_PARENT_ID_AT - 1] != '-'
        || !nxe_trace_id_ok(p + NXE_PARENT_ID_AT, NXE_PARENT_ID_LEN)
        || p[NXE_FLAGS_AT - 1] != '-'
        || !nxe_trace_hex(p + NXE_FLAGS_AT, 2)
        || memcmp(p, "ff", 2) == 0)
    {
        return NXE_DECLINED;
    }

    if (value.len > NXE_TRACEPARENT_LEN
        && (p[NXE_TRACEPARENT_LEN] != '-' || memcmp(p, "00", 2) == 0))
    {
        return NXE_DECLINED;
    }

    trace_id->data = p + NXE_TRACE_ID_AT;
    trace_id->len = NXE_TRACE_ID_LEN;

    return NXE_OK;
}


static int
nxe_trace_hex(const char *p, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'f'))) {
            return 0;
        }
    }

    return 1;
}


static int
nxe_trace_id_ok(const char *p, size_t n)
{
    size_t  i;

    if (!nxe_trace_hex(p, n)) {
        return 0;
    }

    for (i = 0; i < n; i++) {
        if (p[i] != '0') {
            return 1;
        }
    }

    return 0;
}


/* That 64 bits are all zero, which no id may be, is not waited for. */

void
nxe_traceparent_make(const nxe_hmac_key_t *key, uint64_t n,
    char out[NXE_TRACEPARENT_LEN])
{
    size_t         i;
    nxe_str_t      part;
    unsigned char  number[8], mac[NXE_SHA256_LEN];

    for (i = 0; i < sizeof(number); i++) {
        number[i] = (unsigned char) (n >> (56 - 8 * i));
    }

    part.data = (const char *) number;
    part.len = sizeof(number);

    nxe_hmac(key, &part, 1, mac);

    memcpy(out, "00-", 3);
    nxe_hex(mac, NXE_TRACE_ID_LEN / 2, out + NXE_TRACE_ID_AT);
    out[NXE_PARENT_ID_AT - 1] = '-';
    nxe_hex(mac + NXE_TRACE_ID_LEN / 2, NXE_PARENT_ID_LEN / 2,
            out + NXE_PARENT_ID_AT);
    memcpy(out + NXE_FLAGS_AT - 1, "-01", 3);
}


size_t
nxe_baggage_members(nxe_str_t value)
{
    int     blank;
    size_t  i, n;

    n = 0;
    blank = 1;

    for (i = 0; i < value.len; i++) {

        if (value.data[i] == ',') {
            blank = 1;

        } else if (blank && value.data[i] != ' ' && value.data[i] != '\t') {
            blank = 0;
            n++;
        }
    }

    return n;
}
