/*
 * What the parts of a request's way through the library cost by themselves,
 * with everything in the caches: assignment in nanoseconds a call; scan, and
 * scan, plan and splice, in bytes of body a nanosecond, beside memcpy() and
 * cJSON.
 *
 *     bench-micro [--quick] [--core N] [--sizes N,N]
 *     bench-micro --print CORPUS N       the body itself
 *
 * Each row runs in a process of its own, so that none finds what another left
 * behind, and the environment can take the SHA instructions away
 * (OPENSSL_ia32cap).
 */

#define _GNU_SOURCE

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "corpus.h"
#include "micro.h"


#define MICRO_SIZES  8
#define MICRO_RUNS   31


typedef struct {
    unsigned            quick:1;
    int                 core;       /* -1: the first that we may run on */
    size_t              sizes[MICRO_SIZES];
    size_t              nsizes;
} micro_opt_t;


/* One cell of a table: nanoseconds a call. */

typedef struct {
    double              median;
    double              low;        /* first quartile */
    double              high;       /* third */
} micro_cell_t;


typedef struct {
    const char         *name;
    const char         *cpu;        /* the scanner, NULL: the fastest here */
    micro_call_pt       call;
    const char         *variable;   /* of the environment, NULL: none */
    const char         *value;
} micro_row_t;


static int micro_options(int argc, char **argv, micro_opt_t *o);
static int micro_print(const char *name, const char *size);
static int micro_pin(int core);

static int micro_child(const micro_opt_t *o);
static int micro_assign_table(char **argv);
static int micro_body_table(char **argv, const micro_opt_t *o, size_t k);
static int micro_cells(char **argv, const char *table,
    const micro_row_t *row, size_t i, micro_cell_t *cells, size_t n);
static void micro_cell_print(const micro_cell_t *c, size_t size, int last);

static int micro_assign_row(const micro_opt_t *o);
static int micro_body_row(const micro_opt_t *o, const char *corpus,
    const micro_row_t *row);
static int micro_time(const micro_opt_t *o, micro_job_t *job,
    micro_call_pt call);
static double micro_now(void);
static int micro_cmp(const void *one, const void *two);

static int micro_has_sha(void);


static const micro_row_t  micro_hashes[] = {
    { "with SHA instructions", NULL, micro_assign, NULL, NULL },
    { "without", NULL, micro_assign, "OPENSSL_ia32cap", ":~0x20000000" }
};

static const micro_row_t  micro_bodies[] = {
    { "scan, portable", "portable", micro_scan, NULL, NULL },
    { "scan, SSE2", "sse2", micro_scan, NULL, NULL },
    { "scan, NEON", "neon", micro_scan, NULL, NULL },
    { "scan, AVX2", "avx2", micro_scan, NULL, NULL },
    { "scan, AVX-512", "avx512", micro_scan, NULL, NULL },
    { "scan, no targets", NULL, micro_validate, NULL, NULL },
    { "scan, members once", NULL, micro_members, NULL, NULL },
    { "scan, plan, splice", NULL, micro_splice, NULL, NULL },
    { "memcpy", NULL, micro_memcpy, NULL, NULL },
    { "cJSON parse, print", NULL, micro_cjson, NULL, NULL }
};

#define MICRO_HASHES  (sizeof(micro_hashes) / sizeof(micro_hashes[0]))
#define MICRO_BODIES  (sizeof(micro_bodies) / sizeof(micro_bodies[0]))


int
main(int argc, char **argv)
{
    size_t       k;
    micro_opt_t  o;

    if (argc == 4 && strcmp(argv[1], "--print") == 0) {
        return micro_print(argv[2], argv[3]);
    }

    if (!micro_options(argc, argv, &o)) {
        (void) fprintf(stderr, "usage: bench-micro [--quick] [--core N] "
                       "[--sizes N,N]\n"
                       "       bench-micro --print CORPUS N\n");
        return 2;
    }

    if (!micro_pin(o.core)) {
        perror("bench-micro: cannot stay on one core");
        return 3;
    }

    if (getenv("MICRO_ROW") != NULL) {
        return micro_child(&o) ? 0 : 1;
    }

    if (!micro_assign_table(argv)) {
        return 1;
    }

    for (k = 0; corpus_name(k) != NULL; k++) {
        if (!micro_body_table(argv, &o, k)) {
            return 1;
        }
    }

    return fflush(stdout) == 0 ? 0 : 3;
}


