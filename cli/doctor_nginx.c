/*
 * doctor: nginx, the module and what nginx.conf names.
 */

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli/doctor.h"

#define MODULE  "ngx_http_experiment_module"


/* What a list of words is made of, for the nearest right one. */

typedef const char *(*word_pt)(const doctor_t *d, size_t i);


void
doctor_nginx_look(doctor_t *d)
{
    d->has_nginx = nginx_look(d->cli, cli_opt(d->cli, "nginx"),
                              cli_opt(d->cli, "conf"),
                              cli_opt(d->cli, "prefix"), &d->nginx,
                              &d->nginx_error);
}


static const char *
near_word(const doctor_t *d, const char *word, word_pt get, size_t n)
{
    size_t        i;
    const char  **list;

    list = nxe_calloc(d->cli->mem, (n + 1) * sizeof(char *));
    if (list == NULL) {
        return NULL;
    }

    for (i = 0; i < n; i++) {
        list[i] = get(d, i);
    }

    return cli_near(word, list);
}


static const char *
name_at(const doctor_t *d, size_t i)
{
    return d->experiments[i].name.data;
}


static const char *
layer_at(const doctor_t *d, size_t i)
{
    return cli_format(d->cli, "%.*s",
                      (int) d->experiments[i].doc->layer.len,
                      d->experiments[i].doc->layer.data);
}


/* The i-th name in all experiment_upstream; NULL behind the last. */

static const char *
upstream_at(const doctor_t *d, size_t i)
{
    const nginx_directive_t  *u;

    for (u = nginx_find(&d->nginx, NULL, "experiment_upstream"); u != NULL;
         u = nginx_find(&d->nginx, u, "experiment_upstream"))
    {
        if (i < u->nwords - 1) {
            return u->words[i + 1];
        }

        i -= u->nwords - 1;
    }

    return NULL;
}


/*
 * nginx -T has loaded the module, so that it fits; the texts are compared
 * nevertheless, since they are what tells why where it does not.
 */

static void
check_module(doctor_t *d)
{
    char                      ours[NGINX_SIGNATURE_MAX];
    char                      theirs[NGINX_SIGNATURE_MAX];
    nxe_error_t               err;
    const char               *path;
    const nginx_directive_t  *m;

    for (m = nginx_find(&d->nginx, NULL, "load_module"); m != NULL;
         m = nginx_find(&d->nginx, m, "load_module"))
    {
        if (m->nwords > 1 && strstr(m->words[1], MODULE) != NULL) {
            break;
        }
    }

    if (m == NULL) {
        if (nginx_find(&d->nginx, NULL, "experiment_registry") != NULL) {
            doctor_add(d, "nginx", DOCTOR_OK, NULL,
                       "%s, the module is built in", d->nginx.version);

        } else {
            doctor_add(d, "nginx", DOCTOR_FAIL,
                       "load_module modules/" MODULE ".so; in nginx.conf",
                       "%s does not load the module", d->nginx.version);
        }

        return;
    }

    path = nginx_path(d->cli, d->nginx.prefix, m->words[1]);

    if (nginx_signature(path, ours, &err) != NXE_OK
        || nginx_signature(d->nginx.binary, theirs, &err) != NXE_OK)
    {
        doctor_add(d, "nginx", DOCTOR_WARN, "--nginx BINARY, the program "
                   "itself", "%s loads the module; %s", d->nginx.version,
                   err.text);

    } else if (strcmp(ours, theirs) != 0) {
        doctor_add(d, "nginx", DOCTOR_FAIL, "make NGX_SRC=DIR with the "
                   "source of this nginx, make install",
                   "%s has the signature %s, the module %s",
                   d->nginx.version, theirs, ours);

    } else {
        doctor_add(d, "nginx", DOCTOR_OK, NULL,
                   "%s, the module's signature fits", d->nginx.version);
    }
}


static int
same_file(const char *a, const char *b)
{
    char  real_a[PATH_MAX], real_b[PATH_MAX];

    return strcmp(a, b) == 0
           || (realpath(a, real_a) != NULL && realpath(b, real_b) != NULL
               && strcmp(real_a, real_b) == 0);
}


static void
check_paths(doctor_t *d)
{
    const char               *path, *ours;
    const nginx_directive_t  *r;

    r = nginx_find(&d->nginx, NULL, "experiment_registry");

    if (r == NULL) {
        doctor_add(d, "nginx", DOCTOR_FAIL,
                   cli_format(d->cli, "experiment_registry %s; in http {}",
                              d->cli->registry),
                   "there is no experiment_registry in its configuration");
        return;
    }

    if (r->nwords > 1) {
        path = nginx_path(d->cli, d->nginx.prefix, r->words[1]);

        if (!same_file(path, d->cli->registry)) {
            doctor_add(d, "nginx", DOCTOR_FAIL,
                       cli_format(d->cli, "expctl doctor --registry %s, or "
                                  "correct nginx.conf", path),
                       "experiment_registry is '%s', this one is '%s'", path,
                       d->cli->registry);
        }
    }

    r = nginx_find(&d->nginx, NULL, "experiment_keys");

    if (r != NULL && r->nwords > 1) {
        path = nginx_path(d->cli, d->nginx.conf, r->words[1]);
        ours = cli_format(d->cli, "%s/keys", d->cli->registry);

        if (!same_file(path, ours)) {
            doctor_add(d, "nginx", DOCTOR_WARN,
                       cli_format(d->cli, "experiment_keys %s;", ours),
                       "experiment_keys is '%s', not the file of this "
                       "registry", path);
        }
    }
}


