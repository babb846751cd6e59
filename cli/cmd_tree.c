/*
 * expctl tree: the variants below the baseline, with what each changes.
 */

#include <string.h>

#include "cli/commands.h"
#include "cli/registry.h"


typedef struct {
    const cli_t        *cli;
    const nxe_doc_t    *doc;
    const cJSON        *variants;
    nxe_force_t         force;
    cli_table_t        *table;
    nxe_buf_t          *json;
    unsigned            changed:1;  /* the variant has a change already */
    const char         *first;      /* cells of its first row */
    const char         *share;
} tree_t;


/*
 * One change of the variant at hand; value is JSON text, NULL: removed.  The
 * words of explain, which are no JSON: null can be a value.
 */

static void
add_change(tree_t *t, const char *key, nxe_str_t value, int if_absent)
{
    const char  *text;

    if (t->json != NULL) {
        nxe_buf_add(t->json, nxe_str_of(t->changed ? "," : ""));
        nxe_buf_add(t->json, nxe_str("{\"key\":"));
        nxe_buf_add_json(t->json, nxe_str_of(key));
        nxe_buf_add(t->json, nxe_str(",\"value\":"));
        nxe_buf_add(t->json, value.data != NULL ? value : nxe_str("null"));
        nxe_buf_add(t->json, nxe_str_of(value.data != NULL ? ""
                                        : ",\"op\":\"remove\""));
        nxe_buf_add(t->json, nxe_str_of(if_absent ? ",\"when\":\"absent\""
                                                  : ""));
        nxe_buf_addc(t->json, '}');

    } else {
        text = value.data == NULL ? "removed"
               : cli_format(t->cli, "%.*s%s", (int) value.len, value.data,
                            if_absent ? ", when absent" : "");

        /* a tree is read down its first column: it stands there once */
        cli_cell(t->table, "%s", t->changed
                                 && t->cli->format != CLI_CSV ? "" : t->first);
        cli_cell(t->table, "%s", t->changed
                                 && t->cli->format != CLI_CSV ? "" : t->share);

        if (t->cli->format == CLI_CSV) {
            cli_cell(t->table, "%s", key);
            cli_cell(t->table, "%s", text);

        } else {
            cli_cell(t->table, "%s  %s", key, text);
        }
    }

    t->changed = 1;
}


/* "STEP.what", or "what" alone where it holds for every step. */

static const char *
key_of(const tree_t *t, uint32_t step, const char *what, nxe_str_t name)
{
    const nxe_str_t  *s;

    if (step == NXE_NONE) {
        return cli_format(t->cli, "%s%.*s", what, (int) name.len, name.data);
    }

    s = &t->doc->steps[step].name;

    return cli_format(t->cli, "%.*s.%s%.*s", (int) s->len, s->data, what,
                      (int) name.len, name.data);
}


static nxe_str_t
bytes_of(const tree_t *t, nxe_bytes_t bytes)
{
    return (nxe_str_t) { t->doc->bytes + bytes.offset, bytes.len };
}


static nxe_str_t
quoted(const tree_t *t, nxe_str_t s)
{
    nxe_buf_t  b;
    nxe_str_t  copy;

    nxe_buf_init(&b, 1 << 20);
    nxe_buf_add_json(&b, s);

    if (b.status != NXE_OK
        || nxe_str_copy(t->cli->mem, nxe_buf_str(&b), &copy) != NXE_OK)
    {
        copy = nxe_str("null");
    }

    nxe_buf_free(&b);

    return copy;
}


/* What is checked and stored, and not built yet, is shown as it stands. */

static void
add_raw(tree_t *t, uint32_t v, const char *name)
{
    nxe_buf_t     b;
    nxe_str_t     copy;
    const cJSON  *item;

    item = nxe_tree_get(cJSON_GetArrayItem(t->variants, (int) v), name);
    if (item == NULL) {
        return;
    }

    nxe_buf_init(&b, 1 << 24);

    if (nxe_tree_canonical(item, &b) == NXE_OK
        && nxe_str_copy(t->cli->mem, nxe_buf_str(&b), &copy) == NXE_OK)
    {
        add_change(t, name, copy, 0);
    }

    nxe_buf_free(&b);
}


static void
add_changes(tree_t *t, uint32_t v)
{
    uint32_t              i;
    const nxe_header_t   *h;
    const nxe_body_op_t  *op;
    const nxe_variant_t  *variant;

    variant = &t->doc->variants[v];
    t->changed = 0;

    for (i = 0; i < variant->noverrides; i++) {
        add_change(t, key_of(t, variant->overrides[i].step, "",
                             nxe_str_of(nxe_param_name(
                                 (nxe_param_t) variant->overrides[i].param))),
                   bytes_of(t, variant->overrides[i].value),
                   variant->overrides[i].if_absent);
    }

    for (i = 0; i < variant->nheaders; i++) {
        h = &variant->headers[i];
        add_change(t, key_of(t, h->step, h->response ? "response_header:"
                                                     : "header:", h->name),
                   h->remove ? nxe_null_str : quoted(t, h->value), 0);
    }

    for (i = 0; i < variant->nroutes; i++) {
        add_change(t, key_of(t, variant->routes[i].step, "route",
                             nxe_str("")),
                   quoted(t, variant->routes[i].upstream), 0);
    }

    if (variant->mcp) {
        add_raw(t, v, "mcp");
    }

    if (variant->tools) {
        add_raw(t, v, "tools");
    }

    for (i = 0; i < variant->nops; i++) {
        op = &variant->ops[i];
        add_change(t, key_of(t, op->step, "body:", op->path),
                   op->remove ? nxe_null_str : bytes_of(t, op->value), 0);
    }
}


