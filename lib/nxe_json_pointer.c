#include <string.h>

#include <nxe/json.h>


static nxe_status_t nxe_pointer_next(nxe_str_t *rest, nxe_str_t *token,
    int *escaped);
static nxe_status_t nxe_pointer_unescape(nxe_str_t token,
    const nxe_mem_t *mem, nxe_str_t *name);
static uint32_t nxe_pointer_index(nxe_str_t name);


nxe_status_t
nxe_json_target(nxe_json_node_t *root, nxe_str_t pointer,
    const nxe_mem_t *mem, nxe_json_node_t **node)
{
    int               escaped;
    nxe_str_t         token;
    nxe_status_t      rc;
    nxe_json_node_t  *n;

    if (nxe_json_pointer_check(pointer) != NXE_OK) {
        return NXE_INVALID;
    }

    n = root;

    while (pointer.len != 0) {

        (void) nxe_pointer_next(&pointer, &token, &escaped);

        if (escaped) {
            rc = nxe_pointer_unescape(token, mem, &token);
            if (rc != NXE_OK) {
                return rc;
            }
        }

        n = nxe_json_child(n, token, mem);
        if (n == NULL) {
            return NXE_NOMEM;
        }
    }

    *node = n;

    return NXE_OK;
}


nxe_json_node_t *
nxe_json_child(nxe_json_node_t *parent, nxe_str_t name, const nxe_mem_t *mem)
{
    nxe_json_node_t  *n;

    for (n = parent->child; n != NULL; n = n->next) {
        if (nxe_str_eq(n->name, name)) {
            return n;
        }
    }

    n = nxe_calloc(mem, sizeof(nxe_json_node_t));
    if (n == NULL) {
        return NULL;
    }

    n->name = name;
    n->index = nxe_pointer_index(name);
    n->parent = parent;
    n->next = parent->child;
    parent->child = n;

    return n;
}


void
nxe_json_edit(nxe_json_node_t *node)
{
    for ( /* void */ ; node != NULL; node = node->parent) {
        node->edit = 1;
    }
}


nxe_status_t
nxe_json_pointer_check(nxe_str_t s)
{
    int        escaped, n;
    nxe_str_t  token;

    for (n = 0; s.len != 0; n++) {
        if (n == NXE_JSON_POINTER_DEPTH
            || nxe_pointer_next(&s, &token, &escaped) != NXE_OK
            || token.len > NXE_JSON_TOKEN_MAX)
        {
            return NXE_INVALID;
        }
    }

    return NXE_OK;
}


/* Takes "/token" off the front of rest. */

static nxe_status_t
nxe_pointer_next(nxe_str_t *rest, nxe_str_t *token, int *escaped)
{
    size_t  i;

    if (rest->data[0] != '/') {
        return NXE_INVALID;
    }

    *escaped = 0;

    for (i = 1; i < rest->len && rest->data[i] != '/'; i++) {

        if (rest->data[i] != '~') {
            continue;
        }

        if (i + 1 == rest->len
            || (rest->data[i + 1] != '0' && rest->data[i + 1] != '1'))
        {
            return NXE_INVALID;
        }

        *escaped = 1;
    }

    token->data = rest->data + 1;
    token->len = i - 1;

    rest->data += i;
    rest->len -= i;

    return NXE_OK;
}


static nxe_status_t
nxe_pointer_unescape(nxe_str_t token, const nxe_mem_t *mem, nxe_str_t *name)
{
    char    *p;
    size_t   i;

    p = nxe_alloc(mem, token.len);
    if (p == NULL) {
        return NXE_NOMEM;
    }

    name->data = p;

    for (i = 0; i < token.len; i++) {
        if (token.data[i] == '~') {
            *p++ = token.data[++i] == '0' ? '~' : '/';

        } else {
            *p++ = token.data[i];
        }
    }

    name->len = (size_t) (p - name->data);

    return NXE_OK;
}


/* "0", "17", but not "01" or "-": RFC 6901, 4. */

static uint32_t
nxe_pointer_index(nxe_str_t name)
{
    size_t    i;
    uint32_t  n;

    if (name.len == 0 || name.len > 9 || (name.len > 1 && name.data[0] == '0'))
    {
        return NXE_JSON_NO_INDEX;
    }

    for (i = 0, n = 0; i < name.len; i++) {
        if (name.data[i] < '0' || name.data[i] > '9') {
            return NXE_JSON_NO_INDEX;
        }

        n = n * 10 + (uint32_t) (name.data[i] - '0');
    }

    return n;
}
