
/*
 * Who may ask experiment_status.
 */

#include "ngx_http_experiment_endpoint.h"


static ngx_uint_t ngx_http_experiment_status_peer(ngx_http_request_t *r);
static ngx_uint_t ngx_http_experiment_loopback(struct sockaddr *sa);
static ngx_uint_t ngx_http_experiment_status_host(ngx_str_t *host,
    ngx_array_t *hosts);
static ngx_uint_t ngx_http_experiment_loopback_name(ngx_str_t *host);


/*
 * The server's names, once all are known; nginx forgets them.  A regular
 * expression, or a name that ends in "*", may match what others own: neither
 * tells that the server is meant.
 */

ngx_int_t
ngx_http_experiment_status_hosts(ngx_conf_t *cf,
    ngx_http_experiment_loc_conf_t *elcf)
{
    ngx_str_t                 *host;
    ngx_uint_t                 i;
    ngx_http_server_name_t    *name;
    ngx_http_core_srv_conf_t  *cscf;

    cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);
    name = cscf->server_names.elts;

    for (i = 0; i < cscf->server_names.nelts; i++) {

        if (name[i].name.len == 0 || name[i].name.data[0] == '~'
            || name[i].name.data[name[i].name.len - 1] == '*')
        {
            continue;
        }

        host = ngx_array_push(elcf->hosts);
        if (host == NULL) {
            return NGX_ERROR;
        }

        *host = name[i].name;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_experiment_status_allowed(ngx_http_request_t *r,
    ngx_http_experiment_loc_conf_t *elcf)
{
    if (elcf->open) {
        return NGX_OK;
    }

    if (!ngx_http_experiment_status_peer(r)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "experiment_status answers loopback alone: say "
                      "\"open\", and who may ask by \"allow\" or "
                      "\"auth_basic\"");
        return NGX_DECLINED;
    }

    if (!ngx_http_experiment_status_host(&r->headers_in.server, elcf->hosts)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "experiment_status is asked for as \"%V\", which is "
                      "neither loopback nor in \"server_name\"",
                      &r->headers_in.server);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/*
 * Both who is said to be the client, which "real_ip_header" may have changed,
 * and who is at the other end of the socket.
 */

static ngx_uint_t
ngx_http_experiment_status_peer(ngx_http_request_t *r)
{
    socklen_t       len;
    ngx_sockaddr_t  peer;

    len = sizeof(ngx_sockaddr_t);

    return getpeername(r->connection->fd, &peer.sockaddr, &len) == 0
           && ngx_http_experiment_loopback(&peer.sockaddr)
           && ngx_http_experiment_loopback(r->connection->sockaddr);
}


static ngx_uint_t
ngx_http_experiment_loopback(struct sockaddr *sa)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    switch (sa->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sa;
        return ntohl(sin->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;
        return IN6_IS_ADDR_LOOPBACK(&sin6->sin6_addr)
               || (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)
                   && sin6->sin6_addr.s6_addr[12] == IN_LOOPBACKNET);
#endif

    default:
        return sa->sa_family == AF_UNIX;
    }
}


/*
 * A page that has its own name lead to 127.0.0.1 would read the answer: its
 * requests have that name.  Host has no port here and is in lower case.
 */

static ngx_uint_t
ngx_http_experiment_status_host(ngx_str_t *host, ngx_array_t *hosts)
{
    size_t      from, len;
    ngx_str_t  *name;
    ngx_uint_t  i;

    if (ngx_http_experiment_loopback_name(host)) {
        return 1;
    }

    name = hosts->elts;

    for (i = 0; i < hosts->nelts; i++) {

        if (host->len == name[i].len
            && ngx_memcmp(host->data, name[i].data, host->len) == 0)
        {
            return 1;
        }

        /* "*.example.com", or ".example.com", which is the name alone, too */

        from = name[i].data[0] == '*' ? 1 : 0;
        len = name[i].len - from;

        if (name[i].data[from] != '.') {
            continue;
        }

        if (host->len > len
            && ngx_memcmp(host->data + host->len - len, name[i].data + from,
                          len)
               == 0)
        {
            return 1;
        }

        if (from == 0 && host->len == len - 1
            && ngx_memcmp(host->data, name[i].data + 1, len - 1) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_experiment_loopback_name(ngx_str_t *host)
{
    in_addr_t  addr;

    static const ngx_str_t  localhost = ngx_string("localhost");
    static const ngx_str_t  ipv6 = ngx_string("[::1]");

    if ((host->len == localhost.len
         && ngx_memcmp(host->data, localhost.data, host->len) == 0)
        || (host->len == ipv6.len
            && ngx_memcmp(host->data, ipv6.data, host->len) == 0))
    {
        return 1;
    }

    addr = ngx_inet_addr(host->data, host->len);

    return addr != INADDR_NONE && ntohl(addr) >> 24 == IN_LOOPBACKNET;
}
