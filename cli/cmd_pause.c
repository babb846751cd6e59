/*
 * expctl pause, resume, rollback.
 */

#include <string.h>

#include "cli/commands.h"
#include "cli/registry.h"
#include "cli/stage.h"


/* What became of one experiment. */

typedef struct {
    nxe_experiment_t    e;
    nxe_state_t         to;
    unsigned            same:1;
} done_t;

typedef struct {
    const cli_t        *cli;
    nxe_wish_t          wish;
    nxe_actor_t         actor;
    done_t             *done;
    size_t              n;
    size_t              unread;
    nxe_refusal_t       refusal;
    const char         *refused;    /* the name, or NULL */
} all_t;


static void
free_done(all_t *all)
{
    while (all->n > 0) {
        nxe_experiment_free(&all->done[--all->n].e);
    }
}


/* Whether --all means it: what is on, and is not where the wish leads. */

static int
is_meant(const nxe_state_t *state, nxe_wish_type_t type)
{
    switch (state->stage) {

    case NXE_STAGE_OFF:
    case NXE_STAGE_ROLLED_BACK:
        return 0;

    case NXE_STAGE_PAUSED:
        return type == NXE_WISH_ROLLBACK;

    default:
        return 1;
    }
}


static nxe_status_t
work_all(nxe_registry_txn_t *txn, void *ctx, nxe_error_t *err)
{
    all_t         *all;
    done_t        *d;
    size_t         i, n;
    nxe_str_t     *names;
    nxe_status_t   rc;

    all = ctx;
    free_done(all);
    all->unread = 0;

    rc = nxe_registry_names(txn, all->cli->mem, &names, &n, err);
    if (rc != NXE_OK) {
        return rc;
    }

    all->done = nxe_calloc(all->cli->mem, (n + 1) * sizeof(done_t));
    if (all->done == NULL) {
        return nxe_fail(err, NXE_NOMEM, "out of memory");
    }

    for (i = 0; i < n; i++) {
        d = &all->done[all->n];

        rc = nxe_registry_get(txn, names[i], all->cli->mem, &d->e, err);

        if (rc == NXE_INVALID) {
            /* one that cannot be read is not served, and holds up nobody */
            cli_error("%s", err->text);
            all->unread++;
            continue;
        }

        if (rc != NXE_OK) {
            return rc;
        }

        if (!is_meant(&d->e.state, all->wish.type)) {
            nxe_experiment_free(&d->e);
            continue;
        }

        all->n++;

        rc = nxe_transition(d->e.doc, &d->e.state, &all->wish, &d->to,
                            &all->refusal);
        if (rc != NXE_OK) {
            all->refused = d->e.name.data;
            return rc;
        }

        rc = nxe_registry_put_state(txn, d->e.name, &d->to, &all->actor, err);
        if (rc != NXE_OK) {
            return rc;
        }
    }

    return NXE_OK;
}


static void
print_rows(const all_t *all)
{
    size_t         i;
    cli_table_t   *t;
    const done_t  *d;

    t = cli_table_new(all->cli, "lllr", "NAME", "BEFORE", "AFTER", "PHASE");

    for (i = 0; i < all->n; i++) {
        d = &all->done[i];

        cli_cell_str(t, d->e.name);
        cli_cell(t, "%s", nxe_stage_name(d->e.state.stage));
        cli_cell(t, "%s", nxe_stage_name(d->to.stage));
        cli_cell(t, "%llu", (unsigned long long) d->to.phase);
    }

    cli_table_print(t, stdout);
}


