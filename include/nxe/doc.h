/*
 * An experiment document, validated whole, in the form that assignment and
 * overrides use.  The same code reads what a user applies and what a worker
 * finds in the serving copy, so a worker trusts nothing that it has not
 * checked itself.
 */

#ifndef NXE_DOC_H
#define NXE_DOC_H

#include <nxe/base.h>
#include <nxe/cidr.h>
#include <nxe/frac.h>
#include <nxe/regex.h>
#include <nxe/tree.h>

NXE_BEGIN_DECLS


#define NXE_VARIANTS_MAX   64
#define NXE_STEPS_MAX      64
#define NXE_SOURCES_MAX    16
#define NXE_NONE           UINT32_MAX   /* no step (all), no parent */

/* Longest attribute or unit value, after unescaping (SECURITY 2, Form). */
#define NXE_UNIT_MAX       256


typedef enum {
    NXE_SYSTEM = 0,
    NXE_TEMPERATURE,
    NXE_TOP_P,
    NXE_MAX_TOKENS,
    NXE_MODEL,
    NXE_VERBOSITY,
    NXE_PARAMS
} nxe_param_t;

/* "system", "temperature", ... */
const char *nxe_param_name(nxe_param_t param);


typedef enum {
    NXE_SOURCE_HEADER = 0,
    NXE_SOURCE_COOKIE,
    NXE_SOURCE_ARG,
    NXE_SOURCE_VAR,
    NXE_SOURCE_JSON,
    NXE_SOURCE_JWT,
    NXE_SOURCE_AUTH,
    NXE_SOURCE_MCP          /* not evaluated yet */
} nxe_source_type_t;

typedef struct {
    nxe_source_type_t   type;
    nxe_str_t           name;       /* as written; header names lower case;
                                       JSON Pointer for NXE_SOURCE_JSON */
} nxe_source_t;

/*
 * Parses "header:X-Id", "json:/metadata/id", "auth:", "mcp:session".
 * Borrows the name, but for header names, which are copied in lower case.
 */
nxe_status_t nxe_source_parse(nxe_str_t s, const nxe_mem_t *mem,
    nxe_source_t *source);


typedef enum {
    NXE_OP_EQ = 0, NXE_OP_NE, NXE_OP_IN, NXE_OP_PREFIX, NXE_OP_SUFFIX,
    NXE_OP_EXISTS, NXE_OP_REGEX, NXE_OP_GT, NXE_OP_LT, NXE_OP_CIDR
} nxe_op_t;

typedef struct {
    nxe_source_t        attribute;
    nxe_op_t            op;
    nxe_str_t          *values;     /* exists: none */
    uint32_t            nvalues;
    unsigned            wanted:1;   /* exists: the wanted answer */
    nxe_regex_t        *regex;      /* regex: values[0], compiled */
    nxe_cidr_t         *cidr;       /* cidr: values[0], read */
} nxe_target_t;

typedef struct {
    nxe_str_t           name;
    nxe_source_t        source;
    nxe_str_t          *values;     /* the rest is "other"; none: as found */
    uint32_t            nvalues;
} nxe_segment_t;

/* "other" */
extern const nxe_str_t  nxe_segment_other;

typedef struct {
    int64_t             from;       /* seconds since the epoch, inclusive */
    int64_t             to;         /* exclusive */
} nxe_window_t;


/*
 * JSON-encoded bytes that go into a body as they are: an offset into
 * doc->bytes, which is the document's own memory or, in a worker, its part
 * of the mapped serving copy.
 */

typedef struct {
    uint32_t            offset;
    uint32_t            len;
} nxe_bytes_t;

typedef struct {
    uint32_t            step;       /* index */
    uint8_t             param;      /* nxe_param_t */
    uint8_t             if_absent;  /* "when": "absent" */
    nxe_bytes_t         value;
} nxe_override_t;

typedef struct {
    uint32_t            step;       /* index or NXE_NONE: every step */
    uint8_t             response;
    uint8_t             remove;
    nxe_str_t           name;       /* as written */
    nxe_str_t           lower;
    nxe_str_t           value;
} nxe_header_t;

typedef struct {
    uint32_t            step;
    nxe_str_t           upstream;
} nxe_route_t;

typedef struct {
    uint32_t            step;
    uint8_t             remove;     /* else set */
    nxe_str_t           path;
    nxe_bytes_t         value;
} nxe_body_op_t;

