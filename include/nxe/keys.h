/*
 * The key file: a line a key, "KID HEX64", "#" starts a comment.
 * KID is the first four bytes of SHA-256 of the key's 32 bytes, in hex.
 */

#ifndef NXE_KEYS_H
#define NXE_KEYS_H

#include <nxe/base.h>
#include <nxe/hash.h>

NXE_BEGIN_DECLS


#define NXE_KID_LEN     8
#define NXE_KEYS_MAX    16
#define NXE_KEYS_FILE   65536   /* no key file is larger */

typedef struct {
    char                kid[NXE_KID_LEN + 1];
    unsigned char       key[NXE_SHA256_LEN];
} nxe_key_t;

typedef struct {
    size_t              n;
    nxe_key_t           keys[NXE_KEYS_MAX];   /* the first signs */
} nxe_keys_t;

/*
 * Parses the text of a key file.  NXE_INVALID names the line: a line that is
 * no key, a KID that is not its key's, two equal keys, no key at all, or
 * more than NXE_KEYS_MAX.
 */
nxe_status_t nxe_keys_parse(nxe_str_t text, nxe_keys_t *keys,
    nxe_error_t *err);

/* The KID of a key, zero-terminated. */
void nxe_keys_kid(const unsigned char key[NXE_SHA256_LEN],
    char kid[NXE_KID_LEN + 1]);

/*
 * The keyed id of a unit: the first 128 bits of HMAC-SHA256, under the subkey
 * "unit", over type, a zero byte and value, as 32 hex digits.
 */
#define NXE_UNIT_ID_LEN  32

void nxe_unit_id(const nxe_hmac_key_t *unit_key, nxe_str_t type,
    nxe_str_t value, char out[NXE_UNIT_ID_LEN]);


NXE_END_DECLS

#endif /* NXE_KEYS_H */
