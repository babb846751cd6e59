/*
 * The marks of a plan as byte edits.
 */

#include <string.h>

#include "nxe_plan_int.h"


typedef struct {
    const nxe_text_t       *text;
    const nxe_mem_t        *mem;
    nxe_edit_t             *edits;
    size_t                  n;
} nxe_emit_t;


static size_t nxe_emit_bound(const nxe_json_node_t *node);
static nxe_status_t nxe_emit_container(nxe_emit_t *e,
    const nxe_json_node_t *node);
static nxe_status_t nxe_emit_removals(nxe_emit_t *e,
    const nxe_json_node_t *node, int *empty);
static void nxe_emit_run(nxe_emit_t *e, const nxe_json_node_t *first,
    const nxe_json_node_t *last, int *empty);
static nxe_status_t nxe_emit_absent(nxe_emit_t *e,
    const nxe_json_node_t *node, size_t at, int *first);
static const nxe_json_node_t *nxe_emit_next(const nxe_json_node_t *node,
    const nxe_json_node_t *after);
static uint32_t nxe_emit_seq(const nxe_json_node_t *node);
static nxe_status_t nxe_emit_name(nxe_emit_t *e, size_t at, int first,
    nxe_str_t name);
static nxe_status_t nxe_emit_escape(const nxe_mem_t *mem, nxe_str_t name,
    nxe_str_t *escaped);
static void nxe_emit_value(nxe_emit_t *e, size_t start, size_t end,
    const nxe_mark_t *mark);
static void nxe_emit_edit(nxe_emit_t *e, size_t start, size_t end,
    nxe_str_t head, nxe_str_t bytes, nxe_str_t tail);


nxe_status_t
nxe_places_edits(const nxe_places_t *p, const nxe_text_t *text,
    const nxe_mem_t *mem, nxe_edit_t **edits, size_t *n)
{
    nxe_emit_t    e;
    nxe_status_t  rc;

    *edits = NULL;
    *n = 0;

    if (p->marks == 0) {
        return NXE_OK;
    }

    e.text = text;
    e.mem = mem;
    e.n = 0;
    e.edits = nxe_alloc(mem, nxe_emit_bound(&p->root)
                             * sizeof(nxe_edit_t));
    if (e.edits == NULL) {
        return NXE_NOMEM;
    }

    rc = nxe_emit_container(&e, &p->root);

    if (rc == NXE_OK) {
        rc = nxe_splice_order(e.edits, e.n);
    }

    if (rc == NXE_OK) {
        *edits = e.edits;
        *n = e.n;
    }

    return rc;
}


/*
 * The most edits that the nodes below can need: a value has one, or three with
 * a cache_control; what is absent has one more for its name, and an object
 * that is made on the way has its name and two braces.
 */

static size_t
nxe_emit_bound(const nxe_json_node_t *node)
{
    size_t                  n, below;
    const nxe_json_node_t  *child;

    n = node->mark == NULL ? 0 : node->mark->blocks ? 3 : 1;

    for (child = node->child; child != NULL; child = child->next) {
        below = nxe_emit_bound(child);

        if (below != 0 && child->type == NXE_JSON_NONE) {
            below += child->mark != NULL ? 1 : 3;
        }

        n += below;
    }

    return n;
}


static nxe_status_t
nxe_emit_container(nxe_emit_t *e, const nxe_json_node_t *node)
{
    int                     empty;
    size_t                  at;
    nxe_status_t            rc;
    const nxe_mark_t       *mark;
    const nxe_json_node_t  *child;

    empty = !node->nonempty;

    rc = nxe_emit_removals(e, node, &empty);
    if (rc != NXE_OK) {
        return rc;
    }

    mark = node->mark;

    if (mark != NULL && mark->what == NXE_MARK_INSERT) {
        at = node->value.start + 1;
        nxe_emit_edit(e, at, at,
                      nxe_str("{\"role\":\"system\",\"content\":"),
                      mark->bytes,
                      empty ? nxe_str("}") : nxe_str("},"));
        empty = 0;
    }

    for (child = node->child; child != NULL; child = child->next) {

        if (child->type == NXE_JSON_NONE) {
            continue;
        }

        if (child->mark != NULL && child->mark->what == NXE_MARK_SET) {
            nxe_emit_value(e, child->value.start, child->value.end,
                           child->mark);

        } else if (child->mark == NULL
                   || child->mark->what == NXE_MARK_INSERT)
        {
            rc = nxe_emit_container(e, child);
            if (rc != NXE_OK) {
                return rc;
            }
        }
    }

    return nxe_emit_absent(e, node, node->value.end - 1, &empty);
}


