/*
 * Log lines: what is read, what is refused and why.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <nxe/hash.h>
#include <nxe/logline.h>


#define ID    "000102030405060708090a0b0c0d0eff"
#define HEAD  "{\"kind\":\"request\",\"id\":\"" ID "\","                     \
              "\"time\":\"2026-11-20T09:00:00.123456Z\""
#define MID   HEAD ",\"status\":200"
#define UNIT  "\"unit\":\"ffeeddccbbaa99887766554433221100\""
#define ENTRY "{\"name\":\"tone\",\"phase\":1,\"revision\":7,\"stage\":\"ab\","\
              "\"variant\":\"concise\",\"exposed\":true,"                      \
              "\"reason\":\"assigned\"," UNIT ",\"p\":0.25}"

#define FED   "{\"kind\":\"feedback\",\"id\":\"" ID "\","                    \
              "\"time\":\"2026-11-20T09:00:00Z\""
#define SAID  FED ",\"experiment\":\"tone\",\"metric\":\"resolved\""

static nxe_logline_t        record;
static nxe_logline_fault_t  fault;


static nxe_status_t
read_line(const char *line)
{
    char          *copy;
    nxe_str_t      s;
    nxe_status_t   rc;

    /* exactly as long as it is, for the sanitizer */

    s.len = strlen(line);
    copy = malloc(s.len + (s.len == 0));
    assert_non_null(copy);
    memcpy(copy, line, s.len);
    s.data = copy;

    memset(&record, 0xa5, sizeof(record));
    rc = nxe_logline_read(s, &record, &fault);
    free(copy);

    return rc;
}


static void
test_whole(void **state)
{
    nxe_str_t         line;
    nxe_log_entry_t  *e;

    static const unsigned char  id[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
                                           11, 12, 13, 14, 255 };

    (void) state;

    /* DESIGN's line, with what later parts add */

    line = nxe_str(HEAD ",\"seq\":1042,\"worker\":\"edge-1/5f0c9a71\","
        "\"key_id\":\"9a3f01c2\",\"registry\":812,"
        "\"head\":\"a1b2c3d4e5f60718\",\"role\":\"live\",\"method\":\"POST\","
        "\"uri\":\"/v1/a\\\"b\",\"status\":499,\"response_ms\":812.4,"
        "\"upstream\":\"openai_pool\",\"upstream_status\":429,"
        "\"upstream_ms\":810.9,\"bytes_in\":2114,\"body\":\"edited\","
        "\"experiments\":[" ENTRY ",{\"name\":\"b\",\"reason\":\"off\","
        "\"exposed\":false}],\"gen_ai.request.model\":\"gpt-4o\","
        "\"x\":{\"a\":1,\"a\":[\"]\",{}]}}");

    assert_int_equal(nxe_logline_read(line, &record, &fault), NXE_OK);
    assert_int_equal(record.kind, NXE_LOGLINE_REQUEST);
    assert_memory_equal(record.id.bytes, id, 16);
    assert_true(record.time == INT64_C(1795165200123456));
    assert_true(nxe_str_eq(record.key_id, nxe_str("9a3f01c2")));
    assert_true(nxe_str_eq(record.role, nxe_str("live")));
    assert_int_equal(record.status, 499);
    assert_int_equal(record.aborted, 1);
    assert_int_equal(record.upstream_status, 429);
    assert_int_equal(record.response_us, 812400);
    assert_int_equal(record.nentries, 2);

    e = &record.entries[0];
    assert_true(nxe_str_eq(e->name, nxe_str("tone")));
    assert_true(nxe_str_eq(e->stage, nxe_str("ab")));
    assert_true(nxe_str_eq(e->variant, nxe_str("concise")));
    assert_true(nxe_str_eq(e->reason, nxe_str("assigned")));
    assert_int_equal(e->cls, NXE_ENTRY_ASSIGNED);
    assert_int_equal(e->phase, 1);
    assert_int_equal(e->revision, 7);
    assert_int_equal(e->exposed, 1);
    assert_true(e->p == 0.25);
    assert_int_equal(e->unit.set, 1);
    assert_int_equal(e->unit.bytes[0], 0xff);
    assert_int_equal(e->unit.bytes[15], 0);

    e = &record.entries[1];
    assert_int_equal(e->cls, NXE_ENTRY_LEFT_OUT);
    assert_int_equal(e->unit.set, 0);
    assert_int_equal(e->variant.len, 0);
}


