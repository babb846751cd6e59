/*
 * DESIGN, Body override: where a parameter goes, in bytes.
 */

#include "unit.h"

#include <nxe/buf.h>
#include <nxe/dialect.h>


#define JSON    NXE_DIALECT_JSON
#define CHAT    NXE_DIALECT_OPENAI_CHAT
#define RESP    NXE_DIALECT_OPENAI_RESPONSES
#define ANTH    NXE_DIALECT_ANTHROPIC
#define ABSENT  1


static nxe_status_t
collect(void *ctx, nxe_str_t slice)
{
    return nxe_buf_add(ctx, slice);
}


typedef struct {
    nxe_dialect_t   dialect;
    nxe_param_t     param;
    const char     *bytes;
    int             if_absent;
    const char     *in;
    nxe_code_t      code;
    const char     *out;            /* NULL: as it was */
    const char     *why;
} plan_row_t;

#define SYS  "{\"role\":\"system\",\"content\":\"S\"}"
#define USR  "{\"role\":\"user\",\"content\":\"hi\"}"

static const plan_row_t  plan_rows[] = {

    /* a top-level member of its own name */

    { JSON, NXE_TEMPERATURE, "0.3", 0, "{}", NXE_CODE_APPLIED,
      "{\"temperature\":0.3}", "appended to an empty object" },
    { JSON, NXE_TEMPERATURE, "0.3", 0, " { } ", NXE_CODE_APPLIED,
      " { \"temperature\":0.3} ", "its white space stays" },
    { JSON, NXE_TEMPERATURE, "0.3", 0, "{\"a\":1 }", NXE_CODE_APPLIED,
      "{\"a\":1 ,\"temperature\":0.3}", "appended behind another" },
    { JSON, NXE_TEMPERATURE, "0.3", 0, "{\"temperature\" : 1.00 , \"a\":1}",
      NXE_CODE_APPLIED, "{\"temperature\" : 0.3 , \"a\":1}",
      "replaced in place" },
    { JSON, NXE_TEMPERATURE, "0.3", 0, "{\"x\":{\"temperature\":1}}",
      NXE_CODE_APPLIED, "{\"x\":{\"temperature\":1},\"temperature\":0.3}",
      "one below is another member" },
    { JSON, NXE_TEMPERATURE, "0.3", 0, "{\"Temperature\":1}",
      NXE_CODE_APPLIED, "{\"Temperature\":1,\"temperature\":0.3}",
      "one in capitals too" },
    { JSON, NXE_TEMPERATURE, "0.3", 0, "{\"\\u0074emperature\":1}",
      NXE_CODE_APPLIED, "{\"\\u0074emperature\":0.3}", "an escaped name" },
    { JSON, NXE_SYSTEM, "\"B\"", 0, "{\"messages\":[" SYS "]}",
      NXE_CODE_APPLIED, "{\"messages\":[" SYS "],\"system\":\"B\"}",
      "system is a plain member in json" },
    { JSON, NXE_MAX_TOKENS, "9", 0, "{\"max_completion_tokens\":1}",
      NXE_CODE_APPLIED, "{\"max_completion_tokens\":1,\"max_tokens\":9}",
      "json has no other name of max_tokens" },
    { JSON, NXE_VERBOSITY, "\"low\"", 0, "{\"verbosity\":[1,{\"a\":2}]}",
      NXE_CODE_APPLIED, "{\"verbosity\":\"low\"}", "whatever was there" },
    { CHAT, NXE_TOP_P, "0.5", 0, "{\"n\":9007199254740993}",
      NXE_CODE_APPLIED, "{\"n\":9007199254740993,\"top_p\":0.5}",
      "spelling is kept elsewhere" },
    { CHAT, NXE_MODEL, "\"m2\"", 0, "{\"model\":\"m1\"}", NXE_CODE_APPLIED,
      "{\"model\":\"m2\"}", "the model" },

    /* equal: the bytes stay */

    { JSON, NXE_TEMPERATURE, "0.3", 0, "{\"temperature\":3e-1}",
      NXE_CODE_EQUAL, NULL, "the same decimal" },
    { JSON, NXE_TEMPERATURE, "1", 0, "{\"temperature\":1.000}",
      NXE_CODE_EQUAL, NULL, "zeros" },
    { JSON, NXE_TEMPERATURE, "0.3", 0,
      "{\"temperature\":0.30000000000000001}", NXE_CODE_APPLIED,
      "{\"temperature\":0.3}", "the same double is not the same decimal" },
    { JSON, NXE_TEMPERATURE, "0.3", 0, "{\"temperature\":\"0.3\"}",
      NXE_CODE_APPLIED, "{\"temperature\":0.3}", "a string is no number" },
    { JSON, NXE_MODEL, "\"7\"", 0, "{\"model\":7}", NXE_CODE_APPLIED,
      "{\"model\":\"7\"}", "nor the other way round" },
    { JSON, NXE_MODEL, "\"a/b\"", 0, "{\"model\":\"a\\/\\u0062\"}",
      NXE_CODE_EQUAL, NULL, "the same string, escaped" },
    { JSON, NXE_MODEL, "\"\xc3\xa9\"", 0, "{\"model\":\"\\u00e9\"}",
      NXE_CODE_EQUAL, NULL, "outside ASCII too" },
    { JSON, NXE_MODEL, "\"\xf0\x9f\x98\x80\"", 0,
      "{\"model\":\"\\ud83d\\ude00\"}", NXE_CODE_EQUAL, NULL,
      "and outside of 16 bits" },
    { JSON, NXE_MODEL, "\"a\"", 0, "{\"model\":\"aa\"}", NXE_CODE_APPLIED,
      "{\"model\":\"a\"}", "longer" },
    { JSON, NXE_MODEL, "\"\"", 0, "{\"model\":\"\"}", NXE_CODE_EQUAL, NULL,
      "both empty" },

    /* null is present */

    { JSON, NXE_TEMPERATURE, "0.3", 0, "{\"temperature\":null}",
      NXE_CODE_APPLIED, "{\"temperature\":0.3}", "null is replaced" },
    { JSON, NXE_TEMPERATURE, "0.3", ABSENT, "{\"temperature\":null}",
      NXE_CODE_KEPT, NULL, "and kept" },

    /* when absent */

    { JSON, NXE_TEMPERATURE, "0.3", ABSENT, "{\"temperature\":1}",
      NXE_CODE_KEPT, NULL, "kept" },
    { JSON, NXE_TEMPERATURE, "0.3", ABSENT, "{\"temperature\":0.3}",
      NXE_CODE_KEPT, NULL, "kept, if equal too" },
    { JSON, NXE_TEMPERATURE, "0.3", ABSENT, "{}", NXE_CODE_APPLIED,
      "{\"temperature\":0.3}", "absent" },

    /* max_tokens of openai_chat */

    { CHAT, NXE_MAX_TOKENS, "9", 0, "{}", NXE_CODE_APPLIED,
      "{\"max_tokens\":9}", "neither: the document's name" },
    { CHAT, NXE_MAX_TOKENS, "9", 0, "{\"max_tokens\":1}", NXE_CODE_APPLIED,
      "{\"max_tokens\":9}", "the one" },
    { CHAT, NXE_MAX_TOKENS, "9", 0, "{\"max_completion_tokens\":1}",
      NXE_CODE_APPLIED, "{\"max_completion_tokens\":9}", "the other" },
    { CHAT, NXE_MAX_TOKENS, "9", 0,
      "{\"max_completion_tokens\":1,\"max_tokens\":2}", NXE_CODE_APPLIED,
      "{\"max_completion_tokens\":9,\"max_tokens\":9}", "both" },
    { CHAT, NXE_MAX_TOKENS, "9", 0,
      "{\"max_tokens\":9,\"max_completion_tokens\":1}", NXE_CODE_APPLIED,
      "{\"max_tokens\":9,\"max_completion_tokens\":9}",
      "both, one of them equal" },
    { CHAT, NXE_MAX_TOKENS, "9", 0,
      "{\"max_tokens\":9.0,\"max_completion_tokens\":9}", NXE_CODE_EQUAL,
      NULL, "both equal" },
    { CHAT, NXE_MAX_TOKENS, "9", ABSENT, "{\"max_completion_tokens\":null}",
      NXE_CODE_KEPT, NULL, "the other is present" },

    /* system of openai_chat */

    { CHAT, NXE_SYSTEM, "\"B\"", 0, "{\"messages\":[" SYS "," USR "]}",
      NXE_CODE_APPLIED,
      "{\"messages\":[{\"role\":\"system\",\"content\":\"B\"}," USR "]}",
      "the content is replaced" },
    { CHAT, NXE_SYSTEM, "\"B\"", 0,
      "{\"messages\":[{\"content\":\"S\",\"role\":\"developer\",\"name\":1}]}",
      NXE_CODE_APPLIED,
      "{\"messages\":[{\"content\":\"B\",\"role\":\"developer\",\"name\":1}]}",
      "of a developer, whatever the order" },
    { CHAT, NXE_SYSTEM, "\"B\"", 0,
      "{\"messages\":[{\"role\":\"\\u0073ystem\",\"content\":1}]}",
      NXE_CODE_APPLIED,
      "{\"messages\":[{\"role\":\"\\u0073ystem\",\"content\":\"B\"}]}",
      "an escaped role" },
    { CHAT, NXE_SYSTEM, "\"B\"", 0,
      "{\"messages\":[{\"role\":\"\\u0064\\u0065\\u0076\\u0065\\u006c\\u006f"
      "\\u0070\\u0065\\u0072\",\"content\":1}]}",
      NXE_CODE_APPLIED,
      "{\"messages\":[{\"role\":\"\\u0064\\u0065\\u0076\\u0065\\u006c\\u006f"
      "\\u0070\\u0065\\u0072\",\"content\":\"B\"}]}",
      "escaped as a whole" },
    { CHAT, NXE_SYSTEM, "\"B\"", 0,
      "{\"messages\":[{\"role\":\"system\",\"content\":[{\"type\":\"text\","
      "\"text\":\"S\"}]}]}", NXE_CODE_APPLIED,
      "{\"messages\":[{\"role\":\"system\",\"content\":\"B\"}]}",
      "the whole content, an array too" },
    { CHAT, NXE_SYSTEM, "\"B\"", 0,
      "{\"messages\":[{\"role\":\"system\",\"content\":null}]}",
      NXE_CODE_APPLIED,
      "{\"messages\":[{\"role\":\"system\",\"content\":\"B\"}]}", "null" },
    { CHAT, NXE_SYSTEM, "\"B\"", 0, "{\"messages\":[{\"role\":\"system\" }]}",
      NXE_CODE_APPLIED,
      "{\"messages\":[{\"role\":\"system\" ,\"content\":\"B\"}]}",
      "no content" },
    { CHAT, NXE_SYSTEM, "\"S\"", 0, "{\"messages\":[" SYS "]}",
      NXE_CODE_EQUAL, NULL, "equal" },
    { CHAT, NXE_SYSTEM, "\"B\"", ABSENT, "{\"messages\":[" SYS "]}",
      NXE_CODE_KEPT, NULL, "kept" },
    { CHAT, NXE_SYSTEM, "\"B\"", ABSENT, "{\"messages\":[" USR "]}",
      NXE_CODE_APPLIED,
      "{\"messages\":[{\"role\":\"system\",\"content\":\"B\"}," USR "]}",
      "a user's content is no system prompt: absent" },
    { CHAT, NXE_SYSTEM, "\"B\"", 0, "{\"messages\":[ " USR "]}",
      NXE_CODE_APPLIED,
      "{\"messages\":[{\"role\":\"system\",\"content\":\"B\"}, " USR "]}",
      "inserted in front" },
    { CHAT, NXE_SYSTEM, "\"B\"", 0, "{\"messages\":[ ]}", NXE_CODE_APPLIED,
      "{\"messages\":[{\"role\":\"system\",\"content\":\"B\"} ]}",
      "into no messages" },
    { CHAT, NXE_SYSTEM, "\"B\"", 0, "{\"messages\":[" USR "," SYS "]}",
      NXE_CODE_APPLIED, "{\"messages\":[{\"role\":\"system\",\"content\":"
      "\"B\"}," USR "," SYS "]}", "a later system message counts not" },
    { CHAT, NXE_SYSTEM, "\"B\"", 0, "{\"messages\":[{\"role\":\"System\","
      "\"content\":\"S\"}]}", NXE_CODE_APPLIED,
      "{\"messages\":[{\"role\":\"system\",\"content\":\"B\"},{\"role\":"
      "\"System\",\"content\":\"S\"}]}", "a role in capitals is another" },
    { CHAT, NXE_SYSTEM, "\"B\"", 0, "{\"messages\":[{\"role\":7}]}",
      NXE_CODE_APPLIED, "{\"messages\":[{\"role\":\"system\",\"content\":"
      "\"B\"},{\"role\":7}]}", "a role that is no string" },
    { CHAT, NXE_SYSTEM, "\"B\"", 0, "{\"messages\":[\"system\"]}",
      NXE_CODE_APPLIED, "{\"messages\":[{\"role\":\"system\",\"content\":"
      "\"B\"},\"system\"]}", "a message that is no object" },
    { CHAT, NXE_SYSTEM, "\"B\"", 0, "{}", NXE_CODE_UNSUPPORTED, NULL,
      "no messages" },
    { CHAT, NXE_SYSTEM, "\"B\"", 0, "{\"messages\":{\"0\":" SYS "}}",
      NXE_CODE_UNSUPPORTED, NULL, "messages that are an object" },
    { CHAT, NXE_SYSTEM, "\"B\"", 0, "{\"messages\":\"x\"}",
      NXE_CODE_UNSUPPORTED, NULL, "or a string" },
    { CHAT, NXE_SYSTEM, "\"B\"", ABSENT, "{\"prompt\":\"x\"}",
      NXE_CODE_UNSUPPORTED, NULL, "never guessed" },

    /* openai_responses */

    { RESP, NXE_SYSTEM, "\"B\"", 0, "{\"input\":\"hi\"}", NXE_CODE_APPLIED,
      "{\"input\":\"hi\",\"instructions\":\"B\"}", "instructions" },
    { RESP, NXE_SYSTEM, "\"B\"", 0, "{\"instructions\":\"A\",\"system\":1}",
      NXE_CODE_APPLIED, "{\"instructions\":\"B\",\"system\":1}",
      "replaced, no other member" },
    { RESP, NXE_SYSTEM, "\"B\"", 0, "{\"instructions\":null}",
      NXE_CODE_APPLIED, "{\"instructions\":\"B\"}", "null" },
    { RESP, NXE_SYSTEM, "\"B\"", ABSENT, "{\"instructions\":\"A\"}",
      NXE_CODE_KEPT, NULL, "kept" },
    { RESP, NXE_MAX_TOKENS, "9", 0, "{\"max_tokens\":1}", NXE_CODE_APPLIED,
      "{\"max_tokens\":1,\"max_output_tokens\":9}", "max_output_tokens" },
    { RESP, NXE_MAX_TOKENS, "9", 0, "{\"max_output_tokens\":9.0}",
      NXE_CODE_EQUAL, NULL, "the same" },
    { RESP, NXE_VERBOSITY, "\"low\"", 0, "{}", NXE_CODE_APPLIED,
      "{\"text\":{\"verbosity\":\"low\"}}", "text is made" },
    { RESP, NXE_VERBOSITY, "\"low\"", 0, "{\"text\":{ }}",
      NXE_CODE_APPLIED, "{\"text\":{ \"verbosity\":\"low\"}}",
      "an empty text" },
    { RESP, NXE_VERBOSITY, "\"low\"", 0,
      "{\"text\":{\"format\":{\"type\":\"text\"}},\"a\":1}",
      NXE_CODE_APPLIED, "{\"text\":{\"format\":{\"type\":\"text\"},"
      "\"verbosity\":\"low\"},\"a\":1}", "format stays" },
    { RESP, NXE_VERBOSITY, "\"low\"", 0,
      "{\"text\":{\"verbosity\":\"high\",\"format\":1}}",
      NXE_CODE_APPLIED, "{\"text\":{\"verbosity\":\"low\",\"format\":1}}",
      "replaced" },
    { RESP, NXE_VERBOSITY, "\"low\"", 0, "{\"text\":null}",
      NXE_CODE_UNSUPPORTED, NULL, "a text that is no object" },
    { RESP, NXE_VERBOSITY, "\"low\"", 0, "{\"text\":[]}",
      NXE_CODE_UNSUPPORTED, NULL, "or an array" },
    { RESP, NXE_MODEL, "\"B\"", 0, "{\"model\":\"A\"}", NXE_CODE_APPLIED,
      "{\"model\":\"B\"}", "model" },
    { RESP, NXE_TEMPERATURE, "1.3", 0, "{}", NXE_CODE_APPLIED,
      "{\"temperature\":1.3}", "temperature up to 2" },

    /* anthropic */

    { ANTH, NXE_SYSTEM, "\"B\"", 0, "{\"messages\":[]}", NXE_CODE_APPLIED,
      "{\"messages\":[],\"system\":\"B\"}", "no system" },
    { ANTH, NXE_SYSTEM, "\"B\"", 0, "{\"system\":\"A\",\"messages\":[]}",
      NXE_CODE_APPLIED, "{\"system\":\"B\",\"messages\":[]}", "a string" },
    { ANTH, NXE_SYSTEM, "\"B\"", 0, "{\"system\":\"\\u0042\"}",
      NXE_CODE_EQUAL, NULL, "the same string" },
    { ANTH, NXE_SYSTEM, "\"B\"", 0,
      "{\"system\":[{\"type\":\"text\",\"text\":\"A\"}]}",
      NXE_CODE_APPLIED,
      "{\"system\":[{\"type\":\"text\",\"text\":\"B\"}]}",
      "blocks stay blocks" },
    { ANTH, NXE_SYSTEM, "\"B\"", 0,
      "{\"system\":[{\"type\":\"text\",\"text\":\"A\",\"cache_control\":"
      "{\"type\":\"ephemeral\"}},{\"type\":\"text\",\"text\":\"C\","
      "\"cache_control\" : {\"type\" :\"ephemeral\",\"ttl\":\"1h\"}}]}",
      NXE_CODE_APPLIED,
      "{\"system\":[{\"type\":\"text\",\"text\":\"B\",\"cache_control\":"
      "{\"type\" :\"ephemeral\",\"ttl\":\"1h\"}}]}",
      "the last cache_control, as it was spelled" },
    { ANTH, NXE_SYSTEM, "\"B\"", 0, "{\"system\":[{\"type\":\"text\","
      "\"text\":\"A\",\"cache_control\":null}]}", NXE_CODE_APPLIED,
      "{\"system\":[{\"type\":\"text\",\"text\":\"B\"}]}",
      "a null is no cache_control" },
    { ANTH, NXE_SYSTEM, "\"B\"", 0, "{\"system\":[{\"cache_control\":{},"
      "\"text\":\"B\",\"type\":\"text\"}]}", NXE_CODE_EQUAL, NULL,
      "one block of the same text" },
    { ANTH, NXE_SYSTEM, "\"B\"", 0, "{\"system\":[{\"type\":\"text\","
      "\"text\":\"A\"},{\"type\":\"text\",\"text\":\"B\"}]}",
      NXE_CODE_APPLIED,
      "{\"system\":[{\"type\":\"text\",\"text\":\"B\"}]}",
      "two blocks are not the same" },
    { ANTH, NXE_SYSTEM, "\"B\"", 0, "{\"system\":[]}", NXE_CODE_APPLIED,
      "{\"system\":[{\"type\":\"text\",\"text\":\"B\"}]}",
      "no block" },
    { ANTH, NXE_SYSTEM, "\"B\"", 0, "{\"system\":[1,null,\"x\"]}",
      NXE_CODE_APPLIED,
      "{\"system\":[{\"type\":\"text\",\"text\":\"B\"}]}",
      "blocks that are none" },
    { ANTH, NXE_SYSTEM, "\"B\"", ABSENT, "{\"system\":[]}", NXE_CODE_KEPT,
      NULL, "an empty array is there" },
    { ANTH, NXE_TEMPERATURE, "1.3", 0, "{}", NXE_CODE_UNSUPPORTED, NULL,
      "above 1" },
    { ANTH, NXE_TEMPERATURE, "1.0000000000000000001", 0, "{}",
      NXE_CODE_UNSUPPORTED, NULL, "above 1 by less than a double can tell" },
    { ANTH, NXE_TEMPERATURE, "1.0", 0, "{\"temperature\":0.5}",
      NXE_CODE_APPLIED, "{\"temperature\":1.0}", "1" },
    { ANTH, NXE_VERBOSITY, "\"low\"", 0, "{\"verbosity\":\"high\"}",
      NXE_CODE_UNSUPPORTED, NULL, "no verbosity" },
    { ANTH, NXE_MAX_TOKENS, "9", 0,
      "{\"max_completion_tokens\":2,\"max_tokens\":1}", NXE_CODE_APPLIED,
      "{\"max_completion_tokens\":2,\"max_tokens\":9}", "max_tokens" },

    /* what is named and not built */

    { NXE_DIALECT_MCP, NXE_TEMPERATURE, "1", 0, "{}", NXE_CODE_UNSUPPORTED,
      NULL, "mcp" },
};


