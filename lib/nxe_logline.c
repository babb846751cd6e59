/*
 * Access-log lines.  A line is validated once, by the strict scan; what
 * follows walks it and may trust its syntax.
 */

#include <stdlib.h>
#include <string.h>

#include <nxe/hash.h>
#include <nxe/json.h>
#include <nxe/logline.h>
#include <nxe/time.h>


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

/* A member that we read: how, to where, and what it is if that fails. */

typedef struct {
    nxe_str_t           name;
    int               (*read)(const nxe_json_walk_t *w, void *field);
    size_t              offset;
    const char         *why;
} member_t;


static const char *read_object(nxe_str_t object, int escapes,
    const member_t *members, size_t n, void *record);
static const char *read_entries(nxe_logline_t *r, int escapes);
static const char *add_key(keys_t *k, nxe_str_t key);
static uint32_t key_hash(nxe_str_t key);
static const char *finish_record(nxe_logline_t *r, int escapes);
static const char *finish_entry(nxe_log_entry_t *e);
static void diagnose(nxe_str_t line, const nxe_json_result_t *result,
    nxe_logline_fault_t *fault);


static int
plain(const nxe_json_walk_t *w, nxe_str_t *s)
{
    if (w->type != NXE_JSON_STRING) {
        return 0;
    }

    s->data = w->value.data + 1;
    s->len = w->value.len - 2;

    return memchr(s->data, '\\', s->len) == NULL;
}


static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}


static int
read_id(const nxe_json_walk_t *w, void *field)
{
    int            hi, lo;
    size_t         i;
    nxe_str_t      s;
    nxe_log_id_t  *id = field;
    unsigned char  sum[NXE_SHA256_LEN];

    if (!plain(w, &s) || s.len == 0) {
        return 0;
    }

    id->set = 1;

    if (s.len == 2 * NXE_LOGLINE_ID) {

        for (i = 0; i < NXE_LOGLINE_ID; i++) {
            hi = hex_digit(s.data[2 * i]);
            lo = hex_digit(s.data[2 * i + 1]);

            if (hi < 0 || lo < 0) {
                break;
            }

            id->bytes[i] = (unsigned char) (hi << 4 | lo);
        }

        if (i == NXE_LOGLINE_ID) {
            return 1;
        }
    }

    nxe_sha256(s, sum);
    memcpy(id->bytes, sum, NXE_LOGLINE_ID);

    return 1;
}


/* A whole number from 0, of at most 18 digits. */

static int
read_count(const nxe_json_walk_t *w, void *field)
{
    size_t   i;
    int64_t  n;

    if (w->type != NXE_JSON_NUMBER || w->value.len > 18) {
        return 0;
    }

    n = 0;

    for (i = 0; i < w->value.len; i++) {
        if (w->value.data[i] < '0' || w->value.data[i] > '9') {
            return 0;
        }

        n = n * 10 + (w->value.data[i] - '0');
    }

    *(int64_t *) field = n;
    return 1;
}


/* An HTTP status; 0 where the server had none to send. */

static int
read_status(const nxe_json_walk_t *w, void *field)
{
    int64_t  n;

    if (!read_count(w, &n) || n > 999) {
        return 0;
    }

    *(int64_t *) field = n;
    return 1;
}


static int
read_word(const nxe_json_walk_t *w, void *field)
{
    size_t     i;
    nxe_str_t  s;

    if (!plain(w, &s) || s.len == 0 || s.len > 32) {
        return 0;
    }

    for (i = 0; i < s.len; i++) {
        if ((s.data[i] < 'a' || s.data[i] > 'z') && s.data[i] != '_') {
            return 0;
        }
    }

    *(nxe_str_t *) field = s;
    return 1;
}


static int
read_name(const nxe_json_walk_t *w, void *field)
{
    nxe_str_t  s;

    if (!plain(w, &s) || !nxe_name_ok(s)) {
        return 0;
    }

    *(nxe_str_t *) field = s;
    return 1;
}


static int
read_bool(const nxe_json_walk_t *w, void *field)
{
    *(int *) field = (w->value.data[0] == 't');

    return w->type == NXE_JSON_BOOL;
}


