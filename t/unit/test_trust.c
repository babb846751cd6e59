/*
 * Who chooses a unit: experiment_trusted, the verified source that counts,
 * documents that want one, and what apply warns of.
 */

#include "unit.h"

#include <nxe/assign.h>
#include <nxe/trust.h>


#define VS  "\"variants\":[{\"name\":\"a\"},{\"name\":\"b\"}]"


/* What a request has, by the name of a source, and whether it says AGAIN. */

typedef struct {
    const char *const  *have;
    const char         *again;
    unsigned            asked;
} have_t;


static nxe_status_t
attr(void *ctx, const nxe_source_t *source, nxe_str_t *value)
{
    size_t   i;
    have_t  *h;

    h = ctx;
    h->asked++;

    if (h->again != NULL && nxe_str_eq(source->name, nxe_str_of(h->again))) {
        return NXE_AGAIN;
    }

    for (i = 0; h->have[i] != NULL; i += 2) {
        if (nxe_str_eq(source->name, nxe_str_of(h->have[i]))) {
            *value = nxe_str_of(h->have[i + 1]);
            return NXE_OK;
        }
    }

    return NXE_DECLINED;
}


static nxe_doc_t *
doc_of(const char *json)
{
    cJSON              *tree;
    nxe_doc_t          *doc;
    nxe_faults_t        faults;
    nxe_json_result_t   r;

    assert_int_equal(nxe_tree_parse(nxe_str_of(json), &tree, &r), NXE_OK);

    nxe_faults_init(&faults, unit_mem);

    if (nxe_doc_build(tree, NXE_DOC_FULL, nxe_str(""), unit_mem, &faults,
                      &doc) != NXE_OK)
    {
        fail_msg("%s: %s", faults.fault[0].pointer, faults.fault[0].expected);
    }

    cJSON_Delete(tree);

    return doc;
}


static nxe_doc_t *
doc_unit(const char *unit, const char *more)
{
    char  json[1024];

    snprintf(json, sizeof(json), "{\"name\":\"t\",\"unit\":%s,%s" VS "}",
             unit, more);

    return doc_of(json);
}


