#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "corpus.h"


typedef struct {
    char               *start;
    char               *pos;
    char               *end;        /* of the body */
    uint64_t            random;
    const uint16_t     *rates;      /* of corpus_text() */
} corpus_t;

typedef struct {
    const char         *name;
    void              (*write)(corpus_t *c);
    size_t              min;        /* bytes of the smallest body */
} corpus_kind_t;


static void corpus_prose(corpus_t *c);
static void corpus_code(corpus_t *c);
static void corpus_answer(corpus_t *c);
static void corpus_chat(corpus_t *c);
static void corpus_text(corpus_t *c, char *end);
static void corpus_numbers(corpus_t *c);
static void corpus_put(corpus_t *c, const char *s);
static uint32_t corpus_random(corpus_t *c, uint32_t n);


static const corpus_kind_t  corpus_kinds[] = {
    { "chat", corpus_prose, CORPUS_MIN },
    { "code", corpus_code, CORPUS_MIN },
    { "numbers", corpus_numbers, CORPUS_MIN },
    { "answer", corpus_answer, CORPUS_MIN_ANSWER }
};

#define CORPUS_KINDS  (sizeof(corpus_kinds) / sizeof(corpus_kinds[0]))

/* The last one is no body that a client sends. */

#define CORPUS_BODIES  (CORPUS_KINDS - 1)

static const char *const  corpus_words[] = {
    "the", "and", "that", "with", "order", "parcel", "please", "could",
    "would", "account", "delivery", "address", "before", "Monday", "number",
    "because", "another", "question", "I", "you", "we", "it", "is", "was",
    "not", "to", "of", "in", "for", "on", "a", "an", "be", "have", "this",
    "from", "or", "as", "at", "by", "which", "should", "about", "when",
    "there", "what", "customer", "invoice", "refund", "warehouse", "status",
    "48291", "tomorrow", "changed", "received", "according", "information",
    "summary", "function", "returns", "value", "example", "explain", "steps"
};

static const char *const  corpus_beyond[] = {
    "caf\xc3\xa9", "na\xc3\xafve", "Z\xc3\xbcrich", "\xe2\x80\x94",
    "\xe2\x82\xac", "\xe2\x80\x9cwell\xe2\x80\x9d", "\xf0\x9f\x99\x82",
    "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
    "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82"
};

#define corpus_pick(c, list)                                                  \
    ((list)[corpus_random(c, sizeof(list) / sizeof((list)[0]))])

#define CORPUS_RATES  5

/* A token of corpus_text() with what may stand around it. */

#define CORPUS_TOKEN  24


char *
corpus_make(const char *name, size_t size)
{
    size_t    i;
    corpus_t  c;

    for (i = 0; i < CORPUS_KINDS; i++) {
        if (strcmp(name, corpus_kinds[i].name) == 0) {
            break;
        }
    }

    if (i == CORPUS_KINDS || size < corpus_kinds[i].min) {
        return NULL;
    }

    c.start = malloc(size + 1);
    if (c.start == NULL) {
        return NULL;
    }

    c.pos = c.start;
    c.end = c.start + size;
    c.random = 0x9e3779b97f4a7c15u;

    corpus_kinds[i].write(&c);
    *c.end = '\0';

    return c.start;
}


const char *
corpus_name(size_t i)
{
    return i < CORPUS_BODIES ? corpus_kinds[i].name : NULL;
}


/*
 * Of a thousand words: words beyond ASCII, quoted ones, ends of paragraphs,
 * of lines, of sentences.
 */

static const uint16_t  corpus_prose_rates[CORPUS_RATES] = { 2, 3, 8, 0, 55 };


static void
corpus_prose(corpus_t *c)
{
    c->rates = corpus_prose_rates;
    corpus_chat(c);
}


/* What a chat answers, with its usage behind. */

static void
corpus_answer(corpus_t *c)
{
    static const char  head[] =
        "{\"id\":\"chatcmpl-CgS3yT0mZ1qK8bXvN5hLr2WcPdA4e\","
        "\"object\":\"chat.completion\",\"created\":1795132800,"
        "\"model\":\"gpt-4o-mini-2024-07-18\",\"choices\":[{\"index\":0,"
        "\"message\":{\"role\":\"assistant\",\"content\":\"";
    static const char  tail[] =
        "\",\"refusal\":null,\"annotations\":[]},\"logprobs\":null,"
        "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":210,"
        "\"completion_tokens\":496,\"total_tokens\":706,"
        "\"prompt_tokens_details\":{\"cached_tokens\":0,"
        "\"audio_tokens\":0},\"completion_tokens_details\":"
        "{\"reasoning_tokens\":0,\"audio_tokens\":0,"
        "\"accepted_prediction_tokens\":0,"
        "\"rejected_prediction_tokens\":0}},"
        "\"service_tier\":\"default\","
        "\"system_fingerprint\":\"fp_51db84afab\"}";

    corpus_put(c, head);
    c->rates = corpus_prose_rates;
    corpus_text(c, c->end - (sizeof(tail) - 1));
    corpus_put(c, tail);
}


/* Chat about code, or in other languages: escapes everywhere. */

static void
corpus_code(corpus_t *c)
{
    static const uint16_t  rates[] = { 30, 20, 15, 10, 55 };

    c->rates = rates;
    corpus_chat(c);
}


/* A conversation in turns; one message in eight is a long one. */

