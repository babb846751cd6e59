#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "events.h"


#define EVENTS_SIZE    1024      /* an event, at most */
#define EVENTS_AROUND  6         /* before the content, and behind it */
#define EVENTS_PAD     16        /* a word and its padding */

typedef struct {
    const char         *name;
    const char         *uri;
    const char         *before[EVENTS_AROUND];
    const char         *delta[3];   /* around a word and its padding */
    const char         *after[EVENTS_AROUND];
} events_api_t;


static void events_delta(char *buf, const events_api_t *api, size_t i);
static int events_put(events_t *e, const char *data, int asked);
static size_t events_text(char *text, const char *data, int asked);


static const char  events_head[] =
    "HTTP/1.1 200 OK\r\n"
    "Content-Type: text/event-stream; charset=utf-8\r\n"
    "Cache-Control: no-cache\r\n"
    "Transfer-Encoding: chunked\r\n"
    "Connection: keep-alive\r\n\r\n";

/* The members that asking for usage adds to each chunk of a chat. */

static const char  events_null[] = ",\"usage\":null";

static const char  events_usage[] = ",\"choices\":[],\"usage\":{";

static const char *const  events_words[] = {
    " parcel", " left", " the", " depot", ".\\n\\n", " and", " \\\"today\\\"",
    " arrives", " at", " your", " address", ",", " tomorrow", " morning"
};

#define EVENTS_WORDS  (sizeof(events_words) / sizeof(events_words[0]))

#define EVENTS_META                                                           \
    "data: {\"id\":\"chatcmpl-CgS3yT0mZ1qK8bXvN5hLr2WcPdA4e\","               \
    "\"object\":\"chat.completion.chunk\",\"created\":1795132800,"            \
    "\"model\":\"gpt-4o-mini-2024-07-18\",\"service_tier\":\"default\","      \
    "\"system_fingerprint\":\"fp_51db84afab\""

#define EVENTS_CHUNK  EVENTS_META ",\"choices\":[{\"index\":0,"

#define EVENTS_CHUNK_END  "}],\"usage\":null,\"obfuscation\":\""

#define EVENTS_MSG                                                            \
    "\"item_id\":\"msg_68f1c0a4b2d88191a3e5c7f90b1d2e3f\","                   \
    "\"output_index\":0,\"content_index\":0,"

#define EVENTS_RESPONSE                                                       \
    "\"response\":{\"id\":\"resp_68f1c0a3e4f48191b7d9a1c3e5f70912\","         \
    "\"object\":\"response\",\"created_at\":1795132800,"                      \
    "\"model\":\"gpt-4o-mini-2024-07-18\",\"output\":[],\"status\":"

/* The numbers of Responses' deltas are all alike: nobody reads them here. */

static const events_api_t  events_apis[] = {

    /* the first is the chat, which alone says its usage when asked */

    { "chat", "/stream/v1/chat/completions",
      { EVENTS_CHUNK "\"delta\":{\"role\":\"assistant\",\"content\":\"\","
        "\"refusal\":null},\"logprobs\":null,\"finish_reason\":null"
        EVENTS_CHUNK_END "k3Jd9s\"}" },
      { EVENTS_CHUNK "\"delta\":{\"content\":\"",
        "\"},\"logprobs\":null,\"finish_reason\":null" EVENTS_CHUNK_END,
        "\"}" },
      { EVENTS_CHUNK "\"delta\":{},\"logprobs\":null,"
        "\"finish_reason\":\"stop\"" EVENTS_CHUNK_END "t0Qx\"}",
        EVENTS_META ",\"choices\":[],\"usage\":{\"prompt_tokens\":210,"
        "\"completion_tokens\":496,\"total_tokens\":706,"
        "\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0},"
        "\"completion_tokens_details\":{\"reasoning_tokens\":0,"
        "\"audio_tokens\":0,\"accepted_prediction_tokens\":0,"
        "\"rejected_prediction_tokens\":0}},\"obfuscation\":\"Zq7\"}",
        "data: [DONE]" } },

    { "responses", "/stream/v1/responses",
      { "event: response.created\ndata: {\"type\":\"response.created\","
        "\"sequence_number\":0," EVENTS_RESPONSE "\"in_progress\","
        "\"usage\":null}}",
        "event: response.in_progress\n"
        "data: {\"type\":\"response.in_progress\",\"sequence_number\":1,"
        EVENTS_RESPONSE "\"in_progress\",\"usage\":null}}",
        "event: response.output_item.added\n"
        "data: {\"type\":\"response.output_item.added\","
        "\"sequence_number\":2,\"output_index\":0,\"item\":{\"id\":"
        "\"msg_68f1c0a4b2d88191a3e5c7f90b1d2e3f\",\"type\":\"message\","
        "\"status\":\"in_progress\",\"content\":[],"
        "\"role\":\"assistant\"}}",
        "event: response.content_part.added\n"
        "data: {\"type\":\"response.content_part.added\","
        "\"sequence_number\":3," EVENTS_MSG "\"part\":{\"type\":"
        "\"output_text\",\"annotations\":[],\"logprobs\":[],"
        "\"text\":\"\"}}" },
      { "event: response.output_text.delta\n"
        "data: {\"type\":\"response.output_text.delta\","
        "\"sequence_number\":104," EVENTS_MSG "\"delta\":\"",
        "\",\"logprobs\":[],\"obfuscation\":\"", "\"}" },
      { "event: response.output_text.done\n"
        "data: {\"type\":\"response.output_text.done\","
        "\"sequence_number\":497," EVENTS_MSG "\"text\":\"The parcel.\","
        "\"logprobs\":[]}",
        "event: response.completed\ndata: {\"type\":\"response.completed\","
        "\"sequence_number\":500," EVENTS_RESPONSE "\"completed\","
        "\"usage\":{\"input_tokens\":210,\"input_tokens_details\":"
        "{\"cached_tokens\":0},\"output_tokens\":496,"
        "\"output_tokens_details\":{\"reasoning_tokens\":0},"
        "\"total_tokens\":706}}}" } },

    { "messages", "/stream/v1/messages",
      { "event: message_start\ndata: {\"type\":\"message_start\","
        "\"message\":{\"id\":\"msg_01QbC2dE4fG6hJ8kL0mN2pR4\","
        "\"type\":\"message\",\"role\":\"assistant\","
        "\"model\":\"claude-sonnet-4-5-20250929\",\"content\":[],"
        "\"stop_reason\":null,\"stop_sequence\":null,\"usage\":"
        "{\"input_tokens\":210,\"cache_creation_input_tokens\":0,"
        "\"cache_read_input_tokens\":0,\"output_tokens\":1}}}",
        "event: content_block_start\n"
        "data: {\"type\":\"content_block_start\",\"index\":0,"
        "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}",
        "event: ping\ndata: {\"type\": \"ping\"}" },
      { "event: content_block_delta\n"
        "data: {\"type\":\"content_block_delta\",\"index\":0,"
        "\"delta\":{\"type\":\"text_delta\",\"text\":\"", NULL, "\"}}" },
      { "event: content_block_stop\n"
        "data: {\"type\":\"content_block_stop\",\"index\":0}",
        "event: message_delta\ndata: {\"type\":\"message_delta\","
        "\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},"
        "\"usage\":{\"input_tokens\":210,\"cache_creation_input_tokens\":0,"
        "\"cache_read_input_tokens\":0,\"output_tokens\":496}}",
        "event: message_stop\ndata: {\"type\":\"message_stop\"}" } }
};

