/*
 * Event streams through the edge, both of their ends: the provider that
 * writes the events and the client that reads them, by one clock.  The next
 * event of a stream is written when the client has the one before, so that
 * the edge gets one event a read whatever its speed, and many streams take
 * turns; with -w so many may be on their way.
 *
 *     bench-stream [-a API] [-c STREAMS] [-e EVENTS] [-i CORE,CORE]
 *                  [-n TOTAL] [-r ROUNDS] [-s SECONDS] [-w WINDOW]
 *                  -l PORT NAME=PORT[:strip]...
 *
 * The edge at each side's PORT has to pass its requests on to the port of -l.
 * A round is a block to each side in turn, in an order that rotates: TOTAL
 * streams, or as many as begin within SECONDS, STREAMS at a time.  "strip":
 * the client does not ask for usage and is not to see any.  Each byte that it
 * gets is compared; a stream that is cut off, or differs, is lost, one
 * without an event for a second has stalled; after ten nothing is waited for.
 *
 * Prints a line a block, "NAME STREAMS EVENTS NS LOST STALLED GAP", GAP the
 * longest time between two events of a stream, then "FIRST50 FIRST99 EVENT50
 * EVENT99", the time from the write to the client of the first event with
 * content and of all.  At the end for each side "first NAME N P50 P90 P99 P999
 * MAX" and "event NAME ...", of all blocks; nanoseconds.
 */

#define _GNU_SOURCE

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "stream.h"


static int stream_options(stream_bench_t *b, int argc, char **argv);
static int stream_side(stream_bench_t *b, char *arg);
static int stream_start(stream_bench_t *b);
static int stream_block(stream_bench_t *b, stream_side_t *side);
static int stream_connect(stream_bench_t *b, stream_side_t *side);
static void stream_print_block(stream_bench_t *b, uint64_t ns, size_t events);
static void stream_print_all(const char *what, const char *name,
    stream_times_t *t);


int
main(int argc, char **argv)
{
    int             rc;
    size_t          round, k;
    bench_awake_t   awake;

    static stream_bench_t  b;

    (void) signal(SIGPIPE, SIG_IGN);

    if (!stream_options(&b, argc, argv)) {
        (void) fprintf(stderr, "usage: bench-stream [-a API] [-c STREAMS] "
                       "[-e EVENTS] [-i CORE,CORE] [-n TOTAL] [-r ROUNDS] "
                       "[-s SECONDS] [-w WINDOW] -l PORT "
                       "NAME=PORT[:strip]...\n");
        return 2;
    }

    if (!stream_start(&b)) {
        perror("bench-stream");
        return 3;
    }

    bench_awake(&awake, b.cores);

    rc = 0;

    for (round = 0; round < b.rounds && rc == 0; round++) {
        for (k = 0; k < b.nsides && rc == 0; k++) {
            rc = stream_block(&b, &b.sides[(k + round) % b.nsides]) ? 0 : 1;
        }
    }

    for (k = 0; k < b.nsides && rc == 0; k++) {
        stream_print_all("first", b.sides[k].name, &b.sides[k].first);
        stream_print_all("event", b.sides[k].name, &b.sides[k].every);
    }

    bench_asleep(&awake);

    return fflush(stdout) == 0 ? rc : 3;
}


static int
stream_options(stream_bench_t *b, int argc, char **argv)
{
    int  c;

    b->api = "chat";
    b->streams = 64;
    b->nevents = 500;
    b->rounds = 1;
    b->seconds = 1;
    b->window = 1;

    while ((c = getopt(argc, argv, "a:c:e:i:l:n:r:s:w:")) != -1) {

        switch (c) {
        case 'a':
            b->api = optarg;
            break;
        case 'c':
            b->streams = strtoul(optarg, NULL, 10);
            break;
        case 'e':
            b->nevents = strtoul(optarg, NULL, 10);
            break;
        case 'i':
            b->cores = optarg;
            break;
        case 'l':
            b->port = (unsigned) strtoul(optarg, NULL, 10);
            break;
        case 'n':
            b->total = strtoul(optarg, NULL, 10);
            break;
        case 'r':
            b->rounds = strtoul(optarg, NULL, 10);
            break;
        case 's':
            b->seconds = strtoul(optarg, NULL, 10);
            break;
        case 'w':
            b->window = strtoul(optarg, NULL, 10);
            break;
        default:
            return 0;
        }
    }

    if (b->port == 0 || b->streams == 0 || b->rounds == 0
        || b->window - 1 >= STREAM_WINDOW || optind == argc
        || argc - optind > STREAM_SIDES
        || !events_make(&b->asked, b->api, b->nevents, 1)
        || !events_make(&b->stripped, b->api, b->nevents, 0))
    {
        return 0;
    }

    for ( /* void */ ; optind < argc; optind++) {
        if (!stream_side(b, argv[optind])) {
            return 0;
        }
    }

    return 1;
}


