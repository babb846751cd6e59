/*
 * expctl apply: documents into the registry, all or none.
 */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cli/apply.h"
#include "cli/commands.h"
#include "cli/registry.h"


static nxe_status_t
refuse(apply_t *a, const apply_item_t *item, nxe_status_t rc, const char *why)
{
    a->refused = item->file.doc->name.data;
    a->refusal.why = why;
    a->refusal.next[0] = '\0';

    return rc;
}


/* The state under which traffic is, or would be after a resume. */

static nxe_status_t
force_of(const nxe_doc_t *doc, const nxe_state_t *state, nxe_force_t *force)
{
    nxe_state_t  s;

    s = *state;

    if (s.stage == NXE_STAGE_PAUSED && s.has_former) {
        s.stage = s.former_stage;
        s.exposure = s.former_exposure;
        s.has_exposure = s.former_has_exposure;
        s.variant = s.former_variant;
    }

    return nxe_state_force(doc, &s, force);
}


/*
 * What the documents may be beside each other and those that are there, once
 * all of them are put: two that swap their ranges are never both in one.
 */

static nxe_status_t
check_live(apply_t *a, nxe_registry_txn_t *txn, nxe_error_t *err)
{
    size_t         i;
    apply_item_t        *item;
    cli_live_t     live;
    nxe_status_t   rc;

    live.docs = NULL;

    for (i = 0; i < a->n; i++) {
        item = &a->items[i];

        if (item->outcome == APPLY_UNCHANGED || !nxe_state_live(&item->to)) {
            continue;
        }

        if (live.docs == NULL) {
            rc = cli_live(a->cli, txn, &live, err);
            if (rc != NXE_OK) {
                return rc;
            }
        }

        rc = cli_live_check(&live, item->file.doc, &a->refusal);
        if (rc != NXE_OK) {
            a->refused = item->file.doc->name.data;
            return rc;
        }
    }

    return NXE_OK;
}


static nxe_status_t
check_name(apply_t *a, const apply_item_t *item, nxe_error_t *err)
{
    nxe_str_t     name, other;
    nxe_status_t  rc;

    name = item->file.doc->name;
    rc = names_clash(a->names, name, &other);

    if (rc == NXE_NOMEM) {
        return nxe_fail(err, rc, "out of memory");
    }

    if (rc != NXE_CONFLICT) {
        return rc;
    }

    snprintf(a->refusal.text, sizeof(a->refusal.text),
             "the name '%s' equals '%s' in $experiment_variant_NAME, "
             "where it is lower case with - and . as _",
             name.data, other.data);

    return refuse(a, item, NXE_INVALID, "name");
}


static nxe_status_t
check_revision(apply_t *a, const apply_item_t *item, uint64_t revision)
{
    if (!a->has_revision || a->revision == revision) {
        return NXE_OK;
    }

    if (revision == 0) {
        snprintf(a->refusal.text, sizeof(a->refusal.text),
                 "%s is not there, --if-revision is %llu",
                 item->file.doc->name.data, (unsigned long long) a->revision);

    } else {
        snprintf(a->refusal.text, sizeof(a->refusal.text),
                 "%s has revision %llu, --if-revision is %llu",
                 item->file.doc->name.data, (unsigned long long) revision,
                 (unsigned long long) a->revision);
    }

    refuse(a, item, NXE_CONFLICT, "revision");

    if (revision != 0) {
        snprintf(a->refusal.next, sizeof(a->refusal.next), "expctl get %s",
                 item->file.doc->name.data);
    }

    return NXE_CONFLICT;
}


static nxe_status_t
create(apply_t *a, nxe_registry_txn_t *txn, apply_item_t *item,
    nxe_error_t *err)
{
    nxe_force_t   after;
    nxe_status_t  rc;

    item->outcome = APPLY_CREATED;

    rc = check_revision(a, item, 0);

    if (rc == NXE_OK) {
        rc = check_name(a, item, err);
    }

    if (rc != NXE_OK) {
        return rc;
    }

    rc = nxe_transition_create(item->file.doc, &a->wish, &item->to,
                               &a->refusal);
    if (rc != NXE_OK) {
        a->refused = item->file.doc->name.data;
        return rc;
    }

    if (nxe_state_live(&item->to)
        && nxe_state_force(item->file.doc, &item->to, &after) == NXE_OK)
    {
        nxe_movement(NULL, NULL, item->file.doc, &after, &item->movement);
        item->moved = 1;
    }

    rc = nxe_registry_put_doc(txn, item->file.doc->name, item->file.canonical,
                              &item->to, &a->actor, err);
    if (rc != NXE_OK) {
        return rc;
    }

    return nxe_registry_put_state(txn, item->file.doc->name, &item->to,
                                  &a->actor, err);
}


