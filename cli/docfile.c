/*
 * Documents from files.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nxe/trust.h>

#include "cli/docfault.h"
#include "cli/docfile.h"
#include "cli/doctake.h"


#define DOCFILE_CANONICAL_MAX  (256 * 1024 * 1024)


static int docfile_read(cli_t *cli, const char *path, nxe_str_t *text);
static int docfile_cannot(const char *path);
static int docfile_build(cli_t *cli, const char *outcome, docfile_t *file);
static const char **docfile_room(const cli_t *cli, size_t n);
static int docfile_name_cmp(const void *one, const void *two);


int
docfile_load(cli_t *cli, const char *path, const char *outcome,
    docfile_t *file)
{
    int                rc;
    nxe_buf_t          canonical;
    nxe_error_t        err;
    nxe_json_result_t  result;

    memset(file, 0, sizeof(docfile_t));
    file->path = path;

    rc = docfile_read(cli, path, &file->text);
    if (rc != CLI_DONE) {
        return rc;
    }

    switch (nxe_tree_parse(file->text, &file->tree, &result)) {

    case NXE_OK:
        break;

    case NXE_INVALID:
        docfault_syntax(cli, path, file->text, &result, outcome);
        return CLI_USAGE;

    default:
        (void) nxe_fail(&err, NXE_NOMEM, "out of memory");
        return cli_fail(&err);
    }

    rc = docfile_build(cli, outcome, file);

    if (rc == CLI_DONE) {
        nxe_doc_respell(file->tree);
        nxe_buf_init(&canonical, DOCFILE_CANONICAL_MAX);

        if (nxe_tree_canonical(file->tree, &canonical) != NXE_OK
            || nxe_str_copy(cli->mem, nxe_buf_str(&canonical),
                            &file->canonical)
               != NXE_OK)
        {
            (void) nxe_fail(&err, NXE_NOMEM, "out of memory");
            rc = cli_fail(&err);
        }

        nxe_buf_free(&canonical);
    }

    if (rc != CLI_DONE) {
        docfile_free(file);
    }

    return rc;
}


/* An A/A test, or a slip.  Remote evaluation assigns without a step. */

static void
warn_steps(const docfile_t *file)
{
    uint32_t    i;
    nxe_doc_t  *doc;

    doc = file->doc;

    if (doc->ofrep_members != 0 || doc->unbuilt != NULL) {
        return;
    }

    for (i = 0; i < doc->nsteps; i++) {
        if (!doc->steps[i].changes) {
            cli_error("%s: warning: no variant changes anything on step "
                      "'%.*s', and none is assigned there "
                      "(step_not_in_scope); for an A/A test set a header that "
                      "nobody reads", file->path,
                      (int) doc->steps[i].name.len, doc->steps[i].name.data);
        }
    }
}


void
docfile_warn(const cli_t *cli, const docfile_t *file)
{
    uint32_t     source, next, variant;
    const char  *what;

    if (cli->quiet) {
        return;
    }

    what = nxe_trust_carries(file->doc, &source, &variant);

    if (what != NULL) {
        cli_error("%s: warning: clients choose %s, and with it %s, by variant "
                  "'%s'; if that is meant, say \"trust\": \"client\" in unit",
                  file->path, docfile_source(file->tree, source), what,
                  file->doc->variants[variant].name.data);
    }

    source = nxe_trust_order(file->doc);

    if (source != NXE_NONE) {
        next = source + 1;

        while (nxe_source_client(&file->doc->sources[next])) {
            next++;
        }

        cli_error("%s: warning: %s, which clients choose, stands before %s; "
                  "where they differ, the one that nginx.conf trusts counts",
                  file->path, docfile_source(file->tree, source),
                  docfile_source(file->tree, next));
    }

    warn_steps(file);
}


const char *
docfile_source(const cJSON *tree, uint32_t i)
{
    const cJSON  *unit;

    unit = nxe_tree_get(tree, "unit");

    return cJSON_IsString(unit)
           ? unit->valuestring
           : cJSON_GetArrayItem(nxe_tree_get(unit, "sources"),
                                (int) i)->valuestring;
}


void
docfile_free(docfile_t *file)
{
    cJSON_Delete(file->tree);
    file->tree = NULL;
}


