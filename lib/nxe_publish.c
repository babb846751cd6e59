#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <lmdb.h>

#include "nxe_publish_int.h"


#define NXE_PUBLISH_BYTES  UINT32_MAX   /* of all replacement bytes */
#define NXE_PUBLISH_PATH   4096


static nxe_status_t nxe_publish_state(nxe_publish_t *p, const nxe_doc_t *doc,
    const nxe_state_t *state, nxe_str_t serving, size_t offset,
    nxe_str_t *out);
static void nxe_publish_digest(const nxe_publish_t *p, nxe_str_t serving,
    size_t offset, char hex[2 * NXE_SHA256_LEN + 1]);
static nxe_status_t nxe_publish_keep(nxe_publish_t *p, nxe_str_t s,
    nxe_str_t *copy);
static void *nxe_publish_grow(void *list, size_t n, size_t *size,
    size_t item);
static nxe_status_t nxe_publish_all(nxe_publish_t *p, nxe_current_t *current,
    nxe_error_t *err);
static nxe_status_t nxe_publish_file(nxe_publish_t *p,
    nxe_current_t *current, nxe_error_t *err);
static int nxe_publish_map(nxe_publish_t *p, const char *tmp,
    const nxe_current_t *current);
static nxe_status_t nxe_publish_hash(const char *path, nxe_current_t *current,
    nxe_error_t *err);
static nxe_status_t nxe_publish_own(nxe_publish_t *p, int fd,
    const char *path, nxe_error_t *err);
static nxe_status_t nxe_publish_current(nxe_publish_t *p,
    const nxe_current_t *current, nxe_error_t *err);
static uint64_t nxe_publish_next(nxe_publish_t *p);
static nxe_status_t nxe_publish_word(nxe_publish_t *p, uint64_t word,
    nxe_error_t *err);
static void nxe_publish_room(nxe_publish_t *p);
static void nxe_publish_sweep(nxe_publish_t *p, const char *file,
    int keep_newest);
static nxe_status_t nxe_publish_failed(const char *what, const char *path,
    nxe_error_t *err);


nxe_status_t
nxe_publish_begin(const char *dir, gid_t gid, nxe_publish_t **publish,
    nxe_error_t *err)
{
    nxe_publish_t  *p;

    p = calloc(1, sizeof(nxe_publish_t));
    if (p == NULL) {
        return nxe_fail(err, NXE_NOMEM, "no memory");
    }

    p->gid = gid;
    p->dir = strdup(dir);
    p->arena = nxe_arena_new();
    p->prices = nxe_str("");
    nxe_buf_init(&p->bytes, NXE_PUBLISH_BYTES);

    p->lock = open(dir, O_RDONLY|O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC);

    if (p->dir == NULL || p->arena == NULL) {
        nxe_publish_free(p);
        return nxe_fail(err, NXE_NOMEM, "no memory");
    }

    if (p->lock == -1 || flock(p->lock, LOCK_EX) == -1) {
        (void) nxe_publish_failed("lock", dir, err);
        nxe_publish_free(p);
        return NXE_IO;
    }

    *publish = p;

    return NXE_OK;
}


void
nxe_publish_free(nxe_publish_t *p)
{
    if (p == NULL) {
        return;
    }

    if (p->lock != -1) {
        (void) close(p->lock);
    }

    nxe_buf_free(&p->bytes);
    nxe_arena_free(p->arena);
    free(p->entries);
    free(p->places);
    free(p->dir);
    free(p);
}


nxe_status_t
nxe_publish_add(nxe_publish_t *p, const nxe_doc_t *doc, const cJSON *tree,
    const nxe_state_t *state, nxe_error_t *err)
{
    size_t                offset;
    nxe_buf_t             json, bytes;
    nxe_status_t          rc;
    nxe_publish_entry_t  *e;
    nxe_publish_place_t  *place;

    p->entries = nxe_publish_grow(p->entries, p->n, &p->size,
                                  sizeof(nxe_publish_entry_t));
    p->places = nxe_publish_grow(p->places, p->nplaces, &p->places_size,
                                 sizeof(nxe_publish_place_t));

    if (p->entries == NULL || p->places == NULL) {
        p->n = 0;
        p->nplaces = 0;
        return nxe_fail(err, NXE_NOMEM, "no memory");
    }

    nxe_buf_init(&json, NXE_PUBLISH_DOC);
    nxe_buf_init(&bytes, NXE_PUBLISH_DOC);

    e = &p->entries[p->n];
    e->doc = nxe_str("");
    offset = p->bytes.len;
    rc = NXE_OK;

    if (nxe_state_live(state)) {
        rc = nxe_doc_serving(tree, &json, &bytes);

        if (rc == NXE_OK) {
            rc = nxe_buf_add(&p->bytes, nxe_buf_str(&bytes));
        }

        if (rc == NXE_OK) {
            rc = nxe_publish_keep(p, nxe_buf_str(&json), &e->doc);
        }

        place = &p->places[p->nplaces];
        place->from = doc->layer_from;
        place->to = doc->layer_to;

        if (rc == NXE_OK) {
            rc = nxe_publish_keep(p, doc->layer, &place->layer);
        }

        if (rc == NXE_OK) {
            rc = nxe_publish_keep(p, doc->name, &place->name);
            p->nplaces++;
        }
    }

    nxe_buf_free(&json);
    nxe_buf_free(&bytes);

    if (rc == NXE_OK) {
        rc = nxe_publish_keep(p, doc->name, &e->name);
    }

    if (rc == NXE_OK) {
        rc = nxe_publish_state(p, doc, state, e->doc, offset, &e->state);
    }

    if (rc != NXE_OK) {
        return nxe_fail(err, rc, "cannot publish \"%.*s\": %s",
                        (int) doc->name.len, doc->name.data,
                        rc == NXE_NOMEM ? "no memory" : "too large");
    }

    p->n++;

    return NXE_OK;
}