static int
read_probability(const nxe_json_walk_t *w, void *field)
{
    char    text[64];
    double  p;

    if (w->type != NXE_JSON_NUMBER || w->value.len >= sizeof(text)) {
        return 0;
    }

    memcpy(text, w->value.data, w->value.len);
    text[w->value.len] = '\0';

    p = strtod(text, NULL);
    *(double *) field = p;

    return p >= 0 && p <= 1;
}


static int
read_kind(const nxe_json_walk_t *w, void *field)
{
    nxe_str_t  s;

    if (!read_word(w, &s)) {
        return 0;
    }

    *(nxe_logline_kind_t *) field = nxe_str_eq(s, nxe_str("request"))
                                    ? NXE_LOGLINE_REQUEST : NXE_LOGLINE_OTHER;
    return 1;
}


static int
read_time(const nxe_json_walk_t *w, void *field)
{
    nxe_str_t  s;

    return plain(w, &s) && nxe_time_parse(s, field) == NXE_OK;
}


static int
read_ms(const nxe_json_walk_t *w, void *field)
{
    return w->type == NXE_JSON_NUMBER
           && nxe_logline_ms(w->value, field) == NXE_OK;
}


static int
read_list(const nxe_json_walk_t *w, void *field)
{
    *(nxe_str_t *) field = w->value;

    return w->type == NXE_JSON_ARRAY;
}


#define entry(name)  offsetof(nxe_log_entry_t, name)
#define line(name)   offsetof(nxe_logline_t, name)

static const member_t  entry_members[] = {
    { nxe_str("name"), read_name, entry(name),
      "an experiment that is no name" },
    { nxe_str("phase"), read_count, entry(phase),
      "a phase that is no number" },
    { nxe_str("revision"), read_count, entry(revision),
      "a revision that is no number" },
    { nxe_str("stage"), read_word, entry(stage),
      "a stage that is no word" },
    { nxe_str("variant"), read_name, entry(variant),
      "a variant that is no name" },
    { nxe_str("exposed"), read_bool, entry(exposed),
      "an \"exposed\" that is neither true nor false" },
    { nxe_str("reason"), read_word, entry(reason),
      "a reason that is no word" },
    { nxe_str("unit"), read_id, entry(unit),
      "a unit that is no id" },
    { nxe_str("p"), read_probability, entry(p),
      "a p that is no probability" },
};


static const member_t  line_members[] = {
    { nxe_str("kind"), read_kind, line(kind),
      "a kind that is no word" },
    { nxe_str("id"), read_id, line(id),
      "an id that is no id" },
    { nxe_str("time"), read_time, line(time),
      "a time that is not RFC 3339" },
    { nxe_str("key_id"), read_name, line(key_id),
      "a key_id that is no key's" },
    { nxe_str("role"), read_word, line(role),
      "a role that is no word" },
    { nxe_str("status"), read_status, line(status),
      "a status that is not 0 to 999" },
    { nxe_str("upstream_status"), read_status, line(upstream_status),
      "an upstream_status that is not 0 to 999" },
    { nxe_str("response_ms"), read_ms, line(response_us),
      "a response_ms that is no time" },
    { nxe_str("aborted"), read_bool, line(aborted),
      "an \"aborted\" that is neither true nor false" },
    { nxe_str("experiments"), read_list, line(list),
      "experiments that are no list" },
};

#undef entry
#undef line


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

    escapes = (memchr(line.data, '\\', line.len) != NULL);

    fault->why = read_object(line, escapes, line_members,
                             sizeof(line_members) / sizeof(member_t), record);
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

    if (r->kind != NXE_LOGLINE_REQUEST) {
        return NULL;
    }

    if (!r->id.set) {
        return "no id";
    }

    if (r->status == NXE_LOGLINE_UNKNOWN) {
        return "no status";
    }

    if (r->status == 499) {
        r->aborted = 1;
    }

    return read_entries(r, escapes);
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

        why = read_object(w.value, escapes, entry_members,
                          sizeof(entry_members) / sizeof(member_t), e);
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
read_object(nxe_str_t object, int escapes, const member_t *members, size_t n,
    void *record)
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
