/*
 * The scan, whole and in segments; pointers; strings; the walk.
 */

#include "unit.h"


#define D256  "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["   \
              "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["   \
              "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["   \
              "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["   \
              "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["   \
              "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["   \
              "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["   \
              "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["

#define ROW(text)  { text, sizeof(text) - 1 }


typedef struct {
    nxe_str_t           in;
    nxe_json_cause_t    cause;
    size_t              offset;     /* where it is refused */
    const char         *expected;   /* how it begins; NULL: any */
    const char         *why;
} scan_row_t;

/* Targets: /model, /a/b, /messages/0/role, /0. */

static const scan_row_t  scan_rows[] = {

    /* what is right */

    { ROW("{}"), NXE_JSON_OK, 0, NULL, "the least" },
    { ROW(" \t\r\n{ } \n"), NXE_JSON_OK, 0, NULL, "white space around" },
    { ROW("{\"a\":[0,-0,1.5e+10,-1E-2,0.0,true,false,null,\"\",{},[]]}"),
      NXE_JSON_OK, 0, NULL, "a value of each form" },
    { ROW("{\"a\" : { \"c\" : 1 } , \"d\" : [ 1 , 2 ] }"), NXE_JSON_OK, 0,
      NULL, "white space everywhere" },
    { ROW("{\"\\u0061\\\"\\\\\\/\\b\\f\\n\\r\\t\\u12aF\":1}"), NXE_JSON_OK,
      0, NULL, "all escapes" },
    { ROW("{\"x\":\"\\ud83d\\ude00 \\ud800 \\udc00\"}"), NXE_JSON_OK, 0,
      NULL, "lone surrogates are syntax" },
    { ROW("{\"\\ud800\":1,\"\\u0001\":2}"), NXE_JSON_OK, 0, NULL,
      "and in keys, as escaped controls" },
    { ROW("{\"x\":1e99999}"), NXE_JSON_OK, 0, NULL, "beyond a double" },
    { ROW("{\"x\":1,\"x\":2,\"y\":{\"z\":1,\"z\":1}}"), NXE_JSON_OK, 0, NULL,
      "no target: twice is not looked for" },
    { ROW("{\"MODEL\":1,\"Model\":2,\"model\":3}"), NXE_JSON_OK, 0, NULL,
      "names are case-sensitive" },
    { ROW("{\"c\":{\"model\":1},\"model\":2,\"d\":[{\"model\":3}]}"),
      NXE_JSON_OK, 0, NULL, "the same name on other levels" },
    { ROW("{\"x\":\"\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80"
          "\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\xef\xbb\xbf\"}"),
      NXE_JSON_OK, 0, NULL, "the ends of the ranges of UTF-8" },
    { ROW("{\"x\":\"01234567890123456789\xc3\xa9" "01234567\\\\0123456\"}"),
      NXE_JSON_OK, 0, NULL, "more than eight bytes at a time" },

    /* malformed */

    { ROW(""), NXE_JSON_MALFORMED, 0, "a value", "nothing" },
    { ROW("  \n"), NXE_JSON_MALFORMED, 3, "a value", "white space alone" },
    { ROW("{} x"), NXE_JSON_MALFORMED, 3, "the end", "text behind" },
    { ROW("{}{}"), NXE_JSON_MALFORMED, 2, "the end", "another behind" },
    { ROW("{\"a\":01}"), NXE_JSON_MALFORMED, 6, "\",\"", "01" },
    { ROW("{\"a\":-01}"), NXE_JSON_MALFORMED, 7, "\",\"", "-01" },
    { ROW("{\"a\":-}"), NXE_JSON_MALFORMED, 6, "a digit", "a sign alone" },
    { ROW("{\"a\":+1}"), NXE_JSON_MALFORMED, 5, "a value", "a plus" },
    { ROW("{\"a\":.5}"), NXE_JSON_MALFORMED, 5, "a value", ".5" },
    { ROW("{\"a\":1.}"), NXE_JSON_MALFORMED, 7, "a digit", "1." },
    { ROW("{\"a\":1e}"), NXE_JSON_MALFORMED, 7, "a digit", "1e" },
    { ROW("{\"a\":1e+}"), NXE_JSON_MALFORMED, 8, "a digit", "1e+" },
    { ROW("{\"a\":0x1}"), NXE_JSON_MALFORMED, 6, "\",\"", "hex" },
    { ROW("{\"a\":NaN}"), NXE_JSON_MALFORMED, 5, "a value", "NaN" },
    { ROW("{\"a\":Infinity}"), NXE_JSON_MALFORMED, 5, "a value",
      "Infinity" },
    { ROW("{\"a\":nul}"), NXE_JSON_MALFORMED, 8, "true", "nul" },
    { ROW("{\"a\":True}"), NXE_JSON_MALFORMED, 5, "a value", "True" },
    { ROW("{\"a\":truer}"), NXE_JSON_MALFORMED, 9, "\",\"", "truer" },
    { ROW("{\"a\":fals"), NXE_JSON_MALFORMED, 9, "true", "cut in a word" },
    { ROW("{\"a\":\"x\ny\"}"), NXE_JSON_MALFORMED, 7, "an escape",
      "a raw line feed in a string" },
    { ROW("{\"a\":\"x\x1fy\"}"), NXE_JSON_MALFORMED, 7, "an escape",
      "the last raw control" },
    { ROW("{\"a\":\"01234567\t1234567\"}"), NXE_JSON_MALFORMED, 14,
      "an escape", "one among eight bytes" },
    { ROW("{\"a\ta\":1}"), NXE_JSON_MALFORMED, 3, "an escape",
      "one in a key" },
    { ROW("{\"a\":\"\\x\"}"), NXE_JSON_MALFORMED, 7, "one of", "\\x" },
    { ROW("{\"a\":\"\\u12g4\"}"), NXE_JSON_MALFORMED, 10, "four hex",
      "no hex digit" },
    { ROW("{\"a\":\"\\u12:4\"}"), NXE_JSON_MALFORMED, 10, "four hex",
      "the neighbour of a digit" },
    { ROW("{\"a\":\"\\u12\x1a" "4\"}"), NXE_JSON_MALFORMED, 10, "four hex",
      "a control that a case fold makes a digit" },
    { ROW("{\"a\":\"\\u12"), NXE_JSON_MALFORMED, 10, "four hex",
      "cut in an escape" },
    { ROW("{\"a\":\"\\"), NXE_JSON_MALFORMED, 7, "an escape",
      "cut behind a backslash" },
    { ROW("{\"a\":\"b"), NXE_JSON_MALFORMED, 7, "the end of the string",
      "cut in a string" },
    { ROW("{\"a\":\"b\\\"}"), NXE_JSON_MALFORMED, 10,
      "the end of the string", "the quote is escaped" },
    { ROW("{\"a\""), NXE_JSON_MALFORMED, 4, "\":\"", "cut behind a key" },
    { ROW("{\"a\":"), NXE_JSON_MALFORMED, 5, "a value",
      "cut behind a colon" },
    { ROW("{\"a\":1"), NXE_JSON_MALFORMED, 6, "\",\" or \"}\"",
      "cut behind a value" },
    { ROW("{\"a\":1,"), NXE_JSON_MALFORMED, 7, "a member",
      "cut behind a comma" },
    { ROW("{"), NXE_JSON_MALFORMED, 1, "a member or \"}\"", "cut at once" },
    { ROW("{\"a\":["), NXE_JSON_MALFORMED, 6, "a value or \"]\"",
      "cut in an array" },
    { ROW("{\"a\":1,}"), NXE_JSON_MALFORMED, 7, "a member name",
      "a comma too many" },
    { ROW("{,\"a\":1}"), NXE_JSON_MALFORMED, 1, "a member name",
      "a comma in front" },
    { ROW("{\"a\":[1,]}"), NXE_JSON_MALFORMED, 8, "a value",
      "a comma too many in an array" },
    { ROW("{\"a\":[1 2]}"), NXE_JSON_MALFORMED, 8, "\",\" or \"]\"",
      "no comma" },
    { ROW("{\"a\":1]"), NXE_JSON_MALFORMED, 6, "\",\" or \"}\"",
      "another bracket" },
    { ROW("{\"a\":[1}"), NXE_JSON_MALFORMED, 7, "\",\" or \"]\"",
      "and the other way round" },
    { ROW("{a:1}"), NXE_JSON_MALFORMED, 1, "a member name", "no quotes" },
    { ROW("{'a':1}"), NXE_JSON_MALFORMED, 1, "a member name",
      "other quotes" },
    { ROW("{\"a\" 1}"), NXE_JSON_MALFORMED, 5, "\":\"", "no colon" },
    { ROW("{1:1}"), NXE_JSON_MALFORMED, 1, "a member name",
      "a number as a name" },
    { ROW("{\"a\":1}//"), NXE_JSON_MALFORMED, 7, "the end", "a comment" },
    { ROW("{\f}"), NXE_JSON_MALFORMED, 1, "a member name",
      "a form feed is no white space" },
    { ROW("{\"a\":\xc3\xa9}"), NXE_JSON_MALFORMED, 5, "a value",
      "valid UTF-8 outside a string" },
    { ROW("{}\xc2\xa0"), NXE_JSON_MALFORMED, 2, "the end",
      "a no-break space behind" },
    { ROW("{}\xef\xbb\xbf"), NXE_JSON_MALFORMED, 2, "the end",
      "U+FEFF behind is no byte order mark" },
    { ROW("\xef\xac\x81"), NXE_JSON_MALFORMED, 0, "a value",
      "another character of the same first byte in front" },

    /* utf8 */

    { ROW("\xef\xbb\xbf{}"), NXE_JSON_UTF8, 0, "UTF-8 without",
      "a byte order mark" },
    { ROW("{\"a\":\"\0\"}"), NXE_JSON_UTF8, 6, NULL,
      "a zero byte in a string" },
    { ROW("{}\0"), NXE_JSON_UTF8, 2, NULL, "a zero byte behind" },
    { ROW("\xff\xfe{\0}\0"), NXE_JSON_UTF8, 0, NULL, "UTF-16LE, marked" },
    { ROW("{\0}\0"), NXE_JSON_UTF8, 1, NULL, "UTF-16LE" },
    { ROW("\0{\0}"), NXE_JSON_UTF8, 0, NULL, "UTF-16BE" },
    { ROW("\0\0\0{\0\0\0}"), NXE_JSON_UTF8, 0, NULL, "UTF-32BE" },
    { ROW("{\"a\":\"\x80\"}"), NXE_JSON_UTF8, 6, NULL, "no first byte" },
    { ROW("{\"a\":\"\xc0\xaf\"}"), NXE_JSON_UTF8, 6, NULL,
      "an overlong slash" },
    { ROW("{\"a\":\"\xc1\xbf\"}"), NXE_JSON_UTF8, 6, NULL,
      "overlong, two bytes" },
    { ROW("{\"a\":\"\xe0\x9f\xbf\"}"), NXE_JSON_UTF8, 7, NULL,
      "overlong, three" },
    { ROW("{\"a\":\"\xf0\x8f\xbf\xbf\"}"), NXE_JSON_UTF8, 7, NULL,
      "overlong, four" },
    { ROW("{\"a\":\"\xed\xa0\x80\"}"), NXE_JSON_UTF8, 7, NULL,
      "a surrogate" },
    { ROW("{\"a\":\"\xf4\x90\x80\x80\"}"), NXE_JSON_UTF8, 7, NULL,
      "above U+10FFFF" },
    { ROW("{\"a\":\"\xf5\x80\x80\x80\"}"), NXE_JSON_UTF8, 6, NULL,
      "further above" },
    { ROW("{\"a\":\"\xff\"}"), NXE_JSON_UTF8, 6, NULL, "no byte of UTF-8" },
    { ROW("{\"a\":\"\xc3\"}"), NXE_JSON_UTF8, 7, NULL,
      "cut by the quote" },
    { ROW("{\"a\":\"\xe2\x82"), NXE_JSON_UTF8, 8, NULL,
      "cut by the end" },
    { ROW("{\"a\":\"\xf0\x9f\x98" "a\"}"), NXE_JSON_UTF8, 9, NULL,
      "cut by a letter" },
    { ROW("{\"\xff\":1}"), NXE_JSON_UTF8, 2, NULL, "in a key" },
    { ROW("{\"a\":\xff}"), NXE_JSON_UTF8, 5, NULL, "outside a string" },

    /* root */

    { ROW("[]"), NXE_JSON_ROOT, 0, "an object", "an array" },
    { ROW(" \"x\""), NXE_JSON_ROOT, 1, "an object", "a string" },
    { ROW("null"), NXE_JSON_ROOT, 0, "an object", "null" },
    { ROW("-1"), NXE_JSON_ROOT, 0, "an object", "a number" },
    { ROW("[{}"), NXE_JSON_MALFORMED, 3, "\",\" or \"]\"",
      "malformed counts before root" },
    { ROW("[\"\xff\"]"), NXE_JSON_UTF8, 2, NULL, "utf8 does too" },

    /* depth */

    { ROW(D256 D256 "1"), NXE_JSON_MALFORMED, 513, "\",\" or \"]\"",
      "512 levels are read" },
    { ROW(D256 D256 "[1"), NXE_JSON_DEEP, 512, "at most 512 levels",
      "513 are not" },

    /* duplicate */

    { ROW("{\"model\":1,\"x\":2,\"model\":3}"), NXE_JSON_DUPLICATE, 17,
      "each member once", "a target twice" },
    { ROW("{\"model\":1,\"\\u006dodel\":3}"), NXE_JSON_DUPLICATE, 11,
      "each member once", "the second one escaped" },
    { ROW("{\"\\u006dodel\":1,\"model\":3}"), NXE_JSON_DUPLICATE, 16,
      "each member once", "the first one escaped" },
    { ROW("{\"a\":{\"b\":1,\"b\":1}}"), NXE_JSON_DUPLICATE, 12,
      "each member once", "below" },
    { ROW("{\"a\":1,\"a\":{\"b\":2}}"), NXE_JSON_DUPLICATE, 7,
      "each member once", "what leads to a target" },
    { ROW("{\"messages\":[{\"role\":1,\"role\":2}]}"), NXE_JSON_DUPLICATE, 23,
      "each member once", "in an element" },
    { ROW("{\"messages\":[{},{\"role\":1,\"role\":2}]}"), NXE_JSON_OK, 0,
      NULL, "not in another element" },
    { ROW("{\"model\":1,\"model\":2"), NXE_JSON_MALFORMED, 20, NULL,
      "malformed counts before duplicate" },
    { ROW("{\"model\":1,\"model\":2,\"model\":3}"), NXE_JSON_DUPLICATE, 11,
      NULL, "the first one is named" },
};


