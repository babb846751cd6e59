/*
 * Round trips over one kept-alive connection a side, one at a time.
 *
 *     bench-latency [-b] [-i CORE,CORE] [-r ROUNDS] [-n REQUESTS] BODY
 *                   NAME=PORT...
 *
 * A round is a block of REQUESTS to each side in turn, in an order that
 * rotates.  Prints a line a round and side, "NAME P50 P99 MAX", then a line a
 * side of all its requests, "all NAME N P50 P90 P99 P999 MAX"; nanoseconds.
 *
 * -b polls the socket instead of sleeping in the kernel, which takes a core of
 * its own.  -i keeps cores from going idle, by a process there that runs only
 * when nothing else wants to: waking a virtual core costs more than what is
 * measured, and not the same each time.
 */

#define _GNU_SOURCE

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common.h"


#define LATENCY_SIDES  8
#define LATENCY_UNITS  256
#define LATENCY_HEAD   256
#define LATENCY_WARM   32           /* of a block, not recorded */
#define LATENCY_BODY   (1 << 20)


typedef struct {
    const char         *name;
    int                 fd;
    uint32_t           *ns;         /* of all rounds */
    size_t              n;
} latency_side_t;

typedef struct {
    int                 busy;
    const char         *cores;      /* to keep awake */
    size_t              rounds;
    size_t              requests;

    char                heads[LATENCY_UNITS][LATENCY_HEAD];
    size_t              head_len[LATENCY_UNITS];
    char               *body;
    size_t              body_len;
    size_t              turn;

    latency_side_t      sides[LATENCY_SIDES];
    size_t              nsides;
} latency_t;


static int latency_options(latency_t *l, int argc, char **argv);
static int latency_read_body(latency_t *l, const char *path);
static int latency_heads(latency_t *l);
static int latency_connect(latency_t *l, latency_side_t *side,
    const char *arg);
static int latency_block(latency_t *l, latency_side_t *side);
static int latency_send(latency_t *l, int fd);
static int latency_receive(latency_t *l, int fd);
static size_t latency_length(const char *head, const char *end);
static void latency_print(uint32_t *ns, size_t n, const char *name, int all);


int
main(int argc, char **argv)
{
    int               rc;
    size_t            round, k;
    bench_awake_t     awake;
    latency_side_t   *side;

    static latency_t  l;

    if (!latency_options(&l, argc, argv)) {
        (void) fprintf(stderr, "usage: bench-latency [-b] [-i CORE,CORE] "
                       "[-r ROUNDS] [-n REQUESTS] BODY NAME=PORT...\n");
        return 2;
    }

    bench_awake(&awake, l.cores);

    rc = 0;

    for (round = 0; round < l.rounds && rc == 0; round++) {
        for (k = 0; k < l.nsides && rc == 0; k++) {
            side = &l.sides[(k + round) % l.nsides];

            if (!latency_block(&l, side)) {
                (void) fprintf(stderr, "bench-latency: side '%s' failed: "
                               "%s\n", side->name,
                               errno != 0 ? strerror(errno)
                                          : "no answer of status 200");
                rc = 1;
            }
        }
    }

    for (k = 0; k < l.nsides && rc == 0; k++) {
        latency_print(l.sides[k].ns, l.sides[k].n, l.sides[k].name, 1);
    }

    bench_asleep(&awake);

    if (fflush(stdout) != 0) {
        return 3;
    }

    return rc;
}


static int
latency_options(latency_t *l, int argc, char **argv)
{
    int  c;

    l->rounds = 10;
    l->requests = 1000;

    while ((c = getopt(argc, argv, "bi:r:n:")) != -1) {

        switch (c) {
        case 'b':
            l->busy = 1;
            break;
        case 'i':
            l->cores = optarg;
            break;
        case 'r':
            l->rounds = strtoul(optarg, NULL, 10);
            break;
        case 'n':
            l->requests = strtoul(optarg, NULL, 10);
            break;
        default:
            return 0;
        }
    }

    if (l->rounds == 0 || l->requests == 0 || argc - optind < 2
        || argc - optind - 1 > LATENCY_SIDES
        || !latency_read_body(l, argv[optind]) || !latency_heads(l))
    {
        return 0;
    }

    while (++optind < argc) {
        if (!latency_connect(l, &l->sides[l->nsides++], argv[optind])) {
            return 0;
        }
    }

    return 1;
}


static int
latency_read_body(latency_t *l, const char *path)
{
    FILE  *f;

    l->body = malloc(LATENCY_BODY);
    f = fopen(path, "r");

    if (l->body == NULL || f == NULL) {
        perror(path);
        return 0;
    }

    l->body_len = fread(l->body, 1, LATENCY_BODY, f);
    (void) fclose(f);

    return l->body_len != 0;
}


