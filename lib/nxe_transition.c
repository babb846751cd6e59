/*
 * From one state to the next.
 *
 * A phase is one meaning of each variant, so it changes whenever units move
 * other than between a variant and "not exposed": going live again after off,
 * into a rollout, out of one, and with a document that assigns otherwise.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <nxe/transition.h>

#include "nxe_doc_int.h"

/* What canary exposes where nobody says: 5 %. */
#define CANARY_NANO  (NXE_NANO / 20)


static nxe_status_t refuse(nxe_refusal_t *refusal, nxe_status_t rc,
    const char *why, const char *fmt, ...) NXE_PRINTF(4, 5);


static nxe_status_t
refuse(nxe_refusal_t *refusal, nxe_status_t rc, const char *why,
    const char *fmt, ...)
{
    va_list  ap;

    refusal->why = why;
    refusal->next[0] = '\0';

    va_start(ap, fmt);
    vsnprintf(refusal->text, sizeof(refusal->text), fmt, ap);
    va_end(ap);

    return rc;
}


static nxe_status_t
out_of_order(nxe_refusal_t *refusal, const nxe_doc_t *doc, const char *is)
{
    return refuse(refusal, NXE_CONFLICT, "stage", "%.*s is %s",
                  (int) doc->name.len, doc->name.data, is);
}


static nxe_status_t
is_rolled_back(nxe_refusal_t *refusal, const nxe_doc_t *doc)
{
    refuse(refusal, NXE_CONFLICT, "rolled_back",
           "%.*s is rolled back, from there it only goes to off",
           (int) doc->name.len, doc->name.data);
    snprintf(refusal->next, sizeof(refusal->next), "expctl stage %.*s off",
             (int) doc->name.len, doc->name.data);

    return NXE_CONFLICT;
}


static nxe_status_t
no_variant(nxe_refusal_t *refusal, const nxe_doc_t *doc, nxe_str_t name)
{
    char        word[65];
    size_t      n;
    uint32_t    v;
    nxe_near_t  near;

    snprintf(word, sizeof(word), "%.*s", name.len > 64 ? 64 : (int) name.len,
             name.data);

    refuse(refusal, NXE_INVALID, "variant", "%.*s has no variant '%s', only",
           (int) doc->name.len, doc->name.data, word);

    nxe_near_init(&near, word);

    for (v = 0; v < doc->nvariants; v++) {
        nxe_near_try(&near, doc->variants[v].name.data);

        n = strlen(refusal->text);
        snprintf(refusal->text + n, sizeof(refusal->text) - n, "%s %s",
                 v == 0 ? "" : ",", doc->variants[v].name.data);
    }

    if (near.best != NULL) {
        n = strlen(refusal->text);
        snprintf(refusal->text + n, sizeof(refusal->text) - n, ", near: %s",
                 near.best);
    }

    snprintf(refusal->next, sizeof(refusal->next), "expctl tree %.*s",
             (int) doc->name.len, doc->name.data);

    return NXE_INVALID;
}


/* What holds while the experiment is on: itself, or what a pause kept. */

static void
former_of(const nxe_state_t *from, nxe_stage_t *stage, nxe_frac_t *exposure,
    int *has_exposure, nxe_str_t *variant)
{
    if (from->has_former) {
        *stage = from->former_stage;
        *exposure = from->former_exposure;
        *has_exposure = from->former_has_exposure;
        *variant = from->former_variant;
        return;
    }

    *stage = from->stage;
    *exposure = from->exposure;
    *has_exposure = from->has_exposure;
    *variant = from->variant;
}


static void
drop_former(nxe_state_t *to)
{
    to->has_former = 0;
    to->former_stage = NXE_STAGE_OFF;
    to->former_exposure = NXE_FRAC_ZERO;
    to->former_has_exposure = 0;
    to->former_variant = nxe_str("");
}


/* Paused or rolled back: nothing is exposed, what was is kept. */

static void
set_aside(const nxe_state_t *from, nxe_stage_t stage, nxe_state_t *to)
{
    int  has_exposure;

    former_of(from, &to->former_stage, &to->former_exposure, &has_exposure,
              &to->former_variant);

    to->has_former = 1;
    to->former_has_exposure = has_exposure != 0;
    to->stage = stage;
    to->exposure = NXE_FRAC_ZERO;
    to->has_exposure = 0;
    to->variant = nxe_str("");
}


static nxe_status_t
wish_pause(const nxe_doc_t *doc, const nxe_state_t *from, nxe_state_t *to,
    nxe_refusal_t *refusal)
{
    switch (from->stage) {

    case NXE_STAGE_OFF:
        return out_of_order(refusal, doc, "off, there is nothing to pause");

    case NXE_STAGE_ROLLED_BACK:
        return is_rolled_back(refusal, doc);

    case NXE_STAGE_PAUSED:
        return NXE_DECLINED;

    default:
        set_aside(from, NXE_STAGE_PAUSED, to);
        return NXE_OK;
    }
}


