/*
 * Making, checking and opening the registry's environment.
 */

#define _GNU_SOURCE

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "nxe_registry_int.h"

#define MAP_MIN    ((size_t) 1 << 22)
#define LOCK_BASE  ((off_t) 1 << 40)


static const char *const  db_names[NXE_DBS] = {
    "meta", "experiments", "state", "history", "scopes", "lessons", "cases"
};


/* Where a mapping is not coherent between hosts, or locks are not held. */

static const struct {
    unsigned            magic;
    const char         *name;
} networks[] = {
    { 0x00006969, "NFS" },
    { 0xff534d42, "CIFS" },
    { 0xfe534d42, "SMB2" },
    { 0x0000517b, "SMB" },
    { 0x01021997, "9P" },
    { 0x00c36400, "Ceph" },
    { 0x5346414f, "AFS" }
};


static nxe_status_t
sys_error(nxe_error_t *err, const char *what, const char *path)
{
    int  e;

    e = errno;

    return nxe_fail(err, e == ENOENT ? NXE_DECLINED : NXE_IO,
                    "cannot %s '%s': %s", what, path, strerror(e));
}


static nxe_status_t
check_owner(const struct stat *st, const char *path, nxe_error_t *err)
{
    if (st->st_uid != 0 && st->st_uid != geteuid()) {
        return nxe_fail(err, NXE_IO, "'%s' belongs to user %u, expected root "
                        "or yourself", path, (unsigned) st->st_uid);
    }

    if (st->st_mode & (S_IWGRP | S_IWOTH)) {
        return nxe_fail(err, NXE_IO, "'%s' can be written by group or others, "
                        "mode %04o", path, (unsigned) st->st_mode & 07777);
    }

    return NXE_OK;
}


/*
 * Opens one name below dir (AT_FDCWD: a path) for looking at it only, and
 * checks it.  LMDB's own files are not opened for reading here: closing such
 * a descriptor would let go of the locks that this process holds.
 */

static nxe_status_t
open_checked(int dir, const char *name, int folder, const char *path,
    int *fd, nxe_error_t *err)
{
    nxe_status_t  rc;
    struct stat   st;

    *fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (*fd == -1) {
        return sys_error(err, "open", path);
    }

    if (fstat(*fd, &st) == -1) {
        rc = sys_error(err, "look at", path);

    } else if (S_ISLNK(st.st_mode)) {
        rc = nxe_fail(err, NXE_IO, "'%s' is a symbolic link", path);

    } else if (folder ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode)) {
        rc = nxe_fail(err, NXE_IO, "'%s' is no %s", path,
                      folder ? "folder" : "file");

    } else {
        rc = check_owner(&st, path, err);
    }

    if (rc != NXE_OK) {
        close(*fd);
        *fd = -1;
    }

    return rc;
}


static nxe_status_t
check_local(int fd, const char *path, nxe_error_t *err)
{
    size_t         i;
    struct statfs  fs;

    if (fstatfs(fd, &fs) == -1) {
        return sys_error(err, "look at", path);
    }

    for (i = 0; i < sizeof(networks) / sizeof(networks[0]); i++) {
        if ((unsigned) fs.f_type == networks[i].magic) {
            return nxe_fail(err, NXE_IO, "'%s' is on a network file system "
                            "(%s), where a registry cannot be", path,
                            networks[i].name);
        }
    }

    return NXE_OK;
}


/* A file in the folder fd, if it is there. */

static nxe_status_t
check_part(int dir, const char *name, int folder, const char *in,
    nxe_error_t *err)
{
    int           fd;
    char          path[2 * PATH_MAX];
    nxe_status_t  rc;

    snprintf(path, sizeof(path), "%s/%s", in, name);

    rc = open_checked(dir, name, folder, path, &fd, err);

    if (rc == NXE_OK) {
        close(fd);
    }

    return rc == NXE_DECLINED ? NXE_OK : rc;
}


/* PATH without slashes at its end: they would make O_NOFOLLOW follow. */