static void
targets(nxe_json_node_t *root, nxe_json_node_t *node[4])
{
    size_t  i;

    static const char *const  pointers[] = {
        "/model", "/a/b", "/messages/0/role", "/0"
    };

    memset(root, 0, sizeof(*root));
    root->index = NXE_JSON_NO_INDEX;

    for (i = 0; i < 4; i++) {
        assert_int_equal(nxe_json_target(root, nxe_str_of(pointers[i]),
                                         unit_mem, &node[i]), NXE_OK);
        nxe_json_edit(node[i]);
    }
}


static void
test_scan(void **state)
{
    size_t             i;
    unit_cut_t         how;
    nxe_text_t         text;
    const scan_row_t  *row;
    nxe_json_node_t    root, *node[4];
    nxe_json_cause_t   cause;
    nxe_json_result_t  r;

    (void) state;

    for (i = 0; i < unit_n(scan_rows); i++) {
        row = &scan_rows[i];

        for (how = UNIT_WHOLE; how < UNIT_CUTS; how++) {
            targets(&root, node);
            text = unit_cut(row->in, how);

            memset(&r, 0xff, sizeof(r));
            cause = nxe_json_scan(&text, &root, NXE_JSON_ROOT_OBJECT, &r);
            unit_cut_free(&text);

            unit_row(cause == row->cause && r.cause == cause, row->why);
            unit_row(r.offset == (cause == NXE_JSON_OK ? row->in.len
                                                       : row->offset),
                     row->why);
            unit_row((r.expected == NULL) == (cause == NXE_JSON_OK),
                     row->why);
            unit_row(row->expected == NULL
                     || strncmp(r.expected, row->expected,
                                strlen(row->expected)) == 0, row->why);
        }

        /* without targets, what is not valid is not valid */

        text.segs = &row->in;
        text.n = 1;
        cause = nxe_json_scan(&text, NULL, 0, &r);

        unit_row(cause == (row->cause == NXE_JSON_ROOT
                           || row->cause == NXE_JSON_DUPLICATE
                           ? NXE_JSON_OK : row->cause), row->why);
    }

    text.segs = NULL;
    text.n = 0;
    assert_int_equal(nxe_json_scan(&text, NULL, 0, &r), NXE_JSON_MALFORMED);
}


