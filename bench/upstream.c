/*
 * The upstream of the bench: answers each POST with one small JSON document.
 * It stands on the load's core and has to cost little, so that the edge is
 * what limits: the bytes of a body are dropped in the kernel, not copied.
 *
 *     bench-upstream         prints its port on 127.0.0.1, serves until killed
 */

#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>


#define UPSTREAM_HEAD    8192
#define UPSTREAM_DROP    (1 << 20)
#define UPSTREAM_EVENTS  64


typedef struct {
    int                 fd;
    size_t              have;       /* bytes in head */
    size_t              left;       /* of the body, still to come */
    int                 reading;    /* the head is whole */
    char                head[UPSTREAM_HEAD + 1];
} upstream_conn_t;


static int upstream_listen(void);
static int upstream_accept(int epoll, int fd);
static int upstream_serve(upstream_conn_t *c);
static int upstream_head(upstream_conn_t *c);
static int upstream_answer(upstream_conn_t *c);


static const char  upstream_body[] =
    "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\","
    "\"created\":1795132800,\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,"
    "\"finish_reason\":\"stop\",\"message\":{\"role\":\"assistant\","
    "\"content\":\"Your parcel left the depot this morning and arrives "
    "tomorrow.\"}}],\"usage\":{\"prompt_tokens\":210,"
    "\"completion_tokens\":12,\"total_tokens\":222}}";


int
main(void)
{
    int                  i, n, fd, epoll;
    upstream_conn_t     *c;
    struct epoll_event   ev, events[UPSTREAM_EVENTS];

    (void) signal(SIGPIPE, SIG_IGN);

    fd = upstream_listen();
    epoll = epoll_create1(EPOLL_CLOEXEC);

    memset(&ev, 0, sizeof(ev));
    ev.events = EPOLLIN;

    if (fd == -1 || epoll == -1
        || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) != 0)
    {
        perror("bench-upstream");
        return 3;
    }

    for ( ;; ) {
        n = epoll_wait(epoll, events, UPSTREAM_EVENTS, -1);

        for (i = 0; i < n; i++) {
            c = events[i].data.ptr;

            if (c == NULL) {
                if (!upstream_accept(epoll, fd)) {
                    perror("bench-upstream");
                }

            } else if (!upstream_serve(c)) {
                (void) close(c->fd);
                free(c);
            }
        }
    }
}


static int
upstream_listen(void)
{
    int                 fd;
    socklen_t           len;
    struct sockaddr_in  addr;

    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    len = sizeof(addr);

    memset(&addr, 0, sizeof(addr));
    addr.sin_family = AF_INET;
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    if (fd == -1 || bind(fd, (struct sockaddr *) &addr, len) != 0
        || listen(fd, 511) != 0
        || getsockname(fd, (struct sockaddr *) &addr, &len) != 0)
    {
        return -1;
    }

    (void) printf("%u\n", ntohs(addr.sin_port));

    return fflush(stdout) == 0 ? fd : -1;
}


static int
upstream_accept(int epoll, int fd)
{
    int                  on;
    upstream_conn_t     *c;
    struct epoll_event   ev;

    c = calloc(1, sizeof(upstream_conn_t));
    if (c == NULL) {
        return 0;
    }

    c->fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    memset(&ev, 0, sizeof(ev));
    ev.events = EPOLLIN;
    ev.data.ptr = c;
    on = 1;

    if (c->fd == -1
        || setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0
        || epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &ev) != 0)
    {
        if (c->fd != -1) {
            (void) close(c->fd);
        }

        free(c);
        return 0;
    }

    return 1;
}


/* 0: the connection is at its end. */

static int
upstream_serve(upstream_conn_t *c)
{
    ssize_t      n;

    static char  drop[UPSTREAM_DROP];

    for ( ;; ) {

        if (c->reading) {
            n = recv(c->fd, drop, c->left < sizeof(drop) ? c->left
                                                         : sizeof(drop),
                     MSG_TRUNC);

        } else {
            n = recv(c->fd, c->head + c->have, UPSTREAM_HEAD - c->have, 0);
        }

        if (n <= 0) {
            return n == -1 && errno == EAGAIN;
        }

        if (c->reading) {
            c->left -= (size_t) n;

        } else {
            c->have += (size_t) n;

            if (!upstream_head(c)) {
                return 0;
            }
        }

        if (c->reading && c->left == 0) {
            return upstream_answer(c);
        }
    }
}


/* Looks for the end of the head; 0: not one that this server takes. */

static int
upstream_head(upstream_conn_t *c)
{
    char    *end, *p;
    size_t   body;

    c->head[c->have] = '\0';
    end = strstr(c->head, "\r\n\r\n");

    if (end == NULL) {
        return c->have < UPSTREAM_HEAD;
    }

    p = strcasestr(c->head, "\r\nContent-Length: ");

    if (strncmp(c->head, "POST ", 5) != 0 || p == NULL || p > end) {
        return 0;
    }

    c->left = strtoul(p + sizeof("\r\nContent-Length: ") - 1, NULL, 10);
    c->reading = 1;
    body = c->have - (size_t) (end + 4 - c->head);

    /* nginx sends the next request behind the answer to this one */

    if (body > c->left) {
        return 0;
    }

    c->left -= body;

    return 1;
}


static int
upstream_answer(upstream_conn_t *c)
{
    int   len;
    char  answer[1024];

    len = snprintf(answer, sizeof(answer),
                   "HTTP/1.1 200 OK\r\n"
                   "Content-Type: application/json\r\n"
                   "Content-Length: %zu\r\n"
                   "Connection: keep-alive\r\n\r\n%s",
                   sizeof(upstream_body) - 1, upstream_body);

    c->have = 0;
    c->left = 0;
    c->reading = 0;

    return send(c->fd, answer, (size_t) len, 0) == len;
}
