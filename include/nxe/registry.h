/*
 * The registry: an LMDB environment in PATH/registry that expctl alone opens.
 * It holds what is meant and what happens; workers see what is published
 * from it (serving.h).
 *
 * Databases:
 *   meta         "format" -> "1", "log" -> default log files,
 *                "group" -> the group of nginx's workers,
 *                "prices" -> the table of price.h
 *   experiments  NAME -> canonical JSON
 *   state        NAME -> nxe_state_print()
 *   history      8 bytes big-endian, from 1 -> one JSON object; "prev" is the
 *                SHA-256 of the bytes of the entry before, 64 zeros at first
 *   scopes lessons cases   empty until their part is built
 */

#ifndef NXE_REGISTRY_H
#define NXE_REGISTRY_H

#include <nxe/base.h>
#include <nxe/buf.h>
#include <nxe/doc.h>
#include <nxe/price.h>
#include <nxe/serving.h>
#include <nxe/state.h>
#include <nxe/tree.h>

NXE_BEGIN_DECLS


#define NXE_REGISTRY_FORMAT  1

typedef struct nxe_registry_s      nxe_registry_t;
typedef struct nxe_registry_txn_s  nxe_registry_txn_t;

/*
 * Refuses PATH, or a part of it that the registry relies on (registry/,
 * serving/ with its copies, keys), where it is a
 * symlink, can be written by group or world, or belongs to others than root
 * and oneself, and network file systems (SECURITY 9).
 * NXE_DECLINED: there is no registry; NXE_IO: it cannot be looked at.
 */
nxe_status_t nxe_registry_check(const char *path, nxe_error_t *err);

/*
 * Makes PATH/registry with its databases unless they are there.  The folder
 * itself must be there.
 */
nxe_status_t nxe_registry_create(const char *path, nxe_error_t *err);

/*
 * Opens the registry of PATH, after nxe_registry_check().  A reader writes
 * nothing.  NXE_INVALID: not a registry, or of a newer format.
 * One environment per process and PATH: LMDB's locks go with the first
 * descriptor that is closed.
 */
nxe_status_t nxe_registry_open(const char *path, int writer,
    nxe_registry_t **reg, nxe_error_t *err);

void nxe_registry_close(nxe_registry_t *reg);


/*
 * A reader's view: what is in it stays as it is until the end.
 */
nxe_status_t nxe_registry_begin(nxe_registry_t *reg, nxe_registry_txn_t **txn,
    nxe_error_t *err);
void nxe_registry_end(nxe_registry_txn_t *txn);

/*
 * One writing transaction: calls work() and commits what it put, or nothing
 * of it where it returns other than NXE_OK.  Where the map is full the work
 * is undone, the map grown and work() called again, so it must not keep what
 * it did outside.  *id is the transaction's number, 0 if nothing was put or
 * the work was abandoned.
 */
typedef nxe_status_t (*nxe_registry_work_pt)(nxe_registry_txn_t *txn,
    void *ctx, nxe_error_t *err);

nxe_status_t nxe_registry_write(nxe_registry_t *reg,
    nxe_registry_work_pt work, void *ctx, uint64_t *id, nxe_error_t *err);

/* Within work(): let go of all that was put (a dry run). */
void nxe_registry_abandon(nxe_registry_txn_t *txn);


/* The number of the transaction that is read, or that the commit will have. */
uint64_t nxe_registry_txn_id(nxe_registry_txn_t *txn);

/*
 * The first 16 hex digits of the hash of the newest history entry, zeros if
 * there is none.
 */
nxe_status_t nxe_registry_head(nxe_registry_txn_t *txn,
    char head[NXE_HEAD_LEN + 1], nxe_error_t *err);

/* NXE_DECLINED if there is none.  Copied into mem. */
nxe_status_t nxe_registry_meta(nxe_registry_txn_t *txn, const char *name,
    const nxe_mem_t *mem, nxe_str_t *value, nxe_error_t *err);

/* All names, in bytewise order, in mem. */
nxe_status_t nxe_registry_names(nxe_registry_txn_t *txn,
    const nxe_mem_t *mem, nxe_str_t **names, size_t *n, nxe_error_t *err);


/* One experiment.  All memory is mem's, but for the tree. */

typedef struct {
    nxe_str_t           name;
    nxe_str_t           json;       /* canonical */
    cJSON              *tree;
    nxe_doc_t          *doc;
    nxe_state_t         state;
} nxe_experiment_t;

/*
 * NXE_DECLINED: there is none of that name; NXE_INVALID: what is there cannot
 * be read.  After NXE_OK the caller calls nxe_experiment_free().
 */
