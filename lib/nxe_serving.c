#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lmdb.h>

#include "nxe_serving_int.h"


/* Read, not mapped: a large mapping takes long to build and to take down. */

#define NXE_SERVING_PIECE  32768


struct nxe_serving_s {
    nxe_current_t       current;
    char               *path;

    /* until it is verified; -1 afterwards */
    int                 fd;
    uint64_t            hashed;
    nxe_sha256_t        sha;

    /* afterwards */
    MDB_env            *env;
    MDB_txn            *txn;
    MDB_dbi             meta;
    MDB_dbi             docs;
    MDB_dbi             states;
    MDB_dbi             layers;
    nxe_str_t           bytes;
};


static nxe_status_t nxe_serving_hash(nxe_serving_t *s, size_t max,
    nxe_error_t *err);
static nxe_status_t nxe_serving_verified(nxe_serving_t *s, nxe_error_t *err);
static int nxe_serving_same(nxe_serving_t *s);
static nxe_status_t nxe_serving_format(nxe_serving_t *s, nxe_error_t *err);
static nxe_status_t nxe_serving_get(nxe_serving_t *s, MDB_dbi dbi,
    nxe_str_t key, nxe_str_t *value, nxe_error_t *err);
static nxe_status_t nxe_entry_place(nxe_serving_t *s, nxe_str_t at,
    nxe_str_t *bytes);
static nxe_status_t nxe_place_parse(nxe_str_t json, const nxe_mem_t *mem,
    nxe_place_t *place);
static nxe_status_t nxe_serving_mdb(int rc, const char *what,
    nxe_error_t *err);


nxe_status_t
nxe_serving_start(const char *dir, const nxe_current_t *current,
    nxe_serving_t **serving, nxe_error_t *err)
{
    int             fd;
    char            path[NXE_SERVING_PATH];
    struct stat     st;
    nxe_status_t    rc;
    nxe_serving_t  *s;

    rc = nxe_serving_file(dir, current->file, path, &fd, &st, err);
    if (rc != NXE_OK) {
        return rc;
    }

    if ((uint64_t) st.st_size != current->size) {
        (void) close(fd);
        return nxe_fail(err, NXE_INVALID, "\"%s\" has not the published "
                        "size", path);
    }

    s = calloc(1, sizeof(nxe_serving_t));

    if (s == NULL || (s->path = strdup(path)) == NULL) {
        (void) close(fd);
        free(s);
        return nxe_fail(err, NXE_NOMEM, "no memory");
    }

    s->fd = fd;
    s->current = *current;
    nxe_sha256_init(&s->sha);

    *serving = s;

    return NXE_OK;
}


nxe_status_t
nxe_serving_step(nxe_serving_t *s, size_t max, nxe_error_t *err)
{
    nxe_status_t   rc;
    unsigned char  digest[NXE_SHA256_LEN];

    if (s->env != NULL) {
        return NXE_OK;
    }

    rc = nxe_serving_hash(s, max, err);
    if (rc != NXE_OK) {
        return rc;
    }

    if (s->hashed < s->current.size) {
        return NXE_AGAIN;
    }

    nxe_sha256_final(&s->sha, digest);

    if (memcmp(digest, s->current.sha256, NXE_SHA256_LEN) != 0) {
        return nxe_fail(err, NXE_INVALID,
                        "\"%s\" has not the published SHA-256", s->path);
    }

    return nxe_serving_verified(s, err);
}


static nxe_status_t
nxe_serving_hash(nxe_serving_t *s, size_t max, nxe_error_t *err)
{
    char      piece[NXE_SERVING_PIECE];
    size_t    n;
    ssize_t   got;
    uint64_t  end;

    end = s->current.size - s->hashed > max ? s->hashed + max
                                            : s->current.size;

    while (s->hashed < end) {
        n = end - s->hashed < sizeof(piece) ? (size_t) (end - s->hashed)
                                            : sizeof(piece);

        got = pread(s->fd, piece, n, (off_t) s->hashed);

        if (got == -1 && errno == EINTR) {
            continue;
        }

        if (got == -1) {
            return nxe_fail(err, NXE_IO, "cannot read \"%s\": %s", s->path,
                            strerror(errno));
        }

        if (got == 0) {
            return nxe_fail(err, NXE_INVALID, "\"%s\" has not the published "
                            "size", s->path);
        }

        nxe_sha256_update(&s->sha, piece, (size_t) got);
        s->hashed += (uint64_t) got;
    }

    return NXE_OK;
}