static void
scan(nxe_places_t *p, const nxe_text_t *text, const char *why)
{
    nxe_json_result_t  r;

    unit_row(nxe_json_scan(text, &p->root, NXE_JSON_ROOT_OBJECT, &r)
             == NXE_JSON_OK, why);
}


typedef struct {
    size_t          max;
    size_t          small;
} small_t;


static nxe_status_t
count_small(void *ctx, nxe_str_t slice)
{
    small_t  *s = ctx;

    s->small += slice.len <= s->max ? slice.len : 0;

    return NXE_OK;
}


static size_t
splice(const nxe_places_t *p, const nxe_text_t *text, nxe_buf_t *b,
    const char *why)
{
    size_t       n, len, i;
    small_t      s;
    nxe_edit_t  *edits;

    nxe_buf_init(b, 10000);

    unit_row(nxe_places_edits(p, text, unit_mem, &edits, &n) == NXE_OK, why);
    unit_row(nxe_splice(text, edits, n, collect, b) == NXE_OK, why);

    for (i = 0, len = 0; i < text->n; i++) {
        len += text->segs[i].len;
    }

    unit_row(nxe_splice_len(edits, n, len) == b->len, why);

    for (s.max = 0; s.max < 40; s.max += 3) {
        s.small = 0;
        (void) nxe_splice(text, edits, n, count_small, &s);
        unit_row(nxe_splice_small(text, edits, n, s.max) == s.small, why);
    }

    return n;
}


