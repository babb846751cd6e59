/*
 * expctl top
 */

#define _GNU_SOURCE

#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/http.h"
#include "cli/topshow.h"

#define URL         "http://127.0.0.1/experiment_status"
#define ANSWER_MAX  (16 << 20)
#define WINDOW      300             /* s that are looked back */
#define KEEP        10              /* s between samples that are kept */
#define SAMPLES     (WINDOW / KEEP + 1)


typedef struct {
    const cli_t        *cli;
    http_t             *http;
    unsigned long       count;      /* pictures; 0: until it is ended */
    unsigned long       shown;
    int                 interval_ms;
    int                 screen;     /* stdout is cleared and drawn anew */
    top_sample_t       *now;        /* the last one; may be in kept, too */
    top_sample_t       *kept[SAMPLES];  /* the oldest first */
    size_t              n;
    const char         *trouble;    /* why there is none since now */
} top_t;

/* What ends it. */

static const int  top_signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

static volatile sig_atomic_t  top_ended;

static struct termios  top_termios;
static int             top_raw;


static void
end_top(int signo)
{
    (void) signo;

    top_ended = 1;
}


static int
take_options(top_t *top)
{
    char          *end;
    double         seconds;
    const char    *s;
    const cli_t   *cli;

    cli = top->cli;
    s = cli_opt(cli, "interval");
    seconds = 2;

    if (s != NULL) {
        seconds = strtod(s, &end);

        if (*s < '0' || *s > '9' || (*end != '\0' && strcmp(end, "s") != 0)
            || !(seconds >= 0.2 && seconds <= WINDOW))
        {
            return cli_usage(cli, "--interval '%s', expected 0.2 to %d "
                             "seconds, as 2s", s, WINDOW);
        }
    }

    top->interval_ms = (int) (seconds * 1000 + 0.5);

    s = cli_opt(cli, "count");

    if (s != NULL) {
        top->count = strtoul(s, &end, 10);

        if (*s < '1' || *s > '9' || *end != '\0' || strlen(s) > 9) {
            return cli_usage(cli, "--count '%s', expected 1 or more", s);
        }

    } else if (cli->format != CLI_TABLE || !isatty(STDOUT_FILENO)) {
        top->count = 1;
    }

    s = getenv("TERM");

    top->screen = cli->format == CLI_TABLE && isatty(STDOUT_FILENO)
                  && s != NULL && strcmp(s, "dumb") != 0;

    return CLI_DONE;
}


/* Keys are read as they are pressed, and not shown. */

static void
raw_terminal(void)
{
    struct termios  raw;

    if (!isatty(STDIN_FILENO)) {
        return;
    }

    if (!top_raw && tcgetattr(STDIN_FILENO, &top_termios) == -1) {
        return;
    }

    raw = top_termios;
    raw.c_lflag &= ~(tcflag_t) (ICANON | ECHO);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;

    if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0) {
        top_raw = 1;
    }
}


static void
begin_screen(const top_t *top)
{
    size_t            i;
    struct sigaction  sa;

    memset(&sa, 0, sizeof(sa));
    sa.sa_handler = end_top;
    sigemptyset(&sa.sa_mask);

    for (i = 0; i < sizeof(top_signals) / sizeof(top_signals[0]); i++) {
        (void) sigaction(top_signals[i], &sa, NULL);
    }

    if (top->screen) {
        /* a picture is written at once, or it flickers */
        (void) setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    }
}


static void
end_screen(void)
{
    if (top_raw) {
        (void) tcsetattr(STDIN_FILENO, TCSANOW, &top_termios);
        top_raw = 0;
    }
}


static int
screen_lines(const top_t *top)
{
    struct winsize  ws;

    if (!top->screen) {
        return 0;
    }

    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_row > 0
           ? ws.ws_row : 24;
}


/* What to do about an answer that is none. */