static void
test_small(void **state)
{
    size_t  i;

    static const char *const  rows[] = {
        MID ",\"experiments\":[]}",
        "  " MID " , \"experiments\" : [ ] } \r",
        MID ",\"experiments\":[" ENTRY "],\"aborted\":true}",
        "{\"kind\":\"ofrep\",\"time\":\"2026-11-20T09:00:00Z\"}",
        "{\"kind\":\"ofrep\",\"time\":\"2026-11-20T09:00:00Z\","
            "\"value\":{},\"unit\":1,\"metric\":\"\","
            "\"experiments\":[{\"no\":\"entry of ours\"}]}",
        MID ",\"experiments\":[{\"name\":\"a\",\"reason\":\"no_unit\"}]}",
    };

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (read_line(rows[i]) != NXE_OK) {
            fail_msg("%s: %s", rows[i], fault.why);
        }
    }

    assert_int_equal(read_line(MID ",\"experiments\":[]}"), NXE_OK);
    assert_true(record.response_us == NXE_LOGLINE_UNKNOWN);
    assert_true(record.upstream_status == NXE_LOGLINE_UNKNOWN);
    assert_int_equal(record.key_id.len, 0);
    assert_int_equal(record.aborted, 0);

    assert_int_equal(read_line(rows[3]), NXE_OK);
    assert_int_equal(record.kind, NXE_LOGLINE_OTHER);
}


#define ONE(entry)  MID ",\"experiments\":[" entry "]}"

