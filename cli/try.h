/*
 * A tried body: what cmd_try.c reads, try.c decides and try_print.c prints.
 */

#ifndef EXPCTL_TRY_H
#define EXPCTL_TRY_H

#include <nxe/splice.h>

#include "cli/subject.h"

/* What the module passes by without a look. */
#define TRY_BODY_MAX  (8 * 1024 * 1024)


/* An edit that was meant, and what became of it. */

typedef struct {
    const char         *name;       /* "system", "header:X-Prompt", "route" */
    const char         *path;       /* NULL: it has none */
    nxe_code_t          code;
    nxe_str_t           old[2];     /* what it replaces: max_tokens may stand
                                       under two names */
    unsigned            nold;
    nxe_str_t           value;      /* empty: there is none to show */
    unsigned            header:1;
} try_edit_t;

typedef struct {
    cli_t                  *cli;
    subject_t               subject;
    const nxe_doc_t        *doc;
    attrs_t                 attrs;
    nxe_request_t           request;
    nxe_dialect_t           dialect;
    nxe_assignment_t        a;
    const char             *reason;
    const nxe_effective_t  *effective;

    nxe_buf_t               body;
    nxe_str_t               seg;
    nxe_text_t              text;
    nxe_places_t            places;
    unsigned                scanned:1;
    const char             *bypass;     /* the cause, or NULL */
    nxe_json_result_t       fault;

    nxe_edit_t             *splices;
    size_t                  nsplices;
    try_edit_t                 *edits;
    size_t                  nedits;
} try_t;


/*
 * The assignment and, where some arm edits it, the scan of the body, in the
 * module's order.
 */
nxe_status_t try_decide(try_t *t);

/* The edits, and what becomes of each. */
nxe_status_t try_plan(try_t *t);

/* The three forms of the answer; each returns the exit code. */
int try_print_body(const try_t *t);
int try_print_json(const try_t *t);
int try_print_text(const try_t *t);


#endif /* EXPCTL_TRY_H */
