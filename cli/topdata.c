/*
 * Reading the JSON of experiment_status.  Members that are not there count as
 * 0 or as unknown, those that a newer module adds are let be; what is there
 * has to be of its type.
 */

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <nxe/frac.h>
#include <nxe/time.h>
#include <nxe/tree.h>

#include "cli/topdata.h"

#define TOP_MAX    UINT64_C(9007199254740991)   /* exact in any JSON */
#define COST_MAX   UINT64_C(1000000000000000000)
#define PLACE_MAX  128


/* Where in the text we are, for what is wrong there. */

typedef struct {
    const nxe_mem_t    *mem;
    nxe_error_t        *err;
    nxe_status_t        status;         /* the first failure */
    char                place[PLACE_MAX];
} reader_t;

static const char  *const times_names[] = {
    "response_ms", "ttft_ms", "tpot_ms"
};


static void
fail(reader_t *r, const cJSON *node, const char *name, const char *expected)
{
    const char  *found;

    if (r->status != NXE_OK) {
        return;
    }

    found = cJSON_IsString(node) ? "a string"
            : cJSON_IsNumber(node) ? node->valuestring
            : cJSON_IsArray(node) ? "an array"
            : cJSON_IsObject(node) ? "an object"
            : cJSON_IsBool(node) ? "true or false"
            : cJSON_IsNull(node) ? "null" : "nothing";

    r->status = nxe_fail(r->err, NXE_INVALID, "%s%s%s: found %s, expected %s",
                         r->place, *name != '\0' ? "/" : "", name,
                         found, expected);
}


static void
no_memory(reader_t *r)
{
    if (r->status == NXE_OK) {
        r->status = nxe_fail(r->err, NXE_NOMEM, "out of memory");
    }
}


static uint64_t
take_count(reader_t *r, const cJSON *object, const char *name,
    uint64_t absent)
{
    char         *end;
    uint64_t      n;
    const char   *s;
    const cJSON  *node;

    node = nxe_tree_get(object, name);
    if (node == NULL) {
        return absent;
    }

    s = cJSON_IsNumber(node) ? node->valuestring : "";
    n = strtoull(s, &end, 10);

    if (*s < '0' || *s > '9' || *end != '\0' || n > TOP_MAX) {
        fail(r, node, name, "a whole number from 0 to 2^53 - 1");
        return absent;
    }

    return n;
}


static nxe_str_t
copy(reader_t *r, const char *s)
{
    nxe_str_t  out;

    if (nxe_str_copy(r->mem, nxe_str_of(s), &out) != NXE_OK) {
        no_memory(r);
        return nxe_null_str;
    }

    return out;
}


static nxe_str_t
take_text(reader_t *r, const cJSON *object, const char *name)
{
    const cJSON  *node;

    node = nxe_tree_get(object, name);

    if (node == NULL || cJSON_IsNull(node)) {
        return nxe_null_str;
    }

    if (!cJSON_IsString(node)) {
        fail(r, node, name, "a string");
        return nxe_null_str;
    }

    return copy(r, node->valuestring);
}


/* As it is spelled; empty where there is none. */

static nxe_str_t
take_number(reader_t *r, const cJSON *object, const char *name)
{
    const cJSON  *node;

    node = nxe_tree_get(object, name);

    if (node == NULL || cJSON_IsNull(node)) {
        return nxe_null_str;
    }

    if (!cJSON_IsNumber(node) || node->valuestring[0] == '-') {
        fail(r, node, name, "a number, 0 or more");
        return nxe_null_str;
    }

    return copy(r, node->valuestring);
}


/* An array's or object's members are in *first; their number. */

static size_t
take_list(reader_t *r, const cJSON *object, const char *name, int array,
    const cJSON **first)
{
    size_t        n;
    const cJSON  *node, *child;

    *first = NULL;
    node = nxe_tree_get(object, name);

    if (node == NULL) {
        return 0;
    }

    if (array ? !cJSON_IsArray(node) : !cJSON_IsObject(node)) {
        fail(r, node, name, array ? "an array" : "an object");
        return 0;
    }

    for (n = 0, child = node->child; child != NULL; child = child->next) {
        n++;
    }

    *first = node->child;

    return n;
}


static void *
take_room(reader_t *r, size_t n, size_t size)
{
    void  *p;

    p = nxe_calloc(r->mem, (n + 1) * size);

    if (p == NULL) {
        no_memory(r);
    }

    return p;
}


