/*
 * Tokens that the edge hands out and takes back:
 *
 *     v1.KID.b64url(payload).b64url(MAC)
 *
 * of at most NXE_TOKEN_MAX bytes.  There is no field for an algorithm: MAC is
 * HMAC-SHA256 over all before its point, under the subkey that HKDF derives
 * from the key KID for one purpose, so that a token of one purpose is none of
 * another.  payload begins with two times and goes on with what its purpose
 * puts there.  Encodings are canonical: no other text is the same token.
 */

#ifndef NXE_TOKEN_H
#define NXE_TOKEN_H

#include <nxe/base.h>
#include <nxe/hash.h>
#include <nxe/keys.h>

NXE_BEGIN_DECLS


#define NXE_TOKEN_MAX      512
#define NXE_TOKEN_SKEW     60       /* seconds between two clocks */

/*
 * The longest payload, its times apart: what is left of the 512 bytes are 456
 * characters.
 */
#define NXE_TOKEN_PAYLOAD  (456 / 4 * 3 - 16)


/* The subkeys of one purpose; the first signs, all verify. */

typedef struct {
    nxe_hmac_key_t      key;
    char                kid[NXE_KID_LEN];
} nxe_token_key_t;

typedef struct {
    size_t              n;
    nxe_token_key_t     keys[NXE_KEYS_MAX];
} nxe_token_keys_t;

/*
 * Derives the subkeys.  purpose is at most 32 bytes, "feedback", else
 * NXE_INVALID.
 */
nxe_status_t nxe_token_keys(const nxe_keys_t *keys, nxe_str_t purpose,
    nxe_token_keys_t *out);


typedef struct {
    int64_t             from;       /* seconds since the epoch, inclusive */
    int64_t             to;         /* exclusive */
    size_t              len;
    char                payload[NXE_TOKEN_PAYLOAD];
} nxe_token_t;

/*
 * Writes the token of t to out, not zero-terminated, and returns its length;
 * 0 if t's payload is longer than NXE_TOKEN_PAYLOAD.
 */
size_t nxe_token_sign(const nxe_token_keys_t *keys, const nxe_token_t *t,
    char out[NXE_TOKEN_MAX]);


/* Why a token is none. */

typedef enum {
    NXE_TOKEN_OK = 0,
    NXE_TOKEN_FORM,         /* not what nxe_token_sign() writes */
    NXE_TOKEN_KEY,          /* of a key that is not there (any more) */
    NXE_TOKEN_FORGED,       /* the MAC is another */
    NXE_TOKEN_EARLY,        /* from the future, beyond the skew */
    NXE_TOKEN_EXPIRED       /* past, beyond the skew */
} nxe_token_cause_t;

/*
 * Reads a token; now in seconds since the epoch.  t is written only when
 * NXE_TOKEN_OK comes back.
 */
nxe_token_cause_t nxe_token_verify(const nxe_token_keys_t *keys,
    nxe_str_t token, int64_t now, nxe_token_t *t);

/* "form", "key", "forged", "early", "expired"; "" for OK. */
const char *nxe_token_cause_name(nxe_token_cause_t cause);


NXE_END_DECLS

#endif /* NXE_TOKEN_H */
