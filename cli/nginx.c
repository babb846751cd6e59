/*
 * Asking an nginx binary what it is.
 */

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/nginxconf.h"

/* No program that we run prints more. */
#define OUTPUT_MAX  ((size_t) 1 << 26)


/* In the child: out for stdout, said for stderr. */

static void
run(char *const *argv, int out, int said)
{
    int  null;

    null = open("/dev/null", O_RDONLY);

    if (null == -1 || dup2(null, STDIN_FILENO) == -1
        || dup2(out, STDOUT_FILENO) == -1 || dup2(said, STDERR_FILENO) == -1)
    {
        _exit(127);
    }

    execv(argv[0], argv);
    _exit(127);
}


static nxe_status_t
read_back(int fd, nxe_buf_t *b)
{
    char     buf[16384];
    ssize_t  n;

    if (lseek(fd, 0, SEEK_SET) == -1) {
        return NXE_IO;
    }

    while ((n = read(fd, buf, sizeof(buf))) > 0) {
        if (nxe_buf_add(b, (nxe_str_t) { buf, (size_t) n }) != NXE_OK) {
            return b->status;
        }
    }

    return n == 0 ? NXE_OK : NXE_IO;
}


/*
 * Runs argv to its end; what it prints goes to memory, so that it cannot
 * wait for us.  *code is its exit code, -1 if it did not end by itself.
 */

static nxe_status_t
run_program(char *const *argv, nxe_buf_t *out, nxe_buf_t *said, int *code)
{
    int           fds[2], status;
    pid_t         pid;
    nxe_status_t  rc;

    fds[0] = memfd_create("stdout", MFD_CLOEXEC);
    fds[1] = memfd_create("stderr", MFD_CLOEXEC);
    rc = NXE_IO;

    if (fds[0] == -1 || fds[1] == -1) {
        goto done;
    }

    fflush(stdout);
    pid = fork();

    if (pid == -1) {
        goto done;
    }

    if (pid == 0) {
        run(argv, fds[0], fds[1]);
    }

    while (waitpid(pid, &status, 0) == -1) {
        if (errno != EINTR) {
            goto done;
        }
    }

    *code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;

    rc = read_back(fds[0], out);

    if (rc == NXE_OK) {
        rc = read_back(fds[1], said);
    }

done:

    if (fds[0] != -1) {
        close(fds[0]);
    }

    if (fds[1] != -1) {
        close(fds[1]);
    }

    return rc;
}


/* nginx is in sbin, which is not in every user's PATH. */

static const char *
find_binary(const cli_t *cli)
{
    const char   *p, *end, *path, *file;
    struct stat   st;

    path = getenv("PATH");
    path = cli_format(cli, "%s:/usr/local/sbin:/usr/sbin:/sbin",
                      path != NULL ? path : "/usr/bin:/bin");

    for (p = path; *p != '\0'; p = *end == '\0' ? end : end + 1) {
        end = strchrnul(p, ':');

        if (p[0] != '/') {
            continue;
        }

        file = cli_format(cli, "%.*s/nginx", (int) (end - p), p);

        if (access(file, X_OK) == 0 && stat(file, &st) == 0
            && S_ISREG(st.st_mode))
        {
            return file;
        }
    }

    return NULL;
}


/* A value of "configure arguments:" or of "nginx version:", to a delimiter. */

static const char *
value_of(const cli_t *cli, const char *text, const char *name,
    const char *absent)
{
    size_t       n;
    const char  *p;

    p = strstr(text, name);
    if (p == NULL) {
        return absent;
    }

    p += strlen(name);
    n = strcspn(p, " '\n(");

    return cli_format(cli, "%.*s", (int) n, p);
}


/* The folder of a file, with its slash. */

static const char *
folder_of(const cli_t *cli, const char *file)
{
    const char  *slash;

    slash = strrchr(file, '/');

    return slash == NULL ? "./"
           : cli_format(cli, "%.*s", (int) (slash - file + 1), file);
}


static nxe_status_t
look_version(const cli_t *cli, const char *conf, const char *prefix,
    nginx_t *nginx, nxe_error_t *err)
{
    int           code;
    char         *argv[3], *whole;
    nxe_buf_t     out, said;
    const char   *file;
    nxe_status_t  rc;

    nxe_buf_init(&out, OUTPUT_MAX);
    nxe_buf_init(&said, OUTPUT_MAX);

    argv[0] = (char *) nginx->binary;
    argv[1] = (char *) "-V";
    argv[2] = NULL;

    rc = run_program(argv, &out, &said, &code);

    if (rc == NXE_OK) {
        nxe_buf_addc(&said, '\0');
        rc = said.status;
    }

    if (rc != NXE_OK) {
        rc = nxe_fail(err, rc, "cannot run '%s'", nginx->binary);
        goto done;
    }

    nginx->version = value_of(cli, said.data, "nginx version: ", "");

    if (code != 0 || nginx->version[0] == '\0') {
        rc = nxe_fail(err, NXE_INVALID, "'%s' is no nginx", nginx->binary);
        goto done;
    }

    /* "nginx/1.22.1", or another name in front of the slash */

    if (strchr(nginx->version, '/') != NULL) {
        nginx->version = strchr(nginx->version, '/') + 1;
    }

    nginx->user = value_of(cli, said.data, "--user=", "nobody");
    nginx->group = value_of(cli, said.data, "--group=", nginx->user);

    if (prefix == NULL) {
        prefix = value_of(cli, said.data, "--prefix=", "/usr/local/nginx");
    }

    /* as the paths of a configuration are compared: no "./", no "//" */

    whole = realpath(prefix, NULL);
    nginx->prefix = cli_format(cli, "%s/", whole != NULL ? whole : prefix);
    free(whole);


    file = conf != NULL ? conf
           : value_of(cli, said.data, "--conf-path=", "conf/nginx.conf");
    nginx->conf = folder_of(cli, nginx_path(cli, nginx->prefix, file));

done:

    nxe_buf_free(&out);
    nxe_buf_free(&said);

    return rc;
}