/* LMDB sees only a file whose hash is the publisher's. */

static nxe_status_t
nxe_serving_verified(nxe_serving_t *s, nxe_error_t *err)
{
    int           rc;
    MDB_dbi       bytes;
    nxe_status_t  status;

    rc = mdb_env_create(&s->env);

    if (rc == 0) {
        rc = mdb_env_set_maxdbs(s->env, 8);
    }

    if (rc == 0) {
        rc = mdb_env_open(s->env, s->path, MDB_RDONLY|MDB_NOLOCK|MDB_NOSUBDIR,
                          0600);
    }

    if (rc == 0 && !nxe_serving_same(s)) {
        return nxe_fail(err, NXE_INVALID, "\"%s\" was replaced while it was "
                        "read", s->path);
    }

    if (rc == 0) {
        rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &s->txn);
    }

    if (rc != 0) {
        return nxe_serving_mdb(rc, s->path, err);
    }

    (void) close(s->fd);
    s->fd = -1;

    status = nxe_serving_format(s, err);
    if (status != NXE_OK) {
        return status;
    }

    rc = mdb_dbi_open(s->txn, "docs", 0, &s->docs);

    if (rc == 0) {
        rc = mdb_dbi_open(s->txn, "states", 0, &s->states);
    }

    if (rc == 0) {
        rc = mdb_dbi_open(s->txn, "layers", 0, &s->layers);
    }

    if (rc == 0) {
        rc = mdb_dbi_open(s->txn, "bytes", 0, &bytes);
    }

    if (rc != 0) {
        return nxe_serving_mdb(rc, s->path, err);
    }

    status = nxe_serving_get(s, bytes, nxe_str("bytes"), &s->bytes, err);

    if (status == NXE_DECLINED) {
        s->bytes = nxe_str("");
        return NXE_OK;
    }

    return status;
}


/* LMDB opens by name: is it the file that was hashed? */

static int
nxe_serving_same(nxe_serving_t *s)
{
    int          fd;
    struct stat  a, b;

    return mdb_env_get_fd(s->env, &fd) == 0 && fstat(fd, &a) == 0
           && fstat(s->fd, &b) == 0 && a.st_dev == b.st_dev
           && a.st_ino == b.st_ino;
}


static nxe_status_t
nxe_serving_format(nxe_serving_t *s, nxe_error_t *err)
{
    int           rc;
    uint64_t      format;
    nxe_str_t     value;
    nxe_status_t  status;

    rc = mdb_dbi_open(s->txn, "meta", 0, &s->meta);
    if (rc != 0) {
        return nxe_serving_mdb(rc, s->path, err);
    }

    status = nxe_serving_get(s, s->meta, nxe_str("format"), &value, err);

    if (status == NXE_DECLINED
        || (status == NXE_OK && nxe_serving_uint(value, &format) != NXE_OK))
    {
        return nxe_fail(err, NXE_INVALID, "\"%s\" has no format", s->path);
    }

    if (status == NXE_OK && format != NXE_SERVING_FORMAT) {
        return nxe_fail(err, NXE_INVALID,
                        "\"%s\" is of format %llu, this version reads %d",
                        s->path, (unsigned long long) format,
                        NXE_SERVING_FORMAT);
    }

    return status;
}


nxe_status_t
nxe_serving_open(const char *dir, const nxe_current_t *current,
    nxe_serving_t **serving, nxe_error_t *err)
{
    nxe_status_t    rc;
    nxe_serving_t  *s;

    rc = nxe_serving_start(dir, current, &s, err);
    if (rc != NXE_OK) {
        return rc;
    }

    do {
        rc = nxe_serving_step(s, SIZE_MAX, err);
    } while (rc == NXE_AGAIN);

    if (rc != NXE_OK) {
        nxe_serving_close(s);
        return rc;
    }

    *serving = s;

    return NXE_OK;
}


void
nxe_serving_close(nxe_serving_t *s)
{
    if (s == NULL) {
        return;
    }

    if (s->txn != NULL) {
        mdb_txn_abort(s->txn);
    }

    if (s->env != NULL) {
        mdb_env_close(s->env);
    }

    if (s->fd != -1) {
        (void) close(s->fd);
    }

    free(s->path);
    free(s);
}


const nxe_current_t *
nxe_serving_current(const nxe_serving_t *s)
{
    return &s->current;
}


