/*
 * Picks values out of JSON as it comes, in any chunking and of any length,
 * without keeping it: one pass that skips strings by memchr(), tells what is
 * asked for and lets the rest go by.
 *
 * It is no validator: the structure has to be that of RFC 8259, but what is
 * in strings is not looked at, and a number is any of its characters.  Who
 * edits or refuses uses nxe_json_scan().
 */

#ifndef NXE_PICK_H
#define NXE_PICK_H

#include <nxe/base.h>
#include <nxe/json.h>

NXE_BEGIN_DECLS


/*
 * What is looked for: lists that end with a name of no data.  The name "*"
 * stands for each element of an array.  A field of 0 is not told.
 */

typedef struct nxe_pick_node_s  nxe_pick_node_t;

struct nxe_pick_node_s {
    nxe_str_t               name;
    unsigned                field;
    const nxe_pick_node_t  *in;         /* members or elements, or NULL */
};

#define nxe_pick_end_of_list  { { NULL, 0 }, 0, NULL }

#define NXE_PICK_TEXT   512     /* bytes of a value that chunks cut: more of
                                   it is not told */
#define NXE_PICK_DEPTH  8       /* levels at which something is looked for */

/*
 * A value: a string with its quotes, a number, true, false, null.  A
 * container is told when it opens, with no text, and once more, with some,
 * if it turns out not to be empty.  text is valid during the call; where it
 * lies in what was fed, so does the key before it.
 */

typedef void (*nxe_pick_pt)(void *ctx, unsigned field, nxe_json_type_t type,
    nxe_str_t text);

typedef struct {
    const nxe_pick_node_t  *root;
    nxe_pick_pt             tell;
    unsigned                other;      /* field of what is not asked for */
    void                   *ctx;

    unsigned                state;
    unsigned                depth;
    const nxe_pick_node_t  *node;       /* of the value that comes; or NULL */
    const nxe_pick_node_t  *at[NXE_PICK_DEPTH + 1];     /* of containers */
    uint64_t                objects[NXE_JSON_DEPTH / 64];

    const char             *token;      /* where it began, in this chunk */
    const char             *key;        /* the last one, in this chunk */
    unsigned                escaped:1;  /* the next byte of a string is */
    unsigned                string:1;   /* the token is one */
    unsigned                held:1;     /* some of it is in text */
    size_t                  len;
    char                    text[NXE_PICK_TEXT];
} nxe_pick_t;

/*
 * root is the object that the value has to be.  other is the field of strings,
 * numbers and words that nobody asks for, or 0.
 */
void nxe_pick_init(nxe_pick_t *k, const nxe_pick_node_t *root,
    nxe_pick_pt tell, unsigned other, void *ctx);

/* Begins anew, with another value. */
void nxe_pick_reset(nxe_pick_t *k);

void nxe_pick_feed(nxe_pick_t *k, nxe_str_t bytes);

/*
 * 1 if the escapes of a string that was told are those of JSON: what unescapes
 * it relies on that.
 */
int nxe_pick_escapes_ok(nxe_str_t quoted);

/* The quote that ends a string of which p is the first byte; NULL: none. */
const char *nxe_pick_quote(const char *p, const char *end);

/* Behind a number or a word, NULL if it may go on. */
const char *nxe_pick_scalar(const char *p, const char *end);

/* NXE_OK: what was fed is one whole object; else NXE_INVALID. */
nxe_status_t nxe_pick_done(const nxe_pick_t *k);


NXE_END_DECLS

#endif /* NXE_PICK_H */
