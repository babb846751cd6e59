/*
 * Values of access-log lines, and the tables of those that are read.
 */

#include <stdlib.h>
#include <string.h>

#include <nxe/frac.h>
#include <nxe/hash.h>
#include <nxe/meter.h>
#include <nxe/time.h>

#include "nxe_logline_int.h"


static int
plain(const nxe_json_walk_t *w, nxe_str_t *s)
{
    if (w->type != NXE_JSON_STRING) {
        return 0;
    }

    s->data = w->value.data + 1;
    s->len = w->value.len - 2;

    return memchr(s->data, '\\', s->len) == NULL;
}


static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}


static int
read_id(const nxe_json_walk_t *w, void *field)
{
    int            hi, lo;
    size_t         i;
    nxe_str_t      s;
    nxe_log_id_t  *id = field;
    unsigned char  sum[NXE_SHA256_LEN];

    if (!plain(w, &s) || s.len == 0) {
        return 0;
    }

    id->set = 1;

    if (s.len == 2 * NXE_LOGLINE_ID) {

        for (i = 0; i < NXE_LOGLINE_ID; i++) {
            hi = hex_digit(s.data[2 * i]);
            lo = hex_digit(s.data[2 * i + 1]);

            if (hi < 0 || lo < 0) {
                break;
            }

            id->bytes[i] = (unsigned char) (hi << 4 | lo);
        }

        if (i == NXE_LOGLINE_ID) {
            return 1;
        }
    }

    nxe_sha256(s, sum);
    memcpy(id->bytes, sum, NXE_LOGLINE_ID);

    return 1;
}


/* A whole number from 0, of at most 18 digits. */

static int
read_count(const nxe_json_walk_t *w, void *field)
{
    size_t   i;
    int64_t  n;

    if (w->type != NXE_JSON_NUMBER || w->value.len > 18) {
        return 0;
    }

    n = 0;

    for (i = 0; i < w->value.len; i++) {
        if (w->value.data[i] < '0' || w->value.data[i] > '9') {
            return 0;
        }

        n = n * 10 + (w->value.data[i] - '0');
    }

    *(int64_t *) field = n;
    return 1;
}


/* An HTTP status; 0 where the server had none to send. */

static int
read_status(const nxe_json_walk_t *w, void *field)
{
    int64_t  n;

    if (!read_count(w, &n) || n > 999) {
        return 0;
    }

    *(int64_t *) field = n;
    return 1;
}


static int
read_word(const nxe_json_walk_t *w, void *field)
{
    size_t     i;
    nxe_str_t  s;

    if (!plain(w, &s) || s.len == 0 || s.len > 32) {
        return 0;
    }

    for (i = 0; i < s.len; i++) {
        if ((s.data[i] < 'a' || s.data[i] > 'z') && s.data[i] != '_') {
            return 0;
        }
    }

    *(nxe_str_t *) field = s;
    return 1;
}


static int
read_name(const nxe_json_walk_t *w, void *field)
{
    nxe_str_t  s;

    if (!plain(w, &s) || !nxe_name_ok(s)) {
        return 0;
    }

    *(nxe_str_t *) field = s;
    return 1;
}


static int
read_bool(const nxe_json_walk_t *w, void *field)
{
    *(int *) field = (w->value.data[0] == 't');

    return w->type == NXE_JSON_BOOL;
}


static int
read_probability(const nxe_json_walk_t *w, void *field)
{
    char    text[64];
    double  p;

    if (w->type != NXE_JSON_NUMBER || w->value.len >= sizeof(text)) {
        return 0;
    }

    memcpy(text, w->value.data, w->value.len);
    text[w->value.len] = '\0';

    p = strtod(text, NULL);
    *(double *) field = p;

    return p >= 0 && p <= 1;
}


static int
read_kind(const nxe_json_walk_t *w, void *field)
{
    nxe_str_t  s;

    if (!read_word(w, &s)) {
        return 0;
    }

    *(nxe_logline_kind_t *) field =
        nxe_str_eq(s, nxe_str("request")) ? NXE_LOGLINE_REQUEST
        : nxe_str_eq(s, nxe_str("feedback")) ? NXE_LOGLINE_FEEDBACK
        : NXE_LOGLINE_OTHER;
    return 1;
}


