/*
 * The report of an analysis as JSON; docs/expctl.md describes it.
 */

#include "cli/analyze_print.h"


static void json_quality(const analyze_report_t *r, nxe_buf_t *b);
static void json_row(nxe_buf_t *b, const analyze_row_t *row);


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
        json_row(b, &a->rows[i]);
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

    nxe_buf_add(b, any ? nxe_str("}}\n") : nxe_str("}\n"));
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
}


static void
json_row(nxe_buf_t *b, const analyze_row_t *row)
{
    size_t          k;
    nxe_quantile_t  q;

    static const double       orders[] = { 0.5, 0.95, 0.99 };
    static const char *const  names[] = { "p50", "p95", "p99" };

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

    if (row->measured != 0) {
        nxe_buf_addf(b, "\"response_ms\":{\"n\":%llu,",
                     (unsigned long long) row->measured);
        add_number(b, "mean", analyze_mean(row));

        if (row->measured > 1) {
            nxe_buf_addc(b, ',');
            add_number(b, "variance", analyze_variance(row));
        }

        for (k = 0; k < 3; k++) {
            (void) nxe_hist_quantile(&row->hist, orders[k], &q);
            nxe_buf_addc(b, ',');
            add_number(b, names[k], q.value / 1000);
        }

        nxe_buf_addc(b, ',');
        add_number(b, "total", analyze_total(row));
        nxe_buf_addc(b, '}');
    }

    nxe_buf_add(b, nxe_str("}}"));
}