static nxe_status_t
wish_rollback(const nxe_doc_t *doc, const nxe_state_t *from, nxe_state_t *to,
    nxe_refusal_t *refusal)
{
    switch (from->stage) {

    case NXE_STAGE_OFF:
        return out_of_order(refusal, doc,
                            "off, there is nothing to roll back");

    case NXE_STAGE_ROLLED_BACK:
        return NXE_DECLINED;

    default:
        set_aside(from, NXE_STAGE_ROLLED_BACK, to);
        return NXE_OK;
    }
}


static nxe_status_t
wish_resume(const nxe_doc_t *doc, const nxe_state_t *from, nxe_state_t *to,
    nxe_refusal_t *refusal)
{
    int  has_exposure;

    if (from->stage == NXE_STAGE_ROLLED_BACK) {
        return is_rolled_back(refusal, doc);
    }

    if (from->stage != NXE_STAGE_PAUSED || !from->has_former) {
        refuse(refusal, NXE_CONFLICT, "stage",
               "%.*s is %s, there is nothing to resume",
               (int) doc->name.len, doc->name.data,
               nxe_stage_name(from->stage));

        if (from->stage == NXE_STAGE_OFF) {
            snprintf(refusal->next, sizeof(refusal->next),
                     "expctl stage %.*s canary", (int) doc->name.len,
                     doc->name.data);
        }

        return NXE_CONFLICT;
    }

    former_of(from, &to->stage, &to->exposure, &has_exposure, &to->variant);
    to->has_exposure = has_exposure != 0;
    drop_former(to);

    return NXE_OK;
}


/* At exposure 1 the variant has most, in 10^-9, and no more. */

static nxe_status_t
too_much(const nxe_doc_t *doc, const nxe_wish_t *wish, uint32_t v,
    uint64_t most, nxe_refusal_t *refusal)
{
    int          n;
    char         share[32];
    const char  *name;

    name = doc->variants[v].name.data;

    /* all its digits: rounded up it would be refused again */

    n = snprintf(share, sizeof(share), "%llu.%07llu",
                 (unsigned long long) (most / 10000000),
                 (unsigned long long) (most % 10000000));

    while (share[n - 1] == '0') {
        n--;
    }

    share[share[n - 1] == '.' ? n - 1 : n] = '\0';

    refuse(refusal, NXE_INVALID, "share",
           "variant '%s' can have at most %s %% of the layer", name, share);

    snprintf(refusal->next, sizeof(refusal->next),
             "expctl stage %.*s %s --share %s=%s%%", (int) doc->name.len,
             doc->name.data, nxe_stage_name(wish->stage), name, share);

    return NXE_INVALID;
}


/*
 * The exposure at which a variant holds a share of the layer's traffic,
 * share / (width x weight), cut to nine digits.
 */

static nxe_status_t
exposure_of_share(const nxe_doc_t *doc, const nxe_wish_t *wish,
    nxe_frac_t *exposure, nxe_refusal_t *refusal)
{
    uint32_t    v;
    uint64_t    width;
    nxe_u128_t  num, den;

    v = nxe_doc_variant(doc, wish->variant);
    if (v == NXE_NONE) {
        return no_variant(refusal, doc, wish->variant);
    }

    if (doc->variants[v].weight == 0) {
        return refuse(refusal, NXE_INVALID, "share",
                      "variant '%.*s' has the weight 0",
                      (int) wish->variant.len, wish->variant.data);
    }

    width = doc->layer_to.num * (NXE_NANO / doc->layer_to.den)
            - doc->layer_from.num * (NXE_NANO / doc->layer_from.den);

    /* each factor is at most 10^9 */

    num = (nxe_u128_t) wish->share.num * NXE_NANO * doc->weight_den;
    den = (nxe_u128_t) wish->share.den * width * doc->variants[v].weight;

    if (num > den) {
        return too_much(doc, wish, v, (uint64_t)
                        ((nxe_u128_t) width * doc->variants[v].weight
                         / doc->weight_den), refusal);
    }

    exposure->num = (uint64_t) (num * NXE_NANO / den);
    exposure->den = NXE_NANO;

    return NXE_OK;
}


static nxe_status_t
exposure_of(const nxe_doc_t *doc, const nxe_state_t *from,
    const nxe_wish_t *wish, nxe_frac_t *exposure, nxe_refusal_t *refusal)
{
    if (wish->has_share) {
        return exposure_of_share(doc, wish, exposure, refusal);
    }

    if (wish->has_exposure) {
        *exposure = wish->exposure;

    } else if (from->started.len == 0 && doc->has_exposure) {
        *exposure = doc->exposure;

    } else if (wish->stage == NXE_STAGE_CANARY) {
        *exposure = (nxe_frac_t) { CANARY_NANO, NXE_NANO };

    } else {
        *exposure = NXE_FRAC_ONE;
    }

    return NXE_OK;
}


