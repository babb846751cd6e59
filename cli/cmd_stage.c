/*
 * expctl stage: how much traffic an experiment gets.
 */

#include <string.h>

#include "cli/commands.h"
#include "cli/registry.h"
#include "cli/stage.h"


typedef struct {
    const cli_t        *cli;
    const char         *name;
    nxe_wish_t          wish;
    nxe_actor_t         actor;

    /* what the work found and did; set anew by each try */
    nxe_experiment_t    e;
    nxe_state_t         to;
    nxe_refusal_t       refusal;
    unsigned            missing:1;
    unsigned            refused:1;
    unsigned            same:1;
} stage_t;


static nxe_status_t
check_live(nxe_registry_txn_t *txn, stage_t *s, nxe_error_t *err)
{
    cli_live_t    live;
    nxe_status_t  rc;

    rc = cli_live(s->cli, txn, &live, err);
    if (rc != NXE_OK) {
        return rc;
    }

    rc = cli_live_check(&live, s->e.doc, &s->refusal);
    s->refused = rc != NXE_OK;

    return rc;
}


static nxe_status_t
work(nxe_registry_txn_t *txn, void *ctx, nxe_error_t *err)
{
    stage_t       *s;
    nxe_status_t   rc;

    s = ctx;
    nxe_experiment_free(&s->e);
    s->missing = 0;
    s->refused = 0;
    s->same = 0;

    rc = nxe_registry_get(txn, nxe_str_of(s->name), s->cli->mem, &s->e, err);

    if (rc == NXE_DECLINED) {
        s->missing = 1;
        cli_no_experiment(s->cli, txn, s->name);
    }

    if (rc != NXE_OK) {
        return rc;
    }

    rc = nxe_transition(s->e.doc, &s->e.state, &s->wish, &s->to, &s->refusal);

    if (rc == NXE_DECLINED) {
        s->same = 1;
        s->to = s->e.state;
        return NXE_OK;
    }

    s->refused = rc != NXE_OK;

    if (rc == NXE_OK && !nxe_state_live(&s->e.state)
        && nxe_state_live(&s->to))
    {
        rc = check_live(txn, s, err);
    }

    if (rc != NXE_OK) {
        return rc;
    }

    return nxe_registry_put_state(txn, s->e.name, &s->to, &s->actor, err);
}


static const char *
share_text(const cli_t *cli, nxe_u128_t num, nxe_u128_t den)
{
    return cli->format == CLI_CSV ? cli_ratio(cli, num, den)
                                  : cli_percent(cli, num, den);
}


static void
share_row(cli_table_t *t, const stage_t *s, const nxe_force_t *before,
    const nxe_force_t *after, uint32_t v, const char *note)
{
    nxe_u128_t  num, den;

    if (v == NXE_NONE) {
        cli_cell(t, "not exposed");

    } else {
        cli_cell_str(t, s->e.doc->variants[v].name);
    }

    nxe_transition_share(s->e.doc, before, v, &num, &den);
    cli_cell(t, "%s", share_text(s->cli, num, den));

    nxe_transition_share(s->e.doc, after, v, &num, &den);
    cli_cell(t, "%s", share_text(s->cli, num, den));

    cli_cell(t, "%s", note);
}


/* Shares of all units of the layer, before and after. */

static void
print_shares(const stage_t *s)
{
    uint32_t         v;
    nxe_u128_t       in, all;
    nxe_force_t      before, after;
    cli_table_t     *t;
    const char      *part;
    nxe_movement_t   movement;

    if (nxe_state_force(s->e.doc, &s->e.state, &before) != NXE_OK
        || nxe_state_force(s->e.doc, &s->to, &after) != NXE_OK)
    {
        return;
    }

    nxe_movement(s->e.doc, &before, s->e.doc, &after, &movement);

    t = cli_table_new(s->cli, "lrrl", "", "BEFORE", "AFTER", "");

    for (v = 0; v < s->e.doc->nvariants; v++) {
        share_row(t, s, &before, &after, v, "");
    }

    share_row(t, s, &before, &after, NXE_NONE,
              cli_format(s->cli, " %s",
                         cli_movement_text(s->cli, &movement)));

    all = (nxe_u128_t) s->e.doc->layer_from.den * s->e.doc->layer_to.den;
    in = (nxe_u128_t) s->e.doc->layer_to.num * s->e.doc->layer_from.den
         - (nxe_u128_t) s->e.doc->layer_from.num * s->e.doc->layer_to.den;

    if (in != all) {
        part = share_text(s->cli, all - in, all);
        cli_cell(t, "outside");
        cli_cell(t, "%s", part);
        cli_cell(t, "%s", part);
        cli_cell(t, " not in this experiment's range of layer '%.*s'",
                 (int) s->e.doc->layer.len, s->e.doc->layer.data);
    }

    cli_table_print(t, stdout);
}


