/*
 * Where the parameters live in a body, and what a source finds there.
 */

#include <string.h>

#include <nxe/dialect.h>


/* NULL: the dialect has no such parameter. */

static const char *const  nxe_paths[NXE_DIALECTS][NXE_PARAMS] = {
    { "/system", "/temperature", "/top_p", "/max_tokens", "/model",
      "/verbosity" },
    { "/messages/0/content", "/temperature", "/top_p", "/max_tokens",
      "/model", "/verbosity" },
    { "/instructions", "/temperature", "/top_p", "/max_output_tokens",
      "/model", "/text/verbosity" },
    { "/system", "/temperature", "/top_p", "/max_tokens", "/model", NULL },
    { NULL, NULL, NULL, NULL, NULL, NULL }
};


static nxe_status_t nxe_places_chat(nxe_places_t *p, unsigned param,
    const nxe_mem_t *mem);
static uint32_t nxe_places_count(const nxe_json_node_t *node);
static void nxe_places_move(nxe_places_t *p, nxe_json_node_t *parent);


void
nxe_places_init(nxe_places_t *p, nxe_dialect_t dialect)
{
    memset(p, 0, sizeof(nxe_places_t));

    p->dialect = dialect;
    p->root.index = NXE_JSON_NO_INDEX;
}


nxe_status_t
nxe_places_params(nxe_places_t *p, unsigned params, const nxe_mem_t *mem)
{
    unsigned      i;
    const char   *path;
    nxe_status_t  rc;

    for (i = 0; i < NXE_PARAMS; i++) {
        path = nxe_paths[p->dialect][i];

        if (!(params & 1u << i) || path == NULL || p->at[i] != NULL) {
            continue;
        }

        rc = nxe_places_op(p, nxe_str_of(path), mem, &p->at[i]);

        if (rc == NXE_OK && p->dialect == NXE_DIALECT_OPENAI_CHAT) {
            rc = nxe_places_chat(p, i, mem);
        }

        if (rc != NXE_OK) {
            return rc;
        }
    }

    return NXE_OK;
}


/* What else decides where a parameter of openai_chat goes. */

static nxe_status_t
nxe_places_chat(nxe_places_t *p, unsigned param, const nxe_mem_t *mem)
{
    if (param == NXE_MAX_TOKENS) {
        return nxe_places_op(p, nxe_str("/max_completion_tokens"), mem,
                             &p->at[NXE_AT_COMPLETION]);
    }

    if (param == NXE_SYSTEM) {
        p->at[NXE_AT_FIRST] = p->at[param]->parent;
        p->at[NXE_AT_MESSAGES] = p->at[param]->parent->parent;

        return nxe_places_op(p, nxe_str("/messages/0/role"), mem,
                             &p->at[NXE_AT_ROLE]);
    }

    return NXE_OK;
}


nxe_status_t
nxe_places_model(nxe_places_t *p, const nxe_mem_t *mem)
{
    return nxe_json_target(&p->root, nxe_str("/model"), mem,
                           &p->at[NXE_AT_READ_MODEL]);
}


nxe_status_t
nxe_places_usage(nxe_places_t *p, const nxe_mem_t *mem)
{
    nxe_status_t  rc;

    rc = nxe_json_target(&p->root, nxe_str("/stream"), mem,
                         &p->at[NXE_AT_STREAM]);

    if (rc == NXE_OK) {
        rc = nxe_json_target(&p->root, nxe_str("/stream_options"), mem,
                             &p->at[NXE_AT_STREAM_OPTIONS]);
    }

    if (rc == NXE_OK) {
        rc = nxe_json_target(&p->root, nxe_str("/stream_options/include_usage"),
                             mem, &p->at[NXE_AT_INCLUDE_USAGE]);
    }

    return rc;
}


nxe_status_t
nxe_places_pointer(nxe_places_t *p, nxe_str_t pointer, const nxe_mem_t *mem,
    nxe_json_node_t **node)
{
    return nxe_json_target(&p->root, pointer, mem, node);
}


nxe_status_t
nxe_places_op(nxe_places_t *p, nxe_str_t pointer, const nxe_mem_t *mem,
    nxe_json_node_t **node)
{
    nxe_status_t  rc;

    rc = nxe_json_target(&p->root, pointer, mem, node);

    if (rc == NXE_OK) {
        nxe_json_edit(*node);
    }

    return rc;
}


