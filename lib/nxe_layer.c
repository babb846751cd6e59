/*
 * Who may be live beside whom, and how many units move.
 */

#include <stdio.h>
#include <string.h>

#include <nxe/transition.h>


/* [lo, hi) of a layer in 10^-9. */

typedef struct {
    uint64_t            lo;
    uint64_t            hi;
} part_t;


static uint64_t
nano(nxe_frac_t f)
{
    return f.num * (NXE_NANO / f.den);
}


static part_t
part_of(const nxe_doc_t *doc)
{
    return (part_t) { nano(doc->layer_from), nano(doc->layer_to) };
}


/* A range is appended whole or not at all: 0 if it leaves less than spare. */

static int
add_range(char *text, size_t size, size_t spare, uint64_t lo, uint64_t hi)
{
    int     i, len;
    char    a[2][NXE_DOUBLE_LEN], range[2 * NXE_DOUBLE_LEN + 6];
    size_t  n;

    const uint64_t  ends[2] = { lo, hi };

    for (i = 0; i < 2; i++) {
        n = nxe_double_print((double) ends[i] / NXE_NANO, a[i]);
        a[i][n < NXE_DOUBLE_LEN ? n : NXE_DOUBLE_LEN - 1] = '\0';
    }

    n = strlen(text);
    len = snprintf(range, sizeof(range), " [%s, %s)", a[0], a[1]);

    if (n + (size_t) len + spare >= size) {
        return 0;
    }

    memcpy(text + n, range, (size_t) len + 1);

    return 1;
}


/* Appends what no live experiment of the layer holds; 0 if that is nothing. */

static int
add_free_ranges(const nxe_doc_t *doc, const nxe_doc_t *const *others,
    size_t n, char *text, size_t size)
{
    int       any;
    size_t    i, len, more;
    part_t    p;
    uint64_t  at, next;

    any = 0;
    more = 0;

    for (at = 0; at < NXE_NANO; at = next) {

        /* the end of what covers "at", else the start of what comes next */

        next = NXE_NANO;

        for (i = 0; i < n; i++) {
            if (!nxe_str_eq(others[i]->layer, doc->layer)) {
                continue;
            }

            p = part_of(others[i]);

            if (p.lo <= at && at < p.hi) {
                next = p.hi;
                break;
            }

            if (p.lo > at && p.lo < next) {
                next = p.lo;
            }
        }

        if (i == n) {
            more += more != 0
                    || !add_range(text, size, sizeof(" and 1000 more"), at,
                                  next);
            any = 1;
        }
    }

    len = strlen(text);

    if (!any) {
        snprintf(text + len, size - len, " none");

    } else if (more != 0) {
        snprintf(text + len, size - len, " and %zu more", more);
    }

    return any;
}


static nxe_status_t
overlap(const nxe_doc_t *doc, const nxe_doc_t *other,
    const nxe_doc_t *const *others, size_t n, nxe_refusal_t *refusal)
{
    part_t  p;
    size_t  len;

    p = part_of(doc);
    refusal->why = "overlap";

    snprintf(refusal->text, sizeof(refusal->text), "%.*s wants",
             (int) doc->name.len, doc->name.data);
    (void) add_range(refusal->text, sizeof(refusal->text), 0, p.lo, p.hi);

    len = strlen(refusal->text);
    snprintf(refusal->text + len, sizeof(refusal->text) - len,
             " of layer '%.*s', %.*s holds", (int) doc->layer.len,
             doc->layer.data, (int) other->name.len, other->name.data);

    p = part_of(other);
    (void) add_range(refusal->text, sizeof(refusal->text), 0, p.lo, p.hi);

    len = strlen(refusal->text);
    snprintf(refusal->text + len, sizeof(refusal->text) - len, "; free:");

    if (add_free_ranges(doc, others, n, refusal->text,
                        sizeof(refusal->text)))
    {
        snprintf(refusal->next, sizeof(refusal->next),
                 "give %.*s a free \"range\" in \"layer\", "
                 "expctl apply -f FILE", (int) doc->name.len, doc->name.data);

    } else {
        snprintf(refusal->next, sizeof(refusal->next),
                 "expctl stage %.*s off, or give %.*s another \"layer\"",
                 (int) other->name.len, other->name.data,
                 (int) doc->name.len, doc->name.data);
    }

    return NXE_CONFLICT;
}


/* Another live experiment forbids it; err says what. */

static nxe_status_t
conflict(const nxe_doc_t *doc, const nxe_doc_t *other, const nxe_error_t *err,
    nxe_refusal_t *refusal)
{
    refusal->why = "conflict";
    snprintf(refusal->text, sizeof(refusal->text), "%s", err->text);

    if (nxe_str_eq(doc->layer, other->layer)) {
        snprintf(refusal->next, sizeof(refusal->next),
                 "give %.*s the \"unit\" of %.*s, or another \"layer\"",
                 (int) doc->name.len, doc->name.data,
                 (int) other->name.len, other->name.data);

    } else {
        snprintf(refusal->next, sizeof(refusal->next),
                 "give both one \"layer\", each with a \"range\" of its "
                 "own, expctl apply -f FILE");
    }

    return err->status;
}


