/*
 * SHA-256 (FIPS 180-4), HMAC (RFC 2104), HKDF (RFC 5869).
 *
 * None of these allocates: OpenSSL 3.0's EVP calls do on every init, which a
 * request path cannot afford.
 */

#ifndef NXE_HASH_H
#define NXE_HASH_H

#include <nxe/base.h>

NXE_BEGIN_DECLS


#define NXE_SHA256_LEN      32
#define NXE_SHA256_CTX_LEN  128

/* Room for OpenSSL's SHA256_CTX, so that this header needs none of theirs. */

typedef struct {
    _Alignas(16) unsigned char  opaque[NXE_SHA256_CTX_LEN];
} nxe_sha256_t;

void nxe_sha256_init(nxe_sha256_t *c);
void nxe_sha256_update(nxe_sha256_t *c, const void *data, size_t len);
void nxe_sha256_final(nxe_sha256_t *c, unsigned char out[NXE_SHA256_LEN]);
void nxe_sha256(nxe_str_t s, unsigned char out[NXE_SHA256_LEN]);


/* The inner and outer state of HMAC-SHA256, computed once for a key. */

typedef struct {
    nxe_sha256_t        inner;
    nxe_sha256_t        outer;
} nxe_hmac_key_t;

/* key is 32 bytes; the caller erases it when it is done with it. */
void nxe_hmac_key(nxe_hmac_key_t *k, const unsigned char key[NXE_SHA256_LEN]);

/*
 * HMAC-SHA256 over the n parts joined together.
 */
void nxe_hmac(const nxe_hmac_key_t *k, const nxe_str_t *parts, size_t n,
    unsigned char out[NXE_SHA256_LEN]);

/*
 * HKDF-SHA256 without salt, 32 bytes out, info "nxe/v1/PURPOSE"
 * (PURPOSE at most 32 bytes, else NXE_INVALID).
 */
nxe_status_t nxe_hkdf(const unsigned char root[NXE_SHA256_LEN],
    nxe_str_t purpose, unsigned char out[NXE_SHA256_LEN]);

/* Lower-case hex of len bytes into out, which has room for 2 * len. */
void nxe_hex(const unsigned char *data, size_t len, char *out);

/* The inverse; NXE_INVALID unless s is exactly 2 * len hex digits. */
nxe_status_t nxe_unhex(nxe_str_t s, unsigned char *out, size_t len);

/* 1 if len bytes are equal; the time tells nothing of where they differ. */
int nxe_same(const void *a, const void *b, size_t len);

/* Overwrites memory in a way that the compiler keeps. */
void nxe_erase(void *data, size_t len);


NXE_END_DECLS

#endif /* NXE_HASH_H */
