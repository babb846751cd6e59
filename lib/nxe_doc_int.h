/*
 * What the files of the document reader share.
 *
 * An object of a document is described by a table of keys, each with the
 * function that checks its value and, where it is kept, the member of the
 * result that it goes into.  A check adds faults and goes on, so that a user
 * sees all of them at once.
 */

#ifndef NXE_DOC_INT_H
#define NXE_DOC_INT_H

#include <nxe/buf.h>
#include <nxe/doc.h>

NXE_BEGIN_DECLS


/* Bounds on lists that a request walks, or that are compared in pairs. */
#define NXE_LIST_MAX       64
#define NXE_VALUES_MAX     1024
#define NXE_EDITS_MAX      256     /* of headers, of the body: all variants */
#define NXE_SEGMENTS_MAX   16
#define NXE_SEGMENT_MAX    32      /* values of one */

/* A number of a document, JSON-encoded, is never longer (nxe_tree.c). */
#define NXE_NUMBER_MAX     63


/* The place that is looked at: a chain of member names and indices. */

typedef struct nxe_at_s  nxe_at_t;

struct nxe_at_s {
    const nxe_at_t     *up;
    const char         *key;        /* NULL: index */
    size_t              index;
};

#define nxe_at_key(at, name)  ((nxe_at_t) { (at), (name), 0 })
#define nxe_at_index(at, i)   ((nxe_at_t) { (at), NULL, (i) })


typedef struct {
    nxe_doc_t          *doc;
    nxe_doc_form_t      form;
    nxe_str_t           in;         /* NXE_DOC_SERVING: the bytes */
    nxe_buf_t           out;        /* NXE_DOC_FULL: the bytes so far */
    const nxe_mem_t    *mem;
    nxe_faults_t       *faults;
    unsigned            nomem:1;

    /* what only the checks need to know of the document */
    const cJSON        *tree;
    unsigned            salt_given:1;
} nxe_doc_ctx_t;


typedef struct nxe_doc_key_s  nxe_doc_key_t;

typedef void (*nxe_doc_check_pt)(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);

#define NXE_KEY_REQUIRED  0x1
#define NXE_KEY_LIVE      0x2       /* legal in the serving form too */
#define NXE_KEY_KEPT      0x4       /* the check writes to out + offset */

struct nxe_doc_key_s {
    const char         *name;       /* NULL ends a table */
    nxe_doc_check_pt    check;
    unsigned            flags;
    size_t              offset;
    const void         *arg;        /* words, a range, an inner table */
};

#define nxe_key_kept(name, check, flags, type, member, arg)                   \
    { (name), (check), (flags) | NXE_KEY_KEPT, offsetof(type, member), (arg) }


/* What a number may be. */

typedef struct {
    const char         *lo;         /* NULL: no bound */
    const char         *hi;
    unsigned            above:1;    /* lo itself is out */
    unsigned            below:1;    /* hi itself is out */
    unsigned            integer:1;
    const char         *expected;
} nxe_doc_range_t;


/*
 * nxe_doc_check.c: tables, and faults with their place.
 */

/*
 * Checks an object against a table, in the table's order; what names it in
 * faults: "a variant".  Returns 1 if value is an object.
 */
int nxe_doc_object(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *keys, const char *what, void *out);

/* 1 if value is an array of min to max elements, else adds a fault. */
int nxe_doc_array(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    size_t min, size_t max, const char *expected);

/*
 * Nobody reads more faults than are kept: what follows is only counted, so
 * that a document of nothing but faults costs no more than a good one.
 */
#define nxe_doc_enough(c)  ((c)->faults->n >= NXE_FAULTS_MAX)

/* value is what was found there (NULL: nothing). */
void nxe_doc_fault(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const char *expected);
void nxe_doc_fault_key(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const char *expected, const char *near);
void nxe_doc_fault_near(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const char *expected, const char *near);
void nxe_doc_faultf(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const char *fmt, ...) NXE_PRINTF(4, 5);

/* Values that are so many levels below, at most max. */
size_t nxe_doc_count(const cJSON *value, int levels, size_t max);

