/*
 * doctor: the registry, the serving copy and the keys.
 */

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <nxe/time.h>

#include "cli/doctor.h"
#include "cli/init_group.h"

#define GROUPS_MAX  256


/* Whoever runs nginx's workers. */

typedef struct {
    const char         *name;
    uid_t               uid;
    gid_t               groups[GROUPS_MAX];
    int                 ngroups;
    unsigned            built_in:1; /* for want of a user in nginx.conf */
} reader_t;


/* What cannot be read is one failure each; the others are kept. */

static nxe_status_t
read_experiments(doctor_t *d, nxe_registry_txn_t *txn, nxe_error_t *err)
{
    size_t         i, n;
    nxe_str_t     *names;
    nxe_status_t   rc;

    rc = nxe_registry_names(txn, d->cli->mem, &names, &n, err);
    if (rc != NXE_OK) {
        return rc;
    }

    d->experiments = nxe_calloc(d->cli->mem,
                                (n + 1) * sizeof(nxe_experiment_t));
    if (d->experiments == NULL) {
        return nxe_fail(err, NXE_NOMEM, "out of memory");
    }

    for (i = 0; i < n; i++) {
        rc = nxe_registry_get(txn, names[i], d->cli->mem,
                              &d->experiments[d->nexperiments], err);

        if (rc == NXE_OK) {
            d->nexperiments++;

        } else {
            doctor_add(d, "registry", DOCTOR_FAIL, "expctl apply -f FILE",
                       "%s", err->text);
        }
    }

    return NXE_OK;
}


/* What is on, and will never be assigned to anybody again. */

static void
check_windows(doctor_t *d)
{
    char               text[NXE_TIME_LEN];
    size_t             i;
    int64_t            last;
    uint32_t           w;
    nxe_experiment_t  *e;

    for (i = 0; i < d->nexperiments; i++) {
        e = &d->experiments[i];

        if (e->doc->nwindows == 0
            || (e->state.stage != NXE_STAGE_CANARY
                && e->state.stage != NXE_STAGE_AB
                && e->state.stage != NXE_STAGE_ROLLOUT))
        {
            continue;
        }

        for (w = 0, last = INT64_MIN; w < e->doc->nwindows; w++) {
            if (e->doc->windows[w].to > last) {
                last = e->doc->windows[w].to;
            }
        }

        if (last <= (int64_t) time(NULL)) {
            nxe_time_print(last, text);
            doctor_add(d, "registry", DOCTOR_WARN,
                       cli_format(d->cli, "expctl stage %s off, or apply "
                                  "another window", e->name.data),
                       "%s is %s, and its last window shut at %s",
                       e->name.data, nxe_stage_name(e->state.stage), text);
        }
    }
}


/* Costs are added up by currency: two of them make two totals. */

static void
check_prices(doctor_t *d, nxe_registry_txn_t *txn)
{
    size_t        i, n;
    nxe_error_t   err;
    nxe_price_t  *prices;

    if (nxe_registry_prices(txn, d->cli->mem, &prices, &n, &err) != NXE_OK) {
        doctor_add(d, "prices", DOCTOR_FAIL, "restore a backup of the "
                   "registry, or find out who wrote to it", "%s", err.text);
        return;
    }

    if (n == 0) {
        return;
    }

    for (i = 1; i < n; i++) {
        if (strcmp(prices[i].currency, prices[0].currency) != 0) {
            doctor_add(d, "prices", DOCTOR_WARN, "expctl price list",
                       "%zu models, in %s and %s: costs of two currencies do "
                       "not add up", n, prices[0].currency,
                       prices[i].currency);
            return;
        }
    }

    doctor_add(d, "prices", DOCTOR_OK, NULL, "%zu model%s, %s", n,
               n == 1 ? "" : "s", prices[0].currency);
}


