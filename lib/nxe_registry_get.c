/*
 * What the registry knows of experiments: documents, states, phases.
 */

#include <string.h>

#include "nxe_registry_int.h"


static nxe_status_t
no_memory(nxe_error_t *err)
{
    return nxe_fail(err, NXE_NOMEM, "out of memory");
}


nxe_status_t
nxe_registry_names(nxe_registry_txn_t *txn, const nxe_mem_t *mem,
    nxe_str_t **names, size_t *n, nxe_error_t *err)
{
    int           rc;
    size_t        count;
    MDB_val       k, v;
    MDB_stat      stat;
    nxe_str_t    *list;
    MDB_cursor   *cursor;
    nxe_status_t  st;

    rc = mdb_stat(txn->txn, txn->reg->dbi[NXE_DB_EXPERIMENTS], &stat);
    if (rc != 0) {
        return nxe_registry_error(txn, rc, "read", err);
    }

    list = nxe_calloc(mem, (stat.ms_entries + 1) * sizeof(nxe_str_t));
    if (list == NULL) {
        return no_memory(err);
    }

    rc = mdb_cursor_open(txn->txn, txn->reg->dbi[NXE_DB_EXPERIMENTS],
                         &cursor);
    if (rc != 0) {
        return nxe_registry_error(txn, rc, "read", err);
    }

    st = NXE_OK;
    count = 0;

    while (st == NXE_OK && count < stat.ms_entries
           && (rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) == 0)
    {
        st = nxe_str_copy(mem, (nxe_str_t) { k.mv_data, k.mv_size },
                          &list[count++]);
    }

    mdb_cursor_close(cursor);

    if (st != NXE_OK) {
        return no_memory(err);
    }

    if (rc != 0 && rc != MDB_NOTFOUND) {
        return nxe_registry_error(txn, rc, "read", err);
    }

    *names = list;
    *n = count;

    return NXE_OK;
}


/* A fault here means a registry that was damaged, or a newer expctl's. */

static nxe_status_t
build(nxe_experiment_t *e, const nxe_mem_t *mem, nxe_error_t *err)
{
    nxe_faults_t        faults;
    nxe_status_t        rc;
    nxe_json_result_t   result;

    rc = nxe_tree_parse(e->json, &e->tree, &result);

    if (rc == NXE_INVALID) {
        return nxe_fail(err, rc, "the registry's document '%.*s' is not JSON",
                        (int) e->name.len, e->name.data);
    }

    if (rc != NXE_OK) {
        return no_memory(err);
    }

    nxe_faults_init(&faults, mem);

    rc = nxe_doc_build(e->tree, NXE_DOC_FULL, nxe_str(""), mem, &faults,
                       &e->doc);

    if (rc == NXE_INVALID && faults.n > 0) {
        return nxe_fail(err, rc, "the registry's document '%.*s' is invalid "
                        "at %s", (int) e->name.len, e->name.data,
                        faults.fault[0].pointer);
    }

    return rc == NXE_OK ? rc : no_memory(err);
}


nxe_status_t
nxe_registry_get(nxe_registry_txn_t *txn, nxe_str_t name,
    const nxe_mem_t *mem, nxe_experiment_t *e, nxe_error_t *err)
{
    nxe_str_t         v;
    nxe_status_t      rc;
    nxe_experiment_t  x;

    memset(&x, 0, sizeof(x));

    rc = nxe_registry_value(txn, NXE_DB_EXPERIMENTS, name, &v, err);

    if (rc == NXE_DECLINED) {
        return nxe_fail(err, rc, "there is no experiment '%.*s'",
                        name.len > 64 ? 64 : (int) name.len, name.data);
    }

    if (rc != NXE_OK) {
        return rc;
    }

    if (nxe_str_copy(mem, name, &x.name) != NXE_OK
        || nxe_str_copy(mem, v, &x.json) != NXE_OK)
    {
        return no_memory(err);
    }

    rc = nxe_registry_state(txn, name, mem, &x.state, err);

    if (rc == NXE_OK) {
        rc = build(&x, mem, err);
    }

    if (rc != NXE_OK) {
        nxe_experiment_free(&x);
        return rc;
    }

    *e = x;

    return NXE_OK;
}


nxe_status_t
nxe_registry_state(nxe_registry_txn_t *txn, nxe_str_t name,
    const nxe_mem_t *mem, nxe_state_t *state, nxe_error_t *err)
{
    nxe_str_t     v;
    nxe_status_t  rc;

    rc = nxe_registry_value(txn, NXE_DB_STATE, name, &v, err);

    if (rc == NXE_DECLINED) {
        return nxe_fail(err, NXE_INVALID, "the registry has no state of '%.*s'",
                        (int) name.len, name.data);
    }

    return rc == NXE_OK ? nxe_state_parse(v, mem, state, err) : rc;
}


void
nxe_experiment_free(nxe_experiment_t *e)
{
    cJSON_Delete(e->tree);
    e->tree = NULL;
}


/* The walk through the history that finds phases. */

typedef struct {
    nxe_str_t           name;
    const nxe_mem_t    *mem;
    nxe_phase_t        *phases;
    size_t              n;
    size_t              size;

    /* the document as it is meant, and whether it is live */
    nxe_str_t           document;
    uint64_t            revision;
    unsigned            live:1;
} walk_t;


/* The members of an entry that matter here, as JSON. */

