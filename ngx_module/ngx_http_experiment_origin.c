
/*
 * What pages of other origins may do with an endpoint (CORS).
 */

#include "ngx_http_experiment_endpoint.h"


static ngx_uint_t ngx_http_experiment_origin_ok(ngx_str_t *origin);
static u_char *ngx_http_experiment_origin_host(u_char *p, u_char *end);
static size_t ngx_http_experiment_default_port(ngx_str_t *origin);


/* origin=URL */

char *
ngx_http_experiment_set_origin(ngx_conf_t *cf, ngx_str_t *word,
    ngx_http_experiment_feedback_conf_t *conf)
{
    size_t       port;
    ngx_str_t   *origin, *listed;
    ngx_uint_t   i;

    origin = ngx_array_push(&conf->origins);
    if (origin == NULL) {
        return NGX_CONF_ERROR;
    }

    *origin = *word;

    if (ngx_strncmp(word->data, "origin=", 7) == 0) {
        origin->data += 7;
        origin->len -= 7;

        listed = conf->origins.elts;

        for (i = 0; i < conf->origins.nelts - 1; i++) {
            if (listed[i].len == origin->len
                && ngx_memcmp(listed[i].data, origin->data, origin->len) == 0)
            {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "duplicate parameter \"%V\"", word);
                return NGX_CONF_ERROR;
            }
        }

        if (ngx_http_experiment_origin_ok(origin)) {
            port = ngx_http_experiment_default_port(origin);

            if (port == 0) {
                return NGX_CONF_OK;
            }

            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\", where browsers "
                               "leave out the port, which is the scheme's "
                               "own: expected \"origin=%*s\"",
                               word, origin->len - port, origin->data);

            return NGX_CONF_ERROR;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\", expected \"origin=\" and "
                       "an origin as browsers send it, \"https://HOST\" or "
                       "\"https://HOST:PORT\" in lower case, or \"http://\" "
                       "for development", word);

    return NGX_CONF_ERROR;
}


/*
 * A scheme, a host, and perhaps a port, in the form that browsers send.
 * Whether a host can exist, or an address could be shorter, is not asked.
 */

static ngx_uint_t
ngx_http_experiment_origin_ok(ngx_str_t *origin)
{
    u_char  *p, *end;

    end = origin->data + origin->len;

    for (p = origin->data; p != end; p++) {
        if (*p >= 'A' && *p <= 'Z') {
            return 0;
        }
    }

    p = origin->data;

    if (ngx_strncmp(p, "https://", 8) != 0
        && ngx_strncmp(p, "http://", 7) != 0)
    {
        return 0;
    }

    p = ngx_http_experiment_origin_host((u_char *) ngx_strchr(p, '/') + 2,
                                        end);

    if (p == NULL || p == end) {
        return p != NULL;
    }

    return *p++ == ':' && p != end && end - p <= 5 && *p != '0'
           && ngx_atoi(p, end - p) != NGX_ERROR && ngx_atoi(p, end - p) < 65536;
}


/* Behind a host's name or its address, NULL where there is none. */

static u_char *
ngx_http_experiment_origin_host(u_char *p, u_char *end)
{
    u_char  *host;
#if (NGX_HAVE_INET6)
    u_char   addr[16];

    if (p != end && *p == '[') {
        host = p + 1;
        p = ngx_strlchr(host, end, ']');

        return p != NULL && ngx_inet6_addr(host, p - host, addr) == NGX_OK
               ? p + 1 : NULL;
    }
#endif

    /* of labels none is empty */

    for (host = p; p != end; p++) {

        if (*p == '.' && (p == host || p[-1] == '.')) {
            return NULL;
        }

        if (!((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9')
              || *p == '-' || *p == '_' || *p == '.'))
        {
            break;
        }
    }

    return p != host ? p : NULL;
}


/* The length of ":443" or ":80" where it says nothing, else 0. */

static size_t
ngx_http_experiment_default_port(ngx_str_t *origin)
{
    size_t       len;
    const char  *port;

    port = origin->data[4] == 's' ? ":443" : ":80";
    len = ngx_strlen(port);

    /* a scheme is longer than a port */

    return ngx_memcmp(origin->data + origin->len - len, port, len) == 0
           ? len : 0;
}


/* What a browser asks before it posts from another origin, and the rest. */

ngx_int_t
ngx_http_experiment_preflight(ngx_http_request_t *r,
    ngx_http_experiment_loc_conf_t *elcf, ngx_int_t listed)
{
    char       *allow;
    ngx_int_t   rc;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (listed == NGX_DECLINED) {
        return ngx_http_experiment_answer(r, NGX_HTTP_FORBIDDEN, NULL);
    }

    allow = elcf->feedback->origins.nelts != 0 ? "POST, OPTIONS" : "POST";

    if (listed != NGX_OK || r->method != NGX_HTTP_OPTIONS) {
        return ngx_http_experiment_answer_text(r, "Allow", allow) != NGX_OK
               ? NGX_HTTP_INTERNAL_SERVER_ERROR
               : ngx_http_experiment_answer(r, NGX_HTTP_NOT_ALLOWED, NULL);
    }

    /* a page has no key to send, and no cookies are wanted */

    if (ngx_http_experiment_answer_text(r, "Access-Control-Allow-Methods",
                                        "POST")
            != NGX_OK
        || ngx_http_experiment_answer_text(r, "Access-Control-Allow-Headers",
               elcf->feedback->trust == NXE_TRUST_TOKEN
               ? "Content-Type, X-Experiment-Feedback-Token"
               : elcf->feedback->trust == NXE_TRUST_KEY
               ? "Content-Type, X-Experiment-Feedback-Key" : "Content-Type")
           != NGX_OK
        || ngx_http_experiment_answer_text(r, "Access-Control-Max-Age", "600")
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_experiment_answer(r, NGX_HTTP_NO_CONTENT, NULL);
}


/*
 * NGX_OK: an origin that is listed, which the answer then says; NGX_DECLINED:
 * another; NGX_DONE: none.
 */

ngx_int_t
ngx_http_experiment_origin(ngx_http_request_t *r,
    ngx_http_experiment_feedback_conf_t *conf)
{
    ngx_str_t        *origin;
    ngx_uint_t        i, n;
    ngx_table_elt_t  *h;

    if (conf->origins.nelts != 0
        && ngx_http_experiment_answer_text(r, "Vary", "Origin") != NGX_OK)
    {
        return NGX_ERROR;
    }

    h = ngx_http_experiment_find_header(r, nxe_str("origin"), &n);

    if (h == NULL) {
        return NGX_DONE;
    }

    origin = conf->origins.elts;

    for (i = 0; n == 1 && i < conf->origins.nelts; i++) {
        if (origin[i].len == h->value.len
            && ngx_memcmp(origin[i].data, h->value.data, h->value.len) == 0)
        {
            return ngx_http_experiment_answer_header(r,
                               "Access-Control-Allow-Origin", origin[i]);
        }
    }

    return NGX_DECLINED;
}
