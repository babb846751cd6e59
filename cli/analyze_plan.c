/*
 * What an analysis is about: the phase, its document, the window.
 */

#include <stdlib.h>
#include <string.h>

#include <nxe/time.h>

#include "cli/analyze_print.h"
#include "cli/registry.h"

#define PHASES_SHOWN  8


static int choose_phase(cli_t *cli, analyze_report_t *report,
    nxe_registry_txn_t *txn);
static int no_phase(cli_t *cli, unsigned long long number,
    const nxe_phase_t *phases, size_t n);
static int plan_variants(cli_t *cli, analyze_plan_t *plan,
    const nxe_phase_t *phase);
static int plan_window(cli_t *cli, analyze_plan_t *plan);


/* In the order of analyze_kind_t. */

static const char *const  kind_words[] = {
    "binary", "mean", "count", "duration", "ratio"
};


int
analyze_make_plan(cli_t *cli, analyze_report_t *report, char **glob)
{
    int                  rc;
    nxe_str_t            log;
    nxe_error_t          err;
    nxe_registry_t      *reg;
    nxe_registry_txn_t  *txn;

    rc = cli_registry_open(cli, 0, &reg);
    if (rc != CLI_DONE) {
        return rc;
    }

    if (nxe_registry_begin(reg, &txn, &err) != NXE_OK) {
        nxe_registry_close(reg);
        return cli_fail(&err);
    }

    *glob = CLI_DEFAULT_LOG;

    if (nxe_registry_meta(txn, "log", cli->mem, &log, &err) == NXE_OK) {
        *glob = (char *) log.data;
    }

    rc = choose_phase(cli, report, txn);

    nxe_registry_end(txn);
    nxe_registry_close(reg);

    return rc == CLI_DONE ? plan_window(cli, &report->plan) : rc;
}


/* The phases that there are; of many, the last ones. */

static int
no_phase(cli_t *cli, unsigned long long number, const nxe_phase_t *phases,
    size_t n)
{
    size_t       i;
    const char  *list;

    i = n > PHASES_SHOWN ? n - PHASES_SHOWN : 0;
    list = i > 0 ? "... " : "";

    for ( /* void */ ; i < n; i++) {
        list = cli_format(cli, "%s%llu%s", list,
                          (unsigned long long) phases[i].phase,
                          i + 1 < n ? ", " : "");
    }

    cli_error("'%s' has no phase %llu: it was live in phase%s %s",
              cli_safe(cli, nxe_str_of(cli->args[0])), number,
              n == 1 ? "" : "s", list);
    cli_remedy("expctl analyze %s --phase %llu",
               cli_safe(cli, nxe_str_of(cli->args[0])),
               (unsigned long long) phases[n - 1].phase);

    return CLI_USAGE;
}


/* The phase that --phase names, else the last one. */

static int
choose_phase(cli_t *cli, analyze_report_t *report, nxe_registry_txn_t *txn)
{
    int                  rc;
    char                *end;
    size_t               i, n;
    nxe_str_t            name;
    const char          *wanted;
    nxe_error_t          err;
    nxe_phase_t         *phases;
    nxe_refusal_t        refusal;
    nxe_experiment_t     e;
    unsigned long long   number;

    name = nxe_str_of(cli->args[0]);
    wanted = cli_opt(cli, "phase");

    rc = cli_experiment(cli, txn, cli->args[0], &e);
    if (rc != CLI_DONE) {
        return rc;
    }

    nxe_experiment_free(&e);

    if (nxe_registry_phases(txn, name, cli->mem, &phases, &n, &err)
        != NXE_OK)
    {
        return cli_fail(&err);
    }

    if (n == 0) {
        refusal.why = "never_live";
        snprintf(refusal.text, sizeof(refusal.text),
                 "'%s' was never live: there is nothing to analyze",
                 name.data);
        snprintf(refusal.next, sizeof(refusal.next), "expctl stage %s ab",
                 name.data);
        return cli_refused(cli, name.data, NXE_CONFLICT, &refusal);
    }

    i = n - 1;

    if (wanted != NULL) {
        number = strtoull(wanted, &end, 10);

        if (*wanted < '0' || *wanted > '9' || *end != '\0') {
            return cli_usage(cli, "--phase '%s' is no number",
                             cli_safe(cli, nxe_str_of(wanted)));
        }

        for (i = 0; i < n && phases[i].phase != number; i++) { /* void */ }

        if (i == n) {
            return no_phase(cli, number, phases, n);
        }
    }

    report->phase = phases[i];
    report->plan.name = name;
    report->plan.phase = (int64_t) phases[i].phase;

    return plan_variants(cli, &report->plan, &phases[i]);
}