static void
test_plan(void **state)
{
    size_t             i, n;
    nxe_buf_t          b;
    unit_cut_t         how;
    nxe_code_t         code;
    nxe_text_t         text;
    nxe_places_t       p;
    const plan_row_t  *row;

    (void) state;

    for (i = 0; i < unit_n(plan_rows); i++) {
        row = &plan_rows[i];

        for (how = UNIT_WHOLE; how < UNIT_CUTS; how++) {
            text = unit_cut(nxe_str_of(row->in), how);

            nxe_places_init(&p, row->dialect);
            unit_row(nxe_places_params(&p, 1u << row->param, unit_mem)
                     == NXE_OK, row->why);
            scan(&p, &text, row->why);

            code = NXE_CODE_NONE;
            unit_row(nxe_places_plan(&p, &text, row->param,
                                     nxe_str_of(row->bytes), row->if_absent,
                                     unit_mem, &code) == NXE_OK,
                     row->why);
            unit_row(code == row->code, row->why);

            n = splice(&p, &text, &b, row->why);
            unit_row((n != 0) == (row->out != NULL), row->why);
            unit_row(nxe_str_eq(nxe_buf_str(&b),
                                nxe_str_of(row->out != NULL ? row->out
                                                            : row->in)),
                     row->why);

            nxe_buf_free(&b);
            unit_cut_free(&text);
        }
    }
}


