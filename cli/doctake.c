/*
 * Strings of a document that are given as {"file": PATH}.
 */

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/docfile.h"
#include "cli/doctake.h"


/* Strings of a tree that are taken from files, while that is done. */

typedef struct {
    cli_t              *cli;
    int                 dir;        /* the document's folder; -1: stdin */
    nxe_faults_t       *faults;
} doctake_t;


static int doctake_folder(cli_t *cli, const char *path);
static void doctake_all(doctake_t *t, cJSON *tree);
static void doctake_variant(doctake_t *t, cJSON *variant,
    const char *at);
static void doctake_headers(doctake_t *t, cJSON *headers,
    const char *at);
static void doctake_members(doctake_t *t, cJSON *object,
    const char *at);
static void doctake_value(doctake_t *t, cJSON *object, cJSON *value,
    const char *at);
static const char *doctake_text(doctake_t *t, const char *path,
    nxe_str_t *text);
static int doctake_open(int dir, const char *path, const char **why);
static const char *doctake_pointer(cli_t *cli, const char *at,
    const char *name);


void
doctake(cli_t *cli, const char *path, cJSON *tree, nxe_faults_t *faults)
{
    doctake_t  t;

    t.cli = cli;
    t.faults = faults;
    t.dir = doctake_folder(cli, path);

    doctake_all(&t, tree);

    if (t.dir != -1) {
        close(t.dir);
    }
}


/* The folder that a document is in; -1 for stdin. */

static int
doctake_folder(cli_t *cli, const char *path)
{
    const char  *slash;

    if (strcmp(path, "-") == 0) {
        return -1;
    }

    slash = strrchr(path, '/');

    if (slash == NULL) {
        path = ".";

    } else {
        path = cli_format(cli, "%.*s", (int) (slash - path + 1), path);
    }

    return open(path, O_PATH|O_DIRECTORY|O_CLOEXEC);
}


/* Every place where text may be long: see the reference of the document. */

static void
doctake_all(doctake_t *t, cJSON *tree)
{
    size_t              i;
    cJSON              *variants, *v;
    static const char  *texts[] = { "description", "hypothesis" };

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        v = nxe_tree_get(tree, texts[i]);

        if (v != NULL) {
            doctake_value(t, tree, v, "");
        }
    }

    variants = nxe_tree_get(tree, "variants");

    if (!cJSON_IsArray(variants)) {
        return;
    }

    i = 0;

    for (v = variants->child; v != NULL; v = v->next) {
        doctake_variant(t, v, cli_format(t->cli, "/variants/%zu", i++));
    }
}


static void
doctake_variant(doctake_t *t, cJSON *variant, const char *at)
{
    size_t       i;
    cJSON       *value, *v;
    const char  *here;

    value = nxe_tree_get(variant, "overrides");

    if (cJSON_IsObject(value)) {
        here = doctake_pointer(t->cli, at, "overrides");

        for (v = value->child; v != NULL; v = v->next) {
            doctake_members(t, v, doctake_pointer(t->cli, here,
                                                       v->string));
        }
    }

    value = nxe_tree_get(variant, "headers");
    here = doctake_pointer(t->cli, at, "headers");

    if (cJSON_IsArray(value)) {
        i = 0;

        for (v = value->child; v != NULL; v = v->next) {
            doctake_headers(t, v, cli_format(t->cli, "%s/%zu", here,
                                                  i++));
        }

    } else {
        doctake_headers(t, value, here);
    }

    value = nxe_tree_get(variant, "body");

    if (cJSON_IsArray(value)) {
        i = 0;

        for (v = value->child; v != NULL; v = v->next) {
            if (nxe_tree_get(v, "value") != NULL) {
                doctake_value(t, v, nxe_tree_get(v, "value"),
                             cli_format(t->cli, "%s/body/%zu", at, i));
            }

            i++;
        }
    }
}


static void
doctake_headers(doctake_t *t, cJSON *headers, const char *at)
{
    doctake_members(t, nxe_tree_get(nxe_tree_get(headers, "request"),
                                         "set"),
                         cli_format(t->cli, "%s/request/set", at));

    doctake_members(t, nxe_tree_get(nxe_tree_get(headers, "response"),
                                         "set"),
                         cli_format(t->cli, "%s/response/set", at));
}


/* Values, and those of {"value", "when"}. */

static void
doctake_members(doctake_t *t, cJSON *object, const char *at)
{
    cJSON  *v, *next, *value;

    if (!cJSON_IsObject(object)) {
        return;
    }

    for (v = object->child; v != NULL; v = next) {
        next = v->next;
        value = nxe_tree_get(v, "value");

        if (value != NULL) {
            doctake_value(t, v, value, doctake_pointer(t->cli, at, v->string));

        } else {
            doctake_value(t, object, v, at);
        }
    }
}