nxe_status_t
nxe_publish_prices(nxe_publish_t *p, nxe_str_t json, nxe_error_t *err)
{
    if (nxe_publish_keep(p, json, &p->prices) != NXE_OK) {
        return nxe_fail(err, NXE_NOMEM, "no memory");
    }

    return NXE_OK;
}


/* What a worker needs of a state. */

static nxe_status_t
nxe_publish_state(nxe_publish_t *p, const nxe_doc_t *doc,
    const nxe_state_t *state, nxe_str_t serving, size_t offset,
    nxe_str_t *out)
{
    char          exposure[NXE_FRAC_LEN], digest[2 * NXE_SHA256_LEN + 1];
    nxe_buf_t     b;
    nxe_status_t  rc;

    nxe_buf_init(&b, NXE_PUBLISH_DOC);

    (void) nxe_buf_addf(&b, "{\"revision\":%llu,\"phase\":%llu,\"stage\":"
                        "\"%s\",\"exposure\":",
                        (unsigned long long) state->revision,
                        (unsigned long long) state->phase,
                        nxe_stage_name(state->stage));

    if (state->has_exposure) {
        (void) nxe_frac_print(state->exposure, exposure);
        (void) nxe_buf_add(&b, nxe_str_of(exposure));

    } else {
        (void) nxe_buf_add(&b, nxe_str("null"));
    }

    (void) nxe_buf_add(&b, nxe_str(",\"variant\":"));

    if (state->variant.len != 0) {
        (void) nxe_buf_add_json(&b, state->variant);

    } else {
        (void) nxe_buf_add(&b, nxe_str("null"));
    }

    (void) nxe_buf_add(&b, nxe_str(",\"baseline\":"));
    (void) nxe_buf_add_json(&b, doc->variants[doc->baseline].name);

    if (doc->ofrep_members != 0) {
        (void) nxe_buf_add(&b, nxe_str(",\"flag\":true"));
    }

    if (nxe_state_live(state)) {
        nxe_publish_digest(p, serving, offset, digest);
        (void) nxe_buf_addf(&b, ",\"at\":[%zu,%zu],\"digest\":\"%s\"",
                            offset, p->bytes.len - offset, digest);
    }

    (void) nxe_buf_addc(&b, '}');

    rc = b.status;

    if (rc == NXE_OK) {
        rc = nxe_publish_keep(p, nxe_buf_str(&b), out);
    }

    nxe_buf_free(&b);

    return rc;
}


/* What tells a worker that it has compiled this document already. */

static void
nxe_publish_digest(const nxe_publish_t *p, nxe_str_t serving, size_t offset,
    char hex[2 * NXE_SHA256_LEN + 1])
{
    nxe_sha256_t   sha;
    unsigned char  digest[NXE_SHA256_LEN];

    nxe_sha256_init(&sha);
    nxe_sha256_update(&sha, serving.data, serving.len);

    if (p->bytes.len > offset) {
        nxe_sha256_update(&sha, p->bytes.data + offset,
                          p->bytes.len - offset);
    }

    nxe_sha256_final(&sha, digest);
    nxe_hex(digest, sizeof(digest), hex);
    hex[2 * NXE_SHA256_LEN] = '\0';
}


static nxe_status_t
nxe_publish_keep(nxe_publish_t *p, nxe_str_t s, nxe_str_t *copy)
{
    return nxe_str_copy(nxe_arena_mem(p->arena), s, copy);
}


static void *
nxe_publish_grow(void *list, size_t n, size_t *size, size_t item)
{
    void  *grown;

    if (list != NULL && n < *size) {
        return list;
    }

    *size = *size == 0 ? 64 : *size * 2;

    grown = realloc(list, *size * item);
    if (grown == NULL) {
        free(list);
    }

    return grown;
}