static void
test_depth(void **state)
{
    size_t              i, n;
    char                s[4096];
    nxe_str_t           str;
    nxe_text_t          text;
    nxe_json_result_t   r;
    static const char  *open[] = { "[", "{\"\":" };
    static const char   shut[] = "]}";

    (void) state;

    for (n = 511; n <= 513; n++) {
        size_t  len = 0;

        for (i = 0; i < n; i++) {
            len += (size_t) snprintf(s + len, sizeof(s) - len, "%s",
                                     open[i % 3 == 0]);
        }

        s[len++] = '1';

        while (i-- > 0) {
            s[len++] = shut[i % 3 == 0];
        }

        str = (nxe_str_t) { s, len };
        text.segs = &str;
        text.n = 1;

        assert_int_equal(nxe_json_scan(&text, NULL, NXE_JSON_ROOT_OBJECT, &r),
                         n <= NXE_JSON_DEPTH ? NXE_JSON_OK : NXE_JSON_DEEP);
    }
}


static void
test_spans(void **state)
{
    size_t             i;
    nxe_str_t          s;
    unit_cut_t         how;
    nxe_text_t         text;
    nxe_json_node_t    root, *node;
    nxe_json_result_t  r;

    static const struct {
        const char       *in;
        const char       *pointer;
        nxe_json_type_t   type;
        const char       *key;
        const char       *value;
        int               nonempty;
        const char       *why;
    } rows[] = {
        { " {\"a\" : 1 } ", "", NXE_JSON_OBJECT, "", "{\"a\" : 1 }", 1,
          "the root" },
        { "{}", "", NXE_JSON_OBJECT, "", "{}", 0, "an empty root" },
        { "[ 1 ]", "", NXE_JSON_ARRAY, "", "[ 1 ]", 1, "an array" },
        { "{\"a\" : 1 }", "/a", NXE_JSON_NUMBER, "\"a\"", "1", 0,
          "a member" },
        { "{\"a\":1.5e3}", "/a", NXE_JSON_NUMBER, "\"a\"", "1.5e3", 0,
          "a number to its end" },
        { "-12", "", NXE_JSON_NUMBER, "", "-12", 0, "a number to the end" },
        { "{\"a\":\"x\\\"y\"}", "/a", NXE_JSON_STRING, "\"a\"",
          "\"x\\\"y\"", 0, "a string with its quotes" },
        { "{\"a\":true,\"b\":null}", "/a", NXE_JSON_BOOL, "\"a\"", "true", 0,
          "a word" },
        { "{\"a\":true,\"b\":null}", "/b", NXE_JSON_NULL, "\"b\"", "null", 0,
          "null is there" },
        { "{\"a\":{ },\"b\":[ ]}", "/a", NXE_JSON_OBJECT, "\"a\"", "{ }", 0,
          "an empty object" },
        { "{\"a\":{ },\"b\":[ ]}", "/b", NXE_JSON_ARRAY, "\"b\"", "[ ]", 0,
          "an empty array" },
        { "{\"a\":{}}", "/b", NXE_JSON_NONE, "", "", 0, "not there" },
        { "{\"\\u0061\":1}", "/a", NXE_JSON_NUMBER, "\"\\u0061\"", "1", 0,
          "an escaped name" },
        { "{\"\\u00e9\":1}", "/\xc3\xa9", NXE_JSON_NUMBER, "\"\\u00e9\"", "1",
          0, "an escaped name outside ASCII" },
        { "{\"\xc3\xa9\":1}", "/\xc3\xa9", NXE_JSON_NUMBER, "\"\xc3\xa9\"",
          "1", 0, "and as it is" },
        { "{\"\\ud83d\\ude00\":1}", "/\xf0\x9f\x98\x80", NXE_JSON_NUMBER,
          "\"\\ud83d\\ude00\"", "1", 0, "a pair of surrogates" },
        { "{\"\\ud83d\":1}", "/\xed\xa0\xbd", NXE_JSON_NONE, "", "", 0,
          "a lone one is no name" },
        { "{\"a/b\":1,\"a~b\":2}", "/a~1b", NXE_JSON_NUMBER, "\"a/b\"", "1",
          0, "~1" },
        { "{\"a/b\":1,\"a~b\":2}", "/a~0b", NXE_JSON_NUMBER, "\"a~b\"", "2",
          0, "~0" },
        { "{\"~1\":3}", "/~01", NXE_JSON_NUMBER, "\"~1\"", "3", 0,
          "~01 is ~1, not a slash" },
        { "{\"\":{\"\":7}}", "//", NXE_JSON_NUMBER, "\"\"", "7", 0,
          "empty names" },
        { "[10,[20,21],30]", "/1/1", NXE_JSON_NUMBER, "", "21", 0,
          "an element of an element" },
        { "[10,20]", "/2", NXE_JSON_NONE, "", "", 0, "beyond the end" },
        { "[10,20]", "/01", NXE_JSON_NONE, "", "", 0, "01 is no index" },
        { "[10,20]", "/-", NXE_JSON_NONE, "", "", 0, "nor is -" },
        { "{\"a\":[1]}", "/a/0", NXE_JSON_NUMBER, "", "1", 0,
          "0 as an index" },
        { "{\"a\":{\"0\":2}}", "/a/0", NXE_JSON_NUMBER, "\"0\"", "2", 0,
          "0 as a member" },
        { "{\"a\":{\"00\":2}}", "/a/0", NXE_JSON_NONE, "", "", 0,
          "00 is another member" },
        { "{\"a\":5}", "/a/0", NXE_JSON_NONE, "", "", 0, "below a number" },
        { "[[[[1,2],3],4],5]", "/0/0/0/1", NXE_JSON_NUMBER, "", "2", 0,
          "four levels" },
        { "[[],[[]],[[1]]]", "/2/0/0", NXE_JSON_NUMBER, "", "1", 0,
          "counters start anew in each array" },
        { "{\"x\":{\"a\":1},\"y\":[{\"a\":2}],\"a\":3}", "/a",
          NXE_JSON_NUMBER, "\"a\"", "3", 0, "not the ones below" },
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        for (how = UNIT_WHOLE; how < UNIT_CUTS; how++) {

            memset(&root, 0, sizeof(root));
            root.index = NXE_JSON_NO_INDEX;

            unit_row(nxe_json_target(&root, nxe_str_of(rows[i].pointer),
                                     unit_mem, &node) == NXE_OK, rows[i].why);

            text = unit_cut(nxe_str_of(rows[i].in), how);
            unit_row(nxe_json_scan(&text, &root, 0, &r) == NXE_JSON_OK,
                     rows[i].why);

            unit_row(node->type == rows[i].type, rows[i].why);
            unit_row((int) node->nonempty == rows[i].nonempty, rows[i].why);

            unit_row(nxe_text_span(&text, node->value, unit_mem, &s)
                     == NXE_OK, rows[i].why);
            unit_row(nxe_str_eq(s, nxe_str_of(rows[i].value)), rows[i].why);

            unit_row(nxe_text_span(&text, node->key, unit_mem, &s) == NXE_OK,
                     rows[i].why);
            unit_row(nxe_str_eq(s, nxe_str_of(rows[i].key)), rows[i].why);

            unit_cut_free(&text);
        }
    }
}


