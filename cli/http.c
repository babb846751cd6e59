/*
 * libcurl behind a few functions: nothing else includes its header.
 */

#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "cli/http.h"

#define CONNECT_MS  2000
#define WHOLE_MS    10000


struct http_s {
    CURL                         *curl;
    CURLU                        *parts;
    char                         *url;      /* without credentials */
    char                          why[CURL_ERROR_SIZE];
    nxe_buf_t                    *body;
    const volatile sig_atomic_t  *stop;
};


/* 1 if the host is this one: a proxy would ask itself. */

static int
is_loopback(CURLU *parts)
{
    int    rc;
    char  *host;

    if (curl_url_get(parts, CURLUPART_HOST, &host, 0) != CURLUE_OK) {
        return 0;
    }

    rc = strncmp(host, "127.", 4) == 0 || strcmp(host, "localhost") == 0
         || strcmp(host, "[::1]") == 0;

    curl_free(host);

    return rc;
}


/* The URL as it may be shown. */

static char *
plain_url(CURLU *parts)
{
    char   *url, *copy;
    CURLU  *plain;

    copy = NULL;
    plain = curl_url_dup(parts);

    if (plain != NULL
        && curl_url_set(plain, CURLUPART_USER, NULL, 0) == CURLUE_OK
        && curl_url_set(plain, CURLUPART_PASSWORD, NULL, 0) == CURLUE_OK
        && curl_url_get(plain, CURLUPART_URL, &url, 0) == CURLUE_OK)
    {
        copy = strdup(url);
        curl_free(url);
    }

    curl_url_cleanup(plain);

    return copy;
}


static nxe_status_t
parse_url(http_t *h, const char *url, nxe_error_t *err)
{
    int        known;
    char      *scheme;
    CURLUcode  rc;

    rc = curl_url_set(h->parts, CURLUPART_URL, url,
                      CURLU_NON_SUPPORT_SCHEME);

    if (rc == CURLUE_OUT_OF_MEMORY) {
        return nxe_fail(err, NXE_NOMEM, "out of memory");
    }

    if (rc != CURLUE_OK) {
        return nxe_fail(err, NXE_INVALID, "'%s' is no URL (%s), expected "
                        "http://HOST[:PORT]/PATH", url, curl_url_strerror(rc));
    }

    if (curl_url_get(h->parts, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK) {
        return nxe_fail(err, NXE_NOMEM, "out of memory");
    }

    known = strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0;
    curl_free(scheme);

    if (!known) {
        return nxe_fail(err, NXE_INVALID, "'%s' is no URL of http or https",
                        url);
    }

    h->url = plain_url(h->parts);

    return h->url != NULL ? NXE_OK
                          : nxe_fail(err, NXE_NOMEM, "out of memory");
}


/* What is not taken ends the transfer. */

static size_t
take_body(char *data, size_t size, size_t n, void *ctx)
{
    http_t  *h;

    h = ctx;

    return nxe_buf_add(h->body, (nxe_str_t) { data, size * n }) == NXE_OK
           ? size * n : 0;
}


static int
may_go_on(void *ctx, curl_off_t down_all, curl_off_t down, curl_off_t up_all,
    curl_off_t up)
{
    http_t  *h;

    (void) down_all;
    (void) down;
    (void) up_all;
    (void) up;

    h = ctx;

    return h->stop != NULL && *h->stop;
}


static CURLcode
set_options(http_t *h)
{
    size_t    i;
    CURLcode  rc;

    const struct {
        CURLoption   option;
        long         value;
    } longs[] = {
        { CURLOPT_NOSIGNAL, 1 },
        { CURLOPT_NOPROGRESS, 0 },
        { CURLOPT_FOLLOWLOCATION, 0 },
        { CURLOPT_NETRC, CURL_NETRC_OPTIONAL },
        { CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS },
        { CURLOPT_TIMEOUT_MS, WHOLE_MS }
    };

    rc = CURLE_OK;

    for (i = 0; i < sizeof(longs) / sizeof(longs[0]); i++) {
        if (rc == CURLE_OK) {
            rc = curl_easy_setopt(h->curl, longs[i].option, longs[i].value);
        }
    }

    if (rc != CURLE_OK
        || (rc = curl_easy_setopt(h->curl, CURLOPT_CURLU, h->parts))
        || (rc = curl_easy_setopt(h->curl, CURLOPT_ERRORBUFFER, h->why))
        || (rc = curl_easy_setopt(h->curl, CURLOPT_PROTOCOLS_STR,
                                  "http,https"))
        || (rc = curl_easy_setopt(h->curl, CURLOPT_USERAGENT, "expctl"))
        || (rc = curl_easy_setopt(h->curl, CURLOPT_WRITEFUNCTION, take_body))
        || (rc = curl_easy_setopt(h->curl, CURLOPT_WRITEDATA, h))
        || (rc = curl_easy_setopt(h->curl, CURLOPT_XFERINFOFUNCTION,
                                  may_go_on))
        || (rc = curl_easy_setopt(h->curl, CURLOPT_XFERINFODATA, h)))
    {
        return rc;
    }

    return is_loopback(h->parts)
           ? curl_easy_setopt(h->curl, CURLOPT_PROXY, "") : CURLE_OK;
}


nxe_status_t
http_new(const char *url, http_t **http, nxe_error_t *err)
{
    http_t        *h;
    nxe_status_t   rc;

    h = calloc(1, sizeof(http_t));

    if (h == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(h);
        return nxe_fail(err, NXE_NOMEM, "out of memory");
    }

    h->curl = curl_easy_init();
    h->parts = curl_url();

    rc = h->curl != NULL && h->parts != NULL
         ? parse_url(h, url, err)
         : nxe_fail(err, NXE_NOMEM, "out of memory");

    if (rc == NXE_OK && set_options(h) != CURLE_OK) {
        rc = nxe_fail(err, NXE_NOMEM, "cannot set libcurl up");
    }

    if (rc != NXE_OK) {
        http_free(h);
        return rc;
    }

    *http = h;

    return NXE_OK;
}


const char *
http_url(const http_t *h)
{
    return h->url;
}


nxe_status_t
http_get(http_t *h, const volatile sig_atomic_t *stop, nxe_buf_t *body,
    long *status, nxe_error_t *err)
{
    CURLcode  rc;

    h->body = body;
    h->stop = stop;
    h->why[0] = '\0';

    rc = curl_easy_perform(h->curl);

    if (rc == CURLE_OK) {
        rc = curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, status);
    }

    switch (rc) {

    case CURLE_OK:
        return NXE_OK;

    case CURLE_ABORTED_BY_CALLBACK:
        return NXE_AGAIN;

    case CURLE_WRITE_ERROR:
        return body->status == NXE_NOMEM
               ? nxe_fail(err, NXE_NOMEM, "out of memory")
               : nxe_fail(err, NXE_IO, "the answer of %s is longer than %zu "
                          "MB", h->url, body->max >> 20);

    default:
        return nxe_fail(err, NXE_IO, "cannot get %s: %s", h->url,
                        h->why[0] != '\0' ? h->why : curl_easy_strerror(rc));
    }
}


void
http_free(http_t *h)
{
    if (h != NULL) {
        curl_easy_cleanup(h->curl);
        curl_url_cleanup(h->parts);
        free(h->url);
        free(h);
        curl_global_cleanup();
    }
}
