/*
 * Targeting and windows: whether an experiment is for this request at all.
 * Segments: which part of the traffic it is of.
 */

#ifndef NXE_TARGET_H
#define NXE_TARGET_H

#include <nxe/assign.h>
#include <nxe/base.h>
#include <nxe/doc.h>

NXE_BEGIN_DECLS


/*
 * *holds is 1 if every condition of doc->targeting holds.  An attribute that
 * is not there meets nothing but "exists": false.  NXE_AGAIN: a condition
 * needs the body; NXE_NOMEM, also where there is a pattern and r->scratch is
 * NULL.
 */
nxe_status_t nxe_target_holds(const nxe_doc_t *doc, const nxe_request_t *r,
    int *holds);

/* 1 if the document has no windows, or now is in one of them. */
int nxe_target_window(const nxe_doc_t *doc, int64_t now);

/*
 * What the request has (found), and what of it is logged (value): the same, or
 * "other" where the document lists values and it is none of them.  NXE_DECLINED
 * where there is nothing, NXE_AGAIN in a body not read yet, NXE_NOMEM.
 */
nxe_status_t nxe_segment_find(const nxe_segment_t *segment,
    const nxe_request_t *r, nxe_str_t *found, nxe_str_t *value);


NXE_END_DECLS

#endif /* NXE_TARGET_H */