/* Several experiments on one body share its places. */

static void
test_together(void **state)
{
    size_t        i, j;
    nxe_buf_t     b;
    nxe_code_t    code;
    nxe_str_t     in;
    nxe_text_t    text;
    nxe_places_t  p;

    static const nxe_str_t  bytes[NXE_PARAMS] = {
        { "\"B\"", 3 }, { "0.3", 3 }, { "0.5", 3 }, { "9", 1 }, { "\"m\"", 3 },
        { "\"low\"", 5 }
    };

    static const struct {
        const char  *in;
        const char  *out;
        const char  *why;
    } rows[] = {
        { "{\"messages\":[]}", "{\"messages\":[{\"role\":\"system\","
          "\"content\":\"B\"}],\"temperature\":0.3,\"top_p\":0.5,"
          "\"max_tokens\":9,\"model\":\"m\",\"verbosity\":\"low\"}",
          "all missing" },
        { "{}", "{\"temperature\":0.3,\"top_p\":0.5,\"max_tokens\":9,"
          "\"model\":\"m\",\"verbosity\":\"low\"}",
          "one comma less in an empty object" },
        { "{\"model\":1,\"top_p\":2,\"max_completion_tokens\":3,"
          "\"temperature\":4,\"max_tokens\":5,\"verbosity\":6,\"messages\":["
          SYS "]}", "{\"model\":\"m\",\"top_p\":0.5,"
          "\"max_completion_tokens\":9,\"temperature\":0.3,\"max_tokens\":9,"
          "\"verbosity\":\"low\",\"messages\":[{\"role\":\"system\","
          "\"content\":\"B\"}]}", "all there, in another order" },
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        in = nxe_str_of(rows[i].in);
        text.segs = &in;
        text.n = 1;

        nxe_places_init(&p, CHAT);

        /* asked for twice, and the model for its own sake: one target each */

        assert_int_equal(nxe_places_model(&p, unit_mem), NXE_OK);
        assert_int_equal(nxe_places_params(&p, 0x15, unit_mem), NXE_OK);
        assert_int_equal(nxe_places_params(&p, 0x3f, unit_mem), NXE_OK);
        assert_ptr_equal(p.at[NXE_AT_READ_MODEL], p.at[NXE_MODEL]);

        scan(&p, &text, rows[i].why);

        for (j = 0; j < NXE_PARAMS; j++) {
            assert_int_equal(nxe_places_plan(&p, &text, (nxe_param_t) j,
                                             bytes[j], 0, unit_mem, &code),
                             NXE_OK);
        }

        (void) splice(&p, &text, &b, rows[i].why);
        unit_row(nxe_str_eq(nxe_buf_str(&b), nxe_str_of(rows[i].out)),
                 rows[i].why);
        nxe_buf_free(&b);
    }
}


