#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "nxe_serving_int.h"


#define NXE_CURRENT_MAX   1024


static nxe_status_t nxe_current_parse(nxe_str_t json, nxe_current_t *current);
static nxe_status_t nxe_current_word(nxe_str_t hex, uint64_t *word);


/*
 * Opens DIR/NAME for reading.  Refused: symlinks, what others may write, what
 * belongs to anyone but root and this user (SECURITY 9).
 */

nxe_status_t
nxe_serving_file(const char *dir, const char *name, char *path, int *fd,
    struct stat *st, nxe_error_t *err)
{
    if (snprintf(path, NXE_SERVING_PATH, "%s/%s", dir, name)
        >= NXE_SERVING_PATH)
    {
        return nxe_fail(err, NXE_IO, "\"%s\": the path is too long", dir);
    }

    *fd = open(path, O_RDONLY|O_NOFOLLOW|O_CLOEXEC|O_NONBLOCK);
    if (*fd == -1) {
        return nxe_fail(err, NXE_IO, "cannot open \"%s\": %s", path,
                        strerror(errno));
    }

    if (fstat(*fd, st) == -1 || !S_ISREG(st->st_mode)
        || (st->st_mode & 022) != 0
        || (st->st_uid != 0 && st->st_uid != geteuid()))
    {
        (void) close(*fd);
        return nxe_fail(err, NXE_IO, "\"%s\" must be a file of root or of "
                        "this user that others cannot write", path);
    }

    return NXE_OK;
}


nxe_status_t
nxe_current_read(const char *dir, nxe_current_t *current, nxe_error_t *err)
{
    int           fd;
    char          path[NXE_SERVING_PATH], buf[NXE_CURRENT_MAX];
    ssize_t       n;
    nxe_str_t     json;
    struct stat   st;
    nxe_status_t  rc;

    rc = nxe_serving_file(dir, "current", path, &fd, &st, err);
    if (rc != NXE_OK) {
        return rc;
    }

    n = read(fd, buf, sizeof(buf));
    (void) close(fd);

    if (n == -1) {
        return nxe_fail(err, NXE_IO, "cannot read \"%s\": %s", path,
                        strerror(errno));
    }

    json.data = buf;
    json.len = (size_t) n;

    if (nxe_current_parse(json, current) != NXE_OK) {
        return nxe_fail(err, NXE_INVALID,
                        "\"%s\" is not what this version publishes", path);
    }

    return NXE_OK;
}


uint64_t
nxe_serving_number(const char *name)
{
    unsigned     digit;
    uint64_t     n;
    const char  *p;

    n = 0;

    for (p = name; *p >= '0' && *p <= '9'; p++) {
        digit = (unsigned) (*p - '0');

        if (n > (UINT64_MAX - digit) / 10 || (n == 0 && digit == 0)) {
            return 0;
        }

        n = n * 10 + digit;
    }

    return strcmp(p, ".mdb") == 0 ? n : 0;
}


static nxe_status_t
nxe_current_parse(nxe_str_t json, nxe_current_t *current)
{
    uint64_t         format;
    unsigned         seen;
    nxe_str_t        value;
    nxe_status_t     rc;
    nxe_json_walk_t  w;
    unsigned char    head[NXE_HEAD_LEN / 2];

    if (!nxe_serving_json(json, NXE_JSON_OBJECT)) {
        return NXE_INVALID;
    }

    memset(current, 0, sizeof(nxe_current_t));
    format = 0;
    seen = 0;

    for (nxe_json_walk(&w, json); nxe_json_walk_next(&w); ) {

        value = nxe_serving_unquote(w.value);
        rc = NXE_OK;

        if (nxe_str_eq(w.key, nxe_str("\"format\""))) {
            rc = nxe_serving_uint(w.value, &format);
            seen |= 1;

        } else if (nxe_str_eq(w.key, nxe_str("\"file\""))) {

            if (value.len >= sizeof(current->file) || !nxe_name_ok(value)) {
                return NXE_INVALID;
            }

            memcpy(current->file, value.data, value.len);
            seen |= 2;

        } else if (nxe_str_eq(w.key, nxe_str("\"size\""))) {
            rc = nxe_serving_uint(w.value, &current->size);
            seen |= 4;

        } else if (nxe_str_eq(w.key, nxe_str("\"sha256\""))) {
            rc = nxe_unhex(value, current->sha256, NXE_SHA256_LEN);
            seen |= 8;

        } else if (nxe_str_eq(w.key, nxe_str("\"txn\""))) {
            rc = nxe_serving_uint(w.value, &current->txn);
            seen |= 16;

        } else if (nxe_str_eq(w.key, nxe_str("\"head\""))) {

            rc = nxe_unhex(value, head, sizeof(head));

            if (rc == NXE_OK) {
                memcpy(current->head, value.data, NXE_HEAD_LEN);
            }

            seen |= 32;

        } else if (nxe_str_eq(w.key, nxe_str("\"word\""))) {
            rc = nxe_current_word(value, &current->word);
            seen |= 64;
        }

        if (rc != NXE_OK) {
            return rc;
        }
    }

    return seen == 127 && format == NXE_SERVING_FORMAT && current->size != 0
           ? NXE_OK : NXE_INVALID;
}


