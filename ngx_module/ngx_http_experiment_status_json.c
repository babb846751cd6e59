
/*
 * Status as JSON, a member or row a part.
 */

#include "ngx_http_experiment_log.h"
#include "ngx_http_experiment_status.h"

#include <nxe/time.h>


/* Live experiments without rows, by name, that are told of. */

#define NGX_HTTP_EXPERIMENT_LISTED  500


static void ngx_http_experiment_json_registry(
    ngx_http_experiment_status_t *s);
static void ngx_http_experiment_json_zone(ngx_http_experiment_status_t *s);
static ngx_int_t ngx_http_experiment_json_experiment(
    ngx_http_experiment_status_t *s);
static void ngx_http_experiment_json_handle(ngx_http_experiment_line_t *l,
    ngx_http_experiment_handle_t *h);
static ngx_int_t ngx_http_experiment_json_row(
    ngx_http_experiment_status_t *s);
static void ngx_http_experiment_json_counts(ngx_http_experiment_status_t *s,
    ngx_http_experiment_group_t *g);
static void ngx_http_experiment_json_counters(ngx_http_experiment_line_t *l,
    ngx_http_experiment_group_t *g);
static void ngx_http_experiment_json_names(ngx_http_experiment_line_t *l,
    const char *member, const char **names, const uint64_t *counters);
static void ngx_http_experiment_json_times(ngx_http_experiment_status_t *s,
    const char *member, ngx_http_experiment_block_e what);
static ngx_int_t ngx_http_experiment_json_end(
    ngx_http_experiment_status_t *s);
static void ngx_http_experiment_json_name(ngx_http_experiment_line_t *l,
    const char *member, nxe_str_t s);
static void ngx_http_experiment_json_time(ngx_http_experiment_line_t *l,
    const char *member, time_t sec, long ms);


ngx_int_t
ngx_http_experiment_status_json(ngx_http_experiment_status_t *s)
{
    ngx_http_experiment_line_t  *l;

    l = &s->line;

    ngx_http_experiment_lit(l, "{\"worker\":");
    ngx_http_experiment_string(l, s->worker->name.data, s->worker->name.len);

    ngx_http_experiment_json_time(l, ",\"now\":\"", s->now.tv_sec,
                                  s->now.tv_nsec / 1000000);
    ngx_http_experiment_json_time(l, ",\"started\":\"", s->zone->start, -1);

    ngx_http_experiment_json_registry(s);
    ngx_http_experiment_json_zone(s);

    ngx_http_experiment_lit(l, ",\"experiments\":[");

    s->part = ngx_http_experiment_json_experiment;

    return NGX_AGAIN;
}


static void
ngx_http_experiment_json_registry(ngx_http_experiment_status_t *s)
{
    uint64_t                     ms;
    const nxe_current_t         *current;
    ngx_http_experiment_line_t  *l;

    l = &s->line;

    ngx_http_experiment_lit(l, ",\"registry\":{");

    if (s->ctx->snapshot == NULL) {
        ngx_http_experiment_lit(l, "\"loaded\":false}");
        return;
    }

    current = nxe_serving_current(s->ctx->snapshot->serving);

    ngx_http_experiment_number(l, "\"transaction\":", current->txn);
    ngx_http_experiment_json_name(l, ",\"head\":", nxe_str_of(current->head));

    if (ngx_http_experiment_status_age(s, &ms) == NGX_OK) {
        ngx_http_experiment_ms(l, ",\"age_s\":", ms);
    }

    ngx_http_experiment_lit(l, ",\"loaded\":true}");
}