static nxe_status_t
update(apply_t *a, nxe_registry_txn_t *txn, apply_item_t *item,
    nxe_error_t *err)
{
    int           traffic;
    const char   *what;
    nxe_force_t   before, after;
    nxe_status_t  rc;

    rc = check_revision(a, item, item->before.state.revision);
    if (rc != NXE_OK) {
        return rc;
    }

    if (nxe_str_eq(item->before.json, item->file.canonical)) {
        item->outcome = APPLY_UNCHANGED;
        item->to = item->before.state;
        return NXE_OK;
    }

    item->outcome = APPLY_UPDATED;
    what = "what units get";
    traffic = nxe_doc_changes_traffic(item->before.tree, item->file.tree,
                                      &what);

    rc = nxe_transition_update(item->file.doc, &item->before.state, traffic,
                               what, a->new_phase, &a->wish, &item->to,
                               &a->refusal);
    if (rc != NXE_OK) {
        a->refused = item->file.doc->name.data;
        return rc;
    }

    rc = nxe_registry_put_doc(txn, item->file.doc->name, item->file.canonical,
                              &item->to, &a->actor, err);

    if (rc != NXE_OK || item->to.phase == item->before.state.phase) {
        return rc;
    }

    if (force_of(item->before.doc, &item->before.state, &before) == NXE_OK
        && force_of(item->file.doc, &item->to, &after) == NXE_OK)
    {
        nxe_movement(item->before.doc, &before, item->file.doc, &after,
                     &item->movement);
        item->moved = 1;
    }

    return nxe_registry_put_state(txn, item->file.doc->name, &item->to,
                                  &a->actor, err);
}


/* Those that are there, and those of the batch. */

static nxe_status_t
all_names(apply_t *a, nxe_registry_txn_t *txn, nxe_error_t *err)
{
    size_t        i, n;
    nxe_str_t    *there;
    nxe_status_t  rc;

    rc = nxe_registry_names(txn, a->cli->mem, &there, &n, err);
    if (rc != NXE_OK) {
        return rc;
    }

    a->names = names_new(a->cli->mem, n + a->n);

    for (i = 0; a->names != NULL && i < n + a->n; i++) {
        if (names_add(a->names, i < n ? there[i]
                                      : a->items[i - n].file.doc->name)
            != NXE_OK)
        {
            a->names = NULL;
        }
    }

    if (a->names == NULL) {
        return nxe_fail(err, NXE_NOMEM, "out of memory");
    }

    names_sort(a->names);

    return NXE_OK;
}


static nxe_status_t
work(nxe_registry_txn_t *txn, void *ctx, nxe_error_t *err)
{
    size_t         i;
    apply_item_t        *item;
    apply_t       *a;
    nxe_status_t   rc;

    a = ctx;
    a->refused = NULL;

    rc = all_names(a, txn, err);
    if (rc != NXE_OK) {
        return rc;
    }

    for (i = 0; i < a->n; i++) {
        item = &a->items[i];
        item->moved = 0;
        nxe_experiment_free(&item->before);

        rc = nxe_registry_get(txn, item->file.doc->name, a->cli->mem,
                              &item->before, err);

        if (rc == NXE_DECLINED) {
            rc = create(a, txn, item, err);

        } else if (rc == NXE_OK) {
            rc = update(a, txn, item, err);
        }

        if (rc != NXE_OK) {
            return rc;
        }
    }

    return check_live(a, txn, err);
}


/* Every document of a path, behind those that are there. */

static int
load_path(cli_t *cli, apply_t *a, const char *path)
{
    int           rc, one;
    size_t        i, n;
    apply_item_t       *items;
    const char  **paths;

    rc = docfile_list(cli, path, &paths, &n);
    if (rc != CLI_DONE) {
        return rc;
    }

    items = nxe_calloc(cli->mem, (a->n + n + 1) * sizeof(apply_item_t));
    if (items == NULL) {
        cli_error("out of memory");
        return CLI_ENV;
    }

    if (a->n != 0) {
        memcpy(items, a->items, a->n * sizeof(apply_item_t));
    }

    a->items = items;

    /* all faults of all files are shown */

    for (i = 0; i < n; i++) {
        one = docfile_load(cli, paths[i], "nothing was changed",
                           &items[a->n].file);

        if (one == CLI_DONE) {
            a->n++;

        } else if (rc == CLI_DONE) {
            rc = one;
        }
    }

    return rc;
}


/* By name, then as they came. */

static int
by_name(const void *one, const void *two)
{
    int                   rc;
    const apply_item_t *const  *a, *const *b;

    a = one;
    b = two;
    rc = nxe_str_cmp((*a)->file.doc->name, (*b)->file.doc->name);

    return rc != 0 ? rc : (*a > *b) - (*a < *b);
}


