/*
 * What explain says to a person.
 */

#include <stdio.h>
#include <string.h>

#include <nxe/time.h>

#include "cli/explain.h"

#define WIDTH  80
#define LABEL  8

#define FROM_SHA256  "from sha256(\"%s\")"


static void
text_effect(explain_t *x, uint32_t step, const char *key, nxe_str_t value,
    int if_absent, uint32_t from)
{
    nxe_str_t  name;

    name = x->doc->steps[step].name;

    printf("%.*s.%s  %s%s  from %.*s\n", (int) name.len, name.data, key,
           value.data != NULL ? subject_excerpt(x->cli, value) : "removed",
           if_absent ? ", when absent" : "",
           (int) x->doc->variants[from].name.len,
           x->doc->variants[from].name.data);
}


static void
text_ops(explain_t *x, uint32_t step)
{
    uint32_t                i;
    const nxe_body_op_t    *op;
    const nxe_effective_t  *e;

    e = explain_effective(x, step);

    for (i = 0; e != NULL && i < e->nops; i++) {
        op = e->ops[i];
        text_effect(x, step, cli_format(x->cli, "body:%s",
                                        subject_excerpt(x->cli, op->path)),
                    op->remove ? nxe_null_str : (nxe_str_t) {
                        x->doc->bytes + op->value.offset, op->value.len },
                    0, explain_op_from(x, op));
    }
}


static void
text_state(explain_t *x)
{
    const nxe_state_t  *s;

    s = &x->subject.e.state;

    printf("%s  revision %llu, phase %llu, %s, ", x->subject.e.name.data,
           (unsigned long long) s->revision, (unsigned long long) s->phase,
           cli_stage_text(x->cli, s));

    if (x->doc->nwindows == 0) {
        printf("no window, ");

    } else {
        printf("%u window%s, ", x->doc->nwindows,
               x->doc->nwindows == 1 ? "" : "s");
    }

    if (x->doc->ntargeting == 0) {
        printf("no targeting\n");

    } else {
        printf("%u condition%s\n", x->doc->ntargeting,
               x->doc->ntargeting == 1 ? "" : "s");
    }
}


static void
text_conditions(explain_t *x)
{
    int                  holds;
    char                 from[NXE_TIME_LEN], to[NXE_TIME_LEN];
    uint32_t             i;
    nxe_buf_t            b;
    nxe_str_t            found;
    const nxe_window_t  *w;

    for (i = 0; i < x->doc->nwindows; i++) {
        w = &x->doc->windows[i];
        nxe_time_print(w->from, from);
        nxe_time_print(w->to, to);

        printf("window  %s to %s  %s\n", from, to,
               explain_window(x, w) ? "holds" : "does not hold");
    }

    if (!x->request.any_step) {
        printf("step    %s  %s\n", cli_safe(x->cli, x->request.step),
               x->a.step != NXE_NONE && x->doc->steps[x->a.step].changes
               ? "holds" : "does not hold");
    }

    for (i = 0; i < x->doc->ntargeting; i++) {
        holds = explain_condition(x, i, &found);

        nxe_buf_init(&b, 1 << 20);
        nxe_tree_canonical(explain_member(x, i, "value"), &b);

        printf("target  %s %s %s  %s, ",
               cli_safe(x->cli, nxe_str_of(explain_member(x, i,
                            "attribute")->valuestring)),
               explain_member(x, i, "op")->valuestring,
               cli_safe(x->cli, nxe_buf_str(&b)),
               holds ? "holds" : "does not hold");

        if (found.data != NULL) {
            printf("found \"%s\"\n", cli_safe(x->cli, found));

        } else {
            printf("not there\n");
        }

        nxe_buf_free(&b);
    }
}


/* Who says that the unit is this one; a unit alone needs no line. */

static void
text_unit(explain_t *x)
{
    int  at;

    if (!x->has_found) {
        if (x->unit.data == NULL) {
            printf("unit    none, no source of the document is there\n");
        }

        return;
    }

    at = printf("unit   ");

    if (!nxe_str_eq(x->unit, x->found.value)) {
        at = explain_words(x->cli, at, "as given; the request has");
    }

    at = explain_piece(at, explain_cut(x->cli, x->found.value, WIDTH - LABEL));

    at = explain_piece(at, cli_format(x->cli, "from %s,", cli_safe(x->cli,
                                      nxe_str_of(explain_source(x)))));

    explain_words(x->cli, at, cli_format(x->cli, "%s%s", x->found.verified
                  ? "verified" : "which a client chooses",
                  nxe_assign_takes(x->doc, &x->found)
                  ? "" : ": of no use, the risk is high"));
    putchar('\n');
}