/*
 * Operations, in order: "=/pointer value", "-/pointer"; the codes of all, a
 * letter each.
 */

typedef struct {
    const char     *in;
    const char     *ops[4];
    const char     *codes;
    const char     *out;
    const char     *why;
} op_row_t;

static const op_row_t  op_rows[] = {

    { "{\"a\":1,\"b\":2}", { "=/a 3" }, "a", "{\"a\":3,\"b\":2}", "set" },
    { "{\"a\":1}", { "=/a 1.0" }, "e", NULL, "equal as decimals" },
    { "{\"a\":true}", { "=/a true" }, "e", NULL, "equal bytes" },
    { "{\"a\":{\"x\":1}}", { "=/a {\"x\":1}" }, "e", NULL,
      "equal bytes of an object" },
    { "{\"a\":{\"x\": 1}}", { "=/a {\"x\":1}" }, "a",
      "{\"a\":{\"x\":1}}", "spelled otherwise is not equal" },
    { "{}", { "=/a 3" }, "a", "{\"a\":3}", "into an empty object" },
    { "{}", { "=/a/b/c 3" }, "a", "{\"a\":{\"b\":{\"c\":3}}}",
      "objects on the way" },
    { "{}", { "=/a/b 1", "=/a/c 2", "=/d 3", "=/a/e/f 4" }, "aaaa",
      "{\"a\":{\"b\":1,\"c\":2,\"e\":{\"f\":4}},\"d\":3}",
      "one object for several" },
    { "{\"metadata\":{\"k\":1}}", { "=/metadata/v \"v2\"" }, "a",
      "{\"metadata\":{\"k\":1,\"v\":\"v2\"}}", "a member of an object" },
    { "{\"a\":1}", { "=/a/b 3" }, "u", NULL, "below a number" },
    { "{\"a\":null}", { "=/a/b 3" }, "u", NULL, "below null" },
    { "{\"a\":[1,2]}", { "=/a/0 9", "=/a/1 8" }, "aa", "{\"a\":[9,8]}",
      "elements" },
    { "{\"a\":[1,2]}", { "=/a/2 9", "=/a/- 8" }, "aa",
      "{\"a\":[1,2,9,8]}", "behind the last" },
    { "{\"a\":[ ]}", { "=/a/- 8", "=/a/0 9" }, "aa", "{\"a\":[ 8,9]}",
      "into an empty array" },
    { "{\"a\":[1,2]}", { "=/a/3 9" }, "u", NULL, "far behind the last" },
    { "{\"a\":[1,2]}", { "=/a/01 9" }, "u", NULL, "01 is no index" },
    { "{\"a\":{}}", { "=/a/0 9", "=/a/- 1" }, "aa",
      "{\"a\":{\"0\":9,\"-\":1}}", "members named like indices" },
    { "{}", { "=/a/0 9" }, "u", NULL, "an array is not made" },
    { "{\"a\":[{}]}", { "=/a/0/x 9" }, "a", "{\"a\":[{\"x\":9}]}",
      "in an element" },
    { "{}", { "=/a~1b~0 1", "=/q\"\\ 2" }, "aa",
      "{\"a/b~\":1,\"q\\\"\\\\\":2}", "names that need escapes" },
    { "{}", { "=/t\tx 1" }, "a", "{\"t\\u0009x\":1}", "and controls" },

    { "{\"a\":1,\"b\":2,\"c\":3}", { "-/a" }, "a", "{\"b\":2,\"c\":3}",
      "remove the first" },
    { "{\"a\":1,\"b\":2,\"c\":3}", { "-/b" }, "a", "{\"a\":1,\"c\":3}",
      "one between" },
    { "{\"a\":1,\"b\":2,\"c\":3}", { "-/c" }, "a", "{\"a\":1,\"b\":2}",
      "the last" },
    { "{ \"a\" : 1 , \"b\" : 2 }", { "-/a", "-/b" }, "aa", "{  }",
      "all, with white space" },
    { "{\"a\":1,\"b\":2,\"c\":3,\"d\":4}", { "-/b", "-/a", "-/d" },
      "aaa", "{\"c\":3}", "two runs" },
    { "{\"a\":1,\"b\":2,\"c\":3,\"d\":4}", { "-/b", "-/c" }, "aa",
      "{\"a\":1,\"d\":4}", "a run between" },
    { "{\"a\":1}", { "-/a", "=/b 2" }, "aa", "{\"b\":2}",
      "all removed, one added" },
    { "{\"a\":1,\"c\":3}", { "-/a", "=/b 2" }, "aa",
      "{\"c\":3,\"b\":2}", "one removed, one added" },
    { "{\"a\":1}", { "-/b", "-/a/x" }, "ee", NULL, "what is not there" },
    { "{\"a\":[1 , 2,3]}", { "-/a/0", "-/a/2" }, "aa", "{\"a\":[ 2]}",
      "elements" },
    { "{\"a\":[1,2,3]}", { "-/a/0", "-/a/1", "-/a/2", "=/a/- 4" }, "aaaa",
      "{\"a\":[4]}", "all elements, one added" },
    { "{\"a\":{\"x\":{\"y\":[1,{\"z\":2}]}}}", { "-/a/x/y/1/z" }, "a",
      "{\"a\":{\"x\":{\"y\":[1,{}]}}}", "deep" },

    { "{\"a\":{\"b\":1}}", { "=/a/b 2", "=/a 3" }, "an",
      "{\"a\":{\"b\":2}}", "the first edit stands" },
    { "{\"a\":{\"b\":1}}", { "=/a 3", "=/a/b 2", "-/a" }, "ann",
      "{\"a\":3}", "also the outer one" },
    { "{\"a\":{\"b\":1}}", { "-/a", "-/a/b" }, "an", "{}", "removals" },
    { "{\"a\":{\"b\":1}}", { "=/a/b 2", "=/a {\"b\":1}" }, "an",
      "{\"a\":{\"b\":2}}", "what was equal before an edit in it" },
    { "{}", { "=/a {\"b\":1}", "-/a/b" }, "an", "{\"a\":{\"b\":1}}",
      "what was not there before an edit around it" },
};


