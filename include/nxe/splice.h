/*
 * Byte edits: a text in segments and a list of edits become an ordered list
 * of slices.  Bytes that no edit covers are passed on as they are.
 */

#ifndef NXE_SPLICE_H
#define NXE_SPLICE_H

#include <nxe/base.h>
#include <nxe/json.h>

NXE_BEGIN_DECLS


/* Bytes [start, end) of the text give way to head, bytes and tail, in turn. */

typedef struct {
    size_t              start;
    size_t              end;
    nxe_str_t           head;       /* punctuation: a comma, a key */
    nxe_str_t           bytes;
    nxe_str_t           tail;
} nxe_edit_t;

/*
 * Orders the edits (insertions at one place keep the order that they were
 * given in) and refuses overlapping ones: NXE_INVALID.
 */
nxe_status_t nxe_splice_order(nxe_edit_t *edits, size_t n);

/* The length of the result of ordered edits on a text of len bytes. */
size_t nxe_splice_len(const nxe_edit_t *edits, size_t n, size_t len);

/* How many bytes of the result come in slices of at most max bytes. */
size_t nxe_splice_small(const nxe_text_t *text, const nxe_edit_t *edits,
    size_t n, size_t max);

/*
 * Calls emit() with each slice of the result in order; none is empty.  Slices
 * borrow from the text and the edits.  Returns what emit() returned last:
 * anything but NXE_OK stops.
 */
typedef nxe_status_t (*nxe_splice_pt)(void *ctx, nxe_str_t slice);

nxe_status_t nxe_splice(const nxe_text_t *text, const nxe_edit_t *edits,
    size_t n, nxe_splice_pt emit, void *ctx);


NXE_END_DECLS

#endif /* NXE_SPLICE_H */