static void
test_refused(void **state)
{
    size_t  i;

    static const struct {
        const char  *line;
        const char  *why;
        int          next;      /* says which word to add */
    } rows[] = {
        { "", "an empty line", 0 },
        { "\t ", "an empty line", 0 },
        { "GET / 200", "not JSON", 0 },
        { "[]", "not a JSON object", 0 },
        { "{\"kind\":\"request\"", "not JSON", 0 },
        { "{\"kind\":\"requ\xff\"}", "not UTF-8", 0 },
        { "{\"kind\":\"a\",}", "not JSON", 0 },
        { "{\"kind\":\"a\"} {\"kind\":\"b\"}", "something beside the record",
          1 },
        { "{\"kind\":\"request\"} 0.123", "something beside the record", 1 },
        { "10.0.0.1 {\"kind\":\"request\",\"id\":1}",
          "something beside the record", 1 },
        { "{\\x22kind\\x22:\\x22request\\x22}", "escaped by nginx", 1 },
        { "{\\\"kind\\\":\\\"request\\\"}", "escaped by nginx", 1 },

        { "{}", "no kind", 0 },
        { "{\"kind\":7}", "a kind that is no word", 0 },
        { "{\"kind\":\"request\"}", "no time", 0 },
        { "{\"kind\":\"a\",\"time\":\"yesterday\"}",
          "a time that is not RFC 3339", 0 },
        { "{\"kind\":\"request\",\"time\":\"2026-11-20T09:00:00Z\"}",
          "no id", 0 },
        { HEAD ",\"experiments\":[]}", "no status", 0 },
        { MID "}", "no experiments", 0 },
        { MID ",\"experiments\":{}}", "experiments that are no list", 0 },
        { MID ",\"status\":200,\"experiments\":[]}",
          "a member that occurs twice", 0 },
        { MID ",\"zz\":1,\"zz\":2,\"experiments\":[]}",
          "a member that occurs twice", 0 },
        { MID ",\"st\\u0061tus\":500,\"experiments\":[]}",
          "a member name that is escaped", 0 },
        { HEAD ",\"status\":200.5}", "a status that is not 0 to 999", 0 },
        { HEAD ",\"status\":-1}", "a status that is not 0 to 999", 0 },
        { HEAD ",\"status\":1e2}", "a status that is not 0 to 999", 0 },
        { HEAD ",\"status\":9999999999999999999}",
          "a status that is not 0 to 999", 0 },
        { HEAD ",\"status\":1000}", "a status that is not 0 to 999", 0 },
        { HEAD ",\"status\":2000000000000}",
          "a status that is not 0 to 999", 0 },
        { HEAD ",\"upstream_status\":1000}",
          "an upstream_status that is not 0 to 999", 0 },
        { HEAD ",\"upstream_status\":\"200\"}",
          "an upstream_status that is not 0 to 999", 0 },
        { HEAD ",\"response_ms\":-0.5}", "a response_ms that is no time", 0 },
        { HEAD ",\"response_ms\":null}", "a response_ms that is no time", 0 },
        { HEAD ",\"response_ms\":1e3}", "a response_ms that is no time", 0 },
        { HEAD ",\"aborted\":1}",
          "an \"aborted\" that is neither true nor false", 0 },
        { HEAD ",\"ttft_ms\":-1}", "a ttft_ms that is no time", 0 },
        { HEAD ",\"tpot_ms\":\"1\"}", "a tpot_ms that is no time", 0 },
        { HEAD ",\"itl_max_ms\":1e400}", "an itl_max_ms that is no time", 0 },
        { HEAD ",\"gen_ai.response.model\":7}",
          "a model that is no string", 0 },
        { HEAD ",\"gen_ai.usage.input_tokens\":1.5}",
          "input tokens that are no count", 0 },
        { HEAD ",\"gen_ai.usage.output_tokens\":-1}",
          "output tokens that are no count", 0 },
        { HEAD ",\"gen_ai.usage.output_tokens\":1099511627777}",
          "output tokens that are no count", 0 },
        { HEAD ",\"gen_ai.usage.cache_read.input_tokens\":null}",
          "cached tokens that are no count", 0 },
        { HEAD ",\"tool_calls\":true}", "tool_calls that are no count", 0 },
        { HEAD ",\"empty\":0}",
          "an \"empty\" that is neither true nor false", 0 },
        { HEAD ",\"cold\":\"yes\"}",
          "a \"cold\" that is neither true nor false", 0 },
        { HEAD ",\"stream_error\":3}",
          "a stream_error that is neither true nor text", 0 },
        { HEAD ",\"unmetered\":\"A b\"}",
          "an \"unmetered\" that is no word", 0 },
        { HEAD ",\"cost\":-0.5}", "a cost that is no amount below 10^9", 0 },
        { HEAD ",\"cost\":1e400}",
          "a cost that is no amount below 10^9", 0 },
        { HEAD ",\"cost\":\"1\"}",
          "a cost that is no amount below 10^9", 0 },
        { HEAD ",\"currency\":\"usd\"}",
          "a currency that is not three capitals", 0 },
        { MID ",\"cost\":1,\"experiments\":[]}",
          "a cost without a currency", 0 },

        { SAID ",\"value\":1e400}",
          "a value that is no number within 10^9", 0 },
        { SAID ",\"value\":\"1\"}",
          "a value that is no number within 10^9", 0 },
        { SAID ",\"value\":null}",
          "a value that is no number within 10^9", 0 },
        { SAID ",\"value\":1,\"unit\":7}", "a unit that is no id", 0 },
        { SAID ",\"value\":1,\"request_id\":\"\"}",
          "a request_id that is no id", 0 },
        { SAID ",\"value\":1,\"n\":-1}", "an n that is no count", 0 },
        { SAID ",\"value\":1,\"trust\":\"KEY\"}",
          "a trust that is no word", 0 },
        { SAID ",\"value\":1,\"metric\":\"a\"}",
          "a member that occurs twice", 0 },
        { SAID "," UNIT "}", "feedback without a value", 0 },
        { SAID ",\"value\":1}", "feedback without unit and request_id", 0 },
        { FED ",\"metric\":\"a\",\"value\":1," UNIT "}",
          "feedback without experiment or metric", 0 },
        { "{\"kind\":\"feedback\",\"time\":\"2026-11-20T09:00:00Z\"}",
          "no id", 0 },

        { HEAD ",\"key_id\":\"\\u0039\"}", "a key_id that is no key's", 0 },
        { HEAD ",\"role\":\"LIVE\"}", "a role that is no word", 0 },
        { "{\"kind\":\"request\",\"id\":\"\"}", "an id that is no id", 0 },
        { "{\"kind\":\"request\",\"id\":\"a\\u0062\"}",
          "an id that is no id", 0 },

        { ONE("1"), "an experiment that is no object", 0 },
        { ONE("{}"), "an experiment without a name", 0 },
        { ONE("{\"name\":\"a\"}"), "an experiment without a reason", 0 },
        { ONE("{\"name\":\"../a\"}"), "an experiment that is no name", 0 },
        { ONE("{\"name\":\"a\\u001b[31m\"}"),
          "an experiment that is no name", 0 },
        { ONE("{\"name\":\"a\",\"name\":\"a\"}"),
          "a member that occurs twice", 0 },
        { ONE("{\"name\":\"a\",\"reason\":\"off\"},"
              "{\"name\":\"a\",\"reason\":\"off\"}"),
          "one experiment twice", 0 },
        { ONE("{\"name\":\"a\",\"reason\":\"Off\"}"),
          "a reason that is no word", 0 },
        { ONE("{\"name\":\"a\",\"reason\":\"off\",\"exposed\":true}"),
          "\"exposed\" and \"reason\" that do not agree", 0 },
        { ONE("{\"name\":\"a\",\"reason\":\"assigned\",\"exposed\":false}"),
          "\"exposed\" and \"reason\" that do not agree", 0 },
        { ONE("{\"name\":\"a\",\"reason\":\"assigned\",\"exposed\":true}"),
          "an assignment without unit, phase or variant", 0 },
        { ONE("{\"name\":\"a\",\"reason\":\"not_exposed\",\"phase\":1,"
              "\"variant\":\"c\"}"),
          "an assignment without unit, phase or variant", 0 },
        { ONE("{\"name\":\"a\",\"exposed\":\"true\"}"),
          "an \"exposed\" that is neither true nor false", 0 },
        { ONE("{\"name\":\"a\",\"variant\":\"\\\"\"}"),
          "a variant that is no name", 0 },
        { ONE("{\"name\":\"a\",\"phase\":\"1\"}"),
          "a phase that is no number", 0 },
        { ONE("{\"name\":\"a\",\"unit\":7}"), "a unit that is no id", 0 },
        { ONE("{\"name\":\"a\",\"p\":1.5}"),
          "a p that is no probability", 0 },
        { ONE("{\"name\":\"a\",\"p\":1e999}"),
          "a p that is no probability", 0 },
    };

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (read_line(rows[i].line) != NXE_INVALID) {
            fail_msg("read: %s", rows[i].line);
        }

        if (strcmp(fault.why, rows[i].why) != 0) {
            fail_msg("%s: '%s', wanted '%s'", rows[i].line, fault.why,
                     rows[i].why);
        }

        assert_int_equal(fault.next != NULL, rows[i].next);
    }
}


