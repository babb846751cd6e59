
/*
 * Request headers before the content handler, response headers in a header
 * filter, and the moment at which the last byte was handed on.
 */

#include "ngx_http_experiment_meter.h"


/* Response headers that nginx writes itself unless their slot is taken. */

typedef struct {
    nxe_str_t           name;
    size_t              offset;
} ngx_http_experiment_slot_t;

#define ngx_http_experiment_slot(name, field)                                 \
    { { name, sizeof(name) - 1 }, offsetof(ngx_http_headers_out_t, field) }

static const ngx_http_experiment_slot_t  ngx_http_experiment_slots[] = {
    ngx_http_experiment_slot("server", server),
    ngx_http_experiment_slot("date", date),
    ngx_http_experiment_slot("location", location),
    ngx_http_experiment_slot("last-modified", last_modified),
    ngx_http_experiment_slot("accept-ranges", accept_ranges),
    ngx_http_experiment_slot("expires", expires),
    ngx_http_experiment_slot("etag", etag)
};


static ngx_int_t ngx_http_experiment_drop_name(ngx_http_request_t *r,
    ngx_table_elt_t *h, const void *data);
static ngx_int_t ngx_http_experiment_cut(ngx_http_request_t *r,
    ngx_list_part_t *prev, ngx_list_part_t *part, ngx_uint_t i);
static ngx_int_t ngx_http_experiment_header_filter(ngx_http_request_t *r);
static ngx_uint_t ngx_http_experiment_treated(ngx_http_experiment_ctx_t *ctx);
static ngx_table_elt_t **ngx_http_experiment_response_slot(
    ngx_http_request_t *r, nxe_str_t lower);
static ngx_int_t ngx_http_experiment_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static void ngx_http_experiment_ended(ngx_http_experiment_ctx_t *ctx);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