/*
 * Every byte at every place of a long string: what is passed many bytes at a
 * time must stop where what is passed one by one does.
 */

static void
test_every_byte(void **state)
{
    int                byte;
    char               in[52];
    size_t             at;
    nxe_str_t          s;
    nxe_text_t         text;
    nxe_json_cause_t   cause;
    nxe_json_result_t  whole, bytes;

    (void) state;

    for (at = 1; at < 50; at++) {
        for (byte = 0; byte < 256; byte++) {

            memset(in, 'a', sizeof(in));
            in[0] = '"';
            in[sizeof(in) - 1] = '"';
            in[at] = (char) byte;

            s.data = in;
            s.len = sizeof(in);

            text = unit_cut(s, UNIT_WHOLE);
            cause = nxe_json_scan(&text, NULL, 0, &whole);
            unit_cut_free(&text);

            text = unit_cut(s, UNIT_BYTES);
            (void) nxe_json_scan(&text, NULL, 0, &bytes);
            unit_cut_free(&text);

            assert_int_equal(cause, bytes.cause);
            assert_int_equal(whole.offset, bytes.offset);

            if (byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\') {
                assert_int_equal(cause, NXE_JSON_OK);

            } else {
                assert_int_not_equal(cause, NXE_JSON_OK);
            }
        }
    }
}


