#include <nxe/assign.h>
#include <nxe/hash.h>
#include <nxe/target.h>


static const char *const  nxe_stage_names[NXE_STAGES] = {
    "off", "canary", "ab", "rollout", "paused", "rolled_back"
};

static const char *const  nxe_reason_names[NXE_REASONS] = {
    "error", "off", "rolled_back", "paused", "outside_window",
    "step_not_in_scope", "no_unit", "layer_excluded", "not_targeted",
    "not_exposed", "assigned"
};


static uint32_t nxe_assign_hash(const nxe_str_t *parts, size_t n);
static nxe_status_t nxe_assign_reason(const nxe_doc_t *doc,
    const nxe_force_t *force, const nxe_request_t *r, const nxe_unit_t *unit,
    nxe_assignment_t *a);
static void nxe_assign_draw(const nxe_doc_t *doc, const nxe_range_t *ranges,
    nxe_assignment_t *a);


const char *
nxe_stage_name(nxe_stage_t stage)
{
    return nxe_stage_names[stage];
}


nxe_status_t
nxe_stage_parse(nxe_str_t s, nxe_stage_t *stage)
{
    unsigned  i;

    for (i = 0; i < NXE_STAGES; i++) {
        if (nxe_str_eq(s, nxe_str_of(nxe_stage_names[i]))) {
            *stage = (nxe_stage_t) i;
            return NXE_OK;
        }
    }

    return NXE_DECLINED;
}


const char *
nxe_reason_name(nxe_reason_t reason)
{
    return nxe_reason_names[reason];
}


void
nxe_assign_ranges(const nxe_doc_t *doc, const nxe_force_t *force,
    nxe_range_t *ranges)
{
    uint32_t    v;
    nxe_frac_t  lo, hi;

    for (v = 0; v < doc->nvariants; v++) {
        nxe_assign_range(doc, force, v, &lo, &hi);

        ranges[v].lo = nxe_frac_threshold(lo);
        ranges[v].hi = nxe_frac_threshold(hi);
    }
}


void
nxe_assign_range(const nxe_doc_t *doc, const nxe_force_t *force, uint32_t v,
    nxe_frac_t *lo, nxe_frac_t *hi)
{
    uint32_t    i;
    uint64_t    before, exposure;
    nxe_frac_t  unit;

    *lo = NXE_FRAC_ZERO;
    *hi = NXE_FRAC_ZERO;

    if (force->stage == NXE_STAGE_ROLLOUT) {
        if (v == force->rollout) {
            *hi = NXE_FRAC_ONE;
        }

        return;
    }

    if (force->stage != NXE_STAGE_CANARY && force->stage != NXE_STAGE_AB) {
        return;
    }

    for (i = 0, before = 0; i < v; i++) {
        before += doc->variants[i].weight;
    }

    /* [s, s + weight x exposure), both over weight_den x 10^9 */

    exposure = force->exposure.num * (NXE_NANO / force->exposure.den);
    unit.den = doc->weight_den * NXE_NANO;

    unit.num = before * NXE_NANO;
    *lo = unit;

    unit.num += doc->variants[v].weight * exposure;
    *hi = unit;
}


double
nxe_assign_p(const nxe_doc_t *doc, const nxe_force_t *force, uint32_t v)
{
    if (force->stage == NXE_STAGE_ROLLOUT) {
        return v == force->rollout;
    }

    return (double) doc->variants[v].weight / (double) doc->weight_den;
}


nxe_status_t
nxe_assign_unit(const nxe_doc_t *doc, const nxe_request_t *r,
    nxe_unit_t *unit)
{
    int           verified;
    uint32_t      i;
    nxe_str_t     value;
    nxe_status_t  rc, found;

    found = NXE_DECLINED;

    for (i = 0; i < doc->nsources; i++) {
        verified = nxe_source_verified(r->trusted, &doc->sources[i]);

        if (!verified && found != NXE_DECLINED) {
            continue;
        }

        rc = r->attr(r->ctx, &doc->sources[i], &value);

        if (rc == NXE_DECLINED) {
            continue;
        }

        if (rc == NXE_OK) {
            unit->value = value;
            unit->source = i;
            unit->verified = verified ? 1 : 0;
        }

        if (verified || (rc != NXE_OK && rc != NXE_AGAIN)) {
            return rc;
        }

        found = rc;
    }

    return found;
}


int
nxe_assign_takes(const nxe_doc_t *doc, const nxe_unit_t *unit)
{
    return !nxe_doc_wants_verified(doc) || unit->verified;
}


