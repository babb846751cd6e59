#include <string.h>

#include <nxe/base64.h>
#include <nxe/token.h>


#define NXE_TOKEN_HEAD   (sizeof("v1.") - 1 + NXE_KID_LEN + 1)
#define NXE_TOKEN_TIMES  16
#define NXE_TOKEN_BYTES  (NXE_TOKEN_TIMES + NXE_TOKEN_PAYLOAD)
#define NXE_TOKEN_MAC    nxe_base64url_len(NXE_SHA256_LEN)


_Static_assert(NXE_TOKEN_HEAD + nxe_base64url_len(NXE_TOKEN_BYTES) + 1
               + NXE_TOKEN_MAC <= NXE_TOKEN_MAX, "NXE_TOKEN_PAYLOAD");


static const nxe_token_key_t *nxe_token_key(const nxe_token_keys_t *keys,
    const char *kid);
static void nxe_token_put(int64_t n, char *p);
static int64_t nxe_token_get(const char *p);


nxe_status_t
nxe_token_keys(const nxe_keys_t *keys, nxe_str_t purpose,
    nxe_token_keys_t *out)
{
    size_t         i;
    unsigned char  subkey[NXE_SHA256_LEN];

    for (i = 0; i < keys->n; i++) {
        if (nxe_hkdf(keys->keys[i].key, purpose, subkey) != NXE_OK) {
            return NXE_INVALID;
        }

        nxe_hmac_key(&out->keys[i].key, subkey);
        memcpy(out->keys[i].kid, keys->keys[i].kid, NXE_KID_LEN);
    }

    out->n = keys->n;
    nxe_erase(subkey, sizeof(subkey));

    return NXE_OK;
}


size_t
nxe_token_sign(const nxe_token_keys_t *keys, const nxe_token_t *t,
    char out[NXE_TOKEN_MAX])
{
    char           bytes[NXE_TOKEN_BYTES], *p;
    nxe_str_t      s;
    unsigned char  mac[NXE_SHA256_LEN];

    if (keys->n == 0 || t->len > NXE_TOKEN_PAYLOAD) {
        return 0;
    }

    nxe_token_put(t->from, bytes);
    nxe_token_put(t->to, bytes + 8);
    memcpy(bytes + NXE_TOKEN_TIMES, t->payload, t->len);

    memcpy(out, "v1.", 3);
    memcpy(out + 3, keys->keys[0].kid, NXE_KID_LEN);
    out[NXE_TOKEN_HEAD - 1] = '.';

    s.data = bytes;
    s.len = NXE_TOKEN_TIMES + t->len;
    p = out + NXE_TOKEN_HEAD;
    p += nxe_base64url_encode(s, p);

    s.data = out;
    s.len = (size_t) (p - out);
    nxe_hmac(&keys->keys[0].key, &s, 1, mac);

    *p++ = '.';
    s.data = (const char *) mac;
    s.len = NXE_SHA256_LEN;
    p += nxe_base64url_encode(s, p);

    return (size_t) (p - out);
}


/* Nothing is decoded before the MAC has been found right but the MAC. */

nxe_token_cause_t
nxe_token_verify(const nxe_token_keys_t *keys, nxe_str_t token, int64_t now,
    nxe_token_t *t)
{
    char                    bytes[nxe_base64url_room(NXE_TOKEN_MAX)];
    char                    mac[nxe_base64url_room(NXE_TOKEN_MAC)];
    size_t                  len;
    int64_t                 from, to;
    nxe_str_t               head, payload, tail;
    unsigned char           right[NXE_SHA256_LEN];
    const nxe_token_key_t  *key;

    if (token.len > NXE_TOKEN_MAX
        || token.len < NXE_TOKEN_HEAD + nxe_base64url_len(NXE_TOKEN_TIMES) + 1
                       + NXE_TOKEN_MAC
        || memcmp(token.data, "v1.", 3) != 0
        || token.data[NXE_TOKEN_HEAD - 1] != '.')
    {
        return NXE_TOKEN_FORM;
    }

    tail.data = token.data + token.len - NXE_TOKEN_MAC;
    tail.len = NXE_TOKEN_MAC;
    head.data = token.data;
    head.len = token.len - NXE_TOKEN_MAC - 1;
    payload.data = token.data + NXE_TOKEN_HEAD;
    payload.len = head.len - NXE_TOKEN_HEAD;

    if (tail.data[-1] != '.' || !nxe_base64url_ok(payload)
        || nxe_base64url_decode(tail, mac, &len) != NXE_OK
        || len != NXE_SHA256_LEN)
    {
        return NXE_TOKEN_FORM;
    }

    key = nxe_token_key(keys, token.data + 3);
    if (key == NULL) {
        return NXE_TOKEN_KEY;
    }

    nxe_hmac(&key->key, &head, 1, right);

    if (!nxe_same(right, mac, NXE_SHA256_LEN)) {
        return NXE_TOKEN_FORGED;
    }

    if (nxe_base64url_decode(payload, bytes, &len) != NXE_OK
        || len < NXE_TOKEN_TIMES || len > NXE_TOKEN_BYTES)
    {
        return NXE_TOKEN_FORM;
    }

    from = nxe_token_get(bytes);
    to = nxe_token_get(bytes + 8);

    if (now < from - NXE_TOKEN_SKEW) {
        return NXE_TOKEN_EARLY;
    }

    if (now >= to + NXE_TOKEN_SKEW) {
        return NXE_TOKEN_EXPIRED;
    }

    t->from = from;
    t->to = to;
    t->len = len - NXE_TOKEN_TIMES;
    memcpy(t->payload, bytes + NXE_TOKEN_TIMES, t->len);

    return NXE_TOKEN_OK;
}


const char *
nxe_token_cause_name(nxe_token_cause_t cause)
{
    static const char *const  names[] = {
        "", "form", "key", "forged", "early", "expired"
    };

    return names[cause];
}


/* A KID is no secret. */

static const nxe_token_key_t *
nxe_token_key(const nxe_token_keys_t *keys, const char *kid)
{
    size_t  i;

    for (i = 0; i < keys->n; i++) {
        if (memcmp(keys->keys[i].kid, kid, NXE_KID_LEN) == 0) {
            return &keys->keys[i];
        }
    }

    return NULL;
}


/* Eight bytes, the high one first. */

static void
nxe_token_put(int64_t n, char *p)
{
    int       i;
    uint64_t  u;

    for (i = 7, u = (uint64_t) n; i >= 0; i--, u >>= 8) {
        p[i] = (char) (u & 0xff);
    }
}


/* Times beyond what a clock has are cut, so that none overflows. */

static int64_t
nxe_token_get(const char *p)
{
    int       i;
    uint64_t  u;

    for (i = 0, u = 0; i < 8; i++) {
        u = u << 8 | (unsigned char) p[i];
    }

    return u > INT64_MAX / 2 ? INT64_MAX / 2 : (int64_t) u;
}