/* 32 levels is the deepest that a pointer can name. */

static void
test_deep_target(void **state)
{
    int                i;
    char               s[128], pointer[66];
    nxe_str_t          str;
    nxe_text_t         text;
    nxe_json_node_t    root, *node;
    nxe_json_result_t  r;

    (void) state;

    memset(s, '[', 33);
    memset(s + 33, ']', 33);
    str = (nxe_str_t) { s, 66 };

    for (i = 0; i < 33; i++) {
        memcpy(pointer + 2 * i, "/0", 2);
    }

    memset(&root, 0, sizeof(root));
    root.index = NXE_JSON_NO_INDEX;

    assert_int_equal(nxe_json_target(&root, (nxe_str_t) { pointer, 66 },
                                     unit_mem, &node), NXE_INVALID);
    assert_int_equal(nxe_json_target(&root, (nxe_str_t) { pointer, 64 },
                                     unit_mem, &node), NXE_OK);

    text.segs = &str;
    text.n = 1;

    assert_int_equal(nxe_json_scan(&text, &root, 0, &r), NXE_JSON_OK);
    assert_int_equal(node->type, NXE_JSON_ARRAY);
    assert_int_equal(node->value.start, 32);
    assert_int_equal(node->value.end, 34);
}


static void
test_pointer(void **state)
{
    size_t            i;
    char              s[NXE_JSON_TOKEN_MAX + 2];
    nxe_json_node_t   root, *a, *b;

    static const struct {
        const char    *in;
        nxe_status_t   rc;
        const char    *why;
    } rows[] = {
        { "", NXE_OK, "the whole" },
        { "/", NXE_OK, "the member with the empty name" },
        { "/a/b~0~1/0", NXE_OK, "escapes" },
        { "a", NXE_INVALID, "no slash in front" },
        { "#/a", NXE_INVALID, "a fragment" },
        { "/~2", NXE_INVALID, "~2" },
        { "/a~", NXE_INVALID, "~ at the end" },
        { "/a~/b", NXE_INVALID, "~ at the end of a token" },
        { "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/21/22/23/24"
          "/25/26/27/28/29/30/31/32", NXE_OK, "32 tokens" },
        { "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/21/22/23/24"
          "/25/26/27/28/29/30/31/32/33", NXE_INVALID, "33 tokens" },
    };

    (void) state;

    memset(&root, 0, sizeof(root));

    for (i = 0; i < unit_n(rows); i++) {
        unit_row(nxe_json_pointer_check(nxe_str_of(rows[i].in)) == rows[i].rc,
                 rows[i].why);
        unit_row(nxe_json_target(&root, nxe_str_of(rows[i].in), unit_mem, &a)
                 == rows[i].rc, rows[i].why);
    }

    assert_int_equal(nxe_json_pointer_check(nxe_null_str), NXE_OK);

    memset(s, 'x', sizeof(s));
    s[0] = '/';
    assert_int_equal(nxe_json_pointer_check((nxe_str_t)
                                            { s, sizeof(s) - 1 }), NXE_OK);
    assert_int_equal(nxe_json_pointer_check((nxe_str_t) { s, sizeof(s) }),
                     NXE_INVALID);

    /* what is there is found, also from another spelling */

    assert_int_equal(nxe_json_target(&root, nxe_str("/m/a~1"), unit_mem, &a),
                     NXE_OK);
    assert_int_equal(nxe_json_target(&root, nxe_str("/m"), unit_mem, &b),
                     NXE_OK);
    assert_ptr_equal(nxe_json_child(b, nxe_str("a/"), unit_mem), a);
    assert_int_equal(nxe_json_target(&root, nxe_str(""), unit_mem, &b),
                     NXE_OK);
    assert_ptr_equal(b, &root);
}


