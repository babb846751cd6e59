/*
 * What the endpoints read of a document, from the file that a user wrote and
 * from the form that is published: the same.
 */

#include <nxe/doc.h>

#include "unit.h"


/* Documents are written with ' for ", which none of them needs. */

#define K(keys)      "{'name':'t','unit':'header:X-User'," keys               \
                     ",'variants':[{'name':'a'},{'name':'b'}]}"
#define M(members)   "{'name':" members ",'direction':'up'}"


static cJSON *
parse(const char *text)
{
    char               *copy, *p;
    cJSON              *tree;
    nxe_json_result_t   result;

    copy = strdup(text);

    for (p = copy; *p != '\0'; p++) {
        if (*p == '\'') {
            *p = '"';
        }
    }

    if (nxe_tree_parse(nxe_str_of(copy), &tree, &result) != NXE_OK) {
        fail_msg("%s: %zu", copy, result.offset);
    }

    free(copy);

    return tree;
}


static nxe_doc_t *
build(const cJSON *tree, nxe_doc_form_t form, nxe_arena_t *arena)
{
    nxe_doc_t     *doc;
    nxe_faults_t   faults;

    nxe_faults_init(&faults, nxe_arena_mem(arena));

    if (nxe_doc_build(tree, form, nxe_str(""), nxe_arena_mem(arena), &faults,
                      &doc)
        != NXE_OK)
    {
        fail_msg("%s: %s", faults.fault[0].pointer, faults.fault[0].expected);
    }

    return doc;
}


/* Builds text in both forms; check() has to find the same in each. */

static void
both(const char *text, const char *published, void (*check)(nxe_doc_t *doc))
{
    cJSON              *tree, *serving;
    nxe_buf_t           json, bytes;
    nxe_arena_t        *arena;
    nxe_json_result_t   result;

    arena = nxe_arena_new();
    nxe_buf_init(&json, 1 << 20);
    nxe_buf_init(&bytes, 1 << 20);

    tree = parse(text);
    check(build(tree, NXE_DOC_FULL, arena));

    assert_int_equal(nxe_doc_serving(tree, &json, &bytes), NXE_OK);
    assert_int_equal(nxe_tree_parse(nxe_buf_str(&json), &serving, &result),
                     NXE_OK);
    check(build(serving, NXE_DOC_SERVING, arena));

    cJSON_Delete(tree);
    tree = parse(published);

    if (!cJSON_Compare(tree, serving, 1)) {
        fail_msg("%.*s", (int) json.len, json.data);
    }

    cJSON_Delete(tree);
    cJSON_Delete(serving);
    nxe_buf_free(&json);
    nxe_buf_free(&bytes);
    nxe_arena_free(arena);
}


static void
check_metric(const nxe_doc_t *doc, const char *name, nxe_metric_kind_t kind,
    const char *min, const char *max)
{
    const nxe_metric_t  *m;

    m = nxe_doc_metric(doc, nxe_str_of(name));

    assert_non_null(m);
    assert_int_equal(m->kind, kind);
    assert_true(nxe_str_eq(m->min, nxe_str_of(min)));
    assert_true(nxe_str_eq(m->max, nxe_str_of(max)));
}


static void
check_metrics(nxe_doc_t *doc)
{
    assert_int_equal(doc->nmetrics, 5);
    check_metric(doc, "resolved", NXE_METRIC_BINARY, "", "");
    check_metric(doc, "rating", NXE_METRIC_MEAN, "1.0", "5e0");
    check_metric(doc, "edits", NXE_METRIC_COUNT, "", "9007199254740993");
    check_metric(doc, "reading", NXE_METRIC_DURATION, "-0", "");
    check_metric(doc, "share", NXE_METRIC_RATIO, "", "");

    assert_null(nxe_doc_metric(doc, nxe_str("cost")));
    assert_null(nxe_doc_metric(doc, nxe_str("tokens")));
    assert_null(nxe_doc_metric(doc, nxe_str("Resolved")));
    assert_null(nxe_doc_metric(doc, nxe_str("")));
}


/* Not what the edge measures, nor what is read from a field of the log. */

static void
test_metrics(void **state)
{
    (void) state;

    both(K("'metrics':{'primary':{'name':'resolved','kind':'binary',"
           "'direction':'up','mde':0.05,'outcome_window':'24h',"
           "'missing':'zero'},"
           "'guardrails':[{'metric':'cost','limit':{'max':1}}],"
           "'secondary':['output_tokens.mean',"
           M("'rating','kind':'mean','min':1.0,'max':5e0") ","
           M("'cost','kind':'mean'") ","
           M("'ttft_ms.p95','kind':'duration'") ","
           M("'tokens','kind':'count','from':'output_tokens'") ","
           M("'edits','kind':'count','max':9007199254740993") ","
           M("'reading','kind':'duration','min':-0") ","
           M("'share','kind':'ratio'") "]}"),
         K("'metrics':{'primary':{'name':'resolved','kind':'binary'},"
           "'secondary':[{'name':'rating','kind':'mean','min':1.0,"
           "'max':5e0},"
           "{'name':'edits','kind':'count','max':9007199254740993},"
           "{'name':'reading','kind':'duration','min':-0},"
           "{'name':'share','kind':'ratio'}]}"),
         check_metrics);
}


