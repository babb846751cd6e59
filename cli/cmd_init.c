/*
 * expctl init: the registry, the keys and the log folder, with the modes that
 * they need; again: what of it is not so is put right.
 */

#define _GNU_SOURCE

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nxe/keys.h>

#include "cli/commands.h"
#include "cli/init_files.h"
#include "cli/init_group.h"
#include "cli/registry.h"


typedef struct {
    cli_t              *cli;
    char                path[PATH_MAX - 64];
    char                serving[PATH_MAX];
    gid_t               gid;
    const char         *log;        /* as given, or NULL */
    const char         *log_dir;    /* "" until it is known */
    int                 lock;       /* the folder itself, with flock() */
    int                 had_data;   /* there was a registry before */
    char                kid[NXE_KID_LEN + 1];
    cli_table_t        *table;
} init_t;


static int
init_keys(init_t *init)
{
    int   rc, made;
    char  path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/keys", init->path);

    rc = init_key_file(init->cli, path, init->kid, &made);

    if (rc == CLI_DONE && made && init->had_data) {
        cli_error("'%s/keys' was gone and a new key was made: unit ids "
                  "in the log differ from now on", init->path);
        cli_remedy("bring the old file back if there is a copy");
    }

    return rc;
}


/*
 * The folder of the logs.  One that is there is left as it is: it may be
 * everybody's.
 */

static int
init_log(init_t *init, const char *log)
{
    int           rc;
    char          dir[PATH_MAX], *slash;
    struct stat   st;

    if (snprintf(dir, sizeof(dir), "%s", log) >= (int) sizeof(dir)) {
        return cli_usage(init->cli, "--log is too long");
    }

    slash = strrchr(dir, '/');

    if (log[0] != '/' || slash == NULL || slash == dir) {
        return cli_usage(init->cli, "--log '%s' is no absolute path of files "
                         "in a folder", log);
    }

    *slash = '\0';

    if (strpbrk(dir, "*?[") != NULL) {
        return cli_usage(init->cli, "--log '%s' has a pattern in its folder",
                         log);
    }

    init->log_dir = cli_format(init->cli, "%s", dir);

    if (stat(dir, &st) == 0) {
        return CLI_DONE;
    }

    rc = init_parents(dir);

    if (rc == CLI_DONE) {
        rc = init_folder(init->cli, dir, 0750, init->gid);
    }

    if (rc != CLI_DONE) {
        cli_remedy("as root, or with --log 'DIR/*.log*'");
    }

    return rc;
}


/* Puts what differs from what is there. */

static nxe_status_t
put_meta(init_t *init, nxe_registry_txn_t *txn, const char *name,
    const char *value, nxe_error_t *err)
{
    nxe_str_t     there;
    nxe_status_t  rc;

    rc = nxe_registry_meta(txn, name, init->cli->mem, &there, err);

    if (rc == NXE_OK && nxe_str_eq(there, nxe_str_of(value))) {
        return NXE_OK;
    }

    if (rc != NXE_OK && rc != NXE_DECLINED) {
        return rc;
    }

    return nxe_registry_put_meta(txn, name, nxe_str_of(value), err);
}


static nxe_status_t
put_all_meta(nxe_registry_txn_t *txn, void *ctx, nxe_error_t *err)
{
    init_t        *init;
    nxe_status_t   rc;

    init = ctx;

    rc = put_meta(init, txn, "log", init->log, err);

    if (rc == NXE_OK) {
        rc = put_meta(init, txn, "group",
                      init_group_name(init->cli, init->gid), err);
    }

    return rc;
}


/* The log files that an earlier init has set, else the default. */

static const char *
known_log(init_t *init, nxe_registry_t *reg)
{
    nxe_str_t            log;
    nxe_registry_txn_t  *txn;

    if (init->log != NULL) {
        return init->log;
    }

    log = nxe_str(CLI_DEFAULT_LOG);

    if (nxe_registry_begin(reg, &txn, NULL) == NXE_OK) {
        (void) nxe_registry_meta(txn, "log", init->cli->mem, &log, NULL);
        nxe_registry_end(txn);
    }

    return log.data;
}