static int
micro_options(int argc, char **argv, micro_opt_t *o)
{
    int    i;
    char  *p;

    memset(o, 0, sizeof(micro_opt_t));
    o->core = -1;
    o->sizes[0] = 1024;
    o->sizes[1] = 16384;
    o->sizes[2] = 262144;
    o->nsizes = 3;

    for (i = 1; i < argc; i++) {

        if (strcmp(argv[i], "--quick") == 0) {
            o->quick = 1;

        } else if (strcmp(argv[i], "--core") == 0 && i + 1 < argc) {
            o->core = atoi(argv[++i]);

        } else if (strcmp(argv[i], "--sizes") == 0 && i + 1 < argc) {
            o->nsizes = 0;

            for (p = argv[++i]; p != NULL; p = strchr(p, ',')) {
                p += *p == ',';

                if (o->nsizes == MICRO_SIZES) {
                    return 0;
                }

                o->sizes[o->nsizes] = strtoul(p, NULL, 10);

                if (o->sizes[o->nsizes++] < CORPUS_MIN) {
                    return 0;
                }
            }

        } else {
            return 0;
        }
    }

    return 1;
}


static int
micro_print(const char *name, const char *size)
{
    char  *body;

    body = corpus_make(name, strtoul(size, NULL, 10));

    if (body == NULL) {
        (void) fprintf(stderr, "bench-micro: no corpus '%s' of %s bytes\n",
                       name, size);
        return 2;
    }

    (void) fwrite(body, strlen(body), 1, stdout);
    free(body);

    return fflush(stdout) == 0 ? 0 : 3;
}


static int
micro_pin(int core)
{
    cpu_set_t  set;

    if (core < 0) {
        if (sched_getaffinity(0, sizeof(set), &set) != 0) {
            return 0;
        }

        for (core = 0; core < CPU_SETSIZE - 1; core++) {
            if (CPU_ISSET(core, &set)) {
                break;
            }
        }
    }

    CPU_ZERO(&set);
    CPU_SET((unsigned) core, &set);

    return sched_setaffinity(0, sizeof(set), &set) == 0;
}


/* Tables. */

static int
micro_assign_table(char **argv)
{
    size_t        i;
    micro_cell_t  cells[2];

    (void) printf("assignment of a unit from a header to one of two arms, ns "
                  "a call\n%-24s%-24s%s\n", "SHA-256", "UNIT, BUCKET, RANGE",
                  "AND ITS PLACE IN THE LAYER");

    for (i = 0; i < MICRO_HASHES; i++) {
        (void) printf("%-24s", micro_hashes[i].name);

        if (micro_hashes[i].variable == NULL && !micro_has_sha()) {
            (void) printf("not on this processor\n");
            continue;
        }

        if (!micro_cells(argv, "assign", &micro_hashes[i], i, cells, 2)) {
            return 0;
        }

        micro_cell_print(&cells[0], 0, 0);
        micro_cell_print(&cells[1], 0, 1);
        (void) printf("\n");
    }

    return 1;
}


static int
micro_body_table(char **argv, const micro_opt_t *o, size_t k)
{
    int               len;
    char             *body;
    size_t            i, j;
    unsigned          cpu;
    const char       *name;
    micro_cell_t      cells[MICRO_SIZES];
    corpus_share_t    share;

    name = corpus_name(k);

    (void) printf("\n%s: scan and splice with the caches hot, GB/s of body\n",
                  name);

    for (i = 0; i < o->nsizes; i++) {
        body = corpus_make(name, o->sizes[i]);
        if (body == NULL) {
            return 0;
        }

        corpus_measure(body, o->sizes[i], &share);
        free(body);

        (void) printf("%zu bytes: %.1f %% in string values, %.1f %% in "
                      "numbers; %.1f %% in escapes;\n    %.1f %% of the "
                      "characters are beyond ASCII\n", o->sizes[i],
                      100 * share.strings, 100 * share.numbers,
                      100 * share.escapes, 100 * share.beyond);
    }

    (void) printf("%-24s", "ROW");

    for (i = 0; i < o->nsizes; i++) {
        len = printf("%zu BYTES", o->sizes[i]);
        (void) printf("%*s", i + 1 == o->nsizes ? 0 : 24 - len, "");
    }

    (void) printf("\n");

    for (i = 0; i < MICRO_BODIES; i++) {
        (void) printf("%-24s", micro_bodies[i].name);

        if (nxe_json_cpu(micro_bodies[i].cpu, &cpu) != NXE_OK) {
            (void) printf("not on this processor\n");
            continue;
        }

        if (!micro_cells(argv, name, &micro_bodies[i], i, cells,
                         o->nsizes)) {
            return 0;
        }

        for (j = 0; j < o->nsizes; j++) {
            micro_cell_print(&cells[j], o->sizes[j], j + 1 == o->nsizes);
        }

        (void) printf("\n");
    }

    return 1;
}


/* Runs row i of a table in a child of its own and reads its cells. */