/* Zeroed memory; NULL also marks the context. */
void *nxe_doc_calloc(nxe_doc_ctx_t *c, size_t n, size_t size);

/* A copy of a string, followed by a zero byte. */
nxe_str_t nxe_doc_copy(nxe_doc_ctx_t *c, const char *s);

/* A copy of a tree's string in lower case (ASCII). */
nxe_str_t nxe_doc_lower(nxe_doc_ctx_t *c, nxe_str_t s);

void nxe_doc_unbuilt(nxe_doc_ctx_t *c, const char *what);

/*
 * nxe_doc_kinds.c: checks for tables.
 */


void nxe_doc_text(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out);
void nxe_doc_name(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out);
void nxe_doc_names(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out);
void nxe_doc_bool(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out);
void nxe_doc_word(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out);
void nxe_doc_number(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out);
void nxe_doc_share(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out);
void nxe_doc_duration(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);

/* Adds a fault unless value is one of a NULL-ended list; the index or -1. */
int nxe_doc_one_of(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const char *const *words);

/* A fault of what should be a number; expected is that of a range. */
void nxe_doc_fault_number(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const char *expected);

/* 1 if a JSON number's spelling is in the range. */
int nxe_doc_in_range(nxe_str_t spelling, const nxe_doc_range_t *range);


/* The nearest of some words, if any is near enough to be a slip. */

typedef struct {
    const char         *word;
    const char         *best;
    size_t              distance;
} nxe_near_t;

void nxe_near_init(nxe_near_t *near, const char *word);
void nxe_near_try(nxe_near_t *near, const char *candidate);


/*
 * The parts of a document.
 */

/* nxe_doc_unit.c */
void nxe_doc_unit(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out);
void nxe_doc_source(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out);
/* 1 if name is one of an nginx variable, without "$". */
int nxe_variable_ok(nxe_str_t name);

void nxe_doc_hash(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out);
void nxe_doc_layer(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out);

/* nxe_doc_target.c */
void nxe_doc_targeting(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
void nxe_doc_date(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out);
void nxe_doc_windows(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);

/* nxe_doc_segment.c */
void nxe_doc_segments(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);

/* nxe_doc_variants.c */
void nxe_doc_variants(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);

void nxe_doc_baseline(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);

/* nxe_doc_changes.c: the changes of a variant */

/* The names of nxe_param_t in its order, ended by NULL. */
extern const char *const  nxe_param_words[];

void nxe_doc_overrides(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
void nxe_doc_route(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out);
void nxe_doc_mcp(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out);
void nxe_doc_tools(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out);

/* Calls each() with a value that may be one object or a list of them. */

typedef void (*nxe_doc_each_pt)(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, void *out);
void nxe_doc_objects(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, nxe_doc_each_pt each, void *out);

/* A step in scope, into a uint32_t. */
void nxe_doc_step_ref(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);

/* A value that is looked at when its neighbours are known. */
void nxe_doc_node(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out);

/* nxe_doc_body.c */
void nxe_doc_body(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out);

/* 1 if the pointer inner is outer, or of a place within it. */
int nxe_pointer_within(nxe_str_t inner, nxe_str_t outer);

/* nxe_doc_header.c */
void nxe_doc_headers(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);

/* nxe_doc_value.c: what goes into a body */
void nxe_doc_param_value(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, nxe_param_t param, nxe_bytes_t *bytes);
void nxe_doc_any_value(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, nxe_bytes_t *bytes);

/* nxe_doc_endpoint.c: what the endpoints read */
void nxe_doc_metrics(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
void nxe_doc_ofrep(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out);

/* nxe_doc_plan.c: what analysis reads */
void nxe_doc_guardrails(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
void nxe_doc_design(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out);
void nxe_doc_decision(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
void nxe_doc_sources(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);


/* nxe_doc_compare.c: 1 if the units are of one type from the same sources */
int nxe_doc_units_eq(const nxe_doc_t *a, const nxe_doc_t *b);


NXE_END_DECLS

#endif /* NXE_DOC_INT_H */
