/*
 * The registry on real files: what is written is there, what is not whole is
 * not, and writers do not get into each other's way.
 */

#define _GNU_SOURCE

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lmdb.h>

#include <nxe/arena.h>
#include <nxe/registry.h>
#include <nxe/transition.h>

#define NOW      "2026-11-20T09:00:00Z"
#define WRITERS  8
#define WRITES   40


static char          path[128];
static nxe_arena_t  *arena;

/* The next fsync()s that fail, and of what: publishing calls this one. */
static int           fsync_fails;
static int           fsync_errno;


int
fsync(int fd)
{
    if (fsync_fails > 0) {
        fsync_fails--;
        errno = fsync_errno;
        return -1;
    }

    return fdatasync(fd);
}


static void
shell(const char *fmt, ...)
{
    char     cmd[512];
    va_list  ap;

    va_start(ap, fmt);
    vsnprintf(cmd, sizeof(cmd), fmt, ap);
    va_end(ap);

    assert_int_equal(system(cmd), 0);
}


static int
setup(void **state)
{
    nxe_error_t  err;
    const char  *tmp;

    (void) state;

    tmp = getenv("TMPDIR");
    snprintf(path, sizeof(path), "%s/nxe-registry-XXXXXX",
             tmp != NULL && strlen(tmp) < 64 ? tmp : "/tmp");

    if (mkdtemp(path) == NULL) {
        return 1;
    }

    shell("mkdir -m 0750 %s/serving", path);
    arena = nxe_arena_new();

    return nxe_registry_create(path, &err) != NXE_OK;
}


static int
teardown(void **state)
{
    (void) state;
    nxe_arena_free(arena);
    shell("chmod -R u+rwX %s && rm -rf %s", path, path);
    return 0;
}


static const nxe_mem_t *
mem(void)
{
    return nxe_arena_mem(arena);
}


static nxe_registry_t *
open_registry(int writer)
{
    nxe_error_t      err;
    nxe_registry_t  *reg;

    if (nxe_registry_open(path, writer, &reg, &err) != NXE_OK) {
        fail_msg("%s", err.text);
    }

    return reg;
}


/* Puts one document; pad makes it larger. */

typedef struct {
    const char         *name;
    size_t              pad;
    uint64_t            revision;
    int                 fail;
    int                 abandon;
    int                 calls;
} put_t;


static nxe_status_t
put(nxe_registry_txn_t *txn, void *ctx, nxe_error_t *err)
{
    char          *text;
    put_t         *p;
    nxe_str_t      json;
    nxe_actor_t    actor;
    nxe_state_t    s;
    nxe_status_t   rc;

    p = ctx;
    p->calls++;

    text = malloc(p->pad + 256);
    assert_non_null(text);

    json.data = text;
    json.len = (size_t) sprintf(text, "{\"description\":\"");
    memset(text + json.len, 'x', p->pad);
    json.len += p->pad;
    json.len += (size_t) sprintf(text + json.len, "\",\"name\":\"%s\","
                                 "\"unit\":\"header:X-Id\",\"variants\":"
                                 "[{\"name\":\"a\"},{\"name\":\"b\"}]}",
                                 p->name);

    memset(&s, 0, sizeof(s));
    s.revision = p->revision;
    s.phase = 1;
    s.exposure = NXE_FRAC_ZERO;
    s.variant = nxe_str("");
    s.former_variant = nxe_str("");
    s.started = nxe_str("");
    s.since = nxe_str(NOW);
    s.by = nxe_str("ana@edge-1");
    s.reason = nxe_str("");

    memset(&actor, 0, sizeof(actor));
    actor.actor = nxe_str("ana@edge-1");
    actor.label = nxe_str("ci \"7\"");
    actor.message = nxe_str("why");
    actor.now = nxe_str(NOW);

    rc = nxe_registry_put_doc(txn, nxe_str_of(p->name), json, &s, &actor,
                              err);
    free(text);

    if (rc == NXE_OK && p->fail) {
        return nxe_fail(err, NXE_CONFLICT, "no");
    }

    if (p->abandon) {
        nxe_registry_abandon(txn);
    }

    return rc;
}


static uint64_t
put_one(nxe_registry_t *reg, const char *name, size_t pad)
{
    put_t        p;
    uint64_t     id;
    nxe_error_t  err;

    memset(&p, 0, sizeof(p));
    p.name = name;
    p.pad = pad;
    p.revision = 1;

    if (nxe_registry_write(reg, put, &p, &id, &err) != NXE_OK) {
        fail_msg("%s", err.text);
    }

    return id;
}


static uint64_t
verify(nxe_registry_t *reg)
{
    uint64_t             n;
    nxe_error_t          err;
    nxe_registry_txn_t  *txn;

    assert_int_equal(nxe_registry_begin(reg, &txn, &err), NXE_OK);

    if (nxe_registry_verify(txn, &n, &err) != NXE_OK) {
        fail_msg("%s", err.text);
    }

    nxe_registry_end(txn);

    return n;
}