/* A duration of the document, which has been checked, in microseconds. */

static int64_t
duration_us(const cJSON *value)
{
    char     *end;
    int64_t   n;

    if (!cJSON_IsString(value)) {
        return 0;
    }

    n = strtol(value->valuestring, &end, 10) * INT64_C(1000000);

    return *end == 'd' ? n * 86400 : *end == 'h' ? n * 3600
           : *end == 'm' ? n * 60 : n;
}


/* A bound of a metric; one that no value can reach is none. */

static int64_t
bound_nano(const cJSON *value, int64_t none)
{
    int64_t  nano;

    return cJSON_IsNumber(value)
           && nxe_decimal_nano(nxe_str_of(value->valuestring), &nano) == NXE_OK
           ? nano : none;
}


/* Adds a metric of the document, if feedback brings it. */

static nxe_status_t
add_metric(cli_t *cli, analyze_plan_t *plan, const cJSON *value)
{
    size_t             i;
    const cJSON       *name, *kind, *missing;
    analyze_metric_t  *m;

    name = nxe_tree_get(value, "name");
    kind = nxe_tree_get(value, "kind");
    missing = nxe_tree_get(value, "missing");

    if (!cJSON_IsString(name) || !cJSON_IsString(kind)
        || nxe_tree_get(value, "from") != NULL
        || nxe_metric_measured(nxe_str_of(name->valuestring)))
    {
        return NXE_DECLINED;
    }

    for (i = 0; i < plan->nmetrics; i++) {
        if (nxe_str_eq(plan->metrics[i].name, nxe_str_of(name->valuestring))) {
            return NXE_DECLINED;
        }
    }

    m = &plan->metrics[plan->nmetrics];

    if (nxe_str_copy(cli->mem, nxe_str_of(name->valuestring), &m->name)
        != NXE_OK)
    {
        return NXE_NOMEM;
    }

    for (i = ANALYZE_BINARY; i < ANALYZE_RATIO; i++) {
        if (strcmp(kind->valuestring, kind_words[i]) == 0) {
            break;
        }
    }

    m->kind = (analyze_kind_t) i;
    m->zero = cJSON_IsString(missing)
              ? strcmp(missing->valuestring, "zero") == 0
              : m->kind == ANALYZE_BINARY || m->kind == ANALYZE_COUNT;
    m->window = duration_us(nxe_tree_get(value, "outcome_window"));
    m->min = bound_nano(nxe_tree_get(value, "min"), INT64_MIN);
    m->max = bound_nano(nxe_tree_get(value, "max"), INT64_MAX);
    plan->nmetrics++;

    return NXE_OK;
}


/* The primary and those secondary ones that are more than names. */