static void
test_unescape(void **state)
{
    size_t        i;
    nxe_str_t     in, out;
    nxe_status_t  rc;

    static const struct {
        nxe_str_t    in;
        nxe_str_t    out;           /* no data: refused */
        size_t       max;
        const char  *why;
    } rows[] = {
        { ROW("\"\""), ROW(""), 0, "empty" },
        { ROW("\"abc\""), ROW("abc"), 3, "nothing escaped" },
        { ROW("\"abc\""), { NULL, 0 }, 2, "longer than max" },
        { ROW("\"\\u0061bc\""), ROW("abc"), 3, "escaped, as long as max" },
        { ROW("\"\\u0061bcd\""), { NULL, 0 }, 3, "escaped, longer" },
        { ROW("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), ROW("\"\\/\b\f\n\r\t"), 8,
          "the short ones" },
        { ROW("\"\\u0000\""), ROW("\0"), 1, "a zero byte" },
        { ROW("\"\\u007f\\u0080\\u07FF\""), ROW("\x7f\xc2\x80\xdf\xbf"), 9,
          "one and two bytes" },
        { ROW("\"\\u0800\\ud7ff\\ue000\\uffff\""),
          ROW("\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"), 99,
          "three" },
        { ROW("\"\\ud800\\udc00\\uDBFF\\uDFFF\""),
          ROW("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"), 8, "pairs" },
        { ROW("\"\\ud800\""), { NULL, 0 }, 99, "a lone high one" },
        { ROW("\"\\udc00\""), { NULL, 0 }, 99, "a lone low one" },
        { ROW("\"\\ud800x\""), { NULL, 0 }, 99, "then a letter" },
        { ROW("\"\\ud800\\n\""), { NULL, 0 }, 99, "then an escape" },
        { ROW("\"\\ud800\\ud800\\udc00\""), { NULL, 0 }, 99,
          "high, then a pair" },
        { ROW("\"\\udc00\\ud800\""), { NULL, 0 }, 99, "the wrong order" },
        { ROW("\"\\ud800\\u0061\""), { NULL, 0 }, 99, "high, then none" },
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        /* in memory of its own: nothing is read behind the quote */
        in.data = memcpy(malloc(rows[i].in.len), rows[i].in.data,
                         rows[i].in.len);
        in.len = rows[i].in.len;

        rc = nxe_json_unescape(in, rows[i].max, unit_mem, &out);

        if (rows[i].out.data == NULL) {
            unit_row(rc == NXE_INVALID, rows[i].why);

        } else {
            unit_row(rc == NXE_OK, rows[i].why);
            unit_row(nxe_str_eq(out, rows[i].out), rows[i].why);
            unit_row(nxe_json_string_eq(in, rows[i].out), rows[i].why);
        }

        free((void *) (uintptr_t) in.data);
    }
}


