/*
 * Structure that comes again in an array of objects, passed by comparison.
 */

#include "nxe_json_int.h"


static int nxe_repeat_place(const nxe_scan_t *s);
static int nxe_repeat_wanted(const nxe_scan_t *s);
static int nxe_repeat_note(nxe_scan_t *s, const unsigned char *start);
static const unsigned char *nxe_repeat_space(const unsigned char *p,
    const unsigned char *end);


int
nxe_repeat_pass(nxe_scan_t *s)
{
    unsigned              i, k;
    nxe_repeat_t         *r;
    nxe_repeats_t        *rs;
    nxe_members_frame_t  *f;

    if (!nxe_repeat_place(s)) {
        return 0;
    }

    rs = &s->repeats;

    /* users and assistants take turns: the one after the last comes first */

    for (i = 0, k = rs->last; i < rs->n; i++) {
        k = k + 1 < rs->n ? k + 1 : 0;
        r = &rs->slots[k];

        if ((size_t) (s->end - s->p) >= r->len
            && memcmp(s->p, r->start, r->len) == 0)
        {
            break;
        }
    }

    if (i == rs->n || nxe_repeat_wanted(s)) {
        return 0;
    }

    if (s->members != NULL) {
        f = &s->members->frames[s->depth];

        if (f->start + r->n > NXE_MEMBERS_STACK) {
            return 0;
        }

        f->serial = 0;
        memcpy(&s->members->stack[f->start], r->hashes,
               r->n * sizeof(uint64_t));
        s->members->top = f->start + r->n;
    }

    if (s->nodes[s->depth - 1] != NULL) {
        s->index[s->depth - 1]++;
    }

    rs->last = k;
    rs->depth = 0;
    s->node = NULL;
    s->p += r->len;

    return 1;
}


/* Behind a value of an object that nobody asks for, in an array. */

static int
nxe_repeat_place(const nxe_scan_t *s)
{
    unsigned  i;

    if (s->depth < 2 || s->depth >= NXE_JSON_POINTER_DEPTH + 2
        || s->nodes[s->depth] != NULL)
    {
        return 0;
    }

    i = s->depth - 1;

    return ((s->objects[i / 64] >> (i % 64)) & 1)
           && !((s->objects[(i - 1) / 64] >> ((i - 1) % 64)) & 1);
}


/* Somebody asks for the element that comes. */

static int
nxe_repeat_wanted(const nxe_scan_t *s)
{
    nxe_json_node_t  *node;

    node = s->nodes[s->depth - 1];

    for (node = node != NULL ? node->child : NULL; node != NULL;
         node = node->next)
    {
        if (node->index == s->index[s->depth - 1]) {
            return 1;
        }
    }

    return 0;
}


/*
 * An object that ends and a comma behind it begin a lesson; a comma and a name
 * in the next object are its end, and make it longer as often as the value
 * before them is short.  As nothing else does, it means one close, one open,
 * and members of one object.
 */

void
nxe_repeat_learn(nxe_scan_t *s, size_t from)
{
    nxe_repeats_t        *rs;
    const unsigned char  *p, *q;

    rs = &s->repeats;

    if (from < s->offset) {
        rs->depth = 0;          /* a segment ends in it */
        return;
    }

    p = s->base + (from - s->offset);
    q = nxe_repeat_space(p, s->p);

    if (q != s->p && *q == '}') {
        q = nxe_repeat_space(q + 1, s->p);
        rs->depth = 0;

        if (rs->lessons != 0 && q != s->p && *q == ','
            && nxe_repeat_space(q + 1, s->p) == s->p)
        {
            rs->depth = s->depth + 1;
            rs->noted = 0;
            rs->from = from;
            rs->lessons--;
            rs->last = rs->n < NXE_REPEATS ? rs->n
                                           : (rs->last + 1) % NXE_REPEATS;
        }

    } else if (q == s->p || *q != ',' || rs->depth != s->depth
               || rs->from < s->offset
               || (rs->noted && from - rs->to > NXE_REPEAT_VALUE)
               || !nxe_repeat_note(s, s->base + (rs->from - s->offset)))
    {
        rs->depth = 0;
    }

    rs->to = nxe_scan_at(s);
}


static int
nxe_repeat_note(nxe_scan_t *s, const unsigned char *start)
{
    uint32_t                    n;
    nxe_repeat_t               *r;
    nxe_repeats_t              *rs;
    const nxe_members_frame_t  *f;

    rs = &s->repeats;
    r = &rs->slots[rs->last];
    f = NULL;
    n = 0;

    if (s->members != NULL) {
        f = &s->members->frames[s->depth];
        n = f->serial == 0 ? s->members->top - f->start : UINT32_MAX;
    }

    if (s->p - start > NXE_REPEAT_LEN || n > NXE_REPEAT_MEMBERS
        || !nxe_repeat_place(s))
    {
        return 0;
    }

    r->start = start;
    r->len = (size_t) (s->p - start);
    r->n = n;
    rs->noted = 1;

    if (n != 0) {
        memcpy(r->hashes, &s->members->stack[f->start], n * sizeof(uint64_t));
    }

    if (rs->last == rs->n) {
        rs->n++;
    }

    return 1;
}


static const unsigned char *
nxe_repeat_space(const unsigned char *p, const unsigned char *end)
{
    while (p != end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) {
        p++;
    }

    return p;
}
