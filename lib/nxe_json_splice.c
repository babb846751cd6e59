#include <nxe/splice.h>


/* The place of a reader in a text of segments. */

typedef struct {
    const nxe_text_t   *text;
    size_t              seg;
    size_t              pos;        /* in the segment */
    size_t              at;         /* in the text */
} nxe_splice_at_t;


static nxe_status_t nxe_splice_pass(nxe_splice_at_t *at, size_t end,
    nxe_splice_pt emit, void *ctx);
static nxe_status_t nxe_splice_emit(nxe_str_t s, nxe_splice_pt emit,
    void *ctx);


nxe_status_t
nxe_splice_order(nxe_edit_t *edits, size_t n)
{
    size_t      i, j;
    nxe_edit_t  e;

    /*
     * A handful of edits: insertion keeps the order of equal places.  What
     * only inserts comes before what begins there.
     */

    for (i = 1; i < n; i++) {
        e = edits[i];

        for (j = i; j > 0; j--) {
            if (edits[j - 1].start < e.start
                || (edits[j - 1].start == e.start
                    && edits[j - 1].end <= e.end))
            {
                break;
            }

            edits[j] = edits[j - 1];
        }

        edits[j] = e;
    }

    for (i = 1; i < n; i++) {
        if (edits[i].start < edits[i - 1].end) {
            return NXE_INVALID;
        }
    }

    return NXE_OK;
}


size_t
nxe_splice_len(const nxe_edit_t *edits, size_t n, size_t len)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        len -= edits[i].end - edits[i].start;
        len += edits[i].head.len + edits[i].bytes.len + edits[i].tail.len;
    }

    return len;
}


size_t
nxe_splice_small(const nxe_text_t *text, const nxe_edit_t *edits, size_t n,
    size_t max)
{
    size_t  i, k, at, start, end, len, small;

    small = 0;
    at = 0;
    start = 0;              /* of the bytes that are passed on next */
    k = 0;

    for (i = 0; i <= n; i++) {

        if (i < n) {
            small += edits[i].head.len <= max ? edits[i].head.len : 0;
            small += edits[i].bytes.len <= max ? edits[i].bytes.len : 0;
            small += edits[i].tail.len <= max ? edits[i].tail.len : 0;
        }

        end = i < n ? edits[i].start : SIZE_MAX;

        while (k < text->n && start < end) {
            len = at + text->segs[k].len;
            len = (len < end ? len : end) - (start > at ? start : at);

            if (start >= at + text->segs[k].len) {
                at += text->segs[k++].len;
                continue;
            }

            small += len <= max ? len : 0;
            start += len;
        }

        if (i < n) {
            start = edits[i].end;
        }
    }

    return small;
}


nxe_status_t
nxe_splice(const nxe_text_t *text, const nxe_edit_t *edits, size_t n,
    nxe_splice_pt emit, void *ctx)
{
    size_t           i;
    nxe_status_t     rc;
    nxe_splice_at_t  at;

    at.text = text;
    at.seg = 0;
    at.pos = 0;
    at.at = 0;

    for (i = 0; i < n; i++) {
        rc = nxe_splice_pass(&at, edits[i].start, emit, ctx);

        if (rc == NXE_OK) {
            rc = nxe_splice_emit(edits[i].head, emit, ctx);
        }

        if (rc == NXE_OK) {
            rc = nxe_splice_emit(edits[i].bytes, emit, ctx);
        }

        if (rc == NXE_OK) {
            rc = nxe_splice_emit(edits[i].tail, emit, ctx);
        }

        if (rc == NXE_OK) {
            rc = nxe_splice_pass(&at, edits[i].end, NULL, NULL);
        }

        if (rc != NXE_OK) {
            return rc;
        }
    }

    return nxe_splice_pass(&at, SIZE_MAX, emit, ctx);
}


/* Emits the text up to end, or drops it where emit is NULL. */

static nxe_status_t
nxe_splice_pass(nxe_splice_at_t *at, size_t end, nxe_splice_pt emit,
    void *ctx)
{
    size_t            n;
    nxe_str_t         s;
    nxe_status_t      rc;
    const nxe_str_t  *seg;

    while (at->at < end && at->seg < at->text->n) {

        seg = &at->text->segs[at->seg];
        n = seg->len - at->pos;

        if (n > end - at->at) {
            n = end - at->at;
        }

        if (emit != NULL && n != 0) {
            s.data = seg->data + at->pos;
            s.len = n;

            rc = nxe_splice_emit(s, emit, ctx);
            if (rc != NXE_OK) {
                return rc;
            }
        }

        at->at += n;
        at->pos += n;

        if (at->pos == seg->len) {
            at->seg++;
            at->pos = 0;
        }
    }

    return NXE_OK;
}


static nxe_status_t
nxe_splice_emit(nxe_str_t s, nxe_splice_pt emit, void *ctx)
{
    return s.len != 0 ? emit(ctx, s) : NXE_OK;
}
