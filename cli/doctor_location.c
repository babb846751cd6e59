/*
 * doctor: locations that bind an experiment and keep it from working: its
 * risk is high and they do not say that its unit is verified, or it edits
 * bodies and they send another.
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
    const nginx_directive_t *set_body;
    const nginx_directive_t *pass_body;
    const nginx_directive_t *edits;
    int                      answers;   /* by itself: sends nothing, and has
                                           units of its own.  Not inherited */
} level_t;

/* The locations of one kind: the first of them, and how many there are. */

typedef struct {
    const nginx_directive_t *location;
    const char              *what;      /* sources that it does not take, or
                                           what it sends */
    unsigned                 n;
} found_t;

typedef struct {
    doctor_t                *d;
    const nxe_experiment_t  *e;
    level_t                  level;
    found_t                  none;      /* takes no source */
    found_t                  some;      /* takes some of them */
    found_t                  other;     /* sends another body */
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

    } else if (strcmp(t->words[0], "proxy_set_body") == 0) {
        w->level.set_body = t;

    } else if (strcmp(t->words[0], "proxy_pass_request_body") == 0) {
        w->level.pass_body = t;

    } else if (strcmp(t->words[0], "experiment_body") == 0) {
        w->level.edits = t;

    } else if (strcmp(t->words[0], "experiment_ofrep") == 0
               || strcmp(t->words[0], "experiment_feedback") == 0)
    {
        w->level.answers = 1;
    }
}


static int
says_off(const nginx_directive_t *t)
{
    return t != NULL && t->nwords == 2 && strcmp(t->words[1], "off") == 0;
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
add(found_t *found, const nginx_directive_t *location, const char *what)
{
    if (found->n++ == 0) {
        found->location = location;
        found->what = what;
    }
}


static void
check_body(walk_t *w, const nginx_directive_t *location)
{
    uint32_t  i;

    if (says_off(w->level.edits)) {
        return;
    }

    for (i = 0; i < w->e->doc->nsteps; i++) {
        if (w->e->doc->steps[i].body) {
            break;
        }
    }

    if (i == w->e->doc->nsteps) {
        return;
    }

    if (says_off(w->level.pass_body)) {
        add(&w->other, location, "proxy_pass_request_body off");

    } else if (w->level.set_body != NULL) {
        add(&w->other, location, "proxy_set_body");
    }
}


static void
check_trust(walk_t *w, const nginx_directive_t *location)
{
    uint32_t        i, taken;
    unsigned        word;
    const cli_t    *cli;
    const char     *sources, *source;
    nxe_trusted_t   trusted;

    if (w->e->state.stage == NXE_STAGE_ROLLED_BACK
        || !nxe_doc_wants_verified(w->e->doc))
    {
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

    if (sources != NULL) {
        add(taken == 0 ? &w->none : &w->some, location, sources);
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
    w->level.answers = 0;

    in_block(w, t, NULL, read_level);

    if (strcmp(t->words[0], "location") == 0 && bound(w)
        && !w->level.answers)
    {
        check_trust(w, t);
        check_body(w, t);
    }

    in_block(w, t, NULL, walk_block);

    w->level = outer;
}


/* The first location of a kind, "/x, FILE:LINE and 2 more". */

static const char *
place(const walk_t *w, const found_t *found)
{
    unsigned      i;
    const char   *name;
    const cli_t  *cli;

    cli = w->d->cli;
    name = "";

    for (i = 1; i < found->location->nwords; i++) {
        name = cli_format(cli, "%s %s", name, found->location->words[i]);
    }

    return cli_format(cli, "location%s, %s:%u%s", name, found->location->file,
                      found->location->line,
                      found->n == 1 ? "" : cli_format(cli, " and %u more",
                                                      found->n - 1));
}


static void
say_trust(const walk_t *w, const found_t *found, doctor_level_t level,
    const char *what)
{
    if (found->n != 0) {
        doctor_add(w->d, "nginx", level, "experiment_trusted there, where an "
                   "access-phase module has verified it",
                   "%s, risk high, %s in %s: %s not in experiment_trusted",
                   w->e->name.data, what, place(w, found), found->what);
    }
}


void
doctor_locations(doctor_t *d)
{
    size_t  i;
    walk_t  w;

    for (i = 0; i < d->nexperiments && d->nginx.first != NULL; i++) {
        memset(&w, 0, sizeof(w));
        w.d = d;
        w.e = &d->experiments[i];

        if (!nxe_state_live(&w.e->state)) {
            continue;
        }

        in_block(&w, NULL, d->nginx.first->file, walk_block);

        /* paused assigns nobody, but may be resumed */

        say_trust(&w, &w.none, w.e->state.stage == NXE_STAGE_PAUSED
                               ? DOCTOR_WARN : DOCTOR_FAIL, "has no unit");
        say_trust(&w, &w.some, DOCTOR_WARN, "does not take all units");

        if (w.other.n != 0) {
            doctor_add(d, "nginx", DOCTOR_WARN, cli_format(d->cli,
                       "take %s out there, or experiment_body off",
                       w.other.what), "%s edits bodies, and %s %s "
                       "another (%s): its edits are logged as not_sent",
                       w.e->name.data, place(&w, &w.other),
                       w.other.n == 1 ? "sends" : "send", w.other.what);
        }
    }
}
