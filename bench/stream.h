/*
 * A bench of event streams through the edge: what its two files share.
 */

#ifndef NXE_BENCH_STREAM_H
#define NXE_BENCH_STREAM_H

#include "common.h"
#include "events.h"


#define STREAM_SIDES    8
#define STREAM_WINDOW   64
#define STREAM_HEAD     1024

typedef struct stream_s  stream_t;

/* What an event of epoll is for. */

typedef struct {
    int                 fd;
    stream_t           *stream;     /* that a client reads; NULL: provider */
    bench_request_t    *request;    /* NULL: the listening socket */
    stream_t           *answers;    /* of a provider, while it streams */
} stream_conn_t;

typedef enum {
    STREAM_IN_HEAD = 0,
    STREAM_IN_SIZE,
    STREAM_IN_DATA,
    STREAM_BEHIND_DATA,             /* CRLF */
    STREAM_AT_END
} stream_state_t;

struct stream_s {
    stream_conn_t       client;
    stream_conn_t      *provider;
    int                 open;       /* asked, and not whole */
    stream_state_t      state;
    char                head[STREAM_HEAD];
    size_t              have;
    size_t              left;       /* of a chunk */
    size_t              text;       /* that the client has */
    size_t              sent;       /* events */
    size_t              got;
    uint64_t            last;       /* when the last one came */
    uint64_t            at[STREAM_WINDOW];  /* when each was written */
};

typedef struct {
    uint32_t           *ns;
    size_t              n;
    size_t              room;
    size_t              block;      /* where the block begins */
} stream_times_t;

typedef struct {
    const char         *name;
    unsigned            port;
    const events_t     *events;
    char                request[STREAM_HEAD];
    stream_t           *streams;
    stream_times_t      first;
    stream_times_t      every;
} stream_side_t;

typedef struct {
    size_t              streams;    /* at a time */
    size_t              nevents;
    size_t              total;
    size_t              rounds;
    size_t              seconds;
    size_t              window;
    const char         *api;
    unsigned            port;
    const char         *cores;      /* to keep awake */

    int                 epoll;
    stream_conn_t       listener;
    events_t            asked;
    events_t            stripped;
    stream_side_t       sides[STREAM_SIDES];
    size_t              nsides;

    /* of the block */
    stream_side_t      *side;
    uint64_t            end;        /* no stream begins behind it */
    size_t              begun;
    size_t              open;
    size_t              done;
    size_t              lost;
    size_t              stalled;
    uint64_t            gap;
} stream_bench_t;


/* Whether the block is to have another stream. */
int stream_more(const stream_bench_t *b);

/* A client asks for its next stream; 0: it cannot, and has said so. */
int stream_ask(stream_bench_t *b, stream_t *st);

/*
 * Serves what there is to serve at either end; 0: a stream is lost, or
 * nothing came for long, and it has said so.
 */
int stream_turn(stream_bench_t *b);


#endif /* NXE_BENCH_STREAM_H */
