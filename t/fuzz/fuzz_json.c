/*
 * The scan.  The first byte chooses the cuts, the second what stands around
 * the text: nothing, or enough of a string or of numbers that the wide kernels
 * meet it at any place of their blocks (at each, if the first byte says so).
 * Whatever the cuts and the kernel, the answer is the same; what it passes
 * cJSON parses too, and finds the same members twice; a walk over what it
 * passed visits the same values.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include <nxe/arena.h>
#include <nxe/buf.h>
#include <nxe/json.h>

#define TARGETS  9
#define READ     2      /* of these, the first are not edited */
#define HEAD     2


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static const char *const  pointers[TARGETS] = {
    "/s/t", "/s/0", "/a", "/a/b", "/a/0", "/0/1", "/messages/0/role",
    "/messages/3/role", "/messages/4"
};

#define KERNELS  4

static const char *const  kernel_names[KERNELS] = {
    "sse2", "neon", "avx2", "avx512"
};


static int
same(const nxe_json_node_t *a, const nxe_json_node_t *b)
{
    return a->type == b->type
           && (a->type == NXE_JSON_NONE
               || (a->value.start == b->value.start
                   && a->value.end == b->value.end
                   && a->key.start == b->key.start
                   && a->key.end == b->key.end
                   && a->twice == b->twice && a->count == b->count
                   && a->nonempty == b->nonempty));
}


static void
scan(const nxe_text_t *text, const nxe_mem_t *mem, unsigned flags,
    nxe_json_node_t *root, nxe_json_node_t **nodes, nxe_json_result_t *r)
{
    int                i;
    nxe_json_result_t  plain;

    memset(root, 0, sizeof(*root));
    root->index = NXE_JSON_NO_INDEX;

    for (i = 0; i < TARGETS; i++) {
        assert(nxe_json_target(root, nxe_str_of(pointers[i]), mem, &nodes[i])
               == NXE_OK);

        if (i >= READ) {
            nxe_json_edit(nodes[i]);
        }
    }

    /* who does not ask for members that occur twice gets the same answer */

    (void) nxe_json_scan(text, NULL, flags, &plain);
    (void) nxe_json_scan_members(text, root, flags, mem, r);

    if (r->cause != NXE_JSON_DUPLICATE) {
        assert(plain.cause == r->cause && plain.offset == r->offset);
        assert(plain.expected == r->expected);

    } else {
        assert(plain.cause == NXE_JSON_OK);
    }
}


/* Each kernel says what the portable code says. */

static void
kernels(const nxe_text_t *text, const nxe_mem_t *mem, nxe_json_node_t *want,
    nxe_json_node_t **want_nodes, const nxe_json_result_t *r)
{
    int                i, j;
    unsigned           flag;
    nxe_json_node_t    root, *nodes[TARGETS];
    nxe_json_result_t  got;

    for (i = 0; i < KERNELS; i++) {

        if (nxe_json_cpu(kernel_names[i], &flag) != NXE_OK) {
            continue;
        }

        scan(text, mem, flag, &root, nodes, &got);

        assert(got.cause == r->cause && got.offset == r->offset);
        assert(got.expected == r->expected);
        assert(got.ambiguous == r->ambiguous);

        if (r->cause == NXE_JSON_OK) {
            assert(same(&root, want));

            for (j = 0; j < TARGETS; j++) {
                assert(same(nodes[j], want_nodes[j]));
            }
        }
    }
}


/* Recursion is bounded by the depth that the scan allows. */

static void
walk(nxe_str_t s, const cJSON *item)
{
    const cJSON      *child;
    nxe_json_walk_t   w;

    if (!cJSON_IsObject(item) && !cJSON_IsArray(item)) {
        return;
    }

    child = item->child;

    for (nxe_json_walk(&w, s); nxe_json_walk_next(&w); child = child->next) {
        assert(child != NULL);
        assert((w.key.data != NULL) == (cJSON_IsObject(item) != 0));
        assert(w.value.data > s.data && w.value.len != 0);
        assert(w.value.data + w.value.len < s.data + s.len);

        assert((w.type == NXE_JSON_OBJECT) == cJSON_IsObject(child));
        assert((w.type == NXE_JSON_ARRAY) == cJSON_IsArray(child));
        assert((w.type == NXE_JSON_STRING) == cJSON_IsString(child));
        assert((w.type == NXE_JSON_NUMBER) == cJSON_IsNumber(child));
        assert((w.type == NXE_JSON_NULL) == cJSON_IsNull(child));

        walk(w.value, child);
    }

    assert(child == NULL);
}