/*
 * Members and elements go with one comma: in runs of what is removed, with
 * the comma in front of the run, or, where the container begins with the
 * run, with the one behind it.
 */

static nxe_status_t
nxe_emit_removals(nxe_emit_t *e, const nxe_json_node_t *node, int *empty)
{
    char                     c;
    size_t                   i, j, n;
    const nxe_json_node_t   *child, **list;

    n = 0;

    for (child = node->child; child != NULL; child = child->next) {
        n += child->mark != NULL && child->mark->what == NXE_MARK_REMOVE;
    }

    if (n == 0) {
        return NXE_OK;
    }

    list = nxe_alloc(e->mem, n * sizeof(list[0]));
    if (list == NULL) {
        return NXE_NOMEM;
    }

    n = 0;

    for (child = node->child; child != NULL; child = child->next) {

        if (child->mark == NULL || child->mark->what != NXE_MARK_REMOVE) {
            continue;
        }

        for (i = n++; i > 0 && list[i - 1]->value.start > child->value.start;
             i--)
        {
            list[i] = list[i - 1];
        }

        list[i] = child;
    }

    for (i = 0; i < n; i = j) {

        for (j = i + 1; j < n; j++) {

            /* is there but a comma between this one and the last? */

            if (nxe_text_back(e->text, nxe_text_back(e->text,
                              list[j]->key.end != 0 ? list[j]->key.start
                                                    : list[j]->value.start,
                              &c), &c) + 1
                != list[j - 1]->value.end)
            {
                break;
            }
        }

        nxe_emit_run(e, list[i], list[j - 1], empty);
    }

    return NXE_OK;
}


static void
nxe_emit_run(nxe_emit_t *e, const nxe_json_node_t *first,
    const nxe_json_node_t *last, int *empty)
{
    char    c;
    size_t  start, end, before, behind;

    start = first->key.end != 0 ? first->key.start : first->value.start;
    end = last->value.end;

    before = nxe_text_back(e->text, start, &c);

    if (c == ',') {
        start = before;

    } else {
        behind = nxe_text_ahead(e->text, end, &c);

        if (c == ',') {
            end = behind + 1;

        } else {
            *empty = 1;
        }
    }

    nxe_emit_edit(e, start, end, nxe_null_str, nxe_null_str,
                  nxe_null_str);
}


/* What is planned below a container and is not there, behind what is. */

static nxe_status_t
nxe_emit_absent(nxe_emit_t *e, const nxe_json_node_t *node, size_t at,
    int *first)
{
    int                     inner;
    nxe_status_t            rc;
    const nxe_json_node_t  *child;

    for (child = nxe_emit_next(node, NULL);
         child != NULL;
         child = nxe_emit_next(node, child))
    {
        rc = nxe_emit_name(e, at, *first, node->type == NXE_JSON_ARRAY
                                          ? nxe_null_str : child->name);
        if (rc != NXE_OK) {
            return rc;
        }

        *first = 0;

        if (child->mark != NULL) {
            nxe_emit_value(e, at, at, child->mark);
            continue;
        }

        inner = 1;
        nxe_emit_edit(e, at, at, nxe_str("{"), nxe_null_str,
                      nxe_null_str);

        rc = nxe_emit_absent(e, child, at, &inner);
        if (rc != NXE_OK) {
            return rc;
        }

        nxe_emit_edit(e, at, at, nxe_str("}"), nxe_null_str,
                      nxe_null_str);
    }

    return NXE_OK;
}


/* The absent children with a plan, in the order of planning. */

