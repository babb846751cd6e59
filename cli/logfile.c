/*
 * Log files.  What does not begin as gzip does is read as it is; gzip members
 * in a row are one file.  zlib's own files drop what follows the last member.
 */

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <nxe/logline.h>

#include "cli/logfile.h"

#define BUFFER  (NXE_LOGLINE_MAX + 262144)
#define CHUNK   131072


struct logfile_s {
    const char         *path;
    int                 fd;
    uint64_t            offset;     /* behind what has been read */
    z_stream            z;
    unsigned            eof:1;      /* of the file */
    unsigned            plain:1;
    unsigned            packed:1;
    unsigned            within:1;   /* a gzip member */
    int                 ended;
    int                 skipping;   /* the rest of a line that is too long */
    uint64_t            number;
    size_t              pos;        /* the next line */
    size_t              len;        /* bytes in data */
    char                data[BUFFER];
    unsigned char       in[CHUNK];
};


/* A growing list in cli->mem. */

typedef struct {
    const cli_t        *cli;
    char              **paths;
    size_t              n;
    size_t              room;
} list_t;


static nxe_status_t
add_path(list_t *list, const char *path)
{
    char       **paths;
    size_t       room;
    nxe_str_t    copy;

    if (list->n == list->room) {
        room = list->room == 0 ? 16 : list->room * 2;

        paths = nxe_alloc(list->cli->mem, room * sizeof(char *));
        if (paths == NULL) {
            return NXE_NOMEM;
        }

        if (list->n != 0) {
            memcpy(paths, list->paths, list->n * sizeof(char *));
        }

        list->paths = paths;
        list->room = room;
    }

    if (nxe_str_copy(list->cli->mem, nxe_str_of(path), &copy) != NXE_OK) {
        return NXE_NOMEM;
    }

    list->paths[list->n++] = (char *) copy.data;

    return NXE_OK;
}


static nxe_status_t
add_matches(list_t *list, const char *pattern, nxe_error_t *err)
{
    int           rc;
    size_t        i;
    glob_t        found;
    nxe_status_t  status;

    rc = glob(pattern, 0, NULL, &found);

    if (rc == GLOB_NOMATCH) {
        return nxe_fail(err, NXE_INVALID, "no file matches '%s'",
                        cli_safe(list->cli, nxe_str_of(pattern)));
    }

    if (rc != 0) {
        return nxe_fail(err, NXE_IO, "cannot look for '%s'",
                        cli_safe(list->cli, nxe_str_of(pattern)));
    }

    status = NXE_OK;

    for (i = 0; i < found.gl_pathc && status == NXE_OK; i++) {
        status = add_path(list, found.gl_pathv[i]);
    }

    globfree(&found);

    return status;
}


nxe_status_t
logfile_list(const cli_t *cli, char *const *names, int n, char ***paths,
    size_t *npaths, nxe_error_t *err)
{
    int           i;
    list_t        list;
    struct stat   sb;
    nxe_status_t  rc;

    memset(&list, 0, sizeof(list_t));
    list.cli = cli;

    for (i = 0; i < n; i++) {

        /* without a pattern the attempt to open it will give the reason */

        if (strpbrk(names[i], "*?[") == NULL || stat(names[i], &sb) == 0) {
            rc = add_path(&list, names[i]);

        } else {
            rc = add_matches(&list, names[i], err);
        }

        if (rc == NXE_NOMEM) {
            return nxe_fail(err, NXE_NOMEM, "out of memory");
        }

        if (rc != NXE_OK) {
            return rc;
        }
    }

    *paths = list.paths;
    *npaths = list.n;

    return NXE_OK;
}


nxe_status_t
logfile_open(const char *path, logfile_t **file, nxe_error_t *err)
{
    int           fd;
    logfile_t    *f;
    struct stat   sb;

    fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO)
                                : open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1) {
        return nxe_fail(err, errno == ENOENT || errno == ENOTDIR
                             ? NXE_INVALID : NXE_IO,
                        "cannot open '%s': %s", path, strerror(errno));
    }

    if (fstat(fd, &sb) == 0 && S_ISDIR(sb.st_mode)) {
        close(fd);
        return nxe_fail(err, NXE_INVALID, "cannot read '%s': %s", path,
                        strerror(EISDIR));
    }

    f = malloc(sizeof(logfile_t));
    if (f == NULL) {
        close(fd);
        return nxe_fail(err, NXE_NOMEM, "out of memory");
    }

    memset(&f->z, 0, sizeof(z_stream));

    if (inflateInit2(&f->z, MAX_WBITS + 16) != Z_OK) {
        free(f);
        close(fd);
        return nxe_fail(err, NXE_NOMEM, "out of memory");
    }

    f->z.next_in = f->in;
    f->fd = fd;
    f->offset = 0;
    f->eof = 0;
    f->plain = 0;
    f->packed = 0;
    f->within = 0;
    f->path = path;
    f->ended = 0;
    f->skipping = 0;
    f->number = 0;
    f->pos = 0;
    f->len = 0;

    *file = f;
    return NXE_OK;
}


/* n bytes of the file in z, or what is there before its end. */

