
/*
 * experiment_status: an answer that is made in parts.
 */

#include "ngx_http_experiment_endpoint.h"
#include "ngx_http_experiment_status.h"


/* A piece of the answer ends behind the part that makes it so long. */

#define NGX_HTTP_EXPERIMENT_PIECE  (32 * 1024)
#define NGX_HTTP_EXPERIMENT_PART   (32 * 1024)      /* three full histograms */


typedef struct {
    ngx_str_t                        name;
    ngx_str_t                        type;
    ngx_http_experiment_part_pt      print;
    ngx_uint_t                       live;
} ngx_http_experiment_format_t;


static ngx_int_t ngx_http_experiment_status_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_experiment_status_start(ngx_http_request_t *r,
    ngx_http_experiment_loc_conf_t *elcf);
static ngx_int_t ngx_http_experiment_status_run(
    ngx_http_experiment_status_t *s);
static ngx_int_t ngx_http_experiment_status_send(
    ngx_http_experiment_status_t *s, ngx_uint_t last);
static ngx_int_t ngx_http_experiment_status_wait_turn(
    ngx_http_experiment_status_t *s);
static void ngx_http_experiment_status_turn_handler(ngx_event_t *ev);
static ngx_int_t ngx_http_experiment_status_wait_write(
    ngx_http_experiment_status_t *s);
static void ngx_http_experiment_status_writer(ngx_http_request_t *r);


static const ngx_http_experiment_format_t  ngx_http_experiment_formats[] = {

    { ngx_string("json"), ngx_string("application/json"),
      ngx_http_experiment_status_json, 1 },

    { ngx_string("prometheus"),
      ngx_string("text/plain; version=0.0.4; charset=utf-8"),
      ngx_http_experiment_prometheus, 0 },

    { ngx_null_string, ngx_null_string, NULL, 0 }
};


/* [json | prometheus | html] [open] */

