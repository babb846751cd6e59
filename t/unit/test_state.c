/*
 * States as JSON, and what may follow what.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <nxe/arena.h>
#include <nxe/transition.h>

#define NOW    "2026-11-20T09:00:00Z"
#define LATER  "2026-11-21T09:00:00Z"


static nxe_arena_t  *arena;


static int
setup(void **state)
{
    (void) state;
    arena = nxe_arena_new();
    return arena == NULL;
}


static int
teardown(void **state)
{
    (void) state;
    nxe_arena_free(arena);
    return 0;
}


static nxe_doc_t *
doc_of(const char *json)
{
    cJSON              *tree;
    nxe_doc_t          *doc;
    nxe_faults_t        faults;
    nxe_json_result_t   result;

    assert_int_equal(nxe_tree_parse(nxe_str_of(json), &tree, &result),
                     NXE_OK);

    nxe_faults_init(&faults, nxe_arena_mem(arena));
    if (nxe_doc_build(tree, NXE_DOC_FULL, nxe_str(""), nxe_arena_mem(arena),
                      &faults, &doc) != NXE_OK)
    {
        fail_msg("%s: %s", faults.fault[0].pointer, faults.fault[0].expected);
    }

    cJSON_Delete(tree);

    return doc;
}


static nxe_doc_t *
tone(const char *more)
{
    char  json[1024];

    snprintf(json, sizeof(json), "{\"name\":\"tone\",\"unit\":\"header:X-Id\","
             "\"layer\":\"chat\",\"variants\":[{\"name\":\"control\"},"
             "{\"name\":\"concise\",\"overrides\":{\"default\":"
             "{\"temperature\":0.5}}}]%s}", more);

    return doc_of(json);
}


static const char *
print_state(const nxe_state_t *s)
{
    nxe_buf_t  b;
    nxe_str_t  copy;

    nxe_buf_init(&b, 65536);
    assert_int_equal(nxe_state_print(nxe_str("tone"), s, &b), NXE_OK);
    assert_int_equal(nxe_str_copy(nxe_arena_mem(arena), nxe_buf_str(&b),
                                  &copy), NXE_OK);
    nxe_buf_free(&b);

    return copy.data;
}


static void
test_print(void **state)
{
    nxe_state_t  s, back;
    nxe_error_t  err;
    const char  *text;

    (void) state;

    memset(&s, 0, sizeof(s));
    s.revision = 3;
    s.phase = 1;
    s.stage = NXE_STAGE_AB;
    s.exposure = (nxe_frac_t) { 200000000, NXE_NANO };
    s.has_exposure = 1;
    s.variant = nxe_str("");
    s.former_variant = nxe_str("");
    s.started = nxe_str(NOW);
    s.since = nxe_str(NOW);
    s.by = nxe_str("ana@edge-1");
    s.reason = nxe_str("canary clean, 48 h");

    text = print_state(&s);
    assert_string_equal(text,
        "{\"experiment\":\"tone\",\"stage\":\"ab\",\"exposure\":0.2,"
        "\"sample\":null,\"variant\":null,\"phase\":1,\"weights\":null,"
        "\"ramp_step\":null,\"streaks\":{},\"since\":\"" NOW "\","
        "\"by\":\"ana@edge-1\",\"reason\":\"canary clean, 48 h\","
        "\"revision\":3,\"started\":\"" NOW "\"}");

    assert_int_equal(nxe_state_parse(nxe_str_of(text), nxe_arena_mem(arena),
                                     &back, &err), NXE_OK);
    assert_string_equal(print_state(&back), text);

    s.stage = NXE_STAGE_PAUSED;
    s.has_exposure = 0;
    s.has_former = 1;
    s.former_stage = NXE_STAGE_ROLLOUT;
    s.former_exposure = NXE_FRAC_ONE;
    s.former_has_exposure = 1;
    s.former_variant = nxe_str("concise");
    s.reason = nxe_str("a \"quote\" and \xe2\x80\xae");

    text = print_state(&s);
    assert_non_null(strstr(text, "\"exposure\":null"));
    assert_non_null(strstr(text, "\"former\":{\"stage\":\"rollout\","
                                 "\"exposure\":1,\"variant\":\"concise\"}}"));
    assert_int_equal(nxe_state_parse(nxe_str_of(text), nxe_arena_mem(arena),
                                     &back, &err), NXE_OK);
    assert_string_equal(print_state(&back), text);
}


/* The reduced form of the serving copy has members that we do not know. */