/* "canary -> ab, exposure 5 % -> 20 %", each once where it stays the same. */

static const char *
change_text(const cli_t *cli, const nxe_state_t *from, const nxe_state_t *to)
{
    const char  *a, *b, *exposure;

    a = from->stage == NXE_STAGE_ROLLOUT
        ? cli_stage_text(cli, from) : nxe_stage_name(from->stage);
    b = to->stage == NXE_STAGE_ROLLOUT
        ? cli_stage_text(cli, to) : nxe_stage_name(to->stage);

    if (strcmp(a, b) != 0) {
        a = cli_format(cli, "%s -> %s", a, b);
    }

    exposure = "";

    if (to->has_exposure) {
        exposure = from->has_exposure
                   && nxe_frac_cmp(from->exposure, to->exposure) != 0
                   ? cli_format(cli, ", exposure %s -> %s",
                                cli_exposure(cli, from->exposure),
                                cli_exposure(cli, to->exposure))
                   : cli_format(cli, ", exposure %s",
                                cli_exposure(cli, to->exposure));
    }

    return cli_format(cli, "%s%s", a, exposure);
}


void
cli_state_json(nxe_buf_t *b, nxe_str_t name, const nxe_state_t *state,
    uint64_t id)
{
    nxe_state_print(name, state, b);

    if (b->status == NXE_OK) {
        b->len--;                       /* the closing brace */
    }

    if (id != 0) {
        nxe_buf_addf(b, ",\"registry\":%llu}\n", (unsigned long long) id);

    } else {
        nxe_buf_add(b, nxe_str(",\"registry\":null}\n"));
    }
}


static int
print_result(const stage_t *s, uint64_t id, int shares)
{
    nxe_buf_t     b;
    const cli_t  *cli;

    cli = s->cli;

    if (cli->format == CLI_JSON) {
        nxe_buf_init(&b, 1 << 20);
        cli_state_json(&b, s->e.name, &s->to, id);

        return cli_print_json(&b);
    }

    if (cli->format == CLI_TABLE) {
        printf("%s: %s%s, phase %llu%s\n", s->name,
               s->same ? "stays " : "",
               change_text(cli, &s->e.state, &s->to),
               (unsigned long long) s->to.phase, cli_written(cli, id));
    }

    if (shares && (!s->same || cli->format == CLI_CSV)) {
        print_shares(s);
    }

    return CLI_DONE;
}


/* Shared with resume: one experiment, one wish. */

int
cli_stage_one(cli_t *cli, const nxe_wish_t *wish)
{
    int              rc, published;
    stage_t          s;
    uint64_t         id;
    nxe_error_t      err;
    nxe_status_t     st;
    nxe_registry_t  *reg;

    memset(&s, 0, sizeof(s));
    s.cli = cli;
    s.name = cli->args[0];
    s.wish = *wish;

    cli_actor(cli, &s.actor);
    s.wish.now = s.actor.now;
    s.wish.by = s.actor.actor;
    s.wish.reason = s.actor.message;

    rc = cli_registry_open(cli, 1, &reg);
    if (rc != CLI_DONE) {
        return rc;
    }

    st = cli_registry_write(cli, reg, work, &s, &id, &published, &err);

    if (st == NXE_OK) {
        rc = print_result(&s, id, cli->format != CLI_JSON);

        if (rc == CLI_DONE) {
            rc = published;
        }

    } else if (s.missing) {
        rc = CLI_USAGE;

    } else if (s.refused) {
        rc = cli_refused(cli, s.name, st, &s.refusal);

    } else {
        rc = cli_fail(&err);
    }

    nxe_experiment_free(&s.e);
    nxe_registry_close(reg);

    return rc;
}