static nxe_status_t
go_off(const nxe_state_t *from, const nxe_wish_t *wish, nxe_state_t *to,
    nxe_refusal_t *refusal)
{
    if (wish->has_exposure || wish->has_share || wish->variant.len != 0) {
        return refuse(refusal, NXE_INVALID, "usage",
                      "off takes no exposure, share or variant");
    }

    if (from->stage == NXE_STAGE_OFF) {
        return NXE_DECLINED;
    }

    to->stage = NXE_STAGE_OFF;
    to->exposure = NXE_FRAC_ZERO;
    to->has_exposure = 0;
    to->variant = nxe_str("");
    drop_former(to);

    return NXE_OK;
}


static nxe_status_t
go_rollout(const nxe_doc_t *doc, const nxe_wish_t *wish, nxe_state_t *to,
    nxe_refusal_t *refusal)
{
    if (wish->has_exposure || wish->has_share) {
        return refuse(refusal, NXE_INVALID, "usage",
                      "rollout takes no exposure: every targeted unit gets "
                      "the variant");
    }

    if (wish->variant.len == 0) {
        refuse(refusal, NXE_INVALID, "usage", "rollout needs --variant V");
        snprintf(refusal->next, sizeof(refusal->next), "expctl tree %.*s",
                 (int) doc->name.len, doc->name.data);
        return NXE_INVALID;
    }

    if (nxe_doc_variant(doc, wish->variant) == NXE_NONE) {
        return no_variant(refusal, doc, wish->variant);
    }

    to->stage = NXE_STAGE_ROLLOUT;
    to->exposure = NXE_FRAC_ONE;
    to->has_exposure = 1;
    to->variant = wish->variant;
    drop_former(to);

    return NXE_OK;
}


static nxe_status_t
go_exposed(const nxe_doc_t *doc, const nxe_state_t *from,
    const nxe_wish_t *wish, nxe_state_t *to, nxe_refusal_t *refusal)
{
    nxe_status_t  rc;

    if (wish->has_exposure && wish->has_share) {
        return refuse(refusal, NXE_INVALID, "usage",
                      "--exposure and --share say the same: give one");
    }

    if (wish->variant.len != 0 && !wish->has_share) {
        return refuse(refusal, NXE_INVALID, "usage",
                      "only rollout takes a variant");
    }

    rc = exposure_of(doc, from, wish, &to->exposure, refusal);
    if (rc != NXE_OK) {
        return rc;
    }

    to->stage = wish->stage;
    to->has_exposure = 1;
    to->variant = nxe_str("");
    drop_former(to);

    return NXE_OK;
}


/* Where units move other than between a variant and not exposed. */

static void
count_phase(const nxe_state_t *from, nxe_state_t *to, nxe_str_t now)
{
    int          began, has_exposure;
    nxe_str_t    variant;
    nxe_frac_t   exposure;
    nxe_stage_t  stage;

    if (to->stage == NXE_STAGE_OFF) {
        return;
    }

    if (from->started.len == 0) {
        to->started = now;
        return;
    }

    former_of(from, &stage, &exposure, &has_exposure, &variant);

    began = from->stage == NXE_STAGE_OFF
            || (stage == NXE_STAGE_ROLLOUT) != (to->stage == NXE_STAGE_ROLLOUT)
            || (stage == NXE_STAGE_ROLLOUT
                && !nxe_str_eq(variant, to->variant));

    if (began) {
        to->phase = from->phase + 1;
        to->started = now;
    }
}


static int
same_state(const nxe_state_t *a, const nxe_state_t *b)
{
    return a->stage == b->stage
           && a->has_exposure == b->has_exposure
           && nxe_frac_cmp(a->exposure, b->exposure) == 0
           && nxe_str_eq(a->variant, b->variant);
}


static nxe_status_t
wish_stage(const nxe_doc_t *doc, const nxe_state_t *from,
    const nxe_wish_t *wish, nxe_state_t *to, nxe_refusal_t *refusal)
{
    nxe_status_t  rc;

    if (from->stage == NXE_STAGE_ROLLED_BACK && wish->stage != NXE_STAGE_OFF) {
        return is_rolled_back(refusal, doc);
    }

    switch (wish->stage) {

    case NXE_STAGE_OFF:
        rc = go_off(from, wish, to, refusal);
        break;

    case NXE_STAGE_ROLLOUT:
        rc = go_rollout(doc, wish, to, refusal);
        break;

    case NXE_STAGE_CANARY:
    case NXE_STAGE_AB:
        rc = go_exposed(doc, from, wish, to, refusal);
        break;

    default:
        rc = refuse(refusal, NXE_INVALID, "usage", "%s is no stage to go to",
                    nxe_stage_name(wish->stage));
    }

    if (rc != NXE_OK) {
        return rc;
    }

    if (same_state(from, to)) {
        return NXE_DECLINED;
    }

    count_phase(from, to, wish->now);

    return NXE_OK;
}