static void
test_words(void **state)
{
    size_t          i;
    nxe_str_t       names[4];
    nxe_trusted_t   t;

    static const struct {
        const char    *word;
        nxe_status_t   rc;
        const char    *why;
    } rows[] = {
        { "user_id", NXE_OK, "a name" },
        { "$tenant", NXE_OK, "as nginx writes it" },
        { "auth", NXE_OK, "jwt: and auth:" },
        { "$auth", NXE_OK, "a variable that is called auth" },
        { "auth", NXE_CONFLICT, "auth twice" },
        { "$user_id", NXE_CONFLICT, "a name twice" },
        { "USER_ID", NXE_CONFLICT, "a name twice, as nginx reads it" },
        { "", NXE_INVALID, "nothing" },
        { "$", NXE_INVALID, "no name" },
        { "$$a", NXE_INVALID, "two dollars" },
        { "a-b", NXE_INVALID, "no name of a variable" },
        { "jwt:sub", NXE_INVALID, "a source" },
        { "${a}", NXE_INVALID, "braces" },
        { "a b", NXE_INVALID, "a blank" },
        { "\xc3\xa9", NXE_INVALID, "a letter of another alphabet" },
    };

    static const struct {
        nxe_source_t   source;
        int            verified;
        int            client;
        const char    *why;
    } sources[] = {
        { { NXE_SOURCE_VAR, nxe_str("user_id") }, 1, 0, "var" },
        { { NXE_SOURCE_VAR, nxe_str("User_ID") }, 1, 0, "var, other case" },
        { { NXE_SOURCE_VAR, nxe_str("tenant") }, 1, 0, "var, by $tenant" },
        { { NXE_SOURCE_VAR, nxe_str("auth") }, 1, 0, "var, by $auth" },
        { { NXE_SOURCE_VAR, nxe_str("user") }, 0, 0, "var, shorter" },
        { { NXE_SOURCE_VAR, nxe_str("user_id2") }, 0, 0, "var, longer" },
        { { NXE_SOURCE_VAR, nxe_str("user@id") }, 0, 0, "var, not a letter" },
        { { NXE_SOURCE_JWT, nxe_str("user_id") }, 1, 0, "jwt" },
        { { NXE_SOURCE_AUTH, nxe_str("") }, 1, 0, "auth" },
        { { NXE_SOURCE_HEADER, nxe_str("user_id") }, 0, 1, "header" },
        { { NXE_SOURCE_COOKIE, nxe_str("user_id") }, 0, 1, "cookie" },
        { { NXE_SOURCE_ARG, nxe_str("user_id") }, 0, 1, "arg" },
        { { NXE_SOURCE_JSON, nxe_str("/user_id") }, 0, 1, "json" },
        { { NXE_SOURCE_MCP, nxe_str("session") }, 0, 0, "mcp" },
    };

    (void) state;

    memset(&t, 0, sizeof(t));
    t.names = names;

    for (i = 0; i < unit_n(rows); i++) {
        unit_row(nxe_trusted_add(&t, nxe_str_of(rows[i].word)) == rows[i].rc,
                 rows[i].why);
    }

    assert_int_equal(t.n, 3);

    for (i = 0; i < unit_n(sources); i++) {
        unit_row(nxe_source_verified(&t, &sources[i].source)
                 == sources[i].verified, sources[i].why);
        unit_row(!nxe_source_verified(NULL, &sources[i].source),
                 sources[i].why);
        unit_row(nxe_source_client(&sources[i].source) == sources[i].client,
                 sources[i].why);
    }

    /* neither word says anything of the other's sources */

    t.auth = 0;
    assert_false(nxe_source_verified(&t, &sources[7].source));
    assert_false(nxe_source_verified(&t, &sources[8].source));
    assert_true(nxe_source_verified(&t, &sources[0].source));

    t.n = 0;
    t.auth = 1;
    assert_false(nxe_source_verified(&t, &sources[0].source));
    assert_true(nxe_source_verified(&t, &sources[7].source));
}


/* header, var, jwt: which one is the unit. */

static void
test_unit(void **state)
{
    size_t          i;
    have_t          have;
    nxe_str_t       names[2];
    nxe_doc_t      *doc;
    nxe_unit_t      unit;
    nxe_status_t    rc;
    nxe_trusted_t   t;
    nxe_request_t   r;

    static const struct {
        const char    *trusted[3];
        const char    *have[7];
        const char    *again;
        nxe_status_t   rc;
        const char    *value;
        uint32_t       source;
        unsigned       verified;
        const char    *why;
    } rows[] = {
        { { NULL }, { "x-h", "h", "v", "v", "sub", "j", NULL }, NULL,
          NXE_OK, "h", 0, 0, "nothing is verified: the first" },
        { { "v" }, { "x-h", "h", "v", "v", "sub", "j", NULL }, NULL,
          NXE_OK, "v", 1, 1, "the verified one, behind another" },
        { { "auth" }, { "x-h", "h", "v", "v", "sub", "j", NULL }, NULL,
          NXE_OK, "j", 2, 1, "the verified one, the last" },
        { { "auth", "v" }, { "x-h", "h", "v", "v", "sub", "j", NULL }, NULL,
          NXE_OK, "v", 1, 1, "of two verified ones the first" },
        { { "auth", "v" }, { "x-h", "h", "sub", "j", NULL }, NULL,
          NXE_OK, "j", 2, 1, "of two verified ones that which is there" },
        { { "auth", "v" }, { "x-h", "h", NULL }, NULL,
          NXE_OK, "h", 0, 0, "no verified one is there: the client's" },
        { { "auth" }, { "x-h", "u", "sub", "u", NULL }, NULL,
          NXE_OK, "u", 2, 1, "the same value: whoever knows it" },
        { { "v" }, { "sub", "j", NULL }, NULL,
          NXE_OK, "j", 2, 0, "a jwt that nobody has verified" },
        { { "auth", "v" }, { NULL }, NULL, NXE_DECLINED, NULL, 0, 0, "none" },

        { { "v" }, { "v", "v", NULL }, "x-h", NXE_OK, "v", 1, 1,
          "a verified one waits for no body" },
        { { NULL }, { "v", "v", NULL }, "x-h", NXE_AGAIN, NULL, 0, 0,
          "one of equal trust does" },
        { { "v" }, { "x-h", "h", NULL }, "v", NXE_AGAIN, NULL, 0, 0,
          "a verified one that may come is waited for" },
    };

    (void) state;

    doc = doc_unit("{\"sources\":[\"header:X-H\",\"var:v\",\"jwt:sub\"]}", "");

    for (i = 0; i < unit_n(rows); i++) {
        memset(&have, 0, sizeof(have));
        memset(&t, 0, sizeof(t));
        memset(&r, 0, sizeof(r));

        t.names = names;

        for (size_t k = 0; rows[i].trusted[k] != NULL; k++) {
            assert_int_equal(nxe_trusted_add(&t,
                                         nxe_str_of(rows[i].trusted[k])),
                             NXE_OK);
        }

        have.have = rows[i].have;
        have.again = rows[i].again;
        r.attr = attr;
        r.ctx = &have;
        r.trusted = &t;

        rc = nxe_assign_unit(doc, &r, &unit);
        unit_row(rc == rows[i].rc, rows[i].why);

        if (rc == NXE_OK) {
            unit_row(nxe_str_eq(unit.value, nxe_str_of(rows[i].value)),
                     rows[i].why);
            unit_row(unit.source == rows[i].source, rows[i].why);
            unit_row(unit.verified == rows[i].verified, rows[i].why);
        }
    }

    /* nobody asks for what cannot count any more */

    memset(&have, 0, sizeof(have));
    have.have = rows[0].have;
    r.trusted = NULL;
    assert_int_equal(nxe_assign_unit(doc, &r, &unit), NXE_OK);
    assert_int_equal(have.asked, 1);
}