/* What would overflow a fixed array is refused. */

static void
test_limits(void **state)
{
    int     i, n;
    char   *line, *p;

    static const char *const  why[] = {
        "more than 256 experiments", "more than 256 members"
    };

    (void) state;

    line = malloc(NXE_LOGLINE_MAX + 64);
    assert_non_null(line);

    for (n = 256; n <= 257; n++) {
        p = line + sprintf(line, MID ",\"experiments\":[");

        for (i = 0; i < n; i++) {
            p += sprintf(p, "%s{\"name\":\"e%d\",\"reason\":\"off\"}",
                         i ? "," : "", i);
        }

        strcpy(p, "]}");
        assert_int_equal(read_line(line), n == 256 ? NXE_OK : NXE_INVALID);
        assert_true(n == 256 || strcmp(fault.why, why[0]) == 0);

        p = line + sprintf(line, MID ",\"experiments\":[]");

        for (i = 5; i < n; i++) {
            p += sprintf(p, ",\"x%d\":0", i);
        }

        strcpy(p, "}");
        assert_int_equal(read_line(line), n == 256 ? NXE_OK : NXE_INVALID);
        assert_true(n == 256 || strcmp(fault.why, why[1]) == 0);
    }

    memset(line, ' ', NXE_LOGLINE_MAX + 1);
    line[NXE_LOGLINE_MAX + 1] = '\0';
    assert_int_equal(read_line(line), NXE_INVALID);
    assert_string_equal(fault.why, "longer than 1 MB");

    free(line);
}


