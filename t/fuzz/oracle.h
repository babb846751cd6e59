/*
 * What edits make of a body, by way of cJSON: the oracle of fuzz_splice.c.
 *
 * An edit is decided on the body as it came, and the first of two that meet
 * stands; so each is resolved first, and then all are done.  Which of two
 * equal spellings is "equal" the oracle does not know; it checks that it is.
 */

#ifndef ORACLE_H
#define ORACLE_H

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include <nxe/dialect.h>

#define OPS   4
#define ASKS  (NXE_PARAMS + OPS)


typedef struct {
    int               param;        /* -1: an operation */
    int               remove;
    int               if_absent;
    const char       *path;         /* of an operation */
    const char       *json;

    /* what the library made of it */
    nxe_code_t        code;
    unsigned          marked;       /* max_tokens: 1 its own name, 2 other */
} ask_t;

typedef enum { DO_SET, DO_REMOVE, DO_FRONT, DO_BLOCKS } do_e;

typedef struct {
    do_e              what;
    const char       *path;
    const char       *json;
    cJSON            *item;         /* that is there, or NULL */
    cJSON            *parent;       /* the deepest that is there */
    const char       *rest;         /* of the path, below it */
} done_t;

typedef struct {
    cJSON            *tree;
    done_t            done[2 * ASKS];
    unsigned          ndone;
    struct {
        const char   *path;
        size_t        len;
        cJSON        *item;
    } made[32 * ASKS];
    unsigned          nmade;
} oracle_t;


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


/*
 * cJSON_Compare() takes 2^depth steps.  No member is in a twice.
 */

static int
same(const cJSON *a, const cJSON *b)
{
    const cJSON  *x, *y;

    if (b == NULL || a->type != b->type) {
        return 0;
    }

    if (cJSON_IsNumber(a)) {
        return a->valuedouble == b->valuedouble;
    }

    if (cJSON_IsString(a)) {
        return strcmp(a->valuestring, b->valuestring) == 0;
    }

    for (x = a->child, y = b->child; x != NULL && y != NULL;
         x = x->next, y = y->next)
    {
        if (!same(x, cJSON_IsObject(a) ? member(b, x->string) : y)) {
            return 0;
        }
    }

    return x == NULL && y == NULL;
}


/*
 * cJSON cuts a string at U+0000; in what has a member twice, and of numbers
 * beyond a double, it does not tell one from the other.
 */