typedef struct {
    nxe_str_t           name;
    nxe_str_t           kind;
    nxe_str_t           revision;
    nxe_str_t           phase;
    nxe_str_t           time;
    nxe_str_t           document;
    nxe_str_t           state;
} entry_t;


static void
read_entry(nxe_str_t text, entry_t *e)
{
    size_t           i;
    nxe_json_walk_t  w;

    const struct {
        const char  *key;
        nxe_str_t   *to;
    } members[] = {
        { "\"name\"", &e->name },
        { "\"kind\"", &e->kind },
        { "\"revision\"", &e->revision },
        { "\"phase\"", &e->phase },
        { "\"time\"", &e->time },
        { "\"document\"", &e->document },
        { "\"state\"", &e->state }
    };

    memset(e, 0, sizeof(entry_t));

    for (nxe_json_walk(&w, text); nxe_json_walk_next(&w); ) {
        for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
            if (nxe_str_eq(w.key, nxe_str_of(members[i].key))) {
                *members[i].to = w.value;
            }
        }
    }
}


static uint64_t
number(nxe_str_t s)
{
    size_t    i;
    uint64_t  n;

    for (i = 0, n = 0; i < s.len && i < 18; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            return 0;
        }
        n = n * 10 + (uint64_t) (s.data[i] - '0');
    }

    return n;
}


static nxe_phase_t *
add_phase(walk_t *walk)
{
    size_t        size;
    nxe_phase_t  *phases;

    if (walk->n == walk->size) {
        size = walk->size == 0 ? 8 : walk->size * 2;

        phases = nxe_calloc(walk->mem, size * sizeof(nxe_phase_t));
        if (phases == NULL) {
            return NULL;
        }

        if (walk->n != 0) {
            memcpy(phases, walk->phases, walk->n * sizeof(nxe_phase_t));
        }

        walk->phases = phases;
        walk->size = size;
    }

    return &walk->phases[walk->n++];
}


/*
 * Documents that come while the experiment is live and in the same phase
 * belong to it; those that come while it is off, to the phase after.
 */

static nxe_status_t
walk_document(walk_t *walk, const entry_t *e)
{
    nxe_phase_t  *last;

    if (nxe_str_copy(walk->mem, e->document, &walk->document) != NXE_OK) {
        return NXE_NOMEM;
    }

    walk->revision = number(e->revision);

    if (walk->live && walk->n > 0) {
        last = &walk->phases[walk->n - 1];

        if (last->phase == number(e->phase)) {
            last->document = walk->document;
            last->revision = walk->revision;
        }
    }

    return NXE_OK;
}


static nxe_status_t
walk_state(walk_t *walk, const entry_t *e, nxe_error_t *err)
{
    nxe_str_t      time;
    nxe_state_t    state;
    nxe_phase_t   *last;
    nxe_status_t   rc;

    rc = nxe_state_parse(e->state, walk->mem, &state, err);
    if (rc != NXE_OK) {
        return rc;
    }

    if (nxe_json_unescape(e->time, 64, walk->mem, &time) != NXE_OK) {
        return nxe_fail(err, NXE_INVALID, "the history has a bad time");
    }

    last = walk->n > 0 ? &walk->phases[walk->n - 1] : NULL;
    walk->live = nxe_state_live(&state) != 0;

    if (!walk->live) {
        if (last != NULL && last->to.len == 0) {
            return nxe_str_copy(walk->mem, time, &last->to);
        }
        return NXE_OK;
    }

    if (last == NULL || last->phase != state.phase) {

        if (last != NULL && last->to.len == 0) {
            last->to = state.started;
        }

        last = add_phase(walk);
        if (last == NULL) {
            return NXE_NOMEM;
        }

        last->phase = state.phase;
        last->from = state.started;
        last->to = nxe_str("");
        last->document = walk->document;
        last->revision = walk->revision;

        /* one that begins under a pause is of what the pause keeps */

        last->stage = state.former_stage;
        last->variant = state.former_variant;
    }

    if (state.stage != NXE_STAGE_PAUSED
        && state.stage != NXE_STAGE_ROLLED_BACK)
    {
        last->stage = state.stage;
        last->variant = state.variant;
    }

    return NXE_OK;
}


static nxe_status_t
walk_entry(void *ctx, uint64_t n, nxe_str_t text, nxe_error_t *err)
{
    walk_t       *walk;
    entry_t       e;
    nxe_status_t  rc;

    (void) n;

    walk = ctx;
    read_entry(text, &e);

    if (!nxe_json_string_eq(e.name, walk->name)) {
        return NXE_OK;
    }

    if (nxe_str_eq(e.kind, nxe_str("\"document\""))) {
        rc = walk_document(walk, &e);

    } else if (nxe_str_eq(e.kind, nxe_str("\"state\""))) {
        rc = walk_state(walk, &e, err);

    } else {
        rc = NXE_OK;
    }

    return rc == NXE_NOMEM ? no_memory(err) : rc;
}


nxe_status_t
nxe_registry_phases(nxe_registry_txn_t *txn, nxe_str_t name,
    const nxe_mem_t *mem, nxe_phase_t **phases, size_t *n, nxe_error_t *err)
{
    walk_t        walk;
    nxe_status_t  rc;

    memset(&walk, 0, sizeof(walk));
    walk.name = name;
    walk.mem = mem;

    rc = nxe_registry_history(txn, walk_entry, &walk, err);

    if (rc == NXE_OK) {
        *phases = walk.phases;
        *n = walk.n;
    }

    return rc;
}
