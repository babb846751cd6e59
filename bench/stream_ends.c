/*
 * The two ends of the streams: the provider, to which nginx connects, and the
 * clients.
 */

#define _GNU_SOURCE

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stream.h"


#define STREAM_READ     65536
#define STREAM_EVENTS   512
#define STREAM_STALL    1000000000u     /* nanoseconds */
#define STREAM_WAIT     10000           /* milliseconds */


static void stream_accept(stream_bench_t *b);
static void stream_provide(stream_bench_t *b, stream_conn_t *c);
static int stream_write(stream_bench_t *b, stream_t *st);
static int stream_read(stream_bench_t *b, stream_t *st);
static const char *stream_decode(const stream_bench_t *b, stream_t *st,
    const char *p, const char *end);
static const char *stream_line(stream_t *st, const char *p, const char *end);
static const char *stream_data(const stream_bench_t *b, stream_t *st,
    const char *p, const char *end);
static int stream_count(stream_bench_t *b, stream_t *st, uint64_t now);
static void stream_lose(stream_bench_t *b, stream_t *st, const char *why);
static int stream_time(stream_times_t *t, uint64_t ns);


int
stream_more(const stream_bench_t *b)
{
    return b->total != 0 ? b->begun < b->total : bench_now() < b->end;
}


int
stream_ask(stream_bench_t *b, stream_t *st)
{
    int     len;
    char    request[2 * STREAM_HEAD];
    size_t  i;

    i = (size_t) (st - b->side->streams);

    len = snprintf(request, sizeof(request),
                   "POST %s HTTP/1.1\r\n"
                   "Host: bench\r\n"
                   "Content-Type: application/json\r\n"
                   "X-Conversation-Id: conversation-%zu\r\n"
                   "X-Stream: %zu\r\n"
                   "Content-Length: %zu\r\n\r\n%s",
                   b->side->events->uri, i + 1, i, strlen(b->side->request),
                   b->side->request);

    st->open = 1;
    st->state = STREAM_IN_HEAD;
    st->have = st->left = st->text = st->sent = st->got = 0;
    st->last = 0;
    b->begun++;
    b->open++;

    if (send(st->client.fd, request, (size_t) len, 0) != len) {
        stream_lose(b, st, "cannot send a request");
        return 0;
    }

    return 1;
}


int
stream_turn(stream_bench_t *b)
{
    int                  i, n;
    stream_conn_t       *c;
    struct epoll_event   events[STREAM_EVENTS];

    n = epoll_wait(b->epoll, events, STREAM_EVENTS, STREAM_WAIT);

    if (n <= 0) {
        (void) fprintf(stderr, "bench-stream: %s: %zu streams stand still\n",
                       b->side->name, b->open);
        return 0;
    }

    for (i = 0; i < n; i++) {
        c = events[i].data.ptr;

        if (c->stream != NULL) {
            if (!stream_read(b, c->stream)) {
                return 0;
            }

        } else if (c->request != NULL) {
            stream_provide(b, c);

        } else {
            stream_accept(b);
        }
    }

    return 1;
}


static void
stream_accept(stream_bench_t *b)
{
    stream_conn_t       *c;
    struct epoll_event   ev;

    c = calloc(1, sizeof(stream_conn_t));
    if (c == NULL) {
        return;
    }

    c->request = calloc(1, sizeof(bench_request_t));
    c->fd = bench_accept(b->listener.fd);

    memset(&ev, 0, sizeof(ev));
    ev.events = EPOLLIN;
    ev.data.ptr = c;

    if (c->request == NULL || c->fd == -1
        || epoll_ctl(b->epoll, EPOLL_CTL_ADD, c->fd, &ev) != 0)
    {
        perror("bench-stream");

        if (c->fd != -1) {
            (void) close(c->fd);
        }

        free(c->request);
        free(c);
    }
}


/* A request has come through the edge: its stream begins. */

static void
stream_provide(stream_bench_t *b, stream_conn_t *c)
{
    int     rc;
    char   *p;
    size_t  i;

    static const char  name[] = "\r\nX-Stream: ";

    rc = bench_request(c->request, c->fd);
    if (rc == 0) {
        return;
    }

    p = rc == 1 ? strcasestr(c->request->head, name) : NULL;
    i = p != NULL ? strtoul(p + sizeof(name) - 1, NULL, 10) : b->streams;

    if (i < b->streams && b->side->streams[i].open
        && b->side->streams[i].provider == NULL)
    {
        c->answers = &b->side->streams[i];
        c->answers->provider = c;

        if (stream_write(b, c->answers)) {
            return;
        }
    }

    /* nginx has closed it, or asks for what nobody here has asked */

    if (c->answers != NULL) {
        c->answers->provider = NULL;
    }

    (void) close(c->fd);
    free(c->request);
    free(c);
}


/* As many events as may be on their way. */

static int
stream_write(stream_bench_t *b, stream_t *st)
{
    const events_one_t  *one;

    while (st->provider != NULL && st->sent < b->asked.n
           && st->sent - st->got < b->window)
    {
        one = &b->asked.events[st->sent];
        st->at[st->sent % STREAM_WINDOW] = bench_now();
        st->sent++;

        if (send(st->provider->fd, one->wire, one->len, 0)
            != (ssize_t) one->len)
        {
            return 0;
        }

        /* an event of which the client gets nothing is there at once */

        if (!stream_count(b, st, 0)) {
            return 0;
        }
    }

    return 1;
}


/* 0: there is no going on. */

