/*
 * What bench-micro measures: the library's part of a request, and what it is
 * held against.
 */

#ifndef NXE_BENCH_MICRO_H
#define NXE_BENCH_MICRO_H

#include <nxe/arena.h>
#include <nxe/assign.h>
#include <nxe/dialect.h>
#include <nxe/splice.h>
#include <nxe/tree.h>


#define MICRO_UNITS  256
#define MICRO_POOL   16384


/* What a call works on. */

typedef struct {
    nxe_arena_t        *arena;
    const char         *body;
    size_t              size;
    nxe_str_t           seg;
    nxe_text_t          text;
    unsigned            cpu;        /* the scanner: flags of nxe_json_scan */

    char               *out;
    char               *pos;        /* of the copy in out */
    size_t              room;

    nxe_mem_t           mem;        /* of a request: pool, from its start */
    size_t              used;
    _Alignas(16) char   pool[MICRO_POOL];

    nxe_places_t        packed;     /* made once, as a worker does */
    nxe_places_t        places;
    nxe_str_t           values[NXE_PARAMS];

    nxe_doc_t          *doc;
    nxe_force_t         force;
    nxe_range_t         ranges[2];
    char                units[MICRO_UNITS][24];
    unsigned            turn;
} micro_job_t;

/* A call is 0 where it did not do what it should. */

typedef int (*micro_call_pt)(micro_job_t *job);


/* A job with a document of two arms and values to override; NULL: none. */
micro_job_t *micro_job_new(void);
void micro_job_free(micro_job_t *job);

/* The body that is worked on, which is borrowed. */
int micro_job_body(micro_job_t *job, const char *body, size_t size);

int micro_assign(micro_job_t *job);
int micro_assign_layer(micro_job_t *job);
int micro_scan(micro_job_t *job);
int micro_validate(micro_job_t *job);
int micro_members(micro_job_t *job);
int micro_splice(micro_job_t *job);
int micro_memcpy(micro_job_t *job);
int micro_cjson(micro_job_t *job);


#endif /* NXE_BENCH_MICRO_H */
