/*
 * Outcomes that came by feedback, and the units that they are of.
 */

#include <stdlib.h>
#include <string.h>

#include <nxe/hash.h>

#include "cli/analyze.h"


#define FIRST_ROOM  1024


const char *const  analyze_unheard[ANALYZE_UNHEARD] = {
    "refused", "untrusted", "undeclared", "invalid", "unknown_request",
    "never_exposed", "before_exposure", "after_window"
};


/* Reading a POST twice gives the same ids and places. */

static nxe_status_t
seen(analyze_t *a, int *before)
{
    int            added;
    char           text[NXE_LOGLINE_ID + 8];
    nxe_str_t      s;
    uint32_t       number;
    unsigned char  sum[NXE_SHA256_LEN];

    memcpy(text, a->line.id.bytes, NXE_LOGLINE_ID);
    memcpy(text + NXE_LOGLINE_ID, &a->line.feedback.n, 8);

    s.data = text;
    s.len = sizeof(text);
    nxe_sha256(s, sum);

    if (nxe_idset_add(&a->answers, sum, &number, &added) != NXE_OK) {
        return NXE_NOMEM;
    }

    *before = !added;

    return NXE_OK;
}


static int
trusted(const analyze_plan_t *plan, nxe_str_t trust)
{
    return nxe_str_eq(trust, nxe_str("key"))
           || nxe_str_eq(trust, nxe_str("token"))
           || (plan->trust_open && nxe_str_eq(trust, nxe_str("open")));
}


static uint32_t
find_metric(const analyze_plan_t *plan, nxe_str_t name)
{
    uint32_t  i;

    for (i = 0; i < plan->nmetrics; i++) {
        if (nxe_str_eq(plan->metrics[i].name, name)) {
            return i;
        }
    }

    return ANALYZE_NONE;
}


static int
valid(const analyze_metric_t *m, int64_t value)
{
    if (m->kind == ANALYZE_BINARY && value != 0 && value != NXE_NANO) {
        return 0;
    }

    if (m->kind == ANALYZE_COUNT && (value < 0 || value % NXE_NANO != 0)) {
        return 0;
    }

    if (m->kind == ANALYZE_DURATION && value < 0) {
        return 0;
    }

    return value >= m->min && value <= m->max;
}


static nxe_status_t
keep(analyze_t *a, uint32_t metric)
{
    size_t                     room;
    analyze_event_t           *e;
    const nxe_log_feedback_t  *f;

    f = &a->line.feedback;

    if (a->nevents == a->event_room) {
        room = a->event_room == 0 ? FIRST_ROOM : a->event_room * 2;

        e = reallocarray(a->events, room, sizeof(analyze_event_t));
        if (e == NULL) {
            return NXE_NOMEM;
        }

        a->events = e;
        a->event_room = room;
    }

    e = &a->events[a->nevents++];
    e->by_request = !f->unit.set;
    memcpy(e->id, e->by_request ? f->request.bytes : f->unit.bytes,
           NXE_LOGLINE_ID);
    e->time = a->line.time;
    e->value = f->value;
    e->metric = metric;

    return NXE_OK;
}


nxe_status_t
analyze_hear(analyze_t *a, analyze_input_t *input, nxe_error_t *err)
{
    int                        before;
    uint32_t                   metric;
    const nxe_log_feedback_t  *f;

    f = &a->line.feedback;

    if (!f->refused && !nxe_str_eq(f->experiment, a->plan->name)) {
        return NXE_OK;
    }

    if (seen(a, &before) != NXE_OK) {
        return nxe_fail(err, NXE_NOMEM, "out of memory");
    }

    if (before) {
        input->duplicates++;
        return NXE_OK;
    }

    /* a refusal has no experiment: any may have been meant */

    if (f->refused) {
        a->unheard[ANALYZE_REFUSED]++;
        return NXE_OK;
    }

    if (!trusted(a->plan, f->trust)) {
        a->unheard[ANALYZE_UNTRUSTED]++;
        return NXE_OK;
    }

    metric = find_metric(a->plan, f->metric);

    if (metric == ANALYZE_NONE) {
        a->unheard[ANALYZE_UNDECLARED]++;
        return NXE_OK;
    }

    if (!valid(&a->plan->metrics[metric], f->value)) {
        a->unheard[ANALYZE_INVALID]++;
        return NXE_OK;
    }

    if (analyze_check_key(a, err) != NXE_OK) {
        return NXE_CONFLICT;
    }

    return keep(a, metric) == NXE_OK
           ? NXE_OK : nxe_fail(err, NXE_NOMEM, "out of memory");
}


/* Kept where feedback can count alone: it is four bytes a request. */

nxe_status_t
analyze_remember(analyze_t *a, uint32_t request, uint32_t unit)
{
    size_t     room;
    uint32_t  *list;

    if (a->plan->nmetrics == 0) {
        return NXE_OK;
    }

    if (request >= a->request_room) {

        for (room = a->request_room == 0 ? FIRST_ROOM : a->request_room;
             room <= request; room *= 2)
        {
            /* void */
        }

        list = reallocarray(a->request_unit, room, sizeof(uint32_t));
        if (list == NULL) {
            return NXE_NOMEM;
        }

        memset(list + a->request_room, 0,
               (room - a->request_room) * sizeof(uint32_t));
        a->request_unit = list;
        a->request_room = room;
    }

    a->request_unit[request] = unit + 1;

    return NXE_OK;
}


int64_t
analyze_cutoff(const analyze_t *a)
{
    return a->plan->until < a->latest ? a->plan->until : a->latest;
}


/* The number of an event's unit, or why there is none that counts it. */

static analyze_unheard_t
find_unit(const analyze_t *a, const analyze_event_t *e, uint32_t *unit)
{
    int64_t                  window;
    uint32_t                 n;
    const analyze_unit_t    *u;

    if (e->by_request) {

        if (nxe_idset_find(&a->ids, e->id, &n) != NXE_OK) {
            return ANALYZE_UNKNOWN_REQUEST;
        }

        if (n >= a->request_room || a->request_unit[n] == 0) {
            return ANALYZE_NEVER_EXPOSED;
        }

        *unit = a->request_unit[n] - 1;

    } else if (nxe_idset_find(&a->unit_ids, e->id, unit) != NXE_OK) {
        return ANALYZE_NEVER_EXPOSED;
    }

    u = &a->unit[*unit];
    window = a->plan->metrics[e->metric].window;

    if (u->variant == ANALYZE_NONE) {
        return ANALYZE_NEVER_EXPOSED;
    }

    if (e->time < u->exposed_time) {
        return ANALYZE_BEFORE;
    }

    if (e->time >= a->plan->until
        || (window != 0 && e->time - window >= u->exposed_time))
    {
        return ANALYZE_AFTER;
    }

    return ANALYZE_UNHEARD;
}


void
analyze_outcomes(analyze_t *a, uint32_t m, __int128 *sums, uint32_t *counts)
{
    size_t                   i;
    uint32_t                 unit;
    analyze_unheard_t        why;
    const analyze_event_t   *e;

    for (i = 0; i < a->nevents; i++) {
        e = &a->events[i];

        if (e->metric != m) {
            continue;
        }

        why = find_unit(a, e, &unit);

        if (why != ANALYZE_UNHEARD) {
            a->unheard[why]++;
            continue;
        }

        a->heard++;
        sums[unit] += e->value;

        if (counts[unit] != UINT32_MAX) {
            counts[unit]++;
        }
    }
}
