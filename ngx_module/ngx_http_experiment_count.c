
/*
 * A request in the counters, when it is logged.
 */

#include "ngx_http_experiment_meter.h"
#include "ngx_http_experiment_zone.h"


static ngx_int_t ngx_http_experiment_count_handler(ngx_http_request_t *r);
static void ngx_http_experiment_count(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_http_experiment_entry_t *e,
    ngx_http_experiment_zone_t *zone);
static void ngx_http_experiment_count_key(ngx_http_experiment_ctx_t *ctx,
    ngx_http_experiment_entry_t *e, u_char *reason,
    ngx_http_experiment_key_t *key);
static void ngx_http_experiment_count_body(ngx_http_experiment_ctx_t *ctx,
    ngx_http_experiment_row_t *row);
static void ngx_http_experiment_count_end(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_http_experiment_row_t *row);
static void ngx_http_experiment_count_answer(
    ngx_http_experiment_answer_t *a, ngx_http_experiment_row_t *row);
static ngx_uint_t ngx_http_experiment_count_lacks(
    ngx_http_experiment_answer_t *a);
static ngx_uint_t ngx_http_experiment_count_cost(
    ngx_http_experiment_answer_t *a, ngx_http_experiment_row_t *row);
static void ngx_http_experiment_count_unit(ngx_http_experiment_zone_t *zone,
    ngx_http_experiment_row_t *row, const char *id);
static void ngx_http_experiment_count_time(ngx_http_experiment_zone_t *zone,
    ngx_http_experiment_row_t *row, ngx_http_experiment_block_e what,
    uint64_t us);


ngx_int_t
ngx_http_experiment_count_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_LOG_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_experiment_count_handler;

    return NGX_OK;
}


/* What has a line in the log is counted, whether it is logged or not. */

static ngx_int_t
ngx_http_experiment_count_handler(ngx_http_request_t *r)
{
    ngx_uint_t                        i;
    ngx_http_experiment_ctx_t        *ctx;
    ngx_http_experiment_zone_t       *zone;
    ngx_http_experiment_main_conf_t  *emcf;

    if (r != r->main || ngx_http_experiment_ready(r, &ctx) != NGX_OK) {
        return NGX_OK;
    }

    emcf = ngx_http_get_module_main_conf(r, ngx_http_experiment_module);
    zone = ngx_http_experiment_zone(emcf);

    for (i = 0; i < ctx->nentries; i++) {
        if (ctx->entries[i].a.reason != NXE_REASON_OFF) {
            ngx_http_experiment_count(r, ctx, &ctx->entries[i], zone);
        }
    }

    return NGX_OK;
}


static void
ngx_http_experiment_count(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_http_experiment_entry_t *e,
    ngx_http_experiment_zone_t *zone)
{
    u_char                         reason[32];
    uint64_t                       ns;
    ngx_http_experiment_key_t      key;
    ngx_http_experiment_row_t     *row;
    ngx_http_experiment_answer_t  *a;

    ngx_http_experiment_count_key(ctx, e, reason, &key);
    row = ngx_http_experiment_row(zone, &key);

    if (row == NULL) {
        (void) ngx_atomic_fetch_add(&zone->dropped, 1);
        return;
    }

    ngx_http_experiment_add(row, NGX_HTTP_EXPERIMENT_REQUESTS, 1);

    if (e->has_unit) {
        ngx_http_experiment_count_unit(zone, row,
                                       ngx_http_experiment_unit_id(r, e));
    }

    ngx_http_experiment_count_body(ctx, row);
    ngx_http_experiment_count_end(r, ctx, row);
    ngx_http_experiment_count_time(zone, row, NGX_HTTP_EXPERIMENT_RESPONSE,
                                   ngx_http_experiment_elapsed(ctx));

    a = ctx->answer;

    if (a == NULL || !a->done) {
        return;
    }

    ngx_http_experiment_count_answer(a, row);

    if (a->timed && a->meter.contents != 0) {
        ngx_http_experiment_count_time(zone, row, NGX_HTTP_EXPERIMENT_TTFT,
                                       a->meter.first / 1000);
    }

    if (ngx_http_experiment_tpot(a, &ns) == NGX_OK) {
        ngx_http_experiment_count_time(zone, row, NGX_HTTP_EXPERIMENT_TPOT,
                                       ns / 1000);
    }
}


/*
 * What a client sends makes no row: a step that the document does not name is
 * "other".
 */

static void
ngx_http_experiment_count_key(ngx_http_experiment_ctx_t *ctx,
    ngx_http_experiment_entry_t *e, u_char *reason,
    ngx_http_experiment_key_t *key)
{
    uint32_t          step;
    const nxe_doc_t  *doc;

    doc = e->handle->doc;

    key->experiment.data = (char *) e->handle->sn.str.data;
    key->experiment.len = e->handle->sn.str.len;
    key->phase = e->handle->phase;
    key->step = nxe_str("other");

    if (doc != NULL) {
        step = nxe_doc_step(doc, (nxe_str_t) { (char *) ctx->step.data,
                                               ctx->step.len });

        if (step != NXE_NONE) {
            key->step = doc->steps[step].name;
        }

        if (e->a.exposed) {
            key->variant = doc->variants[e->a.variant].name;
            return;
        }
    }

    key->variant.data = (char *) reason;
    key->variant.len = ngx_snprintf(reason, 32, "_%s",
                                    nxe_reason_name(e->a.reason))
                       - reason;
}


