/*
 * Patterns of documents over what clients send: PCRE2 with limits, so that
 * neither a pattern nor a value can hold a worker up or make it grow.
 */

#ifndef NXE_REGEX_H
#define NXE_REGEX_H

#include <nxe/base.h>

NXE_BEGIN_DECLS


#define NXE_PATTERN_MAX        4096     /* bytes of a pattern */
#define NXE_REGEX_MATCH_LIMIT  100000   /* PCRE2's words for all three */
#define NXE_REGEX_DEPTH_LIMIT  1000
#define NXE_REGEX_HEAP_LIMIT   256      /* KB */


typedef struct nxe_regex_s    nxe_regex_t;
typedef struct nxe_scratch_s  nxe_scratch_t;

/*
 * Compiles a pattern into memory of mem, which a match never asks again.  "$"
 * is the end of the value alone.  NXE_INVALID: err says why and where, also
 * of a pattern with \C or a callout; NXE_NOMEM.
 */
nxe_status_t nxe_regex_compile(nxe_str_t pattern, const nxe_mem_t *mem,
    nxe_regex_t **regex, nxe_error_t *err);

/*
 * What matches need beside the pattern: one block of mem, used by one match
 * after the other.  Its size does not depend on patterns or values; pages of
 * it that no match has needed yet are never touched.  NULL: no memory.
 */
nxe_scratch_t *nxe_scratch_new(const nxe_mem_t *mem);

/*
 * NXE_OK: the pattern matches somewhere in the value, any bytes; where they
 * are no UTF-8, no character matches them.  NXE_DECLINED: it does not.
 * NXE_INVALID: a limit was reached before that was known.
 */
nxe_status_t nxe_regex_match(const nxe_regex_t *regex, nxe_scratch_t *scratch,
    nxe_str_t value);


NXE_END_DECLS

#endif /* NXE_REGEX_H */
