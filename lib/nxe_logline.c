/*
 * Access-log lines.  A line is validated once, by the strict scan; what
 * follows walks it and may trust its syntax.
 */

#include <string.h>

#include "nxe_logline_int.h"


/*
 * Keys of one object, to notice the second one of a name: most are told from
 * all others by one of 256 bits, so that nothing large has to be cleared for
 * each line.
 */

typedef struct {
    uint32_t            n;
    int                 escapes;            /* the line has a backslash */
    uint64_t            seen[4];
    uint32_t            hashes[NXE_LOGLINE_MEMBERS];
    nxe_str_t           keys[NXE_LOGLINE_MEMBERS];
} keys_t;


static const char *read_object(nxe_str_t object, int escapes,
    const nxe_log_member_t *members, size_t n, void *record);
static const char *read_entries(nxe_logline_t *r, int escapes);
static const char *add_key(keys_t *k, nxe_str_t key);
static uint32_t key_hash(nxe_str_t key);
static const char *finish_record(nxe_logline_t *r, int escapes);
static const char *finish_feedback(const nxe_log_feedback_t *f);
static const char *finish_entry(nxe_log_entry_t *e);
static void diagnose(nxe_str_t line, const nxe_json_result_t *result,
    nxe_logline_fault_t *fault);


/* The walk wants the bare object: a file from elsewhere may end in CR. */

static nxe_str_t
trim(nxe_str_t s)
{
    while (s.len != 0 && memchr(" \t\r\n", s.data[s.len - 1], 4) != NULL) {
        s.len--;
    }

    while (s.len != 0 && memchr(" \t\r\n", s.data[0], 4) != NULL) {
        s.data++;
        s.len--;
    }

    return s;
}


nxe_status_t
nxe_logline_read(nxe_str_t line, nxe_logline_t *record,
    nxe_logline_fault_t *fault)
{
    int                escapes;
    nxe_text_t         text;
    nxe_json_result_t  result;

    fault->next = NULL;

    if (line.len > NXE_LOGLINE_MAX) {
        fault->why = "longer than 1 MB";
        return NXE_INVALID;
    }

    line = trim(line);

    text.segs = &line;
    text.n = 1;

    if (nxe_json_scan(&text, NULL, NXE_JSON_ROOT_OBJECT, &result)
        != NXE_JSON_OK)
    {
        diagnose(line, &result, fault);
        return NXE_INVALID;
    }

    /* The entries are written as they come. */
    memset(record, 0, offsetof(nxe_logline_t, entries));

    record->time = NXE_LOGLINE_UNKNOWN;
    record->status = NXE_LOGLINE_UNKNOWN;
    record->upstream_status = NXE_LOGLINE_UNKNOWN;
    record->response_us = NXE_LOGLINE_UNKNOWN;
    record->ttft_us = NXE_LOGLINE_UNKNOWN;
    record->tpot_us = NXE_LOGLINE_UNKNOWN;
    record->itl_max_us = NXE_LOGLINE_UNKNOWN;
    record->input_tokens = NXE_LOGLINE_UNKNOWN;
    record->output_tokens = NXE_LOGLINE_UNKNOWN;
    record->cached_tokens = NXE_LOGLINE_UNKNOWN;
    record->tool_calls = NXE_LOGLINE_UNKNOWN;
    record->cost = NXE_LOGLINE_UNKNOWN;
    record->feedback.value = NXE_LOGLINE_UNKNOWN;

    escapes = (memchr(line.data, '\\', line.len) != NULL);

    fault->why = read_object(line, escapes, nxe_log_line_members,
                             nxe_log_line_nmembers, record);

    /* other kinds may mean something else by these names */

    if (fault->why == NULL && record->kind == NXE_LOGLINE_FEEDBACK) {
        fault->why = read_object(line, escapes, nxe_log_feedback_members,
                                 nxe_log_feedback_nmembers, record);
    }

    if (fault->why == NULL) {
        fault->why = finish_record(record, escapes);
    }

    return fault->why == NULL ? NXE_OK : NXE_INVALID;
}