static uint32_t
nxe_places_count(const nxe_json_node_t *node)
{
    uint32_t                n;
    const nxe_json_node_t  *child;

    n = 0;

    for (child = node->child; child != NULL; child = child->next) {
        n += 1 + nxe_places_count(child);
    }

    return n;
}


nxe_status_t
nxe_places_pack(nxe_places_t *p, const nxe_mem_t *mem)
{
    p->nodes = nxe_alloc(mem, (nxe_places_count(&p->root) + 1)
                              * sizeof(nxe_json_node_t));
    if (p->nodes == NULL) {
        return NXE_NOMEM;
    }

    p->nnodes = 0;
    nxe_places_move(p, &p->root);

    return NXE_OK;
}


/* Moves what is below a node into p->nodes. */

static void
nxe_places_move(nxe_places_t *p, nxe_json_node_t *parent)
{
    unsigned           i;
    nxe_json_node_t   *node, **link;

    for (link = &parent->child; *link != NULL; link = &node->next) {
        node = &p->nodes[p->nnodes++];
        *node = **link;
        node->parent = parent;

        for (i = 0; i < NXE_PLACES; i++) {
            if (p->at[i] == *link) {
                p->at[i] = node;
            }
        }

        *link = node;
        nxe_places_move(p, node);
    }
}


nxe_status_t
nxe_places_copy(const nxe_places_t *packed, const nxe_mem_t *mem,
    nxe_places_t *copy)
{
    unsigned          i;
    nxe_json_node_t  *node;

    *copy = *packed;

    copy->nodes = nxe_alloc(mem, (packed->nnodes + 1)
                                 * sizeof(nxe_json_node_t));
    if (copy->nodes == NULL) {
        return NXE_NOMEM;
    }

    memcpy(copy->nodes, packed->nodes,
           packed->nnodes * sizeof(nxe_json_node_t));

    copy->root.child = nxe_places_node(packed, copy, packed->root.child);

    for (i = 0; i < NXE_PLACES; i++) {
        copy->at[i] = nxe_places_node(packed, copy, packed->at[i]);
    }

    for (i = 0; i < packed->nnodes; i++) {
        node = &copy->nodes[i];
        node->child = nxe_places_node(packed, copy, node->child);
        node->next = nxe_places_node(packed, copy, node->next);
        node->parent = nxe_places_node(packed, copy, node->parent);
    }

    return NXE_OK;
}


nxe_json_node_t *
nxe_places_node(const nxe_places_t *packed, nxe_places_t *copy,
    const nxe_json_node_t *node)
{
    return node == NULL ? NULL
           : node == &packed->root ? &copy->root
           : copy->nodes + (node - packed->nodes);
}


const char *
nxe_places_path(const nxe_places_t *p, nxe_param_t param)
{
    const nxe_json_node_t  *other;

    other = param == NXE_MAX_TOKENS ? p->at[NXE_AT_COMPLETION] : NULL;

    if (other != NULL && other->type != NXE_JSON_NONE
        && p->at[param]->type == NXE_JSON_NONE)
    {
        return "/max_completion_tokens";
    }

    return nxe_paths[p->dialect][param] != NULL
           ? nxe_paths[p->dialect][param] : "";
}


nxe_status_t
nxe_places_value(const nxe_text_t *text, const nxe_json_node_t *node,
    const nxe_mem_t *mem, nxe_str_t *value)
{
    size_t                  i;
    nxe_str_t               s;
    nxe_status_t            rc;
    const nxe_json_node_t  *above;

    for (above = node; above != NULL; above = above->parent) {
        if (above->twice) {
            return NXE_DECLINED;
        }
    }

    if (node->type != NXE_JSON_STRING && node->type != NXE_JSON_NUMBER) {
        return NXE_DECLINED;
    }

    /* six bytes of escape make at least one byte of value */

    if (node->value.end - node->value.start > 6 * NXE_UNIT_MAX + 2) {
        return NXE_DECLINED;
    }

    rc = nxe_text_span(text, node->value, mem, &s);
    if (rc != NXE_OK) {
        return rc;
    }

    if (node->type == NXE_JSON_STRING) {
        rc = nxe_json_unescape(s, NXE_UNIT_MAX, mem, value);

        if (rc == NXE_INVALID || (rc == NXE_OK && value->len == 0)) {
            return NXE_DECLINED;
        }

        return rc;
    }

    for (i = s.data[0] == '-' ? 1 : 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            return NXE_DECLINED;
        }
    }

    if (s.len - (s.data[0] == '-' ? 1 : 0) > 18) {
        return NXE_DECLINED;
    }

    *value = s;

    return NXE_OK;
}
