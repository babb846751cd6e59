
/*
 * What our content handlers share: their keys, a body of JSON, an answer.
 */

#include "ngx_http_experiment_endpoint.h"

#include <openssl/crypto.h>


#define NGX_HTTP_EXPERIMENT_SECRETS  64         /* keys of one file */


static ngx_int_t ngx_http_experiment_parse_secrets(ngx_conf_t *cf,
    ngx_str_t *file, nxe_str_t text, ngx_http_experiment_secrets_t *secrets);
static ngx_int_t ngx_http_experiment_add_secret(ngx_conf_t *cf,
    ngx_str_t *file, ngx_uint_t line, nxe_str_t secret,
    ngx_http_experiment_secrets_t *secrets);
static void ngx_http_experiment_read_handler(ngx_http_request_t *r);
static void ngx_http_experiment_turn_handler(ngx_event_t *ev);
static ngx_uint_t ngx_http_experiment_tag_in(ngx_str_t *list,
    ngx_str_t *tag);


/*
 * Makes handler the one of a location, by its directive.  Whatever follows in
 * the setter, this comes first: it refuses what stands there already.
 */

ngx_int_t
ngx_http_experiment_set_endpoint(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_experiment_loc_conf_t *elcf, ngx_http_handler_pt handler)
{
    ngx_http_core_loc_conf_t         *clcf;
    ngx_http_experiment_main_conf_t  *emcf;

    if (elcf->endpoint != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" in a location that has \"%s\" already",
                           &cmd->name, elcf->endpoint);
        return NGX_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" in a location where another directive "
                           "answers, too", &cmd->name);
        return NGX_ERROR;
    }

    elcf->endpoint = (char *) cmd->name.data;
    elcf->handler = handler;

    emcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_experiment_module);
    emcf->endpoint = elcf->endpoint;

    clcf->handler = handler;

    return NGX_OK;
}


/*
 * What the handler of a location goes by.  NULL, which is to be answered with
 * 500: it is run with the configuration of some other place, that asks for no
 * key and names nobody who may ask.
 */

ngx_http_experiment_loc_conf_t *
ngx_http_experiment_endpoint(ngx_http_request_t *r,
    ngx_http_handler_pt handler)
{
    ngx_http_experiment_loc_conf_t  *elcf;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_experiment_module);

    if (elcf->handler != handler) {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                      "an experiment endpoint is run with the configuration "
                      "of another location, refused");
        return NULL;
    }

    return elcf;
}


/*
 * key=FILE: a line a key, "#" starts a comment.  Of what the master reads,
 * workers are left with the digests.
 */

ngx_int_t
ngx_http_experiment_set_secrets(ngx_conf_t *cf, ngx_str_t *word,
    ngx_http_experiment_loc_conf_t *elcf)
{
    u_char                          buf[NXE_KEYS_FILE];
    ngx_int_t                       rc;
    ngx_str_t                       file;
    nxe_str_t                       text;
    ngx_http_experiment_secrets_t  *secrets;

    file.data = word->data + sizeof("key=") - 1;
    file.len = word->len - (sizeof("key=") - 1);

    if (file.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"key=\" names no file: expected \"key=FILE\"");
        return NGX_ERROR;
    }

    secrets = ngx_pcalloc(cf->pool, sizeof(ngx_http_experiment_secrets_t));
    if (secrets == NULL) {
        return NGX_ERROR;
    }

    secrets->digests = ngx_palloc(cf->pool, NGX_HTTP_EXPERIMENT_SECRETS
                                            * NXE_SHA256_LEN);
    if (secrets->digests == NULL) {
        return NGX_ERROR;
    }

    if (ngx_conf_full_name(cf->cycle, &file, 1) != NGX_OK
        || ngx_http_experiment_read_secret(cf, &file, buf, &text) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_http_experiment_parse_secrets(cf, &file, text, secrets);
    nxe_erase(buf, text.len);

    elcf->secrets = secrets;

    return rc;
}


static ngx_int_t
ngx_http_experiment_parse_secrets(ngx_conf_t *cf, ngx_str_t *file,
    nxe_str_t text, ngx_http_experiment_secrets_t *secrets)
{
    u_char      *p, *last, *end, *next;
    nxe_str_t    secret;
    ngx_uint_t   line;

    p = (u_char *) text.data;
    last = p + text.len;

    for (line = 1; p < last; line++, p = next) {

        end = ngx_strlchr(p, last, '\n');
        next = end != NULL ? end + 1 : last;
        end = end != NULL ? end : last;

        secret.data = (char *) p;
        end = ngx_strlchr(p, end, '#') != NULL ? ngx_strlchr(p, end, '#')
                                               : end;

        while (end > p && (end[-1] == ' ' || end[-1] == '\t'
                           || end[-1] == CR))
        {
            end--;
        }

        secret.len = end - p;

        if (secret.len != 0
            && ngx_http_experiment_add_secret(cf, file, line, secret, secrets)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (secrets->n == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "key file \"%V\" has no key: expected a line a key",
                           file);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_experiment_add_secret(ngx_conf_t *cf, ngx_str_t *file,
    ngx_uint_t line, nxe_str_t secret,
    ngx_http_experiment_secrets_t *secrets)
{
    size_t  i;

    for (i = 0; i < secret.len; i++) {
        if (secret.data[i] <= 0x20 || secret.data[i] >= 0x7f) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "key file \"%V\", line %ui: found a byte that "
                               "no key has, expected one key of visible ASCII "
                               "without \"#\"", file, line);
            return NGX_ERROR;
        }
    }

    if (secrets->n == NGX_HTTP_EXPERIMENT_SECRETS) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "key file \"%V\", line %ui: more than %d keys",
                           file, line, NGX_HTTP_EXPERIMENT_SECRETS);
        return NGX_ERROR;
    }

    if (secret.len < 16) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "key file \"%V\", line %ui: a key of %uz bytes can "
                           "be guessed, use 16 or more", file, line,
                           secret.len);
    }

    nxe_sha256(secret, secrets->digests[secrets->n++]);

    return NGX_OK;
}


