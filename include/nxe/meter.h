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
#include <nxe/json.h>
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
#define NXE_METER_REASONS  8        /* finish reasons; later ones are left out */
#define NXE_METER_FIELDS   24

typedef struct {
    uint8_t             len;
    char                data[NXE_METER_TEXT];
} nxe_meter_text_t;

#define NXE_METER_MAX      (1024 * 1024)    /* of an event, of a JSON body */

/* Bytes of a stream that go on to who asked for it. */

typedef void (*nxe_meter_pt)(void *ctx, nxe_str_t bytes);

typedef struct {
    nxe_dialect_t       dialect;
    unsigned            flags;      /* of the scan */
    unsigned            stream:1;
    unsigned            large:1;    /* a JSON body is above the limit */
    nxe_sse_t           sse;
    const nxe_mem_t    *mem;
    char               *body;       /* so far */
    size_t              len;
    size_t              size;
    uint64_t            now;        /* of what is fed */

    nxe_meter_pt        emit;       /* NULL: nothing is taken out */
    void               *ctx;
    nxe_str_t           cut;        /* what the event is to lose */
    unsigned            drop:1;     /* all of it */

    nxe_json_node_t     root;
    nxe_json_node_t    *at[NXE_METER_FIELDS];
    const char         *data;       /* that was scanned */

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
    unsigned            ended:1;        /* as its API ends an answer */
    unsigned            understood:1;   /* something of it */

    /* of a stream, by the clock of the caller, nanoseconds */
    uint64_t            contents;       /* events with content */
    uint64_t            first;          /* content event */
    uint64_t            last;
    uint64_t            gap;            /* the longest between two of them */
} nxe_meter_t;

/*
 * stream: an event stream, else one JSON value.  flags: of the scan.
 * NXE_DECLINED: answers of the dialect say nothing here; NXE_NOMEM.
 */
nxe_status_t nxe_meter_init(nxe_meter_t *m, nxe_dialect_t dialect, int stream,
    unsigned flags, const nxe_mem_t *mem);

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