static void
ngx_http_experiment_json_zone(ngx_http_experiment_status_t *s)
{
    ngx_http_experiment_line_t  *l;
    ngx_http_experiment_zone_t  *zone;

    l = &s->line;
    zone = s->zone;

    ngx_http_experiment_number(l, ",\"zone\":{\"rows\":", zone->used_rows);
    ngx_http_experiment_number(l, ",\"rows_max\":", zone->nrows);
    ngx_http_experiment_number(l, ",\"blocks\":",
                               ngx_min(zone->used_blocks, zone->nblocks));
    ngx_http_experiment_number(l, ",\"blocks_max\":", zone->nblocks);
    ngx_http_experiment_number(l, ",\"dropped\":", zone->dropped);
    ngx_http_experiment_number(l, "},\"snapshot_errors\":",
                               zone->snapshot_errors);
    ngx_http_experiment_number(l, ",\"feedback_refused\":", zone->refused);
}


/*
 * Part: an experiment but for its rows.  It is listed if it has any, or is
 * among the first live ones.
 */

static ngx_int_t
ngx_http_experiment_json_experiment(ngx_http_experiment_status_t *s)
{
    nxe_str_t                      name;
    ngx_int_t                      rc;
    ngx_http_experiment_line_t    *l;
    ngx_http_experiment_group_t   *g, *rows;
    ngx_http_experiment_handle_t  *h;

    l = &s->line;
    g = s->group;

    if (g == NULL) {
        s->part = ngx_http_experiment_json_end;
        return NGX_AGAIN;
    }

    name = g->key.experiment;
    rows = g;

    if (g->row == NULL) {
        rows = g->next;

        if (rows != NULL && !nxe_str_eq(rows->key.experiment, name)) {
            rows = NULL;
        }

        if (rows == NULL && s->listed >= NGX_HTTP_EXPERIMENT_LISTED) {
            s->more++;
            s->group = g->next;
            return NGX_AGAIN;
        }
    }

    h = NULL;

    if (s->ctx->snapshot != NULL) {
        rc = ngx_http_experiment_handle(s->ctx->snapshot, name, 0, &h);

        if (rc == NGX_AGAIN || rc == NGX_ERROR) {
            return rc;
        }
    }

    if (g->row == NULL) {
        s->listed++;
    }

    ngx_http_experiment_json_name(l, s->second ? ",{\"name\":" : "{\"name\":",
                                  name);

    if (h != NULL) {
        ngx_http_experiment_json_handle(l, h);

    } else {
        ngx_http_experiment_lit(l, ",\"error\":false,\"variants\":[]");
    }

    ngx_http_experiment_number(l, ",\"feedback\":", g->feedback);
    ngx_http_experiment_lit(l, ",\"rows\":[");

    s->second = 0;
    s->group = rows != NULL ? rows : g->next;

    if (rows != NULL) {
        s->part = ngx_http_experiment_json_row;

    } else {
        ngx_http_experiment_lit(l, "]}");
        s->second = 1;
    }

    return NGX_AGAIN;
}


/* What is off or invalid has no document here. */

static void
ngx_http_experiment_json_handle(ngx_http_experiment_line_t *l,
    ngx_http_experiment_handle_t *h)
{
    char              exposure[NXE_FRAC_LEN];
    uint32_t          i;
    const nxe_doc_t  *doc;

    doc = h->doc;

    if (h->phase != 0) {
        ngx_http_experiment_json_name(l, ",\"stage\":",
                                      nxe_str_of(nxe_stage_name(h->stage)));

        if (h->ranges != NULL && h->stage != NXE_STAGE_PAUSED
            && h->stage != NXE_STAGE_ROLLED_BACK)
        {
            ngx_http_experiment_lit(l, ",\"exposure\":");
            ngx_http_experiment_raw(l, exposure,
                                    nxe_frac_print(h->force.exposure,
                                                   exposure));
        }

        ngx_http_experiment_number(l, ",\"phase\":", h->phase);
        ngx_http_experiment_number(l, ",\"revision\":", h->revision);
    }

    if (doc != NULL) {
        ngx_http_experiment_json_name(l, ",\"layer\":", doc->layer);
    }

    if (h->baseline.len != 0) {
        ngx_http_experiment_json_name(l, ",\"baseline\":", h->baseline);
    }

    if (h->error || (h->compiled != NULL && h->compiled->logged)) {
        ngx_http_experiment_lit(l, ",\"error\":true");

    } else {
        ngx_http_experiment_lit(l, ",\"error\":false");
    }

    ngx_http_experiment_lit(l, ",\"variants\":[");

    for (i = 0; doc != NULL && i < doc->nvariants; i++) {
        ngx_http_experiment_json_name(l, i != 0 ? "," : "",
                                      doc->variants[i].name);
    }

    ngx_http_experiment_lit(l, "]");
}