static size_t
count(nxe_registry_t *reg)
{
    size_t               n;
    nxe_str_t           *names;
    nxe_error_t          err;
    nxe_registry_txn_t  *txn;

    assert_int_equal(nxe_registry_begin(reg, &txn, &err), NXE_OK);
    assert_int_equal(nxe_registry_names(txn, mem(), &names, &n, &err),
                     NXE_OK);
    nxe_registry_end(txn);

    return n;
}


static void
test_put_get(void **state)
{
    char                 zeros[NXE_HEAD_LEN + 1], head[NXE_HEAD_LEN + 1];
    uint64_t             id;
    nxe_error_t          err;
    nxe_registry_t      *reg;
    nxe_experiment_t     e;
    nxe_registry_txn_t  *txn;

    (void) state;

    reg = open_registry(1);

    assert_int_equal(nxe_registry_begin(reg, &txn, &err), NXE_OK);
    assert_int_equal(nxe_registry_head(txn, zeros, &err), NXE_OK);
    assert_string_equal(zeros, "0000000000000000");
    assert_int_equal(nxe_registry_get(txn, nxe_str("tone"), mem(), &e, &err),
                     NXE_DECLINED);
    assert_string_equal(err.text, "there is no experiment 'tone'");
    assert_int_equal(nxe_registry_get(txn, nxe_str(""), mem(), &e, &err),
                     NXE_DECLINED);
    nxe_registry_end(txn);

    id = put_one(reg, "tone", 0);
    assert_true(id > 0);

    assert_int_equal(nxe_registry_begin(reg, &txn, &err), NXE_OK);
    assert_int_equal(nxe_registry_txn_id(txn), id);
    assert_int_equal(nxe_registry_get(txn, nxe_str("tone"), mem(), &e, &err),
                     NXE_OK);
    assert_int_equal(e.doc->nvariants, 2);
    assert_int_equal(e.state.revision, 1);
    assert_int_equal(e.state.stage, NXE_STAGE_OFF);
    nxe_experiment_free(&e);
    assert_int_equal(nxe_registry_head(txn, head, &err), NXE_OK);
    assert_string_not_equal(head, zeros);
    nxe_registry_end(txn);

    assert_int_equal(verify(reg), 1);
    nxe_registry_close(reg);
}


/* Nothing of a transaction that fails, or is let go, is there afterwards. */

static void
test_all_or_none(void **state)
{
    put_t            p;
    uint64_t         id;
    nxe_error_t      err;
    nxe_registry_t  *reg;

    (void) state;

    reg = open_registry(1);
    memset(&p, 0, sizeof(p));
    p.name = "tone";
    p.revision = 1;
    p.fail = 1;

    assert_int_equal(nxe_registry_write(reg, put, &p, &id, &err),
                     NXE_CONFLICT);
    assert_int_equal(id, 0);
    assert_int_equal(count(reg), 0);

    p.fail = 0;
    p.abandon = 1;
    assert_int_equal(nxe_registry_write(reg, put, &p, &id, &err), NXE_OK);
    assert_int_equal(id, 0);
    assert_int_equal(count(reg), 0);
    assert_int_equal(verify(reg), 0);

    nxe_registry_close(reg);
}


/* Documents that together are far larger than the map is at first. */

static void
test_map_grows(void **state)
{
    int              i;
    char             name[16];
    put_t            p;
    uint64_t         id;
    nxe_error_t      err;
    nxe_registry_t  *writer;

    (void) state;

    writer = open_registry(1);

    for (i = 0; i < 8; i++) {
        snprintf(name, sizeof(name), "big%d", i);
        put_one(writer, name, 1 << 20);
    }

    /* the work was done again, and counted once */

    memset(&p, 0, sizeof(p));
    p.name = "huge";
    p.pad = 40 << 20;
    p.revision = 1;
    assert_int_equal(nxe_registry_write(writer, put, &p, &id, &err), NXE_OK);
    assert_true(p.calls > 1);

    assert_int_equal(count(writer), 9);
    assert_int_equal(verify(writer), 9);
    nxe_registry_close(writer);

    writer = open_registry(0);
    assert_int_equal(verify(writer), 9);
    nxe_registry_close(writer);
}


/* A process that has the registry open meets a map that another has grown. */

static void
test_map_resized(void **state)
{
    int              status;
    pid_t            pid;
    nxe_registry_t  *reg;

    (void) state;

    /* the child opens first and waits: fork() and LMDB do not mix */

    int  ready[2], go[2];
    char c;

    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go), 0);

    pid = fork();

    if (pid == 0) {
        reg = open_registry(1);
        c = 1;
        if (write(ready[1], &c, 1) != 1 || read(go[0], &c, 1) != 1) {
            _exit(1);
        }
        status = count(reg) == 1 && verify(reg) == 1
                 && put_one(reg, "after", 100) > 0 ? 0 : 2;
        nxe_registry_close(reg);
        _exit(status);
    }

    assert_int_equal(read(ready[0], &c, 1), 1);
    reg = open_registry(1);
    put_one(reg, "big", 30 << 20);
    assert_int_equal(write(go[1], &c, 1), 1);

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);

    assert_int_equal(count(reg), 2);
    nxe_registry_close(reg);

    close(ready[0]);
    close(ready[1]);
    close(go[0]);
    close(go[1]);
}


