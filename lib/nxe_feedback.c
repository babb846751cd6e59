/*
 * The body of feedback: its items and the form of their members.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <nxe/feedback.h>


/* An item that is being read. */

typedef struct {
    nxe_feedback_t         *f;
    nxe_feedback_item_t    *item;
    int32_t                 i;
    const nxe_mem_t        *mem;
} nxe_feedback_at_t;

typedef struct nxe_feedback_member_s  nxe_feedback_member_t;

typedef nxe_status_t (*nxe_feedback_read_pt)(nxe_feedback_at_t *at,
    const nxe_feedback_member_t *m, const nxe_json_walk_t *w, nxe_str_t *out);

struct nxe_feedback_member_s {
    const char             *name;
    nxe_feedback_read_pt    read;
    size_t                  offset;         /* of a slice in the item */
    size_t                  max;            /* bytes */
    unsigned                required:1;
};


static size_t nxe_feedback_count(nxe_str_t array);
static nxe_status_t nxe_feedback_item(nxe_feedback_at_t *at, nxe_str_t value,
    nxe_json_type_t type, nxe_feedback_trust_t trust);
static nxe_status_t nxe_feedback_members(nxe_feedback_at_t *at,
    nxe_str_t object);
static void nxe_feedback_who(nxe_feedback_at_t *at,
    nxe_feedback_trust_t trust);
static nxe_status_t nxe_feedback_string(nxe_feedback_at_t *at,
    const nxe_feedback_member_t *m, const nxe_json_walk_t *w, nxe_str_t *out);
static int nxe_feedback_integral(nxe_str_t s);
static nxe_status_t nxe_feedback_text(nxe_feedback_at_t *at,
    const nxe_feedback_member_t *m, const nxe_json_walk_t *w, nxe_str_t *out);
static nxe_status_t nxe_feedback_unit(nxe_feedback_at_t *at,
    const nxe_feedback_member_t *m, const nxe_json_walk_t *w, nxe_str_t *out);
static nxe_status_t nxe_feedback_name(nxe_feedback_at_t *at,
    const nxe_feedback_member_t *m, const nxe_json_walk_t *w, nxe_str_t *out);
static nxe_status_t nxe_feedback_hex(nxe_feedback_at_t *at,
    const nxe_feedback_member_t *m, const nxe_json_walk_t *w, nxe_str_t *out);
static nxe_status_t nxe_feedback_any(nxe_feedback_at_t *at,
    const nxe_feedback_member_t *m, const nxe_json_walk_t *w, nxe_str_t *out);


#define nxe_feedback_slice(item, m)                                           \
    ((nxe_str_t *) (void *) ((char *) (item) + (m)->offset))

static const nxe_feedback_member_t  nxe_feedback_table[] = {
    { "unit", nxe_feedback_unit, offsetof(nxe_feedback_item_t, unit),
      NXE_UNIT_MAX, 0 },
    { "unit_hash", nxe_feedback_hex, offsetof(nxe_feedback_item_t, unit_hash),
      NXE_UNIT_ID_LEN, 0 },
    { "request_id", nxe_feedback_hex,
      offsetof(nxe_feedback_item_t, request_id), NXE_UNIT_ID_LEN, 0 },
    { "experiment", nxe_feedback_name,
      offsetof(nxe_feedback_item_t, experiment), 64, 0 },
    { "metric", nxe_feedback_name, offsetof(nxe_feedback_item_t, metric), 64,
      1 },
    { "value", nxe_feedback_any, offsetof(nxe_feedback_item_t, value), 0, 1 },
    { "idempotency_key", nxe_feedback_text,
      offsetof(nxe_feedback_item_t, key), NXE_FEEDBACK_KEY, 0 },
    { NULL, NULL, 0, 0, 0 }
};