nxe_status_t
nxe_serving_entry(nxe_serving_t *s, nxe_str_t name, nxe_entry_t *entry,
    nxe_error_t *err)
{
    int              digest;
    nxe_status_t     rc;
    nxe_json_walk_t  w;

    rc = nxe_serving_get(s, s->states, name, &entry->state, err);
    if (rc != NXE_OK) {
        return rc;
    }

    rc = nxe_serving_get(s, s->docs, name, &entry->doc, err);

    if (rc == NXE_DECLINED) {
        entry->doc = nxe_str("");

    } else if (rc != NXE_OK) {
        return rc;
    }

    digest = 0;
    entry->bytes = nxe_str("");
    entry->baseline = nxe_str("");
    entry->flag = 0;
    memset(entry->digest, 0, sizeof(entry->digest));

    if (!nxe_serving_json(entry->state, NXE_JSON_OBJECT)) {
        return nxe_fail(err, NXE_INVALID, "the state of \"%.*s\" is no object",
                        (int) name.len, name.data);
    }

    for (nxe_json_walk(&w, entry->state); nxe_json_walk_next(&w); ) {

        if (nxe_str_eq(w.key, nxe_str("\"baseline\""))) {
            entry->baseline = nxe_serving_unquote(w.value);

        } else if (nxe_str_eq(w.key, nxe_str("\"flag\""))) {
            entry->flag = 1;

        } else if (nxe_str_eq(w.key, nxe_str("\"digest\""))
                   && nxe_unhex(nxe_serving_unquote(w.value), entry->digest,
                                sizeof(entry->digest))
                      == NXE_OK)
        {
            digest = 1;

        } else if (nxe_str_eq(w.key, nxe_str("\"at\""))
                   && nxe_entry_place(s, w.value, &entry->bytes) != NXE_OK)
        {
            return nxe_fail(err, NXE_INVALID,
                            "\"%.*s\" has bytes outside the copy",
                            (int) name.len, name.data);
        }
    }

    if (entry->doc.len != 0 && !digest) {
        return nxe_fail(err, NXE_INVALID, "\"%.*s\" has no digest",
                        (int) name.len, name.data);
    }

    if (!nxe_name_ok(entry->baseline)) {
        return nxe_fail(err, NXE_INVALID, "\"%.*s\" has no baseline",
                        (int) name.len, name.data);
    }

    return NXE_OK;
}


/* [offset,len] within the copy's bytes. */

static nxe_status_t
nxe_entry_place(nxe_serving_t *s, nxe_str_t at, nxe_str_t *bytes)
{
    int              n;
    uint64_t         v[2];
    nxe_json_walk_t  w;

    if (at.data[0] != '[') {
        return NXE_INVALID;
    }

    n = 0;

    for (nxe_json_walk(&w, at); nxe_json_walk_next(&w); n++) {
        if (n == 2 || nxe_serving_uint(w.value, &v[n]) != NXE_OK) {
            return NXE_INVALID;
        }
    }

    if (n != 2 || v[0] > s->bytes.len || v[1] > s->bytes.len - v[0]) {
        return NXE_INVALID;
    }

    bytes->data = s->bytes.data + v[0];
    bytes->len = (size_t) v[1];

    return NXE_OK;
}


nxe_status_t
nxe_serving_layer(nxe_serving_t *s, nxe_str_t layer, const nxe_mem_t *mem,
    nxe_place_t **places, size_t *n, nxe_error_t *err)
{
    size_t           count;
    nxe_str_t        json;
    nxe_place_t     *list;
    nxe_status_t     rc;
    nxe_json_walk_t  w;

    rc = nxe_serving_get(s, s->layers, layer, &json, err);
    if (rc != NXE_OK) {
        return rc;
    }

    if (!nxe_serving_json(json, NXE_JSON_ARRAY)) {
        return nxe_fail(err, NXE_INVALID, "layer \"%.*s\" is no list",
                        (int) layer.len, layer.data);
    }

    count = 0;
    for (nxe_json_walk(&w, json); nxe_json_walk_next(&w); ) {
        count++;
    }

    list = nxe_calloc(mem, (count + 1) * sizeof(nxe_place_t));
    if (list == NULL) {
        return nxe_fail(err, NXE_NOMEM, "no memory");
    }

    count = 0;

    for (nxe_json_walk(&w, json); nxe_json_walk_next(&w); ) {

        rc = nxe_place_parse(w.value, mem, &list[count]);

        if (rc != NXE_OK
            || (count != 0 && list[count].lo < list[count - 1].hi))
        {
            return nxe_fail(err, rc == NXE_NOMEM ? rc : NXE_INVALID,
                            "layer \"%.*s\" cannot be read", (int) layer.len,
                            layer.data);
        }

        count++;
    }

    *places = list;
    *n = count;

    return NXE_OK;
}


