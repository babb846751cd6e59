/*
 * Targeting: every operator over friendly and hostile values; networks;
 * segments.
 */

#include "unit.h"

#include <nxe/cidr.h>
#include <nxe/target.h>


/* Values of sources: "A" by the name of a source. */

typedef struct {
    nxe_str_t      value;       /* of any source; no data: absent */
    nxe_status_t   rc;          /* of a source called "trouble" */
    unsigned       asked;
} have_t;

#define S(lit)     lit, sizeof(lit) - 1
#define ABSENT     NULL, 0


static nxe_status_t
attr(void *ctx, const nxe_source_t *source, nxe_str_t *value)
{
    have_t  *h;

    h = ctx;
    h->asked++;

    if (nxe_str_eq(source->name, nxe_str("trouble"))) {
        return h->rc;
    }

    if (h->value.data == NULL) {
        return NXE_DECLINED;
    }

    *value = h->value;

    return NXE_OK;
}


static void
request(nxe_request_t *r, have_t *have)
{
    memset(have, 0, sizeof(have_t));
    memset(r, 0, sizeof(nxe_request_t));

    r->attr = attr;
    r->ctx = have;
    r->scratch = nxe_scratch_new(unit_mem);
    assert_non_null(r->scratch);
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
doc_with(const char *members)
{
    char  json[8192];

    (void) snprintf(json, sizeof(json), "{\"name\":\"x\",\"unit\":"
                    "\"header:X\",%s,\"variants\":[{\"name\":\"a\"},"
                    "{\"name\":\"b\"}]}", members);

    return doc_of(json);
}


static nxe_doc_t *
doc_if(const char *condition)
{
    char  members[8000];

    (void) snprintf(members, sizeof(members), "\"targeting\":[{\"attribute\":"
                    "\"header:X-Tenant\",%s}]", condition);

    return doc_with(members);
}


#define OP(op, value)  "\"op\":\"" op "\",\"value\":" value
#define RE(pattern)    OP("regex", "\"" pattern "\"")
#define GT(number)     OP("gt", "\"" number "\"")
#define LT(number)     OP("lt", "\"" number "\"")
#define NET(network)   OP("cidr", "\"" network "\"")

static void
test_ops(void **state)
{
    int             holds;
    char           *copy;
    size_t          i;
    have_t          have;
    nxe_doc_t      *doc;
    nxe_request_t   r;

    static const struct {
        const char  *condition;
        const char  *value;         /* of the attribute */
        size_t       len;
        int          holds;
    } rows[] = {
        { OP("eq", "\"acme\""), S("acme"), 1 },
        { OP("eq", "\"acme\""), S("ACME"), 0 },
        { OP("eq", "\"acme\""), S("acme2"), 0 },
        { OP("eq", "\"acme\""), S("acme\0"), 0 },
        { OP("eq", "\"acme\""), ABSENT, 0 },
        { OP("ne", "\"acme\""), S("acme"), 0 },
        { OP("ne", "\"acme\""), S("globex"), 1 },
        { OP("ne", "\"acme\""), ABSENT, 0 },
        { OP("in", "[\"acme\",\"globex\"]"), S("globex"), 1 },
        { OP("in", "[\"acme\",\"globex\"]"), S("initech"), 0 },
        { OP("in", "[\"acme\",\"globex\"]"), ABSENT, 0 },
        { OP("prefix", "\"ac\""), S("acme"), 1 },
        { OP("prefix", "\"ac\""), S("ac"), 1 },
        { OP("prefix", "\"ac\""), S("a"), 0 },
        { OP("prefix", "\"ac\""), S("xac"), 0 },
        { OP("prefix", "\"ac\""), ABSENT, 0 },
        { OP("suffix", "\"me\""), S("acme"), 1 },
        { OP("suffix", "\"me\""), S("me"), 1 },
        { OP("suffix", "\"me\""), S("e"), 0 },
        { OP("suffix", "\"me\""), S("mex"), 0 },
        { OP("suffix", "\"me\""), ABSENT, 0 },
        { OP("exists", "true"), S("acme"), 1 },
        { OP("exists", "true"), ABSENT, 0 },
        { OP("exists", "false"), S("acme"), 0 },
        { OP("exists", "false"), ABSENT, 1 },

        { RE("^(acme|globex)$"), S("globex"), 1 },
        { RE("^(acme|globex)$"), S("globex2"), 0 },
        { RE("^(acme|globex)$"), S("globex\n"), 0 },
        { RE("^(acme|globex)$"), S("acme\0"), 0 },
        { RE("me"), S("acme"), 1 },
        { RE("(?i)ACME"), S("acme"), 1 },
        { RE("^\\\\d+$"), S("123"), 1 },
        { RE("^\\\\d+$"), S("\xd9\xa1"), 0 },           /* ARABIC ONE */
        { RE("^.$"), S("\xe2\x82\xac"), 1 },            /* a character */
        { RE("^\xc3\xa9$"), S("\xc3\xa9"), 1 },
        { RE("^.$"), S("\xff"), 0 },                    /* none */
        { RE("a.b"), S("a\xff" "b"), 0 },
        { RE("b$"), S("\xff\xfe" "b"), 1 },             /* behind it */
        { RE("^a"), S("a\xc3"), 1 },                    /* before it */
        { RE("."), S("\xed\xa0\x80"), 0 },              /* a surrogate */
        { RE("[^a]"), S("\xf4\x90\x80\x80"), 0 },       /* above U+10FFFF */
        { RE("(?<=\xc3\xa9)x"), S("\xa9x"), 0 },
        { RE("x*"), S("\x80"), 1 },                     /* nothing matches */
        { RE("a"), ABSENT, 0 },
        { RE("\\\\Q(?C1)\\\\E"), S("(?C1)"), 1 },       /* no callout */

        { GT("10"), S("10"), 0 },
        { GT("10"), S("10.0"), 0 },
        { GT("10"), S("1e1"), 0 },
        { GT("10"), S("10.0000000000000000000000000000000001"), 1 },
        { GT("10"), S("11"), 1 },
        { GT("10"), S("9"), 0 },
        { GT("-1"), S("-0"), 1 },
        { GT("0"), S("-0"), 0 },
        { GT("9007199254740992"), S("9007199254740993"), 1 },
        { GT("10"), S("1e400"), 1 },
        { GT("10"), S("-1e400"), 0 },
        { GT("10"), S("1e99999999999999999999"), 1 },
        { GT("10"), S("011"), 0 },
        { GT("10"), S("+11"), 0 },
        { GT("10"), S(" 11"), 0 },
        { GT("10"), S("11 "), 0 },
        { GT("10"), S("11\0"), 0 },
        { GT("10"), S("0xff"), 0 },
        { GT("10"), S("11."), 0 },
        { GT("10"), S("1e"), 0 },
        { GT("10"), S("11,5"), 0 },
        { GT("10"), S("NaN"), 0 },
        { GT("10"), S("Infinity"), 0 },
        { GT("10"), S("eleven"), 0 },
        { GT("10"), S("\""), 0 },
        { GT("10"), ABSENT, 0 },
        { LT("10"), S("9.99"), 1 },
        { LT("10"), S("10"), 0 },
        { LT("10"), S("100e-1"), 0 },
        { LT("10"), S("-1e400"), 1 },
        { LT("10"), S("1e-400"), 1 },
        { LT("1e-400"), S("1e-401"), 1 },
        { LT("10"), S(""), 0 },
        { LT("10"), S("-"), 0 },
        { LT("10"), S("."), 0 },
        { LT("10"), S("zero"), 0 },                     /* not less as text */
        { LT("10"), ABSENT, 0 },

        { NET("10.0.0.0/8"), S("10.255.0.1"), 1 },
        { NET("10.0.0.0/8"), S("11.0.0.1"), 0 },
        { NET("10.0.0.0/8"), S("::ffff:10.1.2.3"), 1 },
        { NET("10.0.0.0/8"), S("::FFFF:0a01:203"), 1 },
        { NET("10.0.0.0/8"), S("::10.1.2.3"), 0 },
        { NET("::ffff:10.0.0.0/104"), S("10.1.2.3"), 1 },
        { NET("10.1.2.3/32"), S("10.1.2.3"), 1 },
        { NET("10.1.2.3/32"), S("10.1.2.4"), 0 },
        { NET("10.1.2.0/23"), S("10.1.3.255"), 1 },
        { NET("10.1.2.0/23"), S("10.1.4.0"), 0 },
        { NET("0.0.0.0/0"), S("255.255.255.255"), 1 },
        { NET("0.0.0.0/0"), S("::1"), 0 },
        { NET("::/0"), S("2001:db8::1"), 1 },
        { NET("::/0"), S("10.1.2.3"), 0 },
        { NET("::/0"), S("::ffff:10.1.2.3"), 0 },
        { NET("2001:db8::/33"), S("2001:db8:7fff::1"), 1 },
        { NET("2001:db8::/33"), S("2001:db8:8000::1"), 0 },
        { NET("2001:DB8::/32"), S("2001:0db8:0:0:0:0:0:1"), 1 },
        { NET("fe80::/10"), S("fe80::1%eth0"), 0 },
        { NET("2001:db8::/32"), S("[2001:db8::1]"), 0 },
        { NET("2001:db8::/32"), S("[2001:db8::1]:443"), 0 },
        { NET("10.0.0.0/8"), S("10.1.2.3:80"), 0 },
        { NET("10.0.0.0/8"), S("10.1.2.3/32"), 0 },
        { NET("10.0.0.0/8"), S("10.1.2"), 0 },
        { NET("10.0.0.0/8"), S("010.1.2.3"), 0 },
        { NET("10.0.0.0/8"), S("10.1.2.03"), 0 },
        { NET("10.0.0.0/8"), S("10.1.2.256"), 0 },
        { NET("10.0.0.0/8"), S("0xa.1.2.3"), 0 },
        { NET("10.0.0.0/8"), S("10.1.2.3 "), 0 },
        { NET("10.0.0.0/8"), S(" 10.1.2.3"), 0 },
        { NET("10.0.0.0/8"), S("10.1.2.3, 10.1.2.4"), 0 },
        { NET("10.0.0.0/8"), S("10.1.2.3\0"), 0 },
        { NET("10.0.0.0/8"), S("167772161"), 0 },
        { NET("10.0.0.0/8"), S("unix:"), 0 },
        { NET("::/0"), S("1:2:3:4:5:6:7:8:9"), 0 },
        { NET("::/0"), S("1::2::3"), 0 },
        { NET("::/0"), S(":::"), 0 },
        { NET("10.0.0.0/8"),
          S("0000:0000:0000:0000:0000:ffff:010.001.002.003"), 0 },
        { NET("10.0.0.0/8"),
          S("0000:0000:0000:0000:0000:ffff:10.101.102.103"), 1 },
        { NET("10.0.0.0/8"), S(""), 0 },
        { NET("10.0.0.0/8"), ABSENT, 0 },
    };

    (void) state;

    request(&r, &have);

    for (i = 0; i < unit_n(rows); i++) {

        /* memory of its own, so that a sanitizer sees a read beyond it */

        copy = malloc(rows[i].len + 1);
        assert_non_null(copy);

        if (rows[i].value != NULL) {
            have.value.data = copy + 1;
            have.value.len = rows[i].len;
            memcpy(copy + 1, rows[i].value, rows[i].len);

        } else {
            have.value = nxe_null_str;
        }

        doc = doc_if(rows[i].condition);
        holds = -1;
        assert_int_equal(nxe_target_holds(doc, &r, &holds), NXE_OK);

        if (holds != rows[i].holds) {
            fail_msg("row %zu, %s, %s: %d", i, rows[i].condition,
                     rows[i].value != NULL ? rows[i].value : "absent", holds);
        }

        free(copy);
    }
}


/* All must hold; the first that does not ends the question. */

static void
test_all(void **state)
{
    int             holds;
    have_t          have;
    nxe_doc_t      *doc;
    nxe_request_t   r;

    (void) state;

    doc = doc_with("\"targeting\":[{\"attribute\":\"header:A\",\"op\":\"eq\","
                   "\"value\":\"1\"},{\"attribute\":\"arg:trouble\",\"op\":"
                   "\"eq\",\"value\":\"1\"}]");

    request(&r, &have);
    have.rc = NXE_AGAIN;
    assert_int_equal(nxe_target_holds(doc, &r, &holds), NXE_OK);
    assert_int_equal(holds, 0);
    assert_int_equal(have.asked, 1);

    have.value = nxe_str("1");
    assert_int_equal(nxe_target_holds(doc, &r, &holds), NXE_AGAIN);

    have.rc = NXE_NOMEM;
    assert_int_equal(nxe_target_holds(doc, &r, &holds), NXE_NOMEM);

    have.rc = NXE_DECLINED;
    assert_int_equal(nxe_target_holds(doc, &r, &holds), NXE_OK);
    assert_int_equal(holds, 0);

    assert_int_equal(nxe_target_holds(doc_with("\"owner\":\"a\""), &r,
                                      &holds), NXE_OK);
    assert_int_equal(holds, 1);

    /* a pattern is never silently not looked at */

    r.scratch = NULL;
    assert_int_equal(nxe_target_holds(doc_if(RE("1")), &r, &holds),
                     NXE_NOMEM);
}


static void
test_cidr(void **state)
{
    char        text[NXE_CIDR_LEN];
    size_t      i;
    nxe_cidr_t  net;

    static const struct {
        const char    *text;
        nxe_status_t   rc;
        const char    *printed;
    } rows[] = {
        { "10.0.0.0/8", NXE_OK, "10.0.0.0/8" },
        { "10.1.2.3/8", NXE_CONFLICT, "10.0.0.0/8" },
        { "10.1.2.3/0", NXE_CONFLICT, "0.0.0.0/0" },
        { "10.1.3.0/23", NXE_CONFLICT, "10.1.2.0/23" },
        { "10.1.2.3/32", NXE_OK, "10.1.2.3/32" },
        { "2001:DB8:0:0::/32", NXE_OK, "2001:db8::/32" },
        { "2001:db8::1/32", NXE_CONFLICT, "2001:db8::/32" },
        { "2001:db8:ffff::/33", NXE_CONFLICT, "2001:db8:8000::/33" },
        { "::/0", NXE_OK, "::/0" },
        { "::1/128", NXE_OK, "::1/128" },
        { "::1/127", NXE_CONFLICT, "::/127" },
        { "::ffff:10.0.0.0/104", NXE_OK, "10.0.0.0/8" },
        { "::ffff:10.1.0.0/104", NXE_CONFLICT, "10.0.0.0/8" },
        { "::ffff:0:0/96", NXE_OK, "0.0.0.0/0" },
        { "::ffff:0:0/95", NXE_CONFLICT, "::fffe:0:0/95" },
        { "", NXE_INVALID, NULL },
        { "/", NXE_INVALID, NULL },
        { "/8", NXE_INVALID, NULL },
        { "10.0.0.0", NXE_INVALID, NULL },
        { "10.0.0.0/", NXE_INVALID, NULL },
        { "10.0.0.0/33", NXE_INVALID, NULL },
        { "10.0.0.0/08", NXE_INVALID, NULL },
        { "10.0.0.0/-1", NXE_INVALID, NULL },
        { "10.0.0.0/+8", NXE_INVALID, NULL },
        { "10.0.0.0/8 ", NXE_INVALID, NULL },
        { "10.0.0.0/8/8", NXE_INVALID, NULL },
        { "10.0.0.0/255.0.0.0", NXE_INVALID, NULL },
        { "10.0.0/8", NXE_INVALID, NULL },
        { "10/8", NXE_INVALID, NULL },
        { "010.0.0.0/8", NXE_INVALID, NULL },
        { "::/129", NXE_INVALID, NULL },
        { "::/4294967296", NXE_INVALID, NULL },
        { "fe80::%1/10", NXE_INVALID, NULL },
        { "[::]/0", NXE_INVALID, NULL },
        { "localhost/8", NXE_INVALID, NULL },
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        unit_row(nxe_cidr_parse(nxe_str_of(rows[i].text), &net) == rows[i].rc,
                 rows[i].text);

        if (rows[i].printed != NULL) {
            nxe_cidr_print(&net, text);
            unit_row(strcmp(text, rows[i].printed) == 0, rows[i].text);

            /* what is printed is right, and the same */
            unit_row(nxe_cidr_parse(nxe_str_of(text), &net) == NXE_OK,
                     rows[i].text);
        }
    }
}


static void
test_segments(void **state)
{
    size_t          i;
    have_t          have;
    nxe_doc_t      *doc;
    nxe_str_t       found, value;
    nxe_status_t    rc;
    nxe_request_t   r;

    static const struct {
        uint32_t       segment;
        const char    *have;
        size_t         len;
        const char    *value;
        size_t         value_len;
    } rows[] = {
        { 0, S("acme"), S("acme") },
        { 0, S("globex"), S("globex") },
        { 0, S("initech"), S("other") },
        { 0, S("ACME"), S("other") },
        { 0, S("acme\0"), S("other") },
        { 0, S("other"), S("other") },
        { 0, ABSENT, ABSENT },
        { 1, S("anything"), S("anything") },
        { 1, S("\xff\0"), S("\xff\0") },
        { 1, ABSENT, ABSENT },
    };

    (void) state;

    doc = doc_with("\"segments\":{\"tenant\":{\"source\":\"header:X-Tenant\","
                   "\"values\":[\"acme\",\"globex\"],\"critical\":[\"acme\"]}"
                   ",\"plan\":\"cookie:plan\",\"late\":\"arg:trouble\"}");

    assert_int_equal(doc->nsegments, 3);
    assert_true(nxe_str_eq(doc->segments[0].name, nxe_str("tenant")));
    assert_true(nxe_str_eq(doc->segments[1].name, nxe_str("plan")));

    request(&r, &have);

    for (i = 0; i < unit_n(rows); i++) {
        have.value.data = rows[i].have;
        have.value.len = rows[i].len;

        rc = nxe_segment_find(&doc->segments[rows[i].segment], &r, &found,
                              &value);

        if (rows[i].value == NULL) {
            assert_int_equal(rc, NXE_DECLINED);
            continue;
        }

        assert_int_equal(rc, NXE_OK);
        assert_true(nxe_str_eq(found, have.value));
        unit_row(value.len == rows[i].value_len
                 && memcmp(value.data, rows[i].value, value.len) == 0,
                 rows[i].have);
    }

    have.rc = NXE_AGAIN;
    assert_int_equal(nxe_segment_find(&doc->segments[2], &r, &found, &value),
                     NXE_AGAIN);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_ops),
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_cidr),
        cmocka_unit_test(test_segments),
    };

    return unit_main(tests);
}
