/*
 * Transactions of the registry, its values, and the chain of its history.
 *
 * Values that LMDB gives are aligned to two bytes only and live until the
 * transaction ends or, in a writer, until the next put.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <nxe/buf.h>
#include <nxe/hash.h>

#include "nxe_registry_int.h"

/* A map larger than this would not be a registry of experiments. */
#define MAP_MAX    ((size_t) 1 << 36)

#define ENTRY_MAX  ((size_t) 1 << 30)
#define HASH_HEX   (2 * NXE_SHA256_LEN)


nxe_status_t
nxe_registry_error(nxe_registry_txn_t *txn, int rc, const char *what,
    nxe_error_t *err)
{
    if (rc == MDB_MAP_FULL && txn != NULL) {
        txn->full = 1;
    }

    return nxe_fail(err, rc == ENOMEM ? NXE_NOMEM : NXE_IO,
                    "cannot %s the registry: %s", what, mdb_strerror(rc));
}


/* Another process may have grown the map since. */

static int
txn_begin(nxe_registry_t *reg, unsigned flags, MDB_txn **txn)
{
    int  rc;

    do {
        rc = mdb_txn_begin(reg->env, NULL, flags, txn);
    } while (rc == MDB_MAP_RESIZED
             && (rc = mdb_env_set_mapsize(reg->env, 0)) == 0);

    return rc;
}


nxe_status_t
nxe_registry_begin(nxe_registry_t *reg, nxe_registry_txn_t **txn,
    nxe_error_t *err)
{
    int                  rc;
    nxe_registry_txn_t  *t;

    t = calloc(1, sizeof(nxe_registry_txn_t));
    if (t == NULL) {
        return nxe_fail(err, NXE_NOMEM, "out of memory");
    }

    t->reg = reg;

    rc = txn_begin(reg, MDB_RDONLY, &t->txn);
    if (rc != 0) {
        free(t);
        return nxe_registry_error(NULL, rc, "read", err);
    }

    *txn = t;

    return NXE_OK;
}


void
nxe_registry_end(nxe_registry_txn_t *txn)
{
    if (txn == NULL) {
        return;
    }

    mdb_txn_abort(txn->txn);
    free(txn);
}


/* One try; the caller grows the map where t->full comes back. */

static nxe_status_t
write_once(nxe_registry_t *reg, nxe_registry_txn_t *t,
    nxe_registry_work_pt work, void *ctx, uint64_t *id, nxe_error_t *err)
{
    int           rc;
    nxe_status_t  st;

    memset(t, 0, sizeof(nxe_registry_txn_t));
    t->reg = reg;

    rc = txn_begin(reg, 0, &t->txn);
    if (rc != 0) {
        return nxe_registry_error(NULL, rc, "write", err);
    }

    *id = mdb_txn_id(t->txn);

    st = work(t, ctx, err);

    if (st != NXE_OK || t->full || t->abandoned || !t->dirty) {
        mdb_txn_abort(t->txn);
        *id = 0;
        return st;
    }

    rc = mdb_txn_commit(t->txn);
    if (rc != 0) {
        *id = 0;
        return nxe_registry_error(t, rc, "write", err);
    }

    return NXE_OK;
}


nxe_status_t
nxe_registry_write(nxe_registry_t *reg, nxe_registry_work_pt work, void *ctx,
    uint64_t *id, nxe_error_t *err)
{
    int                 rc;
    MDB_envinfo         info;
    nxe_status_t        st;
    nxe_registry_txn_t  t;

    for ( ;; ) {
        *id = 0;

        st = write_once(reg, &t, work, ctx, id, err);
        if (!t.full) {
            return st;
        }

        mdb_env_info(reg->env, &info);

        if (info.me_mapsize > MAP_MAX / 2) {
            return nxe_fail(err, NXE_IO, "the registry would be larger than "
                            "%zu bytes", MAP_MAX);
        }

        rc = mdb_env_set_mapsize(reg->env, info.me_mapsize * 2);
        if (rc != 0) {
            return nxe_registry_error(NULL, rc, "grow", err);
        }
    }
}


