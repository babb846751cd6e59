/*
 * Feedback: bodies, values of metrics, and what a token binds.
 */

#include "unit.h"

#include <nxe/feedback.h>


#define HEX    "0123456789abcdef0123456789abcdef"
#define OTHER  "0123456789abcdef0123456789abcdee"


static char *
quoted(const char *s)
{
    char  *copy, *p;

    copy = strdup(s);

    for (p = copy; *p != '\0'; p++) {
        if (*p == '\'') {
            *p = '"';
        }
    }

    return copy;
}


#define I(members)  "{" members ",'metric':'m','value':1}"
#define M(members)  "{'unit':'u','metric':'m'," members "}"

static const struct {
    const char            *body;        /* ' for " */
    nxe_feedback_trust_t   trust;
    const char            *pointer;     /* NULL: taken */
    const char            *expected;
} rows[] = {

    { I("'unit':'u'"), NXE_TRUST_KEY, NULL, NULL },
    { I("'unit':'u'"), NXE_TRUST_OPEN, NULL, NULL },
    { I("'unit':-123456789012345678"), NXE_TRUST_KEY, NULL, NULL },
    { I("'unit_hash':'" HEX "'"), NXE_TRUST_KEY, NULL, NULL },
    { I("'request_id':'" HEX "','experiment':'e'"), NXE_TRUST_OPEN, NULL,
      NULL },
    { "{'metric':'m','value':false}", NXE_TRUST_TOKEN, NULL, NULL },
    { "[" I("'unit':'u','idempotency_key':'\\u00e9'") "," I("'unit':'v'") "]",
      NXE_TRUST_KEY, NULL, NULL },
    { "{'un\\u0069t':'u','metric':'\\u006d','value':1}", NXE_TRUST_KEY, NULL,
      NULL },

    /* the body */
    { "", NXE_TRUST_KEY, "", "JSON: found it malformed at byte 0" },
    { "{", NXE_TRUST_KEY, "", "malformed at byte 1" },
    { I("'unit':'u'") "x", NXE_TRUST_KEY, "", "malformed" },
    { "\xef\xbb\xbf" I("'unit':'u'"), NXE_TRUST_KEY, "", "not UTF-8" },
    { I("'unit':'\xff'"), NXE_TRUST_KEY, "", "not UTF-8" },
    { "[]", NXE_TRUST_KEY, "", "1 to 1000 items" },
    { "1", NXE_TRUST_KEY, "", "an object" },
    { "[[]]", NXE_TRUST_KEY, "/0", "an object" },
    { "[" I("'unit':'u'") ",null]", NXE_TRUST_KEY, "/1", "an object" },

    /* who */
    { "{'metric':'m','value':1}", NXE_TRUST_KEY, "",
      "one of unit unit_hash request_id" },
    { "{'metric':'m','value':1}", NXE_TRUST_OPEN, "",
      "one of unit request_id" },
    { I("'unit':'u','request_id':'" HEX "'"), NXE_TRUST_KEY, "", "one of" },
    { I("'unit_hash':'" HEX "'"), NXE_TRUST_OPEN, "/unit_hash",
      "without a key" },
    { I("'unit_hash':'" HEX "'"), NXE_TRUST_TOKEN, "/unit_hash",
      "without a key" },
    { "[" I("'unit':'u'") "]", NXE_TRUST_TOKEN, "/0/unit",
      "the token has it" },
    { I("'unit':''"), NXE_TRUST_KEY, "/unit",
      "1 to 256 bytes, or an integer" },
    { I("'unit':null"), NXE_TRUST_KEY, "/unit",
      "1 to 256 bytes, or an integer" },
    { I("'unit':1.0"), NXE_TRUST_KEY, "/unit", "at most 18 digits" },
    { I("'unit':1e3"), NXE_TRUST_KEY, "/unit", "at most 18 digits" },
    { I("'unit':1234567890123456789"), NXE_TRUST_KEY, "/unit", "18 digits" },
    { I("'unit':'\\ud800'"), NXE_TRUST_KEY, "/unit", "1 to 256 bytes" },
    { I("'unit_hash':'" "0123456789ABCDEF0123456789abcdef" "'"),
      NXE_TRUST_KEY, "/unit_hash", "in lower case" },
    { I("'request_id':'" HEX "0'"), NXE_TRUST_KEY, "/request_id",
      "32 hex digits" },
    { I("'request_id':1"), NXE_TRUST_KEY, "/request_id", "32 hex digits" },

    /* the rest */
    { "{'unit':'u','value':1}", NXE_TRUST_KEY, "/metric", "required" },
    { "{'unit':'u','metric':'m'}", NXE_TRUST_KEY, "/value", "required" },
    { I("'unit':'u','experiment':'a b'"), NXE_TRUST_KEY, "/experiment",
      "the name of an experiment" },
    { I("'unit':'u','experiment':'e\\n'"), NXE_TRUST_KEY, "/experiment",
      "the name" },
    { "{'unit':'u','metric':'','value':1}", NXE_TRUST_KEY, "/metric",
      "the name of a metric" },
    { M("'value':'1'"), NXE_TRUST_KEY, "/value", "a number" },
    { M("'value':null"), NXE_TRUST_KEY, "/value", "a number" },
    { M("'value':[1]"), NXE_TRUST_KEY, "/value", "a number" },
    { M("'value':0.00000000000000000000000000000000000000000000000000000000"
        "00000001"), NXE_TRUST_KEY, "/value", "at most 64 bytes" },
    { I("'unit':'u','idempotency_key':''"), NXE_TRUST_KEY,
      "/idempotency_key", "1 to 128 bytes" },
    { I("'unit':'u','unit':'u'"), NXE_TRUST_KEY, "/unit", "once" },
    { I("'unit':'u','u\\u006eit':'v'"), NXE_TRUST_KEY, "/unit", "once" },
    { I("'unit':'u','Metric':'m'"), NXE_TRUST_KEY, "", "no member but" },
    { "[" I("'unit':'u','variant':'b'") "]", NXE_TRUST_KEY, "/0",
      "no member but" },
};