/*
 * NGX_OK: it is one of the keys, of which *which is the index in the file;
 * else NGX_DECLINED.  Digests have one length, and all of them are compared,
 * so that the time tells nothing of a key.
 */

ngx_int_t
ngx_http_experiment_secret(ngx_http_experiment_secrets_t *secrets,
    nxe_str_t presented, ngx_uint_t *which)
{
    u_char      digest[NXE_SHA256_LEN];
    ngx_int_t   rc;
    ngx_uint_t  i;

    rc = NGX_DECLINED;
    nxe_sha256(presented, digest);

    for (i = 0; i < secrets->n; i++) {
        if (CRYPTO_memcmp(secrets->digests[i], digest, NXE_SHA256_LEN) == 0) {
            *which = i;
            rc = NGX_OK;
        }
    }

    return rc;
}


/*
 * Reads the body of a content handler, which returns what this returns, and
 * gives it to read() in one piece: of "application/json", at most max bytes.
 * Anything else read() is told to refuse, with 415 or 413.
 */

ngx_int_t
ngx_http_experiment_read_json(ngx_http_request_t *r, size_t max,
    ngx_http_experiment_json_pt read)
{
    ngx_int_t                   rc;
    ngx_uint_t                  status;
    ngx_http_experiment_ctx_t  *ctx;

    ctx = ngx_http_experiment_get_ctx(r);

    if (ctx == NULL) {
        ctx = ngx_http_experiment_create_ctx(r);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    status = !ngx_http_experiment_is_json(r)
             ? NGX_HTTP_UNSUPPORTED_MEDIA_TYPE
             : r->headers_in.content_length_n > (off_t) max
             ? NGX_HTTP_REQUEST_ENTITY_TOO_LARGE : 0;

    if (status != 0) {
        rc = ngx_http_discard_request_body(r);

        return rc == NGX_OK ? read(r, ctx, status, nxe_null_str) : rc;
    }

    ctx->read = read;
    ctx->read_max = max;

    r->request_body_in_single_buf = 1;

    rc = ngx_http_read_client_request_body(r,
                                           ngx_http_experiment_read_handler);

    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}


static void
ngx_http_experiment_read_handler(ngx_http_request_t *r)
{
    size_t                      i;
    ngx_int_t                   rc;
    nxe_str_t                   body;
    nxe_span_t                  span;
    ngx_http_experiment_ctx_t  *ctx;

    ctx = ngx_http_experiment_get_ctx(r);
    body = nxe_null_str;

    rc = ngx_http_experiment_text(r, ctx, ctx->read_max);

    if (rc == NGX_OK) {
        span.start = 0;
        span.end = 0;

        for (i = 0; i < ctx->text.n; i++) {
            span.end += ctx->text.segs[i].len;
        }

        if (span.end != 0
            && nxe_text_span(&ctx->text, span, &ctx->mem, &body) != NXE_OK)
        {
            rc = NGX_ERROR;
        }
    }

    if (rc == NGX_ERROR) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    rc = ctx->read(r, ctx, rc == NGX_OK ? 0
                                        : NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                   body);

    ngx_http_finalize_request(r, rc);
}


/*
 * Has run() called in the next turn that has time left for loading; what it
 * returns then ends the request.  A content handler returns what this returns.
 */

ngx_int_t
ngx_http_experiment_next_turn(ngx_http_request_t *r,
    ngx_http_experiment_ctx_t *ctx, ngx_http_experiment_run_pt run)
{
    ctx->run = run;

    ngx_http_experiment_wait_turn(ctx, ngx_http_experiment_turn_handler, r);

    /* it is held until the event comes: who called finalizes one time */

    r->main->count++;

    return NGX_DONE;
}


static void
ngx_http_experiment_turn_handler(ngx_event_t *ev)
{
    ngx_connection_t           *c;
    ngx_http_request_t         *r;
    ngx_http_experiment_ctx_t  *ctx;

    r = ev->data;
    c = r->connection;
    ctx = ngx_http_experiment_get_ctx(r);

    if (ngx_http_experiment_spent(ctx->snapshot->worker)) {
        ngx_http_experiment_wait_turn(ctx, ev->handler, r);
        return;
    }

    ngx_http_experiment_waited(ctx);

    ngx_http_set_log_request(c->log, r);

    ngx_http_finalize_request(r, ctx->run(r, ctx));

    ngx_http_run_posted_requests(c);
}


/* A header of the answer; name is static text. */

ngx_int_t
ngx_http_experiment_answer_header(ngx_http_request_t *r, const char *name,
    ngx_str_t value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value = value;
#if (nginx_version >= 1023000)
    h->next = NULL;             /* since 1.23.0 */
#endif

    return NGX_OK;
}


/* The same, of static text. */

ngx_int_t
ngx_http_experiment_answer_text(ngx_http_request_t *r, const char *name,
    const char *value)
{
    ngx_str_t  s;

    s.data = (u_char *) value;
    s.len = ngx_strlen(value);

    return ngx_http_experiment_answer_header(r, name, s);
}


/*
 * The whole answer, which nobody may keep; json is NULL where there is no
 * body.  What it returns ends the request.
 */

ngx_int_t
ngx_http_experiment_answer(ngx_http_request_t *r, ngx_uint_t status,
    ngx_http_experiment_line_t *json)
{
    ngx_buf_t    *b;
    ngx_chain_t  *out;

    static const ngx_str_t  type = ngx_string("application/json");

    if (json == NULL) {
        return ngx_http_experiment_answer_chain(r, status, NULL, NULL, 0);
    }

    if (json->failed) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    out = ngx_alloc_chain_link(r->pool);
    b = ngx_calloc_buf(r->pool);

    if (out == NULL || b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->pos = json->start;
    b->last = json->pos;
    b->memory = 1;
    b->last_buf = r == r->main;
    b->last_in_chain = 1;

    out->buf = b;
    out->next = NULL;

    return ngx_http_experiment_answer_chain(r, status, &type, out,
                                            b->last - b->pos);
}


/* As above, of any type; out is NULL where there is no body. */

ngx_int_t
ngx_http_experiment_answer_chain(ngx_http_request_t *r, ngx_uint_t status,
    const ngx_str_t *type, ngx_chain_t *out, off_t size)
{
    u_char     *end;
    ngx_int_t   rc;

    static ngx_str_t  no_store = ngx_string("no-store");
    static ngx_str_t  nosniff = ngx_string("nosniff");

    if (ngx_http_experiment_answer_header(r, "Cache-Control", no_store)
        != NGX_OK
        || ngx_http_experiment_answer_header(r, "X-Content-Type-Options",
                                             nosniff)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* tags are compared by who made them */

    r->disable_not_modified = 1;
    r->headers_out.status = status;

    if (out == NULL) {
        r->header_only = 1;

        /* else it would be chunked, and the client would wait for the end */

        if (status != NGX_HTTP_NOT_MODIFIED) {
            r->headers_out.content_length_n = 0;
        }

        return ngx_http_send_header(r);
    }

    end = ngx_strlchr(type->data, type->data + type->len, ';');

    r->headers_out.content_type = *type;
    r->headers_out.content_type_len = end != NULL
                                      ? (size_t) (end - type->data)
                                      : type->len;
    r->headers_out.content_type_lowcase = NULL;
    r->headers_out.content_length_n = size;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, out);
}


/*
 * 1 if If-None-Match has the tag, which stands in quotes: nginx's own
 * comparison is for what may be cached.
 */

ngx_uint_t
ngx_http_experiment_tagged(ngx_http_request_t *r, ngx_str_t *tag)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == sizeof("if-none-match") - 1
                && ngx_memcmp(h[i].lowcase_key, "if-none-match",
                              sizeof("if-none-match") - 1)
                   == 0
                && ngx_http_experiment_tag_in(&h[i].value, tag))
            {
                return 1;
            }
        }
    }

    return 0;
}


/*
 * 1 if a list of tags has ours, weak or not, with quotes or without, as some
 * clients send it.  "*" is no tag: it would match what nobody has.
 */

static ngx_uint_t
ngx_http_experiment_tag_in(ngx_str_t *list, ngx_str_t *tag)
{
    u_char  *p, *last, *end, *next;

    last = list->data + list->len;

    for (p = list->data; p < last; p = next) {

        end = ngx_strlchr(p, last, ',');
        next = end != NULL ? end + 1 : last;
        end = end != NULL ? end : last;

        while (p < end && (*p == ' ' || *p == '\t')) {
            p++;
        }

        while (p < end && (end[-1] == ' ' || end[-1] == '\t')) {
            end--;
        }

        if (end - p > 2 && ngx_strncmp(p, "W/", 2) == 0) {
            p += 2;
        }

        if (end - p > 1 && *p == '"' && end[-1] == '"') {
            p++;
            end--;
        }

        if ((size_t) (end - p) == tag->len - 2
            && ngx_memcmp(p, tag->data + 1, tag->len - 2) == 0)
        {
            return 1;
        }
    }

    return 0;
}