nxe_status_t
nxe_feedback_parse(nxe_str_t body, nxe_feedback_trust_t trust,
    unsigned flags, const nxe_mem_t *mem, nxe_feedback_t *f)
{
    nxe_str_t           value;
    nxe_text_t          text;
    nxe_status_t        rc;
    nxe_json_node_t     root;
    nxe_json_walk_t     w;
    nxe_json_result_t   result;
    nxe_feedback_at_t   at;

    memset(f, 0, sizeof(nxe_feedback_t));
    memset(&root, 0, sizeof(root));

    text.segs = &body;
    text.n = 1;

    if (body.len > NXE_FEEDBACK_BODY) {
        nxe_feedback_fault(f, -1, NULL, "at most %d bytes",
                           NXE_FEEDBACK_BODY);
        return NXE_INVALID;
    }

    if (nxe_json_scan(&text, &root, flags, &result) != NXE_JSON_OK) {
        nxe_feedback_fault(f, -1, NULL, "JSON: found it %s at byte %zu",
                           result.cause == NXE_JSON_UTF8 ? "not UTF-8"
                           : result.cause == NXE_JSON_DEEP ? "too deep"
                           : "malformed", result.offset);
        return NXE_INVALID;
    }

    value.data = body.data + root.value.start;
    value.len = root.value.end - root.value.start;

    f->array = root.type == NXE_JSON_ARRAY;
    f->n = f->array ? nxe_feedback_count(value) : 1;

    if (f->n == 0 || f->n > NXE_FEEDBACK_ITEMS) {
        f->n = 0;
        nxe_feedback_fault(f, -1, NULL, "1 to %d items", NXE_FEEDBACK_ITEMS);
        return NXE_INVALID;
    }

    f->items = nxe_calloc(mem, f->n * sizeof(nxe_feedback_item_t));
    if (f->items == NULL) {
        return NXE_NOMEM;
    }

    at.f = f;
    at.item = f->items;
    at.i = 0;
    at.mem = mem;

    if (!f->array) {
        rc = nxe_feedback_item(&at, value, root.type, trust);

    } else {
        rc = NXE_OK;

        for (nxe_json_walk(&w, value);
             rc == NXE_OK && nxe_json_walk_next(&w);
             at.item++, at.i++)
        {
            rc = nxe_feedback_item(&at, w.value, w.type, trust);
        }
    }

    if (rc != NXE_OK) {
        return rc;
    }

    return f->nfaults == 0 ? NXE_OK : NXE_INVALID;
}


/* Elements, but not beyond what is too many. */

static size_t
nxe_feedback_count(nxe_str_t array)
{
    size_t           n;
    nxe_json_walk_t  w;

    n = 0;

    for (nxe_json_walk(&w, array);
         n <= NXE_FEEDBACK_ITEMS && nxe_json_walk_next(&w); )
    {
        n++;
    }

    return n;
}


static nxe_status_t
nxe_feedback_item(nxe_feedback_at_t *at, nxe_str_t value,
    nxe_json_type_t type, nxe_feedback_trust_t trust)
{
    size_t                        before;
    nxe_status_t                  rc;
    const nxe_feedback_member_t  *m;

    if (type != NXE_JSON_OBJECT) {
        nxe_feedback_fault(at->f, at->i, NULL, "an object");
        return NXE_OK;
    }

    before = at->f->nfaults;

    rc = nxe_feedback_members(at, value);
    if (rc != NXE_OK) {
        return rc;
    }

    for (m = nxe_feedback_table; m->name != NULL; m++) {
        if (m->required && nxe_feedback_slice(at->item, m)->data == NULL
            && at->f->nfaults == before)
        {
            nxe_feedback_fault(at->f, at->i, m->name,
                               "\"%s\", which is required", m->name);
        }
    }

    /* of a member that was refused nobody needs to hear that it is missing */

    if (at->f->nfaults == before) {
        nxe_feedback_who(at, trust);
    }

    return NXE_OK;
}


