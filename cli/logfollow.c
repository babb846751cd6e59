/*
 * Following a log file: read to its end, looked at by name, read again.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <nxe/logline.h>

#include "cli/logfollow.h"

#define BUFFER     (NXE_LOGLINE_MAX + 65536)
#define OLD_TIME   10               /* seconds that the file before is read */


typedef struct {
    int                 fd;         /* -1: none */
    int                 skipping;   /* the rest of a line that is too long */
    off_t               offset;     /* behind what has been read */
    size_t              pos;        /* the next line */
    size_t              len;
    char                data[BUFFER];
} reader_t;

struct logfollow_s {
    const char         *path;
    reader_t            now;
    reader_t            old;        /* the file before the rotation */
    time_t              until;      /* CLOCK_MONOTONIC: let go of old */
};


static time_t
seconds(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec;
}


static nxe_status_t
failed(const char *what, const char *path, nxe_error_t *err)
{
    return nxe_fail(err, errno == ENOENT ? NXE_INVALID : NXE_IO,
                    "cannot %s '%s': %s", what, path, strerror(errno));
}


static nxe_status_t
open_reader(reader_t *r, const char *path, int whence, nxe_error_t *err)
{
    r->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (r->fd == -1) {
        return failed("open", path, err);
    }

    r->skipping = 0;
    r->pos = 0;
    r->len = 0;
    r->offset = lseek(r->fd, 0, whence);

    if (r->offset == -1) {
        (void) failed("follow", path, err);
        close(r->fd);
        r->fd = -1;
        return NXE_IO;
    }

    return NXE_OK;
}


static void
close_reader(reader_t *r)
{
    if (r->fd != -1) {
        close(r->fd);
        r->fd = -1;
    }
}


nxe_status_t
logfollow_open(const char *path, logfollow_t **follow, nxe_error_t *err)
{
    logfollow_t   *f;
    nxe_status_t   rc;

    f = malloc(sizeof(logfollow_t));
    if (f == NULL) {
        return nxe_fail(err, NXE_NOMEM, "out of memory");
    }

    f->path = path;
    f->old.fd = -1;
    f->until = 0;

    rc = open_reader(&f->now, path, SEEK_END, err);

    if (rc != NXE_OK) {
        free(f);
        return rc;
    }

    *follow = f;

    return NXE_OK;
}


void
logfollow_close(logfollow_t *f)
{
    if (f != NULL) {
        close_reader(&f->now);
        close_reader(&f->old);
        free(f);
    }
}


/* NXE_AGAIN: there is no more for now. */

static nxe_status_t
read_more(reader_t *r, const char *path, nxe_error_t *err)
{
    ssize_t      n;
    struct stat  sb;

    memmove(r->data, r->data + r->pos, r->len - r->pos);
    r->len -= r->pos;
    r->pos = 0;

    if (r->len > NXE_LOGLINE_MAX) {
        r->skipping = 1;
        r->len = 0;
    }

    do {
        n = read(r->fd, r->data + r->len, BUFFER - r->len);
    } while (n == -1 && errno == EINTR);

    if (n == -1) {
        return failed("read", path, err);
    }

    if (n > 0) {
        r->len += (size_t) n;
        r->offset += n;
        return NXE_OK;
    }

    if (fstat(r->fd, &sb) == 0 && sb.st_size < r->offset
        && lseek(r->fd, 0, SEEK_SET) == 0)
    {
        /* copied and cut: what was begun will not end */

        r->offset = 0;
        r->len = 0;
        r->skipping = 0;
        return sb.st_size == 0 ? NXE_AGAIN : NXE_OK;
    }

    return NXE_AGAIN;
}


static nxe_status_t
next_line(reader_t *r, const char *path, nxe_str_t *line, nxe_error_t *err)
{
    char          *end;
    nxe_status_t   rc;

    for ( ;; ) {
        end = memchr(r->data + r->pos, '\n', r->len - r->pos);

        if (end != NULL) {
            break;
        }

        rc = read_more(r, path, err);
        if (rc != NXE_OK) {
            return rc;
        }
    }

    line->data = r->data + r->pos;
    line->len = (size_t) (end - line->data);
    r->pos += line->len + 1;

    if (r->skipping || line->len > NXE_LOGLINE_MAX) {
        r->skipping = 0;
        return NXE_INVALID;
    }

    return NXE_OK;
}


/* 1 if the name is now another file's. */

static int
is_rotated(const logfollow_t *f)
{
    struct stat  a, b;

    return stat(f->path, &a) == 0 && fstat(f->now.fd, &b) == 0
           && (a.st_ino != b.st_ino || a.st_dev != b.st_dev);
}


nxe_status_t
logfollow_line(logfollow_t *f, nxe_str_t *line, nxe_error_t *err)
{
    nxe_status_t  rc;

    for ( ;; ) {
        if (f->old.fd != -1) {
            rc = next_line(&f->old, f->path, line, err);

            if (rc != NXE_AGAIN) {
                return rc;
            }

            if (seconds() >= f->until) {
                close_reader(&f->old);
            }
        }

        rc = next_line(&f->now, f->path, line, err);

        if (rc != NXE_AGAIN || !is_rotated(f)) {
            return rc;
        }

        close_reader(&f->old);
        f->old = f->now;
        f->until = seconds() + OLD_TIME;

        rc = open_reader(&f->now, f->path, SEEK_SET, err);

        if (rc != NXE_OK) {

            /* gone again between the two calls: it stays with the old one */

            f->now = f->old;
            f->old.fd = -1;

            return rc == NXE_INVALID ? NXE_AGAIN : rc;
        }
    }
}
