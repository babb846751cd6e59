/*
 * What the checks of "expctl doctor" share.
 */

#ifndef EXPCTL_DOCTOR_H
#define EXPCTL_DOCTOR_H

#include <nxe/keys.h>
#include <nxe/logline.h>

#include "cli/nginxconf.h"
#include "cli/registry.h"


typedef enum { DOCTOR_OK = 0, DOCTOR_WARN, DOCTOR_FAIL } doctor_level_t;

typedef struct doctor_check_s  doctor_check_t;

struct doctor_check_s {
    const char         *area;
    doctor_level_t      level;
    const char         *text;
    const char         *next;       /* what to type, or NULL */
    doctor_check_t     *later;
};

typedef struct {
    const cli_t        *cli;
    doctor_check_t     *first;
    doctor_check_t    **last;

    /* the registry; without one there are no experiments and no log */
    unsigned            open:1;
    uint64_t            txn;
    char                head[NXE_HEAD_LEN + 1];
    nxe_experiment_t   *experiments;
    size_t              nexperiments;
    const char         *log;        /* pattern of the log files */

    /* nginx; NXE_OK where it is there and says its version */
    nxe_status_t        has_nginx;
    nxe_error_t         nginx_error;
    nginx_t             nginx;

    /* the last line of the newest log file */
    const char         *log_file;   /* NULL: there is no line */
    nxe_str_t           line;
    nxe_status_t        line_status;
    nxe_logline_t      *record;
    nxe_logline_fault_t fault;
} doctor_t;

/* Adds a check; next, which may be NULL, is what puts it right. */
void doctor_add(doctor_t *d, const char *area, doctor_level_t level,
    const char *next, const char *fmt, ...) NXE_PRINTF(5, 6);

/* doctor_host.c: the files of the registry, the serving copy, the keys. */
void doctor_registry(doctor_t *d);
void doctor_serving(doctor_t *d);
void doctor_keys(doctor_t *d);

/* doctor_nginx.c: the binary, the module and the directives. */
void doctor_nginx_look(doctor_t *d);
void doctor_nginx(doctor_t *d);

/* 1 if a word of an experiment directive stands for the experiment. */
int doctor_binds(const char *word, const nxe_experiment_t *e);

/* doctor_location.c: units that it does not take, bodies that it replaces. */
void doctor_locations(doctor_t *d);

/* doctor_log.c: the last line, log_format and access_log. */
void doctor_log_look(doctor_t *d);
void doctor_log(doctor_t *d);


#endif /* EXPCTL_DOCTOR_H */
