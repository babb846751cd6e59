/*
 * What the answer of a model API says of itself: tokens, finish reasons, tool
 * calls, refusals; and, of a stream, when its content came.  For JSON answers
 * and for event streams of openai_chat, openai_responses and anthropic; what
 * another dialect answers says nothing here.
 *
 * Where each is: openai-python and anthropic-sdk-python, src/.../types; a
 * test holds it against what their TypeScript clients accept.
 */

#ifndef NXE_METER_H
#define NXE_METER_H

#include <nxe/base.h>
#include <nxe/dialect.h>
#include <nxe/pick.h>
#include <nxe/sse.h>

NXE_BEGIN_DECLS


typedef enum {
    NXE_TOKENS_INPUT = 0,       /* cached and written to a cache included */
    NXE_TOKENS_OUTPUT,          /* reasoning included */
    NXE_TOKENS_CACHED,
    NXE_TOKENS_CACHE_WRITE,
    NXE_TOKENS_REASONING,
    NXE_TOKENS
} nxe_tokens_t;

#define NXE_TOKENS_MAX     ((uint64_t) 1 << 40)     /* more is no count */

#define NXE_METER_TEXT     64       /* bytes of a name; longer ones are cut */
#define NXE_METER_REASONS  8        /* finish reasons; others are left out */
#define NXE_METER_MAX      (1024 * 1024)            /* bytes of an event */

typedef struct {
    uint8_t             len;
    char                data[NXE_METER_TEXT];
} nxe_meter_text_t;

/* What an answer says, or a part of it. */

typedef struct {
    unsigned            counted;    /* bit 1 << nxe_tokens_t: is known */
    uint64_t            tokens[NXE_TOKENS];
    nxe_meter_text_t    model;
    nxe_meter_text_t    reasons[NXE_METER_REASONS];
    unsigned            nreasons;
    unsigned            tool_calls;
    unsigned            refusal:1;
    unsigned            truncated:1;    /* by a limit of tokens */
    unsigned            content:1;      /* some, of whatever kind */
    unsigned            failed:1;       /* it says that it failed */
} nxe_meter_said_t;

/* An event, or a JSON answer, until it is known to be one. */

typedef struct {
    nxe_meter_said_t    said;
    nxe_meter_text_t    type;
    nxe_meter_text_t    status;
    unsigned            usage:1;        /* some */
    unsigned            list:1;         /* choices, items, blocks: a list, or
                                           null */
    unsigned            some:1;         /* and some */
    unsigned            delta:1;        /* something is added */
} nxe_meter_part_t;

/* The last event that had content and said nothing else. */

#define NXE_METER_REPEAT   1024     /* bytes of one; longer ones are read */
#define NXE_METER_SPANS    24       /* values in it that may be others */

typedef struct {
    uint32_t            start;      /* of a string without its quotes */
    uint32_t            end;
    unsigned            string;
    unsigned            least;      /* bytes that it has to have */
} nxe_meter_span_t;

typedef struct {
    size_t              len;
    size_t              cut;        /* where it loses something */
    size_t              cut_len;
    unsigned            nspans;
    unsigned            nvaries;
    nxe_meter_span_t    spans[NXE_METER_SPANS];
    nxe_meter_span_t    varies[NXE_METER_SPANS];    /* of what is read now */
    char                text[NXE_METER_REPEAT];
} nxe_meter_repeat_t;

/* Bytes of a stream that go on to who asked for it. */

typedef void (*nxe_meter_pt)(void *ctx, nxe_str_t bytes);

typedef struct {
    nxe_dialect_t       dialect;
    unsigned            stream:1;
    unsigned            ended:1;        /* as its API ends an answer */
    unsigned            understood:1;   /* something of it */

    /* of a stream, by the clock of the caller, nanoseconds */
    uint64_t            now;            /* of what is fed */
    uint64_t            contents;       /* events with content */
    uint64_t            first;          /* content event */
    uint64_t            last;
    uint64_t            gap;            /* the longest between two of them */

    nxe_meter_repeat_t *repeat;         /* NULL: not yet */
    nxe_meter_pt        emit;           /* NULL: nothing is taken out */
    void               *ctx;
    nxe_str_t           cut;            /* what the event is to lose */
    unsigned            drop:1;         /* all of it */
    unsigned            drop_lf:1;      /* and the LF behind its last CR */
    unsigned            plain:1;        /* the event read last has content */

    nxe_sse_t           sse;

    /* up to here is what an event needs that is like the one before */

    nxe_meter_said_t    said;
    nxe_pick_t          pick;
    nxe_meter_part_t    part;
    nxe_str_t           data;           /* of the event */
} nxe_meter_t;

/*
 * stream: an event stream, else one JSON value.  mem serves events that the
 * end of a chunk cuts, no more.  NXE_DECLINED: answers of the dialect say
 * nothing here.
 */
nxe_status_t nxe_meter_init(nxe_meter_t *m, nxe_dialect_t dialect, int stream,
    const nxe_mem_t *mem);

/*
 * Of a chat's stream for which the edge asked for usage and the client did
 * not: all of it but the chunk that has nothing but usage, and the members
 * "usage":null, goes to emit(), during nxe_meter_feed() and nxe_meter_end().
 * An event that has not ended is held back, unless it is above NXE_METER_MAX.
 */
void nxe_meter_strip(nxe_meter_t *m, nxe_meter_pt emit, void *ctx);

/*
 * The next bytes of the answer, in any chunking, which came at a time of the
 * caller's clock.
 */
void nxe_meter_feed(nxe_meter_t *m, nxe_str_t bytes, uint64_t now);

/* The answer is over; a stream may be so in the middle of an event. */
void nxe_meter_end(nxe_meter_t *m);

/*
 * A count of tokens, NXE_DECLINED if it is not known.  Anthropic's input is
 * the sum of its three parts.
 */
nxe_status_t nxe_meter_tokens(const nxe_meter_t *m, nxe_tokens_t what,
    uint64_t *n);


NXE_END_DECLS

#endif /* NXE_METER_H */