static void
test_parse(void **state)
{
    size_t       i;
    nxe_state_t  s;
    nxe_error_t  err;

    static const struct {
        const char    *json;
        nxe_status_t   status;
        const char    *why;
    } rows[] = {
        { "{\"stage\":\"ab\",\"exposure\":0.5,\"phase\":1,\"revision\":1}",
          NXE_OK, "reduced" },
        { "{\"stage\":\"off\",\"phase\":1,\"revision\":1,\"baseline\":\"c\","
          "\"at\":[0,1]}", NXE_OK, "members of the serving copy" },
        { "{\"stage\":\"off\",\"exposure\":null,\"phase\":9007199254740992,"
          "\"revision\":1}", NXE_OK, "the largest safe integer" },
        { "{\"stage\":\"off\",\"phase\":9007199254740993,\"revision\":1}",
          NXE_INVALID, "one more" },
        { "", NXE_INVALID, "nothing" },
        { "[]", NXE_INVALID, "no object" },
        { "{}", NXE_INVALID, "no stage" },
        { "{\"stage\":\"on\",\"phase\":1,\"revision\":1}", NXE_INVALID,
          "no such stage" },
        { "{\"stage\":1,\"phase\":1,\"revision\":1}", NXE_INVALID, "type" },
        { "{\"stage\":\"ab\",\"phase\":1,\"revision\":1}", NXE_INVALID,
          "live without exposure" },
        { "{\"stage\":\"ab\",\"exposure\":1.5,\"phase\":1,\"revision\":1}",
          NXE_INVALID, "exposure above 1" },
        { "{\"stage\":\"ab\",\"exposure\":0.0000000001,\"phase\":1,"
          "\"revision\":1}", NXE_INVALID, "ten digits" },
        { "{\"stage\":\"ab\",\"exposure\":\"1\",\"phase\":1,\"revision\":1}",
          NXE_INVALID, "exposure as a string" },
        { "{\"stage\":\"off\",\"phase\":0,\"revision\":1}", NXE_INVALID,
          "phase 0" },
        { "{\"stage\":\"off\",\"phase\":-1,\"revision\":1}", NXE_INVALID,
          "negative" },
        { "{\"stage\":\"off\",\"phase\":1.5,\"revision\":1}", NXE_INVALID,
          "fraction" },
        { "{\"stage\":\"off\",\"phase\":1e3,\"revision\":1}", NXE_INVALID,
          "exponent" },
        { "{\"stage\":\"off\",\"phase\":1}", NXE_INVALID, "no revision" },
        { "{\"stage\":\"off\",\"phase\":1,\"revision\":1,\"by\":7}",
          NXE_INVALID, "by is no string" },
        { "{\"stage\":\"rollout\",\"exposure\":1,\"phase\":1,"
          "\"revision\":1}", NXE_INVALID, "rollout of nothing" },
        { "{\"stage\":\"paused\",\"phase\":1,\"revision\":1,\"former\":1}",
          NXE_INVALID, "former is no object" },
        { "{\"stage\":\"paused\",\"phase\":1,\"revision\":1,"
          "\"former\":{\"stage\":\"ab\"}}", NXE_INVALID,
          "former without exposure" },
        { "{\"stage\":\"off\",\"stage\":\"ab\",\"phase\":1,\"revision\":1}",
          NXE_INVALID, "twice" }
    };

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (nxe_state_parse(nxe_str_of(rows[i].json), nxe_arena_mem(arena),
                            &s, &err) != rows[i].status)
        {
            fail_msg("%s: %s", rows[i].why, rows[i].json);
        }
    }
}


/*
 * A walk: each row is a wish to what the row before left.  "=" is a state
 * that stays as it is.
 */

