/*
 * OpenSSL's low-level SHA-256 calls are deprecated, but they are the only
 * ones that do not allocate: EVP does on every init.  They are used here and
 * nowhere else.
 */

#define OPENSSL_SUPPRESS_DEPRECATED

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <nxe/hash.h>


_Static_assert(sizeof(SHA256_CTX) <= NXE_SHA256_CTX_LEN, "nxe_sha256_t");

#define nxe_sha256_ctx(c)  ((SHA256_CTX *) (void *) (c)->opaque)


void
nxe_sha256_init(nxe_sha256_t *c)
{
    (void) SHA256_Init(nxe_sha256_ctx(c));
}


void
nxe_sha256_update(nxe_sha256_t *c, const void *data, size_t len)
{
    if (len != 0) {
        (void) SHA256_Update(nxe_sha256_ctx(c), data, len);
    }
}


void
nxe_sha256_final(nxe_sha256_t *c, unsigned char out[NXE_SHA256_LEN])
{
    (void) SHA256_Final(out, nxe_sha256_ctx(c));
}


void
nxe_sha256(nxe_str_t s, unsigned char out[NXE_SHA256_LEN])
{
    nxe_sha256_t  c;

    nxe_sha256_init(&c);
    nxe_sha256_update(&c, s.data, s.len);
    nxe_sha256_final(&c, out);
}


void
nxe_hmac_key(nxe_hmac_key_t *k, const unsigned char key[NXE_SHA256_LEN])
{
    size_t         i;
    unsigned char  pad[SHA256_CBLOCK];

    memset(pad, 0x36, sizeof(pad));
    for (i = 0; i < NXE_SHA256_LEN; i++) {
        pad[i] = key[i] ^ 0x36;
    }

    nxe_sha256_init(&k->inner);
    nxe_sha256_update(&k->inner, pad, sizeof(pad));

    for (i = 0; i < sizeof(pad); i++) {
        pad[i] ^= 0x36 ^ 0x5c;
    }

    nxe_sha256_init(&k->outer);
    nxe_sha256_update(&k->outer, pad, sizeof(pad));

    nxe_erase(pad, sizeof(pad));
}


void
nxe_hmac(const nxe_hmac_key_t *k, const nxe_str_t *parts, size_t n,
    unsigned char out[NXE_SHA256_LEN])
{
    size_t         i;
    nxe_sha256_t   c;
    unsigned char  digest[NXE_SHA256_LEN];

    c = k->inner;
    for (i = 0; i < n; i++) {
        nxe_sha256_update(&c, parts[i].data, parts[i].len);
    }
    nxe_sha256_final(&c, digest);

    c = k->outer;
    nxe_sha256_update(&c, digest, sizeof(digest));
    nxe_sha256_final(&c, out);
}


nxe_status_t
nxe_hkdf(const unsigned char root[NXE_SHA256_LEN], nxe_str_t purpose,
    unsigned char out[NXE_SHA256_LEN])
{
    nxe_str_t       parts[3];
    nxe_hmac_key_t  k;
    unsigned char   prk[NXE_SHA256_LEN];

    if (purpose.len > 32) {
        return NXE_INVALID;
    }

    /* extract: no salt means a salt of zeros */

    memset(prk, 0, sizeof(prk));
    nxe_hmac_key(&k, prk);

    parts[0].data = (const char *) root;
    parts[0].len = NXE_SHA256_LEN;
    nxe_hmac(&k, parts, 1, prk);

    /* expand: one block */

    nxe_hmac_key(&k, prk);

    parts[0] = nxe_str("nxe/v1/");
    parts[1] = purpose;
    parts[2] = nxe_str("\x01");
    nxe_hmac(&k, parts, 3, out);

    nxe_erase(prk, sizeof(prk));
    nxe_erase(&k, sizeof(k));

    return NXE_OK;
}


void
nxe_hex(const unsigned char *data, size_t len, char *out)
{
    size_t             i;
    static const char  hex[] = "0123456789abcdef";

    for (i = 0; i < len; i++) {
        out[2 * i] = hex[data[i] >> 4];
        out[2 * i + 1] = hex[data[i] & 15];
    }
}


nxe_status_t
nxe_unhex(nxe_str_t s, unsigned char *out, size_t len)
{
    int     v;
    char    c;
    size_t  i;

    if (s.len != 2 * len) {
        return NXE_INVALID;
    }

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if (c >= '0' && c <= '9') {
            v = c - '0';

        } else if (c >= 'a' && c <= 'f') {
            v = c - 'a' + 10;

        } else if (c >= 'A' && c <= 'F') {
            v = c - 'A' + 10;

        } else {
            return NXE_INVALID;
        }

        out[i / 2] = (unsigned char) (i % 2 == 0 ? v << 4 : out[i / 2] | v);
    }

    return NXE_OK;
}


int
nxe_same(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}


void
nxe_erase(void *data, size_t len)
{
    OPENSSL_cleanse(data, len);
}