/* Replaces value, a member of object, if it is {"file": PATH}. */

static void
doctake_value(doctake_t *t, cJSON *object, cJSON *value, const char *at)
{
    cJSON       *path, *taken;
    nxe_str_t    text;
    const char  *expected, *pointer;

    path = nxe_tree_get(value, "file");

    if (path == NULL || value->child->next != NULL || !cJSON_IsString(path)) {
        return;
    }

    pointer = doctake_pointer(t->cli, at, value->string);

    expected = doctake_text(t, path->valuestring, &text);

    if (expected != NULL) {
        nxe_faults_add(t->faults, doctake_pointer(t->cli, pointer, "file"), 0,
                       NULL, expected, NULL);

        /* one fault is enough for one place */
        text = nxe_str("-");
    }

    taken = cJSON_CreateString(text.data);

    if (taken == NULL
        || !cJSON_ReplaceItemInObjectCaseSensitive(object, value->string,
                                                   taken))
    {
        cJSON_Delete(taken);
        nxe_faults_add(t->faults, pointer, 0, NULL, "more memory", NULL);
    }
}


/* NULL, or what was expected. */

static const char *
doctake_text(doctake_t *t, const char *path, nxe_str_t *text)
{
    int          fd, rc;
    const char  *why;

    if (t->dir == -1) {
        return "a string: from stdin there is no folder to take files from";
    }

    fd = doctake_open(t->dir, path, &why);

    if (fd == -1) {
        return why != NULL ? why
                           : cli_format(t->cli, "a file that can be read: %s",
                                        strerror(errno));
    }

    rc = docfile_read_fd(t->cli, fd, DOCFILE_TAKE_MAX, text);
    close(fd);

    if (rc == 0) {
        return "a file of at most 1 MB";
    }

    if (rc == -1) {
        return cli_format(t->cli, "a file that can be read: %s",
                          strerror(errno));
    }

    if (!nxe_utf8_ok(*text) || memchr(text->data, '\0', text->len) != NULL) {
        return "a file of UTF-8 without NUL bytes";
    }

    if (text->len > 0 && text->data[text->len - 1] == '\n') {
        text->len--;
        ((char *) text->data)[text->len] = '\0';
    }

    return NULL;
}


/*
 * Opens a regular file below a folder, component by component, so that no
 * symlink can lead out of it.
 */

static int
doctake_open(int dir, const char *path, const char **why)
{
    int          fd, err, next, last;
    char         part[256];
    size_t       n;
    struct stat  st;

    *why = NULL;

    if (path[0] == '/' || path[0] == '\0') {
        *why = "a path below the document's folder";
        return -1;
    }

    fd = fcntl(dir, F_DUPFD_CLOEXEC, 0);

    for ( ;; ) {
        n = strcspn(path, "/");
        last = path[n] == '\0';

        if (n == 0 || n >= sizeof(part)
            || (n == 2 && memcmp(path, "..", 2) == 0))
        {
            *why = "a path below the document's folder, without \"..\"";
            break;
        }

        memcpy(part, path, n);
        part[n] = '\0';

        next = openat(fd, part, O_NOFOLLOW|O_CLOEXEC
                                | (last ? O_RDONLY|O_NONBLOCK
                                        : O_PATH|O_DIRECTORY));

        if (next == -1) {
            err = errno;

            if (fstatat(fd, part, &st, AT_SYMLINK_NOFOLLOW) == 0
                && S_ISLNK(st.st_mode))
            {
                *why = "a path without symlinks";
            }

            errno = err;
            break;
        }

        close(fd);
        fd = next;

        if (last) {
            if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
                return fd;
            }

            *why = "a regular file";
            break;
        }

        path += n + 1;
    }

    err = errno;
    close(fd);
    errno = err;

    return -1;
}


/* at/name, escaped. */

static const char *
doctake_pointer(cli_t *cli, const char *at, const char *name)
{
    nxe_buf_t    b;
    const char  *pointer;

    nxe_buf_init(&b, SIZE_MAX / 2);
    (void) nxe_buf_addf(&b, "%s/", at);

    for ( /* void */ ; *name != '\0'; name++) {
        if (*name == '~') {
            (void) nxe_buf_add(&b, nxe_str("~0"));

        } else if (*name == '/') {
            (void) nxe_buf_add(&b, nxe_str("~1"));

        } else {
            (void) nxe_buf_addc(&b, *name);
        }
    }

    (void) nxe_buf_addc(&b, '\0');
    pointer = cli_format(cli, "%s", b.data != NULL ? b.data : "");
    nxe_buf_free(&b);

    return pointer;
}
