
/*
 * The context of an evaluation: the unit that it names, and what it says for
 * the sources of documents.
 */

#include "ngx_http_experiment_endpoint.h"


/* Members of a context: each flag looks at them, and a client sends them. */

#define NGX_HTTP_EXPERIMENT_MEMBERS  256


static ngx_uint_t ngx_http_experiment_context_large(nxe_str_t context);
static ngx_int_t ngx_http_experiment_context_unit(
    ngx_http_experiment_ctx_t *ctx, const nxe_text_t *text,
    nxe_json_node_t *node, const char **code, const char **details);
static nxe_status_t ngx_http_experiment_context_pointer(
    ngx_http_experiment_ctx_t *ctx, nxe_str_t pointer, nxe_str_t *value);
static nxe_status_t ngx_http_experiment_context_names(
    ngx_http_experiment_ctx_t *ctx);


/* NGX_DECLINED: the body is to be refused, with code and details. */

ngx_int_t
ngx_http_experiment_context(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, const char **code, const char **details)
{
    nxe_text_t                        text;
    nxe_json_node_t                   root, *context, *unit;
    nxe_json_cause_t                  cause;
    nxe_json_result_t                 result;
    ngx_http_experiment_ofrep_t      *o;
    ngx_http_experiment_main_conf_t  *emcf;

    o = ctx->data;
    emcf = ngx_http_get_module_main_conf(r, ngx_http_experiment_module);

    ngx_memzero(&root, sizeof(nxe_json_node_t));
    root.index = NXE_JSON_NO_INDEX;

    if (nxe_json_target(&root, nxe_str("/context"), &ctx->mem, &context)
            != NXE_OK
        || nxe_json_target(&root, nxe_str("/context/targetingKey"),
                           &ctx->mem, &unit)
           != NXE_OK)
    {
        return NGX_ERROR;
    }

    text.segs = &o->body;
    text.n = 1;

    cause = nxe_json_scan(&text, &root, NXE_JSON_ROOT_OBJECT|emcf->cpu,
                          &result);

    if (cause != NXE_JSON_OK) {
        *code = "PARSE_ERROR";
        *details = cause == NXE_JSON_UTF8
                   ? "the body is not valid UTF-8 without a byte order mark"
                   : cause == NXE_JSON_DEEP
                   ? "the body is nested deeper than 512 levels"
                   : "the body is no JSON object";
        return NGX_DECLINED;
    }

    if (context->twice || context->type != NXE_JSON_OBJECT) {
        *code = "INVALID_CONTEXT";
        *details = "expected one \"context\", an object with "
                   "\"targetingKey\"";
        return NGX_DECLINED;
    }

    o->context.data = o->body.data + context->value.start;
    o->context.len = context->value.end - context->value.start;

    if (ngx_http_experiment_context_large(o->context)) {
        *code = "INVALID_CONTEXT";
        *details = "expected at most 256 members in \"context\"";
        return NGX_DECLINED;
    }

    return ngx_http_experiment_context_unit(ctx, &text, unit, code, details);
}


