/*
 * Names of experiments as $experiment_variant_NAME has them: lower case, with
 * - and . as _.  No two may be equal there.
 */

#ifndef NXE_CLI_NAMES_H
#define NXE_CLI_NAMES_H

#include <nxe/base.h>


typedef struct names_s  names_t;

/* Room for so many; all memory is mem's, which outlives them.  NULL. */
names_t *names_new(const nxe_mem_t *mem, size_t size);

/* Borrows the name. */
nxe_status_t names_add(names_t *names, nxe_str_t name);

/* After the last one, before the first question. */
void names_sort(names_t *names);

/*
 * NXE_CONFLICT: other is another name that equals this one there.  NXE_NOMEM.
 */
nxe_status_t names_clash(const names_t *names, nxe_str_t name,
    nxe_str_t *other);


#endif /* NXE_CLI_NAMES_H */