nxe_status_t
nxe_transition_live(const nxe_doc_t *doc, const nxe_doc_t *const *others,
    size_t n, nxe_refusal_t *refusal)
{
    size_t        i, in_layer;
    part_t        a, b;
    nxe_error_t   err;
    nxe_status_t  rc;

    refusal->next[0] = '\0';

    if (doc->unbuilt != NULL) {
        refusal->why = "unbuilt";
        snprintf(refusal->text, sizeof(refusal->text),
                 "%.*s cannot go live: \"%s\" is not built yet",
                 (int) doc->name.len, doc->name.data, doc->unbuilt);
        snprintf(refusal->next, sizeof(refusal->next),
                 "take it out of the document, expctl apply -f FILE");
        return NXE_CONFLICT;
    }

    a = part_of(doc);

    for (i = 0, in_layer = 0; i < n; i++) {
        if (!nxe_str_eq(doc->layer, others[i]->layer)) {
            continue;
        }

        b = part_of(others[i]);
        if (a.lo < b.hi && b.lo < a.hi) {
            return overlap(doc, others[i], others, n, refusal);
        }

        in_layer++;
    }

    if (in_layer >= NXE_LAYER_LIVE_MAX) {
        refusal->why = "layer_full";
        snprintf(refusal->text, sizeof(refusal->text),
                 "layer '%.*s' has %d live experiments already",
                 (int) doc->layer.len, doc->layer.data, NXE_LAYER_LIVE_MAX);
        snprintf(refusal->next, sizeof(refusal->next),
                 "expctl list --layer %.*s", (int) doc->layer.len,
                 doc->layer.data);
        return NXE_CONFLICT;
    }

    for (i = 0; i < n; i++) {
        err.text[0] = '\0';

        rc = nxe_doc_conflict(doc, others[i], &err);
        if (rc != NXE_OK) {
            return conflict(doc, others[i], &err, refusal);
        }
    }

    return NXE_OK;
}


/* [lo, hi) of variants, and what they have in common, in 2^-32. */

static uint64_t
common(uint64_t alo, uint64_t ahi, uint64_t blo, uint64_t bhi)
{
    uint64_t  lo, hi;

    lo = alo > blo ? alo : blo;
    hi = ahi < bhi ? ahi : bhi;

    return lo < hi ? hi - lo : 0;
}


/* Two draws of a unit: equal hashes of equal input, or independent ones. */

static uint64_t
both(int same, uint64_t alo, uint64_t ahi, uint64_t blo, uint64_t bhi)
{
    return same ? common(alo, ahi, blo, bhi)
                : (uint64_t) ((nxe_u128_t) (ahi - alo) * (bhi - blo) >> 32);
}


/* Unlike nxe_doc_units_eq(): a unit's type is no part of what is hashed. */

static int
same_unit(const nxe_doc_t *a, const nxe_doc_t *b)
{
    uint32_t  i;

    if (a->nsources != b->nsources) {
        return 0;
    }

    for (i = 0; i < a->nsources; i++) {
        if (a->sources[i].type != b->sources[i].type
            || !nxe_str_eq(a->sources[i].name, b->sources[i].name))
        {
            return 0;
        }
    }

    return 1;
}


static uint64_t
exposed_of(const nxe_doc_t *doc, const nxe_range_t *ranges)
{
    uint32_t  v;
    uint64_t  sum;

    for (v = 0, sum = 0; v < doc->nvariants; v++) {
        sum += ranges[v].hi - ranges[v].lo;
    }

    return sum;
}


void
nxe_movement(const nxe_doc_t *before, const nxe_force_t *before_force,
    const nxe_doc_t *after, const nxe_force_t *after_force,
    nxe_movement_t *movement)
{
    int           unit, bucket;
    uint32_t      i, j;
    uint64_t      n, stay, change, alo, ahi, blo, bhi, in_both;
    nxe_u128_t    had, have, kept;
    nxe_range_t   ra[NXE_VARIANTS_MAX], rb[NXE_VARIANTS_MAX];

    nxe_assign_ranges(after, after_force, rb);
    blo = nxe_frac_threshold(after->layer_from);
    bhi = nxe_frac_threshold(after->layer_to);
    have = (nxe_u128_t) exposed_of(after, rb) * (bhi - blo);

    movement->leave = 0;
    movement->change = 0;
    movement->join = have;

    if (before == NULL) {
        return;
    }

    nxe_assign_ranges(before, before_force, ra);
    alo = nxe_frac_threshold(before->layer_from);
    ahi = nxe_frac_threshold(before->layer_to);
    had = (nxe_u128_t) exposed_of(before, ra) * (ahi - alo);

    unit = same_unit(before, after);
    bucket = unit && nxe_str_eq(before->salt, after->salt);

    in_both = both(unit && nxe_str_eq(before->layer, after->layer),
                   alo, ahi, blo, bhi);

    /* of those in both ranges: who has a variant before and after */

    stay = 0;
    change = 0;

    for (i = 0; i < before->nvariants; i++) {
        for (j = 0; j < after->nvariants; j++) {
            n = both(bucket, ra[i].lo, ra[i].hi, rb[j].lo, rb[j].hi);
            stay += n;

            if (!nxe_str_eq(before->variants[i].name,
                            after->variants[j].name))
            {
                change += n;
            }
        }
    }

    kept = (nxe_u128_t) stay * in_both;

    movement->change = (nxe_u128_t) change * in_both;
    movement->leave = had - kept;
    movement->join = have - kept;
}


void
nxe_transition_share(const nxe_doc_t *doc, const nxe_force_t *force,
    uint32_t v, nxe_u128_t *num, nxe_u128_t *den)
{
    part_t      p;
    uint32_t    i;
    nxe_frac_t  lo, hi;
    nxe_u128_t  sum, scale;

    p = part_of(doc);
    scale = (nxe_u128_t) doc->weight_den * NXE_NANO;
    sum = 0;

    for (i = 0; i < doc->nvariants; i++) {
        if (v == NXE_NONE || v == i) {
            nxe_assign_range(doc, force, i, &lo, &hi);
            sum += (hi.num * (scale / hi.den)) - (lo.num * (scale / lo.den));
        }
    }

    if (v == NXE_NONE) {
        sum = scale - sum;
    }

    *num = sum * (p.hi - p.lo);
    *den = scale * NXE_NANO;
}