static void
test_rows(void **state)
{
    char            *body, pointer[NXE_FEEDBACK_POINTER];
    size_t           i, len;
    nxe_status_t     rc;
    nxe_feedback_t   f;

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        body = quoted(rows[i].body);
        rc = nxe_feedback_parse(nxe_str_of(body), rows[i].trust, 0, unit_mem,
                                &f);

        if (rows[i].pointer == NULL) {
            if (rc != NXE_OK) {
                fail_msg("%s: %s", body, f.faults[0].expected);
            }

            free(body);
            continue;
        }

        if (rc != NXE_INVALID || f.nfaults == 0) {
            fail_msg("%s: not refused", body);
        }

        len = nxe_feedback_pointer(&f, &f.faults[0], pointer);
        assert_int_equal(len, strlen(pointer));

        if (strcmp(pointer, rows[i].pointer) != 0
            || strstr(f.faults[0].expected, rows[i].expected) == NULL)
        {
            fail_msg("%s: %s: %s", body, pointer, f.faults[0].expected);
        }

        free(body);
    }
}


static void
test_read(void **state)
{
    nxe_feedback_t  f;

    (void) state;

    assert_int_equal(nxe_feedback_parse(
        nxe_str(" [{\"unit\":\"a\\u0000\\u00e9\",\"metric\":\"m\","
                "\"value\":-1.50,\"experiment\":\"e\","
                "\"idempotency_key\":\"k\\\"\"},"
                "{\"request_id\":\"" HEX "\",\"metric\":\"n\","
                "\"value\":true}] "),
        NXE_TRUST_KEY, 0, unit_mem, &f), NXE_OK);

    assert_int_equal(f.n, 2);
    assert_true(nxe_str_eq(f.items[0].unit, nxe_str("a\0\xc3\xa9")));
    assert_true(nxe_str_eq(f.items[0].value, nxe_str("-1.50")));
    assert_true(nxe_str_eq(f.items[0].experiment, nxe_str("e")));
    assert_true(nxe_str_eq(f.items[0].key, nxe_str("k\"")));
    assert_null(f.items[0].request_id.data);
    assert_true(nxe_str_eq(f.items[1].request_id, nxe_str(HEX)));
    assert_int_equal(f.items[1].type, NXE_JSON_BOOL);
    assert_null(f.items[1].experiment.data);
}


/* 1,000 are taken, 1,001 are not, and of many faults twenty are told. */

static void
test_many(void **state)
{
    int              i, n;
    char            *body, *p;
    nxe_str_t        s;
    nxe_feedback_t   f;

    (void) state;

    body = malloc(NXE_FEEDBACK_BODY + 2);

    for (n = 1000; n <= 1001; n++) {
        p = body;
        *p++ = '[';

        for (i = 0; i < n; i++) {
            p += sprintf(p, "{\"unit\":%d,\"metric\":\"m\",\"value\":1},", i);
        }

        p[-1] = ']';
        s.data = body;
        s.len = p - body;

        assert_int_equal(nxe_feedback_parse(s, NXE_TRUST_KEY, 0, unit_mem,
                                            &f),
                         n == 1000 ? NXE_OK : NXE_INVALID);

        if (n == 1000) {
            assert_int_equal(f.n, 1000);
            assert_int_equal(nxe_feedback_parse(s, NXE_TRUST_TOKEN, 0,
                                                unit_mem, &f), NXE_INVALID);
            assert_int_equal(f.nfaults, 1000);
            assert_int_equal(f.faults[19].item, 19);
        }
    }

    memset(body, ' ', NXE_FEEDBACK_BODY + 1);
    body[0] = '1';
    s.len = NXE_FEEDBACK_BODY + 1;
    assert_int_equal(nxe_feedback_parse(s, NXE_TRUST_KEY, 0, unit_mem, &f),
                     NXE_INVALID);
    assert_non_null(strstr(f.faults[0].expected, "at most 1048576 bytes"));

    free(body);
}