static nxe_status_t
nxe_feedback_members(nxe_feedback_at_t *at, nxe_str_t object)
{
    nxe_str_t                    *out;
    nxe_status_t                  rc;
    nxe_json_walk_t               w;
    const nxe_feedback_member_t  *m;

    for (nxe_json_walk(&w, object); nxe_json_walk_next(&w); ) {

        for (m = nxe_feedback_table; m->name != NULL; m++) {
            if (nxe_json_string_eq(w.key, nxe_str_of(m->name))) {
                break;
            }
        }

        if (m->name == NULL) {
            nxe_feedback_fault(at->f, at->i, NULL, "no member but unit "
                               "unit_hash request_id experiment metric value "
                               "idempotency_key");
            continue;
        }

        out = nxe_feedback_slice(at->item, m);

        if (out->data != NULL) {
            nxe_feedback_fault(at->f, at->i, m->name, "\"%s\" once", m->name);
            continue;
        }

        rc = m->read(at, m, &w, out);
        if (rc != NXE_OK) {
            return rc;
        }
    }

    return NXE_OK;
}


static void
nxe_feedback_who(nxe_feedback_at_t *at, nxe_feedback_trust_t trust)
{
    int                   n;
    nxe_feedback_item_t  *item;

    item = at->item;

    if (item->unit_hash.data != NULL && trust != NXE_TRUST_KEY) {
        nxe_feedback_fault(at->f, at->i, "unit_hash",
                           "no \"unit_hash\" without a key");
        return;
    }

    if (trust == NXE_TRUST_TOKEN) {
        if (item->unit.data != NULL) {
            nxe_feedback_fault(at->f, at->i, "unit",
                               "no \"unit\": the token has it");
        }

        return;
    }

    n = (item->unit.data != NULL) + (item->unit_hash.data != NULL)
        + (item->request_id.data != NULL);

    if (n != 1) {
        nxe_feedback_fault(at->f, at->i, NULL, trust == NXE_TRUST_KEY
                           ? "one of unit unit_hash request_id"
                           : "one of unit request_id");
    }
}


/*
 * Neither NXE_OK nor NXE_NOMEM: no string of 1 to m->max bytes; the fault is
 * the caller's to add.
 */

static nxe_status_t
nxe_feedback_string(nxe_feedback_at_t *at, const nxe_feedback_member_t *m,
    const nxe_json_walk_t *w, nxe_str_t *out)
{
    nxe_str_t     s;
    nxe_status_t  rc;

    rc = NXE_INVALID;

    /* six bytes of escape make at least one byte */

    if (w->type == NXE_JSON_STRING && w->value.len <= 6 * m->max + 2) {
        rc = nxe_json_unescape(w->value, m->max, at->mem, &s);
    }

    if (rc != NXE_OK) {
        return rc;
    }

    if (s.len == 0) {
        return NXE_INVALID;
    }

    *out = s;

    return NXE_OK;
}


static nxe_status_t
nxe_feedback_text(nxe_feedback_at_t *at, const nxe_feedback_member_t *m,
    const nxe_json_walk_t *w, nxe_str_t *out)
{
    nxe_status_t  rc;

    rc = nxe_feedback_string(at, m, w, out);

    if (rc == NXE_OK || rc == NXE_NOMEM) {
        return rc;
    }

    nxe_feedback_fault(at->f, at->i, m->name, "a string of 1 to %zu bytes",
                       m->max);

    return NXE_OK;
}


/* An integer of at most 18 digits, as it is written. */

static int
nxe_feedback_integral(nxe_str_t s)
{
    size_t  i, digits;

    i = s.data[0] == '-' ? 1 : 0;
    digits = s.len - i;

    while (i < s.len && s.data[i] >= '0' && s.data[i] <= '9') {
        i++;
    }

    return i == s.len && digits <= 18;
}


/* As a source of a unit takes it from a body (nxe_places_value()). */