typedef struct {
    nxe_wish_type_t     type;
    nxe_stage_t         stage;
    const char         *exposure;
    const char         *share;
    const char         *variant;
    const char         *expected;   /* STAGE EXPOSURE PHASE, or the "why" */
} step_t;


static void
walk(const nxe_doc_t *doc, const step_t *steps, size_t n)
{
    size_t          i;
    char            got[128];
    nxe_wish_t      wish;
    nxe_state_t     s, to;
    nxe_status_t    rc;
    nxe_refusal_t   refusal;

    memset(&wish, 0, sizeof(wish));
    wish.now = nxe_str(NOW);
    wish.by = nxe_str("ana@edge-1");
    wish.reason = nxe_str("");

    assert_int_equal(nxe_transition_create(doc, &wish, &s, &refusal), NXE_OK);

    for (i = 0; i < n; i++) {
        memset(&wish, 0, sizeof(wish));
        wish.type = steps[i].type;
        wish.stage = steps[i].stage;
        wish.variant = nxe_str_of(steps[i].variant ? steps[i].variant : "");
        wish.now = nxe_str(LATER);

        if (steps[i].exposure != NULL) {
            wish.has_exposure = 1;
            assert_int_equal(nxe_frac_parse(nxe_str_of(steps[i].exposure),
                                            &wish.exposure), NXE_OK);
        }

        if (steps[i].share != NULL) {
            wish.has_share = 1;
            assert_int_equal(nxe_frac_parse(nxe_str_of(steps[i].share),
                                            &wish.share), NXE_OK);
        }

        refusal.why = "?";
        rc = nxe_transition(doc, &s, &wish, &to, &refusal);

        if (rc == NXE_OK) {
            s = to;
            snprintf(got, sizeof(got), "%s %llu %llu", nxe_stage_name(s.stage),
                     s.has_exposure ? (unsigned long long) (s.exposure.num
                                      * (NXE_NANO / s.exposure.den)) : 0,
                     (unsigned long long) s.phase);

        } else {
            snprintf(got, sizeof(got), "%s", rc == NXE_DECLINED ? "="
                                                                : refusal.why);
        }

        if (strcmp(got, steps[i].expected) != 0) {
            fail_msg("step %zu: %s, expected %s", i, got, steps[i].expected);
        }
    }
}


#define STAGE(s, e)  { NXE_WISH_STAGE, NXE_STAGE_##s, NULL, NULL, NULL, e }
#define DO(w, e)     { NXE_WISH_##w, 0, NULL, NULL, NULL, e }


static void
test_first_time(void **state)
{
    static const step_t  steps[] = {
        DO(PAUSE, "stage"),
        DO(RESUME, "stage"),
        DO(ROLLBACK, "stage"),
        STAGE(OFF, "="),
        STAGE(CANARY, "canary 50000000 1"),     /* phase 1: never was live */
        STAGE(CANARY, "="),
        STAGE(AB, "ab 1000000000 1"),
        STAGE(OFF, "off 0 1"),
        STAGE(OFF, "="),
        STAGE(AB, "ab 1000000000 2"),           /* from off: a new one */
        STAGE(CANARY, "canary 50000000 2"),
        STAGE(PAUSED, "usage")
    };

    (void) state;
    walk(tone(""), steps, sizeof(steps) / sizeof(steps[0]));
}


static void
test_document_exposure(void **state)
{
    static const step_t  steps[] = {
        STAGE(CANARY, "canary 100000000 1"),    /* the document's, first */
        STAGE(AB, "ab 1000000000 1"),           /* then the default */
        STAGE(OFF, "off 0 1"),
        STAGE(CANARY, "canary 50000000 2")
    };

    (void) state;
    walk(tone(",\"stage\":{\"name\":\"off\",\"exposure\":0.1}"), steps,
         sizeof(steps) / sizeof(steps[0]));
}


