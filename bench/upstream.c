/*
 * The upstream of the bench: answers each POST with one small JSON document,
 * and what is posted below "/answer/" with one of 64 KB, as a chat that has
 * much to say.  It stands on the load's core and has to cost little, so that
 * the edge is what limits: the bytes of a body are dropped in the kernel, and
 * the answers lie ready.
 *
 *     bench-upstream         prints its port on 127.0.0.1, serves until killed
 */

#define _GNU_SOURCE

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common.h"
#include "corpus.h"


#define UPSTREAM_EVENTS  64
#define UPSTREAM_HEAD    256
#define UPSTREAM_LONG    65536


typedef struct {
    int                 fd;
    bench_request_t     request;
} upstream_conn_t;

/* What is sent, head and body. */

typedef struct {
    char               *data;
    size_t              len;
} upstream_answer_t;


static int upstream_prepare(upstream_answer_t *a, const char *body,
    size_t len);
static int upstream_accept(int epoll, int fd);
static int upstream_serve(upstream_conn_t *c);


static upstream_answer_t  upstream_short, upstream_long;

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

    fd = bench_listen(0);
    epoll = epoll_create1(EPOLL_CLOEXEC);

    memset(&ev, 0, sizeof(ev));
    ev.events = EPOLLIN;

    if (fd == -1 || epoll == -1
        || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) != 0
        || !upstream_prepare(&upstream_short, upstream_body,
                             sizeof(upstream_body) - 1)
        || !upstream_prepare(&upstream_long,
                             corpus_make("answer", UPSTREAM_LONG),
                             UPSTREAM_LONG)
        || printf("%u\n", bench_port(fd)) < 0 || fflush(stdout) != 0)
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
upstream_prepare(upstream_answer_t *a, const char *body, size_t len)
{
    int  n;

    a->data = malloc(UPSTREAM_HEAD + len);
    if (a->data == NULL || body == NULL) {
        return 0;
    }

    n = snprintf(a->data, UPSTREAM_HEAD,
                 "HTTP/1.1 200 OK\r\n"
                 "Content-Type: application/json\r\n"
                 "Content-Length: %zu\r\n"
                 "Connection: keep-alive\r\n\r\n", len);

    memcpy(a->data + n, body, len);
    a->len = (size_t) n + len;

    return 1;
}


static int
upstream_accept(int epoll, int fd)
{
    int                  room;
    upstream_conn_t     *c;
    struct epoll_event   ev;

    c = calloc(1, sizeof(upstream_conn_t));
    if (c == NULL) {
        return 0;
    }

    c->fd = bench_accept(fd);

    memset(&ev, 0, sizeof(ev));
    ev.events = EPOLLIN;
    ev.data.ptr = c;

    /* each answer is sent at once, whatever reads it */

    room = 2 * UPSTREAM_LONG;

    if (c->fd == -1
        || setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)) != 0
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
    int                       rc;
    const upstream_answer_t  *a;

    static const char         uri[] = "POST /answer/";

    rc = bench_request(&c->request, c->fd);
    if (rc <= 0) {
        return rc == 0;
    }

    a = strncmp(c->request.head, uri, sizeof(uri) - 1) == 0
        ? &upstream_long : &upstream_short;

    return send(c->fd, a->data, a->len, 0) == (ssize_t) a->len;
}
