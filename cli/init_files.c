/*
 * What init makes, and puts right.
 */

#define _GNU_SOURCE

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nxe/keys.h>
#include <nxe/serving.h>

#include "cli/init_files.h"
#include "cli/init_group.h"


static int write_key(int fd, const char *path);
static int make_keys(const cli_t *cli, const char *path);
static int read_keys(const cli_t *cli, const char *path, char *kid);


int
init_failed(const char *what, const char *path)
{
    int  e;

    e = errno;
    cli_error("cannot %s '%s': %s", what, path, strerror(e));

    return CLI_ENV;
}


int
init_put_right(const cli_t *cli, int fd, const char *path, mode_t mode,
    gid_t gid)
{
    struct stat  st;

    if (fstat(fd, &st) == -1) {
        return init_failed("look at", path);
    }

    if (st.st_uid != 0 && st.st_uid != geteuid()) {
        cli_error("'%s' belongs to %s, expected root or yourself", path,
                  init_user_name(cli, st.st_uid));
        return CLI_ENV;
    }

    if (gid != (gid_t) -1 && st.st_gid != gid
        && fchown(fd, (uid_t) -1, gid) == -1)
    {
        init_failed("give to the group", path);
        cli_remedy("as root, or with --group %s",
                   init_group_name(cli, getegid()));
        return CLI_ENV;
    }

    if ((st.st_mode & 07777) != mode && fchmod(fd, mode) == -1) {
        return init_failed("set the mode of", path);
    }

    return CLI_DONE;
}


int
init_folder(const cli_t *cli, const char *path, mode_t mode, gid_t gid)
{
    int  fd, rc;

    if (mkdir(path, 0700) == -1 && errno != EEXIST) {
        return init_failed("make", path);
    }

    fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd == -1) {
        return init_failed("open", path);
    }

    rc = init_put_right(cli, fd, path, mode, gid);
    close(fd);

    return rc;
}


int
init_parents(const char *path)
{
    char   buf[PATH_MAX], *p;

    if (snprintf(buf, sizeof(buf), "%s", path) >= (int) sizeof(buf)) {
        errno = ENAMETOOLONG;
        return init_failed("make", path);
    }

    for (p = buf + 1; (p = strchr(p, '/')) != NULL; p++) {
        *p = '\0';

        if (mkdir(buf, 0755) == -1 && errno != EEXIST) {
            return init_failed("make", buf);
        }

        *p = '/';
    }

    return CLI_DONE;
}


int
init_file(const cli_t *cli, const char *dir, const char *name, mode_t mode,
    gid_t gid)
{
    int   fd, rc;
    char  path[PATH_MAX];

    if (snprintf(path, sizeof(path), "%s/%s", dir, name)
        >= (int) sizeof(path))
    {
        errno = ENAMETOOLONG;
        return init_failed("open", dir);
    }

    fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd == -1) {
        return errno == ENOENT ? CLI_DONE : init_failed("open", path);
    }

    rc = init_put_right(cli, fd, path, mode, gid);
    close(fd);

    return rc;
}


int
init_serving(const cli_t *cli, const char *serving, gid_t gid)
{
    int             rc;
    DIR            *dir;
    struct dirent  *d;

    dir = opendir(serving);
    if (dir == NULL) {
        return init_failed("open", serving);
    }

    rc = CLI_DONE;

    while (rc == CLI_DONE && (d = readdir(dir)) != NULL) {
        if (nxe_serving_number(d->d_name) != 0
            || strcmp(d->d_name, "current") == 0
            || strcmp(d->d_name, "generation") == 0)
        {
            rc = init_file(cli, serving, d->d_name, 0640, gid);
        }
    }

    closedir(dir);

    return rc;
}


static int
write_key(int fd, const char *path)
{
    int            n;
    char           line[NXE_KID_LEN + 2 * NXE_SHA256_LEN + 3];
    char           hex[2 * NXE_SHA256_LEN], kid[NXE_KID_LEN + 1];
    unsigned char  key[NXE_SHA256_LEN];

    if (getrandom(key, sizeof(key), 0) != (ssize_t) sizeof(key)) {
        return init_failed("draw a key for", path);
    }

    nxe_keys_kid(key, kid);
    nxe_hex(key, sizeof(key), hex);
    n = snprintf(line, sizeof(line), "%s %.*s\n", kid, (int) sizeof(hex),
                 hex);

    if (write(fd, line, (size_t) n) != n || fsync(fd) == -1) {
        n = -1;
    }

    nxe_erase(key, sizeof(key));
    nxe_erase(hex, sizeof(hex));
    nxe_erase(line, sizeof(line));

    return n == -1 ? init_failed("write", path) : CLI_DONE;
}


/*
 * One random key, under a temporary name until it is whole: a key file cut
 * short would be refused by nginx and by us.
 */

static int
make_keys(const cli_t *cli, const char *path)
{
    int          fd, rc;
    const char  *temp;

    temp = cli_format(cli, "%s.%ld", path, (long) getpid());

    fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
              0600);
    if (fd == -1) {
        return init_failed("make", temp);
    }

    rc = write_key(fd, temp);
    close(fd);

    /* link() keeps what somebody has put there meanwhile */

    if (rc == CLI_DONE && link(temp, path) == -1 && errno != EEXIST) {
        rc = init_failed("make", path);
    }

    unlink(temp);

    return rc;
}


static int
read_keys(const cli_t *cli, const char *path, char *kid)
{
    int           fd, rc;
    char          text[NXE_KEYS_FILE + 1];
    ssize_t       n;
    nxe_keys_t    keys;
    nxe_error_t   err;

    fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd == -1) {
        return init_failed("open", path);
    }

    rc = init_put_right(cli, fd, path, 0600, (gid_t) -1);
    n = rc == CLI_DONE ? read(fd, text, sizeof(text)) : 0;
    close(fd);

    if (rc != CLI_DONE) {
        return rc;
    }

    if (n < 0) {
        return init_failed("read", path);
    }

    if (nxe_keys_parse((nxe_str_t) { text, (size_t) n }, &keys, &err)
        != NXE_OK)
    {
        cli_error("'%s': %s", path, err.text);
        rc = CLI_USAGE;

    } else {
        memcpy(kid, keys.keys[0].kid, NXE_KID_LEN + 1);
    }

    nxe_erase(text, sizeof(text));
    nxe_erase(&keys, sizeof(keys));

    return rc;
}


int
init_key_file(const cli_t *cli, const char *path, char *kid, int *made)
{
    int          rc;
    struct stat  st;

    *made = 0;

    if (lstat(path, &st) == -1) {
        rc = make_keys(cli, path);
        if (rc != CLI_DONE) {
            return rc;
        }

        *made = 1;
    }

    return read_keys(cli, path, kid);
}
