/*
 * JSON as bytes: one strict validating pass over a text in any number of
 * segments, which finds the members asked for and reports them as byte
 * spans.  No tree is built and nothing is allocated.
 *
 * Strict is RFC 8259: UTF-8, no byte order mark, one value, nothing behind
 * it but white space.
 */

#ifndef NXE_JSON_H
#define NXE_JSON_H

#include <nxe/base.h>

NXE_BEGIN_DECLS


#define NXE_JSON_DEPTH  512

typedef enum {
    NXE_JSON_OK = 0,
    NXE_JSON_MALFORMED,     /* syntax */
    NXE_JSON_UTF8,          /* not UTF-8, a byte order mark, a NUL byte */
    NXE_JSON_ROOT,          /* the root is no object, and had to be one */
    NXE_JSON_DEEP,          /* nested deeper than NXE_JSON_DEPTH */
    NXE_JSON_DUPLICATE      /* a member to be edited occurs twice */
} nxe_json_cause_t;

typedef enum {
    NXE_JSON_NONE = 0,      /* not there */
    NXE_JSON_NULL,
    NXE_JSON_BOOL,
    NXE_JSON_NUMBER,
    NXE_JSON_STRING,
    NXE_JSON_ARRAY,
    NXE_JSON_OBJECT
} nxe_json_type_t;

/* Offsets of bytes in the whole text; end is behind the last one. */

typedef struct {
    size_t              start;
    size_t              end;
} nxe_span_t;


/*
 * What to look for: a tree of member names and array indices, whose root is
 * the value itself.  The caller owns the nodes; the scan fills the results.
 */

typedef struct nxe_json_node_s  nxe_json_node_t;

struct nxe_json_node_s {
    nxe_str_t           name;       /* member name (unescaped) or index */
    uint32_t            index;      /* name as an array index, or no index */
    nxe_json_node_t    *child;
    nxe_json_node_t    *next;       /* sibling */
    nxe_json_node_t    *parent;
    unsigned            edit:1;     /* it, or something in it, is edited: if
                                       it occurs twice, NXE_JSON_DUPLICATE;
                                       else it, and what is in it, counts as
                                       not there */

    /* results */
    unsigned            twice:1;
    unsigned            nonempty:1; /* containers: has a member or element */
    nxe_json_type_t     type;
    uint32_t            count;      /* of an array's elements */
    nxe_span_t          key;        /* with its quotes; empty in arrays */
    nxe_span_t          value;

    struct nxe_mark_s  *mark;       /* what is planned: nxe_plan.c */
};

#define NXE_JSON_NO_INDEX  UINT32_MAX

/*
 * Adds (or finds) the node that an RFC 6901 pointer names below root, with
 * memory from mem; tokens without escapes are borrowed.  "" is root itself.
 * NXE_INVALID: not a pointer, more than NXE_JSON_POINTER_DEPTH tokens, or one
 * of more than NXE_JSON_TOKEN_MAX bytes; NXE_NOMEM.
 */
#define NXE_JSON_POINTER_DEPTH  32
#define NXE_JSON_TOKEN_MAX      256

nxe_status_t nxe_json_target(nxe_json_node_t *root, nxe_str_t pointer,
    const nxe_mem_t *mem, nxe_json_node_t **node);

/* Adds (or finds) one child of parent; NULL when there is no memory. */
nxe_json_node_t *nxe_json_child(nxe_json_node_t *parent, nxe_str_t name,
    const nxe_mem_t *mem);

/* Marks a node and those above it as edited. */
void nxe_json_edit(nxe_json_node_t *node);

/* NXE_OK if s is a pointer that nxe_json_target() takes, else NXE_INVALID. */
nxe_status_t nxe_json_pointer_check(nxe_str_t s);


/* A text in segments, in order; empty segments are allowed. */

typedef struct {
    const nxe_str_t    *segs;
    size_t              n;
} nxe_text_t;

typedef struct {
    nxe_json_cause_t    cause;
    size_t              offset;     /* of the byte at which the scan gave up */
    const char         *expected;   /* static text, "a value"; NULL if OK */
    unsigned            ambiguous:1;    /* nxe_json_scan_members() */
} nxe_json_result_t;

#define NXE_JSON_ROOT_OBJECT  0x1   /* NXE_JSON_ROOT unless it is an object */