static int
read_time(const nxe_json_walk_t *w, void *field)
{
    nxe_str_t  s;

    return plain(w, &s) && nxe_time_parse(s, field) == NXE_OK;
}


static int
read_ms(const nxe_json_walk_t *w, void *field)
{
    return w->type == NXE_JSON_NUMBER
           && nxe_logline_ms(w->value, field) == NXE_OK;
}


static int
read_list(const nxe_json_walk_t *w, void *field)
{
    *(nxe_str_t *) field = w->value;

    return w->type == NXE_JSON_ARRAY;
}


/* What the edge says with "true", and with "false" or not at all. */

static int
read_flag(const nxe_json_walk_t *w, void *field)
{
    int  set;

    if (!read_bool(w, &set)) {
        return 0;
    }

    *(nxe_log_flag_t *) field = set ? NXE_LOG_TRUE : NXE_LOG_FALSE;
    return 1;
}


/* As a flag; in its place a string may say more of what is true. */

static int
read_cause(const nxe_json_walk_t *w, void *field)
{
    if (w->type != NXE_JSON_STRING) {
        return read_flag(w, field);
    }

    *(nxe_log_flag_t *) field = NXE_LOG_TRUE;
    return 1;
}


/* Upstream's text: that it is there is all that is asked. */

static int
read_presence(const nxe_json_walk_t *w, void *field)
{
    *(int *) field = 1;

    return w->type == NXE_JSON_STRING;
}


static int
read_tokens(const nxe_json_walk_t *w, void *field)
{
    int64_t  n;

    if (!read_count(w, &n) || n > (int64_t) NXE_TOKENS_MAX) {
        return 0;
    }

    *(int64_t *) field = n;
    return 1;
}


static int
read_number(const nxe_json_walk_t *w, void *field)
{
    return w->type == NXE_JSON_NUMBER
           && nxe_decimal_nano(w->value, field) == NXE_OK;
}


static int
read_cost(const nxe_json_walk_t *w, void *field)
{
    return w->value.data[0] != '-' && read_number(w, field);
}


static int
read_currency(const nxe_json_walk_t *w, void *field)
{
    size_t     i;
    nxe_str_t  s;

    if (!plain(w, &s) || s.len != 3) {
        return 0;
    }

    for (i = 0; i < 3; i++) {
        if (s.data[i] < 'A' || s.data[i] > 'Z') {
            return 0;
        }
    }

    *(nxe_str_t *) field = s;
    return 1;
}


/* A number, or true and false as 1 and 0. */

static int
read_value(const nxe_json_walk_t *w, void *field)
{
    int  set;

    if (w->type != NXE_JSON_BOOL) {
        return read_number(w, field);
    }

    (void) read_bool(w, &set);
    *(int64_t *) field = set ? NXE_NANO : 0;

    return 1;
}


#define entry(name)  offsetof(nxe_log_entry_t, name)
#define line(name)   offsetof(nxe_logline_t, name)
#define said(name)   offsetof(nxe_logline_t, feedback.name)

const nxe_log_member_t  nxe_log_entry_members[] = {
    { nxe_str("name"), read_name, entry(name),
      "an experiment that is no name" },
    { nxe_str("phase"), read_count, entry(phase),
      "a phase that is no number" },
    { nxe_str("revision"), read_count, entry(revision),
      "a revision that is no number" },
    { nxe_str("stage"), read_word, entry(stage),
      "a stage that is no word" },
    { nxe_str("variant"), read_name, entry(variant),
      "a variant that is no name" },
    { nxe_str("exposed"), read_bool, entry(exposed),
      "an \"exposed\" that is neither true nor false" },
    { nxe_str("reason"), read_word, entry(reason),
      "a reason that is no word" },
    { nxe_str("unit"), read_id, entry(unit),
      "a unit that is no id" },
    { nxe_str("p"), read_probability, entry(p),
      "a p that is no probability" },
};