static int
micro_cells(char **argv, const char *table, const micro_row_t *row, size_t i,
    micro_cell_t *cells, size_t n)
{
    int      fds[2], status;
    char     index[24];
    FILE    *f;
    pid_t    pid;
    size_t   k;

    (void) fflush(stdout);

    if (pipe(fds) != 0) {
        return 0;
    }

    pid = fork();

    if (pid == 0) {
        (void) dup2(fds[1], STDOUT_FILENO);
        (void) close(fds[0]);
        (void) snprintf(index, sizeof(index), "%zu", i);
        (void) setenv("MICRO_TABLE", table, 1);
        (void) setenv("MICRO_ROW", index, 1);

        if (row->variable != NULL) {
            (void) setenv(row->variable, row->value, 1);
        }

        (void) execv("/proc/self/exe", argv);
        _exit(127);
    }

    (void) close(fds[1]);
    f = fdopen(fds[0], "r");

    if (pid == -1 || f == NULL) {
        return 0;
    }

    for (k = 0; k < n; k++) {
        if (fscanf(f, "%lf %lf %lf", &cells[k].median, &cells[k].low,
                   &cells[k].high)
            != 3)
        {
            break;
        }
    }

    (void) fclose(f);

    if (waitpid(pid, &status, 0) != pid || status != 0 || k != n) {
        (void) fprintf(stderr, "bench-micro: row '%s' of %s failed\n",
                       row->name, table);
        return 0;
    }

    return 1;
}


/* GB/s where a size is given; the faster quartile comes first there. */

static void
micro_cell_print(const micro_cell_t *c, size_t size, int last)
{
    int     len, digits;
    double  v[3], bytes;

    v[0] = c->median;
    v[1] = c->low;
    v[2] = c->high;

    if (size != 0) {
        bytes = (double) size;
        v[0] = bytes / c->median;
        v[1] = bytes / c->high;
        v[2] = bytes / c->low;
    }

    digits = v[0] < 10 ? 2 : 1;

    len = printf("%.*f [%.*f, %.*f]", digits, v[0], digits, v[1], digits,
                 v[2]);
    (void) printf("%*s", last ? 0 : len < 23 ? 24 - len : 1, "");
}


/* A row, in the process that micro_cells() started. */

static int
micro_child(const micro_opt_t *o)
{
    size_t       i;
    const char  *table;

    table = getenv("MICRO_TABLE");
    i = strtoul(getenv("MICRO_ROW"), NULL, 10);

    if (table == NULL || i >= MICRO_BODIES) {
        return 0;
    }

    return strcmp(table, "assign") == 0
           ? micro_assign_row(o)
           : micro_body_row(o, table, &micro_bodies[i]);
}


static int
micro_assign_row(const micro_opt_t *o)
{
    int           ok;
    micro_job_t  *job;

    job = micro_job_new();

    ok = job != NULL && micro_time(o, job, micro_assign)
         && micro_time(o, job, micro_assign_layer);

    micro_job_free(job);

    return ok;
}


static int
micro_body_row(const micro_opt_t *o, const char *corpus,
    const micro_row_t *row)
{
    int           ok;
    char         *body;
    size_t        i;
    micro_job_t  *job;

    job = micro_job_new();
    ok = job != NULL && nxe_json_cpu(row->cpu, &job->cpu) == NXE_OK;

    for (i = 0; i < o->nsizes && ok; i++) {
        body = corpus_make(corpus, o->sizes[i]);

        ok = body != NULL && micro_job_body(job, body, o->sizes[i])
             && micro_time(o, job, row->call);

        free(body);
    }

    micro_job_free(job);

    return ok;
}


/* Prints the median and the quartiles of the runs, after a warm-up. */

static int
micro_time(const micro_opt_t *o, micro_job_t *job, micro_call_pt call)
{
    int       i, runs;
    double    start, slice, ns[MICRO_RUNS];
    uint64_t  n, k;

    slice = o->quick ? 1e5 : 1e7;
    runs = o->quick ? 3 : MICRO_RUNS;

    /* as many calls as fill a slice, found while the caches fill */

    for (n = 1; /* void */ ; n *= 2) {
        start = micro_now();

        for (k = 0; k < n; k++) {
            if (!call(job)) {
                return 0;
            }
        }

        if (micro_now() - start >= slice) {
            break;
        }
    }

    for (i = 0; i < runs; i++) {
        start = micro_now();

        for (k = 0; k < n; k++) {
            if (!call(job)) {
                return 0;
            }
        }

        ns[i] = (micro_now() - start) / (double) n;
    }

    qsort(ns, (size_t) runs, sizeof(double), micro_cmp);

    (void) printf("%.3f %.3f %.3f\n", ns[runs / 2], ns[runs / 4],
                  ns[runs - 1 - runs / 4]);

    return 1;
}


static double
micro_now(void)
{
    struct timespec  t;

    (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);

    return (double) t.tv_sec * 1e9 + (double) t.tv_nsec;
}


static int
micro_cmp(const void *one, const void *two)
{
    double  a, b;

    a = *(const double *) one;
    b = *(const double *) two;

    return (a > b) - (a < b);
}


static int
micro_has_sha(void)
{
#if defined(__x86_64__)

    unsigned  a, b, c, d;

    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 29 & 1);

#else

    return 1;

#endif
}
