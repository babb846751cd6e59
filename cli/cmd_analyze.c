/*
 * expctl analyze
 */

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/analyze.h"
#include "cli/analyze_print.h"
#include "cli/commands.h"
#include "cli/logfile.h"


typedef struct {
    uint64_t            size;       /* of all files; 0: not known */
    uint64_t            before;     /* sizes of the files already read */
    unsigned            shown:1;
    struct timespec     start;
    struct timespec     drawn;
} progress_t;


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

    rc = analyze_make_plan(cli, &report, &names[0]);
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
        cli_remedy("name the log files of one key, and of one currency");
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
    { "trust", 0, "open", 0, "count feedback that nobody had to sign for" },
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
    "Times to the first token, tokens, cost and outcomes that came by\n"
    "feedback have tables of their own, where the log has them.  Feedback\n"
    "counts from its unit's exposure on; what comes without a key or token,\n"
    "which is any client's word, only with --trust open.  Amounts of two\n"
    "currencies are refused, exit 2.\n"
    "\n"
    "NO USAGE is the share of requests without output tokens whose answer was\n"
    "measured or streamed, or could not be measured (\"unmetered\"): log show\n"
    "--missing usage prints them; experiment_status counts the two apart.\n"
    "\n"
    "  expctl analyze tone\n"
    "  expctl analyze tone --phase 1 -o json /var/log/nginx/experiment/*.gz\n"
    "  zcat old.log.gz | expctl analyze tone -\n"
};
