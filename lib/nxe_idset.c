/*
 * Open addressing over 16-byte ids.
 */

#include <stdlib.h>
#include <string.h>

#include <nxe/idset.h>


#define FIRST_SLOTS  1024
#define TAG          UINT64_C(0xffffffff00000000)


static nxe_status_t grow_slots(nxe_idset_t *set);
static nxe_status_t grow_ids(nxe_idset_t *set);


/* Ids are random as they come, but made-up ones need not be. */

static uint64_t
mix(const unsigned char *id)
{
    uint64_t  a, b;

    memcpy(&a, id, 8);
    memcpy(&b, id + 8, 8);

    a = (a ^ b >> 29) * UINT64_C(0x9e3779b97f4a7c15);
    b = (b ^ a >> 32) * UINT64_C(0xd6e8feb86659fd93);

    return b ^ b >> 32;
}


void
nxe_idset_init(nxe_idset_t *set)
{
    memset(set, 0, sizeof(nxe_idset_t));
}


void
nxe_idset_free(nxe_idset_t *set)
{
    free(set->slots);
    free(set->ids);
    nxe_idset_init(set);
}


/* The slot that an id has, or would have; there is always a free one. */

static size_t
find_slot(const nxe_idset_t *set, const unsigned char *id, uint64_t h)
{
    size_t    slot;
    uint64_t  tag;

    tag = h & TAG;
    slot = (size_t) h & (set->nslots - 1);

    while (set->slots[slot] != 0) {

        if ((set->slots[slot] & TAG) == tag
            && memcmp(set->ids[(uint32_t) set->slots[slot] - 1], id,
                      NXE_IDSET_ID) == 0)
        {
            break;
        }

        slot = (slot + 1) & (set->nslots - 1);
    }

    return slot;
}


nxe_status_t
nxe_idset_find(const nxe_idset_t *set, const unsigned char id[NXE_IDSET_ID],
    uint32_t *number)
{
    size_t  slot;

    if (set->n == 0) {
        return NXE_DECLINED;
    }

    slot = find_slot(set, id, mix(id));

    if (set->slots[slot] == 0) {
        return NXE_DECLINED;
    }

    *number = (uint32_t) set->slots[slot] - 1;

    return NXE_OK;
}


nxe_status_t
nxe_idset_add(nxe_idset_t *set, const unsigned char id[NXE_IDSET_ID],
    uint32_t *number, int *added)
{
    size_t    slot;
    uint64_t  h;

    if (set->n >= set->nslots / 4 * 3 && grow_slots(set) != NXE_OK) {
        return NXE_NOMEM;
    }

    h = mix(id);
    slot = find_slot(set, id, h);

    if (set->slots[slot] != 0) {
        *number = (uint32_t) set->slots[slot] - 1;

        if (added != NULL) {
            *added = 0;
        }

        return NXE_OK;
    }

    if (set->n == NXE_IDSET_MAX) {
        return NXE_INVALID;
    }

    if (set->n == set->nids && grow_ids(set) != NXE_OK) {
        return NXE_NOMEM;
    }

    memcpy(set->ids[set->n], id, NXE_IDSET_ID);
    *number = set->n++;
    set->slots[slot] = (h & TAG) | set->n;

    if (added != NULL) {
        *added = 1;
    }

    return NXE_OK;
}


static nxe_status_t
grow_slots(nxe_idset_t *set)
{
    size_t     n, slot;
    uint32_t   i;
    uint64_t   h, *slots;

    n = set->nslots == 0 ? FIRST_SLOTS : set->nslots * 2;

    slots = calloc(n, sizeof(uint64_t));
    if (slots == NULL) {
        return NXE_NOMEM;
    }

    for (i = 0; i < set->n; i++) {
        h = mix(set->ids[i]);
        slot = (size_t) h & (n - 1);

        while (slots[slot] != 0) {
            slot = (slot + 1) & (n - 1);
        }

        slots[slot] = (h & TAG) | (i + 1);
    }

    free(set->slots);
    set->slots = slots;
    set->nslots = n;

    return NXE_OK;
}


static nxe_status_t
grow_ids(nxe_idset_t *set)
{
    size_t  n;
    void   *ids;

    n = set->nids == 0 ? FIRST_SLOTS : set->nids * 2;

    ids = reallocarray(set->ids, n, NXE_IDSET_ID);
    if (ids == NULL) {
        return NXE_NOMEM;
    }

    set->ids = ids;
    set->nids = n;

    return NXE_OK;
}
