/*
 * An experiment and a request, for commands that ask what the one does with
 * the other.
 */

#include <ctype.h>
#include <string.h>
#include <time.h>

#include <nxe/time.h>

#include "cli/subject.h"

#define EXCERPT  60


int
subject_load(const cli_t *cli, const char *name, subject_t *s)
{
    int                   rc;
    nxe_error_t           err;
    nxe_registry_t       *reg;
    nxe_registry_txn_t   *txn;

    rc = cli_registry_open(cli, 0, &reg);
    if (rc != CLI_DONE) {
        return rc;
    }

    if (nxe_registry_begin(reg, &txn, &err) != NXE_OK) {
        nxe_registry_close(reg);
        return cli_fail(&err);
    }

    rc = cli_experiment(cli, txn, name, &s->e);

    nxe_registry_end(txn);
    nxe_registry_close(reg);

    if (rc != CLI_DONE) {
        return rc;
    }

    if (nxe_state_force(s->e.doc, &s->e.state, &s->force) != NXE_OK) {
        cli_error("the state of '%s' names a variant that it has not", name);
        nxe_experiment_free(&s->e);
        return CLI_USAGE;
    }

    s->ranges = nxe_calloc(cli->mem,
                           s->e.doc->nvariants * sizeof(nxe_range_t));

    if (s->ranges == NULL) {
        cli_error("out of memory");
        nxe_experiment_free(&s->e);
        return CLI_ENV;
    }

    nxe_assign_ranges(s->e.doc, &s->force, s->ranges);

    s->whole = nxe_frac_threshold(s->e.doc->layer_from) == 0
               && nxe_frac_threshold(s->e.doc->layer_to)
                  == (uint64_t) 1 << 32;

    return CLI_DONE;
}


void
subject_free(subject_t *s)
{
    nxe_experiment_free(&s->e);
}


int
subject_unit_ok(nxe_str_t unit)
{
    return unit.len != 0 && unit.len <= NXE_UNIT_MAX;
}


uint32_t
subject_position(const subject_t *s, nxe_str_t unit)
{
    return s->whole ? 0 : nxe_assign_position(s->e.doc->layer, unit);
}


static nxe_str_t
trimmed(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t')) {
        p++;
    }

    while (p < end && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }

    return (nxe_str_t) { p, (size_t) (end - p) };
}


static nxe_str_t
lower_case(const cli_t *cli, nxe_str_t s)
{
    char  *p;

    for (p = cli_format(cli, "%.*s", (int) s.len, s.data), s.data = p;
         *p != '\0';
         p++)
    {
        *p = (char) tolower((unsigned char) *p);
    }

    return s;
}


/* The values of one option; a header's value is trimmed, others stay. */

static int
read_option(attrs_t *attrs, const char *option, nxe_source_type_t type,
    char separator)
{
    int          i;
    attr_t      *a;
    const char  *s, *p;

    for (i = 0; i < cli_opt_count(attrs->cli, option); i++) {
        s = cli_opt_at(attrs->cli, option, i);
        p = strchr(s, separator);

        if (p == NULL || p == s) {
            return cli_usage(attrs->cli, "--%s '%s': expected NAME%cVALUE",
                             option, s, separator);
        }

        a = &attrs->attrs[attrs->n++];
        a->type = type;
        a->name = (nxe_str_t) { s, (size_t) (p - s) };
        a->value = nxe_str_of(p + 1);

        if (type == NXE_SOURCE_HEADER) {
            a->value = trimmed(p + 1, p + 1 + a->value.len);
        }

        if (type == NXE_SOURCE_HEADER || type == NXE_SOURCE_VAR) {
            a->name = lower_case(attrs->cli, a->name);
        }
    }

    return CLI_DONE;
}


int
attrs_read(const cli_t *cli, attrs_t *attrs)
{
    int     rc;
    size_t  i, n;

    static const struct {
        const char         *option;
        nxe_source_type_t   type;
        char                separator;
    } options[] = {
        { "header", NXE_SOURCE_HEADER, ':' },
        { "cookie", NXE_SOURCE_COOKIE, '=' },
        { "arg", NXE_SOURCE_ARG, '=' },
        { "var", NXE_SOURCE_VAR, '=' }
    };

    memset(attrs, 0, sizeof(attrs_t));
    attrs->cli = cli;
    attrs->json = NXE_DECLINED;

    for (i = 0, n = 1; i < sizeof(options) / sizeof(options[0]); i++) {
        n += (size_t) cli_opt_count(cli, options[i].option);
    }

    attrs->attrs = nxe_calloc(cli->mem, n * sizeof(attr_t));
    if (attrs->attrs == NULL) {
        cli_error("out of memory");
        return CLI_ENV;
    }

    for (i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        rc = read_option(attrs, options[i].option, options[i].type,
                         options[i].separator);
        if (rc != CLI_DONE) {
            return rc;
        }
    }

    for (i = 0; i < attrs->n; i++) {
        if (attrs->attrs[i].type == NXE_SOURCE_HEADER) {
            nxe_credentials_add(&attrs->credentials, attrs->attrs[i].name,
                                attrs->attrs[i].value);
        }
    }

    return CLI_DONE;
}


const attr_t *
attrs_header(const attrs_t *attrs, nxe_str_t lower, size_t *n)
{
    size_t         i;
    const attr_t  *found;

    for (i = 0, found = NULL, *n = 0; i < attrs->n; i++) {
        if (attrs->attrs[i].type == NXE_SOURCE_HEADER
            && nxe_str_eq(attrs->attrs[i].name, lower)
            && (*n)++ == 0)
        {
            found = &attrs->attrs[i];
        }
    }

    return found;
}


