/*
 * Assignment: known ids, reasons, ranges.
 */

#include "unit.h"

#include <nxe/assign.h>
#include <nxe/hash.h>
#include <nxe/target.h>


#define UNITS  100000

#define FORCE(stage, nano)  { stage, { nano, NXE_NANO }, NXE_NONE }

#define TONE                                                                  \
    "{\"name\":\"tone\",\"unit\":\"header:X-Conversation-Id\","               \
    "\"layer\":\"chat\",\"variants\":[{\"name\":\"control\"},"                \
    "{\"name\":\"concise\",\"overrides\":{\"default\":"                       \
    "{\"system\":\"S\"}}}]}"


/* What a request has: "NAME=VALUE" by the name of a source. */

typedef struct {
    const char *const  *have;
    nxe_status_t        rc;         /* of a source called "trouble" */
    unsigned            asked;
} have_t;


static nxe_status_t
attr(void *ctx, const nxe_source_t *source, nxe_str_t *value)
{
    size_t   i;
    have_t  *h;

    h = ctx;
    h->asked++;

    if (nxe_str_eq(source->name, nxe_str("trouble"))) {
        return h->rc;
    }

    for (i = 0; h->have != NULL && h->have[i] != NULL; i += 2) {
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


/* Assigns one unit that comes with a request of the default step. */

static void
assign(const nxe_doc_t *doc, const nxe_force_t *force, nxe_str_t value,
    nxe_assignment_t *a)
{
    have_t         have;
    nxe_unit_t     unit;
    nxe_range_t    ranges[NXE_VARIANTS_MAX];
    nxe_request_t  r;

    memset(&have, 0, sizeof(have));
    memset(&r, 0, sizeof(r));
    r.attr = attr;
    r.ctx = &have;
    r.step = nxe_str("default");
    r.any_step = 1;
    r.any_target = 1;
    r.any_window = 1;

    unit.value = value;
    unit.source = 0;

    nxe_assign_ranges(doc, force, ranges);
    assert_int_equal(nxe_assign(doc, force, ranges, &r, &unit,
                                nxe_assign_position(doc->layer, value), a),
                     NXE_OK);
}


static void
test_known(void **state)
{
    nxe_doc_t         *doc;
    nxe_assignment_t   a;

    static const nxe_force_t  share = FORCE(NXE_STAGE_AB, 200000000);
    static const nxe_force_t  all = FORCE(NXE_STAGE_AB, NXE_NANO);

    (void) state;

    /* DESIGN, Assignment */

    doc = doc_of("{\"name\":\"x\",\"unit\":\"header:X\",\"hash\":{\"salt\":"
                 "\"\"},\"baseline\":\"control\",\"variants\":["
                 "{\"name\":\"treatment\",\"weight\":0.1,\"overrides\":"
                 "{\"default\":{\"system\":\"S\"}}},"
                 "{\"name\":\"control\",\"weight\":0.9}]}");

    assign(doc, &all, nxe_str("return-ticket-48291"), &a);
    assert_true(a.bucket / 4294967296.0 == 0.3766325677279383);
    assert_int_equal(a.variant, 1);
    assert_int_equal(a.reason, NXE_REASON_ASSIGNED);
    assert_int_equal(a.exposed, 1);
    assert_true(nxe_assign_p(doc, &all, 1) == 0.9);

    assign(doc, &all, nxe_str("delivery-ticket-48292"), &a);
    assert_int_equal((int) (a.bucket / 4294967296.0 * 100000 + 0.5), 69279);
    assert_int_equal(a.variant, 1);

    /* OUTPUT 3 */

    doc = doc_of(TONE);
    assert_true(nxe_assign_position(nxe_str("chat"), nxe_str("conv-1"))
                / 4294967296.0 == 0.42376270005479455);

    assign(doc, &share, nxe_str("conv-1"), &a);
    assert_true(a.bucket / 4294967296.0 == 0.5106575842946768);
    assert_int_equal(a.reason, NXE_REASON_ASSIGNED);
    assert_int_equal(a.variant, 1);
    assert_true(nxe_assign_p(doc, &share, 1) == 0.5);

    assign(doc, &share, nxe_str("conv-2"), &a);
    assert_true(a.bucket / 4294967296.0 == 0.8681750756222755);
    assert_int_equal(a.reason, NXE_REASON_NOT_EXPOSED);
    assert_int_equal(a.variant, 0);
    assert_int_equal(a.exposed, 0);
}


/* The first four bytes of SHA-256 over the joined text. */

static void
test_bucket(void **state)
{
    size_t         i;
    uint32_t       k;
    unsigned char  md[NXE_SHA256_LEN];

    static const struct {
        nxe_str_t  salt;
        nxe_str_t  unit;
        nxe_str_t  text;
    } rows[] = {
        { { "tone", 4 }, { "conv-1", 6 }, { "tone:conv-1", 11 } },
        { { "", 0 }, { "conv-1", 6 }, { "conv-1", 6 } },
        { { "a", 1 }, { "b:c", 3 }, { "a:b:c", 5 } },
        { { "a", 1 }, { "\0", 1 }, { "a:\0", 3 } },
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        nxe_sha256(rows[i].text, md);
        k = (uint32_t) md[0] << 24 | (uint32_t) md[1] << 16
            | (uint32_t) md[2] << 8 | md[3];
        assert_int_equal(nxe_assign_bucket(rows[i].salt, rows[i].unit), k);
    }

    assert_int_equal(nxe_assign_position(nxe_str("chat"), nxe_str("u")),
                     nxe_assign_bucket(nxe_str("layer:chat"), nxe_str("u")));
}


/*
 * Everything stands against the unit, then one thing after the other is put
 * right: each reason shows in turn, and none hides an earlier one.
 */

static void
test_reasons(void **state)
{
    size_t             i;
    have_t             have;
    nxe_doc_t         *doc;
    nxe_unit_t         unit;
    nxe_range_t        ranges[2];
    nxe_request_t      r;
    nxe_assignment_t   a;

    static const char *const  acme[] = { "x-tenant", "acme", NULL };

    static const struct {
        nxe_force_t    force;
        int64_t        now;
        const char    *step;
        int            unit;
        uint32_t       position;
        int            tenant;
        nxe_reason_t   reason;
        int            served;      /* 1: something is changed */
    } rows[] = {
        { FORCE(NXE_STAGE_OFF, 0), 0, "other", 0, UINT32_MAX, 0,
          NXE_REASON_OFF, 0 },
        { FORCE(NXE_STAGE_ROLLED_BACK, 0), 0, "other", 0, UINT32_MAX, 0,
          NXE_REASON_ROLLED_BACK, 0 },
        { FORCE(NXE_STAGE_PAUSED, 0), 0, "other", 0, UINT32_MAX, 0,
          NXE_REASON_PAUSED, 0 },
        { FORCE(NXE_STAGE_CANARY, 0), 0, "other", 0, UINT32_MAX, 0,
          NXE_REASON_OUTSIDE_WINDOW, 0 },
        { FORCE(NXE_STAGE_CANARY, 0), 1000000000, "other", 0, UINT32_MAX, 0,
          NXE_REASON_STEP_NOT_IN_SCOPE, 0 },
        { FORCE(NXE_STAGE_CANARY, 0), 1000000000, "idle", 0, UINT32_MAX, 0,
          NXE_REASON_STEP_NOT_IN_SCOPE, 0 },
        { FORCE(NXE_STAGE_CANARY, 0), 1000000000, "answer", 0, UINT32_MAX, 0,
          NXE_REASON_NO_UNIT, 0 },
        { FORCE(NXE_STAGE_CANARY, 0), 1000000000, "answer", 1, UINT32_MAX, 0,
          NXE_REASON_LAYER_EXCLUDED, 0 },
        { FORCE(NXE_STAGE_CANARY, 0), 1000000000, "answer", 1, 2147483648, 0,
          NXE_REASON_LAYER_EXCLUDED, 0 },
        { FORCE(NXE_STAGE_CANARY, 0), 1000000000, "answer", 1, 2147483647, 0,
          NXE_REASON_NOT_TARGETED, 1 },
        { FORCE(NXE_STAGE_CANARY, 0), 1000000000, "answer", 1, 0, 1,
          NXE_REASON_NOT_EXPOSED, 1 },
        { FORCE(NXE_STAGE_CANARY, NXE_NANO), 1000000000, "answer", 1, 0, 1,
          NXE_REASON_ASSIGNED, 1 },
        { FORCE(NXE_STAGE_PAUSED, 0), 1000000000, "answer", 1, 0, 1,
          NXE_REASON_PAUSED, 1 },
        { FORCE(NXE_STAGE_OFF, 0), 1000000000, "answer", 1, 0, 1,
          NXE_REASON_OFF, 0 },
    };

    (void) state;

    doc = doc_of("{\"name\":\"x\",\"steps\":[\"answer\",\"idle\"],"
                 "\"unit\":\"header:X\",\"layer\":{\"name\":\"l\",\"range\":"
                 "[0,0.5]},\"targeting\":[{\"attribute\":\"header:X-Tenant\","
                 "\"op\":\"eq\",\"value\":\"acme\"}],\"windows\":[{\"from\":"
                 "\"2001-09-09T01:46:40Z\",\"to\":\"2001-09-10T01:46:40Z\"}],"
                 "\"variants\":[{\"name\":\"a\",\"overrides\":{\"answer\":"
                 "{\"system\":\"A\"}}},{\"name\":\"b\",\"overrides\":"
                 "{\"answer\":{\"system\":\"B\"}}}]}");

    for (i = 0; i < unit_n(rows); i++) {
        memset(&r, 0, sizeof(r));
        memset(&have, 0, sizeof(have));
        have.have = rows[i].tenant ? acme : NULL;
        r.attr = attr;
        r.ctx = &have;
        r.now = rows[i].now;
        r.step = nxe_str_of(rows[i].step);
        unit.value = nxe_str("u");
        unit.source = 0;

        nxe_assign_ranges(doc, &rows[i].force, ranges);
        assert_int_equal(nxe_assign(doc, &rows[i].force, ranges, &r,
                                    rows[i].unit ? &unit : NULL,
                                    rows[i].position, &a), NXE_OK);

        unit_row(a.reason == rows[i].reason,
                 nxe_reason_name(rows[i].reason));
        unit_row(a.exposed == (a.reason == NXE_REASON_ASSIGNED),
                 nxe_reason_name(rows[i].reason));
        unit_row(a.exposed || a.variant == doc->baseline,
                 nxe_reason_name(rows[i].reason));
        unit_row(a.bucket == (rows[i].unit
                              ? nxe_assign_bucket(nxe_str("x"), unit.value)
                              : 0), nxe_reason_name(rows[i].reason));
        unit_row((nxe_assign_effective(doc, &a) != NULL) == rows[i].served,
                 nxe_reason_name(rows[i].reason));

        /* what is decided before does not ask the request */

        unit_row(have.asked == (rows[i].reason >= NXE_REASON_NOT_TARGETED),
                 nxe_reason_name(rows[i].reason));
    }

    /* the window's ends, and what a command counts as met */

    assert_int_equal(nxe_target_window(doc, 999999999), 0);
    assert_int_equal(nxe_target_window(doc, 1000000000), 1);
    assert_int_equal(nxe_target_window(doc, 1000086399), 1);
    assert_int_equal(nxe_target_window(doc, 1000086400), 0);
    assert_int_equal(nxe_target_window(doc_of(TONE), 0), 1);

    have.have = NULL;
    r.now = 0;
    r.step = nxe_str("other");
    r.any_window = r.any_step = r.any_target = 1;
    nxe_assign_ranges(doc, &rows[11].force, ranges);
    assert_int_equal(nxe_assign(doc, &rows[11].force, ranges, &r, &unit, 0,
                                &a), NXE_OK);
    assert_int_equal(a.reason, NXE_REASON_ASSIGNED);
    assert_int_equal(a.step, NXE_NONE);
    assert_null(nxe_assign_effective(doc, &a));
}


static void
test_effective(void **state)
{
    nxe_doc_t              *doc;
    nxe_assignment_t        a;
    const nxe_effective_t  *e;

    static const nxe_force_t  share = FORCE(NXE_STAGE_AB, 200000000);

    (void) state;

    doc = doc_of(TONE);

    assign(doc, &share, nxe_str("conv-1"), &a);
    e = nxe_assign_effective(doc, &a);
    assert_non_null(e);
    assert_non_null(e->params[NXE_SYSTEM]);

    assign(doc, &share, nxe_str("conv-2"), &a);
    e = nxe_assign_effective(doc, &a);
    assert_non_null(e);
    assert_null(e->params[NXE_SYSTEM]);

    a.reason = NXE_REASON_ERROR;
    assert_null(nxe_assign_effective(doc, &a));
}


/* n equal arms, and given weights: [0, 1) has no gap and no overlap. */

static void
test_ranges(void **state)
{
    char          json[8192];
    size_t        i, n, len;
    nxe_doc_t    *doc;
    nxe_range_t   ranges[NXE_VARIANTS_MAX];

    static const nxe_force_t   all = FORCE(NXE_STAGE_AB, NXE_NANO);
    static const nxe_force_t   rollout = { NXE_STAGE_ROLLOUT, { 1, 1 }, 1 };
    static const nxe_force_t   canary = FORCE(NXE_STAGE_CANARY, 50000000);

    static const nxe_stage_t   dead[] = {
        NXE_STAGE_OFF, NXE_STAGE_PAUSED, NXE_STAGE_ROLLED_BACK
    };

    (void) state;

    for (n = 2; n <= NXE_VARIANTS_MAX; n++) {
        len = (size_t) snprintf(json, sizeof(json), "{\"name\":\"x\",\"unit\""
                                ":\"header:X\",\"variants\":[");

        for (i = 0; i < n; i++) {
            len += (size_t) snprintf(json + len, sizeof(json) - len,
                                     "%s{\"name\":\"v%zu\"}", i ? "," : "",
                                     i);
        }

        (void) snprintf(json + len, sizeof(json) - len, "]}");

        doc = doc_of(json);
        assert_int_equal(doc->nvariants, n);
        nxe_assign_ranges(doc, &all, ranges);

        assert_int_equal(ranges[0].lo, 0);
        assert_int_equal(ranges[n - 1].hi, (uint64_t) 1 << 32);

        for (i = 0; i < n; i++) {
            /* ceil(i x 2^32 / n) */
            assert_int_equal(ranges[i].lo,
                             (((uint64_t) i << 32) + n - 1) / n);
            assert_true(i == 0 || ranges[i].lo == ranges[i - 1].hi);
        }
    }

    /* three thirds of nine digits: the last is 1 minus the others */

    doc = doc_of("{\"name\":\"x\",\"unit\":\"header:X\",\"variants\":["
                 "{\"name\":\"a\",\"weight\":0.333333333},"
                 "{\"name\":\"b\",\"weight\":0.333333333},"
                 "{\"name\":\"c\",\"weight\":0.333333333}]}");
    nxe_assign_ranges(doc, &all, ranges);
    assert_int_equal(ranges[2].hi, (uint64_t) 1 << 32);
    assert_int_equal(ranges[1].hi, ranges[2].lo);
    assert_int_equal(doc->variants[2].weight, 333333334);

    nxe_assign_ranges(doc, &canary, ranges);
    assert_int_equal(ranges[0].lo, 0);
    assert_int_equal(ranges[0].hi, 71582789);   /* ceil(2^32 x 0.333333333
                                                   x 0.05) */
    assert_int_equal(ranges[1].lo, 1431655764); /* ceil(2^32 x
                                                   0.333333333) */

    nxe_assign_ranges(doc, &rollout, ranges);
    assert_int_equal(ranges[1].lo, 0);
    assert_int_equal(ranges[1].hi, (uint64_t) 1 << 32);
    assert_int_equal(ranges[0].hi, 0);
    assert_int_equal(ranges[2].hi, 0);

    for (i = 0; i < unit_n(dead); i++) {
        nxe_force_t  force = FORCE(NXE_STAGE_OFF, NXE_NANO);

        force.stage = dead[i];
        nxe_assign_ranges(doc, &force, ranges);

        for (n = 0; n < 3; n++) {
            assert_int_equal(ranges[n].lo, ranges[n].hi);
        }
    }
}


static void
test_rollout(void **state)
{
    int                i;
    char               id[32];
    nxe_doc_t         *doc;
    nxe_assignment_t   a;

    static const nxe_force_t  rollout = { NXE_STAGE_ROLLOUT, { 1, 1 }, 1 };

    (void) state;

    doc = doc_of(TONE);

    for (i = 0; i < 1000; i++) {
        (void) snprintf(id, sizeof(id), "u-%d", i);
        assign(doc, &rollout, nxe_str_of(id), &a);
        assert_int_equal(a.reason, NXE_REASON_ASSIGNED);
        assert_int_equal(a.variant, 1);
        assert_true(nxe_assign_p(doc, &rollout, 1) == 1);
    }
}


/*
 * Raising the exposure only moves units from not exposed to a variant, and
 * the variant is the one that the bucket names.
 */

static void
test_raise(void **state)
{
    int                i;
    char               id[32];
    size_t             n, v;
    nxe_doc_t         *doc;
    nxe_unit_t         unit;
    nxe_range_t        ranges[8][4];
    nxe_assignment_t   a;
    unsigned           seen[8][4];
    nxe_request_t      r;
    have_t             have;
    uint32_t           was;

    static const nxe_force_t  forces[8] = {
        FORCE(NXE_STAGE_CANARY, 0), FORCE(NXE_STAGE_CANARY, 1),
        FORCE(NXE_STAGE_CANARY, 50000000), FORCE(NXE_STAGE_AB, 200000000),
        FORCE(NXE_STAGE_AB, 333333333), FORCE(NXE_STAGE_AB, 500000000),
        FORCE(NXE_STAGE_AB, 999999999), FORCE(NXE_STAGE_AB, NXE_NANO)
    };

    static const double  weights[4] = { 0.4, 0.3, 0.2, 0.1 };

    (void) state;

    doc = doc_of("{\"name\":\"raise\",\"unit\":\"header:X\",\"variants\":["
                 "{\"name\":\"a\",\"weight\":0.4},"
                 "{\"name\":\"b\",\"weight\":0.3,\"overrides\":{\"default\":"
                 "{\"system\":\"B\"}}},{\"name\":\"c\",\"weight\":0.2},"
                 "{\"name\":\"d\",\"weight\":0.1}]}");

    memset(seen, 0, sizeof(seen));
    memset(&have, 0, sizeof(have));
    memset(&r, 0, sizeof(r));
    r.attr = attr;
    r.ctx = &have;
    r.step = nxe_str("default");

    for (n = 0; n < 8; n++) {
        nxe_assign_ranges(doc, &forces[n], ranges[n]);
    }

    for (i = 0; i < UNITS; i++) {
        unit.source = 0;
        unit.value.data = id;
        unit.value.len = (size_t) snprintf(id, sizeof(id), "unit-%d", i);
        was = NXE_NONE;

        for (n = 0; n < 8; n++) {
            assert_int_equal(nxe_assign(doc, &forces[n], ranges[n], &r, &unit,
                                        0, &a), NXE_OK);

            if (!a.exposed) {
                assert_int_equal(was, NXE_NONE);
                continue;
            }

            assert_true(was == NXE_NONE || was == a.variant);
            was = a.variant;
            seen[n][was]++;
        }

        assert_int_not_equal(was, NXE_NONE);
    }

    /* shares within five standard deviations of weight x exposure */

    for (n = 0; n < 8; n++) {
        for (v = 0; v < 4; v++) {
            double  p = weights[v] * nxe_frac_double(forces[n].exposure);
            double  off = seen[n][v] - UNITS * p;

            assert_true(off * off <= 25 * UNITS * p + 1);
        }
    }
}


static void
test_unit(void **state)
{
    size_t          i;
    have_t          have;
    nxe_doc_t      *doc;
    nxe_unit_t      unit;
    nxe_status_t    rc;
    nxe_request_t   r;

    static const struct {
        const char    *have[5];
        nxe_status_t   trouble;
        nxe_status_t   rc;
        const char    *value;
        uint32_t       source;
        const char    *why;
    } rows[] = {
        { { "x-first", "1", "third", "3", NULL }, NXE_DECLINED, NXE_OK, "1",
          0, "the first that yields" },
        { { "third", "3", NULL }, NXE_DECLINED, NXE_OK, "3", 2,
          "the third, where the others do not" },
        { { NULL }, NXE_DECLINED, NXE_DECLINED, NULL, 0, "none" },
        { { "third", "3", NULL }, NXE_AGAIN, NXE_AGAIN, NULL, 0,
          "one that waits for the body is not passed over" },
        { { "x-first", "1", NULL }, NXE_AGAIN, NXE_OK, "1", 0,
          "unless one before it yields" },
        { { "third", "3", NULL }, NXE_NOMEM, NXE_NOMEM, NULL, 0,
          "no memory" },
    };

    (void) state;

    doc = doc_of("{\"name\":\"x\",\"unit\":{\"sources\":[\"header:X-First\","
                 "\"arg:trouble\",\"cookie:third\"]},\"variants\":["
                 "{\"name\":\"a\"},{\"name\":\"b\"}]}");

    for (i = 0; i < unit_n(rows); i++) {
        memset(&have, 0, sizeof(have));
        memset(&r, 0, sizeof(r));
        have.have = rows[i].have;
        have.rc = rows[i].trouble;
        r.attr = attr;
        r.ctx = &have;

        rc = nxe_assign_unit(doc, &r, &unit);
        unit_row(rc == rows[i].rc, rows[i].why);

        if (rc == NXE_OK) {
            unit_row(nxe_str_eq(unit.value, nxe_str_of(rows[i].value)),
                     rows[i].why);
            unit_row(unit.source == rows[i].source, rows[i].why);
        }
    }
}


static void
test_words(void **state)
{
    unsigned     i;
    nxe_stage_t  stage;

    static const char *const  reasons[NXE_REASONS] = {
        "error", "off", "rolled_back", "paused", "outside_window",
        "step_not_in_scope", "no_unit", "layer_excluded", "not_targeted",
        "not_exposed", "assigned"
    };

    (void) state;

    for (i = 0; i < NXE_REASONS; i++) {
        assert_string_equal(nxe_reason_name((nxe_reason_t) i), reasons[i]);
    }

    for (i = 0; i < NXE_STAGES; i++) {
        assert_int_equal(nxe_stage_parse(
                             nxe_str_of(nxe_stage_name((nxe_stage_t) i)),
                             &stage), NXE_OK);
        assert_int_equal(stage, i);
    }

    assert_int_equal(nxe_stage_parse(nxe_str("aa"), &stage), NXE_DECLINED);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_bucket),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_effective),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_rollout),
        cmocka_unit_test(test_raise),
        cmocka_unit_test(test_unit),
        cmocka_unit_test(test_words),
    };

    return unit_main(tests);
}