static nxe_status_t
read_registry(doctor_t *d, nxe_registry_txn_t *txn, nxe_error_t *err)
{
    uint64_t      n;
    nxe_str_t     log;
    nxe_status_t  rc;

    d->txn = nxe_registry_txn_id(txn);

    rc = nxe_registry_head(txn, d->head, err);

    if (rc == NXE_OK) {
        rc = read_experiments(d, txn, err);
    }

    if (rc != NXE_OK) {
        return rc;
    }

    d->open = 1;

    if (nxe_registry_meta(txn, "log", d->cli->mem, &log, err) == NXE_OK) {
        d->log = log.data;
    }

    if (nxe_registry_verify(txn, &n, err) != NXE_OK) {
        doctor_add(d, "registry", DOCTOR_FAIL, "restore a backup of the "
                   "registry, or find out who wrote to it", "%s", err->text);
        return NXE_OK;
    }

    doctor_add(d, "registry", DOCTOR_OK, NULL,
               "format %d, %zu experiment%s, history whole",
               NXE_REGISTRY_FORMAT, d->nexperiments,
               d->nexperiments == 1 ? "" : "s");

    check_windows(d);
    check_prices(d, txn);

    return NXE_OK;
}


void
doctor_registry(doctor_t *d)
{
    nxe_error_t          err;
    nxe_status_t         rc;
    nxe_registry_t      *reg;
    nxe_registry_txn_t  *txn;

    rc = nxe_registry_open(d->cli->registry, 0, &reg, &err);

    if (rc != NXE_OK) {
        doctor_add(d, "registry", DOCTOR_FAIL,
                   rc == NXE_DECLINED || rc == NXE_INVALID
                   ? "expctl init, or --registry DIR"
                   : geteuid() != 0 ? "the same as root" : "expctl init",
                   "%s", err.text);
        return;
    }

    rc = nxe_registry_begin(reg, &txn, &err);

    if (rc == NXE_OK) {
        rc = read_registry(d, txn, &err);
        nxe_registry_end(txn);
    }

    if (rc != NXE_OK) {
        doctor_add(d, "registry", DOCTOR_FAIL, "expctl init", "%s", err.text);
    }

    nxe_registry_close(reg);
}


/*
 * The user and the group of nginx's workers: ourselves without root, else
 * those of nginx.conf, and where it says nothing those that nginx was built
 * with.  Where nginx is not known, whoever the serving copy's group is named
 * after.
 */

static struct passwd *
find_user(const doctor_t *d, gid_t gid, reader_t *r, gid_t *own)
{
    const char               *name, *of;
    struct group             *gr;
    struct passwd            *pw;
    const nginx_directive_t  *user;

    user = d->has_nginx == NXE_OK ? nginx_find(&d->nginx, NULL, "user") : NULL;
    of = NULL;

    if (geteuid() != 0) {
        pw = getpwuid(geteuid());

    } else if (user != NULL && user->nwords > 1) {
        pw = getpwnam(user->words[1]);
        of = user->words[user->nwords > 2 ? 2 : 1];

    } else if (d->has_nginx == NXE_OK && d->nginx.first != NULL) {
        pw = getpwnam(d->nginx.user);
        of = d->nginx.group;
        r->built_in = 1;

    } else {
        name = init_group_name(d->cli, gid);
        pw = getpwnam(name);
    }

    gr = of != NULL ? getgrnam(of) : NULL;

    if (pw != NULL) {
        *own = gr != NULL ? gr->gr_gid : pw->pw_gid;
    }

    return pw;
}


static void
find_reader(const doctor_t *d, gid_t gid, reader_t *r)
{
    gid_t           own;
    struct passwd  *pw;

    r->built_in = 0;
    r->ngroups = GROUPS_MAX;

    pw = find_user(d, gid, r, &own);

    if (pw == NULL) {
        r->name = cli_format(d->cli, "group %s",
                             init_group_name(d->cli, gid));
        r->uid = (uid_t) -1;
        r->groups[0] = gid;
        r->ngroups = 1;
        return;
    }

    r->name = cli_format(d->cli, "%s", pw->pw_name);
    r->uid = pw->pw_uid;

    if (getgrouplist(pw->pw_name, own, r->groups, &r->ngroups) == -1) {
        r->groups[0] = own;
        r->ngroups = 1;
    }
}


/* want: 4 read, 1 search */