static int
init_registry(init_t *init)
{
    int              rc, published;
    uint64_t         id;
    nxe_error_t      err;
    nxe_registry_t  *reg;

    if (nxe_registry_create(init->path, &err) != NXE_OK) {
        return cli_fail(&err);
    }

    rc = cli_registry_open(init->cli, 1, &reg);
    if (rc != CLI_DONE) {
        return rc;
    }

    init->log = known_log(init, reg);

    rc = init_log(init, init->log);

    if (rc == CLI_DONE) {
        rc = cli_registry_write(init->cli, reg, put_all_meta, init, &id,
                                &published, &err) == NXE_OK
             ? published : cli_fail(&err);
    }

    nxe_registry_close(reg);

    return rc;
}


/*
 * The folder, and one init at a time in it: what one finds half made would
 * look to it as if parts had been lost.
 */

static int
init_lock(init_t *init)
{
    int  rc;

    if ((rc = init_parents(init->path)) != CLI_DONE
        || (rc = init_folder(init->cli, init->path, 0750, init->gid))
           != CLI_DONE)
    {
        return rc;
    }

    init->lock = open(init->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW
                                  | O_CLOEXEC);
    if (init->lock == -1) {
        return init_failed("open", init->path);
    }

    while (flock(init->lock, LOCK_EX) == -1) {
        if (errno != EINTR) {
            return init_failed("lock", init->path);
        }
    }

    return CLI_DONE;
}


/*
 * A registry that is lost while its experiments are served: a new one would
 * be published over them.  The head of a registry without experiments is
 * zeros.
 */

static int
check_lost(init_t *init)
{
    char           path[PATH_MAX + 16];
    struct stat    st;
    nxe_error_t    err;
    nxe_current_t  current;

    snprintf(path, sizeof(path), "%s/registry/data.mdb", init->path);
    init->had_data = lstat(path, &st) == 0 && st.st_size != 0;

    snprintf(path, sizeof(path), "%s/current", init->serving);

    if (init->had_data || lstat(path, &st) == -1) {
        return CLI_DONE;
    }

    if (nxe_current_read(init->serving, &current, &err) == NXE_OK
        && strspn(current.head, "0") == NXE_HEAD_LEN)
    {
        return CLI_DONE;
    }

    cli_error("'%s/registry' is lost, and '%s' still serves its "
              "experiments: a new registry would end them all",
              init->path, init->serving);
    cli_remedy("bring '%s/registry' back from a backup; or, to start anew, "
               "remove '%s'", init->path, init->serving);

    return CLI_NO;
}


static int
init_folders(init_t *init)
{
    int   rc;
    char  registry[PATH_MAX];

    snprintf(registry, sizeof(registry), "%s/registry", init->path);

    if ((rc = init_folder(init->cli, registry, 0700, (gid_t) -1)) != CLI_DONE
        || (rc = init_folder(init->cli, init->serving, 0750, init->gid))
           != CLI_DONE)
    {
        return rc;
    }

    if ((rc = init_file(init->cli, registry, "data.mdb", 0600, (gid_t) -1))
        != CLI_DONE
        || (rc = init_file(init->cli, registry, "lock.mdb", 0600, (gid_t) -1))
           != CLI_DONE)
    {
        return rc;
    }

    return init_serving(init->cli, init->serving, init->gid);
}


/* One line of what is there now. */

static void
add_row(init_t *init, const char *name, const char *indent, int group)
{
    char         path[PATH_MAX];
    struct stat  st;

    snprintf(path, sizeof(path), "%s%s%s", init->path,
             *name != '\0' ? "/" : "", name);

    cli_cell(init->table, "%s%s", indent, *name != '\0' ? name : init->path);

    if (lstat(path, &st) == -1) {
        cli_cell(init->table, "-");
        cli_cell(init->table, "-");
        cli_cell(init->table, "not there");
        return;
    }

    cli_cell(init->table, "%04o", (unsigned) st.st_mode & 07777);

    if (group) {
        cli_cell(init->table, "%s:%s", init_user_name(init->cli, st.st_uid),
                 init_group_name(init->cli, st.st_gid));

    } else {
        cli_cell(init->table, "%s", init_user_name(init->cli, st.st_uid));
    }

    if (strcmp(name, "keys") == 0 && init->kid[0] != '\0') {
        cli_cell(init->table, "key %s", init->kid);

    } else {
        cli_cell(init->table, "%s", "");
    }
}


