/*
 * State: what happens to an experiment, apart from its document.  It is kept
 * as JSON, in the registry and (reduced) in the serving copy.
 */

#ifndef NXE_STATE_H
#define NXE_STATE_H

#include <nxe/assign.h>
#include <nxe/base.h>
#include <nxe/buf.h>
#include <nxe/doc.h>

NXE_BEGIN_DECLS


/* No state is longer, as JSON. */
#define NXE_STATE_MAX  65536

typedef struct {
    uint64_t            revision;       /* of the document, from 1 */
    uint64_t            phase;          /* from 1 */
    nxe_stage_t         stage;
    nxe_frac_t          exposure;       /* den 10^9 or 1 */
    unsigned            has_exposure:1; /* else null: off, paused, ... */
    nxe_str_t           variant;        /* of a rollout, else "" */
    unsigned            has_former:1;   /* paused, rolled back: what was */
    nxe_stage_t         former_stage;
    nxe_frac_t          former_exposure;
    unsigned            former_has_exposure:1;
    nxe_str_t           former_variant;
    nxe_str_t           started;        /* RFC 3339: when the phase first went
                                           live; "": it never was */
    nxe_str_t           since;          /* RFC 3339 */
    nxe_str_t           by;
    nxe_str_t           reason;
} nxe_state_t;

/*
 * Appends {"experiment":NAME, ...} as OUTPUT 4 gives it, with "revision",
 * "started" (null if it never was live) and "former" (absent, or
 * {"stage","exposure","variant"}) at the end.
 */
nxe_status_t nxe_state_print(nxe_str_t name, const nxe_state_t *state,
    nxe_buf_t *out);

/*
 * Reads what nxe_state_print() wrote, or the serving copy's reduced form
 * (members that only people read are absent).  Strings are copied into mem.
 * NXE_INVALID: err says what is wrong.
 */
nxe_status_t nxe_state_parse(nxe_str_t json, const nxe_mem_t *mem,
    nxe_state_t *state, nxe_error_t *err);

/* 1 unless off, completed or archived. */
int nxe_state_live(const nxe_state_t *state);

/*
 * What the state decides about assignments; NXE_INVALID if a rollout names a
 * variant that the document has not.
 */
nxe_status_t nxe_state_force(const nxe_doc_t *doc, const nxe_state_t *state,
    nxe_force_t *force);


NXE_END_DECLS

#endif /* NXE_STATE_H */
