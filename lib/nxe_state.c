/*
 * The state of an experiment, as JSON and as a decision.
 */

#include <stdlib.h>
#include <string.h>

#include <nxe/state.h>
#include <nxe/tree.h>

/* Integers above this do not read back from a double in other readers. */
#define SAFE_MAX    9007199254740992ull


static void
add_exposure(nxe_buf_t *out, int has, nxe_frac_t exposure)
{
    char  buf[NXE_DOUBLE_LEN];

    if (!has) {
        nxe_buf_add(out, nxe_str("null"));
        return;
    }

    nxe_buf_add(out, (nxe_str_t) { buf,
                     nxe_double_print(nxe_frac_double(exposure), buf) });
}


static void
add_string(nxe_buf_t *out, nxe_str_t s)
{
    if (s.len == 0) {
        nxe_buf_add(out, nxe_str("null"));
        return;
    }

    nxe_buf_add_json(out, s);
}


nxe_status_t
nxe_state_print(nxe_str_t name, const nxe_state_t *state, nxe_buf_t *out)
{
    nxe_buf_add(out, nxe_str("{\"experiment\":"));
    nxe_buf_add_json(out, name);
    nxe_buf_addf(out, ",\"stage\":\"%s\",\"exposure\":",
                 nxe_stage_name(state->stage));
    add_exposure(out, state->has_exposure, state->exposure);
    nxe_buf_add(out, nxe_str(",\"sample\":null,\"variant\":"));
    add_string(out, state->variant);
    nxe_buf_addf(out, ",\"phase\":%llu,\"weights\":null,\"ramp_step\":null,"
                 "\"streaks\":{},\"since\":",
                 (unsigned long long) state->phase);
    add_string(out, state->since);
    nxe_buf_add(out, nxe_str(",\"by\":"));
    add_string(out, state->by);
    nxe_buf_add(out, nxe_str(",\"reason\":"));
    add_string(out, state->reason);
    nxe_buf_addf(out, ",\"revision\":%llu,\"started\":",
                 (unsigned long long) state->revision);
    add_string(out, state->started);

    if (state->has_former) {
        nxe_buf_addf(out, ",\"former\":{\"stage\":\"%s\",\"exposure\":",
                     nxe_stage_name(state->former_stage));
        add_exposure(out, state->former_has_exposure, state->former_exposure);
        nxe_buf_add(out, nxe_str(",\"variant\":"));
        add_string(out, state->former_variant);
        nxe_buf_addc(out, '}');
    }

    return nxe_buf_addc(out, '}');
}


static nxe_status_t
bad(nxe_error_t *err, const char *name, const char *expected)
{
    return nxe_fail(err, NXE_INVALID, "state: \"%s\" is not %s", name,
                    expected);
}


/* A string, or "" where it is null or absent. */

static nxe_status_t
get_string(const cJSON *o, const char *name, const nxe_mem_t *mem,
    nxe_str_t *s, nxe_error_t *err)
{
    const cJSON  *item;

    *s = nxe_str("");

    item = nxe_tree_get(o, name);
    if (item == NULL || cJSON_IsNull(item)) {
        return NXE_OK;
    }

    if (!cJSON_IsString(item)) {
        return bad(err, name, "a string");
    }

    if (nxe_str_copy(mem, nxe_str_of(item->valuestring), s) != NXE_OK) {
        return nxe_fail(err, NXE_NOMEM, "out of memory");
    }

    return NXE_OK;
}


/* An integer from 1, by its spelling: a double would round it. */

static nxe_status_t
get_number(const cJSON *o, const char *name, uint64_t *n, nxe_error_t *err)
{
    uint64_t      v;
    const char   *p;
    const cJSON  *item;

    item = nxe_tree_get(o, name);

    if (!cJSON_IsNumber(item) || item->valuestring == NULL
        || item->valuestring[0] == '\0')
    {
        return bad(err, name, "an integer from 1");
    }

    v = 0;

    for (p = item->valuestring; *p != '\0'; p++) {
        if (*p < '0' || *p > '9' || v > SAFE_MAX / 10) {
            return bad(err, name, "an integer from 1");
        }

        v = v * 10 + (uint64_t) (*p - '0');
    }

    if (v == 0 || v > SAFE_MAX) {
        return bad(err, name, "an integer from 1");
    }

    *n = v;

    return NXE_OK;
}


typedef struct {
    nxe_stage_t         stage;
    nxe_frac_t          exposure;
    int                 has_exposure;
    nxe_str_t           variant;
} what_t;


/* Stage, exposure and variant, of the state itself or of what was before. */

