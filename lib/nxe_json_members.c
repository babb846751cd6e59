/*
 * A member that occurs twice in one object, at any depth.
 */

#include "nxe_json_int.h"


/* Odd constants with bits all over, the fraction of the golden ratio and
   others of its kind: their values do not matter, that they differ does. */

#define NXE_MEMBERS_K1  0x9e3779b97f4a7c15u
#define NXE_MEMBERS_K2  0xbf58476d1ce4e5b9u
#define NXE_MEMBERS_K3  0x94d049bb133111ebu


static uint64_t nxe_members_hash(const char *p, size_t len);
static uint64_t nxe_members_mix(uint64_t a, uint64_t b);
static void nxe_members_large(nxe_members_t *m, nxe_members_frame_t *f,
    uint64_t hash);
static int nxe_members_room(nxe_members_t *m);
static int nxe_members_put(nxe_members_t *m, uint64_t slot);


/*
 * A name with a lone surrogate has no other form than its spelling; without
 * memory nothing can be said, which counts as twice.
 */

void
nxe_members_add(nxe_members_t *m, unsigned depth, nxe_str_t key, int escaped)
{
    uint32_t              i;
    uint64_t              hash;
    nxe_str_t             name;
    nxe_status_t          rc;
    nxe_members_frame_t  *f;

    if (m->twice) {
        return;
    }

    name.data = key.data + 1;
    name.len = key.len - 2;

    if (escaped) {
        rc = nxe_json_unescape(key, SIZE_MAX, m->mem, &name);

        if (rc == NXE_NOMEM) {
            m->twice = 1;
            return;
        }
    }

    hash = nxe_members_hash(name.data, name.len);
    f = &m->frames[depth];

    if (f->serial != 0) {
        nxe_members_large(m, f, hash);
        return;
    }

    for (i = f->start; i < m->top; i++) {
        if (m->stack[i] == hash) {
            m->twice = 1;
            return;
        }
    }

    if (m->top - f->start == NXE_MEMBERS_SMALL || m->top == NXE_MEMBERS_STACK)
    {
        /* its members move into the table */

        f->serial = ++m->serial;

        for (i = f->start; i < m->top; i++) {
            nxe_members_large(m, f, m->stack[i]);
        }

        m->top = f->start;
        nxe_members_large(m, f, hash);
        return;
    }

    m->stack[m->top++] = hash;
}


static uint64_t
nxe_members_mix(uint64_t a, uint64_t b)
{
    /* side by side, not one behind the other: names are short */

    a = (a ^ NXE_MEMBERS_K1) * NXE_MEMBERS_K2;
    b = (b ^ (b >> 32)) * NXE_MEMBERS_K3;
    a ^= b ^ (a >> 32) ^ (b << 21);

    return a;
}


static uint64_t
nxe_members_hash(const char *p, size_t len)
{
    uint64_t  hash, a, b;

    hash = len * NXE_MEMBERS_K3;

    while (len > 16) {
        memcpy(&a, p, 8);
        memcpy(&b, p + 8, 8);
        hash = nxe_members_mix(hash ^ a, b);
        p += 16;
        len -= 16;
    }

    a = 0;
    b = 0;

    if (len >= 8) {
        memcpy(&a, p, 8);
        memcpy(&b, p + len - 8, 8);

    } else if (len >= 4) {
        memcpy(&a, p, 4);
        memcpy(&b, p + len - 4, 4);

    } else if (len > 0) {
        a = (uint64_t) (unsigned char) p[0] << 16
            | (uint64_t) (unsigned char) p[len / 2] << 8
            | (uint64_t) (unsigned char) p[len - 1];
    }

    return nxe_members_mix(hash ^ a, b);
}


/* A member of an object whose members are in the table. */

static void
nxe_members_large(nxe_members_t *m, nxe_members_frame_t *f, uint64_t hash)
{
    if (!nxe_members_room(m)
        || nxe_members_put(m, nxe_members_mix(hash, f->serial)))
    {
        m->twice = 1;
    }
}


/* The table is at most half full; it doubles. */

static int
nxe_members_room(nxe_members_t *m)
{
    uint32_t   i, size, old_size;
    uint64_t  *old;

    if (m->used < m->size / 2) {
        return 1;
    }

    size = m->size != 0 ? 2 * m->size : 8 * NXE_MEMBERS_SMALL;

    if (size > NXE_MEMBERS_MAX) {
        return 0;
    }

    old = m->table;

    m->table = nxe_calloc(m->mem, size * sizeof(uint64_t));
    if (m->table == NULL) {
        return 0;
    }

    old_size = m->size;
    m->size = size;
    m->used = 0;

    for (i = 0; i < old_size; i++) {
        if (old[i] != 0 && nxe_members_put(m, old[i])) {
            return 0;       /* crowded out: it could not be found again */
        }
    }

    return 1;
}


/*
 * 1 if it is there already; 0 marks an empty slot.  In a table that is half
 * full no honest name looks at so many slots: who makes names collide gets
 * his body called ambiguous, not a worker's time.
 */

static int
nxe_members_put(nxe_members_t *m, uint64_t slot)
{
    uint32_t  i, n;

    if (slot == 0) {
        slot = 1;
    }

    i = (uint32_t) slot & (m->size - 1);

    for (n = 0; m->table[i] != 0; n++) {
        if (m->table[i] == slot || n == NXE_MEMBERS_PROBES) {
            return 1;
        }

        i = (i + 1) & (m->size - 1);
    }

    m->table[i] = slot;
    m->used++;

    return 0;
}