/* A high risk takes verified units alone, unless it says that it knows. */

static void
test_risk(void **state)
{
    size_t             i;
    have_t             have;
    nxe_doc_t         *doc;
    nxe_unit_t         unit;
    nxe_range_t        ranges[2];
    nxe_request_t      r;
    nxe_assignment_t   a;

    static const nxe_force_t  all = { NXE_STAGE_AB, { 1, 1 }, NXE_NONE };

    static const struct {
        const char  *unit;
        const char  *more;
        unsigned     verified;
        int          takes;
        const char  *why;
    } rows[] = {
        { "\"jwt:sub\"", "", 0, 1, "no risk" },
        { "\"jwt:sub\"", "\"risk\":\"medium\",", 0, 1, "a medium risk" },
        { "\"jwt:sub\"", "\"risk\":\"high\",", 0, 0, "a high risk" },
        { "\"jwt:sub\"", "\"risk\":\"high\",", 1, 1,
          "a high risk, verified" },
        { "{\"sources\":[\"jwt:sub\"],\"trust\":\"client\"}",
          "\"risk\":\"high\",", 0, 1, "a high risk that says that it knows" },
    };

    (void) state;

    memset(&have, 0, sizeof(have));
    memset(&r, 0, sizeof(r));
    r.attr = attr;
    r.ctx = &have;
    r.any_step = 1;

    for (i = 0; i < unit_n(rows); i++) {
        doc = doc_unit(rows[i].unit, rows[i].more);
        unit.value = nxe_str("u");
        unit.source = 0;
        unit.verified = rows[i].verified;

        unit_row(nxe_assign_takes(doc, &unit) == rows[i].takes, rows[i].why);

        nxe_assign_ranges(doc, &all, ranges);
        assert_int_equal(nxe_assign(doc, &all, ranges, &r, &unit, 0, &a),
                         NXE_OK);
        unit_row(a.reason == (rows[i].takes ? NXE_REASON_ASSIGNED
                                            : NXE_REASON_NO_UNIT),
                 rows[i].why);
        unit_row(a.exposed == rows[i].takes && a.in_layer == rows[i].takes,
                 rows[i].why);
    }
}