static int
docfile_read(cli_t *cli, const char *path, nxe_str_t *text)
{
    int  fd, rc;

    if (strcmp(path, "-") == 0) {
        fd = STDIN_FILENO;

    } else {
        fd = open(path, O_RDONLY|O_CLOEXEC);
        if (fd == -1) {
            return docfile_cannot(path);
        }
    }

    rc = docfile_read_fd(cli, fd, DOCFILE_MAX, text);

    if (rc == -1) {
        rc = docfile_cannot(path);

    } else if (rc == 0) {
        cli_error("%s: longer than 4 MB", path);
        rc = CLI_USAGE;

    } else {
        rc = CLI_DONE;
    }

    if (fd != STDIN_FILENO) {
        close(fd);
    }

    return rc;
}


int
docfile_read_fd(cli_t *cli, int fd, size_t max, nxe_str_t *text)
{
    char       block[65536];
    ssize_t    n;
    nxe_buf_t  b;

    nxe_buf_init(&b, max);

    for ( ;; ) {
        n = read(fd, block, sizeof(block));

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n <= 0) {
            break;
        }

        if (nxe_buf_add(&b, (nxe_str_t) { block, (size_t) n }) != NXE_OK) {
            break;
        }
    }

    if (n == 0 && nxe_str_copy(cli->mem, nxe_buf_str(&b), text) == NXE_OK) {
        nxe_buf_free(&b);
        return 1;
    }

    if (n >= 0 && b.status != NXE_INVALID) {
        errno = ENOMEM;
        n = -1;
    }

    nxe_buf_free(&b);

    return n == -1 ? -1 : 0;
}


/* A name that is not there is wrong input, anything else the environment. */

static int
docfile_cannot(const char *path)
{
    int  err;

    err = errno;

    cli_error("cannot read '%s': %s", path, strerror(err));

    return err == ENOENT || err == ENOTDIR || err == EISDIR ? CLI_USAGE
                                                             : CLI_ENV;
}


static int
docfile_build(cli_t *cli, const char *outcome, docfile_t *file)
{
    nxe_error_t   err;
    nxe_faults_t  faults;
    nxe_status_t  status;

    nxe_faults_init(&faults, cli->mem);

    doctake(cli, file->path, file->tree, &faults);

    status = nxe_doc_build(file->tree, NXE_DOC_FULL, nxe_str(""), cli->mem,
                           &faults, &file->doc);

    if (status == NXE_OK) {
        return CLI_DONE;
    }

    if (status != NXE_INVALID) {
        (void) nxe_fail(&err, status, "out of memory");
        return cli_fail(&err);
    }

    docfault_print(cli, file->path, file->text, &faults, outcome);

    return CLI_USAGE;
}


int
docfile_list(cli_t *cli, const char *path, const char ***paths, size_t *n)
{
    DIR            *dir;
    size_t          len, size;
    const char    **list, **grown;
    struct stat     st;
    struct dirent  *entry;

    size = 1;
    list = docfile_room(cli, size);

    if (strcmp(path, "-") == 0
        || (stat(path, &st) == 0 && !S_ISDIR(st.st_mode)))
    {
        list[0] = path;
        *paths = list;
        *n = 1;
        return CLI_DONE;
    }

    dir = opendir(path);
    if (dir == NULL) {
        return docfile_cannot(path);
    }

    *n = 0;

    for (entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        len = strlen(entry->d_name);

        if (len <= 5 || entry->d_name[0] == '.'
            || strcmp(entry->d_name + len - 5, ".json") != 0)
        {
            continue;
        }

        /* a FIFO would be waited for; a name that leads nowhere is told */

        if (fstatat(dirfd(dir), entry->d_name, &st, 0) == 0
            && !S_ISREG(st.st_mode))
        {
            continue;
        }

        if (*n == size) {
            grown = docfile_room(cli, 2 * size);
            memcpy(grown, list, size * sizeof(char *));
            list = grown;
            size *= 2;
        }

        len = strlen(path);
        list[(*n)++] = cli_format(cli, "%s%s%s", path,
                                  path[len - 1] == '/' ? "" : "/",
                                  entry->d_name);
    }

    closedir(dir);

    qsort(list, *n, sizeof(char *), docfile_name_cmp);

    if (*n == 0) {
        cli_error("%s: no *.json in it", path);
        return CLI_USAGE;
    }

    *paths = list;

    return CLI_DONE;
}


/* Exits when there is no memory, as cli_format() does. */

static const char **
docfile_room(const cli_t *cli, size_t n)
{
    const char  **room;

    room = nxe_calloc(cli->mem, n * sizeof(char *));

    if (room == NULL) {
        cli_error("out of memory");
        exit(CLI_ENV);
    }

    return room;
}


static int
docfile_name_cmp(const void *one, const void *two)
{
    return strcmp(*(const char *const *) one, *(const char *const *) two);
}
