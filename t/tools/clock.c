/*
 * A clock that a test sets: preloaded, it adds the seconds of the file that
 * CLOCK names (an int64_t, mapped) to the time of day.  Other clocks go on.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>


typedef int (*clock_gettime_pt)(clockid_t clock, struct timespec *ts);


static const volatile int64_t  *clock_offset;
static clock_gettime_pt         clock_real;


/* nginx maps it as root, and its workers inherit the mapping. */

static void __attribute__((constructor))
clock_begin(void)
{
    int          fd;
    void        *p;
    const char  *path;

    *(void **) &clock_real = dlsym(RTLD_NEXT, "clock_gettime");

    path = getenv("CLOCK");
    fd = path != NULL ? open(path, O_RDONLY|O_CLOEXEC) : -1;

    if (fd == -1) {
        return;
    }

    p = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
    (void) close(fd);

    if (p != MAP_FAILED) {
        clock_offset = p;
    }
}


int
clock_gettime(clockid_t clock, struct timespec *ts)
{
    int  rc;

    rc = clock_real(clock, ts);

    if (rc == 0 && clock_offset != NULL
        && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
    {
        ts->tv_sec += *clock_offset;
    }

    return rc;
}


int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
    struct timespec  ts;

    (void) tz;

    if (clock_gettime(CLOCK_REALTIME, &ts) != 0) {
        return -1;
    }

    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;

    return 0;
}


time_t
time(time_t *t)
{
    struct timespec  ts;

    if (clock_gettime(CLOCK_REALTIME, &ts) != 0) {
        return -1;
    }

    if (t != NULL) {
        *t = ts.tv_sec;
    }

    return ts.tv_sec;
}