static nxe_status_t
plain_path(const char *path, char *buf, size_t size, nxe_error_t *err)
{
    size_t  n;

    n = strlen(path);

    while (n > 1 && path[n - 1] == '/') {
        n--;
    }

    if (n == 0 || n + sizeof("/registry/lock.mdb") > size) {
        return nxe_fail(err, NXE_INVALID, "'%.64s' is no path for a registry",
                        path);
    }

    memcpy(buf, path, n);
    buf[n] = '\0';

    return NXE_OK;
}


static nxe_status_t
check_registry(int root, const char *path, nxe_error_t *err)
{
    int           fd;
    char          sub[PATH_MAX + 16];
    nxe_status_t  rc;

    snprintf(sub, sizeof(sub), "%s/registry", path);

    rc = open_checked(root, "registry", 1, sub, &fd, err);

    if (rc == NXE_DECLINED) {
        return nxe_fail(err, rc, "there is no registry in '%s'", path);
    }

    if (rc != NXE_OK) {
        return rc;
    }

    rc = check_local(fd, sub, err);

    if (rc == NXE_OK && faccessat(fd, ".", X_OK, AT_EACCESS) == -1) {
        rc = nxe_fail(err, NXE_IO, "cannot open the registry in '%s': only "
                      "its owner may, who is not user %u", path,
                      (unsigned) geteuid());
    }

    if (rc == NXE_OK) {
        rc = check_part(fd, "data.mdb", 0, sub, err);
    }

    if (rc == NXE_OK) {
        rc = check_part(fd, "lock.mdb", 0, sub, err);
    }

    close(fd);

    return rc;
}


/* The copies, and what names the one in force; other files are not read. */

static nxe_status_t
check_serving(int root, const char *path, nxe_error_t *err)
{
    int             fd;
    DIR            *dir;
    char            sub[PATH_MAX + 16];
    nxe_status_t    rc;
    struct dirent  *d;

    snprintf(sub, sizeof(sub), "%s/serving", path);

    fd = openat(root, "serving", O_RDONLY | O_DIRECTORY | O_NOFOLLOW
                                 | O_CLOEXEC);
    dir = fd != -1 ? fdopendir(fd) : NULL;

    if (dir == NULL) {
        rc = sys_error(err, "open", sub);

        if (fd != -1) {
            close(fd);
        }

        return rc == NXE_DECLINED ? NXE_OK : rc;
    }

    rc = NXE_OK;

    while (rc == NXE_OK && (d = readdir(dir)) != NULL) {
        if (nxe_serving_number(d->d_name) != 0
            || strcmp(d->d_name, "current") == 0
            || strcmp(d->d_name, "generation") == 0)
        {
            rc = check_part(fd, d->d_name, 0, sub, err);
        }
    }

    closedir(dir);

    return rc;
}


nxe_status_t
nxe_registry_check(const char *path, nxe_error_t *err)
{
    int           fd;
    char          buf[PATH_MAX];
    nxe_status_t  rc;

    rc = plain_path(path, buf, sizeof(buf), err);
    if (rc != NXE_OK) {
        return rc;
    }

    rc = open_checked(AT_FDCWD, buf, 1, buf, &fd, err);

    if (rc == NXE_DECLINED) {
        return nxe_fail(err, rc, "there is no registry in '%s'", buf);
    }

    if (rc != NXE_OK) {
        return rc;
    }

    rc = check_part(fd, "serving", 1, buf, err);

    if (rc == NXE_OK) {
        rc = check_registry(fd, buf, err);
    }

    if (rc == NXE_OK) {
        rc = check_part(fd, "keys", 0, buf, err);
    }

    if (rc == NXE_OK) {
        rc = check_serving(fd, buf, err);
    }

    close(fd);

    return rc;
}


static nxe_status_t
mdb_error(nxe_error_t *err, int rc, const char *path)
{
    if (rc == MDB_INVALID || rc == MDB_VERSION_MISMATCH) {
        return nxe_fail(err, NXE_INVALID, "'%s/registry' is no registry: %s",
                        path, mdb_strerror(rc));
    }

    return nxe_fail(err, rc == ENOMEM ? NXE_NOMEM : NXE_IO,
                    "cannot open '%s/registry': %s", path, mdb_strerror(rc));
}