void
nxe_registry_abandon(nxe_registry_txn_t *txn)
{
    txn->abandoned = 1;
}


uint64_t
nxe_registry_txn_id(nxe_registry_txn_t *txn)
{
    return mdb_txn_id(txn->txn);
}


nxe_status_t
nxe_registry_value(nxe_registry_txn_t *txn, nxe_db_t db, nxe_str_t key,
    nxe_str_t *value, nxe_error_t *err)
{
    int      rc;
    MDB_val  k, v;

    k.mv_data = (void *) key.data;
    k.mv_size = key.len;

    rc = mdb_get(txn->txn, txn->reg->dbi[db], &k, &v);

    if (rc == MDB_NOTFOUND || rc == MDB_BAD_VALSIZE) {
        return NXE_DECLINED;
    }

    if (rc != 0) {
        return nxe_registry_error(txn, rc, "read", err);
    }

    value->data = v.mv_data;
    value->len = v.mv_size;

    return NXE_OK;
}


nxe_status_t
nxe_registry_put(nxe_registry_txn_t *txn, nxe_db_t db, nxe_str_t key,
    nxe_str_t value, nxe_error_t *err)
{
    int      rc;
    MDB_val  k, v;

    k.mv_data = (void *) key.data;
    k.mv_size = key.len;
    v.mv_data = (void *) value.data;
    v.mv_size = value.len;

    rc = mdb_put(txn->txn, txn->reg->dbi[db], &k, &v, 0);
    if (rc != 0) {
        return nxe_registry_error(txn, rc, "write", err);
    }

    txn->dirty = 1;

    return NXE_OK;
}


nxe_status_t
nxe_registry_meta(nxe_registry_txn_t *txn, const char *name,
    const nxe_mem_t *mem, nxe_str_t *value, nxe_error_t *err)
{
    nxe_str_t     v;
    nxe_status_t  rc;

    rc = nxe_registry_value(txn, NXE_DB_META, nxe_str_of(name), &v, err);
    if (rc != NXE_OK) {
        return rc;
    }

    if (nxe_str_copy(mem, v, value) != NXE_OK) {
        return nxe_fail(err, NXE_NOMEM, "out of memory");
    }

    return NXE_OK;
}


nxe_status_t
nxe_registry_put_meta(nxe_registry_txn_t *txn, const char *name,
    nxe_str_t value, nxe_error_t *err)
{
    return nxe_registry_put(txn, NXE_DB_META, nxe_str_of(name), value, err);
}


static uint64_t
key_number(const MDB_val *key)
{
    size_t                i;
    uint64_t              n;
    const unsigned char  *p;

    p = key->mv_data;

    for (i = 0, n = 0; i < 8; i++) {
        n = n << 8 | p[i];
    }

    return n;
}


/*
 * The newest entry's number, 0 if there is none, and the hash of its bytes
 * in hex, zeros if there is none.
 */

static nxe_status_t
newest(nxe_registry_txn_t *txn, uint64_t *n, char hash[HASH_HEX],
    nxe_error_t *err)
{
    int            rc;
    MDB_val        k, v;
    MDB_cursor    *cursor;
    unsigned char  digest[NXE_SHA256_LEN];

    rc = mdb_cursor_open(txn->txn, txn->reg->dbi[NXE_DB_HISTORY], &cursor);
    if (rc != 0) {
        return nxe_registry_error(txn, rc, "read", err);
    }

    rc = mdb_cursor_get(cursor, &k, &v, MDB_LAST);

    mdb_cursor_close(cursor);

    if (rc == MDB_NOTFOUND) {
        *n = 0;
        memset(hash, '0', HASH_HEX);
        return NXE_OK;
    }

    if (rc != 0) {
        return nxe_registry_error(txn, rc, "read", err);
    }

    if (k.mv_size != 8) {
        return nxe_fail(err, NXE_INVALID, "the history has a bad key");
    }

    nxe_sha256((nxe_str_t) { v.mv_data, v.mv_size }, digest);
    nxe_hex(digest, NXE_SHA256_LEN, hash);
    *n = key_number(&k);

    return NXE_OK;
}


