
/*
 * Directives, configuration, registration of phases and filters.
 */

#include "ngx_http_experiment_meter.h"
#include "ngx_http_experiment_endpoint.h"


static ngx_int_t ngx_http_experiment_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_experiment_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_experiment_add_handlers(ngx_conf_t *cf,
    ngx_http_experiment_main_conf_t *emcf);
static ngx_int_t ngx_http_experiment_check_upstreams(ngx_conf_t *cf,
    ngx_http_experiment_main_conf_t *emcf);
static ngx_uint_t ngx_http_experiment_uses(ngx_conf_t *cf, const char *name);
static ngx_int_t ngx_http_experiment_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_experiment_init_process(ngx_cycle_t *cycle);
static void ngx_http_experiment_exit_process(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_experiment_post_read(ngx_http_request_t *r);


static ngx_conf_enum_t  ngx_http_experiment_body_values[] = {
    { ngx_string("apply"), 1 },
    { ngx_string("off"), 0 },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_experiment_body_error_values[] = {
    { ngx_string("bypass"), 0 },
    { ngx_string("reject"), 1 },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_experiment_meter_values[] = {
    { ngx_string("off"), NGX_HTTP_EXPERIMENT_METER_OFF },
    { ngx_string("passive"), NGX_HTTP_EXPERIMENT_METER_PASSIVE },
    { ngx_string("on"), NGX_HTTP_EXPERIMENT_METER_ON },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_experiment_traceparent_values[] = {
    { ngx_string("pass"), NGX_HTTP_EXPERIMENT_TRACE_PASS },
    { ngx_string("create"), NGX_HTTP_EXPERIMENT_TRACE_CREATE },
    { ngx_string("off"), NGX_HTTP_EXPERIMENT_TRACE_OFF },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_experiment_commands[] = {

    { ngx_string("experiment_registry"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_http_experiment_set_registry,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("experiment_keys"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_experiment_set_keys,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("experiment_poll"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_experiment_main_conf_t, poll),
      NULL },

    { ngx_string("experiment"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_experiment_set_bind,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("experiment_step"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_experiment_set_step,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_experiment_loc_conf_t, step),
      NULL },

    { ngx_string("experiment_dialect"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_experiment_set_dialect,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("experiment_upstream"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_experiment_set_upstream,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("experiment_body"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_experiment_loc_conf_t, body),
      ngx_http_experiment_body_values },

    { ngx_string("experiment_body_error"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_experiment_loc_conf_t, body_error),
      ngx_http_experiment_body_error_values },

    { ngx_string("experiment_body_max_size"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_experiment_loc_conf_t, body_max_size),
      NULL },

    { ngx_string("experiment_trusted"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_experiment_set_trusted,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("experiment_strip_headers"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_experiment_loc_conf_t, strip),
      NULL },

    { ngx_string("experiment_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_experiment_set_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("experiment_meter"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_experiment_loc_conf_t, meter),
      ngx_http_experiment_meter_values },

    { ngx_string("experiment_stream_unbuffered"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_experiment_loc_conf_t, unbuffered),
      NULL },

    { ngx_string("experiment_warm_after"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_experiment_loc_conf_t, warm_after),
      NULL },

    { ngx_string("experiment_traceparent"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_experiment_loc_conf_t, traceparent),
      ngx_http_experiment_traceparent_values },

    { ngx_string("experiment_baggage"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_experiment_loc_conf_t, baggage),
      NULL },

    { ngx_string("experiment_response_header"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_experiment_set_response_header,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("experiment_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE12,
      ngx_http_experiment_set_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("experiment_ofrep"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_experiment_set_ofrep,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("experiment_feedback"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_experiment_set_feedback,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_experiment_module_ctx = {
    ngx_http_experiment_preconfiguration,  /* preconfiguration */
    ngx_http_experiment_postconfiguration, /* postconfiguration */

    ngx_http_experiment_create_main_conf,  /* create main configuration */
    ngx_http_experiment_init_main_conf,    /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_experiment_create_loc_conf,   /* create location configuration */
    ngx_http_experiment_merge_loc_conf     /* merge location configuration */
};


ngx_module_t  ngx_http_experiment_module = {
    NGX_MODULE_V1,
    &ngx_http_experiment_module_ctx,       /* module context */
    ngx_http_experiment_commands,          /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_experiment_init_module,       /* init module */
    ngx_http_experiment_init_process,      /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_experiment_exit_process,      /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_experiment_preconfiguration(ngx_conf_t *cf)
{
    return ngx_http_experiment_add_variables(cf) == NGX_OK
           ? ngx_http_experiment_add_answer_variables(cf) : NGX_ERROR;
}


static ngx_int_t
ngx_http_experiment_postconfiguration(ngx_conf_t *cf)
{
    ngx_http_experiment_main_conf_t  *emcf;

    emcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_experiment_module);

    emcf->uses_model = ngx_http_experiment_uses(cf, "experiment_model");
    emcf->uses_upstream = ngx_http_experiment_uses(cf, "experiment_upstream");

    if (ngx_http_experiment_check_upstreams(cf, emcf) != NGX_OK) {
        return NGX_ERROR;
    }

    if ((emcf->locations != 0 || emcf->endpoint != NULL)
        && ngx_http_experiment_add_handlers(cf, emcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* also where nothing is bound, and before what edits the answer */

    return emcf->strips ? ngx_http_experiment_strip_init(cf) : NGX_OK;
}


static ngx_int_t
ngx_http_experiment_add_handlers(ngx_conf_t *cf,
    ngx_http_experiment_main_conf_t *emcf)
{
    ngx_str_t                   name;
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    if (emcf->registry.data == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%s\" needs \"experiment_registry\" at the http "
                      "level", emcf->locations != 0 ? "experiment"
                                                    : emcf->endpoint);
        return NGX_ERROR;
    }

    ngx_str_set(&name, "request_id");

    emcf->request_id = ngx_http_get_variable_index(cf, &name);
    if (emcf->request_id == NGX_ERROR) {
        return NGX_ERROR;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_POST_READ_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_experiment_post_read;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_experiment_handler;

    if (ngx_http_experiment_add_zone(cf, emcf) != NGX_OK
        || ngx_http_experiment_count_init(cf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_experiment_filter_init(cf);
}


static ngx_int_t
ngx_http_experiment_check_upstreams(ngx_conf_t *cf,
    ngx_http_experiment_main_conf_t *emcf)
{
    ngx_str_t                       *name;
    ngx_uint_t                       i, j;
    ngx_http_upstream_srv_conf_t   **uscfp;
    ngx_http_upstream_main_conf_t   *umcf;

    if (emcf->upstreams.nelts == 0) {

        if (emcf->uses_upstream) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "$experiment_upstream is used, but there is no "
                          "\"experiment_upstream\" directive");
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    umcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_upstream_module);
    uscfp = umcf->upstreams.elts;
    name = emcf->upstreams.elts;

    for (i = 0; i < emcf->upstreams.nelts; i++) {

        for (j = 0; j < umcf->upstreams.nelts; j++) {

            /* what proxy_pass made of a host has no flags of a block */

            if ((uscfp[j]->flags & NGX_HTTP_UPSTREAM_CREATE)
                && uscfp[j]->host.len == name[i].len
                && ngx_strncasecmp(uscfp[j]->host.data, name[i].data,
                                   name[i].len)
                   == 0)
            {
                break;
            }
        }

        if (j == umcf->upstreams.nelts) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"experiment_upstream\" names \"%V\", which is no "
                          "upstream block", &name[i]);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* 1 if the configuration evaluates a variable anywhere. */

static ngx_uint_t
ngx_http_experiment_uses(ngx_conf_t *cf, const char *name)
{
    size_t                      len;
    ngx_uint_t                  i;
    ngx_http_variable_t        *v;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    v = cmcf->variables.elts;
    len = ngx_strlen(name);

    for (i = 0; i < cmcf->variables.nelts; i++) {
        if (v[i].name.len == len
            && ngx_strncmp(v[i].name.data, name, len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_experiment_init_module(ngx_cycle_t *cycle)
{
    ngx_http_experiment_main_conf_t  *emcf;

    emcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_experiment_module);

    if (emcf == NULL || !emcf->required) {
        return NGX_OK;
    }

    return ngx_http_experiment_check_required(cycle, emcf);
}


static ngx_int_t
ngx_http_experiment_init_process(ngx_cycle_t *cycle)
{
    ngx_http_experiment_main_conf_t  *emcf;

    /* cache manager and loader come here too */

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    emcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_experiment_module);

    if (emcf == NULL || emcf->registry.data == NULL) {
        return NGX_OK;
    }

    return ngx_http_experiment_init_worker(cycle, emcf);
}


static void
ngx_http_experiment_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_experiment_main_conf_t  *emcf;

    emcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_experiment_module);

    if (emcf != NULL) {
        ngx_http_experiment_exit_worker(emcf);
    }
}


/* The request's clock starts here. */

static ngx_int_t
ngx_http_experiment_post_read(ngx_http_request_t *r)
{
    ngx_http_experiment_ctx_t  *ctx;

    ctx = ngx_http_experiment_create_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    (void) clock_gettime(CLOCK_REALTIME, &ctx->start);
    (void) clock_gettime(CLOCK_MONOTONIC, &ctx->mono);

    return NGX_DECLINED;
}
