/*
 * Documents as trees: what is refused, and what canonical JSON keeps.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <nxe/tree.h>


static void
test_refused(void **state)
{
    size_t              i;
    cJSON              *tree;
    nxe_status_t        status;
    nxe_json_result_t   result;

    static const struct {
        nxe_str_t         text;
        nxe_json_cause_t  cause;
        size_t            offset;
    } rows[] = {
        { nxe_str(""), NXE_JSON_MALFORMED, 0 },
        { nxe_str("{\"a\":1,}"), NXE_JSON_MALFORMED, 7 },
        { nxe_str("[1] 2"), NXE_JSON_MALFORMED, 4 },
        { nxe_str("01"), NXE_JSON_MALFORMED, 1 },
        { nxe_str("\"\xff\""), NXE_JSON_UTF8, 1 },
        { nxe_str("\xef\xbb\xbf{}"), NXE_JSON_UTF8, 0 },

        /* a second member, its key escaped, at any depth */
        { nxe_str("{\"a\":1,\"a\":2}"), NXE_JSON_DUPLICATE, 7 },
        { nxe_str("{\"a\":1,\"\\u0061\":2}"), NXE_JSON_DUPLICATE, 7 },
        { nxe_str("[{\"x\":{\"a\":1,\"b\":2,\"a\":3}}]"), NXE_JSON_DUPLICATE,
          19 },
        { nxe_str("{\"\":1,\"\":2}"), NXE_JSON_DUPLICATE, 6 },
        { nxe_str("{ \"b\" : 1 , \"a\" : 1 , \"b\" : 1 , \"a\" : 2 }"),
          NXE_JSON_DUPLICATE, 22 },

        /* what cJSON would cut or refuse without a place */
        { nxe_str("[\"a\\u0000b\"]"), NXE_JSON_MALFORMED, 3 },
        { nxe_str("{\"a\\u0000b\":1}"), NXE_JSON_MALFORMED, 3 },
        { nxe_str("[\"\\\\\\u0000\"]"), NXE_JSON_MALFORMED, 4 },
        { nxe_str("[\"\\ud800\"]"), NXE_JSON_MALFORMED, 2 },
        { nxe_str("[\"\\udc00\"]"), NXE_JSON_MALFORMED, 2 },
        { nxe_str("[\"\\ud800\\u0041\"]"), NXE_JSON_MALFORMED, 2 },
        { nxe_str("[\"\\ud800\\ud800\\udc00\"]"), NXE_JSON_MALFORMED, 2 },
        { nxe_str("[0.1234567890123456789012345678901234567890"
                  "123456789012345678901234]"), NXE_JSON_MALFORMED, 1 },
    };

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        status = nxe_tree_parse(rows[i].text, &tree, &result);

        if (status != NXE_INVALID || result.cause != rows[i].cause
            || result.offset != rows[i].offset || result.expected == NULL)
        {
            fail_msg("%.*s: %d, %d at %zu", (int) rows[i].text.len,
                     rows[i].text.data, status, result.cause, result.offset);
        }
    }
}


static void
test_canonical(void **state)
{
    size_t              i;
    cJSON              *tree;
    nxe_buf_t           out;
    nxe_json_result_t   result;

    static const char  *rows[][2] = {
        { " { } ", "{}" },
        { "[ ]", "[]" },
        { "null", "null" },
        { "[true,false , null]", "[true,false,null]" },
        { "{\"b\":1,\"a\":2,\"B\":3,\"aa\":4,\"\":5}",
          "{\"\":5,\"B\":3,\"a\":2,\"aa\":4,\"b\":1}" },
        { "{\"\xc3\xa9\":1,\"z\":2}", "{\"z\":2,\"\xc3\xa9\":1}" },

        /* numbers as they are spelled */
        { "[0.10, 1.0, 1e0, 1E+2, -0, 9007199254740993, 1e400]",
          "[0.10,1.0,1e0,1E+2,-0,9007199254740993,1e400]" },
        { "9007199254740993", "9007199254740993" },
        { "{\"a\":[{\"b\":0.30}]}", "{\"a\":[{\"b\":0.30}]}" },

        /* strings in their shortest form */
        { "\"\\u0061\\/\\u00e9\\ud83d\\ude00\"",
          "\"a/\xc3\xa9\xf0\x9f\x98\x80\"" },
        { "\"\\\"\\\\\\n\\u0001\"", "\"\\\"\\\\\\n\\u0001\"" },
    };

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        nxe_buf_init(&out, 1024);

        assert_int_equal(nxe_tree_parse(nxe_str_of(rows[i][0]), &tree,
                                        &result),
                         NXE_OK);
        assert_int_equal(nxe_tree_canonical(tree, &out), NXE_OK);
        nxe_buf_addc(&out, '\0');
        assert_string_equal(out.data, rows[i][1]);

        cJSON_Delete(tree);
        nxe_buf_free(&out);
    }
}