nxe_status_t
nxe_registry_head(nxe_registry_txn_t *txn, char head[NXE_HEAD_LEN + 1],
    nxe_error_t *err)
{
    char          hash[HASH_HEX];
    uint64_t      n;
    nxe_status_t  rc;

    rc = newest(txn, &n, hash, err);

    if (rc == NXE_OK) {
        memcpy(head, hash, NXE_HEAD_LEN);
        head[NXE_HEAD_LEN] = '\0';
    }

    return rc;
}


nxe_status_t
nxe_registry_add_history(nxe_registry_txn_t *txn, nxe_str_t name,
    const char *kind, nxe_str_t value, const nxe_state_t *state,
    const nxe_actor_t *actor, nxe_error_t *err)
{
    int            i;
    char           hash[HASH_HEX];
    uint64_t       n;
    nxe_buf_t      b;
    nxe_status_t   rc;
    unsigned char  key[8];

    rc = newest(txn, &n, hash, err);
    if (rc != NXE_OK) {
        return rc;
    }

    n++;

    for (i = 0; i < 8; i++) {
        key[i] = (unsigned char) (n >> (56 - 8 * i));
    }

    nxe_buf_init(&b, ENTRY_MAX);
    nxe_buf_addf(&b, "{\"n\":%llu,\"name\":", (unsigned long long) n);
    nxe_buf_add_json(&b, name);
    nxe_buf_addf(&b, ",\"kind\":\"%s\"", kind);

    if (state != NULL) {
        nxe_buf_addf(&b, ",\"revision\":%llu,\"phase\":%llu",
                     (unsigned long long) state->revision,
                     (unsigned long long) state->phase);
    }

    nxe_buf_addf(&b, ",\"%s\":", kind);
    nxe_buf_add(&b, value);
    nxe_buf_add(&b, nxe_str(",\"actor\":"));
    nxe_buf_add_json(&b, actor->actor);
    nxe_buf_addf(&b, ",\"uid\":%lld,\"time\":", (long long) actor->uid);
    nxe_buf_add_json(&b, actor->now);
    nxe_buf_add(&b, nxe_str(",\"message\":"));
    nxe_buf_add_json(&b, actor->message);

    if (actor->label.len != 0) {
        nxe_buf_add(&b, nxe_str(",\"label\":"));
        nxe_buf_add_json(&b, actor->label);
    }

    nxe_buf_addf(&b, ",\"prev\":\"%.*s\"}", HASH_HEX, hash);

    rc = b.status != NXE_OK
         ? nxe_fail(err, NXE_NOMEM, "out of memory")
         : nxe_registry_put(txn, NXE_DB_HISTORY,
                            (nxe_str_t) { (char *) key, 8 },
                            nxe_buf_str(&b), err);

    nxe_buf_free(&b);

    return rc;
}


/* The state's JSON into its database and, where kind is "state", history. */

static nxe_status_t
put_state(nxe_registry_txn_t *txn, nxe_str_t name, const nxe_state_t *state,
    const nxe_actor_t *actor, int history, nxe_error_t *err)
{
    nxe_buf_t     b;
    nxe_status_t  rc;

    /* what could not be read again is not written */

    nxe_buf_init(&b, NXE_STATE_MAX);

    if (nxe_state_print(name, state, &b) != NXE_OK) {
        rc = nxe_fail(err, b.status, "%s", b.status == NXE_INVALID
                      ? "the state is too long" : "out of memory");

    } else {
        rc = nxe_registry_put(txn, NXE_DB_STATE, name, nxe_buf_str(&b), err);
    }

    if (rc == NXE_OK && history) {
        rc = nxe_registry_add_history(txn, name, "state", nxe_buf_str(&b),
                                      state, actor, err);
    }

    nxe_buf_free(&b);

    return rc;
}


