/*
 * Documents as cJSON trees.  Only for our own documents, never for traffic.
 *
 * A text passes the strict scan before cJSON sees it.  Number nodes keep
 * their spelling in valuestring (cJSON_Delete() frees it), since valuedouble
 * would lose 0.10 and 9007199254740993.
 */

#ifndef NXE_TREE_H
#define NXE_TREE_H

#include <cjson/cJSON.h>
#include <nxe/base.h>
#include <nxe/buf.h>
#include <nxe/json.h>

NXE_BEGIN_DECLS


/*
 * Parses text into a tree that the caller deletes with cJSON_Delete().
 * NXE_INVALID: result says where; a member that occurs twice in one object,
 * at any depth, is NXE_JSON_DUPLICATE at its second key, and a string that
 * holds U+0000, which cJSON would cut, NXE_JSON_MALFORMED.
 */
nxe_status_t nxe_tree_parse(nxe_str_t text, cJSON **tree,
    nxe_json_result_t *result);

/*
 * Appends the canonical JSON of tree: no white space, members in bytewise
 * order, shortest escapes, numbers as they were spelled.
 */
nxe_status_t nxe_tree_canonical(const cJSON *tree, nxe_buf_t *out);

/* A member by its exact (case-sensitive) name, or NULL. */
cJSON *nxe_tree_get(const cJSON *object, const char *name);


NXE_END_DECLS

#endif /* NXE_TREE_H */