static nxe_status_t
nxe_current_word(nxe_str_t hex, uint64_t *word)
{
    size_t         i;
    unsigned char  bytes[sizeof(uint64_t)];

    if (nxe_unhex(hex, bytes, sizeof(bytes)) != NXE_OK) {
        return NXE_INVALID;
    }

    for (i = 0, *word = 0; i < sizeof(bytes); i++) {
        *word = *word << 8 | bytes[i];
    }

    return NXE_OK;
}


nxe_status_t
nxe_generation_read(const char *dir, uint64_t *word, nxe_error_t *err)
{
    int           fd;
    char          path[NXE_SERVING_PATH];
    ssize_t       n;
    struct stat   st;
    nxe_status_t  rc;

    rc = nxe_serving_file(dir, "generation", path, &fd, &st, err);
    if (rc != NXE_OK) {
        return rc;
    }

    n = read(fd, word, sizeof(uint64_t));
    (void) close(fd);

    if (n != (ssize_t) sizeof(uint64_t)) {
        return nxe_fail(err, NXE_IO, "\"%s\" is too short", path);
    }

    return NXE_OK;
}


nxe_status_t
nxe_generation_map(const char *dir, nxe_generation_t *g, nxe_error_t *err)
{
    int           fd;
    char          path[NXE_SERVING_PATH];
    void         *p;
    struct stat   st;
    nxe_status_t  rc;

    g->word = NULL;

    rc = nxe_serving_file(dir, "generation", path, &fd, &st, err);
    if (rc != NXE_OK) {
        return rc;
    }

    if (st.st_size < (off_t) sizeof(uint64_t)) {
        (void) close(fd);
        return nxe_fail(err, NXE_IO, "\"%s\" is too short", path);
    }

    p = mmap(NULL, sizeof(uint64_t), PROT_READ, MAP_SHARED, fd, 0);
    (void) close(fd);

    if (p == MAP_FAILED) {
        return nxe_fail(err, NXE_IO, "cannot map \"%s\": %s", path,
                        strerror(errno));
    }

    g->word = p;
    g->dev = st.st_dev;
    g->ino = st.st_ino;

    return NXE_OK;
}


int
nxe_generation_stale(const char *dir, const nxe_generation_t *g)
{
    char         path[NXE_SERVING_PATH];
    struct stat  st;

    if (snprintf(path, sizeof(path), "%s/generation", dir)
        >= (int) sizeof(path) || lstat(path, &st) == -1)
    {
        return 1;
    }

    return st.st_dev != g->dev || st.st_ino != g->ino
           || st.st_size < (off_t) sizeof(uint64_t);
}


void
nxe_generation_unmap(nxe_generation_t *g)
{
    if (g->word != NULL) {
        (void) munmap((void *) (uintptr_t) g->word, sizeof(uint64_t));
        g->word = NULL;
    }
}


/* 1 if the text is valid JSON of that type, without white space in front. */

int
nxe_serving_json(nxe_str_t json, nxe_json_type_t type)
{
    nxe_text_t         text;
    nxe_json_result_t  result;

    text.segs = &json;
    text.n = 1;

    return nxe_json_scan(&text, NULL, 0, &result) == NXE_JSON_OK
           && json.data[0] == (type == NXE_JSON_OBJECT ? '{' : '[');
}


nxe_status_t
nxe_serving_uint(nxe_str_t s, uint64_t *n)
{
    size_t    i;
    uint64_t  v;

    if (s.len == 0 || s.len > 19) {
        return NXE_INVALID;
    }

    for (i = 0, v = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            return NXE_INVALID;
        }

        v = v * 10 + (uint64_t) (s.data[i] - '0');
    }

    *n = v;

    return NXE_OK;
}


/* What the publisher quotes has no escapes; other values stay as they are. */

nxe_str_t
nxe_serving_unquote(nxe_str_t s)
{
    if (s.len >= 2 && s.data[0] == '"') {
        s.data++;
        s.len -= 2;
    }

    return s;
}