static void
check_none(nxe_doc_t *doc)
{
    assert_int_equal(doc->nmetrics, 0);
    assert_null(nxe_doc_metric(doc, nxe_str("cost")));
    assert_int_equal(doc->ofrep_members, 0);
    assert_int_equal(doc->ofrep_exposure, 0);
}


static void
test_none(void **state)
{
    (void) state;

    both(K("'risk':'low'"), K("'risk':'low'"), check_none);
    both(K("'metrics':{'primary':" M("'cost','kind':'mean'")
           ",'secondary':['response_ms.p95']}"),
         "{'name':'t','unit':'header:X-User',"
         "'variants':[{'name':'a'},{'name':'b'}]}", check_none);
    both(K("'ofrep':{}"), K("'ofrep':{}"), check_none);
}


static void
check_ofrep(nxe_doc_t *doc)
{
    assert_int_equal(doc->ofrep_members,
                     1 << NXE_SYSTEM | 1 << NXE_VERBOSITY);
    assert_int_equal(doc->ofrep_exposure, 1);
}


static void
test_ofrep(void **state)
{
    (void) state;

    both(K("'ofrep':{'members':['system','verbosity'],'exposure':true}"),
         K("'ofrep':{'members':['system','verbosity'],'exposure':true}"),
         check_ofrep);
}


static void
test_measured(void **state)
{
    (void) state;

    assert_true(nxe_metric_measured(nxe_str("cost")));
    assert_true(nxe_metric_measured(nxe_str("cost.unit")));
    assert_true(nxe_metric_measured(nxe_str("requests.total")));
    assert_false(nxe_metric_measured(nxe_str("cost.unit.unit")));
    assert_false(nxe_metric_measured(nxe_str("cost.")));
    assert_false(nxe_metric_measured(nxe_str(".unit")));
    assert_false(nxe_metric_measured(nxe_str("costs")));
    assert_false(nxe_metric_measured(nxe_str("")));
}


/* A worker believes nothing: what is published is checked again. */

static void
test_hostile(void **state)
{
    size_t         i;
    cJSON         *tree;
    nxe_doc_t     *doc;
    nxe_arena_t   *arena;
    nxe_faults_t   faults;

    static const struct {
        const char  *text;
        const char  *pointer;
    } rows[] = {
        { K("'metrics':{'primary':{'name':'r'}}"), "/metrics/primary/kind" },
        { K("'metrics':{'primary':{'kind':'mean'}}"),
          "/metrics/primary/name" },
        { K("'metrics':{'primary':{'name':'r','kind':'rate'}}"),
          "/metrics/primary/kind" },
        { K("'metrics':{'primary':{'name':'r\\n','kind':'mean'}}"),
          "/metrics/primary/name" },
        { K("'metrics':{'primary':{'name':'r','kind':'mean','min':'1'}}"),
          "/metrics/primary/min" },
        { K("'metrics':{'primary':{'name':'r','kind':'mean','mde':1}}"),
          "/metrics/primary/mde" },
        { K("'metrics':{'secondary':[{'name':'r','kind':'mean'},"
            "{'name':'r','kind':'count'}]}"), "/metrics/secondary/1/name" },
        { K("'metrics':{'primary':{'name':'r','kind':'mean'},"
            "'secondary':[{'name':'r','kind':'mean'}]}"),
          "/metrics/secondary/0/name" },
        { K("'metrics':[]"), "/metrics" },
        { K("'metrics':{'guardrails':[]}"), "/metrics/guardrails" },
        { K("'ofrep':{'members':['tone']}"), "/ofrep/members/0" },
        { K("'ofrep':{'members':'system'}"), "/ofrep/members" },
        { K("'ofrep':1"), "/ofrep" },
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        arena = nxe_arena_new();
        nxe_faults_init(&faults, nxe_arena_mem(arena));
        tree = parse(rows[i].text);

        if (nxe_doc_build(tree, NXE_DOC_SERVING, nxe_str(""),
                          nxe_arena_mem(arena), &faults, &doc)
            != NXE_INVALID)
        {
            fail_msg("%s: not refused", rows[i].text);
        }

        assert_string_equal(faults.fault[0].pointer, rows[i].pointer);

        cJSON_Delete(tree);
        nxe_arena_free(arena);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_metrics),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_ofrep),
        cmocka_unit_test(test_measured),
        cmocka_unit_test(test_hostile),
    };

    return unit_main(tests);
}