static int
check_batch(cli_t *cli, const apply_t *a)
{
    size_t          i;
    nxe_str_t       name;
    const apply_item_t  **items;

    items = nxe_calloc(cli->mem, (a->n + 1) * sizeof(apply_item_t *));
    if (items == NULL) {
        cli_error("out of memory");
        return CLI_ENV;
    }

    for (i = 0; i < a->n; i++) {
        items[i] = &a->items[i];
    }

    qsort(items, a->n, sizeof(apply_item_t *), by_name);

    for (i = 1; i < a->n; i++) {
        name = items[i]->file.doc->name;

        if (nxe_str_eq(items[i - 1]->file.doc->name, name)) {
            cli_error("experiment '%s' is in '%s' and in '%s', nothing "
                      "was changed", name.data, items[i - 1]->file.path,
                      items[i]->file.path);
            return CLI_USAGE;
        }
    }

    if (a->has_revision && a->n != 1) {
        return cli_usage(cli, "--if-revision is for one document, here are "
                         "%zu", a->n);
    }

    return CLI_DONE;
}


static int
load_all(cli_t *cli, apply_t *a)
{
    int          i, n, rc, one, stdins;
    const char  *path;

    n = cli_opt_count(cli, "file");

    if (n == 0) {
        return cli_usage(cli, "apply needs -f FILE, DIR or -");
    }

    rc = CLI_DONE;

    for (i = 0, stdins = 0; i < n + cli->nargs; i++) {
        path = i < n ? cli_opt_at(cli, "file", i) : cli->args[i - n];
        stdins += strcmp(path, "-") == 0;

        if (stdins > 1) {
            return cli_usage(cli, "stdin (-) can be read only once");
        }

        one = load_path(cli, a, path);
        if (one != CLI_DONE && rc == CLI_DONE) {
            rc = one;
        }
    }

    if (rc != CLI_DONE) {
        return rc;
    }

    if (a->n == 0) {
        cli_error("there are no *.json in '%s'", cli_opt(cli, "file"));
        return CLI_USAGE;
    }

    return check_batch(cli, a);
}


static int
write_all(cli_t *cli, apply_t *a)
{
    int              rc, published;
    size_t           i;
    uint64_t         id;
    nxe_error_t      err;
    nxe_status_t     st;
    nxe_registry_t  *reg;

    rc = cli_registry_open(cli, 1, &reg);
    if (rc != CLI_DONE) {
        return rc;
    }

    st = cli_registry_write(cli, reg, work, a, &id, &published, &err);

    if (st == NXE_OK) {

        for (i = 0; i < a->n; i++) {
            docfile_warn(cli, &a->items[i].file);
        }

        rc = apply_print(a, id);

        if (rc == CLI_DONE) {
            rc = published;
        }

    } else if (a->refused != NULL) {
        rc = cli_refused(cli, a->refused, st, &a->refusal);

    } else {
        rc = cli_fail(&err);
    }

    nxe_registry_close(reg);

    return rc;
}


static int
cmd_apply(cli_t *cli)
{
    int          rc;
    char        *end;
    size_t       i;
    apply_t      a;
    const char  *s;

    memset(&a, 0, sizeof(a));
    a.cli = cli;
    a.new_phase = cli_has(cli, "new-phase");

    s = cli_opt(cli, "if-revision");

    if (s != NULL) {
        a.has_revision = 1;
        a.revision = strtoull(s, &end, 10);

        if (!isdigit((unsigned char) *s) || *end != '\0'
            || strlen(s) > 18)
        {
            return cli_usage(cli, "'%s' is no revision, expected a number, "
                             "0 for one that is not there yet", s);
        }
    }

    cli_actor(cli, &a.actor);
    a.wish.now = a.actor.now;
    a.wish.by = a.actor.actor;
    a.wish.reason = a.actor.message;

    rc = load_all(cli, &a);

    if (rc == CLI_DONE) {
        rc = write_all(cli, &a);
    }

    for (i = 0; i < a.n; i++) {
        docfile_free(&a.items[i].file);
        nxe_experiment_free(&a.items[i].before);
    }

    return rc;
}


static const cli_opt_t  apply_opts[] = {
    { "file", 'f', "FILE/DIR/-", CLI_OPT_MANY,
      "a document, a folder of them (*.json), or stdin" },
    { "new-phase", 0, NULL, 0,
      "begin a new phase where a live one would change" },
    { "if-revision", 0, "N", 0,
      "only if revision N is there, 0 for none" },
    { NULL, 0, NULL, 0, NULL }
};

const cli_command_t  cmd_apply_command = {
    "apply", "-f FILE/DIR/-", "writes documents, all or none",
    CLI_OUTPUT | CLI_REGISTRY | CLI_WRITES, apply_opts, cmd_apply,
    "Creates what is not there (revision 1, phase 1, in the stage that the\n"
    "document wishes) and updates what differs. State is left alone: what is\n"
    "paused stays paused. While an experiment is live, what a unit gets\n"
    "changes only with --new-phase. A unit that clients choose, and with it\n"
    "a route or a request header, is warned of, and so is a step on which no\n"
    "variant changes anything.\n"
    "\n"
    "  expctl apply -f tone.json\n"
    "  expctl apply -f experiments/ -m \"release 12\"\n"
};