nxe_status_t
nxe_publish_commit(nxe_publish_t *p, uint64_t txn,
    const char head[NXE_HEAD_LEN + 1], nxe_error_t *err)
{
    nxe_status_t   status;
    nxe_current_t  current;

    memset(&current, 0, sizeof(nxe_current_t));
    current.txn = txn;
    current.word = nxe_publish_next(p);
    memcpy(current.head, head, NXE_HEAD_LEN);
    (void) snprintf(current.file, sizeof(current.file), "%llu.mdb",
                    (unsigned long long) txn);

    errno = 0;
    status = nxe_publish_all(p, &current, err);

    /* EIO is what LMDB makes of a write that was cut short */

    if (status == NXE_IO
        && (errno == ENOSPC || errno == EDQUOT || errno == EIO))
    {
        nxe_publish_room(p);
        status = nxe_publish_all(p, &current, err);
    }

    if (status == NXE_OK) {
        nxe_publish_sweep(p, current.file, 1);
    }

    return status;
}


/* The file, its name, the word.  After NXE_IO errno says why. */

static nxe_status_t
nxe_publish_all(nxe_publish_t *p, nxe_current_t *current, nxe_error_t *err)
{
    nxe_status_t  status;

    status = nxe_publish_file(p, current, err);

    if (status == NXE_OK) {
        status = nxe_publish_current(p, current, err);
    }

    if (status == NXE_OK) {
        status = nxe_publish_word(p, current->word, err);
    }

    return status;
}


static nxe_status_t
nxe_publish_file(nxe_publish_t *p, nxe_current_t *current, nxe_error_t *err)
{
    int           fd, rc;
    char          tmp[NXE_PUBLISH_PATH], path[NXE_PUBLISH_PATH];
    nxe_status_t  status;

    if (snprintf(path, sizeof(path), "%s/%s", p->dir, current->file)
        >= (int) sizeof(path) - 8)
    {
        return nxe_fail(err, NXE_IO, "path is too long");
    }

    (void) snprintf(tmp, sizeof(tmp), "%s/.new.mdb", p->dir);

    fd = -1;
    status = NXE_IO;
    rc = nxe_publish_map(p, tmp, current);

    if (rc != 0) {
        errno = rc;
        (void) nxe_fail(err, NXE_IO, "cannot write \"%s\": %s", tmp,
                        mdb_strerror(rc));
        goto done;
    }

    status = nxe_publish_hash(tmp, current, err);
    if (status != NXE_OK) {
        goto done;
    }

    fd = open(tmp, O_RDONLY|O_NOFOLLOW|O_CLOEXEC);
    if (fd == -1 || nxe_publish_own(p, fd, tmp, err) != NXE_OK
        || fsync(fd) == -1 || rename(tmp, path) == -1
        || fsync(p->lock) == -1)
    {
        status = nxe_publish_failed("publish", path, err);
    }

done:

    rc = errno;

    if (fd != -1) {
        (void) close(fd);
    }

    if (status != NXE_OK) {
        (void) unlink(tmp);
    }

    errno = rc;

    return status;
}


/* 0, or an error code of LMDB or the system. */

static int
nxe_publish_map(nxe_publish_t *p, const char *tmp,
    const nxe_current_t *current)
{
    int     rc;
    size_t  i, map;

    map = p->bytes.len + p->prices.len + (1u << 20);
    for (i = 0; i < p->n; i++) {
        map += 2 * (p->entries[i].doc.len + p->entries[i].state.len) + 4096;
    }

    do {
        (void) unlink(tmp);
        rc = nxe_publish_write(p, tmp, map, current->txn, current->head);
        map *= 2;
    } while (rc == MDB_MAP_FULL);

    return rc;
}


static nxe_status_t
nxe_publish_hash(const char *path, nxe_current_t *current, nxe_error_t *err)
{
    int            fd;
    char           buf[65536];
    ssize_t        n;
    nxe_sha256_t   sha;

    fd = open(path, O_RDONLY|O_NOFOLLOW|O_CLOEXEC);
    if (fd == -1) {
        return nxe_publish_failed("open", path, err);
    }

    nxe_sha256_init(&sha);
    current->size = 0;

    while ((n = read(fd, buf, sizeof(buf))) > 0) {
        nxe_sha256_update(&sha, buf, (size_t) n);
        current->size += (uint64_t) n;
    }

    (void) close(fd);

    if (n == -1) {
        return nxe_publish_failed("read", path, err);
    }

    nxe_sha256_final(&sha, current->sha256);

    return NXE_OK;
}


/* Mode 0640, and the group that may read. */

