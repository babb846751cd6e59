/*
 * What the files of the JSON scan share.
 */

#ifndef NXE_JSON_INT_H
#define NXE_JSON_INT_H

#include <string.h>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

#include <nxe/json.h>

NXE_BEGIN_DECLS


/*
 * What a processor does faster than the bytewise code.  Both functions pass
 * over bytes that they have found valid and return where the bytewise code
 * goes on; whatever they doubt they leave to it, so that a cause and its
 * offset come from one place.
 *
 * string(): p is behind the opening quote, or at any later character of the
 * string.  Returns the closing quote, or the start of a character or escape.
 *
 * numbers(): p is where an element of an array may begin.  Returns a place
 * behind a comma, or p.
 */

typedef struct {
    const unsigned char *(*string)(const unsigned char *p,
                                   const unsigned char *end, int *escaped);
    const unsigned char *(*numbers)(const unsigned char *p,
                                    const unsigned char *end);
    unsigned              sse2;     /* nxe_scan_short() may be used */
} nxe_json_kernel_t;

/* The kernel of the processor in flags. */
const nxe_json_kernel_t *nxe_json_kernel(unsigned flags);

#if defined(__x86_64__)

extern const nxe_json_kernel_t  nxe_json_avx2;
extern const nxe_json_kernel_t  nxe_json_avx512;

/* string() of SSE2, for what is shorter than a turn of the wide ones */
const unsigned char *nxe_json_sse2(const unsigned char *p,
    const unsigned char *end, int *escaped);

#endif


/*
 * Members of open objects, by the hash of their unescaped names.  Equal names
 * have equal hashes, so nothing is missed; two names that share 64 bits are
 * taken for one, which a client can bring about only for its own body.
 *
 * Small objects are searched where they lie on the stack.  From
 * NXE_MEMBERS_SMALL members on, and where the stack is full, an object's
 * members go into one table for all such objects.
 */

#define NXE_MEMBERS_SMALL  32
#define NXE_MEMBERS_STACK  256
#define NXE_MEMBERS_MAX    (1u << 17)   /* slots of the table: 1 MB */
#define NXE_MEMBERS_PROBES 128

typedef struct {
    uint32_t              start;        /* of its hashes on the stack */
    uint32_t              serial;       /* of an object in the table, or 0 */
} nxe_members_frame_t;

typedef struct {
    const nxe_mem_t      *mem;          /* NULL: nobody asks */
    unsigned              twice;
    uint32_t              top;
    uint32_t              serial;
    uint64_t             *table;
    uint32_t              size;         /* a power of 2 */
    uint32_t              used;
    uint64_t              stack[NXE_MEMBERS_STACK];
    nxe_members_frame_t   frames[NXE_JSON_DEPTH + 1];   /* by depth */
} nxe_members_t;

/* An object at a depth begins; it ends by top going back to its start. */

#define nxe_members_open(m, depth)                                            \
    ((m)->frames[depth].start = (m)->top, (m)->frames[depth].serial = 0)

#define nxe_members_close(m, depth)                                           \
    ((m)->top = (m)->frames[depth].start)

/* A member of the object at a depth; key is quoted, and scanned. */
void nxe_members_add(nxe_members_t *m, unsigned depth, nxe_str_t key,
    int escaped);


/*
 * What stands between two values of an array of objects, and comes again:
 *
 *     {"role":"user","content":"..."},{"role":"assistant","content":"..."}
 *                                   ^----------------------------^
 *
 * One object is closed and the next one opened.  Where the same bytes come
 * again in such a place they mean the same, and one comparison does for their
 * values, names and hashes.  They are borrowed from the text.
 */

#define NXE_REPEATS         4
#define NXE_REPEAT_LEN      64
#define NXE_REPEAT_VALUE    24      /* longer ones are not expected again */
#define NXE_REPEAT_MEMBERS  4
#define NXE_REPEAT_LESSONS  64      /* for texts that repeat nothing */

typedef struct {
    const unsigned char  *start;
    size_t                len;
    uint32_t              n;        /* members that the new object has */
    uint64_t              hashes[NXE_REPEAT_MEMBERS];
} nxe_repeat_t;

typedef struct {
    unsigned              n;
    unsigned              last;     /* used or learned */
    unsigned              lessons;  /* left */
    unsigned              depth;    /* of what is being learned, or 0 */
    unsigned              noted;    /* some of it is */
    size_t                from;     /* where it began in the text */
    size_t                to;       /* where it ended the last time */
    nxe_repeat_t          slots[NXE_REPEATS];
} nxe_repeats_t;


