/*
 * A growing buffer with a stated maximum.
 *
 * A failed append leaves the buffer as it was and makes it "failed": later
 * appends do nothing, so that a writer checks once, at the end.
 */

#ifndef NXE_BUF_H
#define NXE_BUF_H

#include <nxe/base.h>

NXE_BEGIN_DECLS


typedef struct {
    char               *data;
    size_t              len;
    size_t              size;
    size_t              max;
    nxe_status_t        status;     /* NXE_OK, NXE_NOMEM, NXE_INVALID (max) */
} nxe_buf_t;

/* An empty buffer over malloc() that never grows beyond max bytes. */
void nxe_buf_init(nxe_buf_t *b, size_t max);

/* Frees the bytes and makes the buffer empty again, with the same max. */
void nxe_buf_free(nxe_buf_t *b);

nxe_status_t nxe_buf_add(nxe_buf_t *b, nxe_str_t s);
nxe_status_t nxe_buf_addc(nxe_buf_t *b, char c);
nxe_status_t nxe_buf_addf(nxe_buf_t *b, const char *fmt, ...) NXE_PRINTF(2, 3);

/* s as a JSON string with its quotes; invalid UTF-8 becomes U+FFFD. */
nxe_status_t nxe_buf_add_json(nxe_buf_t *b, nxe_str_t s);

/* What is in the buffer; valid until the next append or free. */
nxe_str_t nxe_buf_str(const nxe_buf_t *b);


NXE_END_DECLS

#endif /* NXE_BUF_H */
