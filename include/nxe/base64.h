/*
 * base64url without padding (RFC 4648, section 5), as tokens have it.
 */

#ifndef NXE_BASE64_H
#define NXE_BASE64_H

#include <nxe/base.h>

NXE_BEGIN_DECLS


/* 1 if all characters are of the alphabet. */
int nxe_base64url_ok(nxe_str_t s);

/* Room for what n characters decode to. */
#define nxe_base64url_room(n)  ((n) / 4 * 3 + 2)

/*
 * Decodes s into out, which has room for nxe_base64url_room(s.len) bytes.
 * Strict, so that no two texts decode to the same bytes.  NXE_INVALID: a
 * character outside of the alphabet, padding too; a length that no encoder
 * gives; bits behind the last byte that are not zero.
 */
nxe_status_t nxe_base64url_decode(nxe_str_t s, char *out, size_t *len);

/* What n bytes are encoded to. */
#define nxe_base64url_len(n)  (((n) * 4 + 2) / 3)

/* Encodes s into out, which has room for nxe_base64url_len(s.len) bytes. */
size_t nxe_base64url_encode(nxe_str_t s, char *out);


NXE_END_DECLS

#endif /* NXE_BASE64_H */