static void
test_concurrent_writers(void **state)
{
    int              i, j, status, failed;
    char             name[32];
    pid_t            pids[WRITERS];
    nxe_error_t      err;
    nxe_current_t    current;
    nxe_registry_t  *reg;
    nxe_published_t  done;

    (void) state;

    for (i = 0; i < WRITERS; i++) {
        pids[i] = fork();

        if (pids[i] == 0) {
            failed = 0;

            for (j = 0; j < WRITES; j++) {
                if (nxe_registry_open(path, 1, &reg, &err) != NXE_OK) {
                    fprintf(stderr, "# open: %s\n", err.text);
                    _exit(1);
                }

                snprintf(name, sizeof(name), "w%d.%d", i, j);
                put_one(reg, name, (size_t) (j % 4) * 5000);

                if (j % 8 == 0
                    && nxe_registry_publish(reg, &done, &err) != NXE_OK)
                {
                    fprintf(stderr, "# publish: %s\n", err.text);
                    failed = 1;
                }

                nxe_registry_close(reg);
            }

            _exit(failed);
        }
    }

    for (i = 0; i < WRITERS; i++) {
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }

    reg = open_registry(1);
    assert_int_equal(count(reg), WRITERS * WRITES);
    assert_int_equal(verify(reg), WRITERS * WRITES);

    /* what is published last is the newest */

    assert_int_equal(nxe_registry_publish(reg, &done, &err), NXE_OK);
    snprintf(name, sizeof(name), "/serving");
    strcat(path, name);
    assert_int_equal(nxe_current_read(path, &current, &err), NXE_OK);
    path[strlen(path) - strlen(name)] = '\0';
    assert_int_equal(current.txn, done.txn);

    nxe_registry_close(reg);
}


/* Writers that die at any place: what they committed is there, whole. */

static void
test_killed_writer(void **state)
{
    int              i, j, status;
    char             name[32];
    pid_t            pid;
    nxe_registry_t  *reg;

    (void) state;

    for (i = 0; i < 20; i++) {
        pid = fork();

        if (pid == 0) {
            reg = open_registry(1);

            for (j = 0; ; j++) {
                snprintf(name, sizeof(name), "k%d.%d", i, j);
                put_one(reg, name, 20000);
            }
        }

        usleep(5000 + 3000 * (useconds_t) i);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);

        reg = open_registry(1);
        snprintf(name, sizeof(name), "after%d", i);
        put_one(reg, name, 10);

        /* one document, one entry, and none of either alone */
        assert_int_equal(count(reg), verify(reg));
        nxe_registry_close(reg);
    }
}


static void
test_publish(void **state)
{
    char             dir[160];
    nxe_error_t      err;
    nxe_current_t    current;
    nxe_registry_t  *reg;
    nxe_published_t  done;

    (void) state;

    snprintf(dir, sizeof(dir), "%s/serving", path);
    reg = open_registry(1);
    put_one(reg, "tone", 0);

    assert_int_equal(nxe_registry_publish(reg, &done, &err), NXE_OK);
    assert_int_equal(done.written, 1);
    assert_int_equal(nxe_current_read(dir, &current, &err), NXE_OK);
    assert_int_equal(current.txn, done.txn);

    assert_int_equal(nxe_registry_publish(reg, &done, &err), NXE_OK);
    assert_int_equal(done.written, 0);

    /* a crash between commit and publication, then the next command */

    put_one(reg, "next", 0);
    assert_int_equal(nxe_registry_publish(reg, &done, &err), NXE_OK);
    assert_int_equal(done.written, 1);

    /* what was published is lost */

    shell("rm %s/current", dir);
    assert_int_equal(nxe_registry_publish(reg, &done, &err), NXE_OK);
    assert_int_equal(done.written, 1);

    shell("rm %s/generation", dir);
    assert_int_equal(nxe_registry_publish(reg, &done, &err), NXE_OK);
    assert_int_equal(done.written, 1);

    /* a crash between "current" and the word that tells workers */

    shell("printf 12345678 > %s/generation", dir);
    assert_int_equal(nxe_registry_publish(reg, &done, &err), NXE_OK);
    assert_int_equal(done.written, 1);
    assert_int_equal(nxe_registry_publish(reg, &done, &err), NXE_OK);
    assert_int_equal(done.written, 0);

    nxe_registry_close(reg);
}


/* The names in serving/, sorted, in one line. */

static void
serving_is(const char *expected)
{
    char  cmd[512];

    snprintf(cmd, sizeof(cmd), "test \"$(cd %s/serving && ls -A | "
             "LC_ALL=C sort | tr '\\n' ' ')\" = '%s'", path, expected);

    if (system(cmd) != 0) {
        snprintf(cmd, sizeof(cmd), "ls -A %s/serving >&2", path);
        (void) !system(cmd);
        fail_msg("expected: %s", expected);
    }
}


