/*
 * The report of an analysis as JSON; docs/expctl.md describes it.
 */

#include "cli/analyze_print.h"


static void json_quality(const analyze_report_t *r, nxe_buf_t *b);
static void json_usage(const analyze_report_t *r, nxe_buf_t *b);
static void json_feedback(const analyze_t *a, nxe_buf_t *b);
static void json_row(const analyze_report_t *r, nxe_buf_t *b, size_t i);
static void json_value(nxe_buf_t *b, const analyze_value_t *v);


static void
add_number(nxe_buf_t *b, const char *key, double value)
{
    char       text[NXE_DOUBLE_LEN];
    nxe_str_t  s;

    s.data = text;
    s.len = nxe_double_print(value, text);

    nxe_buf_addf(b, "\"%s\":", key);
    nxe_buf_add(b, s);
}


void
analyze_json(const analyze_report_t *r, nxe_buf_t *b)
{
    int                   any, failed;
    size_t                i;
    nxe_str_t             from, to;
    const analyze_t      *a;
    const analyze_row_t  *row;

    a = r->result;
    failed = analyze_srm_failed(r);
    analyze_window(r, &from, &to);

    nxe_buf_add(b, nxe_str("{\"experiment\":"));
    nxe_buf_add_json(b, r->plan.name);
    nxe_buf_addf(b, ",\"phase\":%llu,\"window\":[",
                 (unsigned long long) r->plan.phase);
    nxe_buf_add_json(b, from);
    nxe_buf_addc(b, ',');
    nxe_buf_add_json(b, to);
    nxe_buf_add(b, nxe_str("],\"inputs\":["));

    for (i = 0; i < r->npaths; i++) {
        nxe_buf_add(b, i ? nxe_str(",{\"path\":") : nxe_str("{\"path\":"));
        nxe_buf_add_json(b, nxe_str_of(r->paths[i]));
        nxe_buf_addf(b, ",\"lines\":%llu,\"bad\":%llu,\"duplicates\":%llu}",
                     (unsigned long long) r->inputs[i].lines,
                     (unsigned long long) r->inputs[i].bad,
                     (unsigned long long) r->inputs[i].duplicates);
    }

    nxe_buf_add(b, nxe_str("],\"quality\":{"));
    json_quality(r, b);
    nxe_buf_add(b, nxe_str("},\"variants\":["));

    for (i = 0; i < r->plan.nvariants; i++) {
        nxe_buf_add(b, i ? nxe_str(",{\"name\":") : nxe_str("{\"name\":"));
        nxe_buf_add_json(b, r->plan.variants[i]);
        json_row(r, b, i);
    }

    row = &a->rows[i];
    nxe_buf_addf(b, "],\"not_exposed\":{\"units\":%llu,\"requests\":%llu},",
                 (unsigned long long) row->units,
                 (unsigned long long) row->requests);

    nxe_buf_addf(b, "\"comparisons\":[],\"decision\":null,\"why\":[%s%s%s]",
                 a->requests == 0 ? "\"no_data\"" : "",
                 a->requests == 0 && failed ? "," : "",
                 failed ? "\"srm\"" : "");

    any = 0;

    for (i = 0; i < ANALYZE_REASONS; i++) {
        if (a->left_out[i] != 0) {
            nxe_buf_addf(b, "%s\"%s\":%llu", any ? "," : ",\"left_out\":{",
                         analyze_reasons[i],
                         (unsigned long long) a->left_out[i]);
            any = 1;
        }
    }

    if (any) {
        nxe_buf_addc(b, '}');
    }

    if (a->currency[0] != '\0') {
        nxe_buf_addf(b, ",\"currency\":\"%s\"", a->currency);
    }

    json_feedback(a, b);
    nxe_buf_add(b, nxe_str("}\n"));
}


/* What came of feedback, where there was any. */

static void
json_feedback(const analyze_t *a, nxe_buf_t *b)
{
    int     any;
    size_t  i;

    if (a->answers.n == 0) {
        return;
    }

    any = 0;
    nxe_buf_addf(b, ",\"feedback\":{\"counted\":%llu,\"left_out\":{",
                 (unsigned long long) a->heard);

    for (i = 0; i < ANALYZE_UNHEARD; i++) {
        if (a->unheard[i] != 0) {
            nxe_buf_addf(b, "%s\"%s\":%llu", any ? "," : "",
                         analyze_unheard[i],
                         (unsigned long long) a->unheard[i]);
            any = 1;
        }
    }

    nxe_buf_add(b, nxe_str("}}"));
}


/* A count by arm. */

static void
add_counts(nxe_buf_t *b, const char *key, const analyze_report_t *r,
    uint64_t (*count)(const analyze_row_t *row, size_t k), size_t k)
{
    size_t  i;

    nxe_buf_addf(b, "\"%s\":[", key);

    for (i = 0; i < r->plan.nvariants; i++) {
        nxe_buf_addf(b, "%s%llu", i ? "," : "", (unsigned long long)
                     count(&r->result->rows[i], k));
    }

    nxe_buf_addc(b, ']');
}


