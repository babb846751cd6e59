/*
 * The registry as commands use it: opened with a message where that fails,
 * written and published in one go.
 */

#ifndef EXPCTL_REGISTRY_H
#define EXPCTL_REGISTRY_H

#include <nxe/registry.h>
#include <nxe/transition.h>

#include "cli/cli.h"

/* CLI_DONE, or the exit code after a message. */
int cli_registry_open(const cli_t *cli, int writer, nxe_registry_t **reg);

/* Login user and host, label and message of the command line. */
void cli_actor(const cli_t *cli, nxe_actor_t *actor);

/*
 * Finds an experiment; a name that is not there is CLI_USAGE with the nearest
 * one.  The caller calls nxe_experiment_free() after CLI_DONE.
 */
int cli_experiment(const cli_t *cli, nxe_registry_txn_t *txn,
    const char *name, nxe_experiment_t *e);

/*
 * Gives print() the experiment that the first argument names; the exit code is
 * print()'s, or that of cli_experiment().
 */
int cli_show(const cli_t *cli,
    int (*print)(const cli_t *cli, const nxe_experiment_t *e));

/* What cli_experiment() says of a name that is not there. */
int cli_no_experiment(const cli_t *cli, nxe_registry_txn_t *txn,
    const char *name);

/*
 * The live experiments as the transaction has them, what was put in it
 * included; memory of cli.  One that cannot be read is named in a message
 * and left out: it is not served, and holds up nobody.
 */

typedef struct {
    nxe_str_t           key;
    size_t              i;          /* in docs */
} cli_live_key_t;

typedef struct {
    const nxe_doc_t   **docs;
    size_t              n;

    /* sorted; one of layers a document, one of steps each of its steps */
    cli_live_key_t     *layers;
    cli_live_key_t     *steps;
    size_t              nsteps;

    const nxe_doc_t   **others;     /* room to name who shares one */
} cli_live_t;

nxe_status_t cli_live(const cli_t *cli, nxe_registry_txn_t *txn,
    cli_live_t *live, nxe_error_t *err);

/* nxe_transition_live() of a document beside all others of them. */
nxe_status_t cli_live_check(const cli_live_t *live, const nxe_doc_t *doc,
    nxe_refusal_t *refusal);

/*
 * One writing transaction, then its publication, also where nothing was
 * written: what an earlier command did not get to publish is published now.
 * With --dry-run all is undone.  *id is 0 where nothing was committed.
 * The status is work()'s; 'published' is CLI_DONE or CLI_ENV after a message.
 */
nxe_status_t cli_registry_write(const cli_t *cli, nxe_registry_t *reg,
    nxe_registry_work_pt work, void *ctx, uint64_t *id, int *published,
    nxe_error_t *err);

/* ", registry 813", ", dry run", or "". */
const char *cli_written(const cli_t *cli, uint64_t id);

/*
 * Prints a refusal: the sentence and its "next:" to stderr, with -o json also
 * {"experiment","why":[WORD],"message","next"} to stdout.  Returns the exit
 * code of status.
 */
int cli_refused(const cli_t *cli, const char *name, nxe_status_t status,
    const nxe_refusal_t *refusal);

/* "ab, exposure 30 %", "rollout concise", "paused". */
const char *cli_stage_text(const cli_t *cli, const nxe_state_t *state);

/* "15 % join, nobody changes variant" */
const char *cli_movement_text(const cli_t *cli,
    const nxe_movement_t *movement);

#endif /* EXPCTL_REGISTRY_H */