static nxe_status_t
nxe_feedback_unit(nxe_feedback_at_t *at, const nxe_feedback_member_t *m,
    const nxe_json_walk_t *w, nxe_str_t *out)
{
    nxe_status_t  rc;

    if (w->type == NXE_JSON_NUMBER) {
        rc = nxe_feedback_integral(w->value) ? NXE_OK : NXE_INVALID;

        if (rc == NXE_OK) {
            *out = w->value;
        }

    } else {
        rc = nxe_feedback_string(at, m, w, out);
    }

    if (rc == NXE_OK || rc == NXE_NOMEM) {
        return rc;
    }

    nxe_feedback_fault(at->f, at->i, m->name, "a string of 1 to %zu bytes, "
                       "or an integer of at most 18 digits", m->max);

    return NXE_OK;
}


static nxe_status_t
nxe_feedback_name(nxe_feedback_at_t *at, const nxe_feedback_member_t *m,
    const nxe_json_walk_t *w, nxe_str_t *out)
{
    nxe_str_t     s;
    nxe_status_t  rc;

    rc = nxe_feedback_string(at, m, w, &s);

    if (rc == NXE_NOMEM) {
        return rc;
    }

    if (rc != NXE_OK || !nxe_name_ok(s)) {
        nxe_feedback_fault(at->f, at->i, m->name, "the name of %s %s",
                           m->name[0] == 'e' ? "an" : "a", m->name);
        return NXE_OK;
    }

    *out = s;

    return NXE_OK;
}


static nxe_status_t
nxe_feedback_hex(nxe_feedback_at_t *at, const nxe_feedback_member_t *m,
    const nxe_json_walk_t *w, nxe_str_t *out)
{
    nxe_str_t  s;

    if (w->type == NXE_JSON_STRING && w->value.len == m->max + 2) {
        s.data = w->value.data + 1;
        s.len = m->max;

        if (nxe_feedback_id_ok(s)) {
            *out = s;
            return NXE_OK;
        }
    }

    nxe_feedback_fault(at->f, at->i, m->name,
                       "%zu hex digits in lower case", m->max);

    return NXE_OK;
}


/* The metric says what it may be; here it may be what some metric takes. */

static nxe_status_t
nxe_feedback_any(nxe_feedback_at_t *at, const nxe_feedback_member_t *m,
    const nxe_json_walk_t *w, nxe_str_t *out)
{
    if (w->type != NXE_JSON_BOOL
        && (w->type != NXE_JSON_NUMBER
            || w->value.len > NXE_FEEDBACK_NUMBER))
    {
        nxe_feedback_fault(at->f, at->i, m->name, "a number of at most %d "
                           "bytes, or true or false", NXE_FEEDBACK_NUMBER);
        return NXE_OK;
    }

    at->item->type = w->type;
    *out = w->value;

    return NXE_OK;
}


void
nxe_feedback_fault(nxe_feedback_t *f, int32_t item, const char *member,
    const char *fmt, ...)
{
    va_list                args;
    nxe_feedback_fault_t  *fault;

    if (f->nfaults++ >= NXE_FEEDBACK_FAULTS) {
        return;
    }

    fault = &f->faults[f->nfaults - 1];
    fault->item = item;
    fault->member = member;

    va_start(args, fmt);
    (void) vsnprintf(fault->expected, sizeof(fault->expected), fmt, args);
    va_end(args);
}


size_t
nxe_feedback_pointer(const nxe_feedback_t *f,
    const nxe_feedback_fault_t *fault, char out[NXE_FEEDBACK_POINTER])
{
    size_t  n;

    n = 0;
    out[0] = '\0';

    if (f->array && fault->item >= 0) {
        n = (size_t) snprintf(out, NXE_FEEDBACK_POINTER, "/%d",
                              (int) fault->item);
    }

    if (fault->member != NULL) {
        n += (size_t) snprintf(out + n, NXE_FEEDBACK_POINTER - n, "/%s",
                               fault->member);
    }

    return n;
}