/* "concise=10%" */

static int
parse_share(cli_t *cli, const char *text, nxe_wish_t *wish)
{
    const char  *eq;

    eq = strrchr(text, '=');

    if (eq == NULL || eq == text
        || nxe_frac_parse_share(nxe_str_of(eq + 1), &wish->share) != NXE_OK)
    {
        return cli_usage(cli, "'%s' is no share, expected VARIANT=P with P "
                         "10%% or 0.1", text);
    }

    wish->has_share = 1;
    wish->variant = (nxe_str_t) { text, (size_t) (eq - text) };

    return CLI_DONE;
}


static int
parse_stage(cli_t *cli, const char *word, nxe_stage_t *stage)
{
    const char  *near;

    static const char *const  stages[] = {
        "off", "canary", "ab", "rollout", NULL
    };

    if (nxe_stage_parse(nxe_str_of(word), stage) == NXE_OK
        && *stage <= NXE_STAGE_ROLLOUT)
    {
        return CLI_DONE;
    }

    if (strcmp(word, "paused") == 0) {
        return cli_usage(cli, "'paused' is what expctl pause does");
    }

    if (strcmp(word, "rolled_back") == 0) {
        return cli_usage(cli, "'rolled_back' is what expctl rollback does");
    }

    near = cli_near(word, stages);

    return near != NULL
           ? cli_usage(cli, "unknown stage '%s', near: %s", word, near)
           : cli_usage(cli, "unknown stage '%s', expected off, canary, ab or "
                       "rollout", word);
}


static int
cmd_stage(cli_t *cli)
{
    int          rc;
    nxe_wish_t   wish;
    const char  *s;

    rc = cli_args(cli, 2, 2);
    if (rc != CLI_DONE) {
        return rc;
    }

    memset(&wish, 0, sizeof(wish));
    wish.type = NXE_WISH_STAGE;

    rc = parse_stage(cli, cli->args[1], &wish.stage);
    if (rc != CLI_DONE) {
        return rc;
    }

    s = cli_opt(cli, "variant");

    if (s != NULL) {
        wish.variant = nxe_str_of(s);
    }

    s = cli_opt(cli, "exposure");

    if (s != NULL) {
        if (nxe_frac_parse_share(nxe_str_of(s), &wish.exposure) != NXE_OK) {
            return cli_usage(cli, "'%s' is no exposure, expected 10%% or 0.1",
                             s);
        }

        wish.has_exposure = 1;
    }

    s = cli_opt(cli, "share");

    if (s != NULL) {
        if (cli_has(cli, "variant")) {
            return cli_usage(cli, "--share names its variant itself");
        }

        rc = parse_share(cli, s, &wish);
        if (rc != CLI_DONE) {
            return rc;
        }
    }

    return cli_stage_one(cli, &wish);
}


static const cli_opt_t  stage_opts[] = {
    { "exposure", 0, "P", 0,
      "the part of the range that gets a variant: 10% or 0.1" },
    { "share", 0, "V=P", 0,
      "the exposure at which variant V has P of the layer's traffic" },
    { "variant", 0, "V", 0, "what a rollout gives to all" },
    { NULL, 0, NULL, 0, NULL }
};

const cli_command_t  cmd_stage_command = {
    "stage", "NAME off/canary/ab/rollout",
    "sets how much traffic an experiment gets",
    CLI_OUTPUT | CLI_REGISTRY | CLI_WRITES, stage_opts, cmd_stage,
    "off      nobody gets a variant, the document may change freely\n"
    "canary   a small part, 5 % unless told\n"
    "ab       the test itself, 100 % unless told\n"
    "rollout  all targeted units get --variant V; a new phase begins\n"
    "\n"
    "The share of a variant is layer width x exposure x weight. A change of\n"
    "exposure moves units only between a variant and not exposed. From off,\n"
    "and into and out of a rollout, a new phase begins.\n"
    "\n"
    "  expctl stage tone canary -m \"first light\"\n"
    "  expctl stage tone ab --share concise=10%\n"
    "  expctl stage tone rollout --variant concise\n"
};
