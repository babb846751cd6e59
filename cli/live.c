/*
 * What is live in a registry, and what a document may be beside it.
 */

#include <stdlib.h>
#include <string.h>

#include "cli/registry.h"


/* *doc is NULL for what is off, and for what cannot be read, which is told. */

static nxe_status_t
live_one(const cli_t *cli, nxe_registry_txn_t *txn, nxe_str_t name,
    const nxe_doc_t **doc, nxe_error_t *err)
{
    nxe_state_t        state;
    nxe_status_t       rc;
    nxe_experiment_t   e;

    *doc = NULL;

    /* most are off, and a document is much larger than its state */

    rc = nxe_registry_state(txn, name, cli->mem, &state, err);

    if (rc == NXE_OK && !nxe_state_live(&state)) {
        return NXE_OK;
    }

    if (rc == NXE_OK) {
        rc = nxe_registry_get(txn, name, cli->mem, &e, err);
    }

    if (rc == NXE_INVALID) {
        cli_error("'%.*s' is left out: %s", (int) name.len, name.data,
                  err->text);
        return NXE_OK;
    }

    if (rc == NXE_OK) {
        *doc = e.doc;

        /* nothing of the tree is in the document */
        nxe_experiment_free(&e);
    }

    return rc;
}


static int
by_key(const void *one, const void *two)
{
    int                     rc;
    const cli_live_key_t   *a, *b;

    a = one;
    b = two;
    rc = nxe_str_cmp(a->key, b->key);

    return rc != 0 ? rc : (a->i > b->i) - (a->i < b->i);
}


/* Layers and steps, to find who shares one: of thousands, most do not. */

static nxe_status_t
add_keys(const cli_t *cli, cli_live_t *live, nxe_error_t *err)
{
    size_t    i, steps;
    uint32_t  s;

    for (i = 0, steps = 0; i < live->n; i++) {
        steps += live->docs[i]->nsteps;
    }

    live->layers = nxe_calloc(cli->mem,
                              (live->n + 1) * sizeof(cli_live_key_t));
    live->steps = nxe_calloc(cli->mem, (steps + 1) * sizeof(cli_live_key_t));
    live->others = nxe_calloc(cli->mem,
                              (live->n + steps + 1) * sizeof(nxe_doc_t *));

    if (live->layers == NULL || live->steps == NULL || live->others == NULL) {
        return nxe_fail(err, NXE_NOMEM, "out of memory");
    }

    for (i = 0, steps = 0; i < live->n; i++) {
        live->layers[i] = (cli_live_key_t) { live->docs[i]->layer, i };

        for (s = 0; s < live->docs[i]->nsteps; s++) {
            live->steps[steps++] = (cli_live_key_t)
                                       { live->docs[i]->steps[s].name, i };
        }
    }

    live->nsteps = steps;

    qsort(live->layers, live->n, sizeof(cli_live_key_t), by_key);
    qsort(live->steps, steps, sizeof(cli_live_key_t), by_key);

    return NXE_OK;
}


nxe_status_t
cli_live(const cli_t *cli, nxe_registry_txn_t *txn, cli_live_t *live,
    nxe_error_t *err)
{
    size_t             i, count;
    nxe_str_t         *names;
    nxe_status_t       rc;
    const nxe_doc_t   *doc;

    rc = nxe_registry_names(txn, cli->mem, &names, &count, err);
    if (rc != NXE_OK) {
        return rc;
    }

    live->n = 0;
    live->docs = nxe_calloc(cli->mem, (count + 1) * sizeof(nxe_doc_t *));

    if (live->docs == NULL) {
        return nxe_fail(err, NXE_NOMEM, "out of memory");
    }

    for (i = 0; i < count; i++) {
        rc = live_one(cli, txn, names[i], &doc, err);
        if (rc != NXE_OK) {
            return rc;
        }

        if (doc != NULL) {
            live->docs[live->n++] = doc;
        }
    }

    return add_keys(cli, live, err);
}


/* The first of the keys that is not below. */

static size_t
lower_bound(const cli_live_key_t *keys, size_t n, nxe_str_t key)
{
    size_t  lo, hi, mid;

    lo = 0;
    hi = n;

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;

        if (nxe_str_cmp(keys[mid].key, key) < 0) {
            lo = mid + 1;

        } else {
            hi = mid;
        }
    }

    return lo;
}


/* One that shares several steps is there as often, which does no harm. */

nxe_status_t
cli_live_check(const cli_live_t *live, const nxe_doc_t *doc,
    nxe_refusal_t *refusal)
{
    size_t             i, n;
    uint32_t           s;
    const nxe_doc_t   *other;

    n = 0;

    for (i = lower_bound(live->layers, live->n, doc->layer);
         i < live->n && nxe_str_eq(live->layers[i].key, doc->layer);
         i++)
    {
        other = live->docs[live->layers[i].i];

        if (!nxe_str_eq(other->name, doc->name)) {
            live->others[n++] = other;
        }
    }

    for (s = 0; s < doc->nsteps; s++) {
        for (i = lower_bound(live->steps, live->nsteps, doc->steps[s].name);
             i < live->nsteps
             && nxe_str_eq(live->steps[i].key, doc->steps[s].name);
             i++)
        {
            other = live->docs[live->steps[i].i];

            if (!nxe_str_eq(other->layer, doc->layer)
                && !nxe_str_eq(other->name, doc->name))
            {
                live->others[n++] = other;
            }
        }
    }

    return nxe_transition_live(doc, live->others, n, refusal);
}