static const struct {
    nxe_metric_kind_t   kind;
    const char         *min;
    const char         *max;
    const char         *value;
    const char         *logged;         /* NULL: refused */
    const char         *expected;
} values[] = {
    { NXE_METRIC_BINARY, "", "", "0", "0", NULL },
    { NXE_METRIC_BINARY, "", "", "-0", "0", NULL },
    { NXE_METRIC_BINARY, "", "", "1e0", "1", NULL },
    { NXE_METRIC_BINARY, "", "", "true", "1", NULL },
    { NXE_METRIC_BINARY, "", "", "false", "0", NULL },
    { NXE_METRIC_BINARY, "", "", "2", NULL, "0, 1, true or false" },
    { NXE_METRIC_BINARY, "", "", "0.99999999999999999999999", NULL, "0, 1" },
    { NXE_METRIC_BINARY, "1", "", "false", NULL, "1 or more" },

    { NXE_METRIC_COUNT, "", "", "0", "0", NULL },
    { NXE_METRIC_COUNT, "", "", "500e-1", "500e-1", NULL },
    { NXE_METRIC_COUNT, "", "", "999999999", "999999999", NULL },
    { NXE_METRIC_COUNT, "", "", "1000000000", NULL, "an integer" },
    { NXE_METRIC_COUNT, "", "", "1e400", NULL, "an integer" },
    { NXE_METRIC_COUNT, "", "", "-1", NULL, "an integer" },
    { NXE_METRIC_COUNT, "", "", "1.5", NULL, "an integer" },
    { NXE_METRIC_COUNT, "", "", "50.00000000000000001", NULL, "an integer" },
    { NXE_METRIC_COUNT, "", "", "1e-400", NULL, "an integer" },
    { NXE_METRIC_COUNT, "", "", "true", NULL, "a number" },

    { NXE_METRIC_MEAN, "", "", "-1.50", "-1.50", NULL },
    { NXE_METRIC_MEAN, "", "", "-999999999.9", "-999999999.9", NULL },
    { NXE_METRIC_MEAN, "", "", "1e9", NULL, "between -1000000000" },
    { NXE_METRIC_MEAN, "", "", "1.8e308", NULL, "between -1000000000" },
    { NXE_METRIC_MEAN, "", "", "-1e99999999999", NULL, "between -1000" },
    { NXE_METRIC_MEAN, "", "", "false", NULL, "a number" },
    { NXE_METRIC_MEAN, "1", "5", "1", "1", NULL },
    { NXE_METRIC_MEAN, "1", "5", "5.0", "5.0", NULL },
    { NXE_METRIC_MEAN, "1", "5", "5.00000000000000000001", NULL,
      "5 or less" },
    { NXE_METRIC_MEAN, "1", "5", "0.99999999999999999999", NULL,
      "1 or more" },
    { NXE_METRIC_RATIO, "", "", "0.3", "0.3", NULL },

    { NXE_METRIC_DURATION, "", "", "0.5", "0.5", NULL },
    { NXE_METRIC_DURATION, "", "", "-0", "-0", NULL },
    { NXE_METRIC_DURATION, "", "", "-0.1", NULL, "milliseconds" },
    { NXE_METRIC_DURATION, "", "", "2e308", NULL, "below 1000000000" },
    { NXE_METRIC_DURATION, "", "10", "10.1", NULL, "10 or less" },
};


static void
test_values(void **state)
{
    char            text[256];
    size_t          i;
    nxe_str_t       got;
    nxe_status_t    rc;
    nxe_metric_t    m;
    nxe_feedback_t  f;

    (void) state;

    for (i = 0; i < unit_n(values); i++) {
        sprintf(text, "{\"unit\":\"u\",\"metric\":\"m\",\"value\":%s}",
                values[i].value);
        assert_int_equal(nxe_feedback_parse(nxe_str_of(text), NXE_TRUST_KEY,
                                            0, unit_mem, &f), NXE_OK);

        m.name = nxe_str("m");
        m.kind = values[i].kind;
        m.min = nxe_str_of(values[i].min);
        m.max = nxe_str_of(values[i].max);

        rc = nxe_feedback_value(&f, 0, &m, &got);

        if (values[i].logged != NULL) {
            unit_row(rc == NXE_OK
                     && nxe_str_eq(got, nxe_str_of(values[i].logged)),
                     values[i].value);
            continue;
        }

        unit_row(rc == NXE_INVALID && f.nfaults == 1, values[i].value);
        unit_row(strcmp(f.faults[0].member, "value") == 0
                 && strstr(f.faults[0].expected, values[i].expected) != NULL,
                 values[i].value);
    }
}


