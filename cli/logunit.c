/*
 * The ids that a raw unit may have in a log.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <nxe/json.h>
#include <nxe/keys.h>

#include "cli/logunit.h"

#define TYPES     256               /* more are not looked for */
#define TYPE_MAX  64                /* bytes, as of a name */


typedef struct {
    char                text[TYPE_MAX];
    size_t              len;
} type_t;

struct logunit_s {
    nxe_str_t           unit;
    int                 is_id;
    size_t              nkeys;
    nxe_hmac_key_t      keys[NXE_KEYS_MAX];
    size_t              ntypes;
    type_t              types[TYPES];
    char                ids[TYPES][NXE_KEYS_MAX][NXE_UNIT_ID_LEN];
};


static int
is_id(nxe_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (!(s.data[i] >= '0' && s.data[i] <= '9')
            && !(s.data[i] >= 'a' && s.data[i] <= 'f'))
        {
            return 0;
        }
    }

    return s.len == NXE_UNIT_ID_LEN;
}


static void
add_type(logunit_t *w, nxe_str_t type)
{
    size_t   i;
    type_t  *t;

    if (w->ntypes == TYPES || type.len == 0 || type.len > TYPE_MAX) {
        return;
    }

    for (i = 0; i < w->ntypes; i++) {
        t = &w->types[i];

        if (t->len == type.len && memcmp(t->text, type.data, t->len) == 0) {
            return;
        }
    }

    t = &w->types[w->ntypes];
    memcpy(t->text, type.data, type.len);
    t->len = type.len;

    for (i = 0; i < w->nkeys; i++) {
        nxe_unit_id(&w->keys[i], type, w->unit, w->ids[w->ntypes][i]);
    }

    w->ntypes++;
}


static int
read_keys(const cli_t *cli, logunit_t *w)
{
    int            fd, rc;
    char          *text;
    size_t         i;
    ssize_t        n;
    nxe_keys_t     keys;
    const char    *path;
    nxe_error_t    err;
    unsigned char  subkey[NXE_SHA256_LEN];

    path = cli_format(cli, "%s/keys", cli->registry);
    text = cli_format(cli, "%*s", NXE_KEYS_FILE, "");

    fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    n = fd != -1 ? read(fd, text, NXE_KEYS_FILE) : -1;

    if (n == -1) {
        cli_error("cannot read '%s': %s", path, strerror(errno));
        cli_remedy("the same as root, or --unit with the 32 hex digits of "
                   "the log");

        if (fd != -1) {
            close(fd);
        }

        return CLI_ENV;
    }

    close(fd);

    rc = CLI_DONE;

    if (nxe_keys_parse((nxe_str_t) { text, (size_t) n }, &keys, &err)
        != NXE_OK)
    {
        cli_error("'%s': %s", path, err.text);
        rc = CLI_ENV;

    } else {
        for (i = 0; i < keys.n; i++) {
            (void) nxe_hkdf(keys.keys[i].key, nxe_str("unit"), subkey);
            nxe_hmac_key(&w->keys[i], subkey);
        }

        w->nkeys = keys.n;
        nxe_erase(subkey, sizeof(subkey));
    }

    nxe_erase(&keys, sizeof(keys));
    nxe_erase(text, NXE_KEYS_FILE);

    return rc;
}


int
logunit_new(const cli_t *cli, const char *unit, logunit_t **want)
{
    int         rc;
    logunit_t  *w;

    if (*unit == '\0') {
        return cli_usage(cli, "option '--unit' needs a value: U");
    }

    w = calloc(1, sizeof(logunit_t));
    if (w == NULL) {
        cli_error("out of memory");
        return CLI_ENV;
    }

    w->unit = nxe_str_of(unit);
    w->is_id = is_id(w->unit);

    /* 32 hex digits are an id, and need no key */

    if (!w->is_id) {
        rc = read_keys(cli, w);

        if (rc != CLI_DONE) {
            logunit_free(w);
            return rc;
        }

        add_type(w, nxe_str("unit"));
    }

    *want = w;

    return CLI_DONE;
}


static nxe_str_t
unquoted(nxe_str_t s)
{
    if (s.len >= 2 && s.data[0] == '"') {
        s.data++;
        s.len -= 2;
    }

    return s;
}


int
logunit_is(logunit_t *w, nxe_str_t id, nxe_str_t type)
{
    size_t  i, j;

    id = unquoted(id);

    if (w->is_id) {
        return nxe_str_eq(id, w->unit);
    }

    add_type(w, unquoted(type));

    if (!is_id(id)) {
        return 0;
    }

    for (i = 0; i < w->ntypes; i++) {
        for (j = 0; j < w->nkeys; j++) {
            if (memcmp(id.data, w->ids[i][j], NXE_UNIT_ID_LEN) == 0) {
                return 1;
            }
        }
    }

    return 0;
}


void
logunit_free(logunit_t *w)
{
    if (w != NULL) {
        nxe_erase(w->keys, sizeof(w->keys));
        free(w);
    }
}