static nxe_status_t
refuse_answer(const top_t *top, const nxe_buf_t *body, long status,
    nxe_error_t *err, const char **next)
{
    const char  *url;

    url = http_url(top->http);

    if (status == 200) {
        *next = body->len != 0 && body->data[0] == '<'
                ? "behind the URL of an html page, ?json" : "expctl doctor";
        return NXE_INVALID;             /* err has it */
    }

    *next = status == 403 || status == 401
            ? "ask from this host by 127.0.0.1, or allow this one there"
            : "experiment_status in a location of nginx.conf, and its URL "
              "in --url";

    return nxe_fail(err, NXE_INVALID, "%s answered %ld, expected 200", url,
                    status);
}


static nxe_status_t
get_sample(const top_t *top, top_sample_t **sample, nxe_error_t *err,
    const char **next)
{
    long           status;
    nxe_buf_t      body;
    nxe_error_t    why;
    nxe_status_t   rc;

    *next = "is nginx running, with experiment_status there? Else --url URL";

    nxe_buf_init(&body, ANSWER_MAX);
    rc = http_get(top->http, &top_ended, &body, &status, err);

    if (rc == NXE_OK && status == 200) {
        rc = top_sample_parse(nxe_buf_str(&body), sample, &why);

        if (rc != NXE_OK) {
            (void) nxe_fail(err, rc, "%s is not experiment_status: %s",
                            http_url(top->http), why.text);
        }
    }

    if (rc == NXE_INVALID || (rc == NXE_OK && status != 200)) {
        rc = refuse_answer(top, &body, status, err, next);
    }

    nxe_buf_free(&body);

    return rc;
}


static void
drop_samples(top_t *top, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (top->kept[i] != top->now) {
            top_sample_free(top->kept[i]);
        }
    }

    top->n -= n;
    memmove(top->kept, top->kept + n, top->n * sizeof(top->kept[0]));
}


/*
 * The new one is the last; one of every ten seconds is kept, until it is
 * older than what is looked back, but for the one before.
 */

static void
keep_sample(top_t *top, top_sample_t *sample)
{
    size_t  old;

    if (top->now != NULL && !top_sample_same(top->now, sample)) {
        drop_samples(top, top->n);
        top_sample_free(top->now);
        top->now = NULL;
    }

    if (top->now != NULL
        && (top->n == 0 || top->kept[top->n - 1] != top->now))
    {
        top_sample_free(top->now);
    }

    top->now = sample;

    for (old = 0; old + 1 < top->n; old++) {
        if (sample->at - top->kept[old]->at <= WINDOW) {
            break;
        }
    }

    if (old == 0 && top->n == SAMPLES) {
        old = 1;
    }

    drop_samples(top, old);

    if (top->n == 0 || sample->at - top->kept[top->n - 1]->at >= KEEP) {
        top->kept[top->n++] = sample;
    }
}


/* Memory of a picture goes with it. */

static int
show(top_t *top)
{
    int          rc;
    cli_t        cli;
    top_view_t   view;

    cli = *top->cli;
    cli.arena = nxe_arena_new();

    if (cli.arena == NULL) {
        cli_error("out of memory");
        return CLI_ENV;
    }

    cli.mem = nxe_arena_mem(cli.arena);

    memset(&view, 0, sizeof(view));
    view.cli = &cli;
    view.now = top->now;
    view.old = top->kept[0] != top->now ? top->kept[0] : NULL;
    view.trouble = top->trouble;
    view.lines = screen_lines(top);
    view.again = top->shown != 0;

    if (top->screen) {
        fputs("\033[H\033[J", stdout);

    } else if (view.again && cli.format == CLI_TABLE) {
        putchar('\n');
    }

    rc = top_show(&view);
    top->shown++;

    nxe_arena_free(cli.arena);

    if (fflush(stdout) != 0) {
        rc = CLI_ENV;                   /* told at the end */
    }

    return rc;
}


/* One if it is to end: q, or a signal; none comes between look and wait. */