static nxe_status_t
need(logfile_t *f, unsigned n, nxe_error_t *err)
{
    ssize_t  got;

    while (f->z.avail_in < n && !f->eof) {
        memmove(f->in, f->z.next_in, f->z.avail_in);
        f->z.next_in = f->in;

        got = read(f->fd, f->in + f->z.avail_in, CHUNK - f->z.avail_in);

        if (got == -1) {
            if (errno == EINTR) {
                continue;
            }

            return nxe_fail(err, NXE_IO, "cannot read '%s': %s", f->path,
                            strerror(errno));
        }

        f->eof = (got == 0);
        f->z.avail_in += (unsigned) got;
        f->offset += (uint64_t) got;
    }

    return NXE_OK;
}


/* More of a gzip member. */

static nxe_status_t
unpack(logfile_t *f, nxe_error_t *err)
{
    int  rc;

    rc = inflate(&f->z, Z_NO_FLUSH);

    switch (rc) {

    case Z_STREAM_END:
        f->within = 0;
        return NXE_OK;

    case Z_OK:
        return NXE_OK;

    case Z_BUF_ERROR:
        return nxe_fail(err, NXE_IO,
                        "cannot read '%s': unexpected end of gzip data",
                        f->path);

    case Z_MEM_ERROR:
        return nxe_fail(err, NXE_NOMEM, "out of memory");

    default:
        return nxe_fail(err, NXE_IO, "cannot read '%s': %s", f->path,
                        f->z.msg != NULL ? f->z.msg : "bad gzip data");
    }
}


/* The start of a gzip member, the end behind one, or plain text. */

static nxe_status_t
outside(logfile_t *f, nxe_error_t *err)
{
    unsigned  n;

    if (!f->plain && f->z.avail_in > 1 && f->z.next_in[0] == 0x1f
        && f->z.next_in[1] == 0x8b)
    {
        (void) inflateReset(&f->z);
        f->within = 1;
        f->packed = 1;
        return NXE_OK;
    }

    if (f->packed) {

        /* zeros pad a file, as gzip has it; all else would be lost lines */

        while (f->z.avail_in != 0 && *f->z.next_in == 0) {
            f->z.next_in++;
            f->z.avail_in--;
        }

        if (f->z.avail_in != 0) {
            return nxe_fail(err, NXE_IO, "cannot read '%s': what follows its"
                            " gzip data is no gzip", f->path);
        }

        f->ended = f->eof;
        return NXE_OK;
    }

    n = f->z.avail_in < f->z.avail_out ? f->z.avail_in : f->z.avail_out;
    memcpy(f->z.next_out, f->z.next_in, n);

    f->z.next_in += n;
    f->z.avail_in -= n;
    f->z.avail_out -= n;
    f->plain = 1;
    f->ended = (n == 0);

    return NXE_OK;
}


/* Moves what is left to the front and reads on behind it. */

static nxe_status_t
fill(logfile_t *f, nxe_error_t *err)
{
    unsigned      room;
    nxe_status_t  rc;

    memmove(f->data, f->data + f->pos, f->len - f->pos);
    f->len -= f->pos;
    f->pos = 0;

    room = (unsigned) (BUFFER - f->len);
    f->z.next_out = (unsigned char *) f->data + f->len;
    f->z.avail_out = room;

    do {
        rc = need(f, f->within ? 1 : 2, err);

        if (rc == NXE_OK) {
            rc = f->within ? unpack(f, err) : outside(f, err);
        }

        if (rc != NXE_OK) {
            return rc;
        }

    } while (f->z.avail_out == room && !f->ended);

    f->len = BUFFER - f->z.avail_out;

    return NXE_OK;
}


nxe_status_t
logfile_line(logfile_t *f, nxe_str_t *line, uint64_t *number,
    nxe_error_t *err)
{
    char          *end;
    size_t         seen;
    nxe_status_t   rc;

    seen = 0;

    for ( ;; ) {
        end = memchr(f->data + f->pos + seen, '\n', f->len - f->pos - seen);
        seen = f->len - f->pos;

        if (end != NULL || (f->ended && seen != 0)) {
            break;
        }

        if (f->ended) {
            return NXE_DECLINED;
        }

        if (seen > NXE_LOGLINE_MAX) {
            f->skipping = 1;
            f->pos = f->len;
            seen = 0;
        }

        rc = fill(f, err);
        if (rc != NXE_OK) {
            return rc;
        }

        if (f->ended && f->skipping && f->len == 0) {
            break;
        }
    }

    line->data = f->data + f->pos;
    line->len = end != NULL ? (size_t) (end - line->data) : seen;
    f->pos = end != NULL ? (size_t) (end + 1 - f->data) : f->len;
    *number = ++f->number;

    if (f->skipping || line->len > NXE_LOGLINE_MAX) {
        f->skipping = 0;
        return NXE_INVALID;
    }

    return NXE_OK;
}


uint64_t
logfile_offset(const logfile_t *f)
{
    return f->offset - f->z.avail_in;
}


uint64_t
logfile_size(const char *path)
{
    struct stat  sb;

    if (strcmp(path, "-") == 0 || stat(path, &sb) != 0
        || !S_ISREG(sb.st_mode))
    {
        return 0;
    }

    return (uint64_t) sb.st_size;
}


void
logfile_close(logfile_t *f)
{
    if (f != NULL) {
        (void) inflateEnd(&f->z);
        close(f->fd);
        free(f);
    }
}