static int
by_bin(const void *one, const void *two)
{
    const top_bin_t  *a, *b;

    a = one;
    b = two;

    return (a->bin > b->bin) - (a->bin < b->bin);
}


static void
take_times(reader_t *r, const cJSON *row, top_times_e what, top_row_t *to)
{
    char         *end;
    size_t        n, i;
    top_bin_t    *bins;
    const cJSON  *times, *bin;

    times = nxe_tree_get(row, times_names[what]);
    n = take_list(r, times, "bins", 0, &bin);

    bins = take_room(r, n, sizeof(top_bin_t));
    if (bins == NULL) {
        return;
    }

    for (i = 0; bin != NULL; bin = bin->next, i++) {
        bins[i].bin = (uint32_t) strtoul(bin->string, &end, 10);

        if (*bin->string < '0' || *bin->string > '9' || *end != '\0'
            || strlen(bin->string) > 3 || bins[i].bin >= NXE_HIST_BINS)
        {
            fail(r, bin, times_names[what], "bins of 0 to 869");
            return;
        }

        bins[i].n = take_count(r, nxe_tree_get(times, "bins"), bin->string,
                               0);
    }

    qsort(bins, n, sizeof(top_bin_t), by_bin);

    to->bins[what] = bins;
    to->nbins[what] = n;
}


static void
take_row(reader_t *r, const cJSON *node, top_row_t *row)
{
    int           i;
    nxe_str_t     cost;
    const cJSON  *errors, *tokens;

    if (!cJSON_IsObject(node)) {
        fail(r, node, "", "an object");
        return;
    }

    errors = nxe_tree_get(node, "errors");
    tokens = nxe_tree_get(node, "tokens");

    row->variant = take_text(r, node, "variant");
    row->step = take_text(r, node, "step");
    row->phase = take_count(r, node, "phase", 0);
    row->units = take_count(r, node, "units", TOP_UNKNOWN);
    row->counts[TOP_REQUESTS] = take_count(r, node, "requests", 0);
    row->counts[TOP_5XX] = take_count(r, errors, "5xx", 0);
    row->counts[TOP_429] = take_count(r, errors, "429", 0);
    row->counts[TOP_STREAM] = take_count(r, errors, "stream", 0);
    row->counts[TOP_ABORTED] = take_count(r, node, "aborted", 0);
    row->counts[TOP_INPUT] = take_count(r, tokens, "input", 0);
    row->counts[TOP_OUTPUT] = take_count(r, tokens, "output", 0);

    if (row->variant.len == 0) {
        fail(r, nxe_tree_get(node, "variant"), "variant", "a name");
    }

    cost = take_number(r, node, "cost");

    if (cost.len != 0
        && nxe_nano_parse(cost, COST_MAX, &row->counts[TOP_COST]) == NXE_OK)
    {
        row->currency = take_text(r, node, "currency");
    }

    for (i = 0; i < TOP_TIMES; i++) {
        take_times(r, node, i, row);
    }
}


static void
take_experiment(reader_t *r, const cJSON *node, size_t nth,
    top_experiment_t *e)
{
    int           known;
    size_t        i;
    const cJSON  *child;

    if (!cJSON_IsObject(node)) {
        fail(r, node, "", "an object");
        return;
    }

    e->name = take_text(r, node, "name");
    e->stage = take_text(r, node, "stage");
    e->layer = take_text(r, node, "layer");
    e->baseline = take_text(r, node, "baseline");
    e->exposure = take_number(r, node, "exposure");
    e->revision = take_count(r, node, "revision", 0);
    e->feedback = take_count(r, node, "feedback", 0);
    e->error = cJSON_IsTrue(nxe_tree_get(node, "error"));

    known = nxe_tree_get(node, "phase") != NULL;
    e->phase = take_count(r, node, "phase", 0);

    if (e->name.len == 0) {
        fail(r, nxe_tree_get(node, "name"), "name", "a name");
    }

    e->nvariants = take_list(r, node, "variants", 1, &child);
    e->variants = take_room(r, e->nvariants, sizeof(nxe_str_t));

    for (i = 0; r->status == NXE_OK && child != NULL; child = child->next) {
        if (!cJSON_IsString(child)) {
            fail(r, child, "variants", "names");
            return;
        }

        e->variants[i++] = copy(r, child->valuestring);
    }

    e->nrows = take_list(r, node, "rows", 1, &child);
    e->rows = take_room(r, e->nrows, sizeof(top_row_t));

    for (i = 0; r->status == NXE_OK && child != NULL; child = child->next) {
        snprintf(r->place, sizeof(r->place), "/experiments/%zu/rows/%zu", nth,
                 i);
        take_row(r, child, &e->rows[i]);

        if (!known && e->rows[i].phase > e->phase) {
            e->phase = e->rows[i].phase;
        }

        i++;
    }
}