static void
test_ops(void **state)
{
    char               op[256], *value;
    size_t             i, k, n;
    nxe_buf_t          b;
    nxe_str_t          bytes;
    nxe_code_t         code;
    nxe_text_t         text;
    unit_cut_t         how;
    nxe_places_t       made, p;
    const op_row_t    *row;
    nxe_json_node_t   *node[4];

    static const char  letters[] = "?aekubn";

    (void) state;

    for (i = 0; i < unit_n(op_rows); i++) {
        row = &op_rows[i];

        for (how = UNIT_WHOLE; how < UNIT_CUTS; how++) {
            text = unit_cut(nxe_str_of(row->in), how);
            nxe_places_init(&made, JSON);

            for (k = 0; k < 4 && row->ops[k] != NULL; k++) {
                strcpy(op, row->ops[k] + 1);
                value = op[0] != '\0' && row->ops[k][0] == '='
                        ? strchr(op, ' ') : NULL;

                if (value != NULL) {
                    *value = '\0';
                }

                assert_int_equal(nxe_str_copy(unit_mem, nxe_str_of(op),
                                              &bytes), NXE_OK);
                unit_row(nxe_places_op(&made, bytes, unit_mem, &node[k])
                         == NXE_OK, row->why);
            }

            /* packed and copied, as a worker does */

            assert_int_equal(nxe_places_pack(&made, unit_mem), NXE_OK);
            assert_int_equal(nxe_places_copy(&made, unit_mem, &p), NXE_OK);

            scan(&p, &text, row->why);

            for (k = 0; k < 4 && row->ops[k] != NULL; k++) {
                strcpy(op, row->ops[k] + 1);
                value = row->ops[k][0] == '=' ? strchr(op, ' ') : NULL;
                bytes = nxe_str("");

                if (value != NULL) {
                    *value = '\0';
                    assert_int_equal(nxe_str_copy(unit_mem,
                                                  nxe_str_of(value + 1),
                                                  &bytes), NXE_OK);
                }

                unit_row(nxe_places_op(&p, nxe_str_of(op), unit_mem, &node[k])
                         == NXE_OK, row->why);
                unit_row(nxe_places_plan_op(&p, &text, node[k], value == NULL,
                                            bytes, unit_mem, &code)
                         == NXE_OK, row->why);
                unit_row(letters[code] == row->codes[k], row->why);
            }

            unit_row(p.nnodes == made.nnodes, row->why);

            n = splice(&p, &text, &b, row->why);
            unit_row((n != 0) == (row->out != NULL), row->why);
            unit_row(nxe_str_eq(nxe_buf_str(&b),
                                nxe_str_of(row->out != NULL ? row->out
                                                            : row->in)),
                     row->why);

            nxe_buf_free(&b);
            unit_cut_free(&text);
        }
    }
}


