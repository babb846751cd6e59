/*
 * How many different units were seen: HyperLogLog (Flajolet, Fusy, Gandouet,
 * Meunier 2007) over 64-bit hashes, 4096 registers of a byte each, whose
 * relative standard error is 1.04 / sqrt(4096) = 1.6 %.  The estimate is
 * Ertl's (2017, "New cardinality estimation algorithms for HyperLogLog
 * sketches", algorithm 6), which needs no correction for small counts.
 *
 * Registers only grow, and sketches merge by the greater of each, so that the
 * order of adding and merging changes nothing.
 */

#ifndef NXE_HLL_H
#define NXE_HLL_H

#include <nxe/base.h>

NXE_BEGIN_DECLS


#define NXE_HLL_BITS       12
#define NXE_HLL_REGISTERS  (1u << NXE_HLL_BITS)
#define NXE_HLL_ERROR      0.01625      /* 1.04 / sqrt(4096) */

/* An empty sketch is all zero bytes. */

typedef struct {
    uint8_t             registers[NXE_HLL_REGISTERS];
} nxe_hll_t;

/*
 * Adds a hash, whose bits are uniform.  Several processes may add to one
 * sketch at once, without a lock; nothing of what they add is lost.
 */
void nxe_hll_add(nxe_hll_t *h, uint64_t hash);

void nxe_hll_merge(nxe_hll_t *to, const nxe_hll_t *from);

/* How many different hashes were added, about. */
double nxe_hll_count(const nxe_hll_t *h);


NXE_END_DECLS

#endif /* NXE_HLL_H */