static int
latency_heads(latency_t *l)
{
    int     n;
    size_t  i;

    for (i = 0; i < LATENCY_UNITS; i++) {
        n = snprintf(l->heads[i], LATENCY_HEAD,
                     "POST /v1/chat/completions HTTP/1.1\r\n"
                     "Host: bench\r\n"
                     "Content-Type: application/json\r\n"
                     "X-Conversation-Id: conversation-%zu\r\n"
                     "Content-Length: %zu\r\n\r\n", i + 1, l->body_len);

        if (n < 0 || n >= LATENCY_HEAD) {
            return 0;
        }

        l->head_len[i] = (size_t) n;
    }

    return 1;
}


static int
latency_connect(latency_t *l, latency_side_t *side, const char *arg)
{
    const char      *eq;
    struct timeval   wait;

    eq = strchr(arg, '=');
    if (eq == NULL) {
        return 0;
    }

    side->name = strndup(arg, (size_t) (eq - arg));
    side->ns = calloc(l->rounds * l->requests, sizeof(uint32_t));
    side->fd = bench_connect((unsigned) atoi(eq + 1));

    wait.tv_sec = 10;
    wait.tv_usec = 0;

    if (side->name == NULL || side->ns == NULL || side->fd == -1
        || setsockopt(side->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait))
           != 0)
    {
        perror(arg);
        return 0;
    }

    return 1;
}


static int
latency_block(latency_t *l, latency_side_t *side)
{
    size_t     i;
    uint32_t  *ns;
    uint64_t   start, took;

    ns = side->ns + side->n;
    errno = 0;

    for (i = 0; i < LATENCY_WARM + l->requests; i++) {
        start = bench_now();

        if (!latency_send(l, side->fd) || !latency_receive(l, side->fd)) {
            return 0;
        }

        took = bench_now() - start;

        if (i >= LATENCY_WARM) {
            ns[i - LATENCY_WARM] = took < UINT32_MAX ? (uint32_t) took
                                                     : UINT32_MAX;
        }
    }

    side->n += l->requests;
    latency_print(ns, l->requests, side->name, 0);

    return 1;
}


static int
latency_send(latency_t *l, int fd)
{
    size_t        unit, sent;
    ssize_t       n;
    struct iovec  iov[2];

    unit = l->turn++ % LATENCY_UNITS;

    for (sent = 0; sent < l->head_len[unit] + l->body_len;
         sent += (size_t) n)
    {
        if (sent < l->head_len[unit]) {
            iov[0].iov_base = l->heads[unit] + sent;
            iov[0].iov_len = l->head_len[unit] - sent;
            iov[1].iov_base = l->body;
            iov[1].iov_len = l->body_len;

            n = writev(fd, iov, 2);

        } else {
            n = write(fd, l->body + (sent - l->head_len[unit]),
                      l->head_len[unit] + l->body_len - sent);
        }

        if (n <= 0) {
            return 0;
        }
    }

    return 1;
}


/* One whole answer of status 200 with a length. */

static int
latency_receive(latency_t *l, int fd)
{
    char     buf[16384], *end;
    size_t   have, want;
    ssize_t  n;

    have = 0;
    want = SIZE_MAX;

    while (have < want) {
        n = recv(fd, buf + have, sizeof(buf) - 1 - have,
                 l->busy ? MSG_DONTWAIT : 0);

        if (n == -1 && l->busy && errno == EAGAIN) {
            continue;
        }

        if (n <= 0) {
            return 0;
        }

        have += (size_t) n;
        buf[have] = '\0';

        end = want == SIZE_MAX ? strstr(buf, "\r\n\r\n") : NULL;

        if (end != NULL) {
            want = (size_t) (end + 4 - buf) + latency_length(buf, end);
        }

        if (have == sizeof(buf) - 1 && have != want) {
            return 0;
        }
    }

    return have == want && strncmp(buf, "HTTP/1.1 200 ", 13) == 0;
}


static size_t
latency_length(const char *head, const char *end)
{
    const char  *p;

    p = strcasestr(head, "\r\nContent-Length: ");

    /* without one the answer is never whole, and its block fails */

    return p != NULL && p < end
           ? strtoul(p + sizeof("\r\nContent-Length: ") - 1, NULL, 10)
           : SIZE_MAX / 2;
}


static void
latency_print(uint32_t *ns, size_t n, const char *name, int all)
{
    bench_sort(ns, n);

    if (all) {
        (void) printf("all %s %zu %u %u %u %u %u\n", name, n,
                      bench_permille(ns, n, 500), bench_permille(ns, n, 900),
                      bench_permille(ns, n, 990), bench_permille(ns, n, 999),
                      ns[n - 1]);

    } else {
        (void) printf("%s %u %u %u\n", name, bench_permille(ns, n, 500),
                      bench_permille(ns, n, 990), ns[n - 1]);
    }
}
