/*
 * What the programs of the bench share: sockets of 127.0.0.1, requests as
 * nginx sends them, the clock, and quantiles.
 */

#ifndef NXE_BENCH_COMMON_H
#define NXE_BENCH_COMMON_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>


#define BENCH_HEAD  8192        /* bytes of a request's head */

typedef struct {
    size_t              have;       /* bytes in head */
    size_t              left;       /* of the body, still to come */
    int                 reading;    /* the head is whole */
    char                head[BENCH_HEAD + 1];
} bench_request_t;

#define BENCH_CORES  8

typedef struct {
    pid_t               pids[BENCH_CORES];
    size_t              n;
} bench_awake_t;

/* A listening socket, -1 with errno set; port 0 takes a free one. */
int bench_listen(unsigned port);

/* The port of a listening socket, 0 if there is none. */
unsigned bench_port(int fd);

/* A connection without Nagle's delay, -1 with errno set. */
int bench_connect(unsigned port);

/* The next connection, which does not block, -1 with errno set. */
int bench_accept(int fd);

/*
 * Reads as much of a request as there is; its body is dropped in the kernel.
 * 1: it is whole, and its head is in q->head until the next call begins
 * another; 0: more is to come; -1: the connection is at its end, or this is
 * no POST with a length.
 */
int bench_request(bench_request_t *q, int fd);

/*
 * Keeps cores awake, of a list "0,1" or NULL, by a process on each that runs
 * only when nothing else wants to; and lets them sleep again.
 */
void bench_awake(bench_awake_t *a, const char *cores);
void bench_asleep(bench_awake_t *a);

/* CLOCK_MONOTONIC, nanoseconds: one clock for all processes. */
uint64_t bench_now(void);

/* Sorts times. */
void bench_sort(uint32_t *ns, size_t n);

/* Of sorted times the least that so many of a thousand do not exceed. */
uint32_t bench_permille(const uint32_t *ns, size_t n, unsigned p);


#endif /* NXE_BENCH_COMMON_H */