/* One route of a live experiment. */

static void
check_route(doctor_t *d, const nxe_experiment_t *e, nxe_str_t upstream)
{
    size_t       n;
    const char  *name, *near;

    for (n = 0; (name = upstream_at(d, n)) != NULL; n++) {
        if (nxe_str_eq(nxe_str_of(name), upstream)) {
            return;
        }
    }

    name = cli_format(d->cli, "%.*s", (int) upstream.len, upstream.data);
    near = near_word(d, name, upstream_at, n);

    doctor_add(d, "nginx", DOCTOR_FAIL, near != NULL
               ? cli_format(d->cli, "%s? correct it, expctl apply -f FILE",
                            near)
               : cli_format(d->cli, "experiment_upstream ... %s; or correct "
                            "the document", name),
               "%s routes to %s, not in experiment_upstream", e->name.data,
               name);
}


static void
check_routes(doctor_t *d, const nxe_experiment_t *e)
{
    uint32_t              v, i, w, j;
    const nxe_variant_t  *variant, *before;

    for (v = 0; v < e->doc->nvariants; v++) {
        variant = &e->doc->variants[v];

        for (i = 0; i < variant->nroutes; i++) {

            /* what several variants name is said once */

            for (w = 0, j = 0; w < v; w++) {
                before = &e->doc->variants[w];

                for (j = 0; j < before->nroutes; j++) {
                    if (nxe_str_eq(before->routes[j].upstream,
                                   variant->routes[i].upstream))
                    {
                        break;
                    }
                }

                if (j < before->nroutes) {
                    break;
                }
            }

            if (w == v) {
                check_route(d, e, variant->routes[i].upstream);
            }
        }
    }
}


int
doctor_binds(const char *word, const nxe_experiment_t *e)
{
    return strcmp(word, "on") == 0
           || nxe_str_eq(nxe_str_of(word), e->name)
           || (strncmp(word, "layer=", 6) == 0
               && nxe_str_eq(nxe_str_of(word + 6), e->doc->layer));
}


static void
check_word(doctor_t *d, const nginx_directive_t *b, const char *word)
{
    int          layer;
    size_t       i;
    const char  *near;

    if (strcmp(word, "on") == 0 || strcmp(word, "off") == 0) {
        return;
    }

    for (i = 0; i < d->nexperiments; i++) {
        if (doctor_binds(word, &d->experiments[i])) {
            return;
        }
    }

    layer = strncmp(word, "layer=", 6) == 0;
    near = near_word(d, layer ? word + 6 : word, layer ? layer_at : name_at,
                     d->nexperiments);

    doctor_add(d, "nginx", DOCTOR_WARN, near != NULL
               ? cli_format(d->cli, "%s%s? correct it, nginx -s reload",
                            layer ? "layer=" : "", near)
               : "expctl list",
               "experiment %s in %s:%u binds nothing", word, b->file,
               b->line);
}


static void
check_bindings(doctor_t *d)
{
    size_t                    i;
    unsigned                  w;
    const nginx_directive_t  *b;

    for (b = nginx_find(&d->nginx, NULL, "experiment"); b != NULL;
         b = nginx_find(&d->nginx, b, "experiment"))
    {
        for (w = 1; w < b->nwords; w++) {
            check_word(d, b, b->words[w]);
        }
    }

    for (i = 0; i < d->nexperiments; i++) {

        if (!nxe_state_live(&d->experiments[i].state)) {
            continue;
        }

        for (b = nginx_find(&d->nginx, NULL, "experiment"); b != NULL;
             b = nginx_find(&d->nginx, b, "experiment"))
        {
            for (w = 1; w < b->nwords; w++) {
                if (doctor_binds(b->words[w], &d->experiments[i])) {
                    break;
                }
            }

            if (w < b->nwords) {
                break;
            }
        }

        if (b == NULL) {
            doctor_add(d, "nginx", DOCTOR_WARN,
                       cli_format(d->cli, "experiment %s; in its location",
                                  d->experiments[i].name.data),
                       "%s is live, and no location binds it",
                       d->experiments[i].name.data);
        }
    }
}


void
doctor_nginx(doctor_t *d)
{
    size_t  i;

    if (d->has_nginx != NXE_OK) {
        doctor_add(d, "nginx", cli_opt(d->cli, "nginx") == NULL
                               ? DOCTOR_WARN : DOCTOR_FAIL,
                   "expctl doctor --nginx BINARY", "%s",
                   d->nginx_error.text);
        return;
    }

    if (d->nginx.problem != NULL) {
        doctor_add(d, "nginx", DOCTOR_FAIL,
                   strstr(d->nginx.problem, MODULE) != NULL
                   ? "build the module for this nginx, make install"
                   : d->nginx.test, "%s refuses its configuration: %s",
                   d->nginx.version, d->nginx.problem);
        return;
    }

    check_module(d);
    check_paths(d);

    if (!d->open) {
        return;
    }

    check_bindings(d);
    doctor_locations(d);

    for (i = 0; i < d->nexperiments; i++) {
        if (nxe_state_live(&d->experiments[i].state)) {
            check_routes(d, &d->experiments[i]);
        }
    }
}
