/*
 * The registry as commands use it.
 */

#define _GNU_SOURCE

#include <ctype.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/registry.h"


int
cli_registry_open(const cli_t *cli, int writer, nxe_registry_t **reg)
{
    nxe_error_t   err;
    nxe_status_t  rc;

    rc = nxe_registry_open(cli->registry, writer, reg, &err);

    if (rc == NXE_OK) {
        return CLI_DONE;
    }

    cli_error("%s", err.text);

    if (rc == NXE_DECLINED) {
        cli_remedy("expctl init, or --registry DIR");
    }

    return CLI_ENV;
}


/*
 * The login user: who sudo'ed stays who he is.  Where nobody logged in (a
 * service, a container), the real user.
 */

static uid_t
login_uid(void)
{
    FILE           *f;
    unsigned long   n;

    f = fopen("/proc/self/loginuid", "re");

    if (f != NULL) {
        if (fscanf(f, "%lu", &n) != 1) {
            n = (uid_t) -1;
        }

        fclose(f);

        if (n != (uid_t) -1) {
            return (uid_t) n;
        }
    }

    return getuid();
}


void
cli_actor(const cli_t *cli, nxe_actor_t *actor)
{
    char            host[256];
    uid_t           uid;
    struct passwd  *pw;

    if (gethostname(host, sizeof(host)) == -1) {
        strcpy(host, "unknown");
    }

    host[sizeof(host) - 1] = '\0';

    uid = login_uid();
    pw = getpwuid(uid);

    actor->actor = nxe_str_of(
        pw != NULL ? cli_format(cli, "%s@%s", pw->pw_name, host)
                   : cli_format(cli, "%lu@%s", (unsigned long) uid, host));
    actor->uid = uid;
    actor->label = nxe_str_of(cli->label != NULL ? cli->label : "");
    actor->message = nxe_str_of(cli->message);
    actor->now = cli_now(cli);
}


int
cli_no_experiment(const cli_t *cli, nxe_registry_txn_t *txn,
    const char *name)
{
    size_t         i, n;
    nxe_str_t     *names;
    const char    *near, **list;

    near = NULL;

    if (nxe_registry_names(txn, cli->mem, &names, &n, NULL) == NXE_OK) {
        list = nxe_calloc(cli->mem, (n + 1) * sizeof(char *));

        if (list != NULL) {
            for (i = 0; i < n; i++) {
                list[i] = names[i].data;
            }

            near = cli_near(name, list);
        }
    }

    if (near != NULL) {
        cli_error("there is no experiment '%s', near: %s", name, near);

    } else {
        cli_error("there is no experiment '%s'", name);
        cli_remedy("expctl list");
    }

    return CLI_USAGE;
}


int
cli_experiment(const cli_t *cli, nxe_registry_txn_t *txn, const char *name,
    nxe_experiment_t *e)
{
    nxe_error_t   err;
    nxe_status_t  rc;

    rc = nxe_registry_get(txn, nxe_str_of(name), cli->mem, e, &err);

    if (rc == NXE_DECLINED) {
        return cli_no_experiment(cli, txn, name);
    }

    return rc == NXE_OK ? CLI_DONE : cli_fail(&err);
}


typedef struct {
    nxe_registry_work_pt  work;
    void                 *ctx;
    int                   dry_run;
} job_t;


static nxe_status_t
do_job(nxe_registry_txn_t *txn, void *ctx, nxe_error_t *err)
{
    job_t  *job;

    job = ctx;

    if (job->dry_run) {
        nxe_registry_abandon(txn);
    }

    return job->work(txn, job->ctx, err);
}


int
cli_show(const cli_t *cli,
    int (*print)(const cli_t *cli, const nxe_experiment_t *e))
{
    int                   rc;
    nxe_error_t           err;
    nxe_registry_t       *reg;
    nxe_experiment_t      e;
    nxe_registry_txn_t   *txn;

    rc = cli_registry_open(cli, 0, &reg);
    if (rc != CLI_DONE) {
        return rc;
    }

    if (nxe_registry_begin(reg, &txn, &err) != NXE_OK) {
        rc = cli_fail(&err);

    } else {
        rc = cli_experiment(cli, txn, cli->args[0], &e);

        if (rc == CLI_DONE) {
            rc = print(cli, &e);
            nxe_experiment_free(&e);
        }

        nxe_registry_end(txn);
    }

    nxe_registry_close(reg);

    return rc;
}