static void
test_warnings(void **state)
{
    char         json[1024];
    size_t       i;
    uint32_t     source, variant;
    nxe_doc_t   *doc;
    const char  *what;

    static const struct {
        const char  *unit;
        uint32_t     order;
        const char  *why;
    } orders[] = {
        { "[\"header:A\"]", NXE_NONE, "a client's alone" },
        { "[\"var:a\",\"header:A\"]", NXE_NONE, "behind" },
        { "[\"header:A\",\"var:a\"]", 0, "before a variable" },
        { "[\"jwt:a\",\"arg:a\",\"cookie:b\",\"auth:\"]", 1,
          "the first that stands before one" },
        { "[\"json:/a\",\"jwt:a\"]", 0, "before a claim" },
        { "[\"jwt:a\",\"var:a\",\"auth:\"]", NXE_NONE,
          "none is always the client's" },
    };

    static const struct {
        const char  *unit;
        const char  *control;
        const char  *other;
        const char  *what;          /* NULL: no warning */
        uint32_t     source;
        const char  *why;
    } rows[] = {
        { "{\"sources\":[\"header:A\"]}", "",
          ",\"overrides\":{\"default\":{\"system\":\"S\"}}", NULL, 0,
          "a prompt" },
        { "{\"sources\":[\"header:A\"]}", "",
          ",\"route\":{\"upstream\":\"u\"}", "a route", 0, "a route" },
        { "{\"sources\":[\"var:v\",\"cookie:a\"]}", "",
          ",\"mcp\":{\"server\":\"s\"}", "an MCP server", 1,
          "an MCP server, the second source" },
        { "{\"sources\":[\"arg:a\"]}", "", ",\"tools\":{\"deny\":[\"x\"]}",
          "tools", 0, "tools" },
        { "{\"sources\":[\"json:/a\"]}", "",
          ",\"headers\":{\"request\":{\"set\":{\"X\":\"1\"}}}",
          "a request header", 0, "a request header" },
        { "{\"sources\":[\"json:/a\"]}", "",
          ",\"headers\":{\"request\":{\"remove\":[\"X\"]}}",
          "a request header", 0, "a request header, removed" },
        { "{\"sources\":[\"json:/a\"]}", "",
          ",\"headers\":{\"response\":{\"set\":{\"X\":\"1\"}}}", NULL, 0,
          "a response header" },
        { "{\"sources\":[\"header:A\"]}", ",\"route\":{\"upstream\":\"u\"}",
          "", NULL, 0, "the baseline's: it holds for all" },
        { "{\"sources\":[\"header:A\"],\"trust\":\"client\"}", "",
          ",\"route\":{\"upstream\":\"u\"}", NULL, 0, "it is known" },
        { "{\"sources\":[\"var:a\",\"jwt:b\",\"auth:\"]}", "",
          ",\"route\":{\"upstream\":\"u\"}", NULL, 0,
          "what nginx.conf decides" },
    };

    (void) state;

    for (i = 0; i < unit_n(orders); i++) {
        snprintf(json, sizeof(json), "{\"sources\":%s}", orders[i].unit);
        unit_row(nxe_trust_order(doc_unit(json, "")) == orders[i].order,
                 orders[i].why);
    }

    for (i = 0; i < unit_n(rows); i++) {
        snprintf(json, sizeof(json), "{\"name\":\"t\",\"unit\":%s,"
                 "\"variants\":[{\"name\":\"a\"%s},{\"name\":\"b\"%s}]}",
                 rows[i].unit, rows[i].control, rows[i].other);
        doc = doc_of(json);
        source = NXE_NONE;
        variant = NXE_NONE;
        what = nxe_trust_carries(doc, &source, &variant);

        if (rows[i].what == NULL) {
            unit_row(what == NULL, rows[i].why);
            continue;
        }

        unit_row(what != NULL && strcmp(what, rows[i].what) == 0,
                 rows[i].why);
        unit_row(source == rows[i].source && variant == 1, rows[i].why);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_unit),
        cmocka_unit_test(test_risk),
        cmocka_unit_test(test_warnings),
    };

    return unit_main(tests);
}
