/*
 * How a tried body is shown.
 */

#include "cli/try.h"


/* 1 if it did not get there, and not because the document says so. */

static int
is_lost(const try_edit_t *e)
{
    return e->code == NXE_CODE_UNSUPPORTED || e->code == NXE_CODE_BYPASSED
           || e->code == NXE_CODE_NOT_SENT;
}


static int
answer(const try_t *t)
{
    size_t  i;

    for (i = 0; i < t->nedits; i++) {
        if (is_lost(&t->edits[i])) {
            return CLI_NO;
        }
    }

    return CLI_DONE;
}


static int
is_shown(const try_t *t, const try_edit_t *e)
{
    return e->header || !cli_has(t->cli, "headers");
}


static const char *
bypass_text(const try_t *t)
{
    if (t->fault.expected == NULL) {
        return cli_format(t->cli, "body bypass:%s, more than %d MB",
                          t->bypass, TRY_BODY_MAX / 1024 / 1024);
    }

    return cli_format(t->cli, "body bypass:%s at byte %zu, expected %s",
                      t->bypass, t->fault.offset, t->fault.expected);
}


static nxe_status_t
write_slice(void *ctx, nxe_str_t slice)
{
    (void) ctx;

    fwrite(slice.data, 1, slice.len, stdout);

    return NXE_OK;
}


/* Why the answer is no, where the result does not show it. */

static void
print_lost(const try_t *t)
{
    size_t  i;

    if (t->bypass != NULL) {
        cli_error("%s", bypass_text(t));
        return;
    }

    for (i = 0; i < t->nedits; i++) {
        if (is_lost(&t->edits[i])) {
            cli_error("%s: %s", t->edits[i].name,
                      nxe_code_name(t->edits[i].code));
        }
    }
}


/* The bytes alone; what else there is to say goes to stderr. */

int
try_print_body(const try_t *t)
{
    (void) nxe_splice(&t->text, t->splices, t->nsplices, write_slice, NULL);
    print_lost(t);

    return answer(t);
}


int
try_print_json(const try_t *t)
{
    size_t         i, n;
    nxe_buf_t      b;
    const try_edit_t  *e;

    nxe_buf_init(&b, 1 << 24);

    nxe_buf_add(&b, nxe_str("{\"experiment\":"));
    nxe_buf_add_json(&b, t->doc->name);
    nxe_buf_add(&b, nxe_str(",\"variant\":"));
    nxe_buf_add_json(&b, t->doc->variants[t->a.variant].name);
    nxe_buf_addf(&b, ",\"reason\":\"%s\",\"dialect\":\"%s\",\"step\":",
                 t->reason, nxe_dialect_name(t->dialect));
    nxe_buf_add_json(&b, t->request.step);
    nxe_buf_addf(&b, ",\"bytes_in\":%zu,\"bytes_out\":%zu,\"edits\":[",
                 t->seg.len,
                 nxe_splice_len(t->splices, t->nsplices, t->seg.len));

    for (i = 0, n = 0; i < t->nedits; i++) {
        e = &t->edits[i];

        if (!is_shown(t, e)) {
            continue;
        }

        nxe_buf_add(&b, nxe_str_of(n++ == 0 ? "{\"parameter\":"
                                            : ",{\"parameter\":"));
        nxe_buf_add_json(&b, nxe_str_of(e->name));
        nxe_buf_addf(&b, ",\"result\":\"%s\",\"path\":",
                     nxe_code_name(e->code));

        if (e->path != NULL) {
            nxe_buf_add_json(&b, nxe_str_of(e->path));

        } else {
            nxe_buf_add(&b, nxe_str("null"));
        }

        nxe_buf_addc(&b, '}');
    }

    nxe_buf_addc(&b, ']');

    if (t->bypass != NULL) {
        nxe_buf_addf(&b, ",\"body\":\"bypass:%s\"", t->bypass);

        if (t->fault.expected != NULL) {
            nxe_buf_addf(&b, ",\"offset\":%zu,\"expected\":",
                         t->fault.offset);
            nxe_buf_add_json(&b, nxe_str_of(t->fault.expected));
        }
    }

    if (answer(t) == CLI_NO) {
        nxe_buf_add(&b, nxe_str(",\"why\":["));

        for (i = 0, n = 0; i < t->nedits; i++) {
            if (is_lost(&t->edits[i])) {
                nxe_buf_add(&b, nxe_str_of(n++ == 0 ? "" : ","));
                nxe_buf_add_json(&b, nxe_str_of(t->edits[i].name));
            }
        }

        nxe_buf_addc(&b, ']');
    }

    nxe_buf_add(&b, nxe_str("}\n"));

    i = (size_t) cli_print_json(&b);

    return i == CLI_DONE ? answer(t) : CLI_ENV;
}


static void
print_edit(const try_t *t, const try_edit_t *e)
{
    unsigned  i;

    printf("%s  %s", e->name, nxe_code_name(e->code));

    if (e->path != NULL) {
        printf("  %s", e->path);
    }

    putchar('\n');

    for (i = 0; i < e->nold; i++) {
        printf("  - %s\n", subject_excerpt(t->cli, e->old[i]));
    }

    if (e->value.len != 0) {
        printf("  + %s\n", subject_excerpt(t->cli, e->value));
    }
}


/* The edits of the headers alone: not those of the body, nor its bypass. */

static int
print_headers(const try_t *t)
{
    int     lost;
    size_t  i, n;

    for (i = 0, n = 0, lost = 0; i < t->nedits; i++) {
        if (is_shown(t, &t->edits[i])) {
            print_edit(t, &t->edits[i]);
            n++;

        } else if (is_lost(&t->edits[i])) {
            lost = 1;
        }
    }

    if (lost) {
        print_lost(t);

    } else if (n == 0 && !t->cli->quiet) {
        fprintf(stderr, "%.*s, step %s: no header is edited\n",
                (int) t->doc->variants[t->a.variant].name.len,
                t->doc->variants[t->a.variant].name.data,
                cli_safe(t->cli, t->request.step));
    }

    return answer(t);
}


int
try_print_text(const try_t *t)
{
    size_t  i;

    if (cli_has(t->cli, "headers")) {
        return print_headers(t);
    }

    printf("%.*s, %s  %s, step %s, %s -> %s bytes\n",
           (int) t->doc->variants[t->a.variant].name.len,
           t->doc->variants[t->a.variant].name.data, t->reason,
           nxe_dialect_name(t->dialect), cli_safe(t->cli, t->request.step),
           cli_count(t->cli, t->seg.len),
           cli_count(t->cli, nxe_splice_len(t->splices, t->nsplices,
                                            t->seg.len)));

    if (t->bypass != NULL) {
        printf("%s\n", bypass_text(t));
    }

    for (i = 0; i < t->nedits; i++) {
        print_edit(t, &t->edits[i]);
    }

    puts(t->nsplices != 0 ? "all other bytes unchanged"
                          : "all bytes unchanged");

    return answer(t);
}
