/*
 * The serving copy: what expctl publishes and workers map.
 *
 *   serving/N.mdb       an LMDB file, N the transaction of the registry that
 *                       it was made from; never changed once it has its name
 *   serving/current     one line of JSON that names the file in force:
 *                       {"format":1,"file":"813.mdb","size":…,"sha256":"…",
 *                        "txn":813,"head":"…","word":"16 hex digits"}
 *   serving/generation  eight bytes, that word, written in place after
 *                       "current": they differ after each publication, and
 *                       from "current" after a crash between the two
 *
 * Databases of N.mdb:
 *   meta    "format" -> "1", "txn" -> decimal, "head" -> 16 hex digits,
 *           "prices" -> the table of price.h; not there: none.  Readers that
 *           do not know it let it be, so that the format stays
 *   docs    NAME -> the document's serving form (nxe_doc_serving)
 *   states  NAME -> reduced state, with "baseline", "flag" where the document
 *           has ofrep.members (live or not), and, for live ones,
 *           "at":[offset,len], the document's part of "bytes", and "digest",
 *           the SHA-256 of its serving form and that part
 *   layers  NAME -> [["EXPERIMENT","FROM","TO"],…] by FROM, live ones only
 *   bytes   "" -> all replacement bytes, of all documents, one after another
 */

#ifndef NXE_SERVING_H
#define NXE_SERVING_H

#include <stddef.h>
#include <sys/types.h>

#include <nxe/base.h>
#include <nxe/hash.h>
#include <nxe/price.h>
#include <nxe/state.h>

NXE_BEGIN_DECLS


#define NXE_SERVING_FORMAT  1
#define NXE_HEAD_LEN        16

typedef struct {
    char                file[32];
    uint64_t            size;
    unsigned char       sha256[NXE_SHA256_LEN];
    uint64_t            txn;
    char                head[NXE_HEAD_LEN + 1];
    uint64_t            word;       /* of generation, once it is written */
} nxe_current_t;

/* The N of "N.mdb", a copy's file; 0 for any other name. */
uint64_t nxe_serving_number(const char *name);

/*
 * Reads DIR/current.  NXE_IO: it is not there or cannot be read; NXE_INVALID:
 * not what a publisher writes, or of a newer format.
 */
nxe_status_t nxe_current_read(const char *dir, nxe_current_t *current,
    nxe_error_t *err);


/*
 * The word that changes with each publication, mapped read-only.
 */

typedef struct {
    const volatile uint64_t *word;      /* NULL: not mapped */
    dev_t                    dev;
    ino_t                    ino;
} nxe_generation_t;

/* Maps DIR/generation.  NXE_IO if it is not there. */
nxe_status_t nxe_generation_map(const char *dir, nxe_generation_t *g,
    nxe_error_t *err);

/*
 * Reads DIR/generation.  Where it differs from the word in "current", a
 * publisher died before it wrote the word: workers have not been told.
 */
nxe_status_t nxe_generation_read(const char *dir, uint64_t *word,
    nxe_error_t *err);

/* 1 if the file behind the mapping is gone or another one. */
int nxe_generation_stale(const char *dir, const nxe_generation_t *g);

void nxe_generation_unmap(nxe_generation_t *g);


/*
 * Opening a copy, in slices: start, step until it is no longer NXE_AGAIN,
 * then the copy is verified and open.  A step hashes at most max bytes.
 * NXE_INVALID: size or hash differ, or the file is of a newer format; NXE_IO.
 * The caller closes the copy on every path after a successful start.
 */

typedef struct nxe_serving_s  nxe_serving_t;

nxe_status_t nxe_serving_start(const char *dir, const nxe_current_t *current,
    nxe_serving_t **serving, nxe_error_t *err);

nxe_status_t nxe_serving_step(nxe_serving_t *serving, size_t max,
    nxe_error_t *err);

/* start, and steps to the end. */
nxe_status_t nxe_serving_open(const char *dir, const nxe_current_t *current,
    nxe_serving_t **serving, nxe_error_t *err);

void nxe_serving_close(nxe_serving_t *serving);

const nxe_current_t *nxe_serving_current(const nxe_serving_t *serving);


/* One experiment of the copy; slices live until the copy is closed. */

typedef struct {
    nxe_str_t           doc;        /* serving form, empty if it is off */
    nxe_str_t           state;
    nxe_str_t           bytes;
    nxe_str_t           baseline;   /* name, JSON-quoted in the state */
    unsigned char       digest[NXE_SHA256_LEN];   /* of doc and bytes; zeros
                                       if it is off */
    unsigned            flag:1;     /* remote evaluation may tell of it */
} nxe_entry_t;

/*
 * Finds an experiment: NXE_DECLINED if there is none of that name,
 * NXE_INVALID if what is there cannot be read.
 */
nxe_status_t nxe_serving_entry(nxe_serving_t *serving, nxe_str_t name,
    nxe_entry_t *entry, nxe_error_t *err);


/* A live experiment's place in its layer. */

typedef struct {
    nxe_str_t           name;
    uint64_t            lo;         /* [lo, hi) in [0, 2^32] */
    uint64_t            hi;
} nxe_place_t;

/*
 * The live experiments of a layer, by lo.  Memory of mem; names are copied.
 * NXE_DECLINED: no such layer.
 */
nxe_status_t nxe_serving_layer(nxe_serving_t *serving, nxe_str_t layer,
    const nxe_mem_t *mem, nxe_place_t **places, size_t *n, nxe_error_t *err);

/*
 * The layers that have live experiments, in bytewise order of name.
 */
nxe_status_t nxe_serving_layers(nxe_serving_t *serving, const nxe_mem_t *mem,
    nxe_str_t **names, size_t *n, nxe_error_t *err);


/*
 * The prices, in the order that nxe_price_find() needs; memory of mem, but
 * models live until the copy is closed.  0 of them where the copy has none.
 * NXE_INVALID: what is there cannot be read.
 */
nxe_status_t nxe_serving_prices(nxe_serving_t *serving, const nxe_mem_t *mem,
    nxe_price_t **prices, size_t *n, nxe_error_t *err);


/*
 * Publishing.  begin takes an exclusive lock on DIR, so that publications
 * are serial; add in bytewise order of name; commit writes the file under a
 * temporary name, syncs, renames, writes "current" the same way, then the
 * word, and removes all but the last two files.  Where the disk is full it
 * removes all but the one in force and tries again.  free on every path.
 *
 * gid is the group that may read; -1 leaves the group as it is.
 */

typedef struct nxe_publish_s  nxe_publish_t;

nxe_status_t nxe_publish_begin(const char *dir, gid_t gid,
    nxe_publish_t **publish, nxe_error_t *err);

/* doc is the canonical document, parsed; state its state. */
nxe_status_t nxe_publish_add(nxe_publish_t *publish, const nxe_doc_t *doc,
    const cJSON *tree, const nxe_state_t *state, nxe_error_t *err);

/* The table of price.h as JSON, which is copied; "": none. */
nxe_status_t nxe_publish_prices(nxe_publish_t *publish, nxe_str_t json,
    nxe_error_t *err);

nxe_status_t nxe_publish_commit(nxe_publish_t *publish, uint64_t txn,
    const char head[NXE_HEAD_LEN + 1], nxe_error_t *err);

void nxe_publish_free(nxe_publish_t *publish);


NXE_END_DECLS

#endif /* NXE_SERVING_H */