/* Twice the data: a command seldom has to grow the map. */

static size_t
map_size(const char *dir)
{
    char         file[PATH_MAX + 32];
    size_t       size;
    struct stat  st;

    snprintf(file, sizeof(file), "%s/data.mdb", dir);

    size = MAP_MIN;

    if (stat(file, &st) == 0) {
        while (size < (size_t) st.st_size * 2 && size < SIZE_MAX / 4) {
            size *= 2;
        }
    }

    return size;
}


static int
open_databases(nxe_registry_t *reg, unsigned txn_flags, unsigned db_flags)
{
    int       i, rc;
    MDB_txn  *txn;

    rc = mdb_txn_begin(reg->env, NULL, txn_flags, &txn);

    if (rc == MDB_MAP_RESIZED) {
        rc = mdb_env_set_mapsize(reg->env, 0);
        if (rc == 0) {
            rc = mdb_txn_begin(reg->env, NULL, txn_flags, &txn);
        }
    }

    if (rc != 0) {
        return rc;
    }

    for (i = 0; i < NXE_DBS; i++) {
        rc = mdb_dbi_open(txn, db_names[i], db_flags, &reg->dbi[i]);
        if (rc != 0) {
            mdb_txn_abort(txn);
            return rc;
        }
    }

    return mdb_txn_commit(txn);
}


/*
 * LMDB tells processes apart by their ids: of two with one id, in two PID
 * namespaces, one is refused, or its pages are taken from under it.  Such
 * processes wait for each other here, by a byte of lock.mdb that is far from
 * those that LMDB locks.  The descriptor is closed after LMDB's own.
 */