static int
comparable(nxe_str_t s, const cJSON *tree)
{
    size_t        i;
    const cJSON  *a, *b;

    for (i = 0; i + 5 < s.len; i++) {
        if (memcmp(s.data + i, "\\u0000", 6) == 0) {
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


/* The next token of a path, unescaped; what follows it. */

static const char *
token(const char *path, char *name)
{
    for (path++; *path != '\0' && *path != '/'; path++) {
        if (*path == '~') {
            path++;
            *name++ = *path == '0' ? '~' : '/';

        } else {
            *name++ = *path;
        }
    }

    *name = '\0';

    return path;
}


static int
as_index(const char *name)
{
    size_t  n;

    n = strspn(name, "0123456789");

    return n == 0 || n > 9 || name[n] != '\0' || (n > 1 && name[0] == '0')
           ? -1 : atoi(name);
}


/* Finds the item; 0 if it is absent, and nothing can be put there. */

static int
resolve(const oracle_t *o, const char *path, done_t *d)
{
    char         name[NXE_JSON_TOKEN_MAX + 1];
    const char  *next;

    memset(d, 0, sizeof(done_t));
    d->path = path;
    d->item = o->tree;

    while (*path != '\0') {
        d->parent = d->item;
        d->rest = path;
        next = token(path, name);
        d->item = cJSON_IsObject(d->parent) ? member(d->parent, name)
                  : cJSON_IsArray(d->parent) && as_index(name) >= 0
                    ? cJSON_GetArrayItem(d->parent, as_index(name)) : NULL;
        path = next;

        if (d->item == NULL) {
            break;
        }
    }

    if (d->item != NULL) {
        return 1;
    }

    if (!cJSON_IsObject(d->parent)
        && !(cJSON_IsArray(d->parent)
             && (strcmp(name, "-") == 0
                 || as_index(name) == cJSON_GetArraySize(d->parent))))
    {
        return 0;
    }

    while (*path != '\0') {
        path = token(path, name);

        if (as_index(name) >= 0 || strcmp(name, "-") == 0) {
            return 0;
        }
    }

    return 1;
}


/* 1 if a is b, or leads to it. */

static int
leads(const char *a, const char *b)
{
    size_t  n;

    n = strlen(a);

    return strncmp(a, b, n) == 0 && (b[n] == '\0' || b[n] == '/');
}


/* 1 if one before stands; a message in front leaves what is behind it. */

static int
taken(const oracle_t *o, const char *path)
{
    unsigned       i;
    const done_t  *d;

    for (i = 0; i < o->ndone; i++) {
        d = &o->done[i];

        if (leads(path, d->path)
            || (leads(d->path, path) && d->what != DO_FRONT))
        {
            return 1;
        }
    }

    return 0;
}


static nxe_code_t
put(oracle_t *o, done_t *d, do_e what, const char *json)
{
    if (taken(o, d->path)) {
        return NXE_CODE_NOT_SENT;
    }

    d->what = what;
    d->json = json;
    o->done[o->ndone++] = *d;

    return NXE_CODE_APPLIED;
}


/* got: what the library says, of which only "equal" counts. */

static nxe_code_t
set(oracle_t *o, const char *path, const ask_t *ask, nxe_code_t got)
{
    done_t  d;
    cJSON  *value;

    if (!resolve(o, path, &d)) {
        return NXE_CODE_UNSUPPORTED;
    }

    if (taken(o, path)) {
        return NXE_CODE_NOT_SENT;
    }

    if (d.item != NULL && ask->if_absent) {
        return NXE_CODE_KEPT;
    }

    if (d.item != NULL && got == NXE_CODE_EQUAL) {
        value = parsed(ask->json);
        assert(same(d.item, value));
        cJSON_Delete(value);

        return NXE_CODE_EQUAL;
    }

    /* the same string is equal, however it is spelled */

    if (cJSON_IsString(d.item) && ask->json[0] == '"'
        && strstr(ask->json, "\\u0000") == NULL)
    {
        value = parsed(ask->json);
        assert(strcmp(d.item->valuestring, value->valuestring) != 0);
        cJSON_Delete(value);
    }

    return put(o, &d, DO_SET, ask->json);
}


static nxe_code_t
operation(oracle_t *o, const ask_t *ask)
{
    done_t  d;

    if (!ask->remove) {
        return set(o, ask->path, ask, ask->code);
    }

    (void) resolve(o, ask->path, &d);

    if (taken(o, ask->path)) {
        return NXE_CODE_NOT_SENT;
    }

    return d.item == NULL ? NXE_CODE_EQUAL
                          : put(o, &d, DO_REMOVE, NULL);
}


static nxe_code_t
chat_system(oracle_t *o, const ask_t *ask)
{
    cJSON   *first, *role;
    done_t   d;

    if (!resolve(o, "/messages", &d) || !cJSON_IsArray(d.item)) {
        return NXE_CODE_UNSUPPORTED;
    }

    first = d.item->child;
    role = cJSON_IsObject(first) ? member(first, "role") : NULL;

    if (cJSON_IsString(role)
        && (strcmp(role->valuestring, "system") == 0
            || strcmp(role->valuestring, "developer") == 0))
    {
        return set(o, "/messages/0/content", ask, ask->code);
    }

    return put(o, &d, DO_FRONT, ask->json);
}


static nxe_code_t
chat_max_tokens(oracle_t *o, const ask_t *ask)
{
    nxe_code_t  code, other;

    if (member(o->tree, "max_completion_tokens") == NULL) {
        return set(o, "/max_tokens", ask, ask->code);
    }

    code = set(o, "/max_completion_tokens", ask,
               ask->marked & 2 ? NXE_CODE_APPLIED : NXE_CODE_EQUAL);

    if (member(o->tree, "max_tokens") != NULL) {
        other = set(o, "/max_tokens", ask,
                    ask->marked & 1 ? NXE_CODE_APPLIED : NXE_CODE_EQUAL);

        if (other == NXE_CODE_APPLIED) {
            return other;
        }
    }

    return code;
}


static nxe_code_t
anthropic_blocks(oracle_t *o, done_t *d, const ask_t *ask)
{
    cJSON  *value;

    if (ask->code == NXE_CODE_EQUAL && !taken(o, d->path)) {
        value = parsed(ask->json);
        assert(cJSON_GetArraySize(d->item) == 1);
        assert(same(value, member(d->item->child, "text")));
        assert(strcmp(member(d->item->child, "type")->valuestring, "text")
               == 0);
        cJSON_Delete(value);

        return NXE_CODE_EQUAL;
    }

    return put(o, d, DO_BLOCKS, ask->json);
}


static nxe_code_t
parameter(oracle_t *o, nxe_dialect_t dialect, const ask_t *ask)
{
    cJSON   *value;
    double   x;
    done_t   d;

    static const char *const  paths[][NXE_PARAMS] = {
        { "/system", "/temperature", "/top_p", "/max_tokens", "/model",
          "/verbosity" },
        { NULL, "/temperature", "/top_p", NULL, "/model", "/verbosity" },
        { "/instructions", "/temperature", "/top_p", "/max_output_tokens",
          "/model", "/text/verbosity" },
        { "/system", "/temperature", "/top_p", "/max_tokens", "/model", NULL }
    };

    if (dialect == NXE_DIALECT_OPENAI_CHAT && ask->param == NXE_SYSTEM) {
        return chat_system(o, ask);
    }

    if (dialect == NXE_DIALECT_OPENAI_CHAT && ask->param == NXE_MAX_TOKENS) {
        return chat_max_tokens(o, ask);
    }

    if (dialect == NXE_DIALECT_ANTHROPIC) {
        value = parsed(ask->json);
        x = cJSON_IsNumber(value) ? value->valuedouble : 0;
        cJSON_Delete(value);

        if (ask->param == NXE_VERBOSITY
            || (ask->param == NXE_TEMPERATURE && x > 1))
        {
            return NXE_CODE_UNSUPPORTED;
        }

        if (ask->param == NXE_SYSTEM && !ask->if_absent
            && resolve(o, "/system", &d) && cJSON_IsArray(d.item))
        {
            return anthropic_blocks(o, &d, ask);
        }
    }

    return set(o, paths[dialect][ask->param], ask, ask->code);
}


static cJSON *
blocks(const cJSON *old, const char *json)
{
    cJSON        *array, *block;
    const cJSON  *b, *cache;

    array = cJSON_CreateArray();
    block = cJSON_CreateObject();
    assert(cJSON_AddStringToObject(block, "type", "text") != NULL);
    assert(cJSON_AddItemToObject(block, "text", parsed(json)));

    cache = NULL;

    cJSON_ArrayForEach(b, old) {
        if (cJSON_IsObject(member(b, "cache_control"))) {
            cache = member(b, "cache_control");
        }
    }

    if (cache != NULL) {
        assert(cJSON_AddItemToObject(block, "cache_control",
                                     cJSON_Duplicate(cache, 1)));
    }

    assert(cJSON_AddItemToArray(array, block));

    return array;
}


/* Puts a value where nothing is, with objects on the way. */

static void
add(oracle_t *o, const done_t *d)
{
    char         name[NXE_JSON_TOKEN_MAX + 1];
    cJSON       *at, *item;
    unsigned     i;
    const char  *path;

    at = d->parent;

    for (path = d->rest; *path != '\0'; at = item) {
        path = token(path, name);
        item = NULL;

        for (i = 0; i < o->nmade; i++) {
            if (o->made[i].len == (size_t) (path - d->path)
                && memcmp(o->made[i].path, d->path, o->made[i].len) == 0)
            {
                item = o->made[i].item;
            }
        }

        if (item != NULL) {
            continue;
        }

        item = *path == '\0' ? parsed(d->json) : cJSON_CreateObject();
        assert(cJSON_IsArray(at) ? cJSON_AddItemToArray(at, item)
                                 : cJSON_AddItemToObject(at, name, item));

        o->made[o->nmade].path = d->path;
        o->made[o->nmade].len = (size_t) (path - d->path);
        o->made[o->nmade++].item = item;
    }
}


static void
apply(oracle_t *o, const done_t *d)
{
    cJSON  *item;

    switch (d->what) {

    case DO_REMOVE:
        cJSON_Delete(cJSON_DetachItemViaPointer(d->parent, d->item));
        return;

    case DO_FRONT:
        item = cJSON_CreateObject();
        assert(cJSON_AddStringToObject(item, "role", "system") != NULL);
        assert(cJSON_AddItemToObject(item, "content", parsed(d->json)));

        /* cJSON 1.7.15 inserts in front only of what is there */

        assert(d->item->child != NULL
               ? cJSON_InsertItemInArray(d->item, 0, item)
               : cJSON_AddItemToArray(d->item, item));
        return;

    case DO_BLOCKS:
        item = blocks(d->item, d->json);
        break;

    case DO_SET:
    default:
        if (d->item == NULL) {
            add(o, d);
            return;
        }

        item = parsed(d->json);
        break;
    }

    assert(cJSON_IsArray(d->parent)
           ? cJSON_ReplaceItemViaPointer(d->parent, d->item, item)
           : cJSON_ReplaceItemInObjectCaseSensitive(d->parent,
                                                    d->item->string, item));
}


static void
oracle(nxe_str_t body, nxe_dialect_t dialect, const ask_t *asks, unsigned n,
    nxe_str_t out)
{
    cJSON       *got;
    unsigned     i;
    oracle_t     o;
    nxe_code_t   code;

    o.ndone = 0;
    o.nmade = 0;
    o.tree = cJSON_ParseWithLength(body.data, body.len);

    if (o.tree == NULL || !comparable(body, o.tree)) {
        cJSON_Delete(o.tree);
        return;
    }

    for (i = 0; i < n; i++) {
        code = asks[i].param < 0 ? operation(&o, &asks[i])
                                 : parameter(&o, dialect, &asks[i]);
        assert(code == asks[i].code);
    }

    for (i = 0; i < o.ndone; i++) {
        apply(&o, &o.done[i]);
    }

    got = cJSON_ParseWithLength(out.data, out.len);
    assert(got != NULL);
    assert(same(o.tree, got));

    cJSON_Delete(got);
    cJSON_Delete(o.tree);
}


#endif /* ORACLE_H */