static nxe_status_t
plan_metrics(cli_t *cli, analyze_plan_t *plan, const cJSON *tree)
{
    const cJSON   *element, *metrics, *money, *primary, *secondary;
    nxe_status_t   rc;

    metrics = nxe_tree_get(tree, "metrics");
    primary = nxe_tree_get(metrics, "primary");
    secondary = nxe_tree_get(metrics, "secondary");
    money = nxe_tree_get(nxe_tree_get(tree, "decision"), "currency");

    plan->primary = ANALYZE_NONE;
    plan->metrics = nxe_calloc(cli->mem,
                               ((size_t) cJSON_GetArraySize(secondary) + 1)
                               * sizeof(analyze_metric_t));
    if (plan->metrics == NULL) {
        return NXE_NOMEM;
    }

    rc = add_metric(cli, plan, primary);

    if (rc == NXE_OK) {
        plan->primary = 0;
    }

    for (element = secondary != NULL ? secondary->child : NULL;
         element != NULL && rc != NXE_NOMEM; element = element->next)
    {
        rc = add_metric(cli, plan, element);
    }

    if (rc == NXE_NOMEM) {
        return rc;
    }

    return nxe_str_copy(cli->mem, cJSON_IsString(money)
                                  ? nxe_str_of(money->valuestring)
                                  : nxe_str(""), &plan->currency);
}


/* Names and weights of the document that was in force in the phase. */

static int
plan_variants(cli_t *cli, analyze_plan_t *plan, const nxe_phase_t *phase)
{
    cJSON              *tree;
    uint32_t            i;
    nxe_doc_t          *doc;
    nxe_status_t        rc;
    nxe_faults_t        faults;
    nxe_variant_t      *v;
    nxe_json_result_t   result;

    rc = nxe_tree_parse(phase->document, &tree, &result);

    if (rc == NXE_OK) {
        nxe_faults_init(&faults, cli->mem);
        rc = nxe_doc_build(tree, NXE_DOC_FULL, nxe_str(""), cli->mem, &faults,
                           &doc);

        if (rc == NXE_OK) {
            rc = plan_metrics(cli, plan, tree);
        }

        cJSON_Delete(tree);
    }

    if (rc != NXE_OK) {
        cli_error("the document of phase %llu in the history cannot be read",
                  (unsigned long long) phase->phase);
        return rc == NXE_NOMEM ? CLI_ENV : CLI_USAGE;
    }

    plan->nvariants = doc->nvariants;
    plan->variants = nxe_calloc(cli->mem,
                                doc->nvariants * sizeof(nxe_str_t));
    plan->weights = nxe_calloc(cli->mem, doc->nvariants * sizeof(double));

    if (plan->variants == NULL || plan->weights == NULL) {
        cli_error("out of memory");
        return CLI_ENV;
    }

    for (i = 0; i < doc->nvariants; i++) {
        v = &doc->variants[i];
        plan->variants[i] = v->name;
        plan->weights[i] = (double) v->weight;

        if (phase->variant.len != 0) {
            plan->weights[i] = nxe_str_eq(phase->variant, v->name);
        }
    }

    return CLI_DONE;
}


static int
plan_window(cli_t *cli, analyze_plan_t *plan)
{
    const char  *since, *trust, *until;

    since = cli_opt(cli, "since");
    until = cli_opt(cli, "until");
    trust = cli_opt(cli, "trust");

    if (trust != NULL && strcmp(trust, "open") != 0) {
        return cli_usage(cli, "--trust '%s': the one kind that has to be asked"
                         " for is 'open'", cli_safe(cli, nxe_str_of(trust)));
    }

    plan->trust_open = (trust != NULL);

    plan->since = INT64_MIN;
    plan->until = INT64_MAX;

    if (since != NULL
        && nxe_time_parse(nxe_str_of(since), &plan->since) != NXE_OK)
    {
        return cli_usage(cli, "--since '%s' is not an RFC 3339 time",
                         cli_safe(cli, nxe_str_of(since)));
    }

    if (until != NULL
        && nxe_time_parse(nxe_str_of(until), &plan->until) != NXE_OK)
    {
        return cli_usage(cli, "--until '%s' is not an RFC 3339 time",
                         cli_safe(cli, nxe_str_of(until)));
    }

    if (plan->since >= plan->until) {
        return cli_usage(cli, "--since is not before --until");
    }

    return CLI_DONE;
}
