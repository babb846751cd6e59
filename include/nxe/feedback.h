/*
 * The body of experiment_feedback: one item or an array of them, read by one
 * strict scan, with all that is wrong in it and where; what a value of a
 * metric may be; and what a feedback token binds.
 */

#ifndef NXE_FEEDBACK_H
#define NXE_FEEDBACK_H

#include <nxe/doc.h>
#include <nxe/hash.h>
#include <nxe/json.h>
#include <nxe/keys.h>
#include <nxe/token.h>

NXE_BEGIN_DECLS


#define NXE_FEEDBACK_BODY     (1024 * 1024)   /* bytes */
#define NXE_FEEDBACK_ITEMS    1000
#define NXE_FEEDBACK_FAULTS   20              /* kept; more are counted */
#define NXE_FEEDBACK_KEY      128             /* bytes of an idempotency_key */
#define NXE_FEEDBACK_NUMBER   64              /* bytes of a value */
#define NXE_FEEDBACK_LIFE     (24 * 3600)     /* seconds that a token lives */

/* How a client has shown that it may, which is the word in the log. */

typedef enum {
    NXE_TRUST_KEY = 0,      /* "key" */
    NXE_TRUST_TOKEN,        /* "token": it says of whom the item is */
    NXE_TRUST_OPEN          /* "open": it has not */
} nxe_feedback_trust_t;

/* "key", "token", "open" */
const char *nxe_feedback_trust_name(nxe_feedback_trust_t trust);


/* 1 if s is what units and requests are called: 32 lower-case hex digits. */
int nxe_feedback_id_ok(nxe_str_t s);


/* Slices borrow from the body or from mem; data is NULL where absent. */

typedef struct {
    nxe_str_t           unit;           /* unescaped, raw: it never leaves */
    nxe_str_t           unit_hash;      /* 32 lower-case hex digits */
    nxe_str_t           request_id;     /* the same */
    nxe_str_t           experiment;     /* a name */
    nxe_str_t           metric;         /* a name */
    nxe_str_t           key;            /* idempotency_key, unescaped */
    nxe_str_t           value;          /* as spelled */
    nxe_json_type_t     type;           /* of the value */
} nxe_feedback_item_t;

typedef struct {
    int32_t             item;           /* index, or -1: the body itself */
    const char         *member;         /* static text, or NULL: all of it */
    char                expected[192];
} nxe_feedback_fault_t;

typedef struct {
    nxe_feedback_item_t    *items;
    size_t                  n;
    unsigned                array:1;    /* of items, which are "/0", "/1" */
    size_t                  nfaults;    /* also of those that are not kept */
    nxe_feedback_fault_t    faults[NXE_FEEDBACK_FAULTS];
} nxe_feedback_t;

/*
 * Reads a body of at most NXE_FEEDBACK_BODY bytes, which stays while f is
 * used.  flags are those of the scan.  Every member of every item is checked
 * for its form, and an item for who it is of: with a key, one of unit,
 * unit_hash and request_id; open, one of unit and request_id; with a token
 * nothing but, if at all, the request_id and experiment that the token has,
 * which nxe_feedback_bound() compares.  f is filled in any case.
 * NXE_INVALID: f has faults.  NXE_NOMEM.
 */
nxe_status_t nxe_feedback_parse(nxe_str_t body, nxe_feedback_trust_t trust,
    unsigned flags, const nxe_mem_t *mem, nxe_feedback_t *f);

/* Adds a fault; beyond NXE_FEEDBACK_FAULTS it only counts. */
void nxe_feedback_fault(nxe_feedback_t *f, int32_t item, const char *member,
    const char *fmt, ...) NXE_PRINTF(4, 5);

/* The JSON Pointer of a fault, zero-terminated; returns its length. */
#define NXE_FEEDBACK_POINTER  64

size_t nxe_feedback_pointer(const nxe_feedback_t *f,
    const nxe_feedback_fault_t *fault, char out[NXE_FEEDBACK_POINTER]);

/*
 * Checks the value of item i against its metric and its bounds, by exact
 * decimals.  binary: 0, 1, true, false; count: an integer of 0 or more;
 * duration: milliseconds, 0 or more; mean and ratio: any number; all within
 * 10^9 of 0, as analysis reads them (nxe_decimal_nano()).  NXE_OK: *value is
 * what is logged, a JSON number, borrowed from the body or static.
 * NXE_INVALID: a fault was added.
 */
nxe_status_t nxe_feedback_value(nxe_feedback_t *f, int32_t i,
    const nxe_metric_t *metric, nxe_str_t *value);


/* What a token binds: the request that it was handed out for. */

typedef struct {
    nxe_str_t           request_id;
    nxe_str_t           experiment;
    nxe_str_t           variant;
    nxe_str_t           unit;           /* NXE_UNIT_ID_LEN hex digits */
    uint64_t            phase;
    uint64_t            revision;
} nxe_feedback_bound_t;

/*
 * Puts what is bound into a token's payload.  NXE_INVALID: what is no request
 * id of 32 hex digits, no name or no unit.
 */
nxe_status_t nxe_feedback_pack(const nxe_feedback_bound_t *bound,
    nxe_token_t *t);

/*
 * The inverse, for a token that has been verified; borrows from t.
 * NXE_INVALID: not what nxe_feedback_pack() writes.
 */
nxe_status_t nxe_feedback_unpack(const nxe_token_t *t,
    nxe_feedback_bound_t *bound);

/* Adds a fault for each item that names another than the token binds. */
nxe_status_t nxe_feedback_bound(nxe_feedback_t *f,
    const nxe_feedback_bound_t *bound);

/*
 * The id by which a replay is known: the first 128 bits of SHA-256 over who
 * (the key's digest, or the token's request id), experiment, metric, of (unit
 * or request) and key, each behind its length.
 */
#define NXE_FEEDBACK_ID  16

void nxe_feedback_id(nxe_str_t who, nxe_str_t experiment, nxe_str_t metric,
    nxe_str_t of, nxe_str_t key, unsigned char out[NXE_FEEDBACK_ID]);


NXE_END_DECLS

#endif /* NXE_FEEDBACK_H */