/* Cookies of a name in one Cookie header; the value of the last. */

static size_t
count_cookies(nxe_str_t header, nxe_str_t name, nxe_str_t *value)
{
    size_t       n;
    const char  *p, *end, *last;

    last = header.data + header.len;

    for (p = header.data, n = 0; p < last; p = end + 1) {

        while (p < last && *p == ' ') {
            p++;
        }

        end = memchr(p, ';', (size_t) (last - p));
        if (end == NULL) {
            end = last;
        }

        if ((size_t) (end - p) > name.len && p[name.len] == '='
            && memcmp(p, name.data, name.len) == 0)
        {
            *value = (nxe_str_t) { p + name.len + 1,
                                   (size_t) (end - p) - name.len - 1 };
            n++;
        }
    }

    return n;
}


/* What is there once; twice is as good as not there. */

static nxe_status_t
find_attr(const attrs_t *attrs, const nxe_source_t *source,
    nxe_str_t *value)
{
    size_t         i, n;
    nxe_str_t      name;
    const attr_t  *a;

    name = source->type == NXE_SOURCE_VAR
           ? lower_case(attrs->cli, source->name) : source->name;

    for (i = 0, n = 0; i < attrs->n; i++) {
        a = &attrs->attrs[i];

        if (a->type == source->type && nxe_str_eq(a->name, name)) {
            *value = a->value;
            n++;

        } else if (source->type == NXE_SOURCE_COOKIE
                   && a->type == NXE_SOURCE_HEADER
                   && nxe_str_eq(a->name, nxe_str("cookie")))
        {
            n += count_cookies(a->value, name, value);
        }
    }

    return n == 1 ? NXE_OK : NXE_DECLINED;
}


nxe_status_t
attrs_get(void *ctx, const nxe_source_t *source, nxe_str_t *value)
{
    size_t          i;
    attrs_t        *attrs;
    nxe_status_t    rc;

    attrs = ctx;

    switch (source->type) {

    case NXE_SOURCE_JSON:
        break;

    case NXE_SOURCE_JWT:
        return nxe_credentials_claim(&attrs->credentials, source->name,
                                     attrs->cli->mem, value);

    case NXE_SOURCE_AUTH:
        return nxe_credentials_hash(&attrs->credentials, value);

    case NXE_SOURCE_HEADER:

        /* as where experiment_strip_headers is on */

        if (nxe_header_ours(source->name)) {
            return NXE_DECLINED;
        }

        /* fall through */

    default:
        rc = find_attr(attrs, source, value);

        return rc == NXE_OK && !subject_unit_ok(*value) ? NXE_DECLINED : rc;
    }

    if (attrs->json != NXE_OK) {
        return attrs->json;
    }

    for (i = 0; i < attrs->npointers; i++) {
        if (nxe_str_eq(attrs->pointers[i].pointer, source->name)) {
            return nxe_places_value(attrs->text, attrs->pointers[i].node,
                                    attrs->cli->mem, value);
        }
    }

    return NXE_DECLINED;
}


/* What nginx.conf would say in experiment_trusted. */

static int
read_trusted(attrs_t *attrs)
{
    int             i, n;
    const char     *word;
    const cli_t    *cli;
    nxe_trusted_t  *t;

    cli = attrs->cli;
    n = cli_opt_count(cli, "trusted");
    t = &attrs->trusted;

    t->names = nxe_calloc(cli->mem, ((size_t) n + 1) * sizeof(nxe_str_t));
    if (t->names == NULL) {
        cli_error("out of memory");
        return CLI_ENV;
    }

    for (i = 0; i < n; i++) {
        word = cli_opt_at(cli, "trusted", i);

        if (nxe_trusted_add(t, nxe_str_of(word)) == NXE_INVALID) {
            return cli_usage(cli, "--trusted '%s': expected auth or the "
                             "name of a variable", word);
        }
    }

    return CLI_DONE;
}


int
attrs_request(attrs_t *attrs, nxe_request_t *r)
{
    size_t         n;
    int64_t        us;
    const char    *at, *step;
    const attr_t  *header;

    memset(r, 0, sizeof(nxe_request_t));
    r->attr = attrs_get;
    r->ctx = attrs;
    r->trusted = &attrs->trusted;
    r->now = (int64_t) time(NULL);
    r->step = nxe_str("");
    r->scratch = nxe_scratch_new(attrs->cli->mem);

    if (r->scratch == NULL) {
        cli_error("out of memory");
        return CLI_ENV;
    }

    at = cli_opt(attrs->cli, "at");

    if (at != NULL) {
        if (nxe_time_parse(nxe_str_of(at), &us) != NXE_OK) {
            return cli_usage(attrs->cli, "--at '%s': expected a time such as "
                             "2026-11-20T09:00:00Z", at);
        }

        r->now = us / 1000000 - (us % 1000000 < 0);
    }

    step = cli_opt(attrs->cli, "step");

    if (step != NULL) {
        r->step = nxe_str_of(step);

    } else {
        header = attrs_header(attrs, nxe_str("x-inference-step"), &n);

        if (n == 1) {
            r->step = header->value;
        }
    }

    return read_trusted(attrs);
}


const char *
subject_excerpt(const cli_t *cli, nxe_str_t value)
{
    int        n;
    size_t     i;
    nxe_str_t  s;

    s = value;

    for (i = 0, n = 0; i < value.len; i++) {
        if (((unsigned char) value.data[i] & 0xc0) != 0x80 && n++ == EXCERPT)
        {
            s.len = i;
            return cli_format(cli, "%s...", cli_safe(cli, s));
        }
    }

    return cli_safe(cli, s);
}
