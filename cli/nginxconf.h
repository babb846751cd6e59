/*
 * What an nginx is and how it is configured: "nginx -V" and "nginx -T".
 */

#ifndef EXPCTL_NGINXCONF_H
#define EXPCTL_NGINXCONF_H

#include "cli/cli.h"


/* A directive, wherever it stands; words[0] is its name. */

typedef struct nginx_directive_s  nginx_directive_t;

struct nginx_directive_s {
    const char         *file;
    unsigned            line;
    const char        **words;
    unsigned            nwords;
    nginx_directive_t  *parent;     /* whose block it is in; NULL: the file's */
    nginx_directive_t  *next;
};

typedef struct {
    const char         *binary;     /* as it was found */
    const char         *test;       /* the command that tests its files */
    const char         *version;    /* "1.22.1" */
    const char         *prefix;     /* of relative paths, ends with "/" */
    const char         *conf;       /* folder of the configuration, as well */
    const char         *user;       /* its own, without a line user */
    const char         *group;
    const char         *problem;    /* what "nginx -T" said where it failed */
    nginx_directive_t  *first;
} nginx_t;

/*
 * Looks at binary, or where that is NULL at the nginx in PATH or an sbin
 * folder.  conf is -c's and prefix -p's, or NULL.  NXE_DECLINED: there is no
 * such program; NXE_INVALID: it is no nginx; NXE_IO.  Memory is cli's.  A
 * configuration that nginx refuses is no failure: nginx->problem has what it
 * said.
 */
nxe_status_t nginx_look(const cli_t *cli, const char *binary,
    const char *conf, const char *prefix, nginx_t *nginx, nxe_error_t *err);

/*
 * Parses what "nginx -T" prints: all directives in order, but for what
 * stands in map {} and its like, where words are keys and not directives.
 */
nxe_status_t nginx_parse(const cli_t *cli, nxe_str_t dump,
    nginx_directive_t **first);

/* The next directive of a name behind d; of all where d is NULL. */
const nginx_directive_t *nginx_find(const nginx_t *nginx,
    const nginx_directive_t *d, const char *name);

/* A path as nginx takes it: relative ones below a folder. */
const char *nginx_path(const cli_t *cli, const char *folder,
    const char *path);

/*
 * The signature of an nginx binary or a module: the text that nginx compares
 * when it loads one, "8,4,8,0011...".  NXE_DECLINED: there is none in it.
 */
#define NGINX_SIGNATURE_MAX  80

nxe_status_t nginx_signature(const char *path,
    char signature[NGINX_SIGNATURE_MAX], nxe_error_t *err);


#endif /* EXPCTL_NGINXCONF_H */
