/*
 * From the registry to the serving copy.
 */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <nxe/arena.h>

#include "nxe_registry_int.h"


/*
 * 1 if the copy in force is that of the transaction, workers were told so,
 * and its bytes are those that were published.  They are read only where there
 * is nothing newer to publish, so that "init" also mends a copy that was
 * changed in place.
 */

static int
is_published(const char *dir, uint64_t txn, const char *head)
{
    uint64_t        word;
    nxe_current_t   current;
    nxe_serving_t  *serving;

    if (nxe_current_read(dir, &current, NULL) != NXE_OK
        || current.txn != txn || strcmp(current.head, head) != 0)
    {
        return 0;
    }

    if (nxe_serving_open(dir, &current, &serving, NULL) != NXE_OK) {
        return 0;
    }

    nxe_serving_close(serving);

    return nxe_generation_read(dir, &word, NULL) == NXE_OK
           && word == current.word;
}


/* The publication keeps copies: a document's memory goes with it. */

static nxe_status_t
add_one(nxe_registry_txn_t *txn, nxe_publish_t *publish, nxe_str_t name,
    nxe_published_t *done, nxe_error_t *err)
{
    nxe_arena_t      *arena;
    nxe_error_t       one;
    nxe_status_t      rc;
    nxe_experiment_t  e;

    arena = nxe_arena_new();
    if (arena == NULL) {
        return nxe_fail(err, NXE_NOMEM, "out of memory");
    }

    rc = nxe_registry_get(txn, name, nxe_arena_mem(arena), &e, &one);

    if (rc == NXE_OK) {
        rc = nxe_publish_add(publish, e.doc, e.tree, &e.state, err);
        nxe_experiment_free(&e);

    } else if (rc == NXE_INVALID || rc == NXE_DECLINED) {
        done->left_out++;
        rc = NXE_OK;

        if (err != NULL) {
            *err = one;
            err->status = NXE_OK;
        }

    } else {
        rc = nxe_fail(err, rc, "%s", one.text);
    }

    nxe_arena_free(arena);

    return rc;
}


/* Prices that cannot be read are none: they hold up no experiment. */

static nxe_status_t
add_prices(nxe_registry_txn_t *txn, nxe_publish_t *publish,
    const nxe_mem_t *mem, nxe_published_t *done, nxe_error_t *err)
{
    size_t         n;
    nxe_str_t      json;
    nxe_error_t    one;
    nxe_price_t   *prices;
    nxe_status_t   rc;

    rc = nxe_registry_prices(txn, mem, &prices, &n, &one);

    if (rc == NXE_INVALID) {
        done->left_out++;

        if (err != NULL) {
            *err = one;
            err->status = NXE_OK;
        }

        return NXE_OK;
    }

    if (rc != NXE_OK) {
        return nxe_fail(err, rc, "%s", one.text);
    }

    rc = nxe_registry_value(txn, NXE_DB_META, nxe_str("prices"), &json, err);

    if (rc == NXE_OK) {
        rc = nxe_publish_prices(publish, json, err);
    }

    return rc == NXE_DECLINED ? NXE_OK : rc;
}


static nxe_status_t
add_all(nxe_registry_txn_t *txn, nxe_publish_t *publish,
    const nxe_mem_t *mem, nxe_published_t *done, nxe_error_t *err)
{
    size_t         i, n;
    nxe_str_t     *names;
    nxe_status_t   rc;

    rc = nxe_registry_names(txn, mem, &names, &n, err);

    for (i = 0; rc == NXE_OK && i < n; i++) {
        rc = add_one(txn, publish, names[i], done, err);
    }

    if (rc == NXE_OK) {
        rc = add_prices(txn, publish, mem, done, err);
    }

    return rc;
}


/* Under the lock of the publication: what is read now is the newest. */

static nxe_status_t
publish_locked(nxe_registry_txn_t *txn, const char *dir,
    nxe_publish_t *publish, nxe_published_t *done, nxe_error_t *err)
{
    char          head[NXE_HEAD_LEN + 1];
    nxe_arena_t  *arena;
    nxe_status_t  rc;

    done->txn = nxe_registry_txn_id(txn);

    rc = nxe_registry_head(txn, head, err);
    if (rc != NXE_OK) {
        return rc;
    }

    if (is_published(dir, done->txn, head)) {
        return NXE_OK;
    }

    arena = nxe_arena_new();
    if (arena == NULL) {
        return nxe_fail(err, NXE_NOMEM, "out of memory");
    }

    rc = add_all(txn, publish, nxe_arena_mem(arena), done, err);

    if (rc == NXE_OK) {
        rc = nxe_publish_commit(publish, done->txn, head,
                                done->left_out ? NULL : err);

        if (rc != NXE_OK && done->left_out) {
            nxe_fail(err, rc, "cannot publish to '%s'", dir);
        }
    }

    done->written = rc == NXE_OK;
    nxe_arena_free(arena);

    return rc;
}


nxe_status_t
nxe_registry_publish(nxe_registry_t *reg, nxe_published_t *done,
    nxe_error_t *err)
{
    char                 dir[PATH_MAX];
    struct stat          st;
    nxe_status_t         rc;
    nxe_publish_t       *publish;
    nxe_published_t      result;
    nxe_registry_txn_t  *txn;

    memset(&result, 0, sizeof(result));

    snprintf(dir, sizeof(dir), "%s/serving", reg->path);

    /* the folder's group is that of the workers: "init" gave it */

    if (lstat(dir, &st) == -1 || !S_ISDIR(st.st_mode)) {
        return nxe_fail(err, NXE_IO, "there is no folder '%s': expctl init "
                        "makes it", dir);
    }

    rc = nxe_publish_begin(dir, st.st_gid, &publish, err);
    if (rc != NXE_OK) {
        return rc;
    }

    rc = nxe_registry_begin(reg, &txn, err);

    if (rc == NXE_OK) {
        rc = publish_locked(txn, dir, publish, &result, err);
        nxe_registry_end(txn);
    }

    nxe_publish_free(publish);

    if (rc == NXE_OK) {
        *done = result;
    }

    return rc;
}