/* The line of nginx's complaints that says why, without its "PID#TID: ". */

static const char *
problem_of(const cli_t *cli, char *said)
{
    char        *line, *rest;
    size_t       n;
    const char  *found;

    found = "it says nothing";

    for (line = strtok_r(said, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest))
    {
        if (strstr(line, "[emerg]") != NULL || strstr(line, "[alert]") != NULL)
        {
            line = strchr(line, ']') + 1;
            line += *line == ' ';
            n = strspn(line, "0123456789#");

            if (n != 0 && strncmp(line + n, ": ", 2) == 0) {
                line += n + 2;
            }

            return cli_format(cli, "%s", line);
        }

        found = line;
    }

    return cli_format(cli, "%s", found);
}


static nxe_status_t
look_conf(const cli_t *cli, const char *conf, const char *prefix,
    nginx_t *nginx, nxe_error_t *err)
{
    int           n, code;
    char         *argv[7];
    nxe_buf_t     out, said;
    nxe_status_t  rc;

    nxe_buf_init(&out, OUTPUT_MAX);
    nxe_buf_init(&said, OUTPUT_MAX);

    n = 0;
    argv[n++] = (char *) nginx->binary;
    argv[n++] = (char *) "-T";

    if (conf != NULL) {
        argv[n++] = (char *) "-c";
        argv[n++] = (char *) conf;
    }

    if (prefix != NULL) {
        argv[n++] = (char *) "-p";
        argv[n++] = (char *) prefix;
    }

    argv[n] = NULL;

    rc = run_program(argv, &out, &said, &code);

    if (rc == NXE_OK) {
        nxe_buf_addc(&said, '\0');
        rc = said.status;
    }

    if (rc != NXE_OK) {
        rc = nxe_fail(err, rc, "cannot run '%s -T'", nginx->binary);

    } else if (code != 0) {
        nginx->problem = problem_of(cli, said.data);

    } else if (nginx_parse(cli, nxe_buf_str(&out), &nginx->first) != NXE_OK) {
        rc = nxe_fail(err, NXE_NOMEM, "out of memory");
    }

    nxe_buf_free(&out);
    nxe_buf_free(&said);

    return rc;
}


nxe_status_t
nginx_look(const cli_t *cli, const char *binary, const char *conf,
    const char *prefix, nginx_t *nginx, nxe_error_t *err)
{
    nxe_status_t  rc;

    memset(nginx, 0, sizeof(nginx_t));

    nginx->binary = binary != NULL ? binary : find_binary(cli);

    if (nginx->binary == NULL) {
        return nxe_fail(err, NXE_DECLINED, "there is no nginx in PATH");
    }

    if (access(nginx->binary, X_OK) == -1) {
        return nxe_fail(err, NXE_DECLINED, "cannot run '%s': %s",
                        nginx->binary, strerror(errno));
    }

    nginx->test = cli_format(cli, "%s -t%s%s%s%s",
                             binary != NULL ? binary : "nginx",
                             conf != NULL ? " -c " : "",
                             conf != NULL ? conf : "",
                             prefix != NULL ? " -p " : "",
                             prefix != NULL ? prefix : "");

    rc = look_version(cli, conf, prefix, nginx, err);

    return rc == NXE_OK ? look_conf(cli, conf, prefix, nginx, err) : rc;
}


/* "8,4,8," and at least 30 times 0 or 1, then a zero byte: its length. */

static size_t
signature_len(const char *p, const char *end)
{
    int          i;
    const char  *start, *digits;

    for (start = p, i = 0; i < 3; i++, p++) {
        for (digits = p; p < end && *p >= '0' && *p <= '9'; p++) {
            /* void */
        }

        if (p == digits || p == end || *p != ',') {
            return 0;
        }
    }

    for (digits = p; p < end && (*p == '0' || *p == '1'); p++) { /* void */ }

    if (p - digits < 30 || p == end || *p != '\0'
        || p - start >= NGINX_SIGNATURE_MAX)
    {
        return 0;
    }

    return (size_t) (p - start);
}


nxe_status_t
nginx_signature(const char *path, char signature[NGINX_SIGNATURE_MAX],
    nxe_error_t *err)
{
    int           fd;
    size_t        n;
    const char   *data, *p, *end;
    nxe_status_t  rc;
    struct stat   st;

    fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd == -1 || fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)
        || st.st_size == 0)
    {
        rc = nxe_fail(err, NXE_IO, "cannot read '%s'", path);

        if (fd != -1) {
            close(fd);
        }

        return rc;
    }

    data = mmap(NULL, (size_t) st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);

    if (data == MAP_FAILED) {
        return nxe_fail(err, NXE_IO, "cannot read '%s'", path);
    }

    end = data + st.st_size;
    rc = nxe_fail(err, NXE_DECLINED, "'%s' has no signature of nginx", path);

    /* a string of its own begins behind a zero byte */

    for (p = data; p != NULL && p + 1 < end;
         p = memchr(p + 1, '\0', (size_t) (end - p - 1)))
    {
        n = signature_len(p + 1, end);

        if (n != 0) {
            memcpy(signature, p + 1, n);
            signature[n] = '\0';
            rc = NXE_OK;
            break;
        }
    }

    munmap((void *) data, (size_t) st.st_size);

    return rc;
}
