/*
 * What a request says of who sends it: the claims of a JWT, and the hash of
 * a credential, which are the sources jwt: and auth:.
 *
 * Nothing is verified here, no signature and no password: whether somebody
 * else has done that, nginx.conf says (nxe/trust.h).
 */

#ifndef NXE_CREDENTIAL_H
#define NXE_CREDENTIAL_H

#include <nxe/base.h>
#include <nxe/hash.h>

NXE_BEGIN_DECLS


/* The longest JWT that is looked at, all three parts. */
#define NXE_JWT_MAX  8192

/*
 * The credentials of one request.  Zeroed, then given each header in turn;
 * values are borrowed.  What is computed is kept.
 */

typedef struct {
    nxe_str_t           authorization;  /* the last one */
    nxe_str_t           key;            /* of X-API-Key and API-Key */
    size_t              nauthorization;
    size_t              nkeys;

    nxe_str_t           payload;        /* of the JWT; NULL: there is none */
    char                hash[2 * NXE_SHA256_LEN];
    unsigned            decoded:1;
    unsigned            hashed:1;
} nxe_credentials_t;

/* Takes a header, by its name in lower case, if it is one of ours. */
void nxe_credentials_add(nxe_credentials_t *c, nxe_str_t lower,
    nxe_str_t value);

/*
 * jwt:CLAIM, the top-level claim of "Authorization: Bearer JWT": a string or
 * an integer, as nxe_places_value() gives it.  NXE_DECLINED: no such header
 * or two, no JWT (three parts, of which the second is strict base64url of a
 * strict JSON object), no such claim or two, or another type; NXE_NOMEM.
 */
nxe_status_t nxe_credentials_claim(nxe_credentials_t *c, nxe_str_t claim,
    const nxe_mem_t *mem, nxe_str_t *value);

/*
 * auth:, the SHA-256 in lower-case hex of what stands behind the scheme in
 * Authorization, or where there is no such header, of X-API-Key or API-Key.
 * The value borrows from c.  NXE_DECLINED: none, or any of them twice.
 */
nxe_status_t nxe_credentials_hash(nxe_credentials_t *c, nxe_str_t *value);


NXE_END_DECLS

#endif /* NXE_CREDENTIAL_H */
