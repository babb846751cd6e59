
/*
 * What a worker has taken already: sets of a few ids each, of which a new one
 * puts the oldest out.
 */

#include "ngx_http_experiment.h"


#define NGX_HTTP_EXPERIMENT_SETS  4096
#define NGX_HTTP_EXPERIMENT_WAYS  4


/* 1 if it was there; else it is, from now on. */

ngx_uint_t
ngx_http_experiment_zone_seen(ngx_http_experiment_main_conf_t *emcf,
    const u_char hash[NXE_FEEDBACK_ID])
{
    u_char                        (*set)[NXE_FEEDBACK_ID];
    ngx_uint_t                      i;
    ngx_http_experiment_worker_t   *w;

    w = emcf->worker;

    if (w->seen == NULL) {
        w->seen = ngx_pcalloc(w->pool, NGX_HTTP_EXPERIMENT_SETS
                                       * NGX_HTTP_EXPERIMENT_WAYS
                                       * NXE_FEEDBACK_ID);
        if (w->seen == NULL) {
            return 0;
        }
    }

    set = w->seen + (hash[0] << 8 | hash[1]) % NGX_HTTP_EXPERIMENT_SETS
                    * NGX_HTTP_EXPERIMENT_WAYS;

    for (i = 0; i < NGX_HTTP_EXPERIMENT_WAYS; i++) {
        if (ngx_memcmp(set[i], hash, NXE_FEEDBACK_ID) == 0) {
            return 1;
        }
    }

    ngx_memmove(set[1], set[0],
                (NGX_HTTP_EXPERIMENT_WAYS - 1) * NXE_FEEDBACK_ID);
    ngx_memcpy(set[0], hash, NXE_FEEDBACK_ID);

    return 0;
}