static const nxe_json_node_t *
nxe_emit_next(const nxe_json_node_t *node, const nxe_json_node_t *after)
{
    uint32_t                seq, least, best;
    const nxe_json_node_t  *child, *next;

    next = NULL;
    best = UINT32_MAX;
    least = after != NULL ? nxe_emit_seq(after) + 1 : 0;

    for (child = node->child; child != NULL; child = child->next) {

        if (child->type != NXE_JSON_NONE) {
            continue;
        }

        seq = nxe_emit_seq(child);

        if (seq >= least && seq < best) {
            best = seq;
            next = child;
        }
    }

    return next;
}


/* Of the first mark at a node or below; UINT32_MAX: none. */

static uint32_t
nxe_emit_seq(const nxe_json_node_t *node)
{
    uint32_t                seq, least;
    const nxe_json_node_t  *child;

    least = node->mark != NULL ? node->mark->seq : UINT32_MAX;

    for (child = node->child; child != NULL; child = child->next) {
        seq = nxe_emit_seq(child);

        if (seq < least) {
            least = seq;
        }
    }

    return least;
}


/* A comma, but before the first, and a member's name, but in an array. */

static nxe_status_t
nxe_emit_name(nxe_emit_t *e, size_t at, int first, nxe_str_t name)
{
    size_t      i;
    nxe_str_t   escaped;

    if (name.data == NULL) {
        if (!first) {
            nxe_emit_edit(e, at, at, nxe_str(","), nxe_null_str,
                          nxe_null_str);
        }

        return NXE_OK;
    }

    escaped = name;

    for (i = 0; i < name.len; i++) {
        if ((unsigned char) name.data[i] < 0x20 || name.data[i] == '"'
            || name.data[i] == '\\')
        {
            if (nxe_emit_escape(e->mem, name, &escaped) != NXE_OK) {
                return NXE_NOMEM;
            }

            break;
        }
    }

    nxe_emit_edit(e, at, at, first ? nxe_str("\"") : nxe_str(",\""), escaped,
                  nxe_str("\":"));

    return NXE_OK;
}


/* What has to be escaped in a name, and no more. */

static nxe_status_t
nxe_emit_escape(const nxe_mem_t *mem, nxe_str_t name, nxe_str_t *escaped)
{
    char               *p;
    size_t              i;
    unsigned char       c;
    static const char   hex[] = "0123456789abcdef";

    p = nxe_alloc(mem, 6 * name.len);
    if (p == NULL) {
        return NXE_NOMEM;
    }

    escaped->data = p;

    for (i = 0; i < name.len; i++) {
        c = (unsigned char) name.data[i];

        if (c < 0x20) {
            memcpy(p, "\\u00", 4);
            p[4] = hex[c >> 4];
            p[5] = hex[c & 0x0f];
            p += 6;
            continue;
        }

        if (c == '"' || c == '\\') {
            *p++ = '\\';
        }

        *p++ = (char) c;
    }

    escaped->len = (size_t) (p - escaped->data);

    return NXE_OK;
}


static void
nxe_emit_value(nxe_emit_t *e, size_t start, size_t end,
    const nxe_mark_t *mark)
{
    if (!mark->blocks) {
        nxe_emit_edit(e, start, end, nxe_null_str, mark->bytes,
                      nxe_null_str);
        return;
    }

    nxe_emit_edit(e, start, start,
                  nxe_str("[{\"type\":\"text\",\"text\":"),
                  mark->bytes, nxe_null_str);

    if (mark->cache.len != 0) {
        nxe_emit_edit(e, start, start, nxe_str(",\"cache_control\":"),
                      mark->cache, nxe_null_str);
    }

    nxe_emit_edit(e, start, end, nxe_str("}]"), nxe_null_str,
                  nxe_null_str);
}


static void
nxe_emit_edit(nxe_emit_t *e, size_t start, size_t end, nxe_str_t head,
    nxe_str_t bytes, nxe_str_t tail)
{
    nxe_edit_t  *edit;

    edit = &e->edits[e->n++];
    edit->start = start;
    edit->end = end;
    edit->head = head;
    edit->bytes = bytes;
    edit->tail = tail;
}