static void
begin_json(tree_t *t, uint32_t v, nxe_u128_t num, nxe_u128_t den)
{
    char             buf[NXE_DOUBLE_LEN];
    const nxe_doc_t *doc;

    doc = t->doc;

    nxe_buf_add(t->json, nxe_str("{\"name\":"));
    nxe_buf_add_json(t->json, doc->variants[v].name);
    nxe_buf_add(t->json, nxe_str(",\"parent\":"));

    if (doc->variants[v].parent == NXE_NONE) {
        nxe_buf_add(t->json, nxe_str("null"));

    } else {
        nxe_buf_add_json(t->json,
                         doc->variants[doc->variants[v].parent].name);
    }

    nxe_buf_add(t->json, nxe_str(",\"weight\":"));
    nxe_buf_add(t->json, (nxe_str_t) { buf, nxe_double_print(
                    (double) doc->variants[v].weight
                    / (double) doc->weight_den, buf) });
    nxe_buf_add(t->json, nxe_str(",\"share\":"));
    nxe_buf_add(t->json, nxe_str_of(cli_ratio(t->cli, num, den)));
    nxe_buf_add(t->json, nxe_str(",\"changes\":["));
}


/* indent is what stands before the children of the variant. */

static void
add_variant(tree_t *t, uint32_t v, const char *line, const char *indent)
{
    uint32_t     i, last;
    nxe_u128_t   num, den;
    const char  *name;

    name = t->doc->variants[v].name.data;
    nxe_transition_share(t->doc, &t->force, v, &num, &den);

    if (t->json != NULL) {
        begin_json(t, v, num, den);
        add_changes(t, v);
        nxe_buf_add(t->json, nxe_str("]}"));

    } else {
        t->first = t->cli->format == CLI_CSV
                   ? name : cli_format(t->cli, "%s%s", line, name);
        t->share = t->cli->format == CLI_CSV
                   ? cli_ratio(t->cli, num, den)
                   : cli_percent(t->cli, num, den);
        add_changes(t, v);

        if (!t->changed) {
            cli_cell(t->table, "%s", t->first);
            cli_cell(t->table, "%s", t->share);
            cli_cell(t->table, "%s", v == t->doc->baseline ? "baseline" : "");

            if (t->cli->format == CLI_CSV) {
                cli_cell(t->table, "%s", "");
            }
        }
    }

    last = NXE_NONE;

    for (i = 0; i < t->doc->nvariants; i++) {
        if (t->doc->variants[i].parent == v) {
            last = i;
        }
    }

    for (i = 0; last != NXE_NONE && i <= last; i++) {
        if (t->doc->variants[i].parent != v) {
            continue;
        }

        if (t->json != NULL) {
            nxe_buf_addc(t->json, ',');
        }

        add_variant(t, i,
                    cli_format(t->cli, "%s%s", indent,
                               i == last ? "`- " : "|- "),
                    cli_format(t->cli, "%s%s", indent,
                               i == last ? "   " : "|  "));
    }
}


static int
print_tree(const cli_t *cli, const nxe_experiment_t *e)
{
    char       buf[NXE_DOUBLE_LEN];
    tree_t     t;
    nxe_buf_t  b;

    memset(&t, 0, sizeof(t));
    t.cli = cli;
    t.doc = e->doc;
    t.variants = nxe_tree_get(e->tree, "variants");

    if (nxe_state_force(e->doc, &e->state, &t.force) != NXE_OK) {
        t.force.stage = NXE_STAGE_OFF;
    }

    if (cli->format == CLI_JSON) {
        nxe_buf_init(&b, (size_t) 1 << 28);
        t.json = &b;

        nxe_buf_add(&b, nxe_str("{\"experiment\":"));
        nxe_buf_add_json(&b, e->name);
        nxe_buf_addf(&b, ",\"revision\":%llu,\"phase\":%llu,\"stage\":\"%s\","
                     "\"exposure\":", (unsigned long long) e->state.revision,
                     (unsigned long long) e->state.phase,
                     nxe_stage_name(e->state.stage));

        if (e->state.has_exposure) {
            nxe_buf_add(&b, (nxe_str_t) { buf, nxe_double_print(
                            nxe_frac_double(e->state.exposure), buf) });

        } else {
            nxe_buf_add(&b, nxe_str("null"));
        }

        nxe_buf_add(&b, nxe_str(",\"variants\":["));
        add_variant(&t, e->doc->baseline, "", "");
        nxe_buf_add(&b, nxe_str("]}\n"));

        return cli_print_json(&b);
    }

    if (cli->format == CLI_TABLE) {
        printf("%s  revision %llu, phase %llu, %s\n", e->name.data,
               (unsigned long long) e->state.revision,
               (unsigned long long) e->state.phase,
               cli_stage_text(cli, &e->state));
    }

    t.table = cli_table_new(cli, cli->format == CLI_CSV ? "lrll" : "lrl",
                            "VARIANT", "SHARE", "CHANGE", "VALUE");
    cli_table_no_heads(t.table);
    add_variant(&t, e->doc->baseline, "", "");
    cli_table_print(t.table, stdout);

    return CLI_DONE;
}


static int
cmd_tree(cli_t *cli)
{
    int  rc;

    rc = cli_args(cli, 1, 1);
    if (rc != CLI_DONE) {
        return rc;
    }

    return cli_show(cli, print_tree);
}


const cli_command_t  cmd_tree_command = {
    "tree", "NAME", "shows the variants and what each changes",
    CLI_OUTPUT | CLI_REGISTRY, NULL, cmd_tree,
    "A variant stands below its parent, with its share of the layer's\n"
    "traffic at present and its own changes.\n"
};