static int
stream_read(stream_bench_t *b, stream_t *st)
{
    ssize_t      n;
    uint64_t     now;
    const char  *p, *end;

    static char  buf[STREAM_READ];

    n = recv(st->client.fd, buf, sizeof(buf), 0);
    now = bench_now();

    if (n == -1 && errno == EAGAIN) {
        return 1;
    }

    end = buf + (n > 0 ? n : 0);

    for (p = buf; p != NULL && p < end; /* void */ ) {
        p = st->open ? stream_decode(b, st, p, end) : NULL;
    }

    if (n <= 0 || p == NULL) {
        stream_lose(b, st, n <= 0 ? "the edge closed it"
                                  : "what came is not what was to come");
        return 0;
    }

    if (!stream_count(b, st, now)) {
        return 0;
    }

    if (st->state != STREAM_AT_END) {
        return stream_write(b, st);
    }

    if (st->got != b->asked.n) {
        stream_lose(b, st, "it ended early");
        return 0;
    }

    if (st->provider != NULL) {
        st->provider->answers = NULL;
        st->provider = NULL;
    }

    st->open = 0;
    b->open--;
    b->done++;

    return stream_more(b) ? stream_ask(b, st) : 1;
}


/* Takes a part of what came; NULL: it is wrong. */

static const char *
stream_decode(const stream_bench_t *b, stream_t *st, const char *p,
    const char *end)
{
    const char  *next;

    switch (st->state) {

    case STREAM_IN_HEAD:
    case STREAM_IN_SIZE:
    case STREAM_BEHIND_DATA:
        next = stream_line(st, p, end);

        if (next == NULL || st->have != 0) {
            return next;
        }

        if (st->state == STREAM_IN_HEAD) {
            if (strncmp(st->head, "HTTP/1.1 200 ", 13) != 0
                || strcasestr(st->head, "\r\nTransfer-Encoding: chunked")
                   == NULL)
            {
                return NULL;
            }

            st->state = STREAM_IN_SIZE;

        } else if (st->state == STREAM_BEHIND_DATA) {
            st->state = st->left == 0 ? STREAM_AT_END : STREAM_IN_SIZE;

        } else {
            st->left = strtoul(st->head, NULL, 16);
            st->state = st->left != 0 ? STREAM_IN_DATA : STREAM_BEHIND_DATA;
        }

        return next;

    case STREAM_IN_DATA:
        return stream_data(b, st, p, end);

    default:
        return NULL;
    }
}


/*
 * Collects a line, or a whole head, in st->head; st->have is 0 when it is
 * there.
 */

static const char *
stream_line(stream_t *st, const char *p, const char *end)
{
    while (p < end && st->have < STREAM_HEAD - 1) {
        st->head[st->have++] = *p++;

        if (p[-1] == '\n'
            && (st->state != STREAM_IN_HEAD
                || (st->have >= 4
                    && memcmp(st->head + st->have - 4, "\r\n\r\n", 4) == 0)))
        {
            st->head[st->have] = '\0';
            st->have = 0;
            return p;
        }
    }

    return p == end ? p : NULL;
}


static const char *
stream_data(const stream_bench_t *b, stream_t *st, const char *p,
    const char *end)
{
    size_t           n;
    const events_t  *e;

    e = b->side->events;
    n = (size_t) (end - p) < st->left ? (size_t) (end - p) : st->left;

    if (n > e->text_len - st->text || memcmp(p, e->text + st->text, n) != 0) {
        return NULL;
    }

    st->text += n;
    st->left -= n;

    if (st->left == 0) {
        st->state = STREAM_BEHIND_DATA;
        st->left = 1;               /* not the last chunk */
    }

    return p + n;
}


/*
 * Counts the events that the client has whole; now: when their last bytes
 * came, 0 if none did.
 */

static int
stream_count(stream_bench_t *b, stream_t *st, uint64_t now)
{
    uint64_t             took;
    const events_one_t  *one;

    while (st->got < st->sent) {
        one = &b->side->events->events[st->got];

        if (one->end > st->text) {
            break;
        }

        /* nothing of it was to come */

        if (st->got != 0 && one->end == one[-1].end) {
            st->got++;
            continue;
        }

        took = now - st->at[st->got % STREAM_WINDOW];

        if (!stream_time(&b->side->every, took)
            || (st->got == b->asked.content
                && !stream_time(&b->side->first, took)))
        {
            return 0;
        }

        if (st->last != 0 && now - st->last > b->gap) {
            b->gap = now - st->last;
        }

        if (st->last != 0 && now - st->last > STREAM_STALL) {
            b->stalled++;
        }

        st->last = now;
        st->got++;
    }

    return 1;
}


static void
stream_lose(stream_bench_t *b, stream_t *st, const char *why)
{
    b->lost++;

    (void) fprintf(stderr, "bench-stream: %s: stream %zu is lost behind event "
                   "%zu of %zu: %s\n", b->side->name,
                   (size_t) (st - b->side->streams), st->got, b->asked.n, why);
}


static int
stream_time(stream_times_t *t, uint64_t ns)
{
    size_t     room;
    uint32_t  *p;

    if (t->n == t->room) {
        room = t->room != 0 ? 2 * t->room : 4096;
        p = realloc(t->ns, room * sizeof(uint32_t));

        if (p == NULL) {
            perror("bench-stream");
            return 0;
        }

        t->ns = p;
        t->room = room;
    }

    t->ns[t->n++] = ns < UINT32_MAX ? (uint32_t) ns : UINT32_MAX;

    return 1;
}
