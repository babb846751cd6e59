/*
 * Event streams as the providers send them, prepared once: what goes over the
 * wire, event by event, and the bytes that a client has to get of it.
 */

#ifndef NXE_BENCH_EVENTS_H
#define NXE_BENCH_EVENTS_H

#include <stddef.h>


#define EVENTS_MIN  12          /* of a stream */

typedef struct {
    char               *wire;       /* a chunk, behind the head if first */
    size_t              len;
    size_t              end;        /* in the text that the client gets */
} events_one_t;

typedef struct {
    const char         *uri;        /* that it answers */
    size_t              n;
    size_t              content;    /* the first that has some */
    events_one_t       *events;
    char               *text;       /* what the client gets */
    size_t              text_len;
} events_t;

/*
 * A stream of n events, all told, of "chat", "responses" or "messages".
 * asked: the client asked for its usage; else a chat's text is without the
 * event of usage and the members "usage":null, although the wire has them.
 * 0: no such API, fewer than EVENTS_MIN, or no memory.
 */
int events_make(events_t *e, const char *api, size_t n, int asked);


#endif /* NXE_BENCH_EVENTS_H */