/*
 * What the scan may use of the processor; nothing of it: what every one of
 * the architecture has.  The answer is the same.
 */
#define NXE_JSON_PORTABLE     0x10
#define NXE_JSON_AVX2         0x20
#define NXE_JSON_AVX512       0x30
#define NXE_JSON_CPU          0xf0

/*
 * The flag of an implementation by name ("portable", "sse2", "neon", "avx2",
 * "avx512"), or, where name is NULL, of the fastest one here.  NXE_DECLINED:
 * there is none of that name, or this processor cannot run it.
 */
nxe_status_t nxe_json_cpu(const char *name, unsigned *flag);

/*
 * The pass.  root may be NULL (validate only).  The cause is also the return
 * value.  Node results are written as they are found and mean something only
 * when NXE_JSON_OK comes back.
 */
nxe_json_cause_t nxe_json_scan(const nxe_text_t *text, nxe_json_node_t *root,
    unsigned flags, nxe_json_result_t *result);

/*
 * The same, and result->ambiguous is 1 if any member occurs twice in its
 * object, at any depth, targets or not.  mem is used for escaped names and
 * for objects of many members, at most 2 MB and the length of the text.  It
 * is also 1 where that cannot be told: no memory, or more than 65,536 members
 * in large objects.
 */
nxe_json_cause_t nxe_json_scan_members(const nxe_text_t *text,
    nxe_json_node_t *root, unsigned flags, const nxe_mem_t *mem,
    nxe_json_result_t *result);

/* The word of a cause in the log: "malformed", "utf8", ...; "" for OK. */
const char *nxe_json_cause_name(nxe_json_cause_t cause);


/*
 * The place of the first byte that is no white space at or behind at, or, by
 * nxe_text_back(), before it; *c is that byte.  There has to be one.
 */
size_t nxe_text_ahead(const nxe_text_t *text, size_t at, char *c);
size_t nxe_text_back(const nxe_text_t *text, size_t at, char *c);

/* Copies the bytes of a span to out, which has room for them. */
void nxe_text_copy(const nxe_text_t *text, nxe_span_t span, char *out);

/*
 * The bytes of a span.  If they lie in one segment they are borrowed from it;
 * else they are joined in mem.  NXE_NOMEM.
 */
nxe_status_t nxe_text_span(const nxe_text_t *text, nxe_span_t span,
    const nxe_mem_t *mem, nxe_str_t *out);

/*
 * Unescapes a JSON string (span with its quotes, already scanned) into mem.
 * Borrows where nothing is escaped.  NXE_INVALID: a lone surrogate, or more
 * than max bytes.
 */
nxe_status_t nxe_json_unescape(nxe_str_t quoted, size_t max,
    const nxe_mem_t *mem, nxe_str_t *out);

/* The same into max bytes of the caller's. */
nxe_status_t nxe_json_unescape_to(nxe_str_t quoted, char *out, size_t max,
    size_t *len);

/* 1 if the scanned JSON string, unescaped, is s; a lone surrogate is not. */
int nxe_json_string_eq(nxe_str_t quoted, nxe_str_t s);

/* 1 if two scanned JSON strings are equal once unescaped. */
int nxe_json_strings_eq(nxe_str_t quoted_a, nxe_str_t quoted_b);

/*
 * 1 if the bytes are valid UTF-8 (RFC 3629: no surrogates, nothing above
 * U+10FFFF, shortest form).
 */
int nxe_utf8_ok(nxe_str_t s);

/* The length of the UTF-8 sequence at s.data[i], 0 if there is none. */
size_t nxe_utf8_len(nxe_str_t s, size_t i);


/*
 * Walks the members of an object or the elements of an array in a text that
 * the scan has passed, one level at a time.  Borrows from the text.
 *
 *     nxe_json_walk_t  w;
 *     for (nxe_json_walk(&w, object); nxe_json_walk_next(&w); ) {
 *         ... w.key (with quotes), w.value, w.type ...
 *     }
 */

typedef struct {
    const char         *p;
    const char         *end;
    nxe_str_t           key;
    nxe_str_t           value;
    nxe_json_type_t     type;
} nxe_json_walk_t;

void nxe_json_walk(nxe_json_walk_t *w, nxe_str_t container);
int nxe_json_walk_next(nxe_json_walk_t *w);


NXE_END_DECLS

#endif /* NXE_JSON_H */
