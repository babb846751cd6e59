/*
 * What the files of the meter share.
 */

#ifndef NXE_METER_INT_H
#define NXE_METER_INT_H

#include <nxe/meter.h>

NXE_BEGIN_DECLS


/* The fields of an answer, whatever it calls them. */

typedef enum {
    NXE_METER_TYPE = 0,         /* of an event, or of the answer */
    NXE_METER_MODEL,
    NXE_METER_ERROR,
    NXE_METER_INPUT,
    NXE_METER_OUTPUT,
    NXE_METER_CACHED,
    NXE_METER_CACHE_WRITE,
    NXE_METER_REASONING,
    NXE_METER_INPUT_LATER,      /* the same in another event */
    NXE_METER_OUTPUT_LATER,
    NXE_METER_CACHED_LATER,
    NXE_METER_CACHE_WRITE_LATER,
    NXE_METER_USAGE,            /* all that is counted, if it comes anew */
    NXE_METER_STATUS,
    NXE_METER_REASON,
    NXE_METER_ITEM,             /* the type of what begins */
    NXE_METER_LIST,             /* choices, items, blocks */
    NXE_METER_DELTA,            /* what a piece adds */
    NXE_METER_DELTA2,
    NXE_METER_DELTA3
} nxe_meter_field_e;


/* nxe_meter.c: fields of what was scanned last. */

/* The bytes of a field; none where it is null, or not there. */
nxe_str_t nxe_meter_get(const nxe_meter_t *m, unsigned at);

/* 1 if it is this string. */
int nxe_meter_is(const nxe_meter_t *m, unsigned at, const char *s);

/* 1 for a string, a list or an object that is not empty. */
int nxe_meter_some(nxe_str_t value);

/* Notes a count, if it is one; all counts of a usage. */
void nxe_meter_count(nxe_meter_t *m, nxe_tokens_t what, unsigned at);
void nxe_meter_usage(nxe_meter_t *m);

/* Keeps a string, cut between characters. */
void nxe_meter_text(nxe_meter_text_t *t, nxe_str_t quoted);

/* Notes why the answer ended. */
void nxe_meter_reason(nxe_meter_t *m, nxe_str_t quoted);

/* Counts an item or a block by its type, if it calls a tool. */
void nxe_meter_call(nxe_meter_t *m, nxe_str_t type);


/* nxe_meter_strip.c: what the event that was told is to lose. */

void nxe_meter_plan(nxe_meter_t *m, nxe_str_t data);


/* nxe_meter_api.c: what was scanned last, by API; 1 if it has content. */

int nxe_meter_chat(nxe_meter_t *m);
int nxe_meter_responses_event(nxe_meter_t *m);
void nxe_meter_responses_body(nxe_meter_t *m);
int nxe_meter_anthropic_event(nxe_meter_t *m);
void nxe_meter_anthropic_body(nxe_meter_t *m);


NXE_END_DECLS

#endif /* NXE_METER_INT_H */
