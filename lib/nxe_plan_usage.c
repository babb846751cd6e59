/*
 * A chat that streams says nothing of its tokens unless it is asked to.
 */

#include "nxe_plan_int.h"


static int nxe_plan_true(const nxe_text_t *text, const nxe_json_node_t *node);


nxe_status_t
nxe_places_plan_usage(nxe_places_t *p, const nxe_text_t *text,
    const nxe_mem_t *mem, nxe_code_t *code)
{
    nxe_status_t      rc;
    nxe_json_node_t  *stream, *options, *usage;

    stream = p->at[NXE_AT_STREAM];
    options = p->at[NXE_AT_STREAM_OPTIONS];
    usage = p->at[NXE_AT_INCLUDE_USAGE];

    *code = NXE_CODE_NONE;

    if (stream->twice || options->twice || usage->twice
        || stream->mark != NULL || !nxe_plan_true(text, stream))
    {
        return NXE_OK;
    }

    if (options->type == NXE_JSON_NULL) {
        rc = nxe_places_plan_op(p, text, options, 0,
                                nxe_str("{\"include_usage\":true}"), mem,
                                code);

    } else if (options->type == NXE_JSON_NONE
               || options->type == NXE_JSON_OBJECT)
    {
        rc = nxe_places_plan_op(p, text, usage, 0, nxe_str("true"), mem,
                                code);

    } else {
        return NXE_OK;
    }

    if (*code != NXE_CODE_APPLIED && *code != NXE_CODE_EQUAL) {
        *code = NXE_CODE_NONE;
    }

    return rc;
}


static int
nxe_plan_true(const nxe_text_t *text, const nxe_json_node_t *node)
{
    char  value[sizeof("true") - 1];

    if (node->type != NXE_JSON_BOOL
        || node->value.end - node->value.start != sizeof(value))
    {
        return 0;
    }

    nxe_text_copy(text, node->value, value);

    return value[0] == 't';
}