static void
test_pause(void **state)
{
    static const step_t  steps[] = {
        { NXE_WISH_STAGE, NXE_STAGE_AB, "0.2", NULL, NULL, "ab 200000000 1" },
        DO(RESUME, "stage"),
        DO(PAUSE, "paused 0 1"),
        DO(PAUSE, "="),
        DO(RESUME, "ab 200000000 1"),
        DO(PAUSE, "paused 0 1"),
        { NXE_WISH_STAGE, NXE_STAGE_AB, "0.3", NULL, NULL, "ab 300000000 1" },
        DO(PAUSE, "paused 0 1"),
        DO(ROLLBACK, "rolled_back 0 1"),
        DO(ROLLBACK, "="),
        DO(PAUSE, "rolled_back"),
        DO(RESUME, "rolled_back"),
        STAGE(AB, "rolled_back"),
        STAGE(CANARY, "rolled_back"),
        { NXE_WISH_STAGE, NXE_STAGE_ROLLOUT, NULL, NULL, "concise",
          "rolled_back" },
        STAGE(OFF, "off 0 1"),
        STAGE(AB, "ab 1000000000 2"),
        DO(PAUSE, "paused 0 2"),
        STAGE(OFF, "off 0 2"),
        DO(RESUME, "stage")
    };

    (void) state;
    walk(tone(""), steps, sizeof(steps) / sizeof(steps[0]));
}


static void
test_rollout(void **state)
{
    static const step_t  steps[] = {
        { NXE_WISH_STAGE, NXE_STAGE_ROLLOUT, NULL, NULL, NULL, "usage" },
        { NXE_WISH_STAGE, NXE_STAGE_ROLLOUT, NULL, NULL, "nobody",
          "variant" },
        { NXE_WISH_STAGE, NXE_STAGE_ROLLOUT, "0.5", NULL, "concise",
          "usage" },
        { NXE_WISH_STAGE, NXE_STAGE_AB, NULL, NULL, "concise", "usage" },
        STAGE(AB, "ab 1000000000 1"),
        { NXE_WISH_STAGE, NXE_STAGE_ROLLOUT, NULL, NULL, "concise",
          "rollout 1000000000 2" },
        { NXE_WISH_STAGE, NXE_STAGE_ROLLOUT, NULL, NULL, "concise", "=" },
        DO(PAUSE, "paused 0 2"),
        DO(RESUME, "rollout 1000000000 2"),
        { NXE_WISH_STAGE, NXE_STAGE_ROLLOUT, NULL, NULL, "control",
          "rollout 1000000000 3" },
        DO(PAUSE, "paused 0 3"),
        STAGE(AB, "ab 1000000000 4"),           /* out of it moves units */
    };

    (void) state;
    walk(tone(""), steps, sizeof(steps) / sizeof(steps[0]));
}


/* share = width x exposure x weight */

static void
test_share(void **state)
{
    static const step_t  whole[] = {
        { NXE_WISH_STAGE, NXE_STAGE_AB, NULL, "0.1", "concise",
          "ab 200000000 1" },
        { NXE_WISH_STAGE, NXE_STAGE_AB, NULL, "0.5", "concise",
          "ab 1000000000 1" },
        { NXE_WISH_STAGE, NXE_STAGE_AB, NULL, "0.51", "concise", "share" },
        { NXE_WISH_STAGE, NXE_STAGE_AB, NULL, "0.1", "nobody", "variant" },
        { NXE_WISH_STAGE, NXE_STAGE_AB, "0.1", "0.1", "concise", "usage" },
        { NXE_WISH_STAGE, NXE_STAGE_OFF, NULL, "0.1", "concise", "usage" }
    };

    static const step_t  half[] = {
        { NXE_WISH_STAGE, NXE_STAGE_AB, NULL, "0.1", "concise",
          "ab 400000000 1" }
    };

    static const step_t  thirds[] = {
        { NXE_WISH_STAGE, NXE_STAGE_AB, NULL, "0.1", "b", "ab 300000000 1" },
        { NXE_WISH_STAGE, NXE_STAGE_AB, NULL, "0.333333333", "b",
          "ab 999999999 1" },
        { NXE_WISH_STAGE, NXE_STAGE_AB, NULL, "0.333333334", "b", "share" }
    };

    static const step_t  odd[] = {      /* 0.1 / 0.35 = 0.2857142857... */
        { NXE_WISH_STAGE, NXE_STAGE_AB, NULL, "0.1", "b", "ab 285714285 1" },
        { NXE_WISH_STAGE, NXE_STAGE_AB, NULL, "0", "z", "share" }
    };

    (void) state;

    walk(tone(""), whole, sizeof(whole) / sizeof(whole[0]));

    walk(doc_of("{\"name\":\"t\",\"unit\":\"header:X\",\"layer\":"
                "{\"name\":\"l\",\"range\":[0.25,0.75]},\"variants\":"
                "[{\"name\":\"control\"},{\"name\":\"concise\"}]}"),
         half, 1);

    walk(doc_of("{\"name\":\"t\",\"unit\":\"header:X\",\"variants\":"
                "[{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"c\"}]}"),
         thirds, 3);

    walk(doc_of("{\"name\":\"t\",\"unit\":\"header:X\",\"variants\":"
                "[{\"name\":\"a\",\"weight\":0.65},{\"name\":\"z\","
                "\"weight\":0},{\"name\":\"b\",\"weight\":0.35}]}"),
         odd, 2);
}