static nxe_status_t
lock_id(nxe_registry_t *reg, const char *dir, nxe_error_t *err)
{
    int           rc;
    char          file[PATH_MAX + 32];
    struct flock  lock;

    snprintf(file, sizeof(file), "%s/lock.mdb", dir);

    reg->lock = open(file, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (reg->lock == -1) {
        /* on a read-only file system nobody writes, and LMDB does not lock */
        return errno == EROFS ? NXE_OK : sys_error(err, "open", file);
    }

    memset(&lock, 0, sizeof(lock));
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = LOCK_BASE + getpid();
    lock.l_len = 1;

    do {
        rc = fcntl(reg->lock, F_OFD_SETLKW, &lock);
    } while (rc == -1 && errno == EINTR);

    return rc == -1 ? sys_error(err, "lock", file) : NXE_OK;
}


static nxe_status_t
env_open(const char *path, unsigned flags, nxe_registry_t **out,
    nxe_error_t *err)
{
    int              rc, dead;
    char             dir[PATH_MAX + 16];
    nxe_status_t     st;
    nxe_registry_t  *reg;

    reg = calloc(1, sizeof(nxe_registry_t));
    if (reg == NULL) {
        return nxe_fail(err, NXE_NOMEM, "out of memory");
    }

    reg->lock = -1;
    reg->path = strdup(path);
    if (reg->path == NULL) {
        free(reg);
        return nxe_fail(err, NXE_NOMEM, "out of memory");
    }

    snprintf(dir, sizeof(dir), "%s/registry", path);

    st = lock_id(reg, dir, err);
    if (st != NXE_OK) {
        nxe_registry_close(reg);
        return st;
    }

    rc = mdb_env_create(&reg->env);
    if (rc != 0) {
        reg->env = NULL;
        goto failed;
    }

    if ((rc = mdb_env_set_maxdbs(reg->env, NXE_DBS + 1)) != 0
        || (rc = mdb_env_set_mapsize(reg->env, map_size(dir))) != 0
        || (rc = mdb_env_open(reg->env, dir, flags | MDB_NOTLS, 0600)) != 0)
    {
        goto failed;
    }

    /* slots of readers that died would keep old pages for ever */

    rc = mdb_reader_check(reg->env, &dead);
    if (rc != 0) {
        goto failed;
    }

    *out = reg;

    return NXE_OK;

failed:

    nxe_registry_close(reg);

    return mdb_error(err, rc, path);
}


static nxe_status_t
check_format(nxe_registry_t *reg, nxe_error_t *err)
{
    nxe_str_t            value;
    nxe_status_t         rc;
    nxe_registry_txn_t  *txn;

    rc = nxe_registry_begin(reg, &txn, err);
    if (rc != NXE_OK) {
        return rc;
    }

    rc = nxe_registry_value(txn, NXE_DB_META, nxe_str("format"), &value, err);

    if (rc == NXE_DECLINED) {
        rc = nxe_fail(err, NXE_INVALID, "'%s/registry' is no registry: it has "
                      "no format", reg->path);

    } else if (rc == NXE_OK && !nxe_str_eq(value, nxe_str("1"))) {
        rc = nxe_fail(err, NXE_INVALID, "the registry has format %.*s, this "
                      "expctl knows %d: it is older than the registry",
                      value.len > 16 ? 16 : (int) value.len, value.data,
                      NXE_REGISTRY_FORMAT);
    }

    nxe_registry_end(txn);

    return rc;
}


static nxe_status_t
put_format(nxe_registry_txn_t *txn, void *ctx, nxe_error_t *err)
{
    nxe_str_t     value;
    nxe_status_t  rc;

    (void) ctx;

    rc = nxe_registry_value(txn, NXE_DB_META, nxe_str("format"), &value, err);
    if (rc != NXE_DECLINED) {
        return rc;
    }

    return nxe_registry_put_meta(txn, "format", nxe_str("1"), err);
}


nxe_status_t
nxe_registry_create(const char *path, nxe_error_t *err)
{
    int              rc;
    char             buf[PATH_MAX], dir[PATH_MAX + 16];
    uint64_t         id;
    nxe_status_t     st;
    nxe_registry_t  *reg;

    st = plain_path(path, buf, sizeof(buf), err);
    if (st != NXE_OK) {
        return st;
    }

    if (snprintf(dir, sizeof(dir), "%s/registry", buf) >= (int) sizeof(dir)) {
        return nxe_fail(err, NXE_INVALID, "the path is too long");
    }

    if (mkdir(dir, 0700) == -1 && errno != EEXIST) {
        return nxe_fail(err, NXE_IO, "cannot make '%s': %s", dir,
                        strerror(errno));
    }

    st = nxe_registry_check(buf, err);
    if (st != NXE_OK) {
        return st;
    }

    st = env_open(buf, 0, &reg, err);
    if (st != NXE_OK) {
        return st;
    }

    rc = open_databases(reg, 0, MDB_CREATE);

    st = rc != 0 ? mdb_error(err, rc, buf)
                 : nxe_registry_write(reg, put_format, NULL, &id, err);

    if (st == NXE_OK) {
        st = check_format(reg, err);
    }

    nxe_registry_close(reg);

    return st;
}


nxe_status_t
nxe_registry_open(const char *path, int writer, nxe_registry_t **reg,
    nxe_error_t *err)
{
    int              rc;
    char             buf[PATH_MAX];
    nxe_status_t     st;
    nxe_registry_t  *r;

    st = plain_path(path, buf, sizeof(buf), err);
    if (st != NXE_OK) {
        return st;
    }

    st = nxe_registry_check(buf, err);
    if (st != NXE_OK) {
        return st;
    }

    st = env_open(buf, writer ? 0 : MDB_RDONLY, &r, err);
    if (st != NXE_OK) {
        return st;
    }

    rc = open_databases(r, MDB_RDONLY, 0);

    if (rc == MDB_NOTFOUND) {
        st = nxe_fail(err, NXE_INVALID, "'%s/registry' is no registry: "
                      "a database is missing", buf);

    } else if (rc != 0) {
        st = mdb_error(err, rc, buf);

    } else {
        st = check_format(r, err);
    }

    if (st != NXE_OK) {
        nxe_registry_close(r);
        return st;
    }

    *reg = r;

    return NXE_OK;
}


void
nxe_registry_close(nxe_registry_t *reg)
{
    if (reg == NULL) {
        return;
    }

    if (reg->env != NULL) {
        mdb_env_close(reg->env);
    }

    if (reg->lock != -1) {
        close(reg->lock);
    }

    free(reg->path);
    free(reg);
}
