/*
 * Memory released all at once.
 */

#ifndef NXE_ARENA_H
#define NXE_ARENA_H

#include <nxe/base.h>

NXE_BEGIN_DECLS


typedef struct nxe_arena_s  nxe_arena_t;

/* An empty arena over malloc(); NULL when there is no memory. */
nxe_arena_t *nxe_arena_new(void);

/* Releases the arena and all that was allocated from it; NULL is allowed. */
void nxe_arena_free(nxe_arena_t *arena);

/* The arena as an allocator.  It lives as long as the arena does. */
const nxe_mem_t *nxe_arena_mem(nxe_arena_t *arena);


NXE_END_DECLS

#endif /* NXE_ARENA_H */