static void
test_create(void **state)
{
    nxe_wish_t      wish;
    nxe_state_t     s;
    nxe_refusal_t   refusal;

    (void) state;

    memset(&wish, 0, sizeof(wish));
    wish.now = nxe_str(NOW);

    nxe_transition_create(tone(",\"stage\":{\"name\":\"canary\"}"), &wish, &s,
                          &refusal);
    assert_int_equal(s.stage, NXE_STAGE_CANARY);
    assert_int_equal(s.exposure.num, 50000000);
    assert_int_equal(s.phase, 1);
    assert_int_equal(s.revision, 1);
    assert_true(nxe_str_eq(s.started, nxe_str(NOW)));

    nxe_transition_create(tone(""), &wish, &s, &refusal);
    assert_int_equal(s.stage, NXE_STAGE_OFF);
    assert_int_equal(s.has_exposure, 0);
    assert_int_equal(s.started.len, 0);
}


static void
test_update(void **state)
{
    nxe_doc_t      *doc;
    nxe_wish_t      wish;
    nxe_state_t     off, live, to;
    nxe_refusal_t   refusal;

    (void) state;

    doc = tone("");
    memset(&wish, 0, sizeof(wish));
    wish.now = nxe_str(NOW);
    nxe_transition_create(doc, &wish, &off, &refusal);

    wish.stage = NXE_STAGE_AB;
    assert_int_equal(nxe_transition(doc, &off, &wish, &live, &refusal),
                     NXE_OK);

    /* off: anything goes, the phase begins when it goes live */
    assert_int_equal(nxe_transition_update(doc, &off, 1, "weights", 0, &wish,
                                           &to, &refusal), NXE_OK);
    assert_int_equal(to.revision, 2);
    assert_int_equal(to.phase, 1);

    assert_int_equal(nxe_transition_update(doc, &live, 0, NULL, 0, &wish, &to,
                                           &refusal), NXE_OK);
    assert_int_equal(to.revision, 2);
    assert_int_equal(to.phase, 1);

    assert_int_equal(nxe_transition_update(doc, &live, 1, "weights", 0, &wish,
                                           &to, &refusal), NXE_CONFLICT);
    assert_string_equal(refusal.why, "needs_phase");
    assert_non_null(strstr(refusal.text, "weights"));
    assert_non_null(strstr(refusal.next, "--new-phase"));

    wish.now = nxe_str(LATER);
    assert_int_equal(nxe_transition_update(doc, &live, 1, "weights", 1, &wish,
                                           &to, &refusal), NXE_OK);
    assert_int_equal(to.phase, 2);
    assert_int_equal(to.stage, NXE_STAGE_AB);
    assert_true(nxe_str_eq(to.started, nxe_str(LATER)));

    /* the variant that is rolled out stays */
    live.stage = NXE_STAGE_ROLLOUT;
    live.variant = nxe_str("gone");
    assert_int_equal(nxe_transition_update(doc, &live, 1, "weights", 1, &wish,
                                           &to, &refusal), NXE_CONFLICT);
    assert_string_equal(refusal.why, "rollout");
}