nxe_status_t
nxe_registry_put_doc(nxe_registry_txn_t *txn, nxe_str_t name, nxe_str_t json,
    const nxe_state_t *state, const nxe_actor_t *actor, nxe_error_t *err)
{
    nxe_status_t  rc;

    rc = nxe_registry_put(txn, NXE_DB_EXPERIMENTS, name, json, err);

    if (rc == NXE_OK) {
        rc = nxe_registry_add_history(txn, name, "document", json, state,
                                      actor, err);
    }

    if (rc == NXE_OK) {
        rc = put_state(txn, name, state, actor, 0, err);
    }

    return rc;
}


nxe_status_t
nxe_registry_put_state(nxe_registry_txn_t *txn, nxe_str_t name,
    const nxe_state_t *state, const nxe_actor_t *actor, nxe_error_t *err)
{
    return put_state(txn, name, state, actor, 1, err);
}


nxe_status_t
nxe_registry_history(nxe_registry_txn_t *txn, nxe_history_pt each, void *ctx,
    nxe_error_t *err)
{
    int            rc;
    MDB_val        k, v;
    MDB_cursor    *cursor;
    nxe_status_t   st;

    rc = mdb_cursor_open(txn->txn, txn->reg->dbi[NXE_DB_HISTORY], &cursor);
    if (rc != 0) {
        return nxe_registry_error(txn, rc, "read", err);
    }

    st = NXE_OK;

    while (st == NXE_OK
           && (rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) == 0)
    {
        st = k.mv_size != 8
             ? nxe_fail(err, NXE_INVALID, "the history has a bad key")
             : each(ctx, key_number(&k),
                    (nxe_str_t) { v.mv_data, v.mv_size }, err);
    }

    mdb_cursor_close(cursor);

    if (st == NXE_OK && rc != MDB_NOTFOUND) {
        return nxe_registry_error(txn, rc, "read", err);
    }

    return st;
}


typedef struct {
    uint64_t            n;
    char                prev[HASH_HEX];
} chain_t;


static nxe_status_t
check_link(void *ctx, uint64_t n, nxe_str_t entry, nxe_error_t *err)
{
    size_t          tail;
    chain_t        *chain;
    unsigned char   digest[NXE_SHA256_LEN];

    static const char  member[] = ",\"prev\":\"";

    chain = ctx;
    chain->n++;

    if (n != chain->n) {
        return nxe_fail(err, NXE_INVALID, "history entry %llu is missing",
                        (unsigned long long) chain->n);
    }

    /* "prev" is the last member: nothing that a user typed is behind it */

    tail = sizeof(member) - 1 + HASH_HEX + 2;

    if (entry.len < tail
        || memcmp(entry.data + entry.len - tail, member, sizeof(member) - 1)
           != 0
        || memcmp(entry.data + entry.len - HASH_HEX - 2, chain->prev,
                  HASH_HEX) != 0)
    {
        return nxe_fail(err, NXE_INVALID, "history entry %llu does not "
                        "carry on the one before it",
                        (unsigned long long) n);
    }

    nxe_sha256(entry, digest);
    nxe_hex(digest, NXE_SHA256_LEN, chain->prev);

    return NXE_OK;
}


nxe_status_t
nxe_registry_verify(nxe_registry_txn_t *txn, uint64_t *n, nxe_error_t *err)
{
    chain_t       chain;
    nxe_status_t  rc;

    chain.n = 0;
    memset(chain.prev, '0', HASH_HEX);

    rc = nxe_registry_history(txn, check_link, &chain, err);
    *n = chain.n;

    return rc;
}
