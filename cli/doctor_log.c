/*
 * doctor: the log, which analysis can use only as it was written.
 */

#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nxe/time.h>

#include "cli/doctor.h"
#include "cli/logfile.h"

#define FORMAT_LINE  "log_format experiment escape=none '$experiment_json';"


/* The end of a file, at most a line and a half; memory of cli. */

static nxe_str_t
read_end(const doctor_t *d, const char *path)
{
    int          fd;
    char        *data;
    off_t        from;
    size_t       want, len;
    ssize_t      n;
    struct stat  st;

    len = 0;
    data = NULL;

    fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd == -1) {
        return nxe_null_str;
    }

    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
        from = st.st_size > NXE_LOGLINE_MAX * 2
               ? st.st_size - NXE_LOGLINE_MAX * 2 : 0;
        want = (size_t) (st.st_size - from);
        data = nxe_alloc(d->cli->mem, want);

        while (data != NULL && len < want) {
            n = pread(fd, data + len, want - len, from + (off_t) len);

            if (n <= 0) {
                break;
            }

            len += (size_t) n;
        }
    }

    close(fd);

    return (nxe_str_t) { data, len };
}


/* The last whole line: one without its newline is still being written. */

static nxe_str_t
last_line(nxe_str_t text)
{
    nxe_str_t  line;

    while (text.len != 0 && text.data[text.len - 1] != '\n') {
        text.len--;
    }

    if (text.len == 0) {
        return nxe_null_str;
    }

    text.len--;
    line.data = text.data + text.len;
    line.len = 0;

    while (line.data > text.data && line.data[-1] != '\n') {
        line.data--;
        line.len++;
    }

    return line;
}


static int
is_gzip(const char *path)
{
    size_t  n;

    n = strlen(path);

    return n > 3 && strcmp(path + n - 3, ".gz") == 0;
}


/* The newest file that has a line; what is compressed is never the newest. */

void
doctor_log_look(doctor_t *d)
{
    char         **paths;
    size_t         i, n;
    time_t         newest;
    nxe_str_t      line;
    struct stat    st;

    if (d->log == NULL
        || logfile_list(d->cli, (char *const *) &d->log, 1, &paths, &n, NULL)
           != NXE_OK)
    {
        return;
    }

    newest = 0;

    for (i = 0; i < n; i++) {
        if (is_gzip(paths[i]) || stat(paths[i], &st) == -1
            || st.st_size == 0
            || (d->log_file != NULL && st.st_mtime <= newest))
        {
            continue;
        }

        line = last_line(read_end(d, paths[i]));

        if (line.len != 0) {
            newest = st.st_mtime;
            d->log_file = paths[i];
            d->line = line;
        }
    }

    d->record = nxe_calloc(d->cli->mem, sizeof(nxe_logline_t));

    if (d->log_file == NULL || d->record == NULL) {
        d->log_file = NULL;
        return;
    }

    d->line_status = nxe_logline_read(d->line, d->record, &d->fault);
}


static const char *
age_of(const doctor_t *d)
{
    char  text[NXE_TIME_LEN];

    nxe_time_print(d->record->time / 1000000, text);

    return cli_ago(d->cli, nxe_str_of(text));
}


static int
begins_with(nxe_str_t s, const char *head)
{
    return s.len >= strlen(head) && memcmp(s.data, head, strlen(head)) == 0;
}


static int
check_line(doctor_t *d)
{
    if (d->line_status == NXE_OK) {
        return 1;
    }

    if (begins_with(d->line, "{\\x22") || begins_with(d->line, "{\\\"")) {
        doctor_add(d, "log", DOCTOR_FAIL, FORMAT_LINE,
                   "the last line of '%s' is escaped: log_format has no "
                   "escape=none", d->log_file);

    } else if (!begins_with(d->line, "{\"kind\":")
               || d->line.data[d->line.len - 1] != '}')
    {
        doctor_add(d, "log", DOCTOR_FAIL, FORMAT_LINE,
                   "the last line of '%s' has more in it than "
                   "$experiment_json", d->log_file);

    } else {
        doctor_add(d, "log", DOCTOR_FAIL, d->fault.next != NULL
                   ? d->fault.next : FORMAT_LINE,
                   "the last line of '%s' cannot be read: %s", d->log_file,
                   d->fault.why);
    }

    return 0;
}


