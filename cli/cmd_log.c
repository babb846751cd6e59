/*
 * expctl log show
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cli/commands.h"
#include "cli/logfile.h"
#include "cli/logfollow.h"
#include "cli/logshow.h"
#include "cli/registry.h"

#define POLL_NS  200000000          /* between two looks at a file's end */


static int list_logs(cli_t *cli, char ***paths, size_t *n);
static int show_file(logshow_t *show, const char *path);
static int follow_file(logshow_t *show, const char *path);


static int
show_logs(logshow_t *show, char **paths, size_t n)
{
    int     rc;
    size_t  i;

    rc = CLI_DONE;

    for (i = 0; i < n && rc == CLI_DONE; i++) {
        rc = show_file(show, paths[i]);
    }

    if (rc == CLI_DONE) {
        logshow_end(show);
    }

    return rc;
}


/* The one that was written last, of those that are not compressed. */

static const char *
newest(char **paths, size_t n)
{
    size_t           i, len;
    const char      *path;
    struct stat      sb;
    struct timespec  last;

    path = NULL;
    memset(&last, 0, sizeof(last));

    for (i = 0; i < n; i++) {
        len = strlen(paths[i]);

        if ((len > 3 && strcmp(paths[i] + len - 3, ".gz") == 0)
            || stat(paths[i], &sb) == -1 || !S_ISREG(sb.st_mode))
        {
            continue;
        }

        if (path == NULL || sb.st_mtim.tv_sec > last.tv_sec
            || (sb.st_mtim.tv_sec == last.tv_sec
                && sb.st_mtim.tv_nsec > last.tv_nsec))
        {
            path = paths[i];
            last = sb.st_mtim;
        }
    }

    return path;
}


static int
cmd_log(cli_t *cli)
{
    int          rc;
    char       **paths;
    size_t       n;
    logshow_t    show;
    const char  *missing, *path, *unit;

    if (cli->nargs == 0 || strcmp(cli->args[0], "show") != 0) {
        return cli->nargs == 0
               ? cli_usage(cli, "log needs a word: show")
               : cli_usage(cli, "unknown word '%s', expected show",
                           cli->args[0]);
    }

    memset(&show, 0, sizeof(show));
    show.cli = cli;

    missing = cli_opt(cli, "missing");

    if (missing != NULL && strcmp(missing, "usage") != 0) {
        return cli_usage(cli, "--missing '%s', expected usage", missing);
    }

    show.missing = missing != NULL;

    rc = list_logs(cli, &paths, &n);
    if (rc != CLI_DONE) {
        return rc;
    }

    unit = cli_opt(cli, "unit");

    if (unit != NULL) {
        rc = logunit_new(cli, unit, &show.unit);
        if (rc != CLI_DONE) {
            return rc;
        }
    }

    if (!cli_has(cli, "follow")) {
        rc = show_logs(&show, paths, n);

    } else {
        path = newest(paths, n);

        if (path != NULL) {
            rc = follow_file(&show, path);

        } else {
            rc = cli_usage(cli, "--follow needs a log file that is not "
                           "compressed");
        }
    }

    logunit_free(show.unit);

    return rc;
}


/* LOG, else what init --log named. */

static int
list_logs(cli_t *cli, char ***paths, size_t *n)
{
    int                   rc;
    char                 *names[1];
    nxe_str_t             log;
    nxe_error_t           err;
    nxe_status_t          status;
    nxe_registry_t       *reg;
    nxe_registry_txn_t   *txn;

    if (cli->nargs > 1) {
        status = logfile_list(cli, cli->args + 1, cli->nargs - 1, paths, n,
                              &err);
        return status == NXE_OK ? CLI_DONE : cli_fail(&err);
    }

    rc = cli_registry_open(cli, 0, &reg);
    if (rc != CLI_DONE) {
        return rc;
    }

    names[0] = CLI_DEFAULT_LOG;
    status = nxe_registry_begin(reg, &txn, &err);

    if (status == NXE_OK) {
        if (nxe_registry_meta(txn, "log", cli->mem, &log, &err) == NXE_OK) {
            names[0] = (char *) log.data;
        }

        nxe_registry_end(txn);
        status = logfile_list(cli, names, 1, paths, n, &err);
    }

    nxe_registry_close(reg);

    if (status == NXE_OK) {
        return CLI_DONE;
    }

    rc = cli_fail(&err);

    if (status == NXE_INVALID) {
        cli_remedy("expctl doctor, or name the LOG");
    }

    return rc;
}