static uint64_t
count_no_usage(const analyze_row_t *row, size_t k)
{
    (void) k;

    return row->no_usage;
}


static uint64_t
count_requests(const analyze_row_t *row, size_t k)
{
    (void) k;

    return row->requests;
}


static uint64_t
count_cause(const analyze_row_t *row, size_t k)
{
    return row->causes[k];
}


/* Requests without usage by arm, and why, where an answer was metered. */

static void
json_usage(const analyze_report_t *r, nxe_buf_t *b)
{
    int       any;
    size_t    i, k;
    uint64_t  metered, n;

    metered = 0;

    for (i = 0; i < r->plan.nvariants; i++) {
        metered += r->result->rows[i].metered + r->result->rows[i].no_usage;
    }

    if (metered == 0) {
        return;
    }

    nxe_buf_add(b, nxe_str(",\"missing_usage\":{"));
    add_counts(b, "observed", r, count_no_usage, 0);
    nxe_buf_addc(b, ',');
    add_counts(b, "requests", r, count_requests, 0);
    nxe_buf_add(b, nxe_str(",\"causes\":{"));
    any = 0;

    for (k = 0; k < ANALYZE_CAUSES; k++) {
        n = 0;

        for (i = 0; i < r->plan.nvariants; i++) {
            n += r->result->rows[i].causes[k];
        }

        if (n != 0) {
            if (any) {
                nxe_buf_addc(b, ',');
            }

            add_counts(b, analyze_causes[k], r, count_cause, k);
            any = 1;
        }
    }

    nxe_buf_add(b, nxe_str("}}"));
}


static void
json_quality(const analyze_report_t *r, nxe_buf_t *b)
{
    size_t            i;
    const analyze_t  *a;

    a = r->result;

    if (a->srm_status == NXE_OK) {
        nxe_buf_add(b, nxe_str("\"srm\":{"));
        add_number(b, "chi2", a->srm.chi2);
        nxe_buf_addf(b, ",\"df\":%u,", a->srm.df);
        add_number(b, "p", a->srm.p);
        nxe_buf_addf(b, ",\"method\":\"%s\",\"observed\":[", a->srm.method);

        for (i = 0; i < r->plan.nvariants; i++) {
            nxe_buf_addf(b, "%s%llu", i ? "," : "",
                         (unsigned long long) a->rows[i].firsts);
        }

        nxe_buf_add(b, nxe_str("]},"));
    }

    nxe_buf_addf(b, "\"two_variant_units\":%llu",
                 (unsigned long long) a->two_variants);

    json_usage(r, b);
}


static void
json_row(const analyze_report_t *r, nxe_buf_t *b, size_t i)
{
    size_t                  k, n;
    const analyze_row_t    *row;
    const analyze_value_t  *values;

    row = &r->result->rows[i];

    nxe_buf_addf(b, ",\"requests\":%llu,\"units\":%llu,\"errors\":%llu",
                 (unsigned long long) row->requests,
                 (unsigned long long) row->units,
                 (unsigned long long) row->errors);

    nxe_buf_addc(b, ',');

    if (row->requests != 0) {
        add_number(b, "error_rate",
                   (double) row->errors / (double) row->requests);

    } else {
        nxe_buf_add(b, nxe_str("\"error_rate\":null"));
    }

    nxe_buf_add(b, nxe_str(",\"metrics\":{"));

    values = analyze_values(r, i, &n);

    for (k = 0; k < n; k++) {
        if (k != 0) {
            nxe_buf_addc(b, ',');
        }

        json_value(b, &values[k]);
    }

    nxe_buf_add(b, nxe_str("}}"));
}


static void
json_value(nxe_buf_t *b, const analyze_value_t *v)
{
    size_t  k;

    static const char *const  names[] = { "p50", "p95", "p99" };

    nxe_buf_addf(b, "\"%s\":{\"n\":%llu,", v->name,
                 (unsigned long long) v->n);

    if (v->reason == NULL) {
        add_number(b, "mean", v->mean);

    } else {
        nxe_buf_addf(b, "\"mean\":null,\"reason\":\"%s\"", v->reason);
    }

    if (v->has_variance) {
        nxe_buf_addc(b, ',');
        add_number(b, "variance", v->variance);
    }

    for (k = 0; k < 3 && v->has_quantiles; k++) {
        nxe_buf_addc(b, ',');
        add_number(b, names[k], v->quantiles[k]);
    }

    if (v->has_total) {
        nxe_buf_addc(b, ',');
        add_number(b, "total", v->total);
    }

    if (v->outcome) {
        nxe_buf_addf(b, ",\"missing\":%llu,\"immature\":%llu",
                     (unsigned long long) v->missing,
                     (unsigned long long) v->immature);
    }

    nxe_buf_addc(b, '}');
}
