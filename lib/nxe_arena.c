#include <stdlib.h>

#include <nxe/arena.h>


#define NXE_ARENA_BLOCK  16384
#define NXE_ARENA_ALIGN  16


typedef struct nxe_arena_block_s  nxe_arena_block_t;

struct nxe_arena_block_s {
    nxe_arena_block_t  *next;
    size_t              size;
    size_t              used;
    _Alignas(NXE_ARENA_ALIGN) char  data[];
};

struct nxe_arena_s {
    nxe_arena_block_t  *blocks;
    nxe_mem_t           mem;
};


static void *nxe_arena_alloc(void *ctx, size_t size);


nxe_arena_t *
nxe_arena_new(void)
{
    nxe_arena_t  *arena;

    arena = malloc(sizeof(nxe_arena_t));
    if (arena == NULL) {
        return NULL;
    }

    arena->blocks = NULL;
    arena->mem.alloc = nxe_arena_alloc;
    arena->mem.ctx = arena;

    return arena;
}


void
nxe_arena_free(nxe_arena_t *arena)
{
    nxe_arena_block_t  *b, *next;

    if (arena == NULL) {
        return;
    }

    for (b = arena->blocks; b != NULL; b = next) {
        next = b->next;
        free(b);
    }

    free(arena);
}


const nxe_mem_t *
nxe_arena_mem(nxe_arena_t *arena)
{
    return &arena->mem;
}


static void *
nxe_arena_alloc(void *ctx, size_t size)
{
    char               *p;
    size_t              len;
    nxe_arena_t        *arena;
    nxe_arena_block_t  *b;

    arena = ctx;

    if (size > SIZE_MAX / 2) {
        return NULL;
    }

    size = (size + NXE_ARENA_ALIGN - 1) & ~(size_t) (NXE_ARENA_ALIGN - 1);
    b = arena->blocks;

    if (b == NULL || b->size - b->used < size) {
        len = size > NXE_ARENA_BLOCK ? size : NXE_ARENA_BLOCK;

        b = malloc(sizeof(nxe_arena_block_t) + len);
        if (b == NULL) {
            return NULL;
        }

        b->next = arena->blocks;
        b->size = len;
        b->used = 0;
        arena->blocks = b;
    }

    p = b->data + b->used;
    b->used += size;

    return p;
}
