/*
 * Log lines into counts by variant.
 */

#include <stdlib.h>
#include <string.h>

#include "cli/analyze.h"


const char *const  analyze_reasons[ANALYZE_REASONS] = {
    "error", "off", "rolled_back", "paused", "outside_window",
    "step_not_in_scope", "no_unit", "layer_excluded", "not_targeted",
    "forced", "preview", "observed", "unknown_variant", "other"
};


static const nxe_log_entry_t *find_entry(const analyze_t *a);
static nxe_status_t see_unit(analyze_t *a, const nxe_log_entry_t *e,
    uint32_t request, analyze_unit_t **unit);
static uint32_t find_variant(const analyze_plan_t *plan, nxe_str_t name);
static void expose(analyze_t *a, analyze_unit_t *unit, uint32_t variant);
static void leave_out(analyze_t *a, nxe_str_t reason);


analyze_t *
analyze_new(const analyze_plan_t *plan)
{
    size_t             i;
    analyze_t         *a;
    analyze_figure_t  *outcomes;

    a = calloc(1, sizeof(analyze_t));
    if (a == NULL) {
        return NULL;
    }

    a->plan = plan;
    a->rows = calloc(plan->nvariants + 1, sizeof(analyze_row_t));
    outcomes = calloc((plan->nvariants + 1) * (plan->nmetrics + 1),
                      sizeof(analyze_figure_t));

    if (a->rows == NULL || outcomes == NULL) {
        free(outcomes);
        free(a->rows);
        free(a);
        return NULL;
    }

    for (i = 0; i <= plan->nvariants; i++) {
        a->rows[i].outcomes = outcomes + i * plan->nmetrics;
    }

    a->first = INT64_MAX;
    a->last = INT64_MIN;
    a->latest = INT64_MIN;
    nxe_idset_init(&a->ids);
    nxe_idset_init(&a->answers);
    nxe_idset_init(&a->unit_ids);

    return a;
}


void
analyze_free(analyze_t *a)
{
    if (a != NULL) {
        nxe_idset_free(&a->ids);
        nxe_idset_free(&a->unit_ids);
        nxe_idset_free(&a->answers);
        free(a->events);
        free(a->request_unit);
        free(a->unit);
        free(a->rows[0].outcomes);
        free(a->rows);
        free(a);
    }
}


nxe_status_t
analyze_line(analyze_t *a, analyze_input_t *input, nxe_str_t line,
    nxe_logline_fault_t *fault, nxe_error_t *err)
{
    int                     added;
    uint32_t                number, variant;
    nxe_status_t            rc;
    analyze_unit_t         *unit;
    const nxe_log_entry_t  *e;

    input->lines++;

    rc = nxe_logline_read(line, &a->line, fault);
    if (rc != NXE_OK) {
        input->bad++;
        return rc;
    }

    /* Shadow requests and the like are no exposures. */

    if (a->line.kind == NXE_LOGLINE_OTHER
        || (a->line.role.len != 0
            && !nxe_str_eq(a->line.role, nxe_str("live"))))
    {
        return NXE_OK;
    }

    if (a->line.time > a->latest) {
        a->latest = a->line.time;
    }

    if (a->line.kind == NXE_LOGLINE_FEEDBACK) {
        return analyze_hear(a, input, err);
    }

    rc = nxe_idset_add(&a->ids, a->line.id.bytes, &number, &added);
    if (rc != NXE_OK) {
        return nxe_fail(err, NXE_NOMEM, "out of memory");
    }

    if (!added) {
        input->duplicates++;
        return NXE_OK;
    }

    e = find_entry(a);
    if (e == NULL) {
        return NXE_OK;
    }

    rc = analyze_check_key(a, err);
    if (rc != NXE_OK) {
        return rc;
    }

    rc = see_unit(a, e, number, &unit);
    if (rc != NXE_OK) {
        return nxe_fail(err, rc, "out of memory");
    }

    if (e->phase != a->plan->phase || a->line.time < a->plan->since
        || a->line.time >= a->plan->until)
    {
        return NXE_OK;
    }

    switch (e->cls) {

    case NXE_ENTRY_ASSIGNED:

        variant = find_variant(a->plan, e->variant);

        if (variant == ANALYZE_NONE) {
            leave_out(a, nxe_str("unknown_variant"));
            break;
        }

        expose(a, unit, variant);
        return analyze_count(a, &a->rows[variant], unit, err);

    case NXE_ENTRY_NOT_EXPOSED:

        unit->in_phase = 1;
        return analyze_count(a, &a->rows[a->plan->nvariants], NULL, err);

    case NXE_ENTRY_LEFT_OUT:

        leave_out(a, e->reason);
        break;
    }

    return NXE_OK;
}


static const nxe_log_entry_t *
find_entry(const analyze_t *a)
{
    uint32_t  i;

    for (i = 0; i < a->line.nentries; i++) {
        if (nxe_str_eq(a->line.entries[i].name, a->plan->name)) {
            return &a->line.entries[i];
        }
    }

    return NULL;
}