char *
ngx_http_experiment_set_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_experiment_loc_conf_t  *elcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i, f, named;

    if (ngx_http_experiment_set_endpoint(cf, cmd, elcf,
                                         ngx_http_experiment_status_handler)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;
    named = 0;

    for (i = 1; i < cf->args->nelts; i++) {

        for (f = 0; ngx_http_experiment_formats[f].name.len != 0; f++) {
            if (value[i].len == ngx_http_experiment_formats[f].name.len
                && ngx_strcmp(value[i].data,
                              ngx_http_experiment_formats[f].name.data)
                   == 0)
            {
                break;
            }
        }

        if (ngx_http_experiment_formats[f].name.len != 0 && !named) {
            elcf->format = f;
            named = 1;

        } else if (ngx_strcmp(value[i].data, "html") == 0 && !named) {
            elcf->page = ngx_http_experiment_page(cf);
            named = 1;

            if (elcf->page == NULL) {
                return NGX_CONF_ERROR;
            }

        } else if (ngx_strcmp(value[i].data, "open") == 0 && !elcf->open) {
            elcf->open = 1;

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\", expected \"json\", "
                               "\"prometheus\" or \"html\", and \"open\", "
                               "each once",
                               &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    if (!elcf->open) {
        elcf->hosts = ngx_array_create(cf->pool, 4, sizeof(ngx_str_t));
        if (elcf->hosts == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_experiment_status_handler(ngx_http_request_t *r)
{
    ngx_int_t                        rc;
    ngx_http_experiment_loc_conf_t  *elcf;

    static ngx_str_t  methods = ngx_string("GET, HEAD");

    elcf = ngx_http_experiment_endpoint(r,
                                        ngx_http_experiment_status_handler);
    if (elcf == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* also a page that includes it, whoever asked for that */

    if (r != r->main
        || ngx_http_experiment_status_allowed(r, elcf) != NGX_OK)
    {
        return NGX_HTTP_FORBIDDEN;
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_http_experiment_answer_header(r, "Allow", methods)
               == NGX_OK ? NGX_HTTP_NOT_ALLOWED
                         : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    /* where there is a page, the format is json, which it asks for */

    if (elcf->page != NULL
        && (r->args.len != sizeof("json") - 1
            || ngx_memcmp(r->args.data, "json", sizeof("json") - 1) != 0))
    {
        return ngx_http_experiment_answer_page(r, elcf->page);
    }

    return ngx_http_experiment_status_start(r, elcf);
}


static ngx_int_t
ngx_http_experiment_status_start(ngx_http_request_t *r,
    ngx_http_experiment_loc_conf_t *elcf)
{
    ngx_http_experiment_ctx_t        *ctx;
    ngx_http_experiment_status_t     *s;
    ngx_http_experiment_main_conf_t  *emcf;

    emcf = ngx_http_get_module_main_conf(r, ngx_http_experiment_module);
    ctx = ngx_http_experiment_get_ctx(r);

    if (ctx == NULL) {
        ctx = ngx_http_experiment_create_ctx(r);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    s = ngx_pcalloc(r->pool, sizeof(ngx_http_experiment_status_t));
    if (s == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->snapshot == NULL) {
        ctx->snapshot = ngx_http_experiment_acquire(emcf);
    }

    ctx->data = s;

    s->request = r;
    s->ctx = ctx;
    s->worker = ngx_http_experiment_worker(emcf);
    s->zone = ngx_http_experiment_zone(emcf);
    s->part = ngx_http_experiment_status_rows;
    s->print = ngx_http_experiment_formats[elcf->format].print;
    s->live = ngx_http_experiment_formats[elcf->format].live;

    (void) clock_gettime(CLOCK_REALTIME, &s->now);

    s->line.pool = r->pool;

    if (s->worker == NULL
        || ngx_http_experiment_room(&s->line, (NGX_HTTP_EXPERIMENT_PIECE
                                               + NGX_HTTP_EXPERIMENT_PART) / 2)
           == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_experiment_status_run(s);
}


/* Parts, as many as there is time for; a piece that is long enough is sent. */

static ngx_int_t
ngx_http_experiment_status_run(ngx_http_experiment_status_t *s)
{
    ngx_int_t        rc;
    struct timespec  since;

    for ( ;; ) {

        if (s->buf.pos != s->buf.last) {
            return ngx_http_experiment_status_wait_write(s);
        }

        s->worker->patient = 1;

        do {
            (void) clock_gettime(CLOCK_MONOTONIC, &since);

            rc = s->part(s);

            ngx_http_experiment_spend(s->worker, &since);

            if (s->line.failed) {
                rc = NGX_ERROR;
            }

        } while (rc == NGX_AGAIN
                 && s->line.pos - s->line.start < NGX_HTTP_EXPERIMENT_PIECE
                 && !ngx_http_experiment_spent(s->worker));

        s->worker->patient = 0;

        if (rc == NGX_ERROR) {
            return s->begun ? NGX_ERROR : NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (rc == NGX_AGAIN
            && s->line.pos - s->line.start < NGX_HTTP_EXPERIMENT_PIECE)
        {
            return ngx_http_experiment_status_wait_turn(s);
        }

        rc = ngx_http_experiment_status_send(s, rc == NGX_OK);

        if (rc == NGX_ERROR || rc > NGX_OK || s->ended
            || s->request->header_only)
        {
            return rc;
        }
    }
}


/* The length is known where all of it is one piece. */

static ngx_int_t
ngx_http_experiment_status_send(ngx_http_experiment_status_t *s,
    ngx_uint_t last)
{
    ngx_http_request_t              *r;
    ngx_http_experiment_loc_conf_t  *elcf;

    r = s->request;

    s->buf.start = s->line.start;
    s->buf.pos = s->line.start;
    s->buf.last = s->line.pos;
    s->buf.end = s->line.end;
    s->buf.memory = 1;
    s->buf.flush = !last;
    s->buf.last_buf = last;
    s->buf.last_in_chain = last;

    s->out.buf = &s->buf;
    s->out.next = NULL;

    /* it is written over when all of it has been sent */

    s->line.pos = s->line.start;

    /* filters take what the buffer says of it out */

    s->ended = last;

    if (s->begun) {
        return ngx_http_output_filter(r, &s->out);
    }

    s->begun = 1;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_experiment_module);

    return ngx_http_experiment_answer_chain(r, NGX_HTTP_OK,
                     &ngx_http_experiment_formats[elcf->format].type, &s->out,
                     last ? s->buf.last - s->buf.pos : -1);
}


static ngx_int_t
ngx_http_experiment_status_wait_turn(ngx_http_experiment_status_t *s)
{
    ngx_http_request_t  *r;

    r = s->request;

    ngx_http_experiment_wait_turn(s->ctx,
                                  ngx_http_experiment_status_turn_handler, s);

    /* it is held until the event comes: who called finalizes one time */

    r->main->count++;

    return NGX_DONE;
}


static void
ngx_http_experiment_status_turn_handler(ngx_event_t *ev)
{
    ngx_connection_t              *c;
    ngx_http_request_t            *r;
    ngx_http_experiment_status_t  *s;

    s = ev->data;
    r = s->request;
    c = r->connection;

    if (ngx_http_experiment_spent(s->worker)) {
        ngx_http_experiment_wait_turn(s->ctx, ev->handler, s);
        return;
    }

    ngx_http_experiment_waited(s->ctx);

    ngx_http_set_log_request(c->log, r);

    ngx_http_finalize_request(r, ngx_http_experiment_status_run(s));

    ngx_http_run_posted_requests(c);
}


/* Until a slow client has taken the piece. */

static ngx_int_t
ngx_http_experiment_status_wait_write(ngx_http_experiment_status_t *s)
{
    ngx_event_t               *wev;
    ngx_http_request_t        *r;
    ngx_http_core_loc_conf_t  *clcf;

    r = s->request;
    wev = r->connection->write;
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    r->write_event_handler = ngx_http_experiment_status_writer;

    if (!wev->delayed) {
        ngx_add_timer(wev, clcf->send_timeout);
    }

    if (ngx_handle_write_event(wev, clcf->send_lowat) != NGX_OK) {
        return NGX_ERROR;
    }

    r->main->count++;

    return NGX_DONE;
}


static void
ngx_http_experiment_status_writer(ngx_http_request_t *r)
{
    ngx_event_t                   *wev;
    ngx_http_experiment_ctx_t     *ctx;
    ngx_http_experiment_status_t  *s;

    wev = r->connection->write;
    ctx = ngx_http_experiment_get_ctx(r);
    s = ctx->data;

    r->write_event_handler = ngx_http_request_empty_handler;

    if (wev->timedout) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, NGX_ETIMEDOUT,
                      "client timed out");
        r->connection->timedout = 1;

        ngx_http_finalize_request(r, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    if (!wev->delayed && ngx_http_output_filter(r, NULL) == NGX_ERROR) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    if (s->buf.pos == s->buf.last && wev->timer_set && !wev->delayed) {
        ngx_del_timer(wev);
    }

    ngx_http_finalize_request(r, ngx_http_experiment_status_run(s));
}
