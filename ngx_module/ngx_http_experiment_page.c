
/*
 * The page of experiment_status: its source is page/, which configure makes
 * strings of.
 */

#include "ngx_http_experiment_endpoint.h"

#include <ngx_http_experiment_page.h>


static ngx_int_t ngx_http_experiment_page_hash(ngx_str_t *text,
    ngx_str_t *hash, ngx_pool_t *pool);


#define NGX_HTTP_EXPERIMENT_STYLE       "<style>"
#define NGX_HTTP_EXPERIMENT_STYLE_END   "</style>\n"
#define NGX_HTTP_EXPERIMENT_SCRIPT      "<script>"
#define NGX_HTTP_EXPERIMENT_SCRIPT_END  "</script>\n"


static ngx_str_t  ngx_http_experiment_page_style_text =
    ngx_string(ngx_http_experiment_page_style);

static ngx_str_t  ngx_http_experiment_page_script_text =
    ngx_string(ngx_http_experiment_page_script);


/*
 * The page and the policy that it is sent with, in the configuration's pool;
 * NULL: no memory.  The policy names style and script by their hashes (CSP 3,
 * 2.3.1), which are of what is sent, whatever the source says tomorrow.
 */

ngx_http_experiment_page_t *
ngx_http_experiment_page(ngx_conf_t *cf)
{
    u_char                      *p;
    ngx_str_t                    style, script;
    ngx_http_experiment_page_t  *page;

    static const char  policy[] = "default-src 'none'; style-src '%V'; "
                                  "script-src '%V'; connect-src 'self'; "
                                  "base-uri 'none'; form-action 'none'; "
                                  "frame-ancestors 'none'";

    page = ngx_palloc(cf->pool, sizeof(ngx_http_experiment_page_t));

    if (page == NULL
        || ngx_http_experiment_page_hash(&ngx_http_experiment_page_style_text,
                                         &style, cf->pool)
           != NGX_OK
        || ngx_http_experiment_page_hash(&ngx_http_experiment_page_script_text,
                                         &script, cf->pool)
           != NGX_OK)
    {
        return NULL;
    }

    page->policy.data = ngx_pnalloc(cf->pool, sizeof(policy) + style.len
                                              + script.len);
    page->text.data = ngx_pnalloc(cf->pool,
                                  sizeof(ngx_http_experiment_page_top)
                                  + sizeof(NGX_HTTP_EXPERIMENT_STYLE)
                                  + sizeof(ngx_http_experiment_page_style)
                                  + sizeof(NGX_HTTP_EXPERIMENT_STYLE_END)
                                  + sizeof(ngx_http_experiment_page_middle)
                                  + sizeof(NGX_HTTP_EXPERIMENT_SCRIPT)
                                  + sizeof(ngx_http_experiment_page_script)
                                  + sizeof(NGX_HTTP_EXPERIMENT_SCRIPT_END)
                                  + sizeof(ngx_http_experiment_page_bottom));

    if (page->policy.data == NULL || page->text.data == NULL) {
        return NULL;
    }

    p = ngx_sprintf(page->policy.data, policy, &style, &script);
    page->policy.len = p - page->policy.data;

    p = ngx_sprintf(page->text.data, "%s%s%s%s%s%s%s%s%s",
                    ngx_http_experiment_page_top,
                    NGX_HTTP_EXPERIMENT_STYLE,
                    ngx_http_experiment_page_style,
                    NGX_HTTP_EXPERIMENT_STYLE_END,
                    ngx_http_experiment_page_middle,
                    NGX_HTTP_EXPERIMENT_SCRIPT,
                    ngx_http_experiment_page_script,
                    NGX_HTTP_EXPERIMENT_SCRIPT_END,
                    ngx_http_experiment_page_bottom);
    page->text.len = p - page->text.data;

    return page;
}


static ngx_int_t
ngx_http_experiment_page_hash(ngx_str_t *text, ngx_str_t *hash,
    ngx_pool_t *pool)
{
    u_char     *p, digest[NXE_SHA256_LEN];
    ngx_str_t   raw, coded;

    hash->data = ngx_pnalloc(pool, sizeof("sha256-")
                                   + ngx_base64_encoded_length(sizeof(digest)));
    if (hash->data == NULL) {
        return NGX_ERROR;
    }

    nxe_sha256((nxe_str_t) { (char *) text->data, text->len }, digest);

    p = ngx_cpymem(hash->data, "sha256-", sizeof("sha256-") - 1);

    raw.data = digest;
    raw.len = sizeof(digest);
    coded.data = p;

    ngx_encode_base64(&coded, &raw);
    hash->len = p + coded.len - hash->data;

    return NGX_OK;
}


/* What it returns ends the request. */

ngx_int_t
ngx_http_experiment_answer_page(ngx_http_request_t *r,
    ngx_http_experiment_page_t *page)
{
    ngx_buf_t    *b;
    ngx_chain_t  *out;

    static ngx_str_t        no_referrer = ngx_string("no-referrer");
    static const ngx_str_t  type = ngx_string("text/html; charset=utf-8");

    out = ngx_alloc_chain_link(r->pool);
    b = ngx_calloc_buf(r->pool);

    if (out == NULL || b == NULL
        || ngx_http_experiment_answer_header(r, "Content-Security-Policy",
                                             page->policy)
           != NGX_OK
        || ngx_http_experiment_answer_header(r, "Referrer-Policy",
                                             no_referrer)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->pos = page->text.data;
    b->last = page->text.data + page->text.len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out->buf = b;
    out->next = NULL;

    return ngx_http_experiment_answer_chain(r, NGX_HTTP_OK, &type, out,
                                            page->text.len);
}