static void
sign(nxe_state_t *to, const nxe_wish_t *wish)
{
    to->since = wish->now;
    to->by = wish->by;
    to->reason = wish->reason;
}


nxe_status_t
nxe_transition(const nxe_doc_t *doc, const nxe_state_t *from,
    const nxe_wish_t *wish, nxe_state_t *to, nxe_refusal_t *refusal)
{
    nxe_state_t   next;
    nxe_status_t  rc;

    next = *from;

    switch (wish->type) {

    case NXE_WISH_PAUSE:
        rc = wish_pause(doc, from, &next, refusal);
        break;

    case NXE_WISH_RESUME:
        rc = wish_resume(doc, from, &next, refusal);
        break;

    case NXE_WISH_ROLLBACK:
        rc = wish_rollback(doc, from, &next, refusal);
        break;

    default:
        rc = wish_stage(doc, from, wish, &next, refusal);
    }

    if (rc != NXE_OK) {
        return rc;
    }

    sign(&next, wish);
    *to = next;

    return NXE_OK;
}


nxe_status_t
nxe_transition_create(const nxe_doc_t *doc, const nxe_wish_t *wish,
    nxe_state_t *to, nxe_refusal_t *refusal)
{
    nxe_wish_t   first;
    nxe_state_t  none;

    memset(&none, 0, sizeof(none));
    none.revision = 1;
    none.phase = 1;
    none.stage = NXE_STAGE_OFF;
    none.exposure = NXE_FRAC_ZERO;
    none.variant = nxe_str("");
    none.started = nxe_str("");
    drop_former(&none);
    sign(&none, wish);

    memset(&first, 0, sizeof(first));
    first.type = NXE_WISH_STAGE;
    first.now = wish->now;
    first.by = wish->by;
    first.reason = wish->reason;

    if (doc->stage.len == 0
        || nxe_stage_parse(doc->stage, &first.stage) != NXE_OK
        || first.stage == NXE_STAGE_OFF)
    {
        *to = none;
        return NXE_OK;
    }

    return nxe_transition(doc, &none, &first, to, refusal);
}


/* A rollout that is in force, or that a pause keeps, still has its variant. */

static nxe_status_t
keeps_rollout(const nxe_doc_t *doc, const nxe_state_t *from,
    nxe_refusal_t *refusal)
{
    int          has_exposure;
    nxe_str_t    variant;
    nxe_frac_t   exposure;
    nxe_stage_t  stage;

    former_of(from, &stage, &exposure, &has_exposure, &variant);

    if (stage != NXE_STAGE_ROLLOUT || from->stage == NXE_STAGE_ROLLED_BACK
        || nxe_doc_variant(doc, variant) != NXE_NONE)
    {
        return NXE_OK;
    }

    refuse(refusal, NXE_CONFLICT, "rollout",
           "%.*s rolls out '%.*s', which the new document does not have",
           (int) doc->name.len, doc->name.data, (int) variant.len,
           variant.data);
    snprintf(refusal->next, sizeof(refusal->next),
             "keep the variant, or expctl stage %.*s off first",
             (int) doc->name.len, doc->name.data);

    return NXE_CONFLICT;
}


nxe_status_t
nxe_transition_update(const nxe_doc_t *doc, const nxe_state_t *from,
    int traffic, const char *what, int new_phase, const nxe_wish_t *wish,
    nxe_state_t *to, nxe_refusal_t *refusal)
{
    int           live;
    nxe_state_t   next;
    nxe_status_t  rc;

    next = *from;
    next.revision++;
    live = nxe_state_live(from);

    if (live && traffic && !new_phase) {
        refuse(refusal, NXE_CONFLICT, "needs_phase",
               "%.*s is %s, and the new document changes %s",
               (int) doc->name.len, doc->name.data,
               nxe_stage_name(from->stage), what);
        snprintf(refusal->next, sizeof(refusal->next),
                 "expctl apply -f FILE --new-phase");
        return NXE_CONFLICT;
    }

    rc = keeps_rollout(doc, from, refusal);
    if (rc != NXE_OK) {
        return rc;
    }

    if (live && new_phase) {
        next.phase++;
        next.started = wish->now;
        sign(&next, wish);
    }

    *to = next;

    return NXE_OK;
}