#define EVENTS_APIS  (sizeof(events_apis) / sizeof(events_apis[0]))


int
events_make(events_t *e, const char *name, size_t n, int asked)
{
    char                 buf[EVENTS_SIZE];
    size_t               i, before, after;
    const events_api_t  *api;

    for (i = 0; i < EVENTS_APIS; i++) {
        if (strcmp(name, events_apis[i].name) == 0) {
            break;
        }
    }

    memset(e, 0, sizeof(events_t));

    if (i == EVENTS_APIS || n < EVENTS_MIN) {
        return 0;
    }

    api = &events_apis[i];
    asked = asked || api != events_apis;

    for (before = 0; api->before[before] != NULL; before++) { /* void */ }
    for (after = 0; api->after[after] != NULL; after++) { /* void */ }

    e->uri = api->uri;
    e->content = before;
    e->events = calloc(n, sizeof(events_one_t));
    e->text = malloc(n * EVENTS_SIZE);

    if (e->events == NULL || e->text == NULL) {
        return 0;
    }

    for (i = 0; i < n; i++) {

        if (i >= before && i < n - after) {
            events_delta(buf, api, i);

        } else {
            (void) snprintf(buf, sizeof(buf), "%s\n\n",
                            i < before ? api->before[i]
                                       : api->after[i - (n - after)]);
        }

        if (!events_put(e, buf, asked)) {
            return 0;
        }
    }

    /* the end of the answer comes with its last event */

    memcpy(e->events[n - 1].wire + e->events[n - 1].len, "0\r\n\r\n", 5);
    e->events[n - 1].len += 5;

    return 1;
}


/* Words of any length make events of one. */

static void
events_delta(char *buf, const events_api_t *api, size_t i)
{
    const char         *word;

    static const char   pad[EVENTS_PAD + 1] = "k3Jd9sLqPt0QxZ7b";

    word = events_words[i % EVENTS_WORDS];

    (void) snprintf(buf, EVENTS_SIZE, "%s%s%s%s%s\n\n", api->delta[0], word,
                    api->delta[1] != NULL ? api->delta[1] : "",
                    api->delta[1] != NULL ? pad + strlen(word) : "",
                    api->delta[2]);
}


static int
events_put(events_t *e, const char *data, int asked)
{
    events_one_t  *one;

    one = &e->events[e->n];
    one->wire = malloc(sizeof(events_head) + EVENTS_SIZE + 32);

    if (one->wire == NULL) {
        return 0;
    }

    one->len = (size_t) snprintf(one->wire,
                                 sizeof(events_head) + EVENTS_SIZE + 16,
                                 "%s%zx\r\n%s\r\n",
                                 e->n == 0 ? events_head : "", strlen(data),
                                 data);

    e->text_len += events_text(e->text + e->text_len, data, asked);
    one->end = e->text_len;
    e->n++;

    return 1;
}


/* What a client gets of an event. */

static size_t
events_text(char *text, const char *data, int asked)
{
    size_t       len, before;
    const char  *null;

    len = strlen(data);

    if (!asked && strstr(data, events_usage) != NULL) {
        return 0;
    }

    null = asked ? NULL : strstr(data, events_null);

    if (null == NULL) {
        memcpy(text, data, len);
        return len;
    }

    before = (size_t) (null - data);
    len -= before + sizeof(events_null) - 1;

    memcpy(text, data, before);
    memcpy(text + before, null + sizeof(events_null) - 1, len);

    return before + len;
}
