/*
 * GET over HTTP, one URL at a time.
 */

#ifndef EXPCTL_HTTP_H
#define EXPCTL_HTTP_H

#include <signal.h>

#include <nxe/base.h>
#include <nxe/buf.h>


typedef struct http_s  http_t;

/*
 * Prepares one URL, which is copied; close with http_free().  A proxy of the
 * environment is used but for loopback addresses, redirects are not followed,
 * the password of a URL without one comes from ~/.netrc.  NXE_INVALID: it is
 * no URL, or not one of http or https; NXE_NOMEM.  err says why.
 */
nxe_status_t http_new(const char *url, http_t **http, nxe_error_t *err);

/* The URL without user and password, for messages; it is http's. */
const char *http_url(const http_t *http);

/*
 * Gets it: appends the body to an empty buffer, whose maximum is that of the
 * answer, and writes the status of the answer, whatever it is.  2 s to
 * connect, 10 s in all.  Connections are kept for the next time.
 *
 * NXE_AGAIN: *stop (which may be NULL) was set meanwhile; NXE_IO: it cannot
 * be reached, or what came is no answer, or too long; NXE_NOMEM.  err says
 * why.
 */
nxe_status_t http_get(http_t *http, const volatile sig_atomic_t *stop,
    nxe_buf_t *body, long *status, nxe_error_t *err);

/* NULL is allowed. */
void http_free(http_t *http);


#endif /* EXPCTL_HTTP_H */