static void
test_equal(void **state)
{
    size_t  i;

    static const struct {
        nxe_str_t    a;
        nxe_str_t    b;
        int          equal;
        const char  *why;
    } rows[] = {
        { ROW("\"a\""), ROW("\"a\""), 1, "the same bytes" },
        { ROW("\"a\""), ROW("\"b\""), 0, "others" },
        { ROW("\"a\""), ROW("\"\\u0061\""), 1, "escaped" },
        { ROW("\"/\""), ROW("\"\\/\""), 1, "a needless escape" },
        { ROW("\"\\n\""), ROW("\"\\u000a\""), 1, "two escapes" },
        { ROW("\"\xc3\xa9\""), ROW("\"\\u00e9\""), 1,
          "a character of two bytes, escaped" },
        { ROW("\"\\u20ac\""), ROW("\"\xe2\x82\xac\""), 1, "of three" },
        { ROW("\"\xf0\x9f\x98\x80\""), ROW("\"\\ud83d\\ude00\""), 1,
          "of four, as a pair" },
        { ROW("\"\xc3\xa9x\""), ROW("\"\\u00e9\""), 0, "longer" },
        { ROW("\"\xc3\xa9\""), ROW("\"\\u00e8\""), 0, "the last byte" },
        { ROW("\"\\u0000\""), ROW("\"\""), 0, "a zero byte is one" },
        { ROW("\"\\ud800\""), ROW("\"\\uD800\""), 0,
          "a lone surrogate equals nothing" },
        { ROW("\"\\ud800\""), ROW("\"\""), 0, "nor the end" },
        { ROW("\"\""), ROW("\"\""), 1, "empty" },
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        unit_row(nxe_json_strings_eq(rows[i].a, rows[i].b) == rows[i].equal,
                 rows[i].why);
        unit_row(nxe_json_strings_eq(rows[i].b, rows[i].a) == rows[i].equal,
                 rows[i].why);
    }

    assert_true(nxe_json_string_eq(nxe_str("\"\\u00e9\""),
                                   nxe_str("\xc3\xa9")));
    assert_false(nxe_json_string_eq(nxe_str("\"ab\""), nxe_str("a")));
    assert_false(nxe_json_string_eq(nxe_str("\"a\""), nxe_str("ab")));
    assert_false(nxe_json_string_eq(nxe_str("\"a\""), nxe_null_str));
    assert_true(nxe_json_string_eq(nxe_str("\"\""), nxe_null_str));
    assert_false(nxe_json_string_eq(nxe_str("\"\\udc00\""), nxe_null_str));
}