static nxe_status_t
get_what(const cJSON *o, const nxe_mem_t *mem, what_t *w, nxe_error_t *err)
{
    int           live;
    const cJSON  *item;
    nxe_status_t  rc;

    item = nxe_tree_get(o, "stage");

    if (!cJSON_IsString(item)
        || nxe_stage_parse(nxe_str_of(item->valuestring), &w->stage) != NXE_OK)
    {
        return bad(err, "stage", "a stage");
    }

    w->exposure = NXE_FRAC_ZERO;
    w->has_exposure = 0;

    item = nxe_tree_get(o, "exposure");

    if (item != NULL && !cJSON_IsNull(item)) {
        if (!cJSON_IsNumber(item) || item->valuestring == NULL
            || nxe_frac_parse(nxe_str_of(item->valuestring), &w->exposure)
               != NXE_OK)
        {
            return bad(err, "exposure", "a number from 0 to 1");
        }

        w->has_exposure = 1;
    }

    live = w->stage == NXE_STAGE_CANARY || w->stage == NXE_STAGE_AB;

    if (live && !w->has_exposure) {
        return bad(err, "exposure", "a number from 0 to 1");
    }

    rc = get_string(o, "variant", mem, &w->variant, err);
    if (rc != NXE_OK) {
        return rc;
    }

    if (w->stage == NXE_STAGE_ROLLOUT && w->variant.len == 0) {
        return bad(err, "variant", "the variant of the rollout");
    }

    return NXE_OK;
}


static nxe_status_t
get_former(const cJSON *o, const nxe_mem_t *mem, nxe_state_t *s,
    nxe_error_t *err)
{
    what_t        w;
    const cJSON  *item;
    nxe_status_t  rc;

    item = nxe_tree_get(o, "former");
    if (item == NULL || cJSON_IsNull(item)) {
        return NXE_OK;
    }

    if (!cJSON_IsObject(item)) {
        return bad(err, "former", "an object");
    }

    rc = get_what(item, mem, &w, err);
    if (rc != NXE_OK) {
        return rc;
    }

    s->has_former = 1;
    s->former_stage = w.stage;
    s->former_exposure = w.exposure;
    s->former_has_exposure = w.has_exposure != 0;
    s->former_variant = w.variant;

    return NXE_OK;
}


static nxe_status_t
parse_tree(const cJSON *tree, const nxe_mem_t *mem, nxe_state_t *s,
    nxe_error_t *err)
{
    size_t        i;
    what_t        w;
    nxe_status_t  rc;

    const struct {
        const char  *name;
        nxe_str_t   *to;
    } strings[] = {
        { "started", &s->started },
        { "since", &s->since },
        { "by", &s->by },
        { "reason", &s->reason }
    };

    if (!cJSON_IsObject(tree)) {
        return nxe_fail(err, NXE_INVALID, "state: not an object");
    }

    rc = get_what(tree, mem, &w, err);
    if (rc != NXE_OK) {
        return rc;
    }

    s->stage = w.stage;
    s->exposure = w.exposure;
    s->has_exposure = w.has_exposure != 0;
    s->variant = w.variant;

    for (i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
        rc = get_string(tree, strings[i].name, mem, strings[i].to, err);
        if (rc != NXE_OK) {
            return rc;
        }
    }

    rc = get_number(tree, "revision", &s->revision, err);
    if (rc == NXE_OK) {
        rc = get_number(tree, "phase", &s->phase, err);
    }

    if (rc != NXE_OK) {
        return rc;
    }

    return get_former(tree, mem, s, err);
}


nxe_status_t
nxe_state_parse(nxe_str_t json, const nxe_mem_t *mem, nxe_state_t *state,
    nxe_error_t *err)
{
    cJSON              *tree;
    nxe_state_t         s;
    nxe_status_t        rc;
    nxe_json_result_t   result;

    if (json.len > NXE_STATE_MAX) {
        return nxe_fail(err, NXE_INVALID, "state: longer than %d bytes",
                        NXE_STATE_MAX);
    }

    rc = nxe_tree_parse(json, &tree, &result);

    if (rc == NXE_INVALID) {
        return nxe_fail(err, rc, "state: not JSON at byte %zu",
                        result.offset);
    }

    if (rc != NXE_OK) {
        return nxe_fail(err, rc, "state: out of memory");
    }

    memset(&s, 0, sizeof(s));
    s.exposure = NXE_FRAC_ZERO;
    s.former_exposure = NXE_FRAC_ZERO;
    s.former_variant = nxe_str("");

    rc = parse_tree(tree, mem, &s, err);

    cJSON_Delete(tree);

    if (rc == NXE_OK) {
        *state = s;
    }

    return rc;
}


int
nxe_state_live(const nxe_state_t *state)
{
    return state->stage != NXE_STAGE_OFF;
}


nxe_status_t
nxe_state_force(const nxe_doc_t *doc, const nxe_state_t *state,
    nxe_force_t *force)
{
    force->stage = state->stage;
    force->exposure = state->has_exposure ? state->exposure : NXE_FRAC_ZERO;
    force->rollout = NXE_NONE;

    if (state->stage != NXE_STAGE_ROLLOUT) {
        return NXE_OK;
    }

    force->exposure = NXE_FRAC_ONE;
    force->rollout = nxe_doc_variant(doc, state->variant);

    return force->rollout == NXE_NONE ? NXE_INVALID : NXE_OK;
}
