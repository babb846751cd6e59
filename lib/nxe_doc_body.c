/*
 * A variant's operations on the body.
 */

#include <string.h>

#include "nxe_doc_int.h"


/* One operation on the body, while it is read. */

typedef struct {
    uint32_t            step;
    nxe_str_t           op;
    nxe_str_t           path;
    const cJSON        *value;
} nxe_op_edit_t;


static void nxe_doc_body_op(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, nxe_variant_t *v);
static void nxe_doc_body_path(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
static void nxe_doc_body_overlap(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_variant_t *v, const nxe_body_op_t *op);


static const char *const  nxe_body_words[] = { "set", "remove", NULL };


static const nxe_doc_key_t  nxe_body_keys[] = {

    nxe_key_kept("step", nxe_doc_step_ref, NXE_KEY_LIVE, nxe_op_edit_t, step,
                 NULL),
    nxe_key_kept("op", nxe_doc_word, NXE_KEY_REQUIRED|NXE_KEY_LIVE,
                 nxe_op_edit_t, op, nxe_body_words),
    nxe_key_kept("path", nxe_doc_body_path, NXE_KEY_REQUIRED|NXE_KEY_LIVE,
                 nxe_op_edit_t, path, NULL),
    nxe_key_kept("value", nxe_doc_node, NXE_KEY_LIVE, nxe_op_edit_t, value,
                 NULL),
    { NULL, NULL, 0, 0, NULL }
};


void
nxe_doc_body(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    size_t          i;
    nxe_at_t        here;
    const cJSON    *element;
    nxe_variant_t  *v;

    (void) key;

    v = out;

    if (!nxe_doc_array(c, at, value, 0, NXE_LIST_MAX,
                       "a list of {\"op\", \"path\", \"value\"}"))
    {
        return;
    }

    v->ops = nxe_doc_calloc(c, nxe_doc_count(value, 1, NXE_LIST_MAX),
                            sizeof(nxe_body_op_t));
    if (v->ops == NULL) {
        return;
    }

    i = 0;

    for (element = value->child; element != NULL; element = element->next) {
        here = nxe_at_index(at, i++);
        nxe_doc_body_op(c, &here, element, v);
    }

}


static void
nxe_doc_body_op(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    nxe_variant_t *v)
{
    nxe_at_t        here;
    nxe_op_edit_t   edit;
    nxe_body_op_t  *op;

    memset(&edit, 0, sizeof(edit));
    edit.step = NXE_NONE;

    (void) nxe_doc_object(c, at, value, nxe_body_keys, "a body operation",
                          &edit);

    if (edit.op.data == NULL || edit.path.data == NULL) {
        return;
    }

    op = &v->ops[v->nops];
    op->step = edit.step;
    op->remove = nxe_str_eq(edit.op, nxe_str("remove")) ? 1 : 0;
    op->path = edit.path;

    here = nxe_at_key(at, "value");

    if (op->remove) {
        if (edit.value != NULL) {
            nxe_doc_fault(c, &here, edit.value,
                          "no \"value\", as \"op\" is remove");
        }

    } else if (edit.value == NULL) {
        nxe_doc_fault(c, &here, NULL, "\"value\", as \"op\" is set");

    } else {
        nxe_doc_any_value(c, &here, edit.value, &op->value);
    }

    here = nxe_at_key(at, "path");
    nxe_doc_body_overlap(c, &here, nxe_tree_get(value, "path"), v, op);

    v->nops++;
}


static void
nxe_doc_body_path(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    nxe_str_t  path;

    (void) key;

    if (cJSON_IsString(value)) {
        path = nxe_str_of(value->valuestring);

        if (path.len > 0 && nxe_json_pointer_check(path) == NXE_OK) {
            *(nxe_str_t *) out = nxe_doc_copy(c, path.data);
            return;
        }
    }

    nxe_doc_fault(c, at, value, "a JSON Pointer such as \"/metadata/v\"");
}


/* Two edits of one place, or of a place within the other. */

static void
nxe_doc_body_overlap(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_variant_t *v, const nxe_body_op_t *op)
{
    uint32_t              i;
    const nxe_body_op_t  *other;

    for (i = 0; i < v->nops; i++) {
        other = &v->ops[i];

        if (other->step != NXE_NONE && op->step != NXE_NONE
            && other->step != op->step)
        {
            continue;
        }

        if (nxe_pointer_within(op->path, other->path)
            || nxe_pointer_within(other->path, op->path))
        {
            nxe_doc_faultf(c, at, value,
                           "a place apart from that of operation %u", i);
            return;
        }
    }
}


int
nxe_pointer_within(nxe_str_t inner, nxe_str_t outer)
{
    return inner.len >= outer.len
           && memcmp(inner.data, outer.data, outer.len) == 0
           && (inner.len == outer.len || inner.data[outer.len] == '/');
}