static void
test_path(void **state)
{
    size_t        i;
    nxe_str_t     in;
    nxe_text_t    text;
    nxe_places_t  p;

    static const struct {
        nxe_dialect_t   dialect;
        nxe_param_t     param;
        const char     *in;
        const char     *path;
    } rows[] = {
        { JSON, NXE_SYSTEM, "{}", "/system" },
        { CHAT, NXE_SYSTEM, "{\"messages\":[" SYS "]}",
          "/messages/0/content" },
        { CHAT, NXE_SYSTEM, "{\"messages\":[" USR "]}",
          "/messages/0/content" },
        { CHAT, NXE_SYSTEM, "{\"messages\":[]}", "/messages/0/content" },
        { CHAT, NXE_MAX_TOKENS, "{}", "/max_tokens" },
        { CHAT, NXE_MAX_TOKENS, "{\"max_completion_tokens\":1}",
          "/max_completion_tokens" },
        { CHAT, NXE_MAX_TOKENS,
          "{\"max_completion_tokens\":1,\"max_tokens\":1}", "/max_tokens" },
        { CHAT, NXE_TOP_P, "{}", "/top_p" },
        { RESP, NXE_VERBOSITY, "{}", "/text/verbosity" },
        { ANTH, NXE_VERBOSITY, "{}", "" },
        { ANTH, NXE_SYSTEM, "{}", "/system" },
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        in = nxe_str_of(rows[i].in);
        text.segs = &in;
        text.n = 1;

        nxe_places_init(&p, rows[i].dialect);
        assert_int_equal(nxe_places_params(&p, 1u << rows[i].param, unit_mem),
                         NXE_OK);
        scan(&p, &text, rows[i].in);
        assert_string_equal(nxe_places_path(&p, rows[i].param),
                            rows[i].path);
    }
}