/* 1 if an object has a name twice, at any depth. */

static int
twice(const cJSON *item)
{
    const cJSON  *a, *b;

    for (a = item->child; a != NULL; a = a->next) {

        for (b = cJSON_IsObject(item) ? a->next : NULL; b != NULL;
             b = b->next)
        {
            if (strcmp(a->string, b->string) == 0) {
                return 1;
            }
        }

        if (twice(a)) {
            return 1;
        }
    }

    return 0;
}


/*
 * Targets are what cJSON finds under their names, the first where there are
 * two.  1 if one that is edited occurs twice.
 */

static int
targets(const cJSON *item, const nxe_json_node_t *parent, int found)
{
    int                     n, i, duplicate;
    const cJSON            *a, *first;
    const nxe_json_node_t  *node;

    duplicate = 0;

    for (node = parent->child; node != NULL; node = node->next) {
        first = NULL;
        n = 0;
        i = 0;

        cJSON_ArrayForEach(a, item) {

            if (cJSON_IsObject(item)
                ? strlen(a->string) == node->name.len
                  && memcmp(a->string, node->name.data, node->name.len) == 0
                : cJSON_IsArray(item) && (uint32_t) i == node->index)
            {
                first = n++ == 0 ? a : first;
            }

            i++;
        }

        duplicate |= n > 1 && node->edit;
        duplicate |= targets(first, node, found);

        if (!found) {
            continue;
        }

        assert(node->twice == (n > 1));
        assert((node->type == NXE_JSON_NONE) == (first == NULL));
        assert((node->type == NXE_JSON_OBJECT) == cJSON_IsObject(first));
        assert((node->type == NXE_JSON_ARRAY) == cJSON_IsArray(first));
        assert((node->type == NXE_JSON_STRING) == cJSON_IsString(first));
        assert((node->type == NXE_JSON_NUMBER) == cJSON_IsNumber(first));

        if (cJSON_IsArray(first)) {
            assert(node->count == (uint32_t) cJSON_GetArraySize(first));
        }

        if (cJSON_IsArray(first) || cJSON_IsObject(first)) {
            assert(node->nonempty == (first->child != NULL));
        }
    }

    return duplicate;
}


/*
 * What RFC 8259 allows and cJSON 1.7.15 does not: lone surrogates, U+0000,
 * numbers of more than 63 bytes.
 */

static int
beyond_cjson(nxe_str_t s)
{
    size_t  i, run;

    for (i = 0, run = 0; i < s.len; i++) {
        run = strchr("0123456789+-.eE", s.data[i]) != NULL ? run + 1 : 0;

        if (run > 62) {
            return 1;
        }
    }

    for (i = 0; i + 5 < s.len; i++) {
        if (s.data[i] == '\\' && s.data[i + 1] == 'u'
            && ((s.data[i + 2] | 0x20) == 'd'
                || memcmp(s.data + i + 2, "0000", 4) == 0))
        {
            return 1;
        }
    }

    return 0;
}


/* The text of an input, with n of something in front of it. */

static void
surround(int kind, int n, nxe_str_t s, nxe_buf_t *b)
{
    int  i;

    static const struct {
        const char  *open;
        const char  *fill;
        const char  *between;
        const char  *rest;
        const char  *close;
    } kinds[] = {
        { "", "", "", "", "" },
        { "{\"a\":\"", "x", "", "y", "\"}" },
        { "[[", "1", ",", ",2", "]]" },
        { "{\"", "k", "", "", "\":{\"a\":1}}" },
        { "{\"a\":\"", "\xc3\xa9", "", "\xe2\x82\xac", "\"}" },
        { "[", " ", "", "\n", "]" },
        { "{\"a\":[", "0.5,", "", ",-1e2", "]}" },
        { "{\"a\":\"", "\\n", "", "\\u20ac", "\"}" },
    };

    (void) nxe_buf_add(b, nxe_str_of(kinds[kind].open));

    for (i = 0; i < n && kind != 0; i++) {
        (void) nxe_buf_add(b, nxe_str_of(kinds[kind].fill));
    }

    (void) nxe_buf_add(b, nxe_str_of(kinds[kind].between));
    (void) nxe_buf_add(b, s);

    for (i = 0; i < 70 && kind != 0; i++) {
        (void) nxe_buf_add(b, nxe_str_of(kinds[kind].rest));
    }

    (void) nxe_buf_add(b, nxe_str_of(kinds[kind].close));
    assert(b->status == NXE_OK);
}