static void
test_utf8(void **state)
{
    size_t  i;

    static const struct {
        nxe_str_t    in;
        int          ok;
        const char  *why;
    } rows[] = {
        { { NULL, 0 }, 1, "nothing" },
        { ROW("a\0\x7f"), 1, "ASCII" },
        { ROW("\xc2\x80\xdf\xbf"), 1, "two bytes" },
        { ROW("\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"), 1,
          "three" },
        { ROW("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"), 1, "four" },
        { ROW("\x80"), 0, "no first byte" },
        { ROW("\xc1\xbf"), 0, "overlong, two" },
        { ROW("\xe0\x9f\xbf"), 0, "overlong, three" },
        { ROW("\xf0\x8f\xbf\xbf"), 0, "overlong, four" },
        { ROW("\xed\xa0\x80"), 0, "the first surrogate" },
        { ROW("\xed\xbf\xbf"), 0, "the last" },
        { ROW("\xf4\x90\x80\x80"), 0, "above U+10FFFF" },
        { ROW("\xf5\x80\x80\x80"), 0, "further above" },
        { ROW("a\xc2"), 0, "cut, two" },
        { ROW("a\xe2\x82"), 0, "cut, three" },
        { ROW("a\xf0\x9f\x98"), 0, "cut, four" },
        { ROW("\xe2\x28\xa1"), 0, "a letter for the second" },
        { ROW("\xe2\x82\x28"), 0, "and for the third" },
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        unit_row(nxe_utf8_ok(rows[i].in) == rows[i].ok, rows[i].why);
    }
}


static void
test_walk(void **state)
{
    char             out[256];
    size_t           i, n;
    nxe_json_walk_t  w;

    static const struct {
        const char  *in;
        const char  *out;
        const char  *why;
    } rows[] = {
        { "{}", "", "an empty object" },
        { "[ ]", "", "an empty array" },
        { "{\"a\":1,\"b\" : true }", "\"a\"=1;\"b\"=true;", "members" },
        { "[1,\"x\", null ]", "=1;=\"x\";=null;", "elements" },
        { "{\"a\":{\"b\":[1,2]},\"c\":[{}]} \n",
          "\"a\"={\"b\":[1,2]};\"c\"=[{}];", "only one level; white space" },
        { "[\"]\",\"\\\"}\",\"\\\\\",\",\"]",
          "=\"]\";=\"\\\"}\";=\"\\\\\";=\",\";", "punctuation in strings" },
        { "[[\"]\\\\\"],{\"}\":\"\\\"\"}]",
          "=[\"]\\\\\"];={\"}\":\"\\\"\"};", "and in strings below" },
        { "{\"a:b\":\"c:d\"}", "\"a:b\"=\"c:d\";", "colons" },
        { "[-1.5e3,0]", "=-1.5e3;=0;", "numbers" },
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        n = 0;
        out[0] = '\0';

        for (nxe_json_walk(&w, nxe_str_of(rows[i].in));
             nxe_json_walk_next(&w); )
        {
            n += (size_t) snprintf(out + n, sizeof(out) - n, "%.*s=%.*s;",
                                   (int) w.key.len,
                                   w.key.data != NULL ? w.key.data : "",
                                   (int) w.value.len, w.value.data);
        }

        unit_row(strcmp(out, rows[i].out) == 0, rows[i].why);
        unit_row(!nxe_json_walk_next(&w), rows[i].why);
    }

    nxe_json_walk(&w, nxe_str("[{},[],\"\",-1,true,false,null]"));

    static const nxe_json_type_t  types[] = {
        NXE_JSON_OBJECT, NXE_JSON_ARRAY, NXE_JSON_STRING, NXE_JSON_NUMBER,
        NXE_JSON_BOOL, NXE_JSON_BOOL, NXE_JSON_NULL
    };

    for (i = 0; nxe_json_walk_next(&w); i++) {
        assert_int_equal(w.type, types[i]);
    }

    assert_int_equal(i, unit_n(types));
}


static void
test_causes(void **state)
{
    (void) state;

    assert_string_equal(nxe_json_cause_name(NXE_JSON_OK), "");
    assert_string_equal(nxe_json_cause_name(NXE_JSON_MALFORMED), "malformed");
    assert_string_equal(nxe_json_cause_name(NXE_JSON_UTF8), "utf8");
    assert_string_equal(nxe_json_cause_name(NXE_JSON_ROOT), "root");
    assert_string_equal(nxe_json_cause_name(NXE_JSON_DEEP), "depth");
    assert_string_equal(nxe_json_cause_name(NXE_JSON_DUPLICATE),
                        "duplicate");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_scan),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_spans),
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_deep_target),
        cmocka_unit_test(test_pointer),
        cmocka_unit_test(test_unescape),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_causes),
    };

    return unit_main(tests);
}