uint32_t
nxe_assign_bucket(nxe_str_t salt, nxe_str_t unit)
{
    nxe_str_t  parts[3];

    if (salt.len == 0) {
        return nxe_assign_hash(&unit, 1);
    }

    parts[0] = salt;
    parts[1] = nxe_str(":");
    parts[2] = unit;

    return nxe_assign_hash(parts, 3);
}


uint32_t
nxe_assign_position(nxe_str_t layer, nxe_str_t unit)
{
    nxe_str_t  parts[4];

    parts[0] = nxe_str("layer:");
    parts[1] = layer;
    parts[2] = nxe_str(":");
    parts[3] = unit;

    return nxe_assign_hash(parts, 4);
}


static uint32_t
nxe_assign_hash(const nxe_str_t *parts, size_t n)
{
    size_t         i;
    nxe_sha256_t   c;
    unsigned char  digest[NXE_SHA256_LEN];

    nxe_sha256_init(&c);

    for (i = 0; i < n; i++) {
        nxe_sha256_update(&c, parts[i].data, parts[i].len);
    }

    nxe_sha256_final(&c, digest);

    return (uint32_t) digest[0] << 24 | (uint32_t) digest[1] << 16
           | (uint32_t) digest[2] << 8 | (uint32_t) digest[3];
}


nxe_status_t
nxe_assign(const nxe_doc_t *doc, const nxe_force_t *force,
    const nxe_range_t *ranges, const nxe_request_t *r, const nxe_unit_t *unit,
    uint32_t position, nxe_assignment_t *a)
{
    nxe_status_t  rc;

    if (unit != NULL && !nxe_assign_takes(doc, unit)) {
        unit = NULL;
    }

    a->variant = doc->baseline;
    a->exposed = 0;
    a->bucket = unit != NULL ? nxe_assign_bucket(doc->salt, unit->value) : 0;

    a->step = nxe_doc_step(doc, r->step);
    a->in_layer = unit != NULL
                  && position >= nxe_frac_threshold(doc->layer_from)
                  && position < nxe_frac_threshold(doc->layer_to);

    rc = nxe_assign_reason(doc, force, r, unit, a);

    if (rc == NXE_OK && a->reason == NXE_REASON_ASSIGNED) {
        nxe_assign_draw(doc, ranges, a);
    }

    return rc;
}


/* What keeps the unit out, in the order of DESIGN, or NXE_REASON_ASSIGNED. */

static nxe_status_t
nxe_assign_reason(const nxe_doc_t *doc, const nxe_force_t *force,
    const nxe_request_t *r, const nxe_unit_t *unit, nxe_assignment_t *a)
{
    int           holds;
    nxe_status_t  rc;

    if (force->stage == NXE_STAGE_OFF) {
        a->reason = NXE_REASON_OFF;

    } else if (force->stage == NXE_STAGE_ROLLED_BACK) {
        a->reason = NXE_REASON_ROLLED_BACK;

    } else if (force->stage == NXE_STAGE_PAUSED) {
        a->reason = NXE_REASON_PAUSED;

    } else if (!r->any_window && !nxe_target_window(doc, r->now)) {
        a->reason = NXE_REASON_OUTSIDE_WINDOW;

    } else if (!r->any_step
               && (a->step == NXE_NONE || !doc->steps[a->step].changes))
    {
        a->reason = NXE_REASON_STEP_NOT_IN_SCOPE;

    } else if (unit == NULL) {
        a->reason = NXE_REASON_NO_UNIT;

    } else if (!a->in_layer) {
        a->reason = NXE_REASON_LAYER_EXCLUDED;

    } else {
        holds = 1;

        if (!r->any_target) {
            rc = nxe_target_holds(doc, r, &holds);
            if (rc != NXE_OK) {
                return rc;
            }
        }

        a->reason = holds ? NXE_REASON_ASSIGNED : NXE_REASON_NOT_TARGETED;
    }

    return NXE_OK;
}


static void
nxe_assign_draw(const nxe_doc_t *doc, const nxe_range_t *ranges,
    nxe_assignment_t *a)
{
    uint32_t  v;

    for (v = 0; v < doc->nvariants; v++) {

        if (a->bucket < ranges[v].lo || a->bucket >= ranges[v].hi) {
            continue;
        }

        a->variant = v;
        a->exposed = 1;
        return;
    }

    a->reason = NXE_REASON_NOT_EXPOSED;
}


const nxe_effective_t *
nxe_assign_effective(const nxe_doc_t *doc, const nxe_assignment_t *a)
{
    if (a->reason == NXE_REASON_ERROR || a->reason == NXE_REASON_OFF
        || a->step == NXE_NONE || !a->in_layer)
    {
        return NULL;
    }

    return &doc->effective[a->variant * doc->nsteps + a->step];
}