static void
corpus_chat(corpus_t *c)
{
    int      turn;
    char    *last;
    size_t   len, left;

    static const char  head[] =
        "{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"system\","
        "\"content\":\"You are a helpful assistant of a parcel service. "
        "Answer in the language of the customer.\"}";
    static const char  tail[] =
        "\"}],\"temperature\":0.7,\"max_tokens\":512,\"top_p\":0.95,"
        "\"stream\":false}";

    corpus_put(c, head);
    last = c->end - (sizeof(tail) - 1);

    for (turn = 0; /* void */ ; turn++) {
        corpus_put(c, turn % 2 == 0 ? ",{\"role\":\"user\",\"content\":\""
                                    : ",{\"role\":\"assistant\","
                                      "\"content\":\"");

        len = corpus_random(c, 8) == 0 ? 2000 + corpus_random(c, 4000)
                                       : 120 + corpus_random(c, 800);
        left = (size_t) (last - c->pos);

        /* the last message, a user's, takes what is left */

        if (left < 400 && turn % 2 == 0) {
            corpus_text(c, last);
            break;
        }

        corpus_text(c, c->pos + (len < left / 3 ? len : left / 3));
        corpus_put(c, "\"}");
    }

    corpus_put(c, tail);
}


/* Prose up to end, with the escapes of newlines, tabs and quotes. */

static void
corpus_text(corpus_t *c, char *end)
{
    size_t    i;
    uint32_t  kind;

    static const char  rest[] = "and so on ";

    while (end - c->pos >= CORPUS_TOKEN) {
        kind = corpus_random(c, 1000);

        for (i = 0; i < CORPUS_RATES && kind >= c->rates[i]; i++) {
            kind -= c->rates[i];
        }

        switch (i) {

        case 0:
            corpus_put(c, corpus_pick(c, corpus_beyond));
            break;

        case 1:
            corpus_put(c, "\\\"");
            corpus_put(c, corpus_pick(c, corpus_words));
            corpus_put(c, "\\\"");
            break;

        case 2:
            corpus_put(c, ".\\n\\n");
            continue;

        case 3:
            corpus_put(c, ";\\n\\t");
            continue;

        case 4:
            corpus_put(c, corpus_pick(c, corpus_words));
            corpus_put(c, ".");
            break;

        default:
            corpus_put(c, corpus_pick(c, corpus_words));
        }

        corpus_put(c, " ");
    }

    for (i = 0; c->pos < end; i++) {
        *c->pos++ = rest[i % (sizeof(rest) - 1)];
    }
}


/* Vectors of 1,536 numbers, printed as embeddings are. */

static void
corpus_numbers(corpus_t *c)
{
    int       n, i;
    char      number[CORPUS_TOKEN], *last;
    uint32_t  digits;

    static const char  tail[] = "]],\"temperature\":0.5}";

    corpus_put(c, "{\"model\":\"text-embedding-3-small\",\"vectors\":[[");
    last = c->end - (sizeof(tail) - 1);

    for (n = 0; /* void */ ; n++) {
        digits = 1000000 + corpus_random(c, 89000000);

        if (corpus_random(c, 32) == 0) {
            (void) snprintf(number, sizeof(number), "%s%u.%07ue-05",
                            digits & 1 ? "-" : "", 1 + digits % 9,
                            digits % 10000000);

        } else {
            (void) snprintf(number, sizeof(number), "%s0.0%08u",
                            digits & 1 ? "-" : "", digits);
        }

        corpus_put(c, number);

        if (last - c->pos < 2 * CORPUS_TOKEN) {
            break;
        }

        corpus_put(c, (n + 1) % 1536 == 0 ? "],[" : ",");
    }

    /* the last number has as many digits as there is room for */

    corpus_put(c, ",0.0");

    for (i = 0; c->pos < last; i++) {
        *c->pos++ = (char) ('1' + i % 9);
    }

    corpus_put(c, tail);
}


static void
corpus_put(corpus_t *c, const char *s)
{
    size_t  len;

    len = strlen(s);
    memcpy(c->pos, s, len);
    c->pos += len;
}


/* xorshift64: the bodies are the same wherever they are made. */

static uint32_t
corpus_random(corpus_t *c, uint32_t n)
{
    c->random ^= c->random << 13;
    c->random ^= c->random >> 7;
    c->random ^= c->random << 17;

    return (uint32_t) (c->random >> 32) % n;
}


void
corpus_measure(const char *body, size_t size, corpus_share_t *share)
{
    size_t         i, n, start, strings, numbers, escapes, chars, beyond;
    unsigned char  ch;

    strings = numbers = escapes = chars = beyond = 0;

    for (i = 0; i < size; i++) {

        if (body[i] != '"') {
            n = strchr("-0123456789", body[i]) == NULL ? 0
                : strspn(body + i, "+-.0123456789eE");

            numbers += n;
            chars += n != 0 ? n : 1;
            i += n != 0 ? n - 1 : 0;
            continue;
        }

        start = ++i;

        for ( /* void */ ; i < size && body[i] != '"'; i++) {
            ch = (unsigned char) body[i];

            chars += (ch & 0xc0) != 0x80;
            beyond += ch >= 0xc0;

            if (ch == '\\') {
                escapes += 2;
                chars++;
                i++;
            }
        }

        chars += 2;

        /* what a colon follows is a name */

        if (i + 1 >= size || body[i + 1] != ':') {
            strings += i - start;
        }
    }

    share->strings = (double) strings / (double) size;
    share->numbers = (double) numbers / (double) size;
    share->escapes = (double) escapes / (double) size;
    share->beyond = (double) beyond / (double) chars;
}
