
/*
 * Status in Prometheus's text format 0.0.4.  All samples of a family stand
 * together: a part is a family's head, or its samples of one group.
 */

#include "ngx_http_experiment_log.h"
#include "ngx_http_experiment_status.h"


typedef struct ngx_http_experiment_family_s  ngx_http_experiment_family_t;

/* Prints the samples of the group at hand. */

typedef void (*ngx_http_experiment_samples_pt)(
    ngx_http_experiment_status_t *s, const ngx_http_experiment_family_t *f);


struct ngx_http_experiment_family_s {
    const char                      *name;
    const char                      *type;
    const char                      *help;
    ngx_http_experiment_samples_pt   samples;
    ngx_uint_t                       what;         /* counter, or block */
    const char                      *label;        /* of names, or NULL */
    const char                     **names;        /* NULL: causes */

    /* a histogram: edges least * 2^k, k below edges */

    uint64_t                         least;        /* microseconds */
    ngx_uint_t                       edges;
};


static ngx_int_t ngx_http_experiment_prometheus_family(
    ngx_http_experiment_status_t *s);
static ngx_int_t ngx_http_experiment_prometheus_group(
    ngx_http_experiment_status_t *s);
static void ngx_http_experiment_prometheus_counter(
    ngx_http_experiment_status_t *s, const ngx_http_experiment_family_t *f);
static void ngx_http_experiment_prometheus_units(
    ngx_http_experiment_status_t *s, const ngx_http_experiment_family_t *f);
static void ngx_http_experiment_prometheus_cost(
    ngx_http_experiment_status_t *s, const ngx_http_experiment_family_t *f);
static void ngx_http_experiment_prometheus_feedback(
    ngx_http_experiment_status_t *s, const ngx_http_experiment_family_t *f);
static void ngx_http_experiment_prometheus_times(
    ngx_http_experiment_status_t *s, const ngx_http_experiment_family_t *f);
static void ngx_http_experiment_prometheus_rest(
    ngx_http_experiment_status_t *s);
static void ngx_http_experiment_prometheus_one(
    ngx_http_experiment_line_t *l, const char *name, const char *type,
    const char *help);
static void ngx_http_experiment_prometheus_head(
    ngx_http_experiment_line_t *l, const char *name, const char *type,
    const char *help);
static void ngx_http_experiment_prometheus_phase(
    ngx_http_experiment_status_t *s, const char *name, const char *suffix);
static void ngx_http_experiment_prometheus_labels(
    ngx_http_experiment_status_t *s, const char *name, const char *suffix);
static void ngx_http_experiment_prometheus_label(
    ngx_http_experiment_line_t *l, const char *name, nxe_str_t value);
static void ngx_http_experiment_prometheus_value(
    ngx_http_experiment_line_t *l, nxe_str_t value);
static void ngx_http_experiment_prometheus_seconds(
    ngx_http_experiment_line_t *l, uint64_t us);


