/*
 * Assignment: a pure function of (document, state, unit).  The module and
 * every command of expctl that speaks of a variant call this and nothing
 * else.
 *
 * k is the first four bytes, big-endian, of SHA-256("SALT:UNIT") ("UNIT" with
 * an empty salt); the layer position is that of "layer:LAYER:UNIT".  Ranges
 * are integers in [0, 2^32], computed exactly (STATISTICS 2).
 */

#ifndef NXE_ASSIGN_H
#define NXE_ASSIGN_H

#include <nxe/base.h>
#include <nxe/doc.h>
#include <nxe/frac.h>
#include <nxe/trust.h>

NXE_BEGIN_DECLS


typedef enum {
    NXE_STAGE_OFF = 0,
    NXE_STAGE_CANARY,
    NXE_STAGE_AB,
    NXE_STAGE_ROLLOUT,
    NXE_STAGE_PAUSED,
    NXE_STAGE_ROLLED_BACK,
    NXE_STAGES
} nxe_stage_t;

/* "off", "canary", "ab", "rollout", "paused", "rolled_back" */
const char *nxe_stage_name(nxe_stage_t stage);
nxe_status_t nxe_stage_parse(nxe_str_t s, nxe_stage_t *stage);

/* The first that holds, in this order, is the reason. */

typedef enum {
    NXE_REASON_ERROR = 0,
    NXE_REASON_OFF,
    NXE_REASON_ROLLED_BACK,
    NXE_REASON_PAUSED,
    NXE_REASON_OUTSIDE_WINDOW,
    NXE_REASON_STEP_NOT_IN_SCOPE,
    NXE_REASON_NO_UNIT,
    NXE_REASON_LAYER_EXCLUDED,
    NXE_REASON_NOT_TARGETED,
    NXE_REASON_NOT_EXPOSED,
    NXE_REASON_ASSIGNED,
    NXE_REASONS
} nxe_reason_t;

const char *nxe_reason_name(nxe_reason_t reason);


/* What a state decides about an assignment. */

typedef struct {
    nxe_stage_t         stage;
    nxe_frac_t          exposure;       /* den 10^9 or 1 */
    uint32_t            rollout;        /* variant index, else NXE_NONE */
} nxe_force_t;

/* [lo, hi) of each variant, in document order. */

typedef struct {
    uint64_t            lo;
    uint64_t            hi;
} nxe_range_t;

/*
 * The boundaries of (document, state) into ranges[doc->nvariants].  Off,
 * paused, rolled back: all empty.
 */
void nxe_assign_ranges(const nxe_doc_t *doc, const nxe_force_t *force,
    nxe_range_t *ranges);

/*
 * The exact ends of variant v, for people: [lo, hi) as fractions.
 */
void nxe_assign_range(const nxe_doc_t *doc, const nxe_force_t *force,
    uint32_t v, nxe_frac_t *lo, nxe_frac_t *hi);


/* The probability of variant v given exposure. */
double nxe_assign_p(const nxe_doc_t *doc, const nxe_force_t *force,
    uint32_t v);


/*
 * The request, as assignment sees it.  attr() finds the value of a source:
 * NXE_OK, NXE_DECLINED (not there, twice there, or not of the form of
 * SECURITY 2), NXE_AGAIN (in a body not read yet), NXE_NOMEM.  Values live as
 * long as the request.
 */
typedef nxe_status_t (*nxe_attr_pt)(void *ctx, const nxe_source_t *source,
    nxe_str_t *value);

typedef struct {
    nxe_attr_pt         attr;
    void               *ctx;
    nxe_scratch_t      *scratch;        /* to match patterns in */
    const nxe_trusted_t *trusted;       /* NULL: no source is verified */
    nxe_str_t           step;
    int64_t             now;            /* seconds since the epoch */
    unsigned            any_step:1;     /* count step, window and targeting */
    unsigned            any_window:1;   /* as met */
    unsigned            any_target:1;
} nxe_request_t;

typedef struct {
    nxe_str_t           value;
    uint32_t            source;         /* index in doc->sources */
    unsigned            verified:1;     /* not the client's choice */
} nxe_unit_t;

/*
 * The first verified source that yields a value, wherever it stands: what a
 * client says of itself counts only where nobody knows better.  Without one
 * the first source that yields a value.  NXE_DECLINED if none does.
 */
nxe_status_t nxe_assign_unit(const nxe_doc_t *doc, const nxe_request_t *r,
    nxe_unit_t *unit);

/* 1 if a document takes the unit: see nxe_doc_wants_verified(). */
int nxe_assign_takes(const nxe_doc_t *doc, const nxe_unit_t *unit);

/* The bucket of a unit: k, 0 to 2^32 - 1.  b = k / 2^32. */
uint32_t nxe_assign_bucket(nxe_str_t salt, nxe_str_t unit);

/* The position of a unit in a layer, a bucket of its own. */
uint32_t nxe_assign_position(nxe_str_t layer, nxe_str_t unit);

typedef struct {
    nxe_reason_t        reason;
    uint32_t            variant;        /* index; the baseline's unless
                                           assigned */
    uint32_t            step;           /* index, NXE_NONE if not in scope */
    unsigned            exposed:1;
    unsigned            in_layer:1;     /* unit known, its position in range:
                                           the baseline's changes hold */
    uint32_t            bucket;         /* k, 0 without a unit */
} nxe_assignment_t;

/*
 * Decides.  unit is NULL where no source yields one; one that the document
 * does not take is as good as none.  position is the unit's in doc->layer.
 * NXE_AGAIN: targeting needs the body.  NXE_NOMEM.
 */
nxe_status_t nxe_assign(const nxe_doc_t *doc, const nxe_force_t *force,
    const nxe_range_t *ranges, const nxe_request_t *r, const nxe_unit_t *unit,
    uint32_t position, nxe_assignment_t *a);

/*
 * What the request is served with: the configuration of the assigned variant,
 * or the baseline's own where the unit is in the layer's range, on a step in
 * scope; NULL: nothing is changed.
 */
const nxe_effective_t *nxe_assign_effective(const nxe_doc_t *doc,
    const nxe_assignment_t *a);


NXE_END_DECLS

#endif /* NXE_ASSIGN_H */