/* The text of a log_format, its escape= apart. */

static const char *
format_text(const cli_t *cli, const nginx_directive_t *f,
    const char **escape)
{
    unsigned     i;
    const char  *text;

    *escape = "default";

    for (i = 2, text = ""; i < f->nwords; i++) {
        if (i == 2 && strncmp(f->words[i], "escape=", 7) == 0) {
            *escape = f->words[i] + 7;

        } else {
            text = cli_format(cli, "%s%s", text, f->words[i]);
        }
    }

    return text;
}


/* access_log lines of one format; the number of them. */

static unsigned
check_access_logs(doctor_t *d, const char *format)
{
    unsigned                  n;
    const char               *path;
    const nginx_directive_t  *a;

    n = 0;

    for (a = nginx_find(&d->nginx, NULL, "access_log"); a != NULL;
         a = nginx_find(&d->nginx, a, "access_log"))
    {
        if (a->nwords < 3 || strcmp(a->words[2], format) != 0) {
            continue;
        }

        n++;
        path = nginx_path(d->cli, d->nginx.prefix, a->words[1]);

        if (strchr(path, '$') == NULL && d->log != NULL
            && fnmatch(d->log, path, FNM_PATHNAME) != 0)
        {
            doctor_add(d, "log", DOCTOR_WARN,
                       "expctl init --log 'DIR/*.log*' with the right DIR",
                       "access_log '%s' is not among '%s', which analyze "
                       "reads", path, d->log);
        }
    }

    return n;
}


/* 1 if the configuration writes the log as it has to be. */

static int
check_conf(doctor_t *d)
{
    int                       good;
    unsigned                  n, writers;
    const char               *text, *escape;
    const nginx_directive_t  *f;

    good = 1;
    writers = 0;

    for (f = nginx_find(&d->nginx, NULL, "log_format"); f != NULL;
         f = nginx_find(&d->nginx, f, "log_format"))
    {
        text = format_text(d->cli, f, &escape);

        if (f->nwords < 3 || (strstr(text, "$experiment_json") == NULL
                              && strstr(text, "${experiment_json}") == NULL))
        {
            continue;
        }

        n = check_access_logs(d, f->words[1]);
        writers += n;

        if (n == 0) {
            continue;           /* nobody writes it */
        }

        if (strcmp(escape, "none") != 0) {
            doctor_add(d, "log", DOCTOR_FAIL, FORMAT_LINE,
                       "log_format %s in %s:%u has escape=%s",
                       f->words[1], f->file, f->line, escape);
            good = 0;
        }

        if (strcmp(text, "$experiment_json") != 0
            && strcmp(text, "${experiment_json}") != 0)
        {
            doctor_add(d, "log", DOCTOR_FAIL, FORMAT_LINE,
                       "log_format %s in %s:%u has more in it than "
                       "$experiment_json, which can be forged", f->words[1],
                       f->file, f->line);
            good = 0;
        }
    }

    if (writers == 0) {
        doctor_add(d, "log", DOCTOR_FAIL,
                   FORMAT_LINE " access_log FILE experiment "
                   "if=$experiment_on;",
                   "no access_log writes $experiment_json");
        good = 0;
    }

    return good;
}


void
doctor_log(doctor_t *d)
{
    int  good;

    if (d->log == NULL) {
        return;             /* the registry's failure has been said */
    }

    good = d->has_nginx != NXE_OK || d->nginx.problem != NULL
           || check_conf(d);

    if (d->log_file == NULL) {
        doctor_add(d, "log", DOCTOR_WARN,
                   "a request to a location with \"experiment\"",
                   "there is no line in '%s' yet", d->log);
        return;
    }

    /* what the configuration does wrong shows in the line as well */

    if (good && check_line(d)) {
        doctor_add(d, "log", DOCTOR_OK, NULL,
                   "last line %s old, escape=none, nothing beside it",
                   age_of(d));
    }
}