static uint64_t
put_and_publish(nxe_registry_t *reg, const char *name, nxe_status_t expected)
{
    nxe_error_t      err;
    nxe_published_t  done;

    put_one(reg, name, 0);
    assert_int_equal(nxe_registry_publish(reg, &done, &err), expected);

    return expected == NXE_OK ? done.txn : 0;
}


/* A full disk: room is made of what is not in force, then one more try. */

static void
test_publish_full(void **state)
{
    char             expected[128];
    uint64_t         a, b, c;
    nxe_registry_t  *reg;

    (void) state;

    reg = open_registry(1);
    a = put_and_publish(reg, "a", NXE_OK);
    b = put_and_publish(reg, "b", NXE_OK);

    /* nothing that room would help: both stay, and no half of a third */

    fsync_errno = EROFS;
    fsync_fails = 1;
    put_and_publish(reg, "c", NXE_IO);
    snprintf(expected, sizeof(expected), "%d.mdb %d.mdb current generation ",
             (int) a, (int) b);
    serving_is(expected);

    fsync_errno = ENOSPC;
    fsync_fails = 2;
    put_and_publish(reg, "d", NXE_IO);
    snprintf(expected, sizeof(expected), "%d.mdb current generation ",
             (int) b);
    serving_is(expected);

    fsync_errno = EIO;
    fsync_fails = 1;
    c = put_and_publish(reg, "e", NXE_OK);
    snprintf(expected, sizeof(expected), "%d.mdb %d.mdb current generation ",
             (int) b, (int) c);
    serving_is(expected);

    nxe_registry_close(reg);
}


/* What only looks like a copy is nobody's to remove, nor the newest one. */

static void
test_publish_names(void **state)
{
    char             expected[128];
    uint64_t         a, b;
    nxe_registry_t  *reg;

    (void) state;

    shell("cd %s/serving && touch -- -5.mdb 01.mdb 1.mdb 1.mdb.x", path);

    reg = open_registry(1);
    a = put_and_publish(reg, "a", NXE_OK);
    b = put_and_publish(reg, "b", NXE_OK);
    snprintf(expected, sizeof(expected), "-5.mdb 01.mdb 1.mdb.x %d.mdb "
             "%d.mdb current generation ", (int) a, (int) b);
    serving_is(expected);
    nxe_registry_close(reg);

    assert_int_equal(nxe_serving_number("813.mdb"), 813);
    assert_true(nxe_serving_number("18446744073709551615.mdb") == UINT64_MAX);
    assert_int_equal(nxe_serving_number("18446744073709551616.mdb"), 0);
    assert_int_equal(nxe_serving_number(" 7.mdb"), 0);
    assert_int_equal(nxe_serving_number("0.mdb"), 0);
    assert_int_equal(nxe_serving_number(".mdb"), 0);
}


/* One document in the registry that cannot be read does not hold up others. */

static void
test_publish_bad_document(void **state)
{
    nxe_error_t           err;
    nxe_current_t         current;
    nxe_registry_t       *reg;
    nxe_published_t       done;

    char      dir[160];
    int       rc;
    MDB_env  *env;
    MDB_txn  *txn;
    MDB_dbi   dbi;
    MDB_val   k, v;

    (void) state;

    reg = open_registry(1);
    put_one(reg, "bad", 0);
    put_one(reg, "good", 0);
    nxe_registry_close(reg);

    snprintf(dir, sizeof(dir), "%s/registry", path);
    assert_int_equal(mdb_env_create(&env), 0);
    mdb_env_set_maxdbs(env, 8);
    assert_int_equal(mdb_env_open(env, dir, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, "experiments", 0, &dbi), 0);
    k.mv_data = "bad";
    k.mv_size = 3;
    v.mv_data = "{\"name\":";
    v.mv_size = 8;
    assert_int_equal(mdb_put(txn, dbi, &k, &v, 0), 0);
    rc = mdb_txn_commit(txn);
    assert_int_equal(rc, 0);
    mdb_env_close(env);

    reg = open_registry(1);
    err.text[0] = '\0';
    assert_int_equal(nxe_registry_publish(reg, &done, &err), NXE_OK);
    assert_int_equal(done.left_out, 1);
    assert_non_null(strstr(err.text, "'bad'"));
    nxe_registry_close(reg);

    snprintf(dir, sizeof(dir), "%s/serving", path);
    assert_int_equal(nxe_current_read(dir, &current, &err), NXE_OK);
}


/* An entry that was changed, and one that was taken out. */