/* The same bytes at each place of a block. */

static void
sweep(int kind, nxe_str_t s)
{
    int                i, n;
    unsigned           flag;
    nxe_buf_t          b;
    nxe_str_t          whole;
    nxe_text_t         text;
    nxe_json_result_t  want, got;

    text.segs = &whole;
    text.n = 1;

    for (n = 0; n < 66; n++) {
        nxe_buf_init(&b, SIZE_MAX);
        surround(kind, n, s, &b);
        whole = nxe_buf_str(&b);

        (void) nxe_json_scan(&text, NULL, NXE_JSON_PORTABLE, &want);

        for (i = 0; i < KERNELS; i++) {
            if (nxe_json_cpu(kernel_names[i], &flag) == NXE_OK) {
                (void) nxe_json_scan(&text, NULL, flag, &got);
                assert(got.cause == want.cause && got.offset == want.offset);
                assert(got.expected == want.expected);
            }
        }

        nxe_buf_free(&b);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                 i;
    char               *copy;
    cJSON              *tree;
    size_t              n, at, len, step;
    nxe_buf_t           whole;
    nxe_str_t           s, *segs;
    nxe_text_t          one, cut;
    nxe_arena_t        *arena;
    nxe_json_node_t     root, root2, *nodes[TARGETS], *nodes2[TARGETS];
    nxe_json_result_t   r, r2;

    if (size < HEAD) {
        return 0;
    }

    s.data = (const char *) data + HEAD;
    s.len = size - HEAD;
    step = data[0] % 64;

    if (data[0] & 0x80 && s.len < 80) {
        sweep(data[1] % 8, s);
    }

    nxe_buf_init(&whole, SIZE_MAX);
    surround(data[1] % 8, data[1] / 8 * 4 + data[1] % 4, s, &whole);
    s = nxe_buf_str(&whole);

    arena = nxe_arena_new();
    segs = malloc((2 * s.len + 2) * sizeof(nxe_str_t));
    assert(arena != NULL && segs != NULL);

    one.segs = &s;
    one.n = 1;
    scan(&one, nxe_arena_mem(arena), NXE_JSON_PORTABLE, &root, nodes, &r);
    kernels(&one, nxe_arena_mem(arena), &root, nodes, &r);

    /* segments of one length, or of lengths drawn from the bytes; each in
       memory of its own */

    for (at = 0, n = 0; at < s.len; at += len) {
        len = step != 0 ? step : (size_t) ((unsigned char) s.data[at] % 7);
        len = len > s.len - at ? s.len - at : len;

        if (len == 0) {
            segs[n++] = nxe_null_str;
            len = 1;
        }

        copy = malloc(len);
        assert(copy != NULL);
        memcpy(copy, s.data + at, len);
        segs[n].data = copy;
        segs[n++].len = len;
    }

    cut.segs = segs;
    cut.n = n;
    scan(&cut, nxe_arena_mem(arena), NXE_JSON_PORTABLE, &root2, nodes2, &r2);
    kernels(&cut, nxe_arena_mem(arena), &root2, nodes2, &r2);

    assert(r.cause == r2.cause && r.offset == r2.offset);
    assert(r.ambiguous == r2.ambiguous);
    assert(r.expected == r2.expected && r.offset <= s.len);
    assert((r.cause == NXE_JSON_OK) == (r.expected == NULL));

    if (r.cause == NXE_JSON_OK) {
        assert(same(&root, &root2));
        assert(nxe_utf8_ok(s));

        for (i = 0; i < TARGETS; i++) {
            assert(same(nodes[i], nodes2[i]));
        }
    }

    /* cJSON takes more (other white space, zeros in front, any bytes) */

    if ((r.cause == NXE_JSON_OK || r.cause == NXE_JSON_DUPLICATE)
        && !beyond_cjson(s))
    {
        tree = cJSON_ParseWithLength(s.data, s.len);
        assert(tree != NULL);
        assert(r.ambiguous == (unsigned) twice(tree));
        assert(targets(tree, &root, r.cause == NXE_JSON_OK)
               == (r.cause == NXE_JSON_DUPLICATE));

        s.data += root.value.start;
        s.len = root.value.end - root.value.start;
        walk(s, tree);
        cJSON_Delete(tree);
    }

    while (n-- > 0) {
        free((void *) (uintptr_t) segs[n].data);
    }

    free(segs);
    nxe_buf_free(&whole);
    nxe_arena_free(arena);

    return 0;
}
