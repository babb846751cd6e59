#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "micro.h"


static int micro_doc(micro_job_t *job, const nxe_mem_t *mem);
static int micro_places(micro_job_t *job, const nxe_mem_t *mem);
static nxe_status_t micro_attr(void *data, const nxe_source_t *source,
    nxe_str_t *value);
static nxe_status_t micro_emit(void *data, nxe_str_t slice);
static void *micro_alloc(void *data, size_t size);


micro_job_t *
micro_job_new(void)
{
    size_t        i;
    micro_job_t  *job;

    job = calloc(1, sizeof(micro_job_t));
    if (job == NULL) {
        return NULL;
    }

    job->arena = nxe_arena_new();

    if (job->arena == NULL
        || !micro_doc(job, nxe_arena_mem(job->arena))
        || !micro_places(job, nxe_arena_mem(job->arena)))
    {
        micro_job_free(job);
        return NULL;
    }

    for (i = 0; i < MICRO_UNITS; i++) {
        (void) snprintf(job->units[i], sizeof(job->units[i]),
                        "conversation-%zu", i);
    }

    job->mem.alloc = micro_alloc;
    job->mem.ctx = job;

    job->values[NXE_SYSTEM] = nxe_str("\"You are a concise assistant. Answer "
                                      "in one paragraph.\"");
    job->values[NXE_TEMPERATURE] = nxe_str("0.2");
    job->values[NXE_MODEL] = nxe_str("\"gpt-4o-mini\"");
    job->values[NXE_MAX_TOKENS] = nxe_str("400");

    return job;
}


void
micro_job_free(micro_job_t *job)
{
    if (job == NULL) {
        return;
    }

    free(job->out);
    nxe_arena_free(job->arena);
    free(job);
}


int
micro_job_body(micro_job_t *job, const char *body, size_t size)
{
    free(job->out);

    job->room = 2 * size + 4096;
    job->out = malloc(job->room);

    job->body = body;
    job->size = size;
    job->seg.data = body;
    job->seg.len = size;
    job->text.segs = &job->seg;
    job->text.n = 1;

    return job->out != NULL;
}


int
micro_assign(micro_job_t *job)
{
    nxe_unit_t        unit;
    nxe_request_t     req;
    nxe_assignment_t  a;

    memset(&req, 0, sizeof(nxe_request_t));
    req.attr = micro_attr;
    req.ctx = job;
    req.step = nxe_str("default");
    job->turn++;

    return nxe_assign_unit(job->doc, &req, &unit) == NXE_OK
           && nxe_assign(job->doc, &job->force, job->ranges, &req, &unit, 0,
                         &a)
              == NXE_OK
           && a.exposed;
}


/* As in a layer that several experiments share. */

int
micro_assign_layer(micro_job_t *job)
{
    uint32_t          position;
    nxe_unit_t        unit;
    nxe_request_t     req;
    nxe_assignment_t  a;

    memset(&req, 0, sizeof(nxe_request_t));
    req.attr = micro_attr;
    req.ctx = job;
    req.step = nxe_str("default");
    job->turn++;

    if (nxe_assign_unit(job->doc, &req, &unit) != NXE_OK) {
        return 0;
    }

    position = nxe_assign_position(job->doc->layer, unit.value);

    return nxe_assign(job->doc, &job->force, job->ranges, &req, &unit,
                      position, &a)
           == NXE_OK
           && a.exposed;
}


/* The module's pass over a body. */

int
micro_scan(micro_job_t *job)
{
    nxe_json_result_t  result;

    job->used = 0;

    return nxe_places_copy(&job->packed, &job->mem, &job->places) == NXE_OK
           && nxe_json_scan_members(&job->text, &job->places.root,
                                    NXE_JSON_ROOT_OBJECT | job->cpu,
                                    &job->mem, &result)
              == NXE_JSON_OK;
}


/* The same pass where nothing is looked for. */

int
micro_validate(micro_job_t *job)
{
    nxe_json_result_t  result;

    return nxe_json_scan(&job->text, NULL, NXE_JSON_ROOT_OBJECT | job->cpu,
                         &result)
           == NXE_JSON_OK;
}


/* And where any member that occurs twice is told. */

int
micro_members(micro_job_t *job)
{
    nxe_json_result_t  result;

    job->used = 0;

    return nxe_json_scan_members(&job->text, NULL,
                                 NXE_JSON_ROOT_OBJECT | job->cpu, &job->mem,
                                 &result)
           == NXE_JSON_OK
           && !result.ambiguous;
}


