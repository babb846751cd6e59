/*
 * A stream for a client that did not ask for usage: the edge did, and takes
 * it out again.
 */

#include "nxe_meter_int.h"


static int nxe_meter_blank(char c);


void
nxe_meter_strip(nxe_meter_t *m, nxe_meter_pt emit, void *ctx)
{
    m->emit = emit;
    m->ctx = ctx;
}


/*
 * Asked for usage, each chunk but the last has "usage":null.  It goes with the
 * comma before it, or behind it where it is the first.  Usage beside choices
 * is what the upstream sends unasked: it stays.
 */

void
nxe_meter_null_usage(nxe_meter_t *m, nxe_str_t text)
{
    const char  *p, *last, *end;

    p = m->pick.key;
    last = text.data + text.len;
    end = m->data.data + m->data.len;

    while (p != m->data.data && nxe_meter_blank(p[-1])) {
        p--;
    }

    if (p != m->data.data && p[-1] == ',') {
        p--;

    } else {
        while (last != end && nxe_meter_blank(*last)) {
            last++;
        }

        if (last != end && *last == ',') {
            last++;
        }
    }

    m->cut.data = p;
    m->cut.len = (size_t) (last - p);
}


static int
nxe_meter_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}


/* An event, or a piece of one that is too large, without what it loses. */

void
nxe_meter_pass(nxe_meter_t *m, nxe_str_t bytes)
{
    nxe_str_t  cut, rest;

    cut = m->cut;
    m->cut = nxe_null_str;

    if (m->drop) {
        m->drop = 0;
        m->drop_lf = bytes.data[bytes.len - 1] == '\r';
        return;
    }

    if (m->drop_lf) {
        m->drop_lf = 0;

        if (bytes.len == 1 && bytes.data[0] == '\n') {
            return;
        }
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