static const char *
finish_record(nxe_logline_t *r, int escapes)
{
    if (r->kind == NXE_LOGLINE_NONE) {
        return "no kind";
    }

    if (r->time == NXE_LOGLINE_UNKNOWN) {
        return "no time";
    }

    if (r->kind == NXE_LOGLINE_OTHER) {
        return NULL;
    }

    if (!r->id.set) {
        return "no id";
    }

    if (r->kind == NXE_LOGLINE_FEEDBACK) {
        return finish_feedback(&r->feedback);
    }

    if (r->status == NXE_LOGLINE_UNKNOWN) {
        return "no status";
    }

    if (r->status == 499) {
        r->aborted = 1;
    }

    if (r->cost != NXE_LOGLINE_UNKNOWN && r->currency.len == 0) {
        return "a cost without a currency";
    }

    r->metered = r->has_model || r->ttft_us != NXE_LOGLINE_UNKNOWN
                 || r->empty != NXE_LOG_ABSENT || r->stream != NXE_LOG_ABSENT;

    return read_entries(r, escapes);
}


/* What the edge refused has no more than its cause. */

static const char *
finish_feedback(const nxe_log_feedback_t *f)
{
    if (f->refused) {
        return NULL;
    }

    if (f->experiment.len == 0 || f->metric.len == 0) {
        return "feedback without experiment or metric";
    }

    if (f->value == NXE_LOGLINE_UNKNOWN) {
        return "feedback without a value";
    }

    if (!f->unit.set && !f->request.set) {
        return "feedback without unit and request_id";
    }

    return NULL;
}


static const char *
read_entries(nxe_logline_t *r, int escapes)
{
    uint32_t          i;
    const char       *why;
    nxe_json_walk_t   w;
    nxe_log_entry_t  *e;

    if (r->list.len == 0) {
        return "no experiments";
    }

    for (nxe_json_walk(&w, r->list); nxe_json_walk_next(&w); ) {

        if (w.type != NXE_JSON_OBJECT) {
            return "an experiment that is no object";
        }

        if (r->nentries == NXE_LOGLINE_ENTRIES) {
            return "more than 256 experiments";
        }

        e = &r->entries[r->nentries];
        memset(e, 0, sizeof(nxe_log_entry_t));

        why = read_object(w.value, escapes, nxe_log_entry_members,
                          nxe_log_entry_nmembers, e);
        if (why == NULL) {
            why = finish_entry(e);
        }

        if (why != NULL) {
            return why;
        }

        for (i = 0; i < r->nentries; i++) {
            if (nxe_str_eq(r->entries[i].name, e->name)) {
                return "one experiment twice";
            }
        }

        r->nentries++;
    }

    return NULL;
}


static const char *
finish_entry(nxe_log_entry_t *e)
{
    if (e->name.len == 0) {
        return "an experiment without a name";
    }

    if (e->reason.len == 0) {
        return "an experiment without a reason";
    }

    if (nxe_str_eq(e->reason, nxe_str("assigned"))
        || nxe_str_eq(e->reason, nxe_str("pinned")))
    {
        e->cls = NXE_ENTRY_ASSIGNED;

    } else if (nxe_str_eq(e->reason, nxe_str("not_exposed"))) {
        e->cls = NXE_ENTRY_NOT_EXPOSED;

    } else {
        e->cls = NXE_ENTRY_LEFT_OUT;
    }

    if (e->exposed != (e->cls == NXE_ENTRY_ASSIGNED)) {
        return "\"exposed\" and \"reason\" that do not agree";
    }

    if (e->cls == NXE_ENTRY_LEFT_OUT) {
        return NULL;
    }

    /* Whoever is counted in a row has a unit, a phase and a variant. */

    if (!e->unit.set || e->phase == 0 || e->variant.len == 0) {
        return "an assignment without unit, phase or variant";
    }

    return NULL;
}