int
micro_splice(micro_job_t *job)
{
    size_t       n;
    unsigned     p;
    nxe_code_t   code;
    nxe_edit_t  *edits;

    if (!micro_scan(job)) {
        return 0;
    }

    for (p = 0; p < NXE_PARAMS; p++) {
        if (job->values[p].len != 0
            && nxe_places_plan(&job->places, &job->text, (nxe_param_t) p,
                               job->values[p], 0, &job->mem, &code)
               != NXE_OK)
        {
            return 0;
        }
    }

    if (nxe_places_edits(&job->places, &job->text, &job->mem, &edits, &n)
        != NXE_OK || n == 0
        || nxe_splice_len(edits, n, job->size) > job->room)
    {
        return 0;
    }

    job->pos = job->out;

    return nxe_splice(&job->text, edits, n, micro_emit, job) == NXE_OK
           && (size_t) (job->pos - job->out)
              == nxe_splice_len(edits, n, job->size);
}


int
micro_memcpy(micro_job_t *job)
{
    memcpy(job->out, job->body, job->size);

    /* the copy is kept although nobody reads it */

    __asm__ volatile ("" : : "r" (job->out) : "memory");

    return 1;
}


/* Into a buffer that is large enough, which is how cJSON prints fastest. */

int
micro_cjson(micro_job_t *job)
{
    int     ok;
    cJSON  *tree;

    tree = cJSON_ParseWithLength(job->body, job->size);
    if (tree == NULL) {
        return 0;
    }

    ok = cJSON_PrintPreallocated(tree, job->out, (int) job->room, 0);
    cJSON_Delete(tree);

    return ok;
}


static int
micro_doc(micro_job_t *job, const nxe_mem_t *mem)
{
    cJSON              *tree;
    nxe_status_t        rc;
    nxe_faults_t        faults;
    nxe_json_result_t   result;

    rc = nxe_tree_parse(nxe_str(
        "{\"name\":\"bench\",\"layer\":\"bench\","
        "\"unit\":\"header:X-Conversation-Id\",\"variants\":["
        "{\"name\":\"control\",\"weight\":0.5},"
        "{\"name\":\"changed\",\"weight\":0.5,\"headers\":{\"request\":"
        "{\"set\":{\"X-Variant\":\"b\"}}}}]}"), &tree, &result);

    if (rc != NXE_OK) {
        return 0;
    }

    nxe_faults_init(&faults, mem);
    rc = nxe_doc_build(tree, NXE_DOC_FULL, nxe_null_str, mem, &faults,
                       &job->doc);
    cJSON_Delete(tree);

    if (rc != NXE_OK || job->doc->nvariants != 2) {
        return 0;
    }

    job->force.stage = NXE_STAGE_AB;
    job->force.exposure = NXE_FRAC_ONE;
    job->force.rollout = NXE_NONE;

    nxe_assign_ranges(job->doc, &job->force, job->ranges);

    return 1;
}


static int
micro_places(micro_job_t *job, const nxe_mem_t *mem)
{
    unsigned  params;

    params = 1u << NXE_SYSTEM | 1u << NXE_TEMPERATURE | 1u << NXE_MODEL
             | 1u << NXE_MAX_TOKENS;

    nxe_places_init(&job->packed, NXE_DIALECT_OPENAI_CHAT);

    return nxe_places_model(&job->packed, mem) == NXE_OK
           && nxe_places_params(&job->packed, params, mem) == NXE_OK
           && nxe_places_pack(&job->packed, mem) == NXE_OK;
}


static nxe_status_t
micro_attr(void *data, const nxe_source_t *source, nxe_str_t *value)
{
    micro_job_t  *job = data;

    (void) source;

    *value = nxe_str_of(job->units[job->turn % MICRO_UNITS]);

    return NXE_OK;
}


static nxe_status_t
micro_emit(void *data, nxe_str_t slice)
{
    micro_job_t  *job = data;

    memcpy(job->pos, slice.data, slice.len);
    job->pos += slice.len;

    return NXE_OK;
}


/* As a pool that a request begins with. */

static void *
micro_alloc(void *data, size_t size)
{
    void         *p;
    micro_job_t  *job = data;

    size = (size + 15) & ~(size_t) 15;

    if (size > sizeof(job->pool) - job->used) {
        return NULL;
    }

    p = job->pool + job->used;
    job->used += size;

    return p;
}