static int
wait_interval(const top_t *top)
{
    int              rc;
    char             key;
    size_t           i;
    double           left;
    sigset_t         ending, before;
    struct pollfd    fd;
    struct timespec  from, now, wait;

    sigemptyset(&ending);

    for (i = 0; i < sizeof(top_signals) / sizeof(top_signals[0]); i++) {
        sigaddset(&ending, top_signals[i]);
    }

    (void) sigprocmask(SIG_BLOCK, &ending, &before);

    (void) clock_gettime(CLOCK_MONOTONIC, &from);
    fd.fd = top_raw ? STDIN_FILENO : -1;
    fd.events = POLLIN;
    left = top->interval_ms;
    key = 0;

    while (left > 0 && !top_ended && key != 'q' && key != 'Q') {
        fd.revents = 0;
        wait.tv_sec = (time_t) (left / 1e3);
        wait.tv_nsec = (long) (fmod(left, 1e3) * 1e6);
        rc = ppoll(&fd, 1, &wait, &before);

        if (rc == 1 && read(STDIN_FILENO, &key, 1) != 1) {
            fd.fd = -1;                 /* it will not come any more */
        }

        (void) clock_gettime(CLOCK_MONOTONIC, &now);
        left = top->interval_ms - (double) (now.tv_sec - from.tv_sec) * 1e3
               - (double) (now.tv_nsec - from.tv_nsec) / 1e6;
    }

    (void) sigprocmask(SIG_SETMASK, &before, NULL);

    return top_ended || key == 'q' || key == 'Q';
}


/* On a screen what was there stays, and says so; else it is the end. */

static int
look(top_t *top)
{
    int            code;
    char           buf[NXE_ERROR_TEXT];
    nxe_error_t    err;
    const char    *next;
    nxe_status_t   rc;
    top_sample_t  *sample;

    rc = get_sample(top, &sample, &err, &next);

    if (rc == NXE_AGAIN) {
        return CLI_DONE;                /* top_ended */
    }

    if (rc == NXE_OK) {
        top->trouble = NULL;
        keep_sample(top, sample);

        if (top->shown == 0) {
            code = top_named(top->cli, sample);

            if (code != CLI_DONE) {
                return code;
            }
        }

        return show(top);
    }

    if (!top->screen || top->now == NULL || rc == NXE_NOMEM) {
        cli_error("%s", err.text);
        cli_remedy("%s", next);
        return CLI_ENV;
    }

    snprintf(buf, sizeof(buf), "%s", err.text);
    top->trouble = buf;
    code = show(top);
    top->trouble = NULL;

    return code;
}


static int
cmd_top(cli_t *cli)
{
    int           rc;
    top_t         top;
    nxe_error_t   err;
    const char   *url;

    memset(&top, 0, sizeof(top));
    top.cli = cli;

    rc = take_options(&top);
    if (rc != CLI_DONE) {
        return rc;
    }

    url = cli_opt(cli, "url");

    if (http_new(url != NULL ? url : URL, &top.http, &err) != NXE_OK) {
        return cli_fail(&err);
    }

    begin_screen(&top);

    for ( ;; ) {
        if (top.screen) {
            raw_terminal();             /* anew after a stop */
        }

        rc = look(&top);

        if (rc != CLI_DONE || top_ended
            || (top.count != 0 && top.shown >= top.count)
            || wait_interval(&top))
        {
            break;
        }
    }

    end_screen();
    http_free(top.http);

    if (top.n == 0 || top.kept[top.n - 1] != top.now) {
        top_sample_free(top.now);
    }

    top.now = NULL;
    drop_samples(&top, top.n);

    return rc;
}


static const cli_opt_t  top_opts[] = {
    { "url", 0, "URL", 0, "experiment_status (" URL ")" },
    { "count", 0, "N", 0, "end after N pictures" },
    { "interval", 0, "T", 0, "between two pictures (2s)" },
    { NULL, 0, NULL, 0, NULL }
};

const cli_command_t  cmd_top_command = {
    "top", "[NAME...]", "what the edge counts, live",
    CLI_OUTPUT, top_opts, cmd_top,
    "Asks experiment_status every two seconds and shows the experiments, or\n"
    "those named: by variant the requests, errors and times of the last five\n"
    "minutes, as far back as it has been looking; the first picture is since\n"
    "the counters began. Units are since then, always. q ends it. In a pipe,\n"
    "or with -o json or csv, it prints once. Nothing is tested here: that is\n"
    "what analyze is for.\n"
    "\n"
    "  expctl top\n"
    "  expctl top --url http://127.0.0.1:8080/status tone\n"
    "  expctl top --count 2 --interval 60s -o json | tail -n 4\n"
};
