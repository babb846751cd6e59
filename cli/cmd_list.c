/*
 * expctl list: the experiments, a line each.
 */

#include <string.h>

#include "cli/commands.h"
#include "cli/registry.h"


static void
add_text(nxe_buf_t *b, nxe_str_t s)
{
    if (s.len == 0) {
        nxe_buf_add(b, nxe_str("null"));
        return;
    }

    nxe_buf_add_json(b, s);
}


static void
add_json(nxe_buf_t *b, const nxe_experiment_t *e)
{
    char  buf[NXE_DOUBLE_LEN];

    nxe_buf_add(b, nxe_str("{\"name\":"));
    nxe_buf_add_json(b, e->name);
    nxe_buf_addf(b, ",\"stage\":\"%s\",\"exposure\":",
                 nxe_stage_name(e->state.stage));

    if (e->state.has_exposure) {
        nxe_buf_add(b, (nxe_str_t) { buf,
            nxe_double_print(nxe_frac_double(e->state.exposure), buf) });

    } else {
        nxe_buf_add(b, nxe_str("null"));
    }

    nxe_buf_addf(b, ",\"variants\":%u,\"layer\":", e->doc->nvariants);
    nxe_buf_add_json(b, e->doc->layer);
    nxe_buf_add(b, nxe_str(",\"owner\":"));
    add_text(b, e->doc->owner);
    nxe_buf_addf(b, ",\"revision\":%llu,\"phase\":%llu,\"since\":",
                 (unsigned long long) e->state.revision,
                 (unsigned long long) e->state.phase);
    add_text(b, e->state.since);
    nxe_buf_add(b, nxe_str(",\"note\":"));
    add_text(b, e->state.reason);
    nxe_buf_add(b, nxe_str("}\n"));
}


/* For programs: numbers as they are, nothing for what is not there. */

static void
add_csv(const cli_t *cli, cli_table_t *t, const nxe_experiment_t *e)
{
    cli_cell_str(t, e->name);
    cli_cell(t, "%s", nxe_stage_name(e->state.stage));
    cli_cell(t, "%s", e->state.has_exposure
                      ? cli_ratio(cli, e->state.exposure.num,
                                  e->state.exposure.den) : "");
    cli_cell(t, "%u", e->doc->nvariants);
    cli_cell_str(t, e->doc->layer);
    cli_cell_str(t, e->doc->owner);
    cli_cell_str(t, e->state.since);
    cli_cell_str(t, e->state.reason);
}


static void
add_row(const cli_t *cli, cli_table_t *t, const nxe_experiment_t *e)
{
    cli_cell_str(t, e->name);
    cli_cell(t, "%s", nxe_stage_name(e->state.stage));
    cli_cell(t, "%s", e->state.has_exposure
                      ? cli_exposure(cli, e->state.exposure) : "-");
    cli_cell(t, "%u", e->doc->nvariants);
    cli_cell_str(t, e->doc->layer);

    cli_cell_str(t, e->doc->owner.len != 0 ? e->doc->owner : nxe_str("-"));
    cli_cell(t, "%s", cli_ago(cli, e->state.since));
    cli_cell_str(t, e->state.reason);
}


static int
is_asked(const cli_t *cli, const nxe_experiment_t *e)
{
    const char  *s;

    s = cli_opt(cli, "layer");
    if (s != NULL && !nxe_str_eq(e->doc->layer, nxe_str_of(s))) {
        return 0;
    }

    s = cli_opt(cli, "stage");

    return s == NULL || strcmp(s, nxe_stage_name(e->state.stage)) == 0;
}


static int
print_list(const cli_t *cli, nxe_registry_txn_t *txn)
{
    int                rc;
    size_t             i, n;
    nxe_buf_t          b;
    nxe_str_t         *names;
    nxe_error_t        err;
    cli_table_t       *t;
    nxe_status_t       st;
    nxe_experiment_t   e;

    if (nxe_registry_names(txn, cli->mem, &names, &n, &err) != NXE_OK) {
        return cli_fail(&err);
    }

    nxe_buf_init(&b, (size_t) 1 << 30);

    t = cli_table_new(cli, "llrrccrl", "NAME", "STAGE", "EXPOSURE",
                      "VARIANTS", "LAYER", "OWNER", "SINCE", "NOTE");
    rc = CLI_DONE;

    for (i = 0; i < n; i++) {
        st = nxe_registry_get(txn, names[i], cli->mem, &e, &err);

        if (st != NXE_OK) {
            /* one that cannot be read does not hide the others */
            rc = cli_fail(&err);
            continue;
        }

        if (is_asked(cli, &e)) {
            if (cli->format == CLI_JSON) {
                add_json(&b, &e);

            } else if (cli->format == CLI_CSV) {
                add_csv(cli, t, &e);

            } else {
                add_row(cli, t, &e);
            }
        }

        nxe_experiment_free(&e);
    }

    if (cli->format != CLI_JSON) {
        cli_table_print(t, stdout);

    } else if (cli_print_json(&b) != CLI_DONE) {
        rc = CLI_ENV;
    }

    if (n == 0) {
        cli_next(cli, "expctl apply -f FILE");
    }

    return rc;
}


static int
cmd_list(cli_t *cli)
{
    int                   rc;
    nxe_error_t           err;
    nxe_stage_t           stage;
    const char           *s;
    nxe_registry_t       *reg;
    nxe_registry_txn_t   *txn;

    rc = cli_args(cli, 0, 0);
    if (rc != CLI_DONE) {
        return rc;
    }

    s = cli_opt(cli, "stage");

    if (s != NULL && nxe_stage_parse(nxe_str_of(s), &stage) != NXE_OK) {
        return cli_usage(cli, "unknown stage '%s', expected off, canary, ab, "
                         "rollout, paused or rolled_back", s);
    }

    rc = cli_registry_open(cli, 0, &reg);
    if (rc != CLI_DONE) {
        return rc;
    }

    if (nxe_registry_begin(reg, &txn, &err) == NXE_OK) {
        rc = print_list(cli, txn);
        nxe_registry_end(txn);

    } else {
        rc = cli_fail(&err);
    }

    nxe_registry_close(reg);

    return rc;
}


static const cli_opt_t  list_opts[] = {
    { "all", 0, NULL, 0, "those that are archived, too" },
    { "layer", 0, "L", 0, "only those of layer L" },
    { "stage", 0, "S", 0, "only those in stage S" },
    { NULL, 0, NULL, 0, NULL }
};

const cli_command_t  cmd_list_command = {
    "list", "", "lists the experiments",
    CLI_OUTPUT | CLI_REGISTRY, list_opts, cmd_list,
    "NOTE is the message of the last change of state. With -o json, one\n"
    "object a line.\n"
};
