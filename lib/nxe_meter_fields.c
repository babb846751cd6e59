/*
 * Where each API says what.
 */

#include "nxe_meter_int.h"


#define nxe_meter_field(name, field)                                          \
    { { name, sizeof(name) - 1 }, field, NULL }
#define nxe_meter_in(name, field, in)                                         \
    { { name, sizeof(name) - 1 }, field, in }
#define nxe_meter_count(name, what)                                           \
    nxe_meter_field(name, NXE_METER_COUNT + NXE_TOKENS_ ## what)
#define nxe_meter_root(in)  { { "", 0 }, 0, in }


/* openai_chat: chunks and answers differ in "delta" and "message" alone. */

static const nxe_pick_node_t  nxe_meter_chat_call[] = {
    nxe_meter_field("id", NXE_METER_CALL_ID),
    nxe_pick_end_of_list
};

static const nxe_pick_node_t  nxe_meter_chat_calls[] = {
    nxe_meter_in("*", 0, nxe_meter_chat_call),
    nxe_pick_end_of_list
};

static const nxe_pick_node_t  nxe_meter_chat_message[] = {
    nxe_meter_field("content", NXE_METER_CONTENT),
    nxe_meter_field("reasoning_content", NXE_METER_CONTENT),
    nxe_meter_field("reasoning", NXE_METER_CONTENT),
    nxe_meter_field("refusal", NXE_METER_REFUSAL),
    nxe_meter_in("tool_calls", NXE_METER_CALLS, nxe_meter_chat_calls),
    nxe_pick_end_of_list
};

static const nxe_pick_node_t  nxe_meter_chat_choice[] = {
    nxe_meter_in("delta", 0, nxe_meter_chat_message),
    nxe_meter_in("message", 0, nxe_meter_chat_message),
    nxe_meter_field("finish_reason", NXE_METER_REASON),
    nxe_pick_end_of_list
};

static const nxe_pick_node_t  nxe_meter_chat_choices[] = {
    nxe_meter_in("*", 0, nxe_meter_chat_choice),
    nxe_pick_end_of_list
};

static const nxe_pick_node_t  nxe_meter_chat_input[] = {
    nxe_meter_count("cached_tokens", CACHED),
    nxe_meter_count("cache_write_tokens", CACHE_WRITE),
    nxe_pick_end_of_list
};

static const nxe_pick_node_t  nxe_meter_output[] = {
    nxe_meter_count("reasoning_tokens", REASONING),
    nxe_pick_end_of_list
};

static const nxe_pick_node_t  nxe_meter_chat_usage[] = {
    nxe_meter_count("prompt_tokens", INPUT),
    nxe_meter_count("completion_tokens", OUTPUT),
    nxe_meter_in("prompt_tokens_details", 0, nxe_meter_chat_input),
    nxe_meter_in("completion_tokens_details", 0, nxe_meter_output),
    nxe_pick_end_of_list
};

static const nxe_pick_node_t  nxe_meter_chat_members[] = {
    nxe_meter_field("model", NXE_METER_MODEL),
    nxe_meter_in("choices", NXE_METER_LIST, nxe_meter_chat_choices),
    nxe_meter_in("usage", NXE_METER_USAGE, nxe_meter_chat_usage),
    nxe_meter_field("error", NXE_METER_ERROR),
    nxe_pick_end_of_list
};


/* openai_responses */

static const nxe_pick_node_t  nxe_meter_responses_usage[] = {
    nxe_meter_count("input_tokens", INPUT),
    nxe_meter_count("output_tokens", OUTPUT),
    nxe_meter_in("input_tokens_details", 0, nxe_meter_chat_input),
    nxe_meter_in("output_tokens_details", 0, nxe_meter_output),
    nxe_pick_end_of_list
};

static const nxe_pick_node_t  nxe_meter_reason[] = {
    nxe_meter_field("reason", NXE_METER_REASON),
    nxe_pick_end_of_list
};

static const nxe_pick_node_t  nxe_meter_responses_response[] = {
    nxe_meter_field("model", NXE_METER_MODEL),
    nxe_meter_field("status", NXE_METER_STATUS),
    nxe_meter_in("incomplete_details", 0, nxe_meter_reason),
    nxe_meter_in("usage", 0, nxe_meter_responses_usage),
    nxe_pick_end_of_list
};

static const nxe_pick_node_t  nxe_meter_block_type[] = {
    nxe_meter_field("type", NXE_METER_BLOCK),
    nxe_pick_end_of_list
};

static const nxe_pick_node_t  nxe_meter_responses_event_members[] = {
    nxe_meter_field("type", NXE_METER_TYPE),
    nxe_meter_field("delta", NXE_METER_DELTA),
    nxe_meter_in("item", 0, nxe_meter_block_type),
    nxe_meter_in("response", 0, nxe_meter_responses_response),
    nxe_pick_end_of_list
};


/* Blocks: of an answer, of an item of it, of what a tool gave back. */

static const nxe_pick_node_t  nxe_meter_inner[] = {
    nxe_meter_field("type", NXE_METER_BLOCK),
    nxe_meter_field("text", NXE_METER_CONTENT),
    nxe_meter_field("refusal", NXE_METER_CONTENT),
    nxe_pick_end_of_list
};

static const nxe_pick_node_t  nxe_meter_inners[] = {
    nxe_meter_in("*", 0, nxe_meter_inner),
    nxe_pick_end_of_list
};

static const nxe_pick_node_t  nxe_meter_block[] = {
    nxe_meter_field("type", NXE_METER_BLOCK),
    nxe_meter_field("text", NXE_METER_CONTENT),
    nxe_meter_field("refusal", NXE_METER_CONTENT),
    nxe_meter_in("content", 0, nxe_meter_inners),
    nxe_pick_end_of_list
};

static const nxe_pick_node_t  nxe_meter_blocks[] = {
    nxe_meter_in("*", 0, nxe_meter_block),
    nxe_pick_end_of_list
};

static const nxe_pick_node_t  nxe_meter_responses_members[] = {
    nxe_meter_field("model", NXE_METER_MODEL),
    nxe_meter_field("status", NXE_METER_STATUS),
    nxe_meter_in("incomplete_details", 0, nxe_meter_reason),
    nxe_meter_field("error", NXE_METER_ERROR),
    nxe_meter_in("output", NXE_METER_LIST, nxe_meter_blocks),
    nxe_meter_in("usage", 0, nxe_meter_responses_usage),
    nxe_pick_end_of_list
};


/* anthropic */

static const nxe_pick_node_t  nxe_meter_anthropic_usage[] = {
    nxe_meter_count("input_tokens", INPUT),
    nxe_meter_count("output_tokens", OUTPUT),
    nxe_meter_count("cache_read_input_tokens", CACHED),
    nxe_meter_count("cache_creation_input_tokens", CACHE_WRITE),
    nxe_pick_end_of_list
};

static const nxe_pick_node_t  nxe_meter_anthropic_message[] = {
    nxe_meter_field("model", NXE_METER_MODEL),
    nxe_meter_in("usage", 0, nxe_meter_anthropic_usage),
    nxe_pick_end_of_list
};

static const nxe_pick_node_t  nxe_meter_anthropic_delta[] = {
    nxe_meter_field("text", NXE_METER_DELTA),
    nxe_meter_field("thinking", NXE_METER_DELTA),
    nxe_meter_field("partial_json", NXE_METER_DELTA),
    nxe_meter_field("stop_reason", NXE_METER_REASON),
    nxe_pick_end_of_list
};

static const nxe_pick_node_t  nxe_meter_anthropic_event_members[] = {
    nxe_meter_field("type", NXE_METER_TYPE),
    nxe_meter_in("delta", 0, nxe_meter_anthropic_delta),
    nxe_meter_in("content_block", 0, nxe_meter_block_type),
    nxe_meter_in("message", 0, nxe_meter_anthropic_message),
    nxe_meter_in("usage", 0, nxe_meter_anthropic_usage),
    nxe_pick_end_of_list
};

static const nxe_pick_node_t  nxe_meter_anthropic_members[] = {
    nxe_meter_field("type", NXE_METER_TYPE),
    nxe_meter_field("model", NXE_METER_MODEL),
    nxe_meter_in("content", NXE_METER_LIST, nxe_meter_blocks),
    nxe_meter_field("stop_reason", NXE_METER_REASON),
    nxe_meter_in("usage", 0, nxe_meter_anthropic_usage),
    nxe_pick_end_of_list
};


static const nxe_pick_node_t  nxe_meter_roots[][2] = {
    { nxe_meter_root(nxe_meter_chat_members),
      nxe_meter_root(nxe_meter_chat_members) },
    { nxe_meter_root(nxe_meter_responses_members),
      nxe_meter_root(nxe_meter_responses_event_members) },
    { nxe_meter_root(nxe_meter_anthropic_members),
      nxe_meter_root(nxe_meter_anthropic_event_members) }
};


const nxe_pick_node_t *
nxe_meter_fields(nxe_dialect_t dialect, int stream)
{
    switch (dialect) {
    case NXE_DIALECT_OPENAI_CHAT:
        return &nxe_meter_roots[0][stream];
    case NXE_DIALECT_OPENAI_RESPONSES:
        return &nxe_meter_roots[1][stream];
    case NXE_DIALECT_ANTHROPIC:
        return &nxe_meter_roots[2][stream];
    default:
        return NULL;
    }
}