/*
 * Part: a row, and the end of the experiment behind its last.  That of
 * outcomes has been told.
 */

static ngx_int_t
ngx_http_experiment_json_row(ngx_http_experiment_status_t *s)
{
    ngx_http_experiment_group_t  *g;

    g = s->group;

    if (!ngx_http_experiment_outcomes_key(&g->key)) {
        ngx_http_experiment_json_counts(s, g);
        s->second = 1;
    }

    s->group = g->next;

    if (g->next == NULL
        || !nxe_str_eq(g->next->key.experiment, g->key.experiment))
    {
        ngx_http_experiment_lit(&s->line, "]}");
        s->second = 1;
        s->part = ngx_http_experiment_json_experiment;
    }

    return NGX_AGAIN;
}


static void
ngx_http_experiment_json_counts(ngx_http_experiment_status_t *s,
    ngx_http_experiment_group_t *g)
{
    ngx_http_experiment_line_t  *l;

    l = &s->line;

    ngx_http_experiment_number(l, s->second ? ",{\"phase\":" : "{\"phase\":",
                               g->key.phase);
    ngx_http_experiment_json_name(l, ",\"variant\":", g->key.variant);
    ngx_http_experiment_json_name(l, ",\"step\":", g->key.step);
    ngx_http_experiment_number(l, ",\"requests\":",
                               g->counters[NGX_HTTP_EXPERIMENT_REQUESTS]);
    ngx_http_experiment_number(l, ",\"units\":",
                               ngx_http_experiment_status_units(s, g));

    ngx_http_experiment_json_counters(l, g);

    ngx_http_experiment_json_times(s, ",\"response_ms\":",
                                   NGX_HTTP_EXPERIMENT_RESPONSE);
    ngx_http_experiment_json_times(s, ",\"ttft_ms\":",
                                   NGX_HTTP_EXPERIMENT_TTFT);
    ngx_http_experiment_json_times(s, ",\"tpot_ms\":",
                                   NGX_HTTP_EXPERIMENT_TPOT);

    ngx_http_experiment_lit(l, "}");
}


static void
ngx_http_experiment_json_counters(ngx_http_experiment_line_t *l,
    ngx_http_experiment_group_t *g)
{
    ngx_uint_t       i;
    const uint64_t  *n;
    const char      *causes[NGX_HTTP_EXPERIMENT_CAUSES + 1];

    n = g->counters;

    for (i = 0; i <= NGX_HTTP_EXPERIMENT_CAUSES; i++) {
        causes[i] = ngx_http_experiment_causes[i].name;
    }

    ngx_http_experiment_json_names(l, ",\"errors\":",
                                   ngx_http_experiment_error_names,
                                   &n[NGX_HTTP_EXPERIMENT_ERROR_5XX]);
    ngx_http_experiment_number(l, ",\"aborted\":",
                               n[NGX_HTTP_EXPERIMENT_ABORTED]);
    ngx_http_experiment_json_names(l, ",\"bypassed\":", causes,
                                   &n[NGX_HTTP_EXPERIMENT_BYPASSED]);
    ngx_http_experiment_number(l, ",\"rejected\":",
                               n[NGX_HTTP_EXPERIMENT_REJECTED]);
    ngx_http_experiment_json_names(l, ",\"tokens\":",
                                   ngx_http_experiment_token_names,
                                   &n[NGX_HTTP_EXPERIMENT_TOKENS]);

    if (g->currency != 0) {
        ngx_http_experiment_lit(l, ",\"cost\":");
        ngx_http_experiment_nano(l, n[NGX_HTTP_EXPERIMENT_COST]);
        ngx_http_experiment_lit(l, ",\"currency\":\"");
        ngx_http_experiment_status_currency(l, g);
        ngx_http_experiment_lit(l, "\"");
    }

    ngx_http_experiment_number(l, ",\"no_usage\":",
                               n[NGX_HTTP_EXPERIMENT_NO_USAGE]);
    ngx_http_experiment_number(l, ",\"unmetered\":",
                               n[NGX_HTTP_EXPERIMENT_UNMETERED]);
    ngx_http_experiment_number(l, ",\"no_price\":",
                               n[NGX_HTTP_EXPERIMENT_NO_PRICE]);
}


