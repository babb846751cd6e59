/*
 * expctl doctor: whether this host does what the registry says.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/doctor.h"

#define WIDTH   80
#define INDENT  16


static const char *const  words[] = { "ok", "warn", "FAIL" };
static const char *const  levels[] = { "ok", "warn", "fail" };


void
doctor_add(doctor_t *d, const char *area, doctor_level_t level,
    const char *next, const char *fmt, ...)
{
    char             text[2048];
    va_list          ap;
    doctor_check_t  *check;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);

    check = nxe_calloc(d->cli->mem, sizeof(doctor_check_t));
    if (check == NULL) {
        cli_error("out of memory");
        exit(CLI_ENV);
    }

    check->area = area;
    check->level = level;
    check->text = cli_format(d->cli, "%s", text);
    check->next = next;

    *d->last = check;
    d->last = &check->later;
}


/* Text from a column on, broken between words. */

static void
print_wrapped(const char *s, int from)
{
    int          at;
    size_t       n;
    const char  *gap;

    for (at = from, gap = ""; *s != '\0'; s += n) {
        n = strcspn(s, " ");

        if (at != from && at + 1 + (int) n > WIDTH) {
            printf("\n%*s", from, "");
            at = from;
            gap = "";
        }

        at += printf("%s%.*s", gap, (int) n, s);
        gap = " ";

        if (s[n] == ' ') {
            n++;
        }
    }

    putchar('\n');
}


static void
print_text(const doctor_t *d, const unsigned *n)
{
    const char            *area;
    const doctor_check_t  *c;

    for (c = d->first, area = ""; c != NULL; c = c->later) {
        printf("%-8s  %s%*s", strcmp(c->area, area) == 0 ? "" : c->area,
               cli_mark(d->cli, words[c->level]),
               6 - (int) strlen(words[c->level]), "");
        print_wrapped(cli_safe(d->cli, nxe_str_of(c->text)), INDENT);

        if (c->next != NULL) {
            printf("%*snext: ", INDENT, "");
            print_wrapped(cli_safe(d->cli, nxe_str_of(c->next)), INDENT + 6);
        }

        area = c->area;
    }

    printf("%u ok, %u warning%s, %u failure%s\n", n[DOCTOR_OK],
           n[DOCTOR_WARN], n[DOCTOR_WARN] == 1 ? "" : "s",
           n[DOCTOR_FAIL], n[DOCTOR_FAIL] == 1 ? "" : "s");
}


static void
print_csv(const doctor_t *d)
{
    cli_table_t           *t;
    const doctor_check_t  *c;

    t = cli_table_new(d->cli, "llll", "AREA", "LEVEL", "TEXT", "NEXT");

    for (c = d->first; c != NULL; c = c->later) {
        cli_cell(t, "%s", c->area);
        cli_cell(t, "%s", levels[c->level]);
        cli_cell(t, "%s", c->text);
        cli_cell(t, "%s", c->next != NULL ? c->next : "");
    }

    cli_table_print(t, stdout);
}


static int
print_json(const doctor_t *d, const unsigned *n)
{
    nxe_buf_t              b;
    const char            *area;
    const doctor_check_t  *c;

    nxe_buf_init(&b, 1 << 24);
    nxe_buf_add(&b, nxe_str("{\"checks\":["));

    for (c = d->first; c != NULL; c = c->later) {
        nxe_buf_addf(&b, "%s{\"area\":\"%s\",\"level\":\"%s\",\"text\":",
                     c == d->first ? "" : ",", c->area, levels[c->level]);
        nxe_buf_add_json(&b, nxe_str_of(c->text));
        nxe_buf_add(&b, nxe_str(",\"next\":"));

        if (c->next != NULL) {
            nxe_buf_add_json(&b, nxe_str_of(c->next));

        } else {
            nxe_buf_add(&b, nxe_str("null"));
        }

        nxe_buf_addc(&b, '}');
    }

    nxe_buf_addf(&b, "],\"ok\":%u,\"warn\":%u,\"fail\":%u,\"why\":[",
                 n[DOCTOR_OK], n[DOCTOR_WARN], n[DOCTOR_FAIL]);

    for (c = d->first, area = NULL; c != NULL; c = c->later) {
        if (c->level != DOCTOR_FAIL
            || (area != NULL && strcmp(area, c->area) == 0))
        {
            continue;
        }

        nxe_buf_addf(&b, "%s\"%s\"", area == NULL ? "" : ",", c->area);
        area = c->area;
    }

    nxe_buf_add(&b, nxe_str("]}\n"));

    return cli_print_json(&b);
}


static int
cmd_doctor(cli_t *cli)
{
    int              rc;
    size_t           i;
    doctor_t        *d;
    unsigned         n[3];
    doctor_check_t  *c;

    rc = cli_args(cli, 0, 0);
    if (rc != CLI_DONE) {
        return rc;
    }

    d = nxe_calloc(cli->mem, sizeof(doctor_t));
    if (d == NULL) {
        cli_error("out of memory");
        return CLI_ENV;
    }

    d->cli = cli;
    d->last = &d->first;

    doctor_nginx_look(d);
    doctor_registry(d);
    doctor_log_look(d);
    doctor_serving(d);
    doctor_keys(d);
    doctor_nginx(d);
    doctor_log(d);

    memset(n, 0, sizeof(n));

    for (c = d->first; c != NULL; c = c->later) {
        n[c->level]++;
    }

    if (cli->format == CLI_JSON) {
        rc = print_json(d, n);

    } else if (cli->format == CLI_CSV) {
        print_csv(d);

    } else {
        print_text(d, n);
    }

    for (i = 0; i < d->nexperiments; i++) {
        nxe_experiment_free(&d->experiments[i]);
    }

    return rc == CLI_DONE && n[DOCTOR_FAIL] != 0 ? CLI_NO : rc;
}


static const cli_opt_t  doctor_opts[] = {
    { "nginx", 0, "BINARY", 0, "the nginx to look at (else that in PATH)" },
    { "conf", 0, "FILE", 0, "its configuration, as nginx -c takes it" },
    { "prefix", 0, "DIR", 0, "its folder, as nginx -p takes it" },
    { NULL, 0, NULL, 0, NULL }
};

const cli_command_t  cmd_doctor_command = {
    "doctor", "", "checks this host, and says what to do",
    CLI_OUTPUT | CLI_REGISTRY, doctor_opts, cmd_doctor,
    "Looks at the registry, the serving copy, the keys, nginx (by nginx -V\n"
    "and nginx -T) and the log, and changes nothing, but that nginx -T may\n"
    "make its folders of temporary files. Exit 1: a FAIL.\n"
    "\n"
    "  expctl doctor\n"
    "  expctl doctor --nginx /opt/edge/nginx --prefix /opt/edge\n"
};