/* The first bad line of a file is told; number 0: it is not known. */

static void
tell_bad(const cli_t *cli, const char *path, uint64_t number,
    const char *why, int *bad)
{
    if ((*bad)++ != 0) {
        return;
    }

    if (number != 0) {
        cli_error("%s:%llu: bad line: %s", cli_safe(cli, nxe_str_of(path)),
                  (unsigned long long) number, why);

    } else {
        cli_error("%s: bad line: %s", cli_safe(cli, nxe_str_of(path)), why);
    }
}


static int
show_file(logshow_t *show, const char *path)
{
    int            bad;
    uint64_t       number;
    nxe_str_t      line;
    logfile_t     *file;
    const char    *why;
    nxe_error_t    err;
    nxe_status_t   rc;

    rc = logfile_open(path, &file, &err);
    if (rc != NXE_OK) {
        return cli_fail(&err);
    }

    bad = 0;

    for ( ;; ) {
        rc = logfile_line(file, &line, &number, &err);

        if (rc == NXE_OK) {
            rc = logshow_line(show, line, &why);

            if (rc == NXE_NOMEM) {
                nxe_fail(&err, rc, "%s", why);
            }

        } else if (rc == NXE_INVALID) {
            why = "longer than 1 MB";
        }

        if (rc == NXE_INVALID) {
            tell_bad(show->cli, path, number, why, &bad);

        } else if (rc != NXE_OK || ferror(stdout)) {
            break;
        }
    }

    logfile_close(file);

    /* what is wrong with stdout is told at the end */

    return rc == NXE_DECLINED || rc == NXE_OK ? CLI_DONE : cli_fail(&err);
}


/* Until it is ended from outside, or nobody reads what it prints. */

static int
follow_file(logshow_t *show, const char *path)
{
    int              bad;
    nxe_str_t        line;
    const char      *why;
    logfollow_t     *follow;
    nxe_error_t      err;
    nxe_status_t     rc;
    struct timespec  wait = { 0, POLL_NS };

    rc = logfollow_open(path, &follow, &err);
    if (rc != NXE_OK) {
        return cli_fail(&err);
    }

    bad = 0;

    while (!ferror(stdout)) {
        rc = logfollow_line(follow, &line, &err);

        if (rc == NXE_AGAIN) {
            if (fflush(stdout) == 0) {
                (void) nanosleep(&wait, NULL);
            }

            continue;
        }

        if (rc == NXE_OK) {
            rc = logshow_line(show, line, &why);

            if (rc == NXE_NOMEM) {
                nxe_fail(&err, rc, "%s", why);
            }

        } else if (rc == NXE_INVALID) {
            why = "longer than 1 MB";
        }

        if (rc == NXE_INVALID) {
            tell_bad(show->cli, path, 0, why, &bad);

        } else if (rc != NXE_OK) {
            break;
        }
    }

    logfollow_close(follow);

    return rc == NXE_IO || rc == NXE_NOMEM ? cli_fail(&err) : CLI_DONE;
}


static const cli_opt_t  log_opts[] = {
    { "follow", 0, NULL, 0, "print what is written from now on" },
    { "unit", 0, "U", 0, "lines of unit U, raw or as the log has it" },
    { "missing", 0, "WHAT", 0, "usage: answers whose tokens are unknown" },
    { NULL, 0, NULL, 0, NULL }
};

const cli_command_t  cmd_log_command = {
    "log", "show [LOG...]", "prints log lines for people",
    CLI_OUTPUT | CLI_REGISTRY, log_opts, cmd_log,
    "A row a request, feedback or remote evaluation, of log files, plain or\n"
    "gzip, or stdin (-); without LOG those that init --log named. -o json\n"
    "passes the lines on as they are. --unit hashes a raw unit with the key\n"
    "file and the types of unit in the log. --follow waits for new lines of\n"
    "the newest file, also when it is rotated, until it is ended.\n"
    "\n"
    "--missing usage prints requests without output tokens whose answer was\n"
    "measured or streamed, or is unmetered: what analyze counts as NO USAGE.\n"
    "\n"
    "  expctl log show --follow\n"
    "  expctl log show --unit u-4711 /var/log/nginx/experiment/*.gz\n"
    "  expctl log show --missing usage -o json\n"
};