static void
test_ms(void **state)
{
    size_t   i;
    int64_t  us;

    static const struct {
        const char  *text;
        int64_t      us;
    } rows[] = {
        { "0", 0 }, { "0.001", 1 }, { "812.4", 812400 }, { "1", 1000 },
        { "0.0004", 0 }, { "0.0005", 1 }, { "812.3999999999999", 812400 },
        { "999999999.999", INT64_C(999999999999) },
        { "1000000000", -1 }, { "-1", -1 }, { "1e3", -1 }, { "", -1 },
        { "1.", -1 }, { ".5", -1 }, { "1.5x", -1 }, { "null", -1 },
    };

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        us = -1;
        (void) nxe_logline_ms((nxe_str_t) { rows[i].text,
                                            strlen(rows[i].text) }, &us);

        if (us != rows[i].us) {
            fail_msg("%s: %lld", rows[i].text, (long long) us);
        }
    }
}


static void
test_ids(void **state)
{
    unsigned char  sum[NXE_SHA256_LEN];

    (void) state;

    /* what is not 32 lower-case hex digits goes by its hash */

    nxe_sha256(nxe_str("conv-1"), sum);
    assert_int_equal(read_line(MID ",\"experiments\":[{\"name\":\"a\","
                               "\"reason\":\"off\",\"unit\":\"conv-1\"}]}"),
                     NXE_OK);
    assert_memory_equal(record.entries[0].unit.bytes, sum, 16);

    nxe_sha256(nxe_str("FFEEDDCCBBAA99887766554433221100"), sum);
    assert_int_equal(read_line(MID ",\"experiments\":[{\"name\":\"a\","
                               "\"reason\":\"off\",\"unit\":"
                               "\"FFEEDDCCBBAA99887766554433221100\"}]}"),
                     NXE_OK);
    assert_memory_equal(record.entries[0].unit.bytes, sum, 16);
}


