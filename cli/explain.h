/*
 * What cmd_explain.c and the two forms of its answer share.
 */

#ifndef EXPCTL_EXPLAIN_H
#define EXPCTL_EXPLAIN_H

#include "cli/subject.h"


typedef struct {
    const cli_t        *cli;
    subject_t           subject;
    const nxe_doc_t    *doc;
    nxe_str_t           unit;           /* what is explained */
    nxe_unit_t          found;          /* what the request itself yields */
    uint32_t            position;
    attrs_t             attrs;
    nxe_request_t       request;
    nxe_assignment_t    a;
    int                 has_unit;       /* and the document takes it */
    int                 has_found;
    nxe_buf_t           out;
} explain_t;


/* The i-th condition alone: whether it holds, and what was found or NULL. */
int explain_condition(explain_t *x, uint32_t i, nxe_str_t *found);

/*
 * The i-th segment: what was found and what of it is logged, each NULL where
 * there is nothing.
 */
void explain_segment(explain_t *x, uint32_t i, nxe_str_t *found,
    nxe_str_t *logged);

/* A member of the i-th condition, as its author wrote it. */
const cJSON *explain_member(const explain_t *x, uint32_t i, const char *name);

int explain_window(const explain_t *x, const nxe_window_t *w);

/* 1 if units are drawn at all: else no variant has a range. */
int explain_ranges(const explain_t *x);

/* What the unit is served with on a step; NULL: nothing, or not asked for. */
const nxe_effective_t *explain_effective(const explain_t *x, uint32_t step);

/* One thing that a variant does; value is JSON text, NULL: removed. */

typedef void (*explain_effect_pt)(explain_t *x, uint32_t step, const char *key,
    nxe_str_t value, int if_absent, uint32_t from);

void explain_effects(explain_t *x, uint32_t step, explain_effect_pt each);

/* The variant that an operation in effect is from. */
uint32_t explain_op_from(const explain_t *x, const nxe_body_op_t *op);

/* The source that the request's own unit is from. */
const char *explain_source(const explain_t *x);

/*
 * explain_line.c: prints a word, or a text word by word, behind a space or on
 * an indented line; at is the column, and so is what they return.
 */
int explain_piece(int at, const char *piece);
int explain_words(const cli_t *cli, int at, const char *text);

/* Text made safe, cut in its middle where it is wider than max. */
const char *explain_cut(const cli_t *cli, nxe_str_t s, int max);

/* explain_text.c, explain_json.c: the exit code. */
int explain_text(explain_t *x);
int explain_json(explain_t *x);


#endif /* EXPCTL_EXPLAIN_H */