static ngx_uint_t
ngx_http_experiment_context_large(nxe_str_t context)
{
    ngx_uint_t       n;
    nxe_json_walk_t  w;

    n = 0;

    for (nxe_json_walk(&w, context); nxe_json_walk_next(&w); ) {
        if (++n > NGX_HTTP_EXPERIMENT_MEMBERS) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_experiment_context_unit(ngx_http_experiment_ctx_t *ctx,
    const nxe_text_t *text, nxe_json_node_t *node, const char **code,
    const char **details)
{
    nxe_status_t                  rc;
    ngx_http_experiment_ofrep_t  *o;

    o = ctx->data;

    if (!node->twice
        && (node->type == NXE_JSON_NONE || node->type == NXE_JSON_NULL
            || (node->type == NXE_JSON_STRING
                && node->value.end - node->value.start == 2)))
    {
        *code = "TARGETING_KEY_MISSING";
        *details = "expected \"targetingKey\" in \"context\", the unit";
        return NGX_DECLINED;
    }

    rc = node->type == NXE_JSON_STRING
         ? nxe_places_value(text, node, &ctx->mem, &o->unit) : NXE_DECLINED;

    if (rc == NXE_DECLINED) {
        *code = "INVALID_CONTEXT";
        *details = "expected one \"targetingKey\", a string of 1 to 256 "
                   "bytes";
        return NGX_DECLINED;
    }

    return rc == NXE_OK ? NGX_OK : NGX_ERROR;
}


/*
 * What a context says for a source: json: points into it, and of any other
 * source it has the value in a member of that name, "header:X-Tenant".
 * Nothing is there that is there twice.
 */

nxe_status_t
ngx_http_experiment_context_attr(void *data, const nxe_source_t *source,
    nxe_str_t *value)
{
    nxe_text_t                    text;
    ngx_uint_t                    i;
    nxe_json_node_t               node;
    ngx_http_experiment_ctx_t    *ctx;
    ngx_http_experiment_named_t  *named, *found;
    ngx_http_experiment_ofrep_t  *o;

    ctx = data;
    o = ctx->data;

    if (source->type == NXE_SOURCE_JSON) {
        return ngx_http_experiment_context_pointer(ctx, source->name, value);
    }

    if (o->named == NULL
        && ngx_http_experiment_context_names(ctx) != NXE_OK)
    {
        return NXE_NOMEM;
    }

    named = o->named->elts;
    found = NULL;

    for (i = 0; i < o->named->nelts; i++) {

        if (named[i].source.type != source->type
            || !nxe_str_eq(named[i].source.name, source->name))
        {
            continue;
        }

        if (found != NULL) {
            return NXE_DECLINED;
        }

        found = &named[i];
    }

    if (found == NULL) {
        return NXE_DECLINED;
    }

    text.segs = &found->value;
    text.n = 1;

    ngx_memzero(&node, sizeof(nxe_json_node_t));
    node.type = found->type;
    node.value.end = found->value.len;

    return nxe_places_value(&text, &node, &ctx->mem, value);
}


static nxe_status_t
ngx_http_experiment_context_pointer(ngx_http_experiment_ctx_t *ctx,
    nxe_str_t pointer, nxe_str_t *value)
{
    nxe_text_t                        text;
    nxe_status_t                      rc;
    nxe_json_node_t                   root, *node;
    nxe_json_result_t                 result;
    ngx_http_experiment_ofrep_t      *o;
    ngx_http_experiment_main_conf_t  *emcf;

    o = ctx->data;
    emcf = ctx->snapshot->worker->emcf;

    ngx_memzero(&root, sizeof(nxe_json_node_t));
    root.index = NXE_JSON_NO_INDEX;

    rc = nxe_json_target(&root, pointer, &ctx->mem, &node);

    if (rc != NXE_OK) {
        return rc == NXE_NOMEM ? NXE_NOMEM : NXE_DECLINED;
    }

    text.segs = &o->context;
    text.n = 1;

    if (nxe_json_scan(&text, &root, emcf->cpu, &result) != NXE_JSON_OK) {
        return NXE_DECLINED;
    }

    return nxe_places_value(&text, node, &ctx->mem, value);
}


/* The members that are named as sources are, found once for all flags. */

static nxe_status_t
ngx_http_experiment_context_names(ngx_http_experiment_ctx_t *ctx)
{
    nxe_str_t                     key;
    nxe_source_t                  source;
    nxe_status_t                  rc;
    nxe_json_walk_t               w;
    ngx_http_experiment_named_t  *named;
    ngx_http_experiment_ofrep_t  *o;

    o = ctx->data;

    o->named = ngx_array_create(ctx->request->pool, 4,
                                sizeof(ngx_http_experiment_named_t));
    if (o->named == NULL) {
        return NXE_NOMEM;
    }

    for (nxe_json_walk(&w, o->context); nxe_json_walk_next(&w); ) {

        rc = nxe_json_unescape(w.key, NXE_UNIT_MAX, &ctx->mem, &key);

        if (rc == NXE_OK) {
            rc = nxe_source_parse(key, &ctx->mem, &source);
        }

        if (rc == NXE_NOMEM) {
            return NXE_NOMEM;
        }

        if (rc != NXE_OK) {
            continue;
        }

        named = ngx_array_push(o->named);
        if (named == NULL) {
            return NXE_NOMEM;
        }

        named->source = source;
        named->value = w.value;
        named->type = w.type;
    }

    return NXE_OK;
}
