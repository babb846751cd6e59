/*
 * States, as the registry and the serving copy hold them.  What is read is
 * printed, and reads as the same again.
 */

#include <assert.h>
#include <string.h>

#include <nxe/arena.h>
#include <nxe/state.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nxe_buf_t      a, b;
    nxe_error_t    err;
    nxe_state_t    state, again;
    nxe_arena_t   *arena;

    arena = nxe_arena_new();
    if (arena == NULL) {
        return 0;
    }

    nxe_buf_init(&a, 1 << 22);
    nxe_buf_init(&b, 1 << 22);

    if (nxe_state_parse((nxe_str_t) { (const char *) data, size },
                        nxe_arena_mem(arena), &state, &err) == NXE_OK)
    {
        assert(nxe_state_print(nxe_str("x"), &state, &a) == NXE_OK);
        assert(nxe_state_parse(nxe_buf_str(&a), nxe_arena_mem(arena), &again,
                               &err) == NXE_OK);
        assert(nxe_state_print(nxe_str("x"), &again, &b) == NXE_OK);
        assert(nxe_str_eq(nxe_buf_str(&a), nxe_buf_str(&b)));
    }

    nxe_buf_free(&a);
    nxe_buf_free(&b);
    nxe_arena_free(arena);

    return 0;
}