/* Our limit of nesting is below cJSON's. */

static void
test_deep(void **state)
{
    char                text[2 * (NXE_JSON_DEPTH + 1)];
    cJSON              *tree;
    nxe_str_t           s;
    nxe_buf_t           out;
    nxe_json_result_t   result;

    (void) state;

    memset(text, '[', NXE_JSON_DEPTH);
    memset(text + NXE_JSON_DEPTH, ']', NXE_JSON_DEPTH);
    s.data = text;
    s.len = 2 * NXE_JSON_DEPTH;

    nxe_buf_init(&out, sizeof(text));
    assert_int_equal(nxe_tree_parse(s, &tree, &result), NXE_OK);
    assert_int_equal(nxe_tree_canonical(tree, &out), NXE_OK);
    assert_true(nxe_str_eq(nxe_buf_str(&out), s));
    cJSON_Delete(tree);
    nxe_buf_free(&out);

    memset(text, '[', NXE_JSON_DEPTH + 1);
    memset(text + NXE_JSON_DEPTH + 1, ']', NXE_JSON_DEPTH + 1);
    s.len = sizeof(text);

    assert_int_equal(nxe_tree_parse(s, &tree, &result), NXE_INVALID);
    assert_int_equal(result.cause, NXE_JSON_DEEP);
}


/* The text need not end with a zero byte. */

static void
test_bounds(void **state)
{
    size_t              i;
    char               *text;
    cJSON              *tree;
    nxe_json_result_t   result;

    static const char  *rows[] = { "12", "1.5e3", "true", "\"a\"", "[1]" };

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        text = malloc(strlen(rows[i]));
        memcpy(text, rows[i], strlen(rows[i]));

        assert_int_equal(nxe_tree_parse((nxe_str_t) { text, strlen(rows[i]) },
                                        &tree, &result),
                         NXE_OK);
        cJSON_Delete(tree);
        free(text);
    }
}


static void
test_get(void **state)
{
    cJSON              *tree;
    nxe_json_result_t   result;

    (void) state;

    assert_int_equal(nxe_tree_parse(nxe_str("{\"Name\":1,\"a\":[2]}"), &tree,
                                    &result),
                     NXE_OK);
    assert_null(nxe_tree_get(tree, "name"));
    assert_non_null(nxe_tree_get(tree, "Name"));
    assert_string_equal(nxe_tree_get(tree, "Name")->valuestring, "1");
    assert_null(nxe_tree_get(nxe_tree_get(tree, "a"), "0"));
    assert_null(nxe_tree_get(NULL, "a"));

    cJSON_Delete(tree);
}


/* A number that was not parsed has no spelling. */

static void
test_made(void **state)
{
    cJSON      *tree;
    nxe_buf_t   out;

    (void) state;

    tree = cJSON_CreateArray();
    cJSON_AddItemToArray(tree, cJSON_CreateNumber(0.5));
    cJSON_AddItemToArray(tree, cJSON_CreateNumber(7));

    nxe_buf_init(&out, 64);
    assert_int_equal(nxe_tree_canonical(tree, &out), NXE_OK);
    assert_true(nxe_str_eq(nxe_buf_str(&out), nxe_str("[0.5,7]")));

    nxe_buf_free(&out);
    nxe_buf_init(&out, 4);
    assert_int_equal(nxe_tree_canonical(tree, &out), NXE_INVALID);

    nxe_buf_free(&out);
    cJSON_Delete(tree);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_canonical),
        cmocka_unit_test(test_deep),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_made),
    };

    setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 1);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
