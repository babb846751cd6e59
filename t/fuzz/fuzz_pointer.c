/*
 * Pointers and strings.  A pointer that is taken names a node that its own
 * rewriting names too; unescaping, comparing and escaping agree.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <nxe/arena.h>
#include <nxe/buf.h>
#include <nxe/json.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/* The pointer of a node, from the names on the way down to it. */

static void
rewrite(const nxe_json_node_t *n, nxe_buf_t *b)
{
    size_t  i;

    for (n = n->child; n != NULL; n = n->child) {
        assert(n->next == NULL);
        (void) nxe_buf_addc(b, '/');

        for (i = 0; i < n->name.len; i++) {
            if (n->name.data[i] == '~' || n->name.data[i] == '/') {
                (void) nxe_buf_addf(b, "~%d", n->name.data[i] == '/');

            } else {
                (void) nxe_buf_addc(b, n->name.data[i]);
            }
        }
    }
}


static void
pointer(nxe_str_t s, const nxe_mem_t *mem)
{
    nxe_buf_t         b;
    nxe_status_t      rc;
    nxe_json_node_t   root, *node, *again;

    memset(&root, 0, sizeof(root));
    rc = nxe_json_target(&root, s, mem, &node);
    assert(rc == nxe_json_pointer_check(s));

    if (rc != NXE_OK) {
        assert(rc == NXE_INVALID && root.child == NULL);
        return;
    }

    nxe_buf_init(&b, SIZE_MAX);
    rewrite(&root, &b);
    assert(b.status == NXE_OK);
    assert(nxe_str_eq(nxe_buf_str(&b), s));

    assert(nxe_json_target(&root, nxe_buf_str(&b), mem, &again) == NXE_OK);
    assert(again == node && node->child == NULL);

    nxe_buf_free(&b);
}


static void
string(nxe_str_t s, const nxe_mem_t *mem)
{
    nxe_buf_t           b;
    nxe_str_t           out, quoted;
    nxe_text_t          text;
    nxe_status_t        rc;
    nxe_json_result_t   r;

    /* any bytes, quoted by us, are JSON and come back if they were UTF-8 */

    nxe_buf_init(&b, SIZE_MAX);
    assert(nxe_buf_add_json(&b, s) == NXE_OK);
    quoted = nxe_buf_str(&b);

    text.segs = &quoted;
    text.n = 1;
    assert(nxe_json_scan(&text, NULL, 0, &r) == NXE_JSON_OK);
    assert(nxe_json_unescape(quoted, SIZE_MAX, mem, &out) == NXE_OK);
    assert(nxe_str_eq(out, s) == nxe_utf8_ok(s));
    assert(nxe_json_string_eq(quoted, out));
    nxe_buf_free(&b);

    /* what is a JSON string as it stands */

    text.segs = &s;

    if (s.len < 2 || s.data[0] != '"' || s.data[s.len - 1] != '"'
        || nxe_json_scan(&text, NULL, 0, &r) != NXE_JSON_OK)
    {
        return;
    }

    rc = nxe_json_unescape(s, SIZE_MAX, mem, &out);

    if (rc == NXE_INVALID) {
        return;
    }

    assert(rc == NXE_OK && nxe_utf8_ok(out));
    assert(nxe_json_string_eq(s, out));
    assert(nxe_json_unescape(s, out.len, mem, &quoted) == NXE_OK);
    assert(out.len == 0
           || nxe_json_unescape(s, out.len - 1, mem, &quoted) == NXE_INVALID);

    nxe_buf_init(&b, SIZE_MAX);
    assert(nxe_buf_add_json(&b, out) == NXE_OK);
    assert(nxe_json_strings_eq(s, nxe_buf_str(&b)));
    assert(nxe_json_strings_eq(nxe_buf_str(&b), s));
    nxe_buf_free(&b);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nxe_str_t     s;
    nxe_arena_t  *arena;

    arena = nxe_arena_new();
    assert(arena != NULL);

    s.data = (const char *) data;
    s.len = size;

    pointer(s, nxe_arena_mem(arena));
    string(s, nxe_arena_mem(arena));

    nxe_arena_free(arena);

    return 0;
}
