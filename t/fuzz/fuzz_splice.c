/*
 * Splice, then parse, equals parse, then edit.
 *
 * Four bytes choose: dialect and cuts, parameters, "when": "absent", values.
 * The rest is a body.  cJSON is the oracle: it parses the body, is edited as
 * DESIGN says, and must equal what it parses from the spliced bytes.
 */

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include <nxe/arena.h>
#include <nxe/buf.h>
#include <nxe/dialect.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static const char *const  values[NXE_PARAMS][4] = {
    { "\"B\"", "\"\"", "\"\\u0000\\\"\"", "\"\xc3\xa9\"" },
    { "0.3", "1", "2", "0.30" },
    { "0.5", "1e-1", "0", "1" },
    { "1", "400", "999999999999999999", "4e2" },
    { "\"m\"", "\"a/b\"", "\"\\u20ac\"", "\"gpt\"" },
    { "\"low\"", "\"high\"", "\"\xe2\x82\xac\"", "\"l\\now\"" }
};


static nxe_status_t
collect(void *ctx, nxe_str_t slice)
{
    assert(slice.len != 0);

    return nxe_buf_add(ctx, slice);
}


static cJSON *
member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}


static cJSON *
parsed(const char *json)
{
    cJSON  *item;

    item = cJSON_Parse(json);
    assert(item != NULL);

    return item;
}


static void
put(cJSON *object, const char *name, const char *json)
{
    if (member(object, name) != NULL) {
        assert(cJSON_ReplaceItemInObjectCaseSensitive(object, name,
                                                      parsed(json)));

    } else {
        assert(cJSON_AddItemToObject(object, name, parsed(json)));
    }
}


static nxe_code_t
edit_system(cJSON *tree, const char *json, int if_absent)
{
    int     is_system;
    cJSON  *messages, *first, *role, *message;

    messages = member(tree, "messages");

    if (!cJSON_IsArray(messages)) {
        return NXE_CODE_UNSUPPORTED;
    }

    first = messages->child;
    role = cJSON_IsObject(first) ? member(first, "role") : NULL;
    is_system = cJSON_IsString(role)
                && (strcmp(role->valuestring, "system") == 0
                    || strcmp(role->valuestring, "developer") == 0);

    if (is_system) {
        if (member(first, "content") != NULL && if_absent) {
            return NXE_CODE_KEPT;
        }

        put(first, "content", json);
        return NXE_CODE_APPLIED;
    }

    message = cJSON_CreateObject();
    assert(cJSON_AddStringToObject(message, "role", "system") != NULL);
    put(message, "content", json);

    /* cJSON 1.7.15 inserts in front only of what is there */

    assert(messages->child != NULL
           ? cJSON_InsertItemInArray(messages, 0, message)
           : cJSON_AddItemToArray(messages, message));

    return NXE_CODE_APPLIED;
}


/* The oracle: APPLIED also stands for EQUAL. */

static nxe_code_t
edit(cJSON *tree, nxe_dialect_t dialect, nxe_param_t param, const char *json,
    int if_absent)
{
    int          other;
    const char  *name;

    if (dialect == NXE_DIALECT_OPENAI_CHAT && param == NXE_SYSTEM) {
        return edit_system(tree, json, if_absent);
    }

    name = nxe_param_name(param);
    other = dialect == NXE_DIALECT_OPENAI_CHAT && param == NXE_MAX_TOKENS
            && member(tree, "max_completion_tokens") != NULL;

    if (if_absent && (other || member(tree, name) != NULL)) {
        return NXE_CODE_KEPT;
    }

    if (other) {
        put(tree, "max_completion_tokens", json);
    }

    if (!other || member(tree, name) != NULL) {
        put(tree, name, json);
    }

    return NXE_CODE_APPLIED;
}


/*
 * cJSON cuts a string at U+0000 and refuses lone surrogates; it compares
 * objects member by member, for which duplicates are a different matter, and
 * numbers as doubles, where two that are infinite differ.
 */

static int
comparable(nxe_str_t s, const cJSON *tree)
{
    size_t        i;
    const cJSON  *a, *b;

    for (i = 0; i + 5 < s.len; i++) {
        if (s.data[i] == '\\' && s.data[i + 1] == 'u') {
            return 0;
        }
    }

    for (a = tree->child; a != NULL; a = a->next) {
        if (cJSON_IsNumber(a) && !isfinite(a->valuedouble)) {
            return 0;
        }

        for (b = cJSON_IsObject(tree) ? a->next : NULL; b != NULL;
             b = b->next)
        {
            if (strcmp(a->string, b->string) == 0) {
                return 0;
            }
        }

        if (!comparable(nxe_null_str, a)) {
            return 0;
        }
    }

    return 1;
}