static int
print_all(const all_t *all, uint64_t id)
{
    size_t         i;
    nxe_buf_t      b;
    const done_t  *d;

    if (all->cli->format == CLI_JSON) {
        nxe_buf_init(&b, 1 << 28);

        for (i = 0; i < all->n; i++) {
            cli_state_json(&b, all->done[i].e.name, &all->done[i].to, id);
        }

        return cli_print_json(&b);
    }

    if (all->cli->format == CLI_CSV) {
        print_rows(all);
        return CLI_DONE;
    }

    for (i = 0; i < all->n; i++) {
        d = &all->done[i];
        printf("%s: %s -> %s, phase %llu%s\n", d->e.name.data,
               nxe_stage_name(d->e.state.stage), nxe_stage_name(d->to.stage),
               (unsigned long long) d->to.phase, cli_written(all->cli, id));
    }

    if (all->n == 0) {
        printf("nothing to %s\n", all->cli->command->name);
    }

    return CLI_DONE;
}


static int
wish_all(cli_t *cli, const nxe_wish_t *wish)
{
    int              rc, published;
    all_t            all;
    uint64_t         id;
    nxe_error_t      err;
    nxe_status_t     st;
    nxe_registry_t  *reg;

    memset(&all, 0, sizeof(all));
    all.cli = cli;
    all.wish = *wish;

    cli_actor(cli, &all.actor);
    all.wish.now = all.actor.now;
    all.wish.by = all.actor.actor;
    all.wish.reason = all.actor.message;

    rc = cli_registry_open(cli, 1, &reg);
    if (rc != CLI_DONE) {
        return rc;
    }

    st = cli_registry_write(cli, reg, work_all, &all, &id, &published, &err);

    if (st == NXE_OK) {
        rc = print_all(&all, id);

        if (rc == CLI_DONE) {
            rc = all.unread != 0 ? CLI_ENV : published;
        }

    } else if (all.refused != NULL) {
        rc = cli_refused(cli, all.refused, st, &all.refusal);

    } else {
        rc = cli_fail(&err);
    }

    free_done(&all);
    nxe_registry_close(reg);

    return rc;
}


static int
run(cli_t *cli, nxe_wish_type_t type)
{
    int         rc;
    nxe_wish_t  wish;

    memset(&wish, 0, sizeof(wish));
    wish.type = type;

    if (cli_has(cli, "all")) {
        if (cli->nargs != 0) {
            return cli_usage(cli, "--all and a NAME exclude each other");
        }

        return wish_all(cli, &wish);
    }

    rc = cli_args(cli, 1, 1);
    if (rc != CLI_DONE) {
        return rc;
    }

    return cli_stage_one(cli, &wish);
}


static int
cmd_pause(cli_t *cli)
{
    return run(cli, NXE_WISH_PAUSE);
}


static int
cmd_resume(cli_t *cli)
{
    return run(cli, NXE_WISH_RESUME);
}


static int
cmd_rollback(cli_t *cli)
{
    return run(cli, NXE_WISH_ROLLBACK);
}


static const cli_opt_t  pause_opts[] = {
    { "all", 0, NULL, 0, "every experiment that is on" },
    { NULL, 0, NULL, 0, NULL }
};

const cli_command_t  cmd_pause_command = {
    "pause", "NAME", "gives everybody the baseline until resume",
    CLI_OUTPUT | CLI_REGISTRY | CLI_WRITES, pause_opts, cmd_pause,
    "The stage becomes paused, the exposure null; what they were is kept, and\n"
    "the phase stays.\n"
    "\n"
    "  expctl pause tone -m \"p95 over 3 s\"\n"
    "  expctl pause --all\n"
};

const cli_command_t  cmd_resume_command = {
    "resume", "NAME", "goes back to the stage before a pause",
    CLI_OUTPUT | CLI_REGISTRY | CLI_WRITES, NULL, cmd_resume,
    "Stage and exposure become what they were before the pause.\n"
};

const cli_command_t  cmd_rollback_command = {
    "rollback", "NAME", "gives everybody the baseline for good",
    CLI_OUTPUT | CLI_REGISTRY | CLI_WRITES, pause_opts, cmd_rollback,
    "After it only \"expctl stage NAME off\" is taken; from off, a new phase\n"
    "begins.\n"
    "\n"
    "  expctl rollback tone -m \"wrong prices\"\n"
    "  expctl rollback --all\n"
};