ngx_int_t
ngx_http_experiment_request_headers(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx)
{
    uint32_t                      j;
    ngx_uint_t                    i;
    const nxe_header_t           *edit;
    ngx_http_experiment_entry_t  *e;

    for (i = 0; i < ctx->nentries; i++) {
        e = &ctx->entries[i];

        if (e->effective == NULL) {
            continue;
        }

        if (e->effective->nheaders == 0) {
            continue;
        }

        e->headers = ngx_palloc(r->pool, e->effective->nheaders);
        if (e->headers == NULL) {
            return NGX_ERROR;
        }

        for (j = 0; j < e->effective->nheaders; j++) {
            edit = e->effective->headers[j];
            e->headers[j] = NXE_CODE_NOT_SENT;

            if (!edit->response
                && ngx_http_experiment_request_header(r, edit,
                                                      &e->headers[j])
                   != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


/*
 * Only the list is edited, which is what goes upstream.  nginx's own slots
 * stay: whether the client gets gzip, a range or a 304 goes by what it asked
 * for.  Proxy looks a header's lowcase_key up in its own table, so an admin's
 * proxy_set_header of the same name wins.
 */

ngx_int_t
ngx_http_experiment_request_header(ngx_http_request_t *r,
    const nxe_header_t *edit, u_char *code)
{
    ngx_uint_t        n;
    ngx_table_elt_t  *h;

    h = ngx_http_experiment_find_header(r, edit->lower, &n);

    if (edit->remove ? n == 0
                     : n == 1 && h->value.len == edit->value.len
                       && ngx_memcmp(h->value.data, edit->value.data,
                                     edit->value.len)
                          == 0)
    {
        *code = NXE_CODE_EQUAL;
        return NGX_OK;
    }

    *code = NXE_CODE_APPLIED;

    if (ngx_http_experiment_drop(r, ngx_http_experiment_drop_name,
                                 &edit->lower)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (edit->remove) {
        return NGX_OK;
    }

    h = ngx_list_push(&r->headers_in.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->key.data = (u_char *) edit->name.data;
    h->key.len = edit->name.len;
    h->value.data = (u_char *) edit->value.data;
    h->value.len = edit->value.len;
    h->lowcase_key = (u_char *) edit->lower.data;
    h->hash = ngx_hash_key(h->lowcase_key, edit->lower.len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_experiment_drop_name(ngx_http_request_t *r, ngx_table_elt_t *h,
    const void *data)
{
    const nxe_str_t  *lower = data;

    return h->key.len == lower->len
           && ngx_memcmp(h->lowcase_key, lower->data, lower->len) == 0
           ? NGX_OK : NGX_DECLINED;
}


/*
 * Takes request headers out of the list: proxy does not honour hash = 0 on
 * them.
 */

ngx_int_t
ngx_http_experiment_drop(ngx_http_request_t *r,
    ngx_http_experiment_drop_pt drop, const void *data)
{
    ngx_int_t         rc;
    ngx_uint_t        i;
    ngx_list_part_t  *part, *prev;

    prev = NULL;

    for (part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        i = 0;

        while (i < part->nelts) {
            rc = drop(r, (ngx_table_elt_t *) part->elts + i, data);

            if (rc == NGX_DECLINED) {
                i++;
                continue;
            }

            if (rc != NGX_OK
                || ngx_http_experiment_cut(r, prev, part, i) != NGX_OK)
            {
                return NGX_ERROR;
            }

            /* what came behind it is at i, or in a part of its own now */
        }

        /* one that was left empty is in the list no more */

        if (part->nelts != 0 || prev == NULL) {
            prev = part;
        }
    }

    return NGX_OK;
}


/*
 * Takes element i out of a list part.  Nothing moves, since the slots of
 * headers_in point into the list; and no part but the first is left empty,
 * since nginx's loops take a part's first element unseen.
 */

static ngx_int_t
ngx_http_experiment_cut(ngx_http_request_t *r, ngx_list_part_t *prev,
    ngx_list_part_t *part, ngx_uint_t i)
{
    ngx_list_t       *list;
    ngx_list_part_t  *rest;

    list = &r->headers_in.headers;

    if (i == 0) {
        part->elts = (ngx_table_elt_t *) part->elts + 1;
        part->nelts--;

    } else if (i == part->nelts - 1) {
        part->nelts--;

    } else {
        rest = ngx_palloc(r->pool, sizeof(ngx_list_part_t));
        if (rest == NULL) {
            return NGX_ERROR;
        }

        rest->elts = (ngx_table_elt_t *) part->elts + i + 1;
        rest->nelts = part->nelts - i - 1;
        rest->next = part->next;

        part->nelts = i;
        part->next = rest;

        if (list->last == part) {
            list->last = rest;
        }
    }

    if (part->nelts == 0 && prev != NULL) {
        prev->next = part->next;

        if (list->last == part) {
            list->last = prev;
        }
    }

    /*
     * ngx_list_push() believes that the last part has room for list->nalloc
     * elements, which is no longer so: let it take the part for full.
     */

    if (list->last->nelts != 0) {
        list->nalloc = list->last->nelts;
        return NGX_OK;
    }

    list->last->elts = ngx_palloc(r->pool, list->nalloc * list->size);

    return list->last->elts != NULL ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_experiment_header_filter(ngx_http_request_t *r)
{
    uint32_t                      j;
    ngx_int_t                     rc;
    ngx_uint_t                    i;
    const nxe_header_t           *edit;
    ngx_http_experiment_ctx_t    *ctx;
    ngx_http_experiment_entry_t  *e;

    ctx = ngx_http_experiment_get_ctx(r);

    if (ctx == NULL) {
        return ngx_http_next_header_filter(r);
    }

    if (r->upstream != NULL && ngx_http_experiment_treated(ctx)) {

        /* a cache would serve one arm's answer to the other */

#if (NGX_HTTP_CACHE)
        r->upstream->cacheable = 0;
#endif
        r->upstream->store = 0;
    }

    if (r != r->main) {
        return ngx_http_next_header_filter(r);
    }

    ngx_http_experiment_meter_header(r, ctx);

    for (i = 0; i < ctx->nentries; i++) {
        e = &ctx->entries[i];

        if (e->headers == NULL) {
            continue;
        }

        for (j = 0; j < e->effective->nheaders; j++) {
            edit = e->effective->headers[j];

            if (edit->response
                && ngx_http_experiment_response_header(r, edit,
                                                       &e->headers[j])
                   != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    if (ngx_http_experiment_trace_answer(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_next_header_filter(r);

    if (r->header_only && rc == NGX_OK) {
        ngx_http_experiment_ended(ctx);
    }

    return rc;
}


/*
 * 1 where what goes upstream depends on an experiment: exposed units, also
 * those of an arm that changes nothing, and those whom the baseline edits.
 */

static ngx_uint_t
ngx_http_experiment_treated(ngx_http_experiment_ctx_t *ctx)
{
    ngx_uint_t                    i;
    ngx_http_experiment_entry_t  *e;

    for (i = 0; i < ctx->nentries; i++) {
        e = &ctx->entries[i];

        if (e->a.exposed || ctx->body == NGX_HTTP_EXPERIMENT_BODY_EDITED
            || (e->effective != NULL
                && (e->effective->nheaders != 0
                    || e->effective->route != NULL)))
        {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_http_experiment_response_header(ngx_http_request_t *r,
    const nxe_header_t *edit, u_char *code)
{
    ngx_uint_t         i, n;
    ngx_list_part_t   *part;
    ngx_table_elt_t   *h, **slot;

    n = 0;

    for (part = &r->headers_out.headers.part; part != NULL; part = part->next)
    {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].hash != 0 && h[i].key.len == edit->lower.len
                && ngx_strncasecmp(h[i].key.data,
                                   (u_char *) edit->lower.data,
                                   edit->lower.len)
                   == 0)
            {
                h[i].hash = 0;
                n++;
            }
        }
    }

    slot = ngx_http_experiment_response_slot(r, edit->lower);

    if (slot != NULL) {
        *slot = NULL;
    }

    if (slot == &r->headers_out.last_modified
        && r->headers_out.last_modified_time != -1)
    {
        r->headers_out.last_modified_time = -1;
        n++;
    }

    if (edit->remove) {

        /* nginx writes these itself where they are not set */

        *code = slot == &r->headers_out.server || slot == &r->headers_out.date
                ? NXE_CODE_UNSUPPORTED
                : n == 0 ? NXE_CODE_EQUAL : NXE_CODE_APPLIED;

        return NGX_OK;
    }

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.data = (u_char *) edit->name.data;
    h->key.len = edit->name.len;
    h->value.data = (u_char *) edit->value.data;
    h->value.len = edit->value.len;

    if (slot != NULL) {
        *slot = h;
    }

    *code = NXE_CODE_APPLIED;

    return NGX_OK;
}


static ngx_table_elt_t **
ngx_http_experiment_response_slot(ngx_http_request_t *r, nxe_str_t lower)
{
    ngx_uint_t                         i;
    const ngx_http_experiment_slot_t  *slots;

    slots = ngx_http_experiment_slots;

    for (i = 0;
         i < sizeof(ngx_http_experiment_slots)
             / sizeof(ngx_http_experiment_slot_t);
         i++)
    {
        if (nxe_str_eq(slots[i].name, lower)) {
            return (ngx_table_elt_t **) ((char *) &r->headers_out
                                         + slots[i].offset);
        }
    }

    return NULL;
}


/*
 * Passes everything on as it is; when the last buffer has left this process,
 * the response has ended, which the log phase would see only later.
 */

static ngx_int_t
ngx_http_experiment_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_int_t                   rc;
    ngx_chain_t                *cl;
    ngx_http_experiment_ctx_t  *ctx;

    ctx = r == r->main ? ngx_http_experiment_get_ctx(r) : NULL;

    if (ctx == NULL || ctx->ended) {
        return ngx_http_next_body_filter(r, in);
    }

    for (cl = in; cl != NULL; cl = cl->next) {
        if (cl->buf->last_buf) {
            ctx->last = 1;
        }
    }

    rc = ctx->answer != NULL && ctx->answer->metered
         ? ngx_http_experiment_meter_filter(r, ctx, in,
                                            ngx_http_next_body_filter)
         : ngx_http_next_body_filter(r, in);

    if (rc == NGX_OK && ctx->last && r->out == NULL
        && !(r->connection->buffered & NGX_LOWLEVEL_BUFFERED))
    {
        ngx_http_experiment_ended(ctx);
    }

    return rc;
}


static void
ngx_http_experiment_ended(ngx_http_experiment_ctx_t *ctx)
{
    if (!ctx->ended) {
        ctx->ended = 1;
        (void) clock_gettime(CLOCK_MONOTONIC, &ctx->end);
    }
}


ngx_int_t
ngx_http_experiment_filter_init(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_experiment_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_experiment_body_filter;

    return NGX_OK;
}