const nxe_log_member_t  nxe_log_line_members[] = {
    { nxe_str("kind"), read_kind, line(kind),
      "a kind that is no word" },
    { nxe_str("id"), read_id, line(id),
      "an id that is no id" },
    { nxe_str("time"), read_time, line(time),
      "a time that is not RFC 3339" },
    { nxe_str("key_id"), read_name, line(key_id),
      "a key_id that is no key's" },
    { nxe_str("role"), read_word, line(role),
      "a role that is no word" },
    { nxe_str("status"), read_status, line(status),
      "a status that is not 0 to 999" },
    { nxe_str("upstream_status"), read_status, line(upstream_status),
      "an upstream_status that is not 0 to 999" },
    { nxe_str("response_ms"), read_ms, line(response_us),
      "a response_ms that is no time" },
    { nxe_str("aborted"), read_bool, line(aborted),
      "an \"aborted\" that is neither true nor false" },
    { nxe_str("experiments"), read_list, line(list),
      "experiments that are no list" },
    { nxe_str("stream"), read_flag, line(stream),
      "a \"stream\" that is neither true nor false" },
    { nxe_str("ttft_ms"), read_ms, line(ttft_us),
      "a ttft_ms that is no time" },
    { nxe_str("tpot_ms"), read_ms, line(tpot_us),
      "a tpot_ms that is no time" },
    { nxe_str("itl_max_ms"), read_ms, line(itl_max_us),
      "an itl_max_ms that is no time" },
    { nxe_str("gen_ai.response.model"), read_presence, line(has_model),
      "a model that is no string" },
    { nxe_str("gen_ai.usage.input_tokens"), read_tokens, line(input_tokens),
      "input tokens that are no count" },
    { nxe_str("gen_ai.usage.output_tokens"), read_tokens,
      line(output_tokens), "output tokens that are no count" },
    { nxe_str("gen_ai.usage.cache_read.input_tokens"), read_tokens,
      line(cached_tokens), "cached tokens that are no count" },
    { nxe_str("tool_calls"), read_tokens, line(tool_calls),
      "tool_calls that are no count" },
    { nxe_str("refusal"), read_flag, line(refusal),
      "a \"refusal\" that is neither true nor false" },
    { nxe_str("empty"), read_flag, line(empty),
      "an \"empty\" that is neither true nor false" },
    { nxe_str("truncated"), read_flag, line(truncated),
      "a \"truncated\" that is neither true nor false" },
    { nxe_str("stream_error"), read_cause, line(stream_error),
      "a stream_error that is neither true nor text" },
    { nxe_str("unmetered"), read_word, line(unmetered),
      "an \"unmetered\" that is no word" },
    { nxe_str("cold"), read_flag, line(cold),
      "a \"cold\" that is neither true nor false" },
    { nxe_str("cost"), read_cost, line(cost),
      "a cost that is no amount below 10^9" },
    { nxe_str("currency"), read_currency, line(currency),
      "a currency that is not three capitals" },
};


const nxe_log_member_t  nxe_log_feedback_members[] = {
    { nxe_str("experiment"), read_name, said(experiment),
      "an experiment that is no name" },
    { nxe_str("metric"), read_name, said(metric),
      "a metric that is no name" },
    { nxe_str("value"), read_value, said(value),
      "a value that is no number within 10^9" },
    { nxe_str("unit"), read_id, said(unit),
      "a unit that is no id" },
    { nxe_str("request_id"), read_id, said(request),
      "a request_id that is no id" },
    { nxe_str("n"), read_count, said(n),
      "an n that is no count" },
    { nxe_str("trust"), read_word, said(trust),
      "a trust that is no word" },
    { nxe_str("refused"), read_presence, said(refused),
      "a \"refused\" that is no string" },
};

#undef entry
#undef line
#undef said

#define count(members)  (sizeof(members) / sizeof(nxe_log_member_t))

const size_t  nxe_log_line_nmembers = count(nxe_log_line_members);
const size_t  nxe_log_entry_nmembers = count(nxe_log_entry_members);
const size_t  nxe_log_feedback_nmembers = count(nxe_log_feedback_members);