static int
may(const reader_t *r, const struct stat *st, mode_t want)
{
    int  i;

    if (r->uid == 0) {
        return 1;
    }

    if (st->st_uid == r->uid) {
        return (st->st_mode >> 6 & want) == want;
    }

    for (i = 0; i < r->ngroups; i++) {
        if (st->st_gid == r->groups[i]) {
            return (st->st_mode >> 3 & want) == want;
        }
    }

    return (st->st_mode & want) == want;
}


/* The first folder or file on the way that the reader may not; NULL: none. */

static const char *
blocked_at(const doctor_t *d, const reader_t *r, const char *path)
{
    const char   *p, *part;
    struct stat   st;

    for (p = strchr(path, '/'); p != NULL; p = strchr(p + 1, '/')) {
        part = p == path ? "/" : cli_format(d->cli, "%.*s",
                                            (int) (p - path), path);

        if (stat(part, &st) == -1 || !may(r, &st, 1)) {
            return part;
        }
    }

    return stat(path, &st) == -1 || !may(r, &st, 4) ? path : NULL;
}


/* Whoever can write the copy decides what traffic gets. */

static int
check_modes(doctor_t *d, const char *const *paths, size_t n)
{
    size_t       i;
    struct stat  st;

    for (i = 0; i < n; i++) {

        if (stat(paths[i], &st) == -1) {
            doctor_add(d, "serving", DOCTOR_FAIL, "expctl init",
                       "cannot look at '%s': %s", paths[i], strerror(errno));
            return 0;
        }

        if ((st.st_mode & 022) != 0) {
            doctor_add(d, "serving", DOCTOR_FAIL, "expctl init",
                       "others can write '%s', mode %04o", paths[i],
                       (unsigned) st.st_mode & 07777);
            return 0;
        }
    }

    return 1;
}


/* init sets the group of the registry's folder and of what is below. */

static const char *
let_read(const reader_t *r, const char *serving, const char *at)
{
    size_t  n;

    n = (size_t) (strrchr(serving, '/') - serving);

    if (strncmp(at, serving, n) != 0) {
        return "let nginx's workers search the folders above";
    }

    if (r->built_in) {
        return "user NAME; in nginx.conf, or expctl init --group G, the "
               "group of nginx's workers";
    }

    return "expctl init --group G, the group of nginx's workers";
}


static void
check_readers(doctor_t *d, const char *dir, const nxe_current_t *current)
{
    char          real[PATH_MAX];
    size_t        i;
    reader_t      reader;
    const char   *paths[4], *at;
    struct stat   st;

    if (realpath(dir, real) == NULL || stat(real, &st) == -1) {
        doctor_add(d, "serving", DOCTOR_FAIL, "expctl init",
                   "cannot look at '%s': %s", dir, strerror(errno));
        return;
    }

    paths[0] = real;
    paths[1] = cli_format(d->cli, "%s/current", real);
    paths[2] = cli_format(d->cli, "%s/generation", real);
    paths[3] = cli_format(d->cli, "%s/%s", real, current->file);

    if (!check_modes(d, paths, 4)) {
        return;
    }

    find_reader(d, st.st_gid, &reader);

    for (i = 1; i < 4; i++) {
        at = blocked_at(d, &reader, paths[i]);

        if (at != NULL) {
            doctor_add(d, "serving", DOCTOR_FAIL,
                       let_read(&reader, real, at),
                       "%s%s cannot read it: '%s'", reader.name,
                       reader.built_in ? " (nginx.conf has no user line)"
                                       : "", at);
            return;
        }
    }

    doctor_add(d, "serving", DOCTOR_OK, NULL,
               "%llu, hash as published, %s can read it",
               (unsigned long long) current->txn, reader.name);
}


