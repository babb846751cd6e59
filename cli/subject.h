/*
 * What assign, explain and try speak of: an experiment as the registry has it
 * now, and a request as the command line describes it.
 */

#ifndef EXPCTL_SUBJECT_H
#define EXPCTL_SUBJECT_H

#include <nxe/assign.h>
#include <nxe/credential.h>
#include <nxe/dialect.h>

#include "cli/registry.h"


typedef struct {
    nxe_experiment_t    e;
    nxe_force_t         force;
    nxe_range_t        *ranges;
    unsigned            whole:1;    /* the layer's range is all of it */
} subject_t;

/*
 * CLI_DONE, or the exit code after a message.  The registry is closed again:
 * a command that waits for stdin holds no old pages of it.
 */
int subject_load(const cli_t *cli, const char *name, subject_t *s);

/* Frees what subject_load() gave. */
void subject_free(subject_t *s);

/* 1 if a source would yield the value: 1 to NXE_UNIT_MAX bytes. */
int subject_unit_ok(nxe_str_t unit);

/* The unit's position in the layer; 0 where the range is the whole layer. */
uint32_t subject_position(const subject_t *s, nxe_str_t unit);


typedef struct {
    nxe_source_type_t   type;
    nxe_str_t           name;       /* header names lower case */
    nxe_str_t           value;
} attr_t;

typedef struct {
    nxe_str_t           pointer;
    nxe_json_node_t    *node;
} attr_pointer_t;

typedef struct {
    const cli_t        *cli;
    attr_t             *attrs;
    size_t              n;
    nxe_credentials_t   credentials;
    nxe_trusted_t       trusted;

    /* sources json:/pointer: the answer, or NXE_OK with a scanned text */
    nxe_status_t        json;
    const nxe_text_t   *text;
    attr_pointer_t     *pointers;
    size_t              npointers;
} attrs_t;

/* Options that describe a request; attrs_read() reads them. */

#define ATTRS_OPTS                                                            \
    { "header", 0, "N:V", CLI_OPT_MANY, "a header of the request" },          \
    { "cookie", 0, "N=V", CLI_OPT_MANY, "a cookie of the request" },          \
    { "arg", 0, "N=V", CLI_OPT_MANY, "an argument of the request" },          \
    { "var", 0, "N=V", CLI_OPT_MANY, "a variable of nginx" },                 \
    { "step", 0, "STEP", 0, "the request's step" },                           \
    { "at", 0, "TIME", 0, "when, RFC 3339 (else now)" },                      \
    { "trusted", 0, "NAME", CLI_OPT_MANY,                                     \
      "as in experiment_trusted of nginx.conf" }

/*
 * CLI_DONE, or CLI_USAGE after a message.  json: sources are DECLINED.
 */
int attrs_read(const cli_t *cli, attrs_t *attrs);

/* An nxe_attr_pt over an attrs_t: the answers of the module. */
nxe_status_t attrs_get(void *ctx, const nxe_source_t *source,
    nxe_str_t *value);

/* The header of a name, and how many there are. */
const attr_t *attrs_header(const attrs_t *attrs, nxe_str_t lower, size_t *n);

/*
 * The request: whom it trusts, its time, and its step by --step or
 * X-Inference-Step; where neither is given the step is empty.  CLI_DONE, or
 * the exit code after a message.
 */
int attrs_request(attrs_t *attrs, nxe_request_t *r);

/*
 * A value for people: its first 60 code points, made safe; memory of cli.
 */
const char *subject_excerpt(const cli_t *cli, nxe_str_t value);


#endif /* EXPCTL_SUBJECT_H */