static nxe_status_t
nxe_publish_own(nxe_publish_t *p, int fd, const char *path, nxe_error_t *err)
{
    if ((p->gid != (gid_t) -1 && fchown(fd, (uid_t) -1, p->gid) == -1)
        || fchmod(fd, 0640) == -1)
    {
        return nxe_publish_failed("set the mode of", path, err);
    }

    return NXE_OK;
}


static nxe_status_t
nxe_publish_current(nxe_publish_t *p, const nxe_current_t *current,
    nxe_error_t *err)
{
    int      fd, n;
    char     tmp[NXE_PUBLISH_PATH], path[NXE_PUBLISH_PATH], line[512];
    char     hex[2 * NXE_SHA256_LEN + 1];
    ssize_t  written;

    (void) snprintf(tmp, sizeof(tmp), "%s/.new.current", p->dir);
    (void) snprintf(path, sizeof(path), "%s/current", p->dir);

    nxe_hex(current->sha256, NXE_SHA256_LEN, hex);
    hex[2 * NXE_SHA256_LEN] = '\0';

    n = snprintf(line, sizeof(line), "{\"format\":%d,\"file\":\"%s\","
                 "\"size\":%llu,\"sha256\":\"%s\",\"txn\":%llu,"
                 "\"head\":\"%s\",\"word\":\"%016llx\"}\n",
                 NXE_SERVING_FORMAT, current->file,
                 (unsigned long long) current->size, hex,
                 (unsigned long long) current->txn, current->head,
                 (unsigned long long) current->word);

    (void) unlink(tmp);

    fd = open(tmp, O_WRONLY|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC, 0600);
    if (fd == -1) {
        return nxe_publish_failed("create", tmp, err);
    }

    written = write(fd, line, (size_t) n);

    if (written != n || nxe_publish_own(p, fd, tmp, err) != NXE_OK
        || fsync(fd) == -1)
    {
        (void) close(fd);
        return nxe_publish_failed("write", tmp, err);
    }

    (void) close(fd);

    if (rename(tmp, path) == -1 || fsync(p->lock) == -1) {
        return nxe_publish_failed("publish", path, err);
    }

    return NXE_OK;
}


/*
 * The word only has to differ: the clock keeps it from coming back after
 * the folder was made anew, the old word from standing still with the clock.
 */

static uint64_t
nxe_publish_next(nxe_publish_t *p)
{
    uint64_t         word, now;
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);
    now = (uint64_t) ts.tv_sec * 1000000000u + (uint64_t) ts.tv_nsec;

    if (nxe_generation_read(p->dir, &word, NULL) != NXE_OK) {
        return now;
    }

    return now > word ? now : word + 1;
}


static nxe_status_t
nxe_publish_word(nxe_publish_t *p, uint64_t word, nxe_error_t *err)
{
    int   fd;
    char  path[NXE_PUBLISH_PATH];

    (void) snprintf(path, sizeof(path), "%s/generation", p->dir);

    fd = open(path, O_RDWR|O_CREAT|O_NOFOLLOW|O_CLOEXEC, 0600);
    if (fd == -1) {
        return nxe_publish_failed("open", path, err);
    }

    if (nxe_publish_own(p, fd, path, err) != NXE_OK
        || pwrite(fd, &word, sizeof(word), 0) != (ssize_t) sizeof(word))
    {
        (void) close(fd);
        return nxe_publish_failed("write", path, err);
    }

    (void) close(fd);

    return NXE_OK;
}


/* All copies but the one in force: workers have mapped what they use. */

static void
nxe_publish_room(nxe_publish_t *p)
{
    nxe_current_t  current;

    if (nxe_current_read(p->dir, &current, NULL) == NXE_OK) {
        nxe_publish_sweep(p, current.file, 0);

    } else {
        nxe_publish_sweep(p, "", 1);
    }
}


/* Removes copies: file stays, and, if wanted, the newest of the others. */

static void
nxe_publish_sweep(nxe_publish_t *p, const char *file, int keep_newest)
{
    DIR            *dir;
    uint64_t        n, kept;
    struct dirent  *d;

    dir = opendir(p->dir);
    if (dir == NULL) {
        return;
    }

    kept = 0;

    while (keep_newest && (d = readdir(dir)) != NULL) {
        n = strcmp(d->d_name, file) == 0 ? 0 : nxe_serving_number(d->d_name);
        kept = n > kept ? n : kept;
    }

    rewinddir(dir);

    while ((d = readdir(dir)) != NULL) {
        n = strcmp(d->d_name, file) == 0 ? 0 : nxe_serving_number(d->d_name);

        if (n != 0 && n != kept) {
            (void) unlinkat(p->lock, d->d_name, 0);
        }
    }

    (void) closedir(dir);
}


static nxe_status_t
nxe_publish_failed(const char *what, const char *path, nxe_error_t *err)
{
    return nxe_fail(err, NXE_IO, "cannot %s \"%s\": %s", what, path,
                    strerror(errno));
}
