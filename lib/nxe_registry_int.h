/*
 * What the files of the registry share.
 */

#ifndef NXE_REGISTRY_INT_H
#define NXE_REGISTRY_INT_H

#include <lmdb.h>

#include <nxe/registry.h>

NXE_BEGIN_DECLS


typedef enum {
    NXE_DB_META = 0,
    NXE_DB_EXPERIMENTS,
    NXE_DB_STATE,
    NXE_DB_HISTORY,
    NXE_DB_SCOPES,
    NXE_DB_LESSONS,
    NXE_DB_CASES,
    NXE_DBS
} nxe_db_t;

struct nxe_registry_s {
    MDB_env            *env;
    int                 lock;           /* of this process id, or -1 */
    char               *path;
    MDB_dbi             dbi[NXE_DBS];
};

struct nxe_registry_txn_s {
    nxe_registry_t     *reg;
    MDB_txn            *txn;
    unsigned            full:1;         /* MDB_MAP_FULL was met */
    unsigned            dirty:1;
    unsigned            abandoned:1;
};

/* An error of LMDB in words; notes a full map. */
nxe_status_t nxe_registry_error(nxe_registry_txn_t *txn, int rc,
    const char *what, nxe_error_t *err);

/* The value of a key, borrowed from the transaction; NXE_DECLINED. */
nxe_status_t nxe_registry_value(nxe_registry_txn_t *txn, nxe_db_t db,
    nxe_str_t key, nxe_str_t *value, nxe_error_t *err);

nxe_status_t nxe_registry_put(nxe_registry_txn_t *txn, nxe_db_t db,
    nxe_str_t key, nxe_str_t value, nxe_error_t *err);

/*
 * Adds to the history; kind is the name of the member that value, JSON, is,
 * too.  Without a state, and with an empty name, it is of no experiment.
 */
nxe_status_t nxe_registry_add_history(nxe_registry_txn_t *txn, nxe_str_t name,
    const char *kind, nxe_str_t value, const nxe_state_t *state,
    const nxe_actor_t *actor, nxe_error_t *err);


NXE_END_DECLS

#endif /* NXE_REGISTRY_INT_H */