static void
check(nxe_str_t body, const uint8_t *data, const nxe_edit_t *edits, size_t n,
    const nxe_code_t *codes, nxe_dialect_t dialect, nxe_str_t out)
{
    cJSON       *want, *got;
    unsigned     i;
    nxe_code_t   code;

    want = cJSON_ParseWithLength(body.data, body.len);

    if (want != NULL && comparable(body, want)) {

        for (i = 0; i < NXE_PARAMS; i++) {
            if (!(data[1] & 1u << i)) {
                continue;
            }

            code = edit(want, dialect, (nxe_param_t) i,
                        values[i][data[3] >> i & 3], data[2] >> i & 1);
            assert(code == codes[i]
                   || (code == NXE_CODE_APPLIED
                       && codes[i] == NXE_CODE_EQUAL));
        }

        got = cJSON_ParseWithLength(out.data, out.len);
        assert(got != NULL);
        assert(cJSON_Compare(want, got, 1));
        cJSON_Delete(got);
    }

    cJSON_Delete(want);

    /* what is not edited is there, byte for byte */

    for (i = 0; i < n; i++) {
        assert(edits[i].end <= body.len && edits[i].start <= edits[i].end);
    }

    if (n == 0) {
        assert(nxe_str_eq(out, body));

    } else {
        assert(memcmp(out.data, body.data, edits[0].start) == 0);
        assert(memcmp(out.data + out.len - (body.len - edits[n - 1].end),
                      body.data + edits[n - 1].end,
                      body.len - edits[n - 1].end) == 0);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned            i;
    size_t              n, at, len, nsegs, step;
    nxe_str_t           body, *segs;
    nxe_buf_t           b;
    nxe_code_t          codes[NXE_PARAMS];
    nxe_edit_t          edits[NXE_PARAMS * NXE_PLAN_EDITS];
    nxe_text_t          text, out;
    nxe_arena_t        *arena;
    nxe_places_t        p;
    nxe_dialect_t       dialect;
    nxe_json_result_t   r;

    if (size < 4) {
        return 0;
    }

    body.data = (const char *) data + 4;
    body.len = size - 4;
    dialect = data[0] & 1 ? NXE_DIALECT_OPENAI_CHAT : NXE_DIALECT_JSON;
    step = (size_t) (data[0] >> 1) % 32;

    arena = nxe_arena_new();
    segs = malloc((body.len + 1) * sizeof(nxe_str_t));
    assert(arena != NULL && segs != NULL);

    for (at = 0, nsegs = 0; at < body.len; at += len) {
        len = step == 0 || step > body.len - at ? body.len - at : step;
        segs[nsegs].data = body.data + at;
        segs[nsegs++].len = len;
    }

    text.segs = segs;
    text.n = nsegs;

    nxe_places_init(&p, dialect);
    assert(nxe_places_params(&p, data[1], nxe_arena_mem(arena)) == NXE_OK);

    if (nxe_json_scan(&text, &p.root, NXE_JSON_ROOT_OBJECT, &r)
        == NXE_JSON_OK)
    {
        for (i = 0, n = 0; i < NXE_PARAMS; i++) {
            at = n;
            codes[i] = NXE_CODE_NONE;

            if (data[1] & 1u << i) {
                assert(nxe_places_plan(&p, &text, (nxe_param_t) i,
                                       nxe_str_of(values[i][data[3] >> i & 3]),
                                       data[2] >> i & 1, nxe_arena_mem(arena),
                                       edits, &n, &codes[i]) == NXE_OK);
                assert(n - at <= NXE_PLAN_EDITS);
                assert((n != at) == (codes[i] == NXE_CODE_APPLIED));
            }
        }

        assert(nxe_splice_order(edits, n) == NXE_OK);

        nxe_buf_init(&b, SIZE_MAX);
        assert(nxe_splice(&text, edits, n, collect, &b) == NXE_OK);
        assert(b.len == nxe_splice_len(edits, n, body.len));

        /* the result is one that can be edited again */

        nxe_places_init(&p, dialect);
        assert(nxe_places_params(&p, data[1], nxe_arena_mem(arena))
               == NXE_OK);
        body = nxe_buf_str(&b);
        out.segs = &body;
        out.n = 1;
        assert(nxe_json_scan(&out, &p.root, NXE_JSON_ROOT_OBJECT, &r)
               == NXE_JSON_OK);

        body.data = (const char *) data + 4;
        body.len = size - 4;
        check(body, data, edits, n, codes, dialect, nxe_buf_str(&b));

        nxe_buf_free(&b);
    }

    free(segs);
    nxe_arena_free(arena);

    return 0;
}