static const ngx_http_experiment_family_t
    ngx_http_experiment_families[] =
{
    { "requests_total", "counter",
      "Requests that had the experiment; variant _REASON: those that got the "
      "baseline for that reason.",
      ngx_http_experiment_prometheus_counter,
      NGX_HTTP_EXPERIMENT_REQUESTS, NULL, NULL, 0, 0 },

    { "errors_total", "counter",
      "Requests that failed: 5xx, upstream 429, an answer that failed "
      "after its status.",
      ngx_http_experiment_prometheus_counter,
      NGX_HTTP_EXPERIMENT_ERROR_5XX, "class",
      ngx_http_experiment_error_names, 0, 0 },

    { "aborted_total", "counter",
      "Requests whose client left.",
      ngx_http_experiment_prometheus_counter,
      NGX_HTTP_EXPERIMENT_ABORTED, NULL, NULL, 0, 0 },

    { "bypassed_total", "counter",
      "Request bodies that went on unedited, by cause.",
      ngx_http_experiment_prometheus_counter,
      NGX_HTTP_EXPERIMENT_BYPASSED, "cause", NULL, 0, 0 },

    { "rejected_total", "counter",
      "Requests that were refused for their body.",
      ngx_http_experiment_prometheus_counter,
      NGX_HTTP_EXPERIMENT_REJECTED, NULL, NULL, 0, 0 },

    { "units", "gauge",
      "Different units since the zone began, an estimate with a relative "
      "standard error of 1.6 %.",
      ngx_http_experiment_prometheus_units, 0, NULL, NULL, 0, 0 },

    { "tokens_total", "counter",
      "Tokens as answers told them; input has cached and cache_write, output "
      "has reasoning.",
      ngx_http_experiment_prometheus_counter,
      NGX_HTTP_EXPERIMENT_TOKENS, "type",
      ngx_http_experiment_token_names, 0, 0 },

    { "cost_total", "counter",
      "What tokens cost, in the currency.",
      ngx_http_experiment_prometheus_cost, 0, NULL, NULL, 0, 0 },

    { "no_usage_total", "counter",
      "Answers that told no output tokens; without those of "
      "unmetered_total.",
      ngx_http_experiment_prometheus_counter,
      NGX_HTTP_EXPERIMENT_NO_USAGE, NULL, NULL, 0, 0 },

    { "unmetered_total", "counter",
      "Answers that could not be measured.",
      ngx_http_experiment_prometheus_counter,
      NGX_HTTP_EXPERIMENT_UNMETERED, NULL, NULL, 0, 0 },

    { "no_price_total", "counter",
      "Answers that told tokens and have no cost.",
      ngx_http_experiment_prometheus_counter,
      NGX_HTTP_EXPERIMENT_NO_PRICE, NULL, NULL, 0, 0 },

    { "feedback_total", "counter",
      "Feedback that was accepted while the phase was in force.",
      ngx_http_experiment_prometheus_feedback,
      NGX_HTTP_EXPERIMENT_FEEDBACK, NULL, NULL, 0, 0 },

    { "response_seconds", "histogram",
      "From the request to the last byte; a time within 1 % of an edge may "
      "stand on its other side.",
      ngx_http_experiment_prometheus_times,
      NGX_HTTP_EXPERIMENT_RESPONSE, NULL, NULL, 10000, 14 },

    { "ttft_seconds", "histogram",
      "From the request to a stream's first event with content; edges as in "
      "response_seconds.",
      ngx_http_experiment_prometheus_times,
      NGX_HTTP_EXPERIMENT_TTFT, NULL, NULL, 10000, 14 },

    { "tpot_seconds", "histogram",
      "Of a stream, for each output token behind the first; edges as in "
      "response_seconds.",
      ngx_http_experiment_prometheus_times,
      NGX_HTTP_EXPERIMENT_TPOT, NULL, NULL, 1000, 13 },

    { NULL, NULL, NULL, NULL, 0, NULL, NULL, 0, 0 }
};


ngx_int_t
ngx_http_experiment_prometheus(ngx_http_experiment_status_t *s)
{
    s->family = 0;
    s->part = ngx_http_experiment_prometheus_family;

    return NGX_AGAIN;
}


/* Part: the head of a family, or the end. */

static ngx_int_t
ngx_http_experiment_prometheus_family(ngx_http_experiment_status_t *s)
{
    const ngx_http_experiment_family_t  *f;

    f = &ngx_http_experiment_families[s->family];

    if (f->name == NULL) {
        ngx_http_experiment_prometheus_rest(s);
        return NGX_OK;
    }

    s->group = s->groups;
    s->part = ngx_http_experiment_prometheus_group;

    ngx_http_experiment_prometheus_head(&s->line, f->name, f->type, f->help);

    return NGX_AGAIN;
}


/*
 * Part: the samples of a group, and the next family behind the last.  A group
 * of outcomes has one family, which no other group has.
 */

static ngx_int_t
ngx_http_experiment_prometheus_group(ngx_http_experiment_status_t *s)
{
    ngx_uint_t                           outcomes;
    const ngx_http_experiment_family_t  *f;

    if (s->group == NULL) {
        s->family++;
        s->part = ngx_http_experiment_prometheus_family;
        return NGX_AGAIN;
    }

    f = &ngx_http_experiment_families[s->family];

    outcomes = ngx_http_experiment_outcomes_key(&s->group->key);

    if (outcomes == (f->samples == ngx_http_experiment_prometheus_feedback)) {
        f->samples(s, f);
    }

    s->group = s->group->next;

    return NGX_AGAIN;
}


static void
ngx_http_experiment_prometheus_counter(ngx_http_experiment_status_t *s,
    const ngx_http_experiment_family_t *f)
{
    ngx_uint_t                   i;
    const char                  *name;
    ngx_http_experiment_line_t  *l;

    l = &s->line;

    for (i = 0; ; i++) {
        name = f->names != NULL ? f->names[i]
                                : ngx_http_experiment_causes[i].name;

        if (f->label != NULL && name == NULL) {
            return;
        }

        ngx_http_experiment_prometheus_labels(s, f->name, "");

        if (f->label != NULL) {
            ngx_http_experiment_prometheus_label(l, f->label,
                                                 nxe_str_of(name));
        }

        ngx_http_experiment_number(l, "} ", s->group->counters[f->what + i]);
        ngx_http_experiment_lit(l, "\n");

        if (f->label == NULL) {
            return;
        }
    }
}


static void
ngx_http_experiment_prometheus_units(ngx_http_experiment_status_t *s,
    const ngx_http_experiment_family_t *f)
{
    ngx_http_experiment_prometheus_labels(s, f->name, "");
    ngx_http_experiment_number(&s->line, "} ",
                               ngx_http_experiment_status_units(s, s->group));
    ngx_http_experiment_lit(&s->line, "\n");
}