static const char *
read_object(nxe_str_t object, int escapes, const nxe_log_member_t *members,
    size_t n, void *record)
{
    size_t           i;
    keys_t           keys;
    nxe_str_t        key;
    const char      *why;
    nxe_json_walk_t  w;

    keys.n = 0;
    keys.escapes = escapes;
    memset(keys.seen, 0, sizeof(keys.seen));

    for (nxe_json_walk(&w, object); nxe_json_walk_next(&w); ) {

        key.data = w.key.data + 1;
        key.len = w.key.len - 2;

        why = add_key(&keys, key);
        if (why != NULL) {
            return why;
        }

        for (i = 0; i < n; i++) {
            if (members[i].name.len != key.len
                || memcmp(members[i].name.data, key.data, key.len) != 0)
            {
                continue;
            }

            if (!members[i].read(&w, (char *) record + members[i].offset)) {
                return members[i].why;
            }

            break;
        }
    }

    return NULL;
}


/*
 * No name of ours is escaped, so an escaped one is refused rather than
 * compared: it could only be a second spelling of a name that is there.
 */

static const char *
add_key(keys_t *k, nxe_str_t key)
{
    uint32_t  hash, i;
    uint64_t  bit;

    if (k->escapes && memchr(key.data, '\\', key.len) != NULL) {
        return "a member name that is escaped";
    }

    if (k->n == NXE_LOGLINE_MEMBERS) {
        return "more than 256 members";
    }

    hash = key_hash(key);
    bit = UINT64_C(1) << (hash & 63);

    if (k->seen[hash >> 6 & 3] & bit) {
        for (i = 0; i < k->n; i++) {
            if (k->hashes[i] == hash && nxe_str_eq(k->keys[i], key)) {
                return "a member that occurs twice";
            }
        }
    }

    k->seen[hash >> 6 & 3] |= bit;
    k->hashes[k->n] = hash;
    k->keys[k->n] = key;
    k->n++;

    return NULL;
}


/* A hash of the length and of up to eight bytes from either end. */

static uint32_t
key_hash(nxe_str_t key)
{
    size_t    n;
    uint64_t  head, tail;

    n = key.len < 8 ? key.len : 8;
    head = 0;
    tail = 0;

    memcpy(&head, key.data, n);
    memcpy(&tail, key.data + key.len - n, n);

    head = (head + key.len) * UINT64_C(0x9e3779b97f4a7c15);
    tail = (tail ^ head) * UINT64_C(0xd6e8feb86659fd93);

    return (uint32_t) (tail >> 32);
}


static int
begins(nxe_str_t s, nxe_str_t with)
{
    return s.len >= with.len && memcmp(s.data, with.data, with.len) == 0;
}


static int
holds(nxe_str_t s, nxe_str_t what)
{
    for ( /* void */ ; s.len >= what.len; s.data++, s.len--) {
        if (begins(s, what)) {
            return 1;
        }
    }

    return 0;
}


/* Why a line is no JSON, where a log_format that we know of explains it. */

static void
diagnose(nxe_str_t line, const nxe_json_result_t *result,
    nxe_logline_fault_t *fault)
{
    nxe_str_t          record;
    nxe_text_t         text;
    nxe_json_result_t  before;

    if (begins(line, nxe_str("{\\x22kind\\x22:"))
        || begins(line, nxe_str("{\\\"kind\\\":")))
    {
        fault->why = "escaped by nginx";
        fault->next = "log_format experiment escape=none '$experiment_json'";
        return;
    }

    record = nxe_str("{\"kind\":");

    if (begins(line, record)) {

        /* A whole record up to where the scan gave up: the rest is alien. */

        record.data = line.data;
        record.len = result->offset;
        text.segs = &record;
        text.n = 1;

        if (nxe_json_scan(&text, NULL, NXE_JSON_ROOT_OBJECT, &before)
            != NXE_JSON_OK)
        {
            record.len = 0;
        }

    } else if (!holds(line, record)) {
        record.len = 0;
    }

    if (record.len != 0) {
        fault->why = "something beside the record";
        fault->next = "log_format experiment escape=none '$experiment_json'";
        return;
    }

    switch (result->cause) {

    case NXE_JSON_UTF8:
        fault->why = "not UTF-8";
        break;

    case NXE_JSON_ROOT:
        fault->why = "not a JSON object";
        break;

    default:
        fault->why = line.len == 0 ? "an empty line" : "not JSON";
        break;
    }
}