static nxe_doc_t *
in_layer(const char *name, const char *layer, const char *range,
    const char *param)
{
    char  json[512];

    snprintf(json, sizeof(json), "{\"name\":\"%s\",\"unit\":\"header:X\","
             "\"layer\":{\"name\":\"%s\",\"range\":%s},\"variants\":"
             "[{\"name\":\"a\"},{\"name\":\"b\",\"overrides\":{\"default\":"
             "{%s}}}]}", name, layer, range, param);

    return doc_of(json);
}


static void
test_live(void **state)
{
    size_t             i;
    char               name[16], range[64], last;
    unsigned           more, shown;
    const char        *text;
    nxe_refusal_t      refusal;
    const nxe_doc_t   *others[NXE_LAYER_LIVE_MAX];

    (void) state;

    others[0] = in_layer("one", "l", "[0,0.25]", "\"top_p\":0.5");
    others[1] = in_layer("two", "l", "[0.5,0.6]", "\"top_p\":0.5");
    others[2] = in_layer("three", "other", "[0,1]", "\"model\":\"m\"");

    assert_int_equal(nxe_transition_live(
        in_layer("x", "l", "[0.25,0.5]", "\"top_p\":0.5"), others, 3,
        &refusal), NXE_OK);

    assert_int_equal(nxe_transition_live(
        in_layer("x", "l", "[0.2,0.3]", "\"top_p\":0.5"), others, 3,
        &refusal), NXE_CONFLICT);
    assert_string_equal(refusal.why, "overlap");
    assert_string_equal(refusal.text, "x wants [0.2, 0.3) of layer 'l', one "
                        "holds [0, 0.25); free: [0.25, 0.5) [0.6, 1)");

    /* two layers that touch the same parameter of a step */
    assert_int_equal(nxe_transition_live(
        in_layer("x", "l", "[0.25,0.5]", "\"model\":\"n\""), others, 3,
        &refusal), NXE_CONFLICT);
    assert_string_equal(refusal.why, "conflict");
    assert_non_null(strstr(refusal.text, "three"));

    others[0] = in_layer("one", "l", "[0,1]", "\"top_p\":0.5");
    assert_int_equal(nxe_transition_live(
        in_layer("x", "l", "[0.2,0.3]", "\"top_p\":0.5"), others, 1,
        &refusal), NXE_CONFLICT);
    assert_non_null(strstr(refusal.text, "free: none"));

    /* ranges that do not fit are counted, none is cut */
    for (i = 0; i < 40; i++) {
        snprintf(name, sizeof(name), "e%zu", i);
        snprintf(range, sizeof(range), "[%.9f,%.9f]",
                 (double) i / 50 + 0.000000001, (double) i / 50 + 0.012345678);
        others[i] = in_layer(name, "l", range, "\"top_p\":0.5");
    }

    assert_int_equal(nxe_transition_live(
        in_layer("x", "l", "[0,1]", "\"top_p\":0.5"), others, 40, &refusal),
        NXE_CONFLICT);

    text = strrchr(refusal.text, ')');
    assert_int_equal(sscanf(text, ") and %u mor%c", &more, &last), 2);
    assert_int_equal(last, 'e');

    for (text = strstr(refusal.text, "free:"), shown = 0;
         (text = strchr(text, ')')) != NULL; text++)
    {
        shown++;
    }

    assert_int_equal(shown + more, 41);

    for (i = 0; i < NXE_LAYER_LIVE_MAX; i++) {
        snprintf(name, sizeof(name), "e%zu", i);
        snprintf(range, sizeof(range), "[0.%03zu,0.%03zu]", i, i + 1);
        others[i] = in_layer(name, "l", range, "\"top_p\":0.5");
    }

    assert_int_equal(nxe_transition_live(
        in_layer("x", "l", "[0.9,1]", "\"top_p\":0.5"), others,
        NXE_LAYER_LIVE_MAX - 1, &refusal), NXE_OK);
    assert_int_equal(nxe_transition_live(
        in_layer("x", "l", "[0.9,1]", "\"top_p\":0.5"), others,
        NXE_LAYER_LIVE_MAX, &refusal), NXE_CONFLICT);
    assert_string_equal(refusal.why, "layer_full");
}


