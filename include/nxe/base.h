/*
 * Status codes, slices, the error record and memory.
 *
 * Nothing in this library prints, exits, aborts or logs, and it holds no
 * static mutable state.  Results are written only when NXE_OK is returned.
 */

#ifndef NXE_BASE_H
#define NXE_BASE_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define NXE_BEGIN_DECLS   _Pragma("GCC visibility push(hidden)")
#define NXE_END_DECLS     _Pragma("GCC visibility pop")
#define NXE_PRINTF(f, a)  __attribute__((format(printf, f, a)))
#else
#define NXE_BEGIN_DECLS
#define NXE_END_DECLS
#define NXE_PRINTF(f, a)
#endif

NXE_BEGIN_DECLS


typedef enum {
    NXE_OK = 0,
    NXE_DECLINED,       /* nothing there: not an error */
    NXE_AGAIN,          /* not known yet: the body has to be read first */
    NXE_INVALID,        /* the input was refused, the error record says why */
    NXE_CONFLICT,       /* valid, but what is there forbids it: exit 1 */
    NXE_NOMEM,
    NXE_IO              /* the system, LMDB or a file failed */
} nxe_status_t;


/* A borrowed run of bytes: never zero-terminated by assumption. */

typedef struct {
    const char         *data;
    size_t              len;
} nxe_str_t;

#define nxe_str(lit)    ((nxe_str_t) { (lit), sizeof(lit) - 1 })
#define nxe_null_str    ((nxe_str_t) { NULL, 0 })


#define NXE_ERROR_TEXT  512

/* The last failure, one sentence, ready for a log line. */

typedef struct {
    nxe_status_t        status;
    char                text[NXE_ERROR_TEXT];
} nxe_error_t;


/*
 * Memory that is released all at once by whoever made it: an arena, or a
 * pool of nginx.  alloc() returns memory aligned for any type, or NULL.
 */

typedef struct {
    void             *(*alloc)(void *ctx, size_t size);
    void               *ctx;
} nxe_mem_t;

#define nxe_alloc(mem, size)  ((mem)->alloc((mem)->ctx, size))


/*
 * Fills err (which may be NULL) from a format and returns status, so that
 * "return nxe_fail(...)" is the whole of an error path.
 */
nxe_status_t nxe_fail(nxe_error_t *err, nxe_status_t status, const char *fmt,
    ...) NXE_PRINTF(3, 4);

/* Zero-initialised memory of mem; NULL when there is none. */
void *nxe_calloc(const nxe_mem_t *mem, size_t size);

/* A copy of s in mem, followed by a zero byte that len does not count. */
nxe_status_t nxe_str_copy(const nxe_mem_t *mem, nxe_str_t s, nxe_str_t *copy);

/* A slice of a zero-terminated string, which it borrows. */
nxe_str_t nxe_str_of(const char *s);

/* 1 if the bytes are equal, else 0. */
int nxe_str_eq(nxe_str_t a, nxe_str_t b);

/* Bytewise order, a prefix first: below 0, 0, above 0. */
int nxe_str_cmp(nxe_str_t a, nxe_str_t b);

/* 1 if s is a name: [A-Za-z0-9][A-Za-z0-9_.-]{0,63}. */
int nxe_name_ok(nxe_str_t s);


NXE_END_DECLS

#endif /* NXE_BASE_H */
