/*
 * Whose workers read what init makes.
 */

#define _GNU_SOURCE

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/init_group.h"

/* More configuration than this is not looked through. */
#define CONF_MAX  ((size_t) 1 << 24)


const char *
init_group_name(const cli_t *cli, gid_t gid)
{
    struct group  *gr;

    gr = getgrgid(gid);

    return gr != NULL ? cli_format(cli, "%s", gr->gr_name)
                      : cli_format(cli, "%lu", (unsigned long) gid);
}


const char *
init_user_name(const cli_t *cli, uid_t uid)
{
    struct passwd  *pw;

    pw = getpwuid(uid);

    return pw != NULL ? cli_format(cli, "%s", pw->pw_name)
                      : cli_format(cli, "%lu", (unsigned long) uid);
}


static int
group_by_name(const char *name, gid_t *gid)
{
    char           *end;
    unsigned long   n;
    struct group   *gr;

    gr = getgrnam(name);

    if (gr != NULL) {
        *gid = gr->gr_gid;
        return 1;
    }

    if (!isdigit((unsigned char) *name)) {
        return 0;
    }

    errno = 0;
    n = strtoul(name, &end, 10);

    if (errno != 0 || *end != '\0' || n >= (gid_t) -1) {
        return 0;
    }

    *gid = (gid_t) n;

    return 1;
}


/* In the child: nginx is in sbin, which is not in every user's PATH. */

static void
run_nginx(int out)
{
    int          null;
    const char  *path;
    char         buf[4096];

    path = getenv("PATH");
    snprintf(buf, sizeof(buf), "%s:/usr/local/sbin:/usr/sbin:/sbin",
             path != NULL ? path : "/usr/bin:/bin");
    setenv("PATH", buf, 1);

    null = open("/dev/null", O_RDWR);

    if (null == -1 || dup2(null, STDIN_FILENO) == -1
        || dup2(out, STDOUT_FILENO) == -1 || dup2(null, STDERR_FILENO) == -1)
    {
        _exit(127);
    }

    execlp("nginx", "nginx", "-T", (char *) NULL);
    _exit(127);
}


/* What "nginx -T" prints, in conf; 0 if there is no nginx or it fails. */

static int
nginx_conf(nxe_buf_t *conf)
{
    int      fds[2], status;
    char     buf[8192];
    pid_t    pid;
    ssize_t  n;

    if (pipe2(fds, O_CLOEXEC) == -1) {
        return 0;
    }

    fflush(stdout);
    pid = fork();

    if (pid == -1) {
        close(fds[0]);
        close(fds[1]);
        return 0;
    }

    if (pid == 0) {
        run_nginx(fds[1]);
    }

    close(fds[1]);

    while ((n = read(fds[0], buf, sizeof(buf))) > 0
           || (n == -1 && errno == EINTR))
    {
        if (n > 0) {
            nxe_buf_add(conf, (nxe_str_t) { buf, (size_t) n });
        }
    }

    close(fds[0]);

    while (waitpid(pid, &status, 0) == -1) {
        if (errno != EINTR) {
            return 0;
        }
    }

    return WIFEXITED(status) && WEXITSTATUS(status) == 0
           && conf->status == NXE_OK;
}


/* The group of a line "user NAME [GROUP];". */

static int
group_of_line(const char *line, gid_t *gid)
{
    int             n;
    char            user[64], group[64];
    struct passwd  *pw;

    n = sscanf(line, " user %63[^ \t;] %63[^ \t;]", user, group);

    if (n == 2) {
        return group_by_name(group, gid);
    }

    if (n != 1) {
        return 0;
    }

    pw = getpwnam(user);
    if (pw == NULL) {
        return 0;
    }

    *gid = pw->pw_gid;

    return 1;
}


static int
group_of_nginx(gid_t *gid)
{
    int         found;
    char       *line, *next;
    nxe_buf_t   conf;

    nxe_buf_init(&conf, CONF_MAX);
    found = 0;

    if (nginx_conf(&conf) && nxe_buf_addc(&conf, '\0') == NXE_OK) {

        for (line = conf.data; line != NULL && !found; line = next) {
            next = strchr(line, '\n');

            if (next != NULL) {
                *next++ = '\0';
            }

            found = group_of_line(line, gid);
        }
    }

    nxe_buf_free(&conf);

    return found;
}


int
init_group(const cli_t *cli, const char *serving, gid_t *gid)
{
    const char   *name;
    struct stat   st;

    name = cli_opt(cli, "group");

    if (name != NULL) {
        if (group_by_name(name, gid)) {
            return CLI_DONE;
        }

        return cli_usage(cli, "there is no group '%s'", name);
    }

    if (lstat(serving, &st) == 0 && S_ISDIR(st.st_mode)) {
        *gid = st.st_gid;
        return CLI_DONE;
    }

    if (group_of_nginx(gid) || group_by_name("www-data", gid)) {
        return CLI_DONE;
    }

    return cli_usage(cli, "the group of nginx's workers is not known: give "
                     "--group G");
}