static void
ngx_http_experiment_json_names(ngx_http_experiment_line_t *l,
    const char *member, const char **names, const uint64_t *counters)
{
    ngx_uint_t  i;

    ngx_http_experiment_raw(l, member, ngx_strlen(member));

    for (i = 0; names[i] != NULL; i++) {
        ngx_http_experiment_json_name(l, i != 0 ? "," : "{",
                                      nxe_str_of(names[i]));
        ngx_http_experiment_number(l, ":", counters[i]);
    }

    ngx_http_experiment_lit(l, "}");
}


static void
ngx_http_experiment_json_times(ngx_http_experiment_status_t *s,
    const char *member, ngx_http_experiment_block_e what)
{
    ngx_uint_t                   i, second;
    nxe_quantile_t               q;
    ngx_http_experiment_line_t  *l;

    static const struct {
        const char              *member;
        double                   p;
    } quantiles[] = {
        { ",\"p50\":", 0.5 }, { ",\"p95\":", 0.95 }, { ",\"p99\":", 0.99 }
    };

    if (!ngx_http_experiment_status_times(s, s->group, what)) {
        return;
    }

    l = &s->line;

    ngx_http_experiment_raw(l, member, ngx_strlen(member));
    ngx_http_experiment_number(l, "{\"count\":", s->hist.n);
    ngx_http_experiment_ms(l, ",\"sum\":", s->sum);

    for (i = 0; i < 3; i++) {
        (void) nxe_hist_quantile(&s->hist, quantiles[i].p, &q);
        ngx_http_experiment_ms(l, quantiles[i].member,
                               (uint64_t) (q.value + 0.5));
    }

    ngx_http_experiment_lit(l, ",\"bins\":{");

    for (i = 0, second = 0; i < NXE_HIST_BINS; i++) {
        if (s->hist.bins[i] != 0) {
            ngx_http_experiment_number(l, second ? ",\"" : "\"", i);
            ngx_http_experiment_number(l, "\":", s->hist.bins[i]);
            second = 1;
        }
    }

    ngx_http_experiment_lit(l, "}}");
}


static ngx_int_t
ngx_http_experiment_json_end(ngx_http_experiment_status_t *s)
{
    ngx_http_experiment_lit(&s->line, "]");

    if (s->more != 0) {
        ngx_http_experiment_number(&s->line, ",\"more\":", s->more);
    }

    ngx_http_experiment_lit(&s->line, "}\n");

    return NGX_OK;
}


static void
ngx_http_experiment_json_name(ngx_http_experiment_line_t *l,
    const char *member, nxe_str_t s)
{
    ngx_http_experiment_raw(l, member, ngx_strlen(member));
    ngx_http_experiment_string(l, s.data, s.len);
}


/* With milliseconds, unless they are below 0. */

static void
ngx_http_experiment_json_time(ngx_http_experiment_line_t *l,
    const char *member, time_t sec, long ms)
{
    char     time[NXE_TIME_LEN];
    u_char  *p;

    nxe_time_print(sec, time);

    ngx_http_experiment_raw(l, member, ngx_strlen(member));
    ngx_http_experiment_raw(l, time, NXE_TIME_LEN - sizeof("Z"));

    p = ngx_http_experiment_room(l, 8);

    if (p != NULL && ms >= 0) {
        *p++ = '.';
        l->pos = ngx_http_experiment_decimal(p, ms, 3);
    }

    ngx_http_experiment_lit(l, "Z\"");
}