/*
 * The scan runs over segments without joining them: a body arrives in what
 * came with the header and the rest, and joining it would cost a copy.
 *
 * A fault of syntax or encoding ends the scan.  A root that is no object and
 * a duplicate target are reported only when nothing of that kind follows, so
 * that the cause does not depend on what comes first.
 */

typedef struct {
    const unsigned char      *p;
    const unsigned char      *end;
    const unsigned char      *base;     /* of this segment */
    size_t                    offset;   /* of base in the text */
    const nxe_str_t          *seg;      /* the next segment */
    const nxe_str_t          *last;
    const nxe_text_t         *text;
    const nxe_json_kernel_t  *kernel;
    nxe_members_t            *members;

    unsigned                  depth;
    uint64_t                  objects[NXE_JSON_DEPTH / 64];
    /* the node and the element index of each open container that is or leads
       to a target; deeper ones have none */
    nxe_json_node_t          *nodes[NXE_JSON_POINTER_DEPTH + 2];
    uint32_t                  index[NXE_JSON_POINTER_DEPTH + 2];

    nxe_repeats_t             repeats;

    nxe_json_node_t          *node;     /* of the value that comes, or NULL */
    nxe_json_cause_t          pending;
    size_t                    pending_at;
    const char               *expected;
} nxe_scan_t;


#define nxe_scan_at(s)     ((s)->offset + (size_t) ((s)->p - (s)->base))
#define nxe_scan_have(s)   ((s)->p != (s)->end || nxe_scan_more(s))


/* nxe_json_token.c: each begins at its first byte, and ends behind its last. */

nxe_json_cause_t nxe_scan_string_rest(nxe_scan_t *s, int *escaped);
nxe_json_cause_t nxe_scan_number(nxe_scan_t *s);
nxe_json_cause_t nxe_scan_literal(nxe_scan_t *s, const char *word);

/* The next segment that is not empty; 0 at the end of the text. */
int nxe_scan_more(nxe_scan_t *s);

/*
 * A fault of syntax, unless the byte is none of a UTF-8 text: a zero byte, a
 * byte order mark, the start of an invalid sequence.
 */
nxe_json_cause_t nxe_scan_refuse(nxe_scan_t *s, const char *expected);


/* nxe_json_repeat.c */

/* Behind a value: 1 if what follows is known, and passed; a value comes. */
int nxe_repeat_pass(nxe_scan_t *s);

/* Before a value: what has come since the end of the one before, at from. */
void nxe_repeat_learn(nxe_scan_t *s, size_t from);


/* Passes white space; 0 at the end of the text. */

static inline int
nxe_scan_space(nxe_scan_t *s)
{
    while (nxe_scan_have(s)) {
        if (*s->p > ' ' || (*s->p != ' ' && *s->p != '\n' && *s->p != '\r'
                            && *s->p != '\t'))
        {
            return 1;
        }

        s->p++;
    }

    return 0;
}


#if defined(__x86_64__)

/*
 * Most strings of a body, all its names among them, end within 16 bytes: no
 * call, no mask of more.  Returns the closing quote, NULL if it is not so.
 */

static inline const unsigned char *
nxe_scan_short(const unsigned char *p)
{
    unsigned  special;
    __m128i   x;

    x = _mm_loadu_si128((const __m128i *) (const void *) p);

    special = (unsigned) _mm_movemask_epi8(
                  _mm_or_si128(_mm_cmplt_epi8(x, _mm_set1_epi8(0x20)),
                      _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('"')),
                                   _mm_cmpeq_epi8(x,
                                                  _mm_set1_epi8('\\')))));

    if (special == 0) {
        return NULL;
    }

    p += __builtin_ctz(special);

    return *p == '"' ? p : NULL;
}

#endif


/* From the opening quote to behind the closing one. */

static inline nxe_json_cause_t
nxe_scan_string(nxe_scan_t *s, int *escaped)
{
#if defined(__x86_64__)

    const unsigned char  *quote;

    if (s->kernel->sse2 && s->end - s->p > 16) {
        quote = nxe_scan_short(s->p + 1);

        if (quote != NULL) {
            *escaped = 0;
            s->p = quote + 1;
            return NXE_JSON_OK;
        }
    }

#endif

    *escaped = 0;
    s->p = s->kernel->string(s->p + 1, s->end, escaped);

    if (s->p != s->end && *s->p == '"') {
        s->p++;
        return NXE_JSON_OK;
    }

    return nxe_scan_string_rest(s, escaped);
}


NXE_END_DECLS

#endif /* NXE_JSON_INT_H */