nxe_status_t nxe_registry_get(nxe_registry_txn_t *txn, nxe_str_t name,
    const nxe_mem_t *mem, nxe_experiment_t *e, nxe_error_t *err);

void nxe_experiment_free(nxe_experiment_t *e);

/* The state alone, which costs no document; as nxe_registry_get(). */
nxe_status_t nxe_registry_state(nxe_registry_txn_t *txn, nxe_str_t name,
    const nxe_mem_t *mem, nxe_state_t *state, nxe_error_t *err);


/* Who writes, for the history. */

typedef struct {
    nxe_str_t           actor;      /* "ana@edge-1" */
    int64_t             uid;
    nxe_str_t           label;      /* "": none */
    nxe_str_t           message;
    nxe_str_t           now;        /* RFC 3339 */
} nxe_actor_t;

/*
 * Puts a document (canonical JSON) and its state as it is with it, and one
 * entry of history.
 */
nxe_status_t nxe_registry_put_doc(nxe_registry_txn_t *txn, nxe_str_t name,
    nxe_str_t json, const nxe_state_t *state, const nxe_actor_t *actor,
    nxe_error_t *err);

/* Puts a state, and one entry of history. */
nxe_status_t nxe_registry_put_state(nxe_registry_txn_t *txn, nxe_str_t name,
    const nxe_state_t *state, const nxe_actor_t *actor, nxe_error_t *err);

nxe_status_t nxe_registry_put_meta(nxe_registry_txn_t *txn, const char *name,
    nxe_str_t value, nxe_error_t *err);


/*
 * The prices, in the order of nxe_prices_parse(); all memory is mem's.
 * NXE_INVALID: what is there cannot be read.
 */
nxe_status_t nxe_registry_prices(nxe_registry_txn_t *txn,
    const nxe_mem_t *mem, nxe_price_t **prices, size_t *n, nxe_error_t *err);

/*
 * Puts the price of a model, in place of the one that it has, and one entry
 * of history: of no experiment ("name":""), "kind":"price", "price" as it
 * stands in the table.  NXE_DECLINED: it has this price already, and nothing
 * is put; NXE_CONFLICT: there would be more than NXE_PRICES.
 */
nxe_status_t nxe_registry_put_price(nxe_registry_txn_t *txn,
    const nxe_price_t *price, const nxe_actor_t *actor, nxe_error_t *err);

/*
 * Takes the price of a model away; "price" of the history has the model
 * alone.  NXE_DECLINED: it has none.
 */
nxe_status_t nxe_registry_drop_price(nxe_registry_txn_t *txn,
    nxe_str_t model, const nxe_actor_t *actor, nxe_error_t *err);


/*
 * The history, oldest first: each() gets the entry's bytes, which live as
 * long as the transaction.  Anything but NXE_OK from it ends the walk and is
 * returned.
 */
typedef nxe_status_t (*nxe_history_pt)(void *ctx, uint64_t n,
    nxe_str_t entry, nxe_error_t *err);

nxe_status_t nxe_registry_history(nxe_registry_txn_t *txn,
    nxe_history_pt each, void *ctx, nxe_error_t *err);

/* NXE_INVALID names the first entry that does not carry the chain on. */
nxe_status_t nxe_registry_verify(nxe_registry_txn_t *txn, uint64_t *n,
    nxe_error_t *err);


/* A phase that was live, for analysis. */

typedef struct {
    uint64_t            phase;
    nxe_str_t           from;       /* RFC 3339 */
    nxe_str_t           to;         /* "": it lasts */
    uint64_t            revision;   /* the last one in it */
    nxe_str_t           document;   /* that one's canonical JSON */
    nxe_stage_t         stage;      /* the last one that was in force */
    nxe_str_t           variant;    /* of a rollout, else "" */
} nxe_phase_t;

/* Those of an experiment that were ever live, in order; mem's memory. */
nxe_status_t nxe_registry_phases(nxe_registry_txn_t *txn, nxe_str_t name,
    const nxe_mem_t *mem, nxe_phase_t **phases, size_t *n, nxe_error_t *err);


/*
 * Publishes the newest transaction into PATH/serving, unless it is there
 * already.  *done tells which.  An experiment that cannot be read is left
 * out, so that it does not hold up the others, and named in err->text
 * (status NXE_OK); so are the prices.
 */
typedef struct {
    uint64_t            txn;
    unsigned            written:1;
    unsigned            left_out;
} nxe_published_t;

nxe_status_t nxe_registry_publish(nxe_registry_t *reg,
    nxe_published_t *done, nxe_error_t *err);


NXE_END_DECLS

#endif /* NXE_REGISTRY_H */
