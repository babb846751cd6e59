#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <lmdb.h>

#include "nxe_publish_int.h"


static int nxe_publish_place_cmp(const void *a, const void *b);
static int nxe_publish_dbs(nxe_publish_t *p, MDB_txn *txn, uint64_t id,
    const char *head);
static int nxe_publish_layers(nxe_publish_t *p, MDB_txn *txn, MDB_dbi dbi);
static int nxe_publish_put(MDB_txn *txn, MDB_dbi dbi, nxe_str_t key,
    nxe_str_t value);


/* An LMDB file that only this process sees; an LMDB or system error code. */

int
nxe_publish_write(nxe_publish_t *p, const char *path, size_t map,
    uint64_t txn, const char *head)
{
    int       rc;
    MDB_env  *env;
    MDB_txn  *t;

    rc = mdb_env_create(&env);
    if (rc != 0) {
        return rc;
    }

    (void) mdb_env_set_maxdbs(env, 8);

    rc = mdb_env_set_mapsize(env, (map + 65535) & ~(size_t) 65535);

    if (rc == 0) {
        rc = mdb_env_open(env, path, MDB_NOSUBDIR|MDB_NOLOCK|MDB_NOSYNC, 0600);
    }

    if (rc == 0) {
        rc = mdb_txn_begin(env, NULL, 0, &t);
    }

    if (rc == 0) {
        rc = nxe_publish_dbs(p, t, txn, head);

        if (rc == 0) {
            rc = mdb_txn_commit(t);

        } else {
            mdb_txn_abort(t);
        }
    }

    mdb_env_close(env);

    return rc;
}


static int
nxe_publish_dbs(nxe_publish_t *p, MDB_txn *txn, uint64_t id,
    const char *head)
{
    int                   i, rc;
    char                  number[24];
    size_t                n;
    MDB_dbi               dbi[5];
    nxe_publish_entry_t  *e;
    static const char    *names[] = {
        "meta", "docs", "states", "layers", "bytes"
    };

    for (i = 0; i < 5; i++) {
        rc = mdb_dbi_open(txn, names[i], MDB_CREATE, &dbi[i]);
        if (rc != 0) {
            return rc;
        }
    }

    (void) snprintf(number, sizeof(number), "%d", NXE_SERVING_FORMAT);
    rc = nxe_publish_put(txn, dbi[0], nxe_str("format"), nxe_str_of(number));

    if (rc == 0) {
        (void) snprintf(number, sizeof(number), "%llu",
                        (unsigned long long) id);
        rc = nxe_publish_put(txn, dbi[0], nxe_str("txn"), nxe_str_of(number));
    }

    if (rc == 0) {
        rc = nxe_publish_put(txn, dbi[0], nxe_str("head"), nxe_str_of(head));
    }

    if (rc == 0 && p->prices.len != 0) {
        rc = nxe_publish_put(txn, dbi[0], nxe_str("prices"), p->prices);
    }

    for (n = 0; n < p->n && rc == 0; n++) {
        e = &p->entries[n];

        if (e->doc.len != 0) {
            rc = nxe_publish_put(txn, dbi[1], e->name, e->doc);
        }

        if (rc == 0) {
            rc = nxe_publish_put(txn, dbi[2], e->name, e->state);
        }
    }

    if (rc == 0) {
        rc = nxe_publish_layers(p, txn, dbi[3]);
    }

    if (rc == 0 && p->bytes.len != 0) {
        rc = nxe_publish_put(txn, dbi[4], nxe_str("bytes"),
                             nxe_buf_str(&p->bytes));
    }

    return rc;
}


static int
nxe_publish_layers(nxe_publish_t *p, MDB_txn *txn, MDB_dbi dbi)
{
    int                   rc;
    char                  from[NXE_FRAC_LEN], to[NXE_FRAC_LEN];
    size_t                i;
    nxe_buf_t             b;
    nxe_publish_place_t  *place;

    if (p->nplaces == 0) {
        return 0;
    }

    qsort(p->places, p->nplaces, sizeof(nxe_publish_place_t),
          nxe_publish_place_cmp);

    nxe_buf_init(&b, NXE_PUBLISH_DOC);

    for (i = 0, rc = 0; i < p->nplaces && rc == 0; i++) {
        place = &p->places[i];

        (void) nxe_frac_print(place->from, from);
        (void) nxe_frac_print(place->to, to);

        /* names and decimals need no escapes */

        (void) nxe_buf_addf(&b, "%s[\"%.*s\",\"%s\",\"%s\"]",
                            b.len == 0 ? "[" : ",", (int) place->name.len,
                            place->name.data, from, to);

        if (i + 1 < p->nplaces && nxe_str_eq(place->layer, place[1].layer)) {
            continue;
        }

        (void) nxe_buf_addc(&b, ']');

        rc = b.status == NXE_OK
             ? nxe_publish_put(txn, dbi, place->layer, nxe_buf_str(&b))
             : ENOMEM;

        nxe_buf_free(&b);
    }

    nxe_buf_free(&b);

    return rc;
}


static int
nxe_publish_place_cmp(const void *a, const void *b)
{
    int                         rc;
    const nxe_publish_place_t  *x, *y;

    x = a;
    y = b;

    rc = nxe_str_cmp(x->layer, y->layer);

    return rc != 0 ? rc : nxe_frac_cmp(x->from, y->from);
}


static int
nxe_publish_put(MDB_txn *txn, MDB_dbi dbi, nxe_str_t key, nxe_str_t value)
{
    MDB_val  k, v;

    k.mv_data = (void *) (uintptr_t) key.data;
    k.mv_size = key.len;
    v.mv_data = (void *) (uintptr_t) value.data;
    v.mv_size = value.len;

    return mdb_put(txn, dbi, &k, &v, 0);
}
