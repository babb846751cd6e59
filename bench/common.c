#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common.h"


#define BENCH_DROP  (1 << 20)


static int bench_head(bench_request_t *q);
static pid_t bench_idle(int core);
static struct sockaddr_in bench_loopback(unsigned port);
static int bench_cmp(const void *one, const void *two);


int
bench_listen(unsigned port)
{
    int                 fd, on;
    struct sockaddr_in  addr;

    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    addr = bench_loopback(port);
    on = 1;

    /* a port that was given may be held, bound, by who gave it */

    if (fd == -1
        || (port != 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on,
                                    sizeof(on)) != 0)
        || bind(fd, (struct sockaddr *) &addr, sizeof(addr)) != 0
        || listen(fd, 1024) != 0)
    {
        return -1;
    }

    return fd;
}


unsigned
bench_port(int fd)
{
    socklen_t           len;
    struct sockaddr_in  addr;

    len = sizeof(addr);

    return getsockname(fd, (struct sockaddr *) &addr, &len) == 0
           ? ntohs(addr.sin_port) : 0;
}


int
bench_connect(unsigned port)
{
    int                 fd, on;
    struct sockaddr_in  addr;

    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    addr = bench_loopback(port);
    on = 1;

    if (fd == -1
        || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0
        || connect(fd, (struct sockaddr *) &addr, sizeof(addr)) != 0)
    {
        return -1;
    }

    return fd;
}


int
bench_accept(int fd)
{
    int  on;

    fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    on = 1;

    if (fd != -1
        && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0)
    {
        (void) close(fd);
        return -1;
    }

    return fd;
}


static struct sockaddr_in
bench_loopback(unsigned port)
{
    struct sockaddr_in  addr;

    memset(&addr, 0, sizeof(addr));
    addr.sin_family = AF_INET;
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    addr.sin_port = htons((uint16_t) port);

    return addr;
}


int
bench_request(bench_request_t *q, int fd)
{
    ssize_t      n;

    static char  drop[BENCH_DROP];

    if (q->reading && q->left == 0) {
        q->have = 0;
        q->reading = 0;
    }

    for ( ;; ) {

        if (q->reading) {
            n = recv(fd, drop, q->left < sizeof(drop) ? q->left
                                                      : sizeof(drop),
                     MSG_TRUNC);

        } else {
            n = recv(fd, q->head + q->have, BENCH_HEAD - q->have, 0);
        }

        if (n <= 0) {
            return n == -1 && errno == EAGAIN ? 0 : -1;
        }

        if (q->reading) {
            q->left -= (size_t) n;

        } else {
            q->have += (size_t) n;

            if (!bench_head(q)) {
                return -1;
            }
        }

        if (q->reading && q->left == 0) {
            return 1;
        }
    }
}


/* Looks for the end of the head; 0: not one that is taken. */

static int
bench_head(bench_request_t *q)
{
    char    *end, *p;
    size_t   body;

    q->head[q->have] = '\0';
    end = strstr(q->head, "\r\n\r\n");

    if (end == NULL) {
        return q->have < BENCH_HEAD;
    }

    p = strcasestr(q->head, "\r\nContent-Length: ");

    if (strncmp(q->head, "POST ", 5) != 0 || p == NULL || p > end) {
        return 0;
    }

    q->left = strtoul(p + sizeof("\r\nContent-Length: ") - 1, NULL, 10);
    q->reading = 1;
    body = q->have - (size_t) (end + 4 - q->head);

    /* nginx sends the next request behind the answer to this one */

    if (body > q->left) {
        return 0;
    }

    q->left -= body;

    return 1;
}


void
bench_awake(bench_awake_t *a, const char *cores)
{
    pid_t        pid;
    const char  *p;

    a->n = 0;

    for (p = cores; p != NULL && a->n < BENCH_CORES; p = strchr(p, ',')) {
        p += *p == ',';
        pid = bench_idle(atoi(p));

        if (pid > 0) {
            a->pids[a->n++] = pid;
        }
    }
}


void
bench_asleep(bench_awake_t *a)
{
    while (a->n != 0) {
        a->n--;
        (void) kill(a->pids[a->n], SIGKILL);
        (void) waitpid(a->pids[a->n], NULL, 0);
    }
}


static pid_t
bench_idle(int core)
{
    pid_t               pid, parent;
    cpu_set_t           set;
    struct sched_param  param;

    parent = getpid();
    pid = fork();

    if (pid != 0) {
        return pid;
    }

    CPU_ZERO(&set);
    CPU_SET((unsigned) core, &set);
    memset(&param, 0, sizeof(param));

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent
        || sched_setaffinity(0, sizeof(set), &set) != 0
        || sched_setscheduler(0, SCHED_IDLE, &param) != 0)
    {
        _exit(1);
    }

    for ( ;; ) {
        __asm__ volatile ("" : : : "memory");
    }
}


uint64_t
bench_now(void)
{
    struct timespec  t;

    (void) clock_gettime(CLOCK_MONOTONIC, &t);

    return (uint64_t) t.tv_sec * 1000000000u + (uint64_t) t.tv_nsec;
}


void
bench_sort(uint32_t *ns, size_t n)
{
    if (n != 0) {
        qsort(ns, n, sizeof(uint32_t), bench_cmp);
    }
}


static int
bench_cmp(const void *one, const void *two)
{
    uint32_t  a, b;

    a = *(const uint32_t *) one;
    b = *(const uint32_t *) two;

    return (a > b) - (a < b);
}


uint32_t
bench_permille(const uint32_t *ns, size_t n, unsigned p)
{
    return n != 0 ? ns[(n * p + 999) / 1000 - 1] : 0;
}
