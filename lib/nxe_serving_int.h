/*
 * The files beside the serving copy, and the small JSON in it.
 */

#ifndef NXE_SERVING_INT_H
#define NXE_SERVING_INT_H

#include <sys/stat.h>

#include <nxe/json.h>
#include <nxe/serving.h>

NXE_BEGIN_DECLS


#define NXE_SERVING_PATH  4096

/* path has NXE_SERVING_PATH bytes; the caller closes fd. */
nxe_status_t nxe_serving_file(const char *dir, const char *name,
    char *path, int *fd, struct stat *st, nxe_error_t *err);

int nxe_serving_json(nxe_str_t json, nxe_json_type_t type);
nxe_status_t nxe_serving_uint(nxe_str_t s, uint64_t *n);
nxe_str_t nxe_serving_unquote(nxe_str_t s);


NXE_END_DECLS

#endif /* NXE_SERVING_INT_H */
