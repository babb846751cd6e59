/*
 * Log lines.  Whatever comes in, a record that is read is whole: its slices
 * lie in the line, its entries are classed, and reading it again gives the
 * same.
 */

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <nxe/logline.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
within(nxe_str_t line, nxe_str_t s)
{
    if (s.len != 0) {
        assert(s.data >= line.data);
        assert(s.data + s.len <= line.data + line.len);
        assert(memchr(s.data, '\\', s.len) == NULL);
    }
}


static void
check(nxe_str_t line, const nxe_logline_t *r)
{
    uint32_t                i;
    const nxe_log_entry_t  *e;

    within(line, r->key_id);
    within(line, r->role);
    within(line, r->unmetered);
    within(line, r->currency);
    within(line, r->feedback.metric);
    within(line, r->feedback.trust);
    assert(r->cost == NXE_LOGLINE_UNKNOWN || r->cost >= 0);
    assert(r->output_tokens == NXE_LOGLINE_UNKNOWN || r->output_tokens >= 0);
    assert(r->kind != NXE_LOGLINE_FEEDBACK || r->feedback.refused
           || (r->feedback.value != NXE_LOGLINE_UNKNOWN
               && nxe_name_ok(r->feedback.metric)));
    assert(r->kind != NXE_LOGLINE_NONE);
    assert(r->time != NXE_LOGLINE_UNKNOWN);
    assert(r->nentries <= NXE_LOGLINE_ENTRIES);

    for (i = 0; i < r->nentries; i++) {
        e = &r->entries[i];
        within(line, e->name);
        within(line, e->stage);
        within(line, e->variant);
        within(line, e->reason);
        assert(nxe_name_ok(e->name));
        assert(e->reason.len != 0);
        assert(e->phase >= 0 && e->p >= 0 && e->p <= 1);
        assert(e->cls == NXE_ENTRY_LEFT_OUT
               || (e->unit.set && e->phase != 0 && e->variant.len != 0));
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nxe_str_t             line;
    nxe_status_t          rc;
    nxe_logline_fault_t   fault;
    static nxe_logline_t  a, b;

    line.data = (const char *) data;
    line.len = size;

    rc = nxe_logline_read(line, &a, &fault);
    assert(rc == NXE_OK || rc == NXE_INVALID);

    if (rc == NXE_INVALID) {
        assert(fault.why != NULL && fault.why[0] != '\0');
        return 0;
    }

    check(line, &a);

    assert(nxe_logline_read(line, &b, &fault) == NXE_OK);
    assert(a.nentries == b.nentries);
    assert(memcmp(&a, &b, offsetof(nxe_logline_t, entries)
                          + a.nentries * sizeof(nxe_log_entry_t)) == 0);

    return 0;
}