typedef struct {
    nxe_str_t           name;
    uint32_t            parent;     /* index; NXE_NONE: the baseline */
    uint64_t            weight;     /* of doc->weight_den */

    /* its own changes against the parent */
    nxe_override_t     *overrides;
    nxe_header_t       *headers;
    nxe_route_t        *routes;
    nxe_body_op_t      *ops;
    uint32_t            noverrides;
    uint32_t            nheaders;
    uint32_t            nroutes;
    uint32_t            nops;
    unsigned            mcp:1;
    unsigned            tools:1;
} nxe_variant_t;


/* What a variant does on a step: its ancestors' and its own, resolved. */

typedef struct {
    const nxe_override_t *params[NXE_PARAMS];     /* NULL: untouched */
    uint8_t               from[NXE_PARAMS];       /* index of the variant */
    const nxe_header_t  **headers;
    uint8_t              *headers_from;
    uint32_t              nheaders;
    const nxe_route_t    *route;                  /* NULL: the default */
    uint8_t               route_from;
    const nxe_body_op_t **ops;
    uint32_t              nops;
} nxe_effective_t;

/*
 * A metric that comes as feedback: declared by the document, neither measured
 * by the edge nor read "from" a field.
 */

typedef enum {
    NXE_METRIC_BINARY = 0,
    NXE_METRIC_MEAN,
    NXE_METRIC_COUNT,
    NXE_METRIC_DURATION,
    NXE_METRIC_RATIO
} nxe_metric_kind_t;

typedef struct {
    nxe_str_t           name;
    nxe_str_t           min;        /* JSON numbers, inclusive; "": no bound */
    nxe_str_t           max;
    nxe_metric_kind_t   kind;
} nxe_metric_t;

/* 1 if a metric's name, its suffix apart, is of what the edge measures. */
int nxe_metric_measured(nxe_str_t name);


/* What the variants of a document do on a step, all together. */

typedef struct {
    nxe_str_t           name;
    uint8_t             params;     /* bit 1 << nxe_param_t: some arm edits */
    unsigned            body:1;     /* some arm edits the body */
    unsigned            changes:1;  /* some arm changes anything */
} nxe_step_t;


typedef struct {
    nxe_str_t           name;
    nxe_str_t           unit_type;
    nxe_source_t       *sources;
    uint32_t            nsources;
    nxe_str_t           salt;       /* "" hashes the unit alone */
    unsigned            risk_high:1;
    unsigned            trust_client:1;

    nxe_str_t           layer;
    nxe_frac_t          layer_from;
    nxe_frac_t          layer_to;

    nxe_target_t       *targeting;
    uint32_t            ntargeting;
    nxe_segment_t      *segments;
    uint32_t            nsegments;
    nxe_window_t       *windows;
    uint32_t            nwindows;

    nxe_step_t         *steps;
    uint32_t            nsteps;

    nxe_variant_t      *variants;
    uint32_t            nvariants;
    uint32_t            baseline;
    uint64_t            weight_den; /* 10^9, or n for n equal arms */
    nxe_effective_t    *effective;  /* [variant * nsteps + step] */

    nxe_metric_t       *metrics;    /* that come as feedback */
    uint32_t            nmetrics;

    uint8_t             ofrep_members;  /* bit 1 << nxe_param_t: remote
                                           evaluation may tell it; 0: the
                                           document has no flag */
    unsigned            ofrep_exposure:1;   /* evaluations are exposures */

    const char         *bytes;      /* what nxe_bytes_t point into; a worker
                                       uses its snapshot's base instead */
    size_t              bytes_len;

    /* as the file wishes it at creation */
    nxe_str_t           stage;
    nxe_frac_t          exposure;
    unsigned            has_exposure:1;

    nxe_str_t           owner;      /* "" if absent */
    const char         *unbuilt;    /* the first key that changes traffic and
                                       is not built yet: stage refuses; NULL */
} nxe_doc_t;


/* Faults of a document: all of them, up to NXE_FAULTS_MAX. */

#define NXE_FAULTS_MAX  64

typedef struct {
    char               *pointer;    /* JSON Pointer of the place */
    unsigned            at_key:1;   /* the member's name is at fault */
    char               *found;      /* short JSON text, or NULL */
    char               *expected;   /* "0 to 2", "a step in scope" */
    char               *near;       /* the nearest right word, or NULL */
} nxe_fault_t;