static void
ngx_http_experiment_count_body(ngx_http_experiment_ctx_t *ctx,
    ngx_http_experiment_row_t *row)
{
    ngx_uint_t  i;

    if (ctx->body == NGX_HTTP_EXPERIMENT_BODY_REJECTED) {
        ngx_http_experiment_add(row, NGX_HTTP_EXPERIMENT_REJECTED, 1);
    }

    if (ctx->body != NGX_HTTP_EXPERIMENT_BODY_BYPASS) {
        return;
    }

    for (i = 0; ngx_http_experiment_causes[i].name != NULL; i++) {
        if (ngx_strcmp(ctx->cause, ngx_http_experiment_causes[i].name) == 0) {
            ngx_http_experiment_add(row, NGX_HTTP_EXPERIMENT_BYPASSED + i, 1);
        }
    }
}


/* How it ended: one error at most. */

static void
ngx_http_experiment_count_end(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_http_experiment_row_t *row)
{
    uint64_t    ms;
    ngx_uint_t  status;

    if (ngx_http_experiment_aborted(ctx)) {
        ngx_http_experiment_add(row, NGX_HTTP_EXPERIMENT_ABORTED, 1);
        return;
    }

    status = ngx_http_experiment_code_of(r);

    if (status >= NGX_HTTP_INTERNAL_SERVER_ERROR) {
        ngx_http_experiment_add(row, NGX_HTTP_EXPERIMENT_ERROR_5XX, 1);

    } else if (ngx_http_experiment_upstream_code(r, &ms)
               == NGX_HTTP_TOO_MANY_REQUESTS)
    {
        ngx_http_experiment_add(row, NGX_HTTP_EXPERIMENT_ERROR_429, 1);

    } else if (ctx->answer != NULL && ctx->answer->failed != NULL) {
        ngx_http_experiment_add(row, NGX_HTTP_EXPERIMENT_ERROR_STREAM, 1);
    }
}


static void
ngx_http_experiment_count_answer(ngx_http_experiment_answer_t *a,
    ngx_http_experiment_row_t *row)
{
    uint64_t    n;
    ngx_uint_t  i, told;

    told = 0;

    for (i = 0; a->metered && i < NXE_TOKENS; i++) {
        if (nxe_meter_tokens(&a->meter, (nxe_tokens_t) i, &n) == NXE_OK) {
            ngx_http_experiment_add(row, NGX_HTTP_EXPERIMENT_TOKENS + i, n);
            told |= (i == NXE_TOKENS_OUTPUT);
        }
    }

    if (a->unmetered != NULL) {
        ngx_http_experiment_add(row, NGX_HTTP_EXPERIMENT_UNMETERED, 1);

    } else if (!told && ngx_http_experiment_count_lacks(a)) {
        ngx_http_experiment_add(row, NGX_HTTP_EXPERIMENT_NO_USAGE, 1);
    }

    if (told && !ngx_http_experiment_count_cost(a, row)) {
        ngx_http_experiment_add(row, NGX_HTTP_EXPERIMENT_NO_PRICE, 1);
    }
}


/*
 * 1 if usage is missing where there is none: for analysis, whose figure this
 * is to be, it is where the line has a stream, a model or "empty".
 */

static ngx_uint_t
ngx_http_experiment_count_lacks(ngx_http_experiment_answer_t *a)
{
    nxe_meter_t  *m;

    m = &a->meter;

    return a->stream
           || (a->metered
               && (m->said.model.len != 0
                   || (m->understood && !m->said.failed && !a->aborted)));
}


/* A row has one currency, the first: what is in another is no cost of it. */

static ngx_uint_t
ngx_http_experiment_count_cost(ngx_http_experiment_answer_t *a,
    ngx_http_experiment_row_t *row)
{
    ngx_atomic_uint_t  currency;

    if (!a->paid) {
        return 0;
    }

    currency = (ngx_atomic_uint_t) a->price->currency[0] << 16
               | (ngx_atomic_uint_t) a->price->currency[1] << 8
               | (ngx_atomic_uint_t) a->price->currency[2];

    if (row->currency != currency
        && !ngx_atomic_cmp_set(&row->currency, 0, currency)
        && row->currency != currency)
    {
        return 0;
    }

    ngx_http_experiment_add(row, NGX_HTTP_EXPERIMENT_COST, a->cost);

    return 1;
}


/* Of the keyed id, which is uniform, 64 bits. */

static void
ngx_http_experiment_count_unit(ngx_http_experiment_zone_t *zone,
    ngx_http_experiment_row_t *row, const char *id)
{
    u_char                        hash[8];
    uint64_t                      n;
    ngx_http_experiment_block_t  *block;

    block = ngx_http_experiment_block(zone, row, NGX_HTTP_EXPERIMENT_UNITS, 1);

    if (block == NULL) {
        (void) ngx_atomic_fetch_add(&zone->dropped, 1);
        return;
    }

    (void) nxe_unhex((nxe_str_t) { id, 2 * sizeof(hash) }, hash,
                     sizeof(hash));
    ngx_memcpy(&n, hash, sizeof(n));

    nxe_hll_add(&block->units, n);
}


static void
ngx_http_experiment_count_time(ngx_http_experiment_zone_t *zone,
    ngx_http_experiment_row_t *row, ngx_http_experiment_block_e what,
    uint64_t us)
{
    ngx_http_experiment_block_t  *block;

    block = ngx_http_experiment_block(zone, row, what, 1);

    if (block == NULL) {
        (void) ngx_atomic_fetch_add(&zone->dropped, 1);
        return;
    }

    (void) __atomic_fetch_add(&block->times.bins[nxe_hist_bin(us)], 1,
                              __ATOMIC_RELAXED);
    (void) ngx_atomic_fetch_add(&block->times.sum, (ngx_atomic_int_t) us);
}