static int
stream_side(stream_bench_t *b, char *arg)
{
    char           *eq, *end;
    int             strip;
    stream_side_t  *side;

    static const char  ask[] = "\"stream_options\":{\"include_usage\":true},";

    eq = strchr(arg, '=');
    if (eq == NULL) {
        return 0;
    }

    *eq = '\0';
    side = &b->sides[b->nsides++];
    side->name = arg;
    side->port = (unsigned) strtoul(eq + 1, &end, 10);
    strip = strcmp(end, ":strip") == 0;
    side->events = strip ? &b->stripped : &b->asked;

    (void) snprintf(side->request, sizeof(side->request),
                    "{\"model\":\"gpt-4o-mini\",\"stream\":true,%s"
                    "\"max_tokens\":512,\"messages\":[{\"role\":\"system\","
                    "\"content\":\"You are a helpful assistant.\"},"
                    "{\"role\":\"user\",\"content\":\"Where is my parcel, "
                    "and when does it arrive?\"}]}", strip ? "" : ask);

    return side->port != 0 && (*end == '\0' || strip);
}


static int
stream_start(stream_bench_t *b)
{
    struct rlimit       files;
    struct epoll_event  ev;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void) setrlimit(RLIMIT_NOFILE, &files);
    }

    b->epoll = epoll_create1(EPOLL_CLOEXEC);
    b->listener.fd = bench_listen(b->port);

    memset(&ev, 0, sizeof(ev));
    ev.events = EPOLLIN;
    ev.data.ptr = &b->listener;

    return b->epoll != -1 && b->listener.fd != -1
           && epoll_ctl(b->epoll, EPOLL_CTL_ADD, b->listener.fd, &ev) == 0;
}


/* 0 if a stream was lost, or nothing came any more. */

static int
stream_block(stream_bench_t *b, stream_side_t *side)
{
    size_t    i;
    uint64_t  start;

    b->side = side;
    b->begun = b->open = b->done = b->lost = b->stalled = 0;
    b->gap = 0;
    side->first.block = side->first.n;
    side->every.block = side->every.n;

    if (side->streams == NULL && !stream_connect(b, side)) {
        perror(side->name);
        return 0;
    }

    start = bench_now();
    b->end = start + b->seconds * 1000000000u;

    for (i = 0; i < b->streams && stream_more(b); i++) {
        if (!stream_ask(b, &side->streams[i])) {
            return 0;
        }
    }

    while (b->open != 0) {
        if (!stream_turn(b)) {
            return 0;
        }
    }

    stream_print_block(b, bench_now() - start,
                       b->done * side->events->n);

    return b->lost == 0;
}


static int
stream_connect(stream_bench_t *b, stream_side_t *side)
{
    size_t              i;
    stream_t           *st;
    struct epoll_event  ev;

    side->streams = calloc(b->streams, sizeof(stream_t));
    if (side->streams == NULL) {
        return 0;
    }

    memset(&ev, 0, sizeof(ev));
    ev.events = EPOLLIN;

    for (i = 0; i < b->streams; i++) {
        st = &side->streams[i];
        st->client.stream = st;
        st->client.fd = bench_connect(side->port);
        ev.data.ptr = &st->client;

        if (st->client.fd == -1
            || fcntl(st->client.fd, F_SETFL, O_NONBLOCK) != 0
            || epoll_ctl(b->epoll, EPOLL_CTL_ADD, st->client.fd, &ev) != 0)
        {
            return 0;
        }
    }

    return 1;
}


static void
stream_print_block(stream_bench_t *b, uint64_t ns, size_t events)
{
    size_t           i;
    stream_times_t  *t[2];

    t[0] = &b->side->first;
    t[1] = &b->side->every;

    (void) printf("%s %zu %zu %llu %zu %zu %llu", b->side->name, b->done,
                  events, (unsigned long long) ns, b->lost, b->stalled,
                  (unsigned long long) b->gap);

    for (i = 0; i < 2; i++) {
        bench_sort(t[i]->ns + t[i]->block, t[i]->n - t[i]->block);

        (void) printf(" %u %u",
                      bench_permille(t[i]->ns + t[i]->block,
                                     t[i]->n - t[i]->block, 500),
                      bench_permille(t[i]->ns + t[i]->block,
                                     t[i]->n - t[i]->block, 990));
    }

    (void) printf("\n");
}


static void
stream_print_all(const char *what, const char *name, stream_times_t *t)
{
    bench_sort(t->ns, t->n);

    (void) printf("%s %s %zu %u %u %u %u %u\n", what, name, t->n,
                  bench_permille(t->ns, t->n, 500),
                  bench_permille(t->ns, t->n, 900),
                  bench_permille(t->ns, t->n, 990),
                  bench_permille(t->ns, t->n, 999),
                  t->n != 0 ? t->ns[t->n - 1] : 0);
}