/* STATISTICS 2, the table of what moves how many units. */

static nxe_doc_t *
weights(const char *variants)
{
    char  json[512];

    snprintf(json, sizeof(json), "{\"name\":\"t\",\"unit\":\"header:X\","
             "\"variants\":[%s]}", variants);

    return doc_of(json);
}


static void
test_movement(void **state)
{
    size_t  i;

    static const struct {
        const char  *before;
        const char  *after;
        uint64_t     nano;          /* exposure */
        double       change;
        double       leave;
        double       join;
    } rows[] = {
        { "{\"name\":\"a\"},{\"name\":\"b\"}",
          "{\"name\":\"a\",\"weight\":0.8},{\"name\":\"b\",\"weight\":0.2}",
          NXE_NANO, 0.3, 0, 0 },
        { "{\"name\":\"a\"},{\"name\":\"b\"}",
          "{\"name\":\"a\",\"weight\":0.8},{\"name\":\"b\",\"weight\":0.2}",
          NXE_NANO / 5, 0, 0.1, 0.1 },
        { "{\"name\":\"a\"},{\"name\":\"b\"}",
          "{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"c\"}",
          NXE_NANO, 0.5, 0, 0 },
        { "{\"name\":\"a\"},{\"name\":\"b\"}",
          "{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"c\"}",
          NXE_NANO * 3 / 10, 0, 0.2, 0.2 }
    };

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        nxe_force_t      force;
        nxe_movement_t   m;

        force.stage = NXE_STAGE_AB;
        force.exposure = (nxe_frac_t) { rows[i].nano, NXE_NANO };
        force.rollout = NXE_NONE;

        nxe_movement(weights(rows[i].before), &force, weights(rows[i].after),
                     &force, &m);

        assert_float_equal((double) m.change / (double) NXE_MOVEMENT_ALL,
                           rows[i].change, 1e-8);
        assert_float_equal((double) m.leave / (double) NXE_MOVEMENT_ALL,
                           rows[i].leave, 1e-8);
        assert_float_equal((double) m.join / (double) NXE_MOVEMENT_ALL,
                           rows[i].join, 1e-8);
    }
}


/* Property: whatever the two exposures, nobody changes variant. */

static void
test_exposure_moves_nobody(void **state)
{
    int              i;
    nxe_doc_t       *doc;
    nxe_force_t      a, b;
    nxe_movement_t   m;

    (void) state;

    doc = weights("{\"name\":\"a\",\"weight\":0.123456789},"
                  "{\"name\":\"b\",\"weight\":0.5},"
                  "{\"name\":\"c\",\"weight\":0.376543211}");
    srand(1);

    a.stage = NXE_STAGE_CANARY;
    b.stage = NXE_STAGE_AB;
    a.rollout = NXE_NONE;
    b.rollout = NXE_NONE;

    for (i = 0; i < 10000; i++) {
        a.exposure = (nxe_frac_t) { (uint64_t) rand() % (NXE_NANO + 1),
                                    NXE_NANO };
        b.exposure = (nxe_frac_t) { (uint64_t) rand() % (NXE_NANO + 1),
                                    NXE_NANO };
        nxe_movement(doc, &a, doc, &b, &m);

        assert_true(m.change == 0);
        assert_true(m.join == 0 || m.leave == 0);
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_print, setup, teardown),
        cmocka_unit_test_setup_teardown(test_parse, setup, teardown),
        cmocka_unit_test_setup_teardown(test_first_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_document_exposure, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_pause, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rollout, setup, teardown),
        cmocka_unit_test_setup_teardown(test_share, setup, teardown),
        cmocka_unit_test_setup_teardown(test_create, setup, teardown),
        cmocka_unit_test_setup_teardown(test_update, setup, teardown),
        cmocka_unit_test_setup_teardown(test_live, setup, teardown),
        cmocka_unit_test_setup_teardown(test_movement, setup, teardown),
        cmocka_unit_test_setup_teardown(test_exposure_moves_nobody, setup,
                                        teardown)
    };

    setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 1);

    return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