void
doctor_serving(doctor_t *d)
{
    uint64_t        word;
    nxe_error_t     err;
    const char     *dir;
    nxe_current_t   current;
    nxe_serving_t  *serving;

    dir = cli_format(d->cli, "%s/serving", d->cli->registry);

    if (nxe_current_read(dir, &current, &err) != NXE_OK) {
        doctor_add(d, "serving", DOCTOR_FAIL, "expctl init", "%s", err.text);
        return;
    }

    serving = NULL;

    if (nxe_serving_open(dir, &current, &serving, &err) != NXE_OK) {
        nxe_serving_close(serving);
        doctor_add(d, "serving", DOCTOR_FAIL, "expctl init", "%s", err.text);
        return;
    }

    nxe_serving_close(serving);

    if (d->open && (current.txn != d->txn
                    || strcmp(current.head, d->head) != 0))
    {
        doctor_add(d, "serving", DOCTOR_FAIL, "expctl init",
                   "%llu is served, the registry is at %llu",
                   (unsigned long long) current.txn,
                   (unsigned long long) d->txn);
        return;
    }

    if (nxe_generation_read(dir, &word, &err) != NXE_OK) {
        doctor_add(d, "serving", DOCTOR_FAIL, "expctl init", "%s", err.text);
        return;
    }

    if (word != current.word) {
        doctor_add(d, "serving", DOCTOR_FAIL, "expctl init",
                   "%llu is published, but workers were not told",
                   (unsigned long long) current.txn);
        return;
    }

    check_readers(d, dir, &current);
}


/* The keys as they are on disk; the caller erases them. */

static int
read_keys(doctor_t *d, const char *path, nxe_keys_t *keys)
{
    int           fd;
    char          text[NXE_KEYS_FILE + 1];
    ssize_t       n;
    nxe_error_t   err;
    struct stat   st;

    fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd == -1 || fstat(fd, &st) == -1) {
        doctor_add(d, "keys", DOCTOR_FAIL, errno == EACCES
                   ? "the same as root" : "expctl init",
                   "cannot open '%s': %s", path, strerror(errno));

        if (fd != -1) {
            close(fd);
        }

        return 0;
    }

    n = S_ISREG(st.st_mode) ? read(fd, text, sizeof(text)) : 0;
    close(fd);

    if (nxe_keys_parse((nxe_str_t) { text, n > 0 ? (size_t) n : 0 }, keys,
                       &err)
        != NXE_OK)
    {
        nxe_erase(text, sizeof(text));
        doctor_add(d, "keys", DOCTOR_FAIL, "put the old file back: other "
                   "keys give other unit ids", "'%s': %s", path, err.text);
        return 0;
    }

    nxe_erase(text, sizeof(text));

    if ((st.st_mode & 077) != 0
        || (st.st_uid != 0 && st.st_uid != geteuid()))
    {
        doctor_add(d, "keys", DOCTOR_FAIL, "expctl init",
                   "'%s' is %04o and %s's, expected 0600 and root's", path,
                   (unsigned) st.st_mode & 07777,
                   init_user_name(d->cli, st.st_uid));
        return 0;
    }

    return 1;
}


/* The key by which the last line's units are known. */

static void
check_key_of_log(doctor_t *d, const nxe_keys_t *keys)
{
    size_t     i;
    nxe_str_t  kid;

    kid = d->log_file != NULL && d->line_status == NXE_OK
          && d->record->kind == NXE_LOGLINE_REQUEST
          ? d->record->key_id : nxe_null_str;

    if (kid.len == 0) {
        doctor_add(d, "keys", DOCTOR_OK, NULL, "0600, %s", keys->keys[0].kid);
        return;
    }

    for (i = 0; i < keys->n; i++) {
        if (nxe_str_eq(kid, nxe_str_of(keys->keys[i].kid))) {
            break;
        }
    }

    if (i == 0) {
        doctor_add(d, "keys", DOCTOR_OK, NULL, "0600, %s, the same in the log",
                   keys->keys[0].kid);

    } else if (i < keys->n) {
        doctor_add(d, "keys", DOCTOR_WARN, "nginx -s reload",
                   "%s signs, the last line of the log has %s, an older one",
                   keys->keys[0].kid, keys->keys[i].kid);

    } else {
        doctor_add(d, "keys", DOCTOR_FAIL, "experiment_keys with the file of "
                   "this registry, then nginx -s reload",
                   "%s, but the last line of the log has %.*s",
                   keys->keys[0].kid, (int) kid.len, kid.data);
    }
}


void
doctor_keys(doctor_t *d)
{
    nxe_keys_t  keys;

    if (read_keys(d, cli_format(d->cli, "%s/keys", d->cli->registry), &keys)) {
        check_key_of_log(d, &keys);
    }

    nxe_erase(&keys, sizeof(keys));
}
