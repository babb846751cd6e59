/*
 * Documents from files: read, {"file": PATH} taken in, validated, and their
 * faults shown where they are in the text.
 */

#ifndef EXPCTL_DOCFILE_H
#define EXPCTL_DOCFILE_H

#include <nxe/doc.h>
#include <nxe/tree.h>

#include "cli/cli.h"

/* No document is longer; the files that it takes in are not counted. */
#define DOCFILE_MAX       (4 * 1024 * 1024)

/* The longest file that a string is taken from. */
#define DOCFILE_TAKE_MAX  (1024 * 1024)

typedef struct {
    const char         *path;       /* as given; "-" is stdin */
    nxe_str_t           text;       /* as read */
    cJSON              *tree;       /* files taken in; docfile_free() */
    nxe_doc_t          *doc;
    nxe_str_t           canonical;  /* canonical JSON of tree */
} docfile_t;

/*
 * Reads and validates one document.  CLI_DONE fills file, whose memory is
 * cli's but for the tree.  Otherwise what is wrong has been said (faults as
 * OUTPUT 3 shows them on stderr, or with -o json an object a line on
 * stdout), nothing has to be freed, and the exit code is returned: CLI_USAGE
 * or CLI_ENV.  outcome is what the first line says behind the number of
 * faults, "nothing was changed", or NULL.
 */
int docfile_load(cli_t *cli, const char *path, const char *outcome,
    docfile_t *file);

/*
 * Warns on stderr, unless quiet, of what a client can choose together with its
 * unit (SECURITY 2), and of a step on which nothing changes.
 */
void docfile_warn(const cli_t *cli, const docfile_t *file);

/* The i-th source of a document's unit, as its author wrote it. */
const char *docfile_source(const cJSON *tree, uint32_t i);

/* Deletes the tree. */
void docfile_free(docfile_t *file);

/*
 * The documents that -f PATH means: the file itself, "-", or the *.json
 * files directly in a folder, in bytewise order of name (memory of cli).  As
 * docfile_load(): CLI_DONE, or the exit code after a message.
 */
int docfile_list(cli_t *cli, const char *path, const char ***paths,
    size_t *n);

/*
 * Reads to the end, into memory of cli.  1; 0: there are more than max bytes;
 * -1: errno says why not.
 */
int docfile_read_fd(cli_t *cli, int fd, size_t max, nxe_str_t *text);

#endif /* EXPCTL_DOCFILE_H */
