/*
 * An event stream (HTML Living Standard, 9.2.6 "Interpreting an event
 * stream") in any chunking: lines that end with LF, CR LF or CR, a byte order
 * mark in front, comments, data in several lines.
 *
 * What lies in one chunk is not copied; an event that goes on in the next one
 * is kept in memory that grows to the largest such event.
 */

#ifndef NXE_SSE_H
#define NXE_SSE_H

#include <nxe/base.h>

NXE_BEGIN_DECLS


#define NXE_SSE_TYPE  64        /* bytes of a type; the rest is cut */

/*
 * An event that has data: its type ("" if it names none) and its lines of
 * data, joined by line feeds.  Valid during the call alone.
 */

typedef void (*nxe_sse_pt)(void *ctx, nxe_str_t type, nxe_str_t data);

/*
 * The bytes of the stream, for who passes it on: a whole event with the empty
 * line that ends it, after it was told (if it has data); the LF of that line,
 * where it comes in a later chunk than its CR; or a piece of one that is lost.
 * Together they are what was fed, but for what is kept.  Data of one line lies
 * in them.
 */

typedef void (*nxe_sse_raw_pt)(void *ctx, nxe_str_t bytes);

/*
 * Before an event is read: behind it, with the empty line that ends it, if its
 * bytes are there and the caller knows what it says; else NULL.
 */

typedef const char *(*nxe_sse_same_pt)(void *ctx, const char *p,
    const char *end);

typedef struct {
    const nxe_mem_t    *mem;
    size_t              max;        /* bytes of an event */
    nxe_sse_pt          event;
    nxe_sse_raw_pt      raw;        /* NULL: nobody wants them */
    nxe_sse_same_pt     same;       /* NULL: all are read */
    void               *ctx;

    char               *kept;       /* the event's bytes so far */
    size_t              len;
    size_t              size;
    char               *joined;     /* data of several lines */
    size_t              joined_size;
    unsigned            bol:1;      /* a line begins */
    unsigned            cr:1;       /* the last byte was a CR */
    unsigned            lost:1;     /* it is too large, or there is no memory */
    unsigned            begun:1;    /* the first event is past */

    uint64_t            lost_events;
} nxe_sse_t;

/* Nothing is allocated before an event is cut by the end of a chunk. */
void nxe_sse_init(nxe_sse_t *s, size_t max, nxe_sse_pt event, void *ctx,
    const nxe_mem_t *mem);

/* What is kept of an event that has not ended, and is kept no longer. */
nxe_str_t nxe_sse_rest(nxe_sse_t *s);

/*
 * The next bytes.  Events that end in them are told; one that the stream does
 * not end never is.
 */
void nxe_sse_feed(nxe_sse_t *s, nxe_str_t bytes);


NXE_END_DECLS

#endif /* NXE_SSE_H */