nxe_status_t
analyze_check_key(analyze_t *a, nxe_error_t *err)
{
    nxe_str_t  key;

    key = a->line.key_id;

    if (!a->has_key) {
        if (key.len != 0) {
            memcpy(a->key_id, key.data, key.len);
        }

        a->key_id[key.len] = '\0';
        a->has_key = 1;
        return NXE_OK;
    }

    if (!nxe_str_eq(key, nxe_str_of(a->key_id))) {
        return nxe_fail(err, NXE_CONFLICT, "the log has unit ids of two keys,"
                        " '%s' and '%.*s': they are never joined",
                        a->key_id, (int) key.len, key.data);
    }

    return NXE_OK;
}


/*
 * Notes when a unit was seen first, in any phase and for any reason but those
 * that a person chose.  Times may be equal, so the lower phase decides.
 */

static nxe_status_t
see_unit(analyze_t *a, const nxe_log_entry_t *e, uint32_t request,
    analyze_unit_t **unit)
{
    int              added;
    size_t           room;
    uint32_t         number;
    nxe_status_t     rc;
    analyze_unit_t  *u, *list;

    *unit = NULL;

    if (!e->unit.set || nxe_str_eq(e->reason, nxe_str("preview"))
        || nxe_str_eq(e->reason, nxe_str("forced")))
    {
        return NXE_OK;
    }

    rc = nxe_idset_add(&a->unit_ids, e->unit.bytes, &number, &added);
    if (rc != NXE_OK) {
        return NXE_NOMEM;
    }

    if (number >= a->unit_room) {
        room = a->unit_room == 0 ? 1024 : a->unit_room * 2;

        list = reallocarray(a->unit, room, sizeof(analyze_unit_t));
        if (list == NULL) {
            return NXE_NOMEM;
        }

        a->unit = list;
        a->unit_room = room;
    }

    u = &a->unit[number];

    if (added) {
        memset(u, 0, sizeof(analyze_unit_t));
        u->first_time = INT64_MAX;
        u->variant = ANALYZE_NONE;
    }

    if (a->line.time < u->first_time
        || (a->line.time == u->first_time && e->phase < u->first_phase))
    {
        u->first_time = a->line.time;
        u->first_phase = e->phase;
    }

    *unit = u;

    return analyze_remember(a, request, number);
}


static uint32_t
find_variant(const analyze_plan_t *plan, nxe_str_t name)
{
    uint32_t  i;

    for (i = 0; i < plan->nvariants; i++) {
        if (nxe_str_eq(plan->variants[i], name)) {
            return i;
        }
    }

    return ANALYZE_NONE;
}


/*
 * A unit is its first variant's; of two at one time, that with the lower
 * index.
 */

static void
expose(analyze_t *a, analyze_unit_t *u, uint32_t variant)
{
    u->in_phase = 1;

    if (u->variant == ANALYZE_NONE) {
        u->variant = variant;
        u->exposed_time = a->line.time;
        return;
    }

    if (u->variant != variant) {
        u->two = 1;
    }

    if (a->line.time < u->exposed_time
        || (a->line.time == u->exposed_time && variant < u->variant))
    {
        u->variant = variant;
        u->exposed_time = a->line.time;
    }
}


/* A reason that no module writes is "other", so the log adds no words. */

static void
leave_out(analyze_t *a, nxe_str_t reason)
{
    size_t  i;

    for (i = 0; i < ANALYZE_REASONS - 1; i++) {
        if (nxe_str_eq(nxe_str_of(analyze_reasons[i]), reason)) {
            break;
        }
    }

    a->left_out[i]++;
}


nxe_status_t
analyze_finish(analyze_t *a, nxe_error_t *err)
{
    size_t            i, n;
    uint64_t         *observed;
    analyze_row_t    *row;
    analyze_unit_t   *u;
    nxe_srm_phase_t   phase;

    n = a->plan->nvariants;

    for (i = 0; i < a->unit_ids.n; i++) {
        u = &a->unit[i];

        if (!u->in_phase) {
            continue;
        }

        row = &a->rows[u->variant == ANALYZE_NONE ? n : u->variant];
        row->units++;
        a->units++;
        a->two_variants += u->two;

        if (u->first_phase == a->plan->phase) {
            row->firsts++;
        }
    }

    observed = calloc(n, sizeof(uint64_t));
    if (observed == NULL) {
        return nxe_fail(err, NXE_NOMEM, "out of memory");
    }

    for (i = 0; i < n; i++) {
        observed[i] = a->rows[i].firsts;
    }

    phase.observed = observed;
    phase.weights = a->plan->weights;

    a->srm_status = nxe_srm(&phase, 1, n, &a->srm);

    free(observed);

    if (a->srm_status == NXE_NOMEM) {
        return nxe_fail(err, NXE_NOMEM, "out of memory");
    }

    return analyze_units(a, err);
}
