/*
 * The documents of an apply, and what became of each.
 */

#ifndef EXPCTL_APPLY_H
#define EXPCTL_APPLY_H

#include <nxe/registry.h>
#include <nxe/transition.h>

#include "cli/docfile.h"
#include "cli/names.h"


typedef enum { APPLY_UNCHANGED, APPLY_CREATED, APPLY_UPDATED } apply_outcome_t;

/* One document of the command line, and what became of it. */

typedef struct {
    docfile_t           file;
    apply_outcome_t           outcome;
    nxe_experiment_t    before;         /* of an update */
    nxe_state_t         to;
    nxe_movement_t      movement;
    unsigned            moved:1;        /* movement tells something */
} apply_item_t;

typedef struct {
    const cli_t        *cli;
    apply_item_t             *items;
    size_t              n;
    names_t            *names;          /* none may equal another */
    nxe_wish_t          wish;
    nxe_actor_t         actor;
    int                 new_phase;
    int                 has_revision;
    uint64_t            revision;
    nxe_refusal_t       refusal;
    const char         *refused;        /* the name, or NULL */
} apply_t;


/* What was done, in the format asked for; id is the write's, or 0. */
int apply_print(const apply_t *a, uint64_t id);

#endif /* EXPCTL_APPLY_H */