static void
tamper(const char *what)
{
    char      dir[160], *text;
    MDB_env  *env;
    MDB_txn  *txn;
    MDB_dbi   dbi;
    MDB_val   k, v;

    unsigned char  key[8] = { 0, 0, 0, 0, 0, 0, 0, 2 };

    snprintf(dir, sizeof(dir), "%s/registry", path);
    assert_int_equal(mdb_env_create(&env), 0);
    mdb_env_set_maxdbs(env, 8);
    assert_int_equal(mdb_env_open(env, dir, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, "history", 0, &dbi), 0);

    k.mv_data = key;
    k.mv_size = 8;

    if (strcmp(what, "gone") == 0) {
        assert_int_equal(mdb_del(txn, dbi, &k, NULL), 0);

    } else {
        assert_int_equal(mdb_get(txn, dbi, &k, &v), 0);
        text = malloc(v.mv_size);
        assert_non_null(text);
        memcpy(text, v.mv_data, v.mv_size);
        *(char *) memmem(text, v.mv_size, "why", 3) = 'W';
        v.mv_data = text;
        assert_int_equal(mdb_put(txn, dbi, &k, &v, 0), 0);
        free(text);
    }

    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}


static void
test_chain(void **state)
{
    size_t               i;
    uint64_t             n;
    nxe_error_t          err;
    nxe_registry_t      *reg;
    nxe_registry_txn_t  *txn;

    static const struct {
        const char  *what;
        const char  *expected;
    } rows[] = {
        { "changed", "history entry 3 does not carry on the one before it" },
        { "gone", "history entry 2 is missing" }
    };

    (void) state;

    reg = open_registry(1);
    put_one(reg, "one", 0);
    put_one(reg, "two", 0);
    put_one(reg, "three", 0);
    nxe_registry_close(reg);

    for (i = 0; i < 2; i++) {
        tamper(rows[i].what);

        reg = open_registry(0);
        assert_int_equal(nxe_registry_begin(reg, &txn, &err), NXE_OK);
        assert_int_equal(nxe_registry_verify(txn, &n, &err), NXE_INVALID);
        assert_string_equal(err.text, rows[i].expected);
        nxe_registry_end(txn);
        nxe_registry_close(reg);
    }
}


static void
refused(const char *expected)
{
    nxe_error_t      err;
    nxe_registry_t  *reg;

    if (nxe_registry_open(path, 0, &reg, &err) == NXE_OK) {
        fail_msg("opened, expected: %s", expected);
    }

    if (strstr(err.text, expected) == NULL) {
        fail_msg("'%s', expected: %s", err.text, expected);
    }
}


/* SECURITY 9, Files. */

static void
test_refused(void **state)
{
    char  real[160];

    (void) state;

    shell("chmod 0770 %s", path);
    refused("can be written by group or others");
    shell("chmod 0750 %s", path);

    shell("chmod 0777 %s/registry", path);
    refused("can be written by group or others");
    shell("chmod 0700 %s/registry", path);

    shell("chmod 0666 %s/registry/data.mdb", path);
    refused("can be written by group or others");
    shell("chmod 0600 %s/registry/data.mdb", path);

    shell("chmod 0775 %s/serving", path);
    refused("can be written by group or others");
    shell("chmod 0750 %s/serving", path);

    shell("mv %s/registry/data.mdb %s/registry/x &&"
          " ln -s x %s/registry/data.mdb", path, path, path);
    refused("is a symbolic link");
    shell("mv %s/registry/x %s/registry/data.mdb", path, path);

    shell("echo k >%s/keys && chmod 0620 %s/keys", path, path);
    refused("keys' can be written by group or others");
    shell("chmod 0600 %s/keys && mv %s/keys %s/k && ln -s k %s/keys", path,
          path, path, path);
    refused("keys' is a symbolic link");
    shell("rm %s/keys", path);

    shell("echo 1 >%s/serving/1.mdb && chmod 0646 %s/serving/1.mdb", path,
          path);
    refused("1.mdb' can be written by group or others");
    shell("rm %s/serving/1.mdb && ln -s /etc/passwd %s/serving/current",
          path, path);
    refused("current' is a symbolic link");
    shell("rm %s/serving/current && mkdir %s/serving/generation", path, path);
    refused("generation' is no file");
    shell("rmdir %s/serving/generation", path);

    shell("mv %s %s.real && ln -s %s.real %s", path, path, path, path);
    refused("is a symbolic link");

    /* nor through a slash at the end */
    strcat(path, "/");
    refused("is a symbolic link");
    path[strlen(path) - 1] = '\0';

    snprintf(real, sizeof(real), "%s.real", path);
    shell("rm %s && mv %s %s", path, real, path);

    if (geteuid() == 0) {
        shell("chown 12345 %s/registry/data.mdb", path);
        refused("belongs to user 12345");
        shell("chown 0 %s/registry/data.mdb", path);
        shell("chown 12345 %s", path);
        refused("belongs to user 12345");
        shell("chown 0 %s", path);
    }

    shell("echo no >%s/registry/data.mdb", path);
    refused("is no registry");

    shell("rm -r %s/registry", path);
    refused("there is no registry in");
}


static nxe_status_t
newer_format(nxe_registry_txn_t *txn, void *ctx, nxe_error_t *err)
{
    (void) ctx;
    return nxe_registry_put_meta(txn, "format", nxe_str("2"), err);
}


