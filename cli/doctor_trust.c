/*
 * doctor: locations that bind an experiment of high risk and do not say that
 * its unit is verified.
 */

#include <fnmatch.h>
#include <string.h>

#include <nxe/trust.h>

#include "cli/docfile.h"
#include "cli/doctor.h"


/* What holds in a block: its own directives, else those around it. */

typedef struct {
    const nginx_directive_t *bind;
    const nginx_directive_t *trusted;
} level_t;

/* The locations of one kind: the first of them, and how many there are. */

typedef struct {
    const nginx_directive_t *location;
    const char              *sources;   /* that it does not take */
    unsigned                 n;
} found_t;

typedef struct {
    doctor_t                *d;
    const nxe_experiment_t  *e;
    level_t                  level;
    found_t                  none;      /* takes no source */
    found_t                  some;      /* takes some of them */
} walk_t;

typedef void (*each_pt)(walk_t *w, const nginx_directive_t *t);


static void in_block(walk_t *w, const nginx_directive_t *block,
    const char *file, each_pt each);


/* The files that "nginx -T" has printed for an include. */

static void
in_files(walk_t *w, const nginx_directive_t *include, each_pt each)
{
    const char               *pattern, *file;
    const nginx_directive_t  *t;

    pattern = nginx_path(w->d->cli, w->d->nginx.conf, include->words[1]);

    for (t = w->d->nginx.first, file = NULL; t != NULL; t = t->next) {

        if (t->file == file) {
            continue;
        }

        file = t->file;

        if (strcmp(pattern, file) == 0
            || fnmatch(pattern, file, FNM_PATHNAME|FNM_PERIOD) == 0)
        {
            in_block(w, NULL, file, each);
        }
    }
}


/* The directives of a block, or where that is NULL of a file. */

static void
in_block(walk_t *w, const nginx_directive_t *block, const char *file,
    each_pt each)
{
    const nginx_directive_t  *t;

    for (t = w->d->nginx.first; t != NULL; t = t->next) {

        if (t->parent != block || (block == NULL && t->file != file)) {
            continue;
        }

        if (strcmp(t->words[0], "include") == 0 && t->nwords == 2) {
            in_files(w, t, each);

        } else {
            each(w, t);
        }
    }
}


static void
read_level(walk_t *w, const nginx_directive_t *t)
{
    if (strcmp(t->words[0], "experiment") == 0) {
        w->level.bind = t;

    } else if (strcmp(t->words[0], "experiment_trusted") == 0) {
        w->level.trusted = t;
    }
}


static int
bound(const walk_t *w)
{
    unsigned                  i;
    const nginx_directive_t  *b;

    b = w->level.bind;

    for (i = 1; b != NULL && i < b->nwords; i++) {
        if (doctor_binds(b->words[i], w->e)) {
            return 1;
        }
    }

    return 0;
}


static void
check_location(walk_t *w, const nginx_directive_t *location)
{
    uint32_t        i, taken;
    unsigned        word;
    found_t        *found;
    const cli_t    *cli;
    const char     *sources, *source;
    nxe_trusted_t   trusted;

    if (!bound(w)) {
        return;
    }

    cli = w->d->cli;
    memset(&trusted, 0, sizeof(trusted));

    if (w->level.trusted != NULL) {
        trusted.names = nxe_calloc(cli->mem, w->level.trusted->nwords
                                             * sizeof(nxe_str_t));
        if (trusted.names == NULL) {
            return;
        }

        for (word = 1; word < w->level.trusted->nwords; word++) {
            (void) nxe_trusted_add(&trusted,
                                   nxe_str_of(w->level.trusted->words[word]));
        }
    }

    sources = NULL;
    taken = 0;

    for (i = 0; i < w->e->doc->nsources; i++) {

        if (nxe_source_verified(&trusted, &w->e->doc->sources[i])) {
            taken++;
            continue;
        }

        source = docfile_source(w->e->tree, i);
        sources = sources == NULL ? source
                                  : cli_format(cli, "%s, %s", sources, source);
    }

    if (sources == NULL) {
        return;
    }

    found = taken == 0 ? &w->none : &w->some;

    if (found->n++ == 0) {
        found->location = location;
        found->sources = sources;
    }
}


/* Levels are read whole first: a directive may stand behind a location. */

static void
walk_block(walk_t *w, const nginx_directive_t *t)
{
    level_t  outer;

    if (strcmp(t->words[0], "http") != 0
        && strcmp(t->words[0], "server") != 0
        && strcmp(t->words[0], "location") != 0)
    {
        return;
    }

    outer = w->level;

    in_block(w, t, NULL, read_level);

    if (strcmp(t->words[0], "location") == 0) {
        check_location(w, t);
    }

    in_block(w, t, NULL, walk_block);

    w->level = outer;
}


static void
say(const walk_t *w, const found_t *found, doctor_level_t level,
    const char *what)
{
    unsigned      i;
    const char   *name;
    const cli_t  *cli;

    if (found->n == 0) {
        return;
    }

    cli = w->d->cli;
    name = "";

    for (i = 1; i < found->location->nwords; i++) {
        name = cli_format(cli, "%s %s", name, found->location->words[i]);
    }

    doctor_add(w->d, "nginx", level, "experiment_trusted there, where an "
               "access-phase module has verified it",
               "%s, risk high, %s in location%s, %s:%u%s: %s not in "
               "experiment_trusted", w->e->name.data, what, name,
               found->location->file, found->location->line,
               found->n == 1 ? "" : cli_format(cli, " and %u more",
                                               found->n - 1),
               found->sources);
}


void
doctor_trust(doctor_t *d)
{
    size_t  i;
    walk_t  w;

    for (i = 0; i < d->nexperiments && d->nginx.first != NULL; i++) {
        memset(&w, 0, sizeof(w));
        w.d = d;
        w.e = &d->experiments[i];

        if (!nxe_state_live(&w.e->state)
            || !nxe_doc_wants_verified(w.e->doc))
        {
            continue;
        }

        in_block(&w, NULL, d->nginx.first->file, walk_block);

        say(&w, &w.none, DOCTOR_FAIL, "has no unit");
        say(&w, &w.some, DOCTOR_WARN, "does not take all units");
    }
}