nxe_status_t
cli_registry_write(const cli_t *cli, nxe_registry_t *reg,
    nxe_registry_work_pt work, void *ctx, uint64_t *id, int *published,
    nxe_error_t *err)
{
    job_t            job;
    nxe_error_t      why;
    nxe_status_t     rc, st;
    nxe_published_t  done;

    job.work = work;
    job.ctx = ctx;
    job.dry_run = cli->dry_run;
    *published = CLI_DONE;

    rc = nxe_registry_write(reg, do_job, &job, id, err);

    if (cli->dry_run) {
        return rc;
    }

    why.text[0] = '\0';

    st = nxe_registry_publish(reg, &done, &why);

    if (st != NXE_OK) {
        if (*id != 0) {
            cli_error("registry %llu is written, but not published: %s",
                      (unsigned long long) *id, why.text);

        } else {
            cli_error("cannot publish: %s", why.text);
        }

        cli_remedy("expctl init");
        *published = CLI_ENV;

    } else if (done.left_out != 0) {
        cli_error("%u not published: %s", done.left_out, why.text);
    }

    return rc;
}


const char *
cli_written(const cli_t *cli, uint64_t id)
{
    if (cli->dry_run) {
        return ", dry run";
    }

    if (id == 0) {
        return "";
    }

    return cli_format(cli, ", registry %llu", (unsigned long long) id);
}


int
cli_refused(const cli_t *cli, const char *name, nxe_status_t status,
    const nxe_refusal_t *refusal)
{
    nxe_buf_t  b;

    cli_error("%s", refusal->text);

    if (refusal->next[0] != '\0') {
        cli_remedy("%s", refusal->next);
    }

    if (cli->format == CLI_JSON) {
        nxe_buf_init(&b, 1 << 20);
        nxe_buf_add(&b, nxe_str("{\"experiment\":"));
        nxe_buf_add_json(&b, nxe_str_of(name));
        nxe_buf_addf(&b, ",\"why\":[\"%s\"],\"message\":", refusal->why);
        nxe_buf_add_json(&b, nxe_str_of(refusal->text));
        nxe_buf_add(&b, nxe_str(",\"next\":"));

        if (refusal->next[0] != '\0') {
            nxe_buf_add_json(&b, nxe_str_of(refusal->next));

        } else {
            nxe_buf_add(&b, nxe_str("null"));
        }

        nxe_buf_add(&b, nxe_str("}\n"));
        cli_print_json(&b);
    }

    return status == NXE_CONFLICT ? CLI_NO : CLI_USAGE;
}


const char *
cli_stage_text(const cli_t *cli, const nxe_state_t *state)
{
    if (state->stage == NXE_STAGE_ROLLOUT) {
        return cli_format(cli, "rollout %.*s", (int) state->variant.len,
                          state->variant.data);
    }

    if (!state->has_exposure) {
        return nxe_stage_name(state->stage);
    }

    return cli_format(cli, "%s, exposure %s", nxe_stage_name(state->stage),
                      cli_exposure(cli, state->exposure));
}


const char *
cli_movement_text(const cli_t *cli, const nxe_movement_t *movement)
{
    const char  *join, *leave;

    join = movement->join == 0 ? ""
           : cli_format(cli, "%s join, ",
                        cli_percent(cli, movement->join, NXE_MOVEMENT_ALL));

    leave = movement->leave == 0 ? ""
            : cli_format(cli, "%s leave, ",
                         cli_percent(cli, movement->leave, NXE_MOVEMENT_ALL));

    if (movement->change == 0) {
        return cli_format(cli, "%s%snobody changes variant", join, leave);
    }

    return cli_format(cli, "%s%s%s change variant", join, leave,
                      cli_percent(cli, movement->change, NXE_MOVEMENT_ALL));
}
