
/*
 * The directives' values: what they are at first, what is inherited, what does
 * not go together.
 */

#include "ngx_http_experiment_endpoint.h"


void *
ngx_http_experiment_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_experiment_main_conf_t  *emcf;

    emcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_experiment_main_conf_t));
    if (emcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     emcf->registry = { 0, NULL };
     *     emcf->required = 0;
     *     emcf->unit_key = NULL;
     *     emcf->locations = 0;
     *     emcf->endpoint = NULL;
     *     emcf->worker = NULL;
     */

    emcf->poll = NGX_CONF_UNSET_MSEC;

    if (ngx_array_init(&emcf->upstreams, cf->pool, 4, sizeof(ngx_str_t))
        != NGX_OK)
    {
        return NULL;
    }

    return emcf;
}


char *
ngx_http_experiment_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_experiment_main_conf_t  *emcf = conf;

    char  *cpu;

    ngx_conf_init_msec_value(emcf->poll, 250);

    cpu = getenv("NXE_CPU");

    if (nxe_json_cpu(cpu, &emcf->cpu) != NXE_OK) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "NXE_CPU is \"%s\", which this processor has not", cpu);
        (void) nxe_json_cpu(NULL, &emcf->cpu);
    }

    if (emcf->poll == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"experiment_poll\" must be above zero");
        return NGX_CONF_ERROR;
    }

    if (emcf->registry.data != NULL && emcf->unit_key == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"experiment_registry\" needs \"experiment_keys\", "
                      "a file that \"expctl init\" makes");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


void *
ngx_http_experiment_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_experiment_loc_conf_t  *elcf;

    elcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_experiment_loc_conf_t));
    if (elcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     elcf->step = NULL;
     *     elcf->index = 0;
     *     elcf->no_upstream_logged = 0;
     *     elcf->endpoint = NULL;
     *     elcf->handler = NULL;
     *     elcf->bound = 0;
     *     elcf->open = 0;
     *     elcf->secrets = NULL;
     *     elcf->feedback = NULL;
     *     elcf->format = 0;
     *     elcf->page = NULL;
     *     elcf->hosts = NULL;
     */

    elcf->bind = NGX_CONF_UNSET_UINT;
    elcf->names = NGX_CONF_UNSET_PTR;
    elcf->dialect = NGX_CONF_UNSET_UINT;
    elcf->upstreams = NGX_CONF_UNSET_PTR;
    elcf->body = NGX_CONF_UNSET_UINT;
    elcf->body_error = NGX_CONF_UNSET_UINT;
    elcf->body_max_size = NGX_CONF_UNSET_SIZE;
    elcf->trusted = NGX_CONF_UNSET_PTR;
    elcf->strip = NGX_CONF_UNSET;
    elcf->meter = NGX_CONF_UNSET_UINT;
    elcf->unbuffered = NGX_CONF_UNSET;
    elcf->warm_after = NGX_CONF_UNSET_MSEC;
    elcf->traceparent = NGX_CONF_UNSET_UINT;
    elcf->baggage = NGX_CONF_UNSET;
    elcf->response_header = NGX_CONF_UNSET_PTR;

    return elcf;
}


char *
ngx_http_experiment_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_experiment_loc_conf_t  *prev = parent;
    ngx_http_experiment_loc_conf_t  *conf = child;

    ngx_http_core_loc_conf_t         *clcf;
    ngx_http_experiment_main_conf_t  *emcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* what took the location over would answer without asking for a key */

    if (conf->endpoint != NULL && clcf->handler != conf->handler) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%s\" in location \"%V\", where another directive "
                      "answers, too", conf->endpoint, &clcf->name);
        return NGX_CONF_ERROR;
    }

    if (conf->hosts != NULL
        && ngx_http_experiment_status_hosts(cf, conf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    /* of an "if" nginx runs the location's handler, which has to find this */

    if (clcf->noname && clcf->handler == NULL && prev->endpoint != NULL) {
        conf->endpoint = prev->endpoint;
        conf->handler = prev->handler;
        conf->bound = prev->bound;
        conf->open = prev->open;
        conf->secrets = prev->secrets;
        conf->feedback = prev->feedback;
        conf->format = prev->format;
        conf->page = prev->page;
        conf->hosts = prev->hosts;

        /* of a "limit_except" it does not */

        if (clcf->lmt_excpt) {
            clcf->handler = prev->handler;
        }
    }

    if (conf->bind == NGX_CONF_UNSET_UINT) {
        ngx_conf_merge_uint_value(conf->bind, prev->bind,
                                  NGX_HTTP_EXPERIMENT_OFF);
        ngx_conf_merge_ptr_value(conf->names, prev->names, NULL);
    }

    if (conf->bound && conf->bind == NGX_HTTP_EXPERIMENT_OFF) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%s\" in location \"%V\", where no experiment is "
                      "bound: expected \"experiment on\", layers or names "
                      "there", conf->endpoint, &clcf->name);
        return NGX_CONF_ERROR;
    }

    if (conf->step == NULL) {
        conf->step = prev->step;
    }

    ngx_conf_merge_uint_value(conf->dialect, prev->dialect,
                              NGX_HTTP_EXPERIMENT_AUTO);
    ngx_conf_merge_ptr_value(conf->upstreams, prev->upstreams, NULL);
    ngx_conf_merge_uint_value(conf->body, prev->body, 1);
    ngx_conf_merge_uint_value(conf->body_error, prev->body_error, 0);
    ngx_conf_merge_size_value(conf->body_max_size, prev->body_max_size,
                              8 * 1024 * 1024);
    ngx_conf_merge_ptr_value(conf->trusted, prev->trusted, NULL);
    ngx_conf_merge_value(conf->strip, prev->strip, 1);
    ngx_conf_merge_uint_value(conf->meter, prev->meter,
                              NGX_HTTP_EXPERIMENT_METER_ON);
    ngx_conf_merge_value(conf->unbuffered, prev->unbuffered, 1);
    ngx_conf_merge_msec_value(conf->warm_after, prev->warm_after, 60000);
    ngx_conf_merge_uint_value(conf->traceparent, prev->traceparent,
                              NGX_HTTP_EXPERIMENT_TRACE_PASS);
    ngx_conf_merge_value(conf->baggage, prev->baggage, 0);
    ngx_conf_merge_ptr_value(conf->response_header, prev->response_header,
                             NULL);

    emcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_experiment_module);

    if (conf->bind != NGX_HTTP_EXPERIMENT_OFF) {
        conf->index = emcf->locations++;
    }

    if (conf->strip) {
        emcf->strips = 1;
    }

    if (conf->bind != NGX_HTTP_EXPERIMENT_OFF && !conf->unbuffered
        && conf->meter != NGX_HTTP_EXPERIMENT_METER_OFF && !emcf->buffers)
    {
        emcf->buffers = 1;
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"experiment_stream_unbuffered off\": streams are "
                           "not timed there, neither TTFT nor what comes "
                           "after it");
    }

    return NGX_CONF_OK;
}
