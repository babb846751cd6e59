/*
 * Targeting and windows: whether an experiment is for this request at all.
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
 * needs the body; NXE_NOMEM.
 */
nxe_status_t nxe_target_holds(const nxe_doc_t *doc, const nxe_request_t *r,
    int *holds);

/* 1 if the document has no windows, or now is in one of them. */
int nxe_target_window(const nxe_doc_t *doc, int64_t now);


NXE_END_DECLS

#endif /* NXE_TARGET_H */