static void
test_answer(void **state)
{
    nxe_str_t  line;

    (void) state;

    line = nxe_str(MID ",\"experiments\":[" ENTRY "],\"stream\":true,"
        "\"first_byte_ms\":88.120,\"ttft_ms\":412.007,\"tpot_ms\":12.500,"
        "\"itl_max_ms\":80.000,"
        "\"gen_ai.response.model\":\"gpt-4o \\\"x\\\"\","
        "\"gen_ai.response.finish_reasons\":[\"stop\"],"
        "\"gen_ai.usage.input_tokens\":1099511627776,"
        "\"gen_ai.usage.output_tokens\":0,"
        "\"gen_ai.usage.cache_read.input_tokens\":64,"
        "\"tool_calls\":2,\"refusal\":false,\"truncated\":true,"
        "\"empty\":false,\"stream_error\":\"cut\",\"cold\":true,"
        "\"cost\":0.000214500,\"currency\":\"USD\"}");

    assert_int_equal(nxe_logline_read(line, &record, &fault), NXE_OK);
    assert_int_equal(record.metered, 1);
    assert_int_equal(record.stream, NXE_LOG_TRUE);
    assert_int_equal(record.ttft_us, 412007);
    assert_int_equal(record.tpot_us, 12500);
    assert_int_equal(record.itl_max_us, 80000);
    assert_true(record.input_tokens == INT64_C(1) << 40);
    assert_int_equal(record.output_tokens, 0);
    assert_int_equal(record.cached_tokens, 64);
    assert_int_equal(record.tool_calls, 2);
    assert_int_equal(record.refusal, NXE_LOG_FALSE);
    assert_int_equal(record.truncated, NXE_LOG_TRUE);
    assert_int_equal(record.empty, NXE_LOG_FALSE);
    assert_int_equal(record.stream_error, NXE_LOG_TRUE);
    assert_int_equal(record.cold, NXE_LOG_TRUE);
    assert_int_equal(record.cost, 214500);
    assert_true(nxe_str_eq(record.currency, nxe_str("USD")));

    /* what is absent is not 0 */

    assert_int_equal(read_line(MID ",\"experiments\":[],"
                               "\"unmetered\":\"encoded\","
                               "\"stream_error\":false}"), NXE_OK);
    assert_int_equal(record.metered, 0);
    assert_int_equal(record.unmetered.len, 7);
    assert_int_equal(record.stream_error, NXE_LOG_FALSE);
    assert_int_equal(record.cold, NXE_LOG_ABSENT);
    assert_true(record.output_tokens == NXE_LOGLINE_UNKNOWN);
    assert_true(record.tool_calls == NXE_LOGLINE_UNKNOWN);
    assert_true(record.cost == NXE_LOGLINE_UNKNOWN);
    assert_true(record.ttft_us == NXE_LOGLINE_UNKNOWN);
}


static void
test_feedback(void **state)
{
    nxe_str_t  line;

    (void) state;

    line = nxe_str(SAID ",\"n\":3,\"value\":-0.25,\"trust\":\"token\"," UNIT
                   ",\"unit_type\":\"conversation\",\"phase\":1,"
                   "\"idempotency_key\":\"a\\n\"}");

    assert_int_equal(nxe_logline_read(line, &record, &fault), NXE_OK);
    assert_int_equal(record.kind, NXE_LOGLINE_FEEDBACK);
    assert_true(nxe_str_eq(record.feedback.experiment, nxe_str("tone")));
    assert_true(nxe_str_eq(record.feedback.metric, nxe_str("resolved")));
    assert_true(nxe_str_eq(record.feedback.trust, nxe_str("token")));
    assert_int_equal(record.feedback.n, 3);
    assert_int_equal(record.feedback.value, -250000000);
    assert_int_equal(record.feedback.unit.set, 1);
    assert_int_equal(record.feedback.request.set, 0);

    assert_int_equal(read_line(SAID ",\"value\":true,\"request_id\":\"" ID
                               "\"}"), NXE_OK);
    assert_int_equal(record.feedback.value, 1000000000);
    assert_int_equal(record.feedback.request.bytes[15], 255);

    assert_int_equal(read_line(SAID ",\"value\":false," UNIT "}"), NXE_OK);
    assert_int_equal(record.feedback.value, 0);

    /* what the edge refused has no more than its cause */

    assert_int_equal(read_line(FED ",\"status\":401,"
                               "\"refused\":\"token:none\"}"), NXE_OK);
    assert_int_equal(record.feedback.refused, 1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_small),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_ms),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_feedback),
    };

    setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 1);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