typedef struct {
    nxe_fault_t        *fault;      /* memory of mem */
    size_t              n;
    const nxe_mem_t    *mem;
} nxe_faults_t;

void nxe_faults_init(nxe_faults_t *faults, const nxe_mem_t *mem);

/*
 * Adds a fault; all strings are copied and may be NULL.  Beyond the maximum
 * it only counts.
 */
void nxe_faults_add(nxe_faults_t *faults, const char *pointer, int at_key,
    const char *found, const char *expected, const char *near);


/*
 * Where values live:
 *   NXE_DOC_FULL     what a user wrote: every key is checked, strings are
 *                    JSON-encoded into memory of mem, doc->bytes;
 *   NXE_DOC_SERVING  what a publisher wrote: only the keys of live traffic
 *                    are there, and each override's value (also inside
 *                    {"value", "when"}) and body operation's value is
 *                    {"at":[offset,len]} within bytes_len bytes.
 */

typedef enum { NXE_DOC_FULL, NXE_DOC_SERVING } nxe_doc_form_t;

/*
 * Builds a document from a tree.  All memory is mem's; nothing of the tree is
 * kept.  bytes is the document's part of the serving copy (NXE_DOC_SERVING),
 * whose values are checked again by type, else empty.
 * NXE_INVALID: faults has at least one entry.
 */
nxe_status_t nxe_doc_build(const cJSON *tree, nxe_doc_form_t form,
    nxe_str_t bytes, const nxe_mem_t *mem, nxe_faults_t *faults,
    nxe_doc_t **doc);

/*
 * Gives what has one meaning and several spellings the one that is stored:
 * the times of windows are in UTC.  The tree is one that nxe_doc_build() took.
 */
void nxe_doc_respell(cJSON *tree);

/*
 * Appends the serving form of a canonical document: the keys that live
 * traffic needs, values moved into bytes, where equal ones are stored once.
 */
nxe_status_t nxe_doc_serving(const cJSON *tree, nxe_buf_t *json,
    nxe_buf_t *bytes);

/*
 * 1 if going from document a to b changes what a unit gets (weights, order of
 * variants, baseline, hash, unit, targeting, layer, steps, windows' absence
 * of effect excepted, a variant's effective configuration), else 0.  what, if
 * not NULL, gets a static word for the first such change ("weights").
 */
int nxe_doc_changes_traffic(const cJSON *a, const cJSON *b,
    const char **what);

/*
 * The layer's ranges and the places where two documents could change the
 * same thing on one step: NXE_CONFLICT, with the sentence in err.
 * The layer check compares documents of one layer: same unit, disjoint ranges.
 */
nxe_status_t nxe_doc_conflict(const nxe_doc_t *a, const nxe_doc_t *b,
    nxe_error_t *err);

/* The index of a variant by name, or NXE_NONE. */
uint32_t nxe_doc_variant(const nxe_doc_t *doc, nxe_str_t name);

/* A metric that comes as feedback, by name, or NULL. */
const nxe_metric_t *nxe_doc_metric(const nxe_doc_t *doc, nxe_str_t name);

/* The index of a step by name, or NXE_NONE. */
uint32_t nxe_doc_step(const nxe_doc_t *doc, nxe_str_t name);

/*
 * Fills doc->effective, doc->steps[].params/body/changes from the variants'
 * own changes (called by nxe_doc_build).  NXE_NOMEM.
 */
nxe_status_t nxe_effective_build(nxe_doc_t *doc, const nxe_mem_t *mem);

/*
 * SECURITY 9: a header that a document may not touch.  name is lower case.
 * NULL if it may, else a static word for what is wrong.
 */
const char *nxe_header_refused(nxe_str_t lower, int response);

/*
 * 1 if a header, its name in any case, is one that the edge alone may say:
 * X-Experiment-*, also with "_" for "-".
 */
int nxe_header_ours(nxe_str_t name);

/* RFC 9110 token; tab and 0x20-0x7E, at most 4 KB. */
int nxe_header_name_ok(nxe_str_t name);
int nxe_header_value_ok(nxe_str_t value);


NXE_END_DECLS

#endif /* NXE_DOC_H */
