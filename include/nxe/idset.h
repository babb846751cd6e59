/*
 * A set of 16-byte ids, each with the number under which it came: 0, 1, 2,
 * and so on, so that what belongs to an id can be kept in a plain array.
 *
 * It takes 16 bytes an id and 8 a slot, with at least a quarter of the slots
 * free.
 */

#ifndef NXE_IDSET_H
#define NXE_IDSET_H

#include <nxe/base.h>

NXE_BEGIN_DECLS


#define NXE_IDSET_ID   16
#define NXE_IDSET_MAX  0xfffffff0u

typedef struct {
    uint64_t           *slots;      /* tag << 32 | number + 1; 0: free */
    unsigned char     (*ids)[NXE_IDSET_ID];
    size_t              nslots;     /* a power of two, or 0 */
    size_t              nids;       /* room in ids */
    uint32_t            n;
} nxe_idset_t;

void nxe_idset_init(nxe_idset_t *set);
void nxe_idset_free(nxe_idset_t *set);

/*
 * Finds or adds an id and gives its number; added (may be NULL) says which.
 * NXE_NOMEM; NXE_INVALID: NXE_IDSET_MAX ids are there.  Either leaves the set
 * as it was.
 */
nxe_status_t nxe_idset_add(nxe_idset_t *set,
    const unsigned char id[NXE_IDSET_ID], uint32_t *number, int *added);

/* The number of an id.  NXE_DECLINED: it is not there. */
nxe_status_t nxe_idset_find(const nxe_idset_t *set,
    const unsigned char id[NXE_IDSET_ID], uint32_t *number);


NXE_END_DECLS

#endif /* NXE_IDSET_H */
