/*
 * What may happen to an experiment: pure functions from a document, a state
 * and a wish to the next state, or to a refusal that says why.
 */

#ifndef NXE_TRANSITION_H
#define NXE_TRANSITION_H

#include <nxe/assign.h>
#include <nxe/base.h>
#include <nxe/doc.h>
#include <nxe/state.h>

NXE_BEGIN_DECLS


#define NXE_LAYER_LIVE_MAX  64

typedef enum {
    NXE_WISH_STAGE = 0,     /* off, canary, ab, rollout */
    NXE_WISH_PAUSE,
    NXE_WISH_RESUME,
    NXE_WISH_ROLLBACK
} nxe_wish_type_t;

typedef struct {
    nxe_wish_type_t     type;
    nxe_stage_t         stage;
    unsigned            has_exposure:1;
    unsigned            has_share:1;    /* share of all traffic, of variant */
    nxe_frac_t          exposure;
    nxe_frac_t          share;
    nxe_str_t           variant;        /* of the share or the rollout */
    nxe_str_t           now;            /* RFC 3339 */
    nxe_str_t           by;
    nxe_str_t           reason;
} nxe_wish_t;

typedef struct {
    const char         *why;            /* one static word, for JSON */
    char                text[512];
    char                next[256];      /* what to type; "": nothing helps */
} nxe_refusal_t;

/*
 * The state that the wish leads to; its strings borrow from wish and from.
 *   NXE_DECLINED  it is so already
 *   NXE_INVALID   the wish makes no sense: exit 2
 *   NXE_CONFLICT  the state forbids it: exit 1
 * Both with a refusal.  What other experiments forbid is asked of
 * nxe_transition_live() whenever the state goes from off to live.
 */
nxe_status_t nxe_transition(const nxe_doc_t *doc, const nxe_state_t *from,
    const nxe_wish_t *wish, nxe_state_t *to, nxe_refusal_t *refusal);

/*
 * The first state of a document, as its own "stage" wishes.  Of wish only
 * now, by and reason count.
 */
nxe_status_t nxe_transition_create(const nxe_doc_t *doc,
    const nxe_wish_t *wish, nxe_state_t *to, nxe_refusal_t *refusal);

/*
 * The state under a changed document.  traffic: the change is one of what a
 * unit gets; what: which (for the sentence); new_phase: it is wanted so.
 */
nxe_status_t nxe_transition_update(const nxe_doc_t *doc,
    const nxe_state_t *from, int traffic, const char *what, int new_phase,
    const nxe_wish_t *wish, nxe_state_t *to, nxe_refusal_t *refusal);

/*
 * Whether the document may be live beside n others that are (itself is not
 * among them).  NXE_CONFLICT with a refusal: a key that is not built, an
 * overlap (with the free ranges of the layer), two experiments that could
 * change the same thing, a full layer.
 */
nxe_status_t nxe_transition_live(const nxe_doc_t *doc,
    const nxe_doc_t *const *others, size_t n, nxe_refusal_t *refusal);


/*
 * Shares of the units of the layer, in 2^-64: those that get a variant and
 * had none, had one and get none, get another one than they had.  Exact
 * where both documents hash alike; where salt, unit or layer differ, the two
 * draws are independent.  before may be NULL: no unit had a variant.
 */

typedef struct {
    nxe_u128_t          join;
    nxe_u128_t          leave;
    nxe_u128_t          change;
} nxe_movement_t;

#define NXE_MOVEMENT_ALL  ((nxe_u128_t) 1 << 64)

void nxe_movement(const nxe_doc_t *before, const nxe_force_t *before_force,
    const nxe_doc_t *after, const nxe_force_t *after_force,
    nxe_movement_t *movement);

/*
 * The share of a layer's units that variant v holds: layer width x exposure x
 * weight, as num/den.  v is NXE_NONE: of those in the range and not exposed.
 */
void nxe_transition_share(const nxe_doc_t *doc, const nxe_force_t *force,
    uint32_t v, nxe_u128_t *num, nxe_u128_t *den);


NXE_END_DECLS

#endif /* NXE_TRANSITION_H */
