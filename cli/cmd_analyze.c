/*
 * expctl analyze
 */

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <nxe/time.h>

#include "cli/analyze.h"
#include "cli/analyze_print.h"
#include "cli/commands.h"
#include "cli/logfile.h"
#include "cli/registry.h"

#define PHASES_SHOWN  8


typedef struct {
    uint64_t            size;       /* of all files; 0: not known */
    uint64_t            before;     /* sizes of the files already read */
    unsigned            shown:1;
    struct timespec     start;
    struct timespec     drawn;
} progress_t;


static int make_plan(cli_t *cli, analyze_report_t *report, char **glob);
static int choose_phase(cli_t *cli, analyze_report_t *report,
    nxe_registry_txn_t *txn);
static int no_phase(cli_t *cli, unsigned long long number,
    const nxe_phase_t *phases, size_t n);
static int plan_variants(cli_t *cli, analyze_plan_t *plan,
    const nxe_phase_t *phase);
static int plan_window(cli_t *cli, analyze_plan_t *plan);
static int read_files(cli_t *cli, analyze_report_t *report, analyze_t *a);
static int read_file(cli_t *cli, const char *path, analyze_input_t *input,
    analyze_t *a, progress_t *progress);
static void draw_progress(const cli_t *cli, progress_t *p, uint64_t offset);
static void erase_progress(progress_t *p);


static int
cmd_analyze(cli_t *cli)
{
    int               rc;
    char             *names[1];
    analyze_t        *a;
    nxe_error_t       err;
    nxe_status_t      status;
    analyze_report_t  report;

    rc = cli_args(cli, 1, -1);
    if (rc != CLI_DONE) {
        return rc;
    }

    memset(&report, 0, sizeof(analyze_report_t));
    report.cli = cli;

    rc = make_plan(cli, &report, &names[0]);
    if (rc != CLI_DONE) {
        return rc;
    }

    status = cli->nargs > 1
             ? logfile_list(cli, cli->args + 1, cli->nargs - 1, &report.paths,
                            &report.npaths, &err)
             : logfile_list(cli, names, 1, &report.paths, &report.npaths,
                            &err);
    if (status != NXE_OK) {
        rc = cli_fail(&err);

        if (status == NXE_INVALID && cli->nargs == 1) {
            cli_remedy("expctl doctor, or name the LOG");
        }

        return rc;
    }

    report.inputs = nxe_calloc(cli->mem,
                               report.npaths * sizeof(analyze_input_t));
    a = analyze_new(&report.plan);
    report.result = a;

    if (report.inputs == NULL || a == NULL) {
        analyze_free(a);
        cli_error("out of memory");
        return CLI_ENV;
    }

    rc = read_files(cli, &report, a);

    if (rc == CLI_DONE) {
        rc = analyze_finish(a, &err) == NXE_OK ? analyze_print(&report)
                                               : cli_fail(&err);
    }

    analyze_free(a);

    return rc;
}


static int
make_plan(cli_t *cli, analyze_report_t *report, char **glob)
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
    const char  *since, *until;

    since = cli_opt(cli, "since");
    until = cli_opt(cli, "until");

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


static int
read_files(cli_t *cli, analyze_report_t *report, analyze_t *a)
{
    int         rc;
    size_t      i;
    uint64_t    size;
    progress_t  progress;

    memset(&progress, 0, sizeof(progress_t));
    clock_gettime(CLOCK_MONOTONIC, &progress.start);
    progress.drawn = progress.start;

    for (i = 0; i < report->npaths; i++) {
        size = logfile_size(report->paths[i]);

        if (size == 0 && strcmp(report->paths[i], "-") == 0) {
            progress.size = 0;
            break;
        }

        progress.size += size;
    }

    rc = CLI_DONE;

    for (i = 0; i < report->npaths && rc == CLI_DONE; i++) {
        rc = read_file(cli, report->paths[i], &report->inputs[i], a,
                       &progress);
        progress.before += logfile_size(report->paths[i]);
    }

    erase_progress(&progress);

    return rc;
}


