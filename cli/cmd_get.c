/*
 * expctl get: a document, or the state of an experiment.
 */

#include <string.h>

#include "cli/commands.h"
#include "cli/registry.h"


/* Canonical JSON, indented by two, members in the order in which they are. */

static void
add_pretty(nxe_buf_t *b, nxe_str_t json)
{
    int     depth, in_string, escaped;
    char    c;
    size_t  i;

    depth = 0;
    in_string = 0;
    escaped = 0;

    for (i = 0; i < json.len; i++) {
        c = json.data[i];

        if (in_string) {
            nxe_buf_addc(b, c);
            in_string = c != '"' || escaped;
            escaped = c == '\\' && !escaped;
            continue;
        }

        switch (c) {

        case '{':
        case '[':
            nxe_buf_addc(b, c);

            if (i + 1 < json.len && json.data[i + 1] == c + 2) {
                nxe_buf_addc(b, json.data[++i]);
                break;
            }

            depth++;
            nxe_buf_addf(b, "\n%*s", 2 * depth, "");
            break;

        case '}':
        case ']':
            depth--;
            nxe_buf_addf(b, "\n%*s%c", 2 * depth, "", c);
            break;

        case ',':
            nxe_buf_addf(b, ",\n%*s", 2 * depth, "");
            break;

        case ':':
            nxe_buf_add(b, nxe_str(": "));
            break;

        default:
            in_string = c == '"';
            nxe_buf_addc(b, c);
        }
    }
}


static int
print_document(const cli_t *cli, const nxe_experiment_t *e)
{
    nxe_buf_t  b;

    nxe_buf_init(&b, (size_t) 1 << 30);

    if (cli->format == CLI_JSON) {
        nxe_buf_add(&b, e->json);

    } else {
        add_pretty(&b, e->json);
    }

    nxe_buf_addc(&b, '\n');

    return cli_print_json(&b);
}


static void
line(cli_table_t *t, const char *key, const char *value)
{
    cli_cell(t, "%s", key);
    cli_cell(t, "%s", value);
}


static int
print_state(const cli_t *cli, const nxe_experiment_t *e)
{
    nxe_buf_t           b;
    nxe_state_t         former;
    cli_table_t        *t;
    const nxe_state_t  *s;

    s = &e->state;

    if (cli->format == CLI_JSON) {
        nxe_buf_init(&b, 1 << 20);
        nxe_state_print(e->name, s, &b);
        nxe_buf_addc(&b, '\n');
        return cli_print_json(&b);
    }

    if (cli->format == CLI_TABLE) {
        printf("%s  revision %llu, phase %llu, %s\n", e->name.data,
               (unsigned long long) s->revision,
               (unsigned long long) s->phase, cli_stage_text(cli, s));
    }

    t = cli_table_new(cli, "ll", "KEY", "VALUE");
    cli_table_no_heads(t);

    if (s->has_former) {
        former = *s;
        former.stage = s->former_stage;
        former.exposure = s->former_exposure;
        former.has_exposure = s->former_has_exposure;
        former.variant = s->former_variant;
        line(t, "former", cli_stage_text(cli, &former));
    }

    line(t, "since", cli_format(cli, "%s, %s", s->since.data,
                                cli_ago(cli, s->since)));

    if (s->started.len != 0) {
        line(t, "live since", s->started.data);
    }

    line(t, "by", s->by.data);

    if (s->reason.len != 0) {
        line(t, "reason", s->reason.data);
    }

    cli_table_print(t, stdout);

    return CLI_DONE;
}


static int
cmd_get(cli_t *cli)
{
    int  rc;

    rc = cli_args(cli, 1, 1);
    if (rc != CLI_DONE) {
        return rc;
    }

    if (cli->format == CLI_CSV && !cli_has(cli, "state")) {
        return cli_usage(cli, "a document is JSON, it has no CSV");
    }

    return cli_show(cli, cli_has(cli, "state") ? print_state
                                               : print_document);
}


static const cli_opt_t  get_opts[] = {
    { "state", 0, NULL, 0, "what happens to it instead of what is meant" },
    { NULL, 0, NULL, 0, NULL }
};

const cli_command_t  cmd_get_command = {
    "get", "NAME", "prints a document, or a state",
    CLI_OUTPUT | CLI_REGISTRY, get_opts, cmd_get,
    "The document is printed with members in order of name and files taken\n"
    "in; with -o json in one line, as the registry holds it.\n"
};