static int
print_json(const init_t *init)
{
    nxe_buf_t  b;

    nxe_buf_init(&b, 1 << 20);
    nxe_buf_add(&b, nxe_str("{\"path\":"));
    nxe_buf_add_json(&b, nxe_str_of(init->path));
    nxe_buf_add(&b, nxe_str(",\"group\":"));
    nxe_buf_add_json(&b, nxe_str_of(init_group_name(init->cli, init->gid)));
    nxe_buf_add(&b, nxe_str(",\"key\":"));

    if (init->kid[0] != '\0') {
        nxe_buf_add_json(&b, nxe_str_of(init->kid));

    } else {
        nxe_buf_add(&b, nxe_str("null"));
    }

    nxe_buf_add(&b, nxe_str("}\n"));

    return cli_print_json(&b);
}


static int
print_result(init_t *init)
{
    const char  *indent;

    if (init->cli->format == CLI_JSON) {
        return print_json(init);
    }

    init->table = cli_table_new(init->cli, "llll", "PATH", "MODE", "OWNER",
                                "NOTE");
    cli_table_no_heads(init->table);

    add_row(init, "", "", 1);
    indent = init->cli->format == CLI_TABLE ? "  " : "";
    add_row(init, "registry", indent, 0);
    add_row(init, "serving", indent, 1);
    add_row(init, "keys", indent, 0);

    cli_table_print(init->table, stdout);

    if (init->cli->dry_run) {
        if (init->cli->format == CLI_TABLE) {
            printf("dry run, group %s\n",
                   init_group_name(init->cli, init->gid));
        }

        return CLI_DONE;
    }

    cli_next(init->cli, "these lines in http of nginx.conf, nginx -t, reload");
    cli_note(init->cli, "  experiment_registry %s;", init->path);
    cli_note(init->cli, "  experiment_keys %s/keys;", init->path);
    cli_note(init->cli, "  log_format experiment escape=none "
             "'$experiment_json';");
    cli_note(init->cli, "  access_log %s/experiment.log experiment "
             "if=$experiment_on;", init->log_dir);

    return CLI_DONE;
}


static int
set_path(init_t *init)
{
    int     n;
    size_t  len;

    n = snprintf(init->path, sizeof(init->path), "%s", init->cli->registry);

    if (n >= (int) sizeof(init->path)) {
        return cli_usage(init->cli, "the registry's path is too long");
    }

    for (len = (size_t) n; len > 1 && init->path[len - 1] == '/'; len--) {
        init->path[len - 1] = '\0';
    }

    snprintf(init->serving, sizeof(init->serving), "%s/serving", init->path);

    return CLI_DONE;
}


static int
make_all(init_t *init)
{
    int  rc;

    if (init->cli->dry_run) {
        return check_lost(init);
    }

    if ((rc = init_lock(init)) != CLI_DONE
        || (rc = check_lost(init)) != CLI_DONE
        || (rc = init_folders(init)) != CLI_DONE
        || (rc = init_keys(init)) != CLI_DONE)
    {
        return rc;
    }

    return init_registry(init);
}


static int
cmd_init(cli_t *cli)
{
    int     rc;
    init_t  init;

    rc = cli_args(cli, 0, 0);
    if (rc != CLI_DONE) {
        return rc;
    }

    memset(&init, 0, sizeof(init));
    init.cli = cli;
    init.lock = -1;
    init.log = cli_opt(cli, "log");

    rc = set_path(&init);

    if (rc == CLI_DONE) {
        rc = init_group(cli, init.serving, &init.gid);
    }

    if (rc != CLI_DONE) {
        return rc;
    }

    rc = make_all(&init);

    if (init.lock != -1) {
        close(init.lock);
    }

    return rc == CLI_DONE ? print_result(&init) : rc;
}


static const cli_opt_t  init_opts[] = {
    { "group", 0, "G", 0, "the group of nginx's workers" },
    { "log", 0, "GLOB", 0,
      "the log files that analyze reads (" CLI_DEFAULT_LOG ")" },
    { NULL, 0, NULL, 0, NULL }
};

const cli_command_t  cmd_init_command = {
    "init", "", "makes the registry, the keys and the log folder",
    CLI_OUTPUT | CLI_REGISTRY | CLI_WRITES, init_opts, cmd_init,
    "Again, it repairs modes and publishes what is not published. The group\n"
    "is by default that of the user line of \"nginx -T\", else www-data.\n"
    "\n"
    "  expctl init\n"
    "  expctl init --group nginx --log '/srv/log/experiment-*.log*'\n"
};