static int
read_file(cli_t *cli, const char *path, analyze_input_t *input, analyze_t *a,
    progress_t *progress)
{
    uint64_t             number;
    nxe_str_t            line;
    logfile_t           *file;
    nxe_error_t          err;
    nxe_status_t         rc;
    nxe_logline_fault_t  fault;

    rc = logfile_open(path, &file, &err);
    if (rc != NXE_OK) {
        return cli_fail(&err);
    }

    for ( ;; ) {
        rc = logfile_line(file, &line, &number, &err);

        if (rc == NXE_INVALID) {
            input->lines++;
            input->bad++;
            fault.why = "longer than 1 MB";
            fault.next = NULL;

        } else if (rc == NXE_OK) {
            rc = analyze_line(a, input, line, &fault, &err);

        } else {
            break;
        }

        if (rc == NXE_INVALID && input->bad == 1) {
            erase_progress(progress);
            cli_error("%s:%llu: bad line: %s", cli_safe(cli, nxe_str_of(path)),
                      (unsigned long long) number, fault.why);

            if (fault.next != NULL) {
                cli_remedy("%s", fault.next);
            }
        }

        if (rc != NXE_OK && rc != NXE_INVALID) {
            break;
        }

        if ((number & 4095) == 0) {
            draw_progress(cli, progress, logfile_offset(file));
        }
    }

    logfile_close(file);

    if (rc == NXE_DECLINED) {
        return CLI_DONE;
    }

    erase_progress(progress);

    if (rc == NXE_CONFLICT) {
        cli_error("%s:%llu: %s", cli_safe(cli, nxe_str_of(path)),
                  (unsigned long long) number, err.text);
        cli_remedy("name the log files of one key");
        return CLI_USAGE;
    }

    return cli_fail(&err);
}


static double
seconds_since(const struct timespec *then, const struct timespec *now)
{
    return (double) (now->tv_sec - then->tv_sec)
           + (double) (now->tv_nsec - then->tv_nsec) / 1e9;
}


static void
draw_progress(const cli_t *cli, progress_t *p, uint64_t offset)
{
    int              tenth;
    double           spent, share;
    struct timespec  now;

    if (cli->quiet || p->size == 0 || !isatty(STDERR_FILENO)) {
        return;
    }

    clock_gettime(CLOCK_MONOTONIC, &now);
    spent = seconds_since(&p->start, &now);

    if (spent < 0.5 || (p->shown && seconds_since(&p->drawn, &now) < 0.1)) {
        return;
    }

    share = (double) (p->before + offset) / (double) p->size;

    if (share <= 0 || share > 1) {
        return;
    }

    tenth = (int) (share * 10);
    fprintf(stderr, "\ranalyze [%.*s%.*s]  %2.0f %%  %.0f s left ",
            tenth, "##########", 10 - tenth, "----------", share * 100,
            spent / share - spent);

    p->drawn = now;
    p->shown = 1;
}


static void
erase_progress(progress_t *p)
{
    if (p->shown) {
        fprintf(stderr, "\r%60s\r", "");
        p->shown = 0;
    }
}


static const cli_opt_t  analyze_opts[] = {
    { "phase", 0, "N", 0, "lines of phase N (the last one)" },
    { "since", 0, "T", 0, "requests from T on, RFC 3339" },
    { "until", 0, "T", 0, "requests before T" },
    { NULL, 0, NULL, 0, NULL }
};


const cli_command_t  cmd_analyze_command = {
    "analyze", "NAME [LOG...]", "prints the table by variant",
    CLI_OUTPUT | CLI_REGISTRY, analyze_opts, cmd_analyze,
    "Reads log files, plain or gzip, or stdin (-), in one pass; without LOG\n"
    "those that init --log named.  Data quality comes first: where the units\n"
    "in the arms are not as the weights say (p < 0.001), it exits 1.\n"
    "\n"
    "A unit counts once, for the variant that it was first exposed to; a\n"
    "request by its line.  Requests that were neither assigned nor left out\n"
    "by exposure are counted by reason, in no row.\n"
    "\n"
    "  expctl analyze tone\n"
    "  expctl analyze tone --phase 1 -o json /var/log/nginx/experiment/*.gz\n"
    "  zcat old.log.gz | expctl analyze tone -\n"
};