static void
text_segments(explain_t *x)
{
    uint32_t              i;
    nxe_str_t             found, logged;
    const nxe_segment_t  *segment;

    for (i = 0; i < x->doc->nsegments; i++) {
        segment = &x->doc->segments[i];
        explain_segment(x, i, &found, &logged);

        printf("segment %.*s  ", (int) segment->name.len, segment->name.data);

        if (found.data == NULL) {
            printf("not there\n");

        } else if (logged.data == NULL) {
            printf("not logged, found \"%s\"\n", cli_safe(x->cli, found));

        } else {
            printf("\"%s\"", cli_safe(x->cli, logged));

            if (nxe_str_eq(logged, found)) {
                putchar('\n');

            } else {
                printf(", found \"%s\"\n", cli_safe(x->cli, found));
            }
        }
    }
}


static void
text_layer(explain_t *x)
{
    char  position[NXE_DOUBLE_LEN], from[NXE_DOUBLE_LEN], to[NXE_DOUBLE_LEN];

    nxe_bucket_print(x->position, position);
    nxe_double_print(nxe_frac_double(x->doc->layer_from), from);
    nxe_double_print(nxe_frac_double(x->doc->layer_to), to);

    printf("layer   %.*s, position %s %s [%s, %s)\n",
           (int) x->doc->layer.len, x->doc->layer.data,
           x->has_unit ? position : "-",
           !x->has_unit || x->a.in_layer ? "in" : "outside", from, to);
}


static void
text_bucket(explain_t *x)
{
    int        at;
    char       bucket[NXE_DOUBLE_LEN];
    nxe_buf_t  hashed;

    if (!x->has_unit) {
        if (x->unit.data != NULL && !subject_unit_ok(x->unit)) {
            printf("bucket  -, a unit has 1 to %d bytes\n", NXE_UNIT_MAX);

        } else {
            printf("bucket  -, no unit\n");
        }

        return;
    }

    nxe_bucket_print(x->a.bucket, bucket);

    nxe_buf_init(&hashed, 1 << 20);
    nxe_buf_add(&hashed, x->doc->salt);
    nxe_buf_add(&hashed, nxe_str_of(x->doc->salt.len != 0 ? ":" : ""));
    nxe_buf_add(&hashed, x->unit);

    at = explain_piece(printf("bucket "), bucket);

    explain_piece(at, cli_format(x->cli, FROM_SHA256,
                  explain_cut(x->cli, nxe_buf_str(&hashed), WIDTH - LABEL
                              - (int) strlen(FROM_SHA256) + 2)));
    putchar('\n');

    nxe_buf_free(&hashed);
}


static void
text_ranges(explain_t *x)
{
    int          at, len;
    char         from[NXE_DOUBLE_LEN], to[NXE_DOUBLE_LEN];
    uint32_t     v;
    nxe_frac_t   lo, hi;
    const char  *range;

    if (!explain_ranges(x)) {
        printf("ranges  none, %s\n", nxe_stage_name(x->subject.force.stage));
        return;
    }

    at = printf("ranges");

    for (v = 0; v < x->doc->nvariants; v++) {
        nxe_assign_range(x->doc, &x->subject.force, v, &lo, &hi);
        nxe_double_print(nxe_frac_double(lo), from);
        nxe_double_print(nxe_frac_double(hi), to);

        range = cli_format(x->cli, "%.*s [%s, %s)",
                           (int) x->doc->variants[v].name.len,
                           x->doc->variants[v].name.data, from, to);
        len = (int) strlen(range);

        if (v != 0 && at + 2 + len > WIDTH) {
            at = printf("\n      ") - 1;
        }

        at += printf("  %s", range);
    }

    putchar('\n');
}


int
explain_text(explain_t *x)
{
    uint32_t  i;

    text_state(x);
    text_conditions(x);
    text_segments(x);
    text_unit(x);
    text_layer(x);
    text_bucket(x);
    text_ranges(x);

    printf("%.*s, %s\n", (int) x->doc->variants[x->a.variant].name.len,
           x->doc->variants[x->a.variant].name.data,
           nxe_reason_name(x->a.reason));

    for (i = 0; i < x->doc->nsteps; i++) {
        explain_effects(x, i, text_effect);
        text_ops(x, i);
    }

    return CLI_DONE;
}
