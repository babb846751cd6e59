
/*
 * Segments: which part of the traffic a request is of, for the log.
 */

#include "ngx_http_experiment_log.h"


static ngx_uint_t ngx_http_experiment_is_unit(ngx_http_experiment_ctx_t *ctx,
    nxe_str_t value);


/*
 * Read when the unit is assigned, since edits of headers may take away what
 * they read; what needs the body is left for when that has been scanned.
 */

ngx_int_t
ngx_http_experiment_segments(ngx_http_experiment_ctx_t *ctx,
    ngx_http_experiment_entry_t *e, const nxe_request_t *req)
{
    uint32_t          i;
    nxe_str_t         found;
    nxe_status_t      rc;
    const nxe_doc_t  *doc;

    doc = e->handle->doc;
    e->lacking = 0;

    if (doc->nsegments == 0 || !e->has_unit) {
        return NGX_OK;
    }

    if (e->segments == NULL) {
        e->segments = ngx_pcalloc(ctx->request->pool,
                                  doc->nsegments * sizeof(nxe_str_t));
        if (e->segments == NULL) {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < doc->nsegments; i++) {

        if (e->segments[i].data != NULL) {
            continue;
        }

        rc = nxe_segment_find(&doc->segments[i], req, &found,
                              &e->segments[i]);

        if (rc == NXE_AGAIN) {
            e->lacking = 1;

        } else if (rc != NXE_OK && rc != NXE_DECLINED) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * A document that reads freely what is the unit of another one's: no line has
 * a unit in its raw form.
 */

static ngx_uint_t
ngx_http_experiment_is_unit(ngx_http_experiment_ctx_t *ctx, nxe_str_t value)
{
    ngx_uint_t  i;

    for (i = 0; i < ctx->nentries; i++) {
        if (ctx->entries[i].has_unit
            && nxe_str_eq(ctx->entries[i].unit.value, value))
        {
            return 1;
        }
    }

    return 0;
}


/* A member of the entry, absent where nothing was found. */

void
ngx_http_experiment_log_segments(ngx_http_experiment_line_t *l,
    ngx_http_experiment_ctx_t *ctx, ngx_http_experiment_entry_t *e)
{
    uint32_t              i;
    ngx_uint_t            n;
    const nxe_segment_t  *segment;

    for (i = 0, n = 0; i < e->handle->doc->nsegments; i++) {

        segment = &e->handle->doc->segments[i];

        if (e->segments[i].data == NULL
            || (segment->nvalues == 0
                && ngx_http_experiment_is_unit(ctx, e->segments[i])))
        {
            continue;
        }

        if (n++ == 0) {
            ngx_http_experiment_lit(l, ",\"segments\":{");

        } else {
            ngx_http_experiment_lit(l, ",");
        }

        ngx_http_experiment_string(l, segment->name.data, segment->name.len);
        ngx_http_experiment_lit(l, ":");
        ngx_http_experiment_string(l, e->segments[i].data,
                                   e->segments[i].len);
    }

    if (n != 0) {
        ngx_http_experiment_lit(l, "}");
    }
}
