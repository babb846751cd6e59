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

typedef struct {
    nxe_dialect_t       dialect;
    unsigned            flags;      /* of the scan */
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
 * 1 if answers of a dialect say anything.  stream: an event stream, else one
 * JSON value.  All memory is taken here.  NXE_DECLINED: they do not;
 * NXE_NOMEM.
 */
nxe_status_t nxe_meter_init(nxe_meter_t *m, nxe_dialect_t dialect, int stream,
    unsigned flags, const nxe_mem_t *mem);

/*
 * An event of a stream, as nxe_sse_feed() tells it, at a time of the caller's
 * clock.  1 if it has content, else 0: what is no JSON has none.
 */
int nxe_meter_event(nxe_meter_t *m, nxe_str_t data, uint64_t now);

/* A whole JSON answer. */
void nxe_meter_body(nxe_meter_t *m, nxe_str_t body);

/*
 * A count of tokens, NXE_DECLINED if it is not known.  Anthropic's input is
 * the sum of its three parts.
 */
nxe_status_t nxe_meter_tokens(const nxe_meter_t *m, nxe_tokens_t what,
    uint64_t *n);


NXE_END_DECLS

#endif /* NXE_METER_H */