static void
test_newer_format(void **state)
{
    uint64_t         id;
    nxe_error_t      err;
    nxe_registry_t  *reg;

    (void) state;

    reg = open_registry(1);
    assert_int_equal(nxe_registry_write(reg, newer_format, NULL, &id, &err),
                     NXE_OK);
    nxe_registry_close(reg);

    refused("the registry has format 2, this expctl knows 1");
    assert_int_equal(nxe_registry_create(path, &err), NXE_INVALID);
}


/* Prices: a table in order, a history of its own, published or left out. */

typedef struct {
    const char         *model;
    uint64_t            input;      /* 0: take the price away */
    nxe_status_t        rc;
} price_t;


static nxe_status_t
work_price(nxe_registry_txn_t *txn, void *ctx, nxe_error_t *err)
{
    price_t      *p;
    nxe_actor_t   actor;
    nxe_price_t   price;

    p = ctx;
    memset(&actor, 0, sizeof(actor));
    actor.actor = nxe_str("ana@edge");
    actor.message = nxe_str("why");
    actor.label = nxe_str("");
    actor.now = nxe_str(NOW);

    memset(&price, 0, sizeof(price));
    price.model = nxe_str_of(p->model);
    price.input = p->input;
    strcpy(price.currency, "USD");

    p->rc = p->input == 0
            ? nxe_registry_drop_price(txn, price.model, &actor, err)
            : nxe_registry_put_price(txn, &price, &actor, err);

    return p->rc == NXE_DECLINED ? NXE_OK : p->rc;
}


static nxe_status_t
price(nxe_registry_t *reg, const char *model, uint64_t input)
{
    price_t       p;
    uint64_t      id;
    nxe_error_t   err;

    p.model = model;
    p.input = input;

    (void) nxe_registry_write(reg, work_price, &p, &id, &err);
    assert_int_equal(id != 0, p.rc == NXE_OK);

    return p.rc;
}


/* The models with their input prices, "a 1, b 2". */

static const char *
prices_text(nxe_registry_t *reg)
{
    static char          text[256];

    size_t               i, n, len;
    nxe_error_t          err;
    nxe_price_t         *prices;
    nxe_registry_txn_t  *txn;

    assert_int_equal(nxe_registry_begin(reg, &txn, &err), NXE_OK);
    assert_int_equal(nxe_registry_prices(txn, mem(), &prices, &n, &err),
                     NXE_OK);
    nxe_registry_end(txn);

    text[0] = '\0';

    for (i = 0, len = 0; i < n; i++) {
        len += (size_t) snprintf(text + len, sizeof(text) - len,
                                 "%s%.*s %llu", i == 0 ? "" : ", ",
                                 (int) prices[i].model.len,
                                 prices[i].model.data,
                                 (unsigned long long) prices[i].input);
    }

    return text;
}


static nxe_status_t
find_price(void *ctx, uint64_t n, nxe_str_t entry, nxe_error_t *err)
{
    (void) n;
    (void) err;

    if (memmem(entry.data, entry.len, ctx, strlen(ctx)) != NULL) {
        return NXE_CONFLICT;
    }

    return NXE_OK;
}


static int
in_history(nxe_registry_t *reg, const char *text)
{
    nxe_error_t          err;
    nxe_status_t         rc;
    nxe_registry_txn_t  *txn;

    assert_int_equal(nxe_registry_begin(reg, &txn, &err), NXE_OK);
    rc = nxe_registry_history(txn, find_price, (void *) (uintptr_t) text,
                              &err);
    nxe_registry_end(txn);

    return rc == NXE_CONFLICT;
}


static void
test_prices(void **state)
{
    size_t           i;
    char             model[16];
    nxe_registry_t  *reg;

    (void) state;

    reg = open_registry(1);
    put_one(reg, "b", 0);
    assert_string_equal(prices_text(reg), "");
    assert_int_equal(price(reg, "b", 0), NXE_DECLINED);
    assert_int_equal(price(reg, "b", 2), NXE_OK);
    assert_int_equal(price(reg, "c", 3), NXE_OK);
    assert_int_equal(price(reg, "a", 1), NXE_OK);
    assert_string_equal(prices_text(reg), "a 1, b 2, c 3");
    assert_int_equal(price(reg, "b", 2), NXE_DECLINED);
    assert_int_equal(price(reg, "b", 4), NXE_OK);
    assert_string_equal(prices_text(reg), "a 1, b 4, c 3");
    assert_int_equal(price(reg, "a", 0), NXE_OK);
    assert_int_equal(price(reg, "c", 0), NXE_OK);
    assert_string_equal(prices_text(reg), "b 4");
    assert_int_equal(price(reg, "\x01", 4), NXE_INVALID);

    assert_true(in_history(reg, "\"name\":\"\",\"kind\":\"price\",\"price\":"
        "{\"model\":\"b\",\"input\":0.000000004,\"output\":0,\"cached\":0,"
        "\"cache_write\":0,\"currency\":\"USD\"},\"actor\":\"ana@edge\""));
    assert_true(in_history(reg, "\"price\":{\"model\":\"c\"}"));
    assert_int_equal(verify(reg), 7);

    assert_int_equal(price(reg, "b", 0), NXE_OK);
    assert_string_equal(prices_text(reg), "");

    for (i = 0; i < NXE_PRICES; i++) {
        snprintf(model, sizeof(model), "m%zu", i);
        assert_int_equal(price(reg, model, 1), NXE_OK);
    }

    assert_int_equal(price(reg, "n", 1), NXE_CONFLICT);
    assert_int_equal(price(reg, "m7", 5), NXE_OK);
    assert_int_equal(price(reg, "m8", 0), NXE_OK);
    assert_int_equal(price(reg, "n", 1), NXE_OK);

    nxe_registry_close(reg);
}


