/*
 * What expctl top prints.
 */

#ifndef EXPCTL_TOPSHOW_H
#define EXPCTL_TOPSHOW_H

#include "cli/topdata.h"


typedef struct {
    const cli_t         *cli;       /* its memory is that of one picture */
    const top_sample_t  *now;
    const top_sample_t  *old;       /* NULL: since the counters began */
    const char          *trouble;   /* why now is not of now, or NULL */
    int                  lines;     /* of the terminal; 0: no bound */
    int                  again;     /* not the first one */
} top_view_t;

/*
 * Prints one picture, of the experiments of the command line or, if it has
 * none, of all.  CLI_DONE or CLI_ENV.
 */
int top_show(const top_view_t *view);

/* 1 if the experiment is one of those that are asked for. */
int top_wanted(const cli_t *cli, const top_experiment_t *e);

/*
 * CLI_USAGE after a message, with what is near, if a name of the command line
 * is none of the sample's; where some are not listed, it may be one of them.
 */
int top_named(const cli_t *cli, const top_sample_t *sample);

/* Seconds that the figures are of; 0: not known. */
double top_seconds(const top_view_t *view);

/* topdump.c: as JSON, as CSV. */

int top_dump_json(const top_view_t *view);
int top_dump_csv(const top_view_t *view);


#endif /* EXPCTL_TOPSHOW_H */