static void
test_value(void **state)
{
    char              s[8192], *e;
    size_t            i;
    nxe_str_t         value;
    unit_cut_t        how;
    nxe_text_t        text;
    nxe_status_t      rc;
    nxe_places_t      p;
    nxe_json_node_t  *node;

    static const struct {
        const char  *in;
        const char  *value;         /* NULL: none */
        const char  *why;
    } rows[] = {
        { "{\"m\":{\"id\":\"conv-1\"}}", "conv-1", "a string" },
        { "{\"m\":{\"id\":\"a\\u00e9\\/\"}}", "a\xc3\xa9/", "unescaped" },
        { "{\"m\":{\"id\":42}}", "42", "an integer" },
        { "{\"m\":{\"id\":-7}}", "-7", "a negative one" },
        { "{\"m\":{\"id\":0}}", "0", "zero" },
        { "{\"m\":{\"id\":123456789012345678}}", "123456789012345678",
          "18 digits" },
        { "{\"m\":{\"id\":-123456789012345678}}", "-123456789012345678",
          "and a sign" },
        { "{\"m\":{\"id\":1234567890123456789}}", NULL, "19 digits" },
        { "{\"m\":{\"id\":1.0}}", NULL, "a fraction" },
        { "{\"m\":{\"id\":1e3}}", NULL, "an exponent" },
        { "{\"m\":{\"id\":\"\"}}", NULL, "empty" },
        { "{\"m\":{\"id\":\"\\ud800\"}}", NULL, "a lone surrogate" },
        { "{\"m\":{\"id\":null}}", NULL, "null" },
        { "{\"m\":{\"id\":true}}", NULL, "true" },
        { "{\"m\":{\"id\":[\"a\"]}}", NULL, "an array" },
        { "{\"m\":{\"id\":{}}}", NULL, "an object" },
        { "{\"m\":{}}", NULL, "absent" },
        { "{\"m\":[\"id\"]}", NULL, "below an array" },
    };

    (void) state;

    for (i = 0; i < unit_n(rows) + 4; i++) {

        /* the limit of 256 bytes counts after unescaping */

        if (i >= unit_n(rows)) {
            e = s + sprintf(s, "{\"m\":{\"id\":\"");

            for (size_t n = 0; n < (i % 2 == 0 ? 256 : 257); n++) {
                e += sprintf(e, i - unit_n(rows) < 2 ? "x" : "\\u0078");
            }

            (void) sprintf(e, "\"}}");
        }

        for (how = UNIT_WHOLE; how < UNIT_CUTS; how++) {
            nxe_places_init(&p, JSON);
            assert_int_equal(nxe_places_pointer(&p, nxe_str("/m/id"),
                                                unit_mem, &node), NXE_OK);

            text = unit_cut(nxe_str_of(i < unit_n(rows) ? rows[i].in : s),
                            how);
            scan(&p, &text, "value");
            rc = nxe_places_value(&text, node, unit_mem, &value);

            if (i >= unit_n(rows)) {
                assert_int_equal(rc, i % 2 == 0 ? NXE_OK : NXE_DECLINED);
                assert_true(rc != NXE_OK || value.len == 256);

            } else if (rows[i].value == NULL) {
                unit_row(rc == NXE_DECLINED, rows[i].why);

            } else {
                unit_row(rc == NXE_OK, rows[i].why);
                unit_row(nxe_str_eq(value, nxe_str_of(rows[i].value)),
                         rows[i].why);
            }

            unit_cut_free(&text);
        }
    }
}


static void
test_names(void **state)
{
    size_t         i;
    nxe_dialect_t  d;

    static const struct {
        const char     *path;
        nxe_dialect_t   dialect;
    } rows[] = {
        { "/v1/chat/completions", NXE_DIALECT_OPENAI_CHAT },
        { "/chat/completions", NXE_DIALECT_OPENAI_CHAT },
        { "/v1/responses", NXE_DIALECT_OPENAI_RESPONSES },
        { "/v1/messages", NXE_DIALECT_ANTHROPIC },
        { "/mcp", NXE_DIALECT_MCP },
        { "/v1/chat/completions/", NXE_DIALECT_JSON },
        { "/v1/xchat/completions", NXE_DIALECT_JSON },
        { "/v1/CHAT/completions", NXE_DIALECT_JSON },
        { "/xmcp", NXE_DIALECT_JSON },
        { "mcp", NXE_DIALECT_JSON },
        { "/", NXE_DIALECT_JSON },
        { "", NXE_DIALECT_JSON },
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        unit_row(nxe_dialect_of_path(nxe_str_of(rows[i].path))
                 == rows[i].dialect, rows[i].path);
    }

    for (i = 0; i < NXE_DIALECTS; i++) {
        assert_int_equal(nxe_dialect_parse(
                             nxe_str_of(nxe_dialect_name((nxe_dialect_t) i)),
                             &d), NXE_OK);
        assert_int_equal(d, i);
        assert_int_equal(nxe_dialect_built(d), d != NXE_DIALECT_MCP);
    }

    assert_int_equal(nxe_dialect_parse(nxe_str("auto"), &d), NXE_DECLINED);
    assert_string_equal(nxe_code_name(NXE_CODE_NOT_SENT), "not_sent");
    assert_string_equal(nxe_code_name(NXE_CODE_KEPT), "kept");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_plan),
        cmocka_unit_test(test_together),
        cmocka_unit_test(test_ops),
        cmocka_unit_test(test_path),
        cmocka_unit_test(test_value),
        cmocka_unit_test(test_names),
    };

    return unit_main(tests);
}
