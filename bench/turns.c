/*
 * How long the turns of an event loop are, seen from outside: preloaded, it
 * measures from the return of each epoll_wait() to the next call.
 *
 *     LD_PRELOAD=build/bench-turns.so TURNS=/path/prefix nginx ...
 *
 * Each process writes /path/prefix.PID, a turns_t in a shared mapping, while
 * it runs; who reads it asks for a new maximum by setting "reset".  Processor
 * time leaves out what the scheduler took.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>


#define TURNS_BINS  32          /* [2^i, 2^(i+1)) microseconds, 0: below 2 */


typedef struct {
    uint64_t            reset;
    uint64_t            turns;
    uint64_t            cpu_max;        /* ns */
    uint64_t            wall_max;
    uint64_t            cpu_at;         /* the turn's number */
    uint64_t            cpu[TURNS_BINS];
} turns_t;

typedef int (*turns_wait_pt)(int fd, struct epoll_event *events, int max,
    int timeout);


int epoll_wait(int fd, struct epoll_event *events, int max, int timeout);

static void turns_begin(void) __attribute__((constructor));
static turns_t *turns_map(void);
static void turns_note(turns_t *t, uint64_t cpu, uint64_t wall);
static uint64_t turns_now(clockid_t clock);


static char           turns_prefix[2048];
static turns_wait_pt  turns_wait;
static turns_t       *turns;
static pid_t          turns_pid;
static uint64_t       turns_cpu, turns_wall;


/* nginx empties the environment of its workers. */

static void
turns_begin(void)
{
    const char  *prefix;

    prefix = getenv("TURNS");

    if (prefix != NULL) {
        (void) snprintf(turns_prefix, sizeof(turns_prefix), "%s", prefix);
    }
}


int
epoll_wait(int fd, struct epoll_event *events, int max, int timeout)
{
    int  n;

    if (turns_wait == NULL) {
        *(void **) &turns_wait = dlsym(RTLD_NEXT, "epoll_wait");
    }

    if (turns_pid != getpid()) {
        turns_pid = getpid();
        turns = turns_map();

    } else if (turns != NULL) {
        turns_note(turns, turns_now(CLOCK_THREAD_CPUTIME_ID) - turns_cpu,
                   turns_now(CLOCK_MONOTONIC) - turns_wall);
    }

    n = turns_wait(fd, events, max, timeout);

    turns_cpu = turns_now(CLOCK_THREAD_CPUTIME_ID);
    turns_wall = turns_now(CLOCK_MONOTONIC);

    return n;
}


static turns_t *
turns_map(void)
{
    int       fd;
    char      path[sizeof(turns_prefix) + 16];
    turns_t  *t;

    if (turns_prefix[0] == '\0') {
        return NULL;
    }

    (void) snprintf(path, sizeof(path), "%s.%d", turns_prefix, (int) getpid());

    fd = open(path, O_RDWR|O_CREAT|O_CLOEXEC, 0644);

    if (fd == -1 || ftruncate(fd, sizeof(turns_t)) == -1) {
        return NULL;
    }

    t = mmap(NULL, sizeof(turns_t), PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);
    (void) close(fd);

    return t == MAP_FAILED ? NULL : t;
}


static void
turns_note(turns_t *t, uint64_t cpu, uint64_t wall)
{
    int       bin;
    uint64_t  us;

    if (t->reset) {
        *t = (turns_t) { 0 };
    }

    t->turns++;

    if (cpu > t->cpu_max) {
        t->cpu_max = cpu;
        t->cpu_at = t->turns;
    }

    if (wall > t->wall_max) {
        t->wall_max = wall;
    }

    us = cpu / 1000;
    bin = us < 2 ? 0 : 63 - __builtin_clzll(us);
    t->cpu[bin < TURNS_BINS ? bin : TURNS_BINS - 1]++;
}


static uint64_t
turns_now(clockid_t clock)
{
    struct timespec  ts;

    (void) clock_gettime(clock, &ts);

    return (uint64_t) ts.tv_sec * 1000000000u + (uint64_t) ts.tv_nsec;
}