static nxe_status_t
work_bad_prices(nxe_registry_txn_t *txn, void *ctx, nxe_error_t *err)
{
    (void) ctx;
    return nxe_registry_put_meta(txn, "prices", nxe_str("[{}]"), err);
}


static void
test_bad_prices(void **state)
{
    size_t            n;
    char              dir[160];
    uint64_t          id;
    nxe_error_t       err;
    nxe_price_t      *prices;
    nxe_entry_t       entry;
    nxe_current_t     current;
    nxe_serving_t    *s;
    nxe_registry_t   *reg;
    nxe_published_t   done;

    (void) state;

    reg = open_registry(1);
    put_one(reg, "good", 0);
    assert_int_equal(nxe_registry_write(reg, work_bad_prices, NULL, &id,
                                        &err), NXE_OK);
    assert_int_equal(price(reg, "b", 2), NXE_INVALID);

    assert_int_equal(nxe_registry_publish(reg, &done, &err), NXE_OK);
    assert_int_equal(done.left_out, 1);
    assert_int_equal(done.written, 1);
    assert_non_null(strstr(err.text, "the registry's prices: price 1"));

    snprintf(dir, sizeof(dir), "%s/serving", path);
    assert_int_equal(nxe_current_read(dir, &current, &err), NXE_OK);
    assert_int_equal(nxe_serving_open(dir, &current, &s, &err), NXE_OK);
    assert_int_equal(nxe_serving_prices(s, mem(), &prices, &n, &err), NXE_OK);
    assert_int_equal(n, 0);
    assert_int_equal(nxe_serving_entry(s, nxe_str("good"), &entry, &err),
                     NXE_OK);
    nxe_serving_close(s);
    nxe_registry_close(reg);
}


/* Reading leaves every byte of the data as it was. */

