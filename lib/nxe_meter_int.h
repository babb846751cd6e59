/*
 * What the files of the meter share.
 */

#ifndef NXE_METER_INT_H
#define NXE_METER_INT_H

#include <nxe/meter.h>

NXE_BEGIN_DECLS


/* The fields of an answer, whatever it calls them. */

enum {
    NXE_METER_NONE = 0,
    NXE_METER_TYPE,         /* of an event, or of the answer */
    NXE_METER_STATUS,
    NXE_METER_MODEL,
    NXE_METER_ERROR,
    NXE_METER_USAGE,        /* all that is counted */
    NXE_METER_COUNT,        /* + nxe_tokens_t */
    NXE_METER_REASON = NXE_METER_COUNT + NXE_TOKENS,
    NXE_METER_LIST,         /* choices, items, blocks */
    NXE_METER_BLOCK,        /* the type of one */
    NXE_METER_CONTENT,
    NXE_METER_REFUSAL,
    NXE_METER_CALLS,        /* of tools */
    NXE_METER_CALL_ID,
    NXE_METER_DELTA,        /* what a piece adds */
    NXE_METER_OTHER         /* what nobody asks for */
};


/* nxe_meter.c: the event has content. */

void nxe_meter_content(nxe_meter_t *m);

/* nxe_meter_repeat.c: events that are like the one before. */

const char *nxe_meter_same(void *ctx, const char *p, const char *end);
void nxe_meter_vary(nxe_meter_t *m, nxe_str_t text, int string, int content);
void nxe_meter_learn(nxe_meter_t *m, nxe_str_t raw);

/* nxe_meter_fields.c: where each is; NULL: the dialect has none. */

const nxe_pick_node_t *nxe_meter_fields(nxe_dialect_t dialect, int stream);

/* nxe_meter_part.c: of a part, what was picked. */

void nxe_meter_tell(void *ctx, unsigned field, nxe_json_type_t type,
    nxe_str_t text);

/* 1 if a kept text is this one. */
int nxe_meter_is(const nxe_meter_text_t *t, const char *s);

/* nxe_meter_api.c: a part that is whole; 1 if it has content. */

int nxe_meter_chat(nxe_meter_t *m);
int nxe_meter_responses_event(nxe_meter_t *m);
void nxe_meter_responses_body(nxe_meter_t *m);
int nxe_meter_anthropic_event(nxe_meter_t *m);
void nxe_meter_anthropic_body(nxe_meter_t *m);

/* nxe_meter_strip.c: what the event that is picked is to lose; the bytes. */

void nxe_meter_null_usage(nxe_meter_t *m, nxe_str_t text);
void nxe_meter_pass(nxe_meter_t *m, nxe_str_t bytes);


NXE_END_DECLS

#endif /* NXE_METER_INT_H */
