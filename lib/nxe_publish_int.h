/*
 * What a publication has collected, and the writer of its LMDB file.
 */

#ifndef NXE_PUBLISH_INT_H
#define NXE_PUBLISH_INT_H

#include <nxe/arena.h>
#include <nxe/serving.h>

NXE_BEGIN_DECLS


#define NXE_PUBLISH_DOC    (64u << 20)


typedef struct {
    nxe_str_t           name;
    nxe_str_t           doc;        /* empty: it is off */
    nxe_str_t           state;
} nxe_publish_entry_t;

typedef struct {
    nxe_str_t           layer;
    nxe_str_t           name;
    nxe_frac_t          from;
    nxe_frac_t          to;
} nxe_publish_place_t;

struct nxe_publish_s {
    char               *dir;
    int                 lock;       /* the folder itself, with flock() */
    gid_t               gid;

    nxe_arena_t        *arena;
    nxe_buf_t           bytes;
    nxe_str_t           prices;     /* JSON; empty: none */

    nxe_publish_entry_t *entries;
    size_t              n;
    size_t              size;

    nxe_publish_place_t *places;
    size_t              nplaces;
    size_t              places_size;
};


/*
 * Writes the LMDB file of a publication to path, with a map of that size.
 * 0, or a code of LMDB or the system: MDB_MAP_FULL asks for a larger map.
 */
int nxe_publish_write(nxe_publish_t *p, const char *path, size_t map,
    uint64_t txn, const char *head);


NXE_END_DECLS

#endif /* NXE_PUBLISH_INT_H */