static void
test_bound(void **state)
{
    size_t                i, len;
    char                  last;
    nxe_token_t           t;
    nxe_feedback_t        f;
    nxe_feedback_bound_t  in, out;

    (void) state;

    in.request_id = nxe_str(HEX);
    in.unit = nxe_str(OTHER);
    in.experiment = nxe_str("e");
    in.variant = nxe_str("v-1");
    in.phase = 3;
    in.revision = UINT64_MAX;

    assert_int_equal(nxe_feedback_pack(&in, &t), NXE_OK);
    assert_int_equal(nxe_feedback_unpack(&t, &out), NXE_OK);
    assert_true(nxe_str_eq(out.request_id, in.request_id));
    assert_true(nxe_str_eq(out.unit, in.unit));
    assert_true(nxe_str_eq(out.experiment, in.experiment));
    assert_true(nxe_str_eq(out.variant, in.variant));
    assert_int_equal(out.phase, 3);
    assert_true(out.revision == UINT64_MAX);

    len = t.len;

    for (i = 0; i < len; i++) {
        t.len = i;
        assert_int_equal(nxe_feedback_unpack(&t, &out), NXE_INVALID);
    }

    t.len = len + 1;
    t.payload[len] = 'x';
    assert_int_equal(nxe_feedback_unpack(&t, &out), NXE_INVALID);

    t.len = len;
    last = t.payload[len - 1];
    t.payload[len - 1] = '\n';
    assert_int_equal(nxe_feedback_unpack(&t, &out), NXE_INVALID);
    t.payload[len - 1] = last;
    assert_int_equal(nxe_feedback_unpack(&t, &out), NXE_OK);

    in.unit = nxe_str("u");
    assert_int_equal(nxe_feedback_pack(&in, &t), NXE_INVALID);

    assert_int_equal(nxe_feedback_parse(
        nxe_str("[{\"metric\":\"m\",\"value\":1},"
                "{\"metric\":\"m\",\"value\":1,\"experiment\":\"e\","
                "\"request_id\":\"" HEX "\"}]"),
        NXE_TRUST_TOKEN, 0, unit_mem, &f), NXE_OK);
    assert_int_equal(nxe_feedback_bound(&f, &out), NXE_OK);

    out.experiment = nxe_str("f");
    out.request_id = nxe_str(OTHER);
    assert_int_equal(nxe_feedback_bound(&f, &out), NXE_INVALID);
    assert_int_equal(f.nfaults, 2);
    assert_int_equal(f.faults[0].item, 1);
    assert_string_equal(f.faults[0].member, "experiment");
    assert_string_equal(f.faults[1].member, "request_id");
}


/* Two that differ anywhere are two, also where joined they are one text. */

static void
test_id(void **state)
{
    size_t         i, j;
    unsigned char  id[6][NXE_FEEDBACK_ID];

    static const nxe_str_t  parts[6][5] = {
        { { "w", 1 }, { "e", 1 }, { "m", 1 }, { "u", 1 }, { "k", 1 } },
        { { "we", 2 }, { "", 0 }, { "m", 1 }, { "u", 1 }, { "k", 1 } },
        { { "w", 1 }, { "em", 2 }, { "", 0 }, { "u", 1 }, { "k", 1 } },
        { { "w", 1 }, { "e", 1 }, { "mu", 2 }, { "", 0 }, { "k", 1 } },
        { { "w", 1 }, { "e", 1 }, { "m", 1 }, { "uk", 2 }, { "", 0 } },
        { { "x", 1 }, { "e", 1 }, { "m", 1 }, { "u", 1 }, { "k", 1 } },
    };

    (void) state;

    for (i = 0; i < 6; i++) {
        nxe_feedback_id(parts[i][0], parts[i][1], parts[i][2], parts[i][3],
                        parts[i][4], id[i]);

        for (j = 0; j < i; j++) {
            assert_memory_not_equal(id[i], id[j], NXE_FEEDBACK_ID);
        }
    }

    nxe_feedback_id(parts[0][0], parts[0][1], parts[0][2], parts[0][3],
                    parts[0][4], id[1]);
    assert_memory_equal(id[0], id[1], NXE_FEEDBACK_ID);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_id),
    };

    return unit_main(tests);
}