static void
take_sample(reader_t *r, const cJSON *root, top_sample_t *s)
{
    size_t        i;
    const cJSON  *registry, *zone, *child;

    s->worker = take_text(r, root, "worker");
    s->now = take_text(r, root, "now");
    s->started = take_text(r, root, "started");
    s->snapshot_errors = take_count(r, root, "snapshot_errors", 0);
    s->refused = take_count(r, root, "feedback_refused", 0);
    s->more = take_count(r, root, "more", 0);

    if (s->started.len == 0) {
        fail(r, nxe_tree_get(root, "started"), "started", "a time");
    }

    if (nxe_tree_get(root, "experiments") == NULL) {
        fail(r, NULL, "experiments", "an array");
    }

    s->n = take_list(r, root, "experiments", 1, &child);
    s->experiments = take_room(r, s->n, sizeof(top_experiment_t));

    for (i = 0; r->status == NXE_OK && child != NULL; child = child->next) {
        snprintf(r->place, sizeof(r->place), "/experiments/%zu", i);
        take_experiment(r, child, i, &s->experiments[i]);
        i++;
    }

    registry = nxe_tree_get(root, "registry");
    zone = nxe_tree_get(root, "zone");

    snprintf(r->place, sizeof(r->place), "/registry");
    s->transaction = take_count(r, registry, "transaction", TOP_UNKNOWN);
    s->age_s = take_number(r, registry, "age_s");

    snprintf(r->place, sizeof(r->place), "/zone");
    s->dropped = take_count(r, zone, "dropped", 0);
    s->nrows = take_count(r, zone, "rows", 0);
    s->nrows_max = take_count(r, zone, "rows_max", 0);
}


nxe_status_t
top_sample_parse(nxe_str_t text, top_sample_t **sample, nxe_error_t *err)
{
    cJSON              *root;
    reader_t            r;
    nxe_arena_t        *arena;
    nxe_status_t        rc;
    top_sample_t       *s;
    struct timespec     ts;
    nxe_json_result_t   result;

    memset(&r, 0, sizeof(r));

    rc = nxe_tree_parse(text, &root, &result);

    if (rc == NXE_INVALID) {
        return nxe_fail(err, rc, "no JSON, at byte %zu: expected %s",
                        result.offset,
                        result.expected != NULL ? result.expected : "JSON");
    }

    arena = rc == NXE_OK ? nxe_arena_new() : NULL;
    s = arena != NULL ? nxe_calloc(nxe_arena_mem(arena), sizeof(*s)) : NULL;

    if (s == NULL) {
        if (rc == NXE_OK) {
            cJSON_Delete(root);
        }

        nxe_arena_free(arena);
        return nxe_fail(err, NXE_NOMEM, "out of memory");
    }

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    s->arena = arena;
    s->at = (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;

    r.mem = nxe_arena_mem(arena);
    r.err = err;

    if (cJSON_IsObject(root)) {
        take_sample(&r, root, s);

    } else {
        fail(&r, root, "", "an object");
    }

    cJSON_Delete(root);

    if (r.status != NXE_OK) {
        top_sample_free(s);
        return r.status;
    }

    *sample = s;

    return NXE_OK;
}


void
top_sample_free(top_sample_t *s)
{
    if (s != NULL) {
        nxe_arena_free(s->arena);       /* it is in there */
    }
}


/* A worker is HOST/TAG, and all of a host share the zone. */

static nxe_str_t
host_of(nxe_str_t worker)
{
    const char  *slash;

    slash = worker.len != 0 ? memchr(worker.data, '/', worker.len) : NULL;

    if (slash != NULL) {
        worker.len = (size_t) (slash - worker.data);
    }

    return worker;
}


int
top_sample_same(const top_sample_t *a, const top_sample_t *b)
{
    return nxe_str_eq(a->started, b->started)
           && nxe_str_eq(host_of(a->worker), host_of(b->worker));
}


double
top_sample_age(const top_sample_t *s)
{
    int64_t  now, started;

    if (nxe_time_parse(s->now, &now) != NXE_OK
        || nxe_time_parse(s->started, &started) != NXE_OK || now < started)
    {
        return 0;
    }

    return (double) (now - started) / 1e6;
}
