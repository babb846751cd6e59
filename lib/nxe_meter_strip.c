/*
 * A stream for a client that did not ask for usage: the edge did, and takes
 * it out again.
 */

#include "nxe_meter_int.h"


static void nxe_meter_raw(void *ctx, nxe_str_t bytes);
static int nxe_meter_blank(char c);


void
nxe_meter_strip(nxe_meter_t *m, nxe_meter_pt emit, void *ctx)
{
    m->emit = emit;
    m->ctx = ctx;
    m->sse.raw = nxe_meter_raw;
}


/*
 * What asking for usage adds to a stream: one chunk whose "choices" are empty,
 * and in each of the others "usage":null.  Usage beside choices is what the
 * upstream sends unasked.
 */

void
nxe_meter_plan(nxe_meter_t *m, nxe_str_t data)
{
    const char             *p, *end;
    const nxe_json_node_t  *usage, *choices;

    usage = m->at[NXE_METER_USAGE];
    choices = m->at[NXE_METER_LIST];

    if (usage->type == NXE_JSON_OBJECT) {
        m->drop = !nxe_meter_some(nxe_meter_get(m, NXE_METER_LIST))
                  && choices->type != NXE_JSON_STRING;
        return;
    }

    if (usage->type != NXE_JSON_NULL) {
        return;
    }

    /* with the comma before it, or behind it where it is the first */

    p = data.data + usage->key.start;
    end = data.data + usage->value.end;

    while (p != data.data && nxe_meter_blank(p[-1])) {
        p--;
    }

    if (p != data.data && p[-1] == ',') {
        p--;

    } else {
        while (end != data.data + data.len && nxe_meter_blank(*end)) {
            end++;
        }

        if (end != data.data + data.len && *end == ',') {
            end++;
        }
    }

    m->cut.data = p;
    m->cut.len = (size_t) (end - p);
}


static int
nxe_meter_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}


static void
nxe_meter_raw(void *ctx, nxe_str_t bytes)
{
    nxe_str_t     cut, rest;
    nxe_meter_t  *m = ctx;

    cut = m->cut;
    m->cut = nxe_null_str;

    if (m->drop) {
        m->drop = 0;
        return;
    }

    /* not in data of several lines, which were joined elsewhere */

    if (cut.len == 0 || cut.data < bytes.data
        || cut.data >= bytes.data + bytes.len)
    {
        m->emit(m->ctx, bytes);
        return;
    }

    rest.data = cut.data + cut.len;
    rest.len = (size_t) (bytes.data + bytes.len - rest.data);

    m->emit(m->ctx, (nxe_str_t) { bytes.data,
                                  (size_t) (cut.data - bytes.data) });
    m->emit(m->ctx, rest);
}