static void
ngx_http_experiment_prometheus_cost(ngx_http_experiment_status_t *s,
    const ngx_http_experiment_family_t *f)
{
    ngx_http_experiment_line_t   *l;
    ngx_http_experiment_group_t  *g;

    l = &s->line;
    g = s->group;

    if (g->currency == 0) {
        return;
    }

    ngx_http_experiment_prometheus_labels(s, f->name, "");
    ngx_http_experiment_lit(l, ",currency=\"");
    ngx_http_experiment_status_currency(l, g);
    ngx_http_experiment_lit(l, "\"} ");
    ngx_http_experiment_nano(l, g->counters[NGX_HTTP_EXPERIMENT_COST]);
    ngx_http_experiment_lit(l, "\n");
}


static void
ngx_http_experiment_prometheus_feedback(ngx_http_experiment_status_t *s,
    const ngx_http_experiment_family_t *f)
{
    ngx_http_experiment_prometheus_phase(s, f->name, "");
    ngx_http_experiment_number(&s->line, "} ", s->group->counters[f->what]);
    ngx_http_experiment_lit(&s->line, "\n");
}


/* A bin is below an edge if the value that it stands for is. */

static void
ngx_http_experiment_prometheus_times(ngx_http_experiment_status_t *s,
    const ngx_http_experiment_family_t *f)
{
    uint32_t                     bin, end;
    uint64_t                     edge, below;
    ngx_uint_t                   k;
    ngx_http_experiment_line_t  *l;

    if (!ngx_http_experiment_status_times(s, s->group, f->what)) {
        return;
    }

    l = &s->line;
    bin = 0;
    below = 0;

    for (k = 0; k < f->edges; k++) {
        edge = f->least << k;

        end = nxe_hist_bin(edge);

        if (nxe_hist_value(end) <= (double) edge) {
            end++;
        }

        while (bin < end) {
            below += s->hist.bins[bin++];
        }

        ngx_http_experiment_prometheus_labels(s, f->name, "_bucket");
        ngx_http_experiment_lit(l, ",le=\"");
        ngx_http_experiment_prometheus_seconds(l, edge);
        ngx_http_experiment_number(l, "\"} ", below);
        ngx_http_experiment_lit(l, "\n");
    }

    ngx_http_experiment_prometheus_labels(s, f->name, "_bucket");
    ngx_http_experiment_number(l, ",le=\"+Inf\"} ", s->hist.n);
    ngx_http_experiment_lit(l, "\n");

    ngx_http_experiment_prometheus_labels(s, f->name, "_sum");
    ngx_http_experiment_lit(l, "} ");
    ngx_http_experiment_prometheus_seconds(l, s->sum);
    ngx_http_experiment_lit(l, "\n");

    ngx_http_experiment_prometheus_labels(s, f->name, "_count");
    ngx_http_experiment_number(l, "} ", s->hist.n);
    ngx_http_experiment_lit(l, "\n");
}


/* What is one number; of a registry that is not loaded there is none. */

static void
ngx_http_experiment_prometheus_rest(ngx_http_experiment_status_t *s)
{
    uint64_t                     ms;
    ngx_uint_t                   i;
    ngx_http_experiment_line_t  *l;

    const struct {
        const char              *name;
        const char              *type;
        const char              *help;
        uint64_t                 value;
    } numbers[] = {
        { "registry_loaded", "gauge",
          "1 if the worker that answers has a copy of the registry.",
          s->ctx->snapshot != NULL },
        { "snapshot_errors_total", "counter",
          "Copies, documents and tables of prices that a worker could not "
          "use.", s->zone->snapshot_errors },
        { "feedback_refused_total", "counter",
          "Feedback that was refused.", s->zone->refused },
        { "zone_rows", "gauge",
          "Rows of counters in use.", s->zone->used_rows },
        { "zone_rows_max", "gauge",
          "Rows that experiment_zone has room for.", s->zone->nrows },
        { "zone_blocks", "gauge",
          "Histograms and sketches of units in use.",
          ngx_min(s->zone->used_blocks, s->zone->nblocks) },
        { "zone_blocks_max", "gauge",
          "Histograms and sketches that experiment_zone has room for.",
          s->zone->nblocks },
        { "zone_dropped_total", "counter",
          "What was not counted for want of room in experiment_zone.",
          s->zone->dropped }
    };

    l = &s->line;

    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        ngx_http_experiment_prometheus_one(l, numbers[i].name,
                                           numbers[i].type, numbers[i].help);
        ngx_http_experiment_number(l, " ", numbers[i].value);
        ngx_http_experiment_lit(l, "\n");
    }

    if (s->ctx->snapshot != NULL) {
        ngx_http_experiment_prometheus_one(l, "registry_transaction", "gauge",
                       "The registry's transaction that is served.");
        ngx_http_experiment_number(l, " ",
                       nxe_serving_current(s->ctx->snapshot->serving)->txn);
        ngx_http_experiment_lit(l, "\n");
    }

    if (ngx_http_experiment_status_age(s, &ms) == NGX_OK) {
        ngx_http_experiment_prometheus_one(l, "registry_age_seconds", "gauge",
                       "Since what is served was published.");
        ngx_http_experiment_ms(l, " ", ms);
        ngx_http_experiment_lit(l, "\n");
    }
}