static void
test_reading_writes_nothing(void **state)
{
    char             file[160];
    struct stat      before, after;
    nxe_registry_t  *reg;

    (void) state;

    reg = open_registry(1);
    put_one(reg, "tone", 0);
    nxe_registry_close(reg);

    snprintf(file, sizeof(file), "%s/registry/data.mdb", path);
    assert_int_equal(stat(file, &before), 0);

    reg = open_registry(0);
    assert_int_equal(count(reg), 1);
    assert_int_equal(verify(reg), 1);
    nxe_registry_close(reg);

    assert_int_equal(stat(file, &after), 0);
    assert_int_equal(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    assert_int_equal(before.st_size, after.st_size);
}


/* Phases out of the history. */

typedef struct {
    const char         *what;       /* "doc" or a stage */
    const char         *now;
    int                 new_phase;
} event_t;

typedef struct {
    const event_t      *event;
    nxe_state_t        *s;
    nxe_doc_t          *doc;
    const char         *json;
} happen_t;


static nxe_status_t
happen(nxe_registry_txn_t *txn, void *ctx, nxe_error_t *err)
{
    happen_t       *h;
    nxe_wish_t      wish;
    nxe_actor_t     actor;
    nxe_state_t     to;
    nxe_status_t    rc;
    nxe_refusal_t   refusal;

    h = ctx;
    memset(&wish, 0, sizeof(wish));
    wish.now = nxe_str_of(h->event->now);
    wish.by = nxe_str("a@b");
    wish.reason = nxe_str("");

    memset(&actor, 0, sizeof(actor));
    actor.actor = nxe_str("a@b");
    actor.message = nxe_str("");
    actor.now = wish.now;

    if (strcmp(h->event->what, "doc") == 0) {

        if (h->s->revision == 0) {
            rc = nxe_transition_create(h->doc, &wish, &to, &refusal);

        } else {
            rc = nxe_transition_update(h->doc, h->s, 0, NULL,
                                       h->event->new_phase, &wish, &to,
                                       &refusal);
        }

        assert_int_equal(rc, NXE_OK);
        rc = nxe_registry_put_doc(txn, nxe_str("t"), nxe_str_of(h->json), &to,
                                  &actor, err);

        if (rc == NXE_OK && (h->s->revision == 0 || h->event->new_phase)) {
            rc = nxe_registry_put_state(txn, nxe_str("t"), &to, &actor, err);
        }

    } else {
        assert_int_equal(nxe_stage_parse(nxe_str_of(h->event->what),
                                         &wish.stage), NXE_OK);

        if (wish.stage == NXE_STAGE_PAUSED) {
            wish.type = NXE_WISH_PAUSE;
        }

        assert_int_equal(nxe_transition(h->doc, h->s, &wish, &to, &refusal),
                         NXE_OK);
        rc = nxe_registry_put_state(txn, nxe_str("t"), &to, &actor, err);
    }

    *h->s = to;

    return rc;
}


static void
test_phases(void **state)
{
    int                   revision;
    char                 *json, text[256];
    size_t                i, n;
    cJSON                *tree;
    happen_t              h;
    uint64_t              id;
    nxe_state_t           s;
    nxe_error_t           err;
    nxe_phase_t          *phases;
    nxe_faults_t          faults;
    nxe_registry_t       *reg;
    nxe_json_result_t     result;
    nxe_registry_txn_t   *txn;

    static const event_t  events[] = {
        { "doc", "2026-11-01T00:00:00Z", 0 },       /* revision 1 */
        { "doc", "2026-11-02T00:00:00Z", 0 },
        { "canary", "2026-11-03T00:00:00Z", 0 },    /* phase 1 */
        { "doc", "2026-11-04T00:00:00Z", 0 },       /* 3, in phase 1 */
        { "ab", "2026-11-05T00:00:00Z", 0 },
        { "paused", "2026-11-06T00:00:00Z", 0 },
        { "off", "2026-11-07T00:00:00Z", 0 },
        { "doc", "2026-11-08T00:00:00Z", 0 },       /* 4, for phase 2 */
        { "ab", "2026-11-09T00:00:00Z", 0 },
        { "doc", "2026-11-10T00:00:00Z", 1 },       /* 5, phase 3 */
        { "paused", "2026-11-11T00:00:00Z", 0 },
        { "doc", "2026-11-12T00:00:00Z", 1 }        /* 6, phase 4 */
    };

    static const struct {
        const char  *from;
        const char  *to;
        uint64_t     revision;
        nxe_stage_t  stage;
    } expected[] = {
        { "2026-11-03T00:00:00Z", "2026-11-07T00:00:00Z", 3, NXE_STAGE_AB },
        { "2026-11-09T00:00:00Z", "2026-11-10T00:00:00Z", 4, NXE_STAGE_AB },
        { "2026-11-10T00:00:00Z", "2026-11-12T00:00:00Z", 5, NXE_STAGE_AB },
        { "2026-11-12T00:00:00Z", "", 6, NXE_STAGE_AB }
    };

    (void) state;

    reg = open_registry(1);
    put_one(reg, "other", 0);
    memset(&s, 0, sizeof(s));
    revision = 0;

    for (i = 0; i < sizeof(events) / sizeof(events[0]); i++) {

        revision += strcmp(events[i].what, "doc") == 0;
        snprintf(text, sizeof(text), "{\"description\":\"r%d\",\"name\":\"t\","
                 "\"unit\":\"header:X\",\"variants\":[{\"name\":\"a\"},"
                 "{\"name\":\"b\"}]}", revision);
        json = text;

        assert_int_equal(nxe_tree_parse(nxe_str_of(json), &tree, &result),
                         NXE_OK);
        nxe_faults_init(&faults, mem());
        assert_int_equal(nxe_doc_build(tree, NXE_DOC_FULL, nxe_str(""), mem(),
                                       &faults, &h.doc), NXE_OK);
        cJSON_Delete(tree);

        h.event = &events[i];
        h.s = &s;
        h.json = json;

        if (nxe_registry_write(reg, happen, &h, &id, &err) != NXE_OK) {
            fail_msg("%zu: %s", i, err.text);
        }
    }

    assert_int_equal(nxe_registry_begin(reg, &txn, &err), NXE_OK);
    assert_int_equal(nxe_registry_phases(txn, nxe_str("t"), mem(), &phases,
                                         &n, &err), NXE_OK);
    nxe_registry_end(txn);

    assert_int_equal(n, 4);

    for (i = 0; i < n; i++) {
        snprintf(text, sizeof(text), "\"r%llu\"",
                 (unsigned long long) expected[i].revision);

        assert_int_equal(phases[i].phase, i + 1);
        assert_string_equal(phases[i].from.data, expected[i].from);
        assert_true(nxe_str_eq(phases[i].to, nxe_str_of(expected[i].to)));
        assert_int_equal(phases[i].revision, expected[i].revision);
        assert_int_equal(phases[i].stage, expected[i].stage);
        assert_non_null(strstr(phases[i].document.data, text));
    }

    assert_int_equal(verify(reg), 16);
    nxe_registry_close(reg);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_put_get, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_or_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_map_grows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_map_resized, setup, teardown),
        cmocka_unit_test_setup_teardown(test_concurrent_writers, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_killed_writer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_publish, setup, teardown),
        cmocka_unit_test_setup_teardown(test_publish_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_publish_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_publish_bad_document, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_chain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_newer_format, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reading_writes_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_prices, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_prices, setup, teardown),
        cmocka_unit_test_setup_teardown(test_phases, setup, teardown)
    };

    setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 1);

    return cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}