/* ["NAME","FROM","TO"] */

static nxe_status_t
nxe_place_parse(nxe_str_t json, const nxe_mem_t *mem, nxe_place_t *place)
{
    int              n;
    nxe_str_t        v[3];
    nxe_frac_t       from, to;
    nxe_json_walk_t  w;

    if (json.data[0] != '[') {
        return NXE_INVALID;
    }

    n = 0;

    for (nxe_json_walk(&w, json); nxe_json_walk_next(&w); ) {
        if (n == 3) {
            return NXE_INVALID;
        }

        v[n++] = nxe_serving_unquote(w.value);
    }

    if (n != 3 || !nxe_name_ok(v[0]) || nxe_frac_parse(v[1], &from) != NXE_OK
        || nxe_frac_parse(v[2], &to) != NXE_OK)
    {
        return NXE_INVALID;
    }

    place->lo = nxe_frac_threshold(from);
    place->hi = nxe_frac_threshold(to);

    return nxe_str_copy(mem, v[0], &place->name);
}


nxe_status_t
nxe_serving_layers(nxe_serving_t *s, const nxe_mem_t *mem, nxe_str_t **names,
    size_t *n, nxe_error_t *err)
{
    int           rc;
    size_t        count;
    MDB_val       key;
    MDB_stat      stat;
    nxe_str_t    *list, name;
    MDB_cursor   *cursor;
    nxe_status_t  status;

    rc = mdb_stat(s->txn, s->layers, &stat);

    if (rc == 0) {
        rc = mdb_cursor_open(s->txn, s->layers, &cursor);
    }

    if (rc != 0) {
        return nxe_serving_mdb(rc, s->path, err);
    }

    status = NXE_OK;
    count = 0;

    list = nxe_alloc(mem, (stat.ms_entries + 1) * sizeof(nxe_str_t));
    if (list == NULL) {
        status = nxe_fail(err, NXE_NOMEM, "no memory");
    }

    while (status == NXE_OK && count < stat.ms_entries
           && mdb_cursor_get(cursor, &key, NULL, MDB_NEXT) == 0)
    {
        name.data = key.mv_data;
        name.len = key.mv_size;
        status = nxe_str_copy(mem, name, &list[count++]);
    }

    mdb_cursor_close(cursor);

    if (status == NXE_OK) {
        *names = list;
        *n = count;
    }

    return status;
}


nxe_status_t
nxe_serving_prices(nxe_serving_t *s, const nxe_mem_t *mem,
    nxe_price_t **prices, size_t *n, nxe_error_t *err)
{
    nxe_str_t     json;
    nxe_status_t  rc;

    rc = nxe_serving_get(s, s->meta, nxe_str("prices"), &json, err);

    if (rc == NXE_DECLINED) {
        json = nxe_str("");

    } else if (rc != NXE_OK) {
        return rc;
    }

    return nxe_prices_parse(json, mem, prices, n, err);
}


static nxe_status_t
nxe_serving_get(nxe_serving_t *s, MDB_dbi dbi, nxe_str_t key,
    nxe_str_t *value, nxe_error_t *err)
{
    int      rc;
    MDB_val  k, v;

    if (key.len == 0 || key.len > (size_t) mdb_env_get_maxkeysize(s->env)) {
        return NXE_DECLINED;
    }

    k.mv_data = (void *) (uintptr_t) key.data;
    k.mv_size = key.len;

    rc = mdb_get(s->txn, dbi, &k, &v);

    if (rc == MDB_NOTFOUND) {
        return NXE_DECLINED;
    }

    if (rc != 0) {
        return nxe_serving_mdb(rc, s->path, err);
    }

    value->data = v.mv_data;
    value->len = v.mv_size;

    return NXE_OK;
}


static nxe_status_t
nxe_serving_mdb(int rc, const char *what, nxe_error_t *err)
{
    /* LMDB's own codes are negative; ENOENT: swept since it was hashed */

    return nxe_fail(err, rc == ENOMEM ? NXE_NOMEM
                         : rc > 0 ? NXE_IO : NXE_INVALID,
                    "\"%s\": %s", what, mdb_strerror(rc));
}