/* A family of one sample without labels, up to its value. */

static void
ngx_http_experiment_prometheus_one(ngx_http_experiment_line_t *l,
    const char *name, const char *type, const char *help)
{
    ngx_http_experiment_prometheus_head(l, name, type, help);
    ngx_http_experiment_lit(l, "nginx_experiment_");
    ngx_http_experiment_raw(l, name, ngx_strlen(name));
}


static void
ngx_http_experiment_prometheus_head(ngx_http_experiment_line_t *l,
    const char *name, const char *type, const char *help)
{
    ngx_http_experiment_lit(l, "# HELP nginx_experiment_");
    ngx_http_experiment_raw(l, name, ngx_strlen(name));
    ngx_http_experiment_lit(l, " ");
    ngx_http_experiment_raw(l, help, ngx_strlen(help));
    ngx_http_experiment_lit(l, "\n# TYPE nginx_experiment_");
    ngx_http_experiment_raw(l, name, ngx_strlen(name));
    ngx_http_experiment_lit(l, " ");
    ngx_http_experiment_raw(l, type, ngx_strlen(type));
    ngx_http_experiment_lit(l, "\n");
}


/* A sample of the group at hand, up to its own labels. */

static void
ngx_http_experiment_prometheus_labels(ngx_http_experiment_status_t *s,
    const char *name, const char *suffix)
{
    ngx_http_experiment_key_t  *key;

    key = &s->group->key;

    ngx_http_experiment_prometheus_phase(s, name, suffix);
    ngx_http_experiment_prometheus_label(&s->line, "variant", key->variant);
    ngx_http_experiment_prometheus_label(&s->line, "step", key->step);
}


/* The same for what is of the phase as a whole. */

static void
ngx_http_experiment_prometheus_phase(ngx_http_experiment_status_t *s,
    const char *name, const char *suffix)
{
    u_char                       phase[NGX_INT64_LEN], *last;
    ngx_http_experiment_key_t   *key;
    ngx_http_experiment_line_t  *l;

    l = &s->line;
    key = &s->group->key;

    last = ngx_http_experiment_decimal(phase, key->phase, 1);

    ngx_http_experiment_lit(l, "nginx_experiment_");
    ngx_http_experiment_raw(l, name, ngx_strlen(name));
    ngx_http_experiment_raw(l, suffix, ngx_strlen(suffix));

    ngx_http_experiment_lit(l, "{experiment=\"");
    ngx_http_experiment_prometheus_value(l, key->experiment);
    ngx_http_experiment_prometheus_label(l, "phase",
                                         (nxe_str_t) { (char *) phase,
                                                       last - phase });
}


static void
ngx_http_experiment_prometheus_label(ngx_http_experiment_line_t *l,
    const char *name, nxe_str_t value)
{
    ngx_http_experiment_lit(l, ",");
    ngx_http_experiment_raw(l, name, ngx_strlen(name));
    ngx_http_experiment_lit(l, "=\"");
    ngx_http_experiment_prometheus_value(l, value);
}


/* With the quote behind it.  Names need no escape: what is no name might. */

static void
ngx_http_experiment_prometheus_value(ngx_http_experiment_line_t *l,
    nxe_str_t value)
{
    size_t   i;
    u_char  *p;

    p = ngx_http_experiment_room(l, 2 * value.len + 1);
    if (p == NULL) {
        return;
    }

    for (i = 0; i < value.len; i++) {

        if (value.data[i] == '\\' || value.data[i] == '"') {
            *p++ = '\\';
        }

        if (value.data[i] == '\n') {
            *p++ = '\\';
            *p++ = 'n';
            continue;
        }

        *p++ = (u_char) value.data[i];
    }

    *p++ = '"';
    l->pos = p;
}


/* As short as it can be: 0.01, 1.28, 0.000123. */

static void
ngx_http_experiment_prometheus_seconds(ngx_http_experiment_line_t *l,
    uint64_t us)
{
    char    text[NXE_NANO_LEN];
    size_t  len;

    len = nxe_nano_print(us % 1000000 * 1000, text);

    ngx_http_experiment_number(l, "", us / 1000000);
    ngx_http_experiment_raw(l, text + 1, len - 1);
}
