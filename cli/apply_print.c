#include <stdio.h>

#include "cli/apply.h"
#include "cli/registry.h"


static const char *const  outcome_names[] = {
    "unchanged", "created", "updated"
};


/* The file's "stage" differs from what is: state is left alone, and said. */

static const char *
stage_note(const apply_t *a, const apply_item_t *item)
{
    nxe_stage_t  wished;

    /* a document without one means nothing by it, not "off" */

    if (item->outcome == APPLY_CREATED
        || nxe_tree_get(item->file.tree, "stage") == NULL
        || nxe_stage_parse(item->file.doc->stage, &wished) != NXE_OK
        || wished == item->to.stage)
    {
        return NULL;
    }

    return cli_format(a->cli, "stage in file is %s, the experiment is %s: "
                      "state is left alone", nxe_stage_name(wished),
                      nxe_stage_name(item->to.stage));
}


static void
print_json_item(const apply_t *a, const apply_item_t *item, uint64_t id,
    nxe_buf_t *b)
{
    char         buf[NXE_DOUBLE_LEN];
    const char  *note;

    nxe_buf_add(b, nxe_str("{\"experiment\":"));
    nxe_buf_add_json(b, item->file.doc->name);
    nxe_buf_addf(b, ",\"result\":\"%s\",\"revision\":%llu,\"phase\":%llu,"
                 "\"stage\":\"%s\",\"changes_variant\":",
                 outcome_names[item->outcome],
                 (unsigned long long) item->to.revision,
                 (unsigned long long) item->to.phase,
                 nxe_stage_name(item->to.stage));

    if (item->moved) {
        nxe_buf_add(b, (nxe_str_t) { buf, nxe_double_print(
                        (double) item->movement.change
                        / (double) NXE_MOVEMENT_ALL, buf) });

    } else {
        nxe_buf_addc(b, '0');
    }

    note = stage_note(a, item);
    nxe_buf_add(b, nxe_str(",\"note\":"));

    if (note != NULL) {
        nxe_buf_add_json(b, nxe_str_of(note));

    } else {
        nxe_buf_add(b, nxe_str("null"));
    }

    if (id != 0 && item->outcome != APPLY_UNCHANGED) {
        nxe_buf_addf(b, ",\"registry\":%llu}\n", (unsigned long long) id);

    } else {
        nxe_buf_add(b, nxe_str(",\"registry\":null}\n"));
    }
}


static void
print_item(const apply_t *a, const apply_item_t *item, uint64_t id)
{
    const char   *note, *name;
    const cli_t  *cli;

    cli = a->cli;
    name = item->file.doc->name.data;

    if (item->outcome == APPLY_UNCHANGED) {
        printf("%s: unchanged, revision %llu\n", name,
               (unsigned long long) item->to.revision);

    } else if (item->outcome == APPLY_CREATED) {
        printf("%s: created, revision 1, phase 1, %s%s\n", name,
               cli_stage_text(cli, &item->to), cli_written(cli, id));

    } else if (item->to.phase != item->before.state.phase) {
        printf("%s: revision %llu -> %llu, phase %llu -> %llu%s\n", name,
               (unsigned long long) item->before.state.revision,
               (unsigned long long) item->to.revision,
               (unsigned long long) item->before.state.phase,
               (unsigned long long) item->to.phase, cli_written(cli, id));

    } else {
        printf("%s: revision %llu -> %llu, phase %llu%s\n", name,
               (unsigned long long) item->before.state.revision,
               (unsigned long long) item->to.revision,
               (unsigned long long) item->to.phase, cli_written(cli, id));
    }

    if (item->moved) {
        printf("%s: %s\n", name, cli_movement_text(cli, &item->movement));
    }

    note = stage_note(a, item);
    if (note != NULL) {
        printf("%s: %s\n", name, note);
    }
}


int
apply_print(const apply_t *a, uint64_t id)
{
    size_t        i;
    nxe_buf_t     b;
    cli_table_t  *t;

    if (a->cli->format == CLI_JSON) {
        nxe_buf_init(&b, (size_t) 1 << 28);

        for (i = 0; i < a->n; i++) {
            print_json_item(a, &a->items[i], id, &b);
        }

        return cli_print_json(&b);
    }

    if (a->cli->format == CLI_CSV) {
        t = cli_table_new(a->cli, "llrrl", "NAME", "RESULT", "REVISION",
                          "PHASE", "STAGE");

        for (i = 0; i < a->n; i++) {
            cli_cell_str(t, a->items[i].file.doc->name);
            cli_cell(t, "%s", outcome_names[a->items[i].outcome]);
            cli_cell(t, "%llu", (unsigned long long) a->items[i].to.revision);
            cli_cell(t, "%llu", (unsigned long long) a->items[i].to.phase);
            cli_cell(t, "%s", nxe_stage_name(a->items[i].to.stage));
        }

        cli_table_print(t, stdout);
        return CLI_DONE;
    }

    for (i = 0; i < a->n; i++) {
        print_item(a, &a->items[i], id);
    }

    return CLI_DONE;
}
