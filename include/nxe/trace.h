/*
 * W3C Trace Context (Recommendation, 2021): the header traceparent; and the
 * limits of W3C Baggage.
 *
 * version "-" trace-id "-" parent-id "-" flags, in lower-case hex: 2, 32, 16
 * and 2 digits.
 */

#ifndef NXE_TRACE_H
#define NXE_TRACE_H

#include <nxe/base.h>
#include <nxe/hash.h>

NXE_BEGIN_DECLS


#define NXE_TRACEPARENT_LEN  55
#define NXE_TRACE_ID_LEN     32

/* What everybody has to pass on; of more, somebody may drop what he likes. */
#define NXE_BAGGAGE_MEMBERS  64
#define NXE_BAGGAGE_LEN      8192

/*
 * The trace id of a header's value, which *trace_id borrows from.
 *
 * NXE_DECLINED, the caller is to take it for no header at all: shorter than
 * NXE_TRACEPARENT_LEN, a digit that is none or is upper case, another
 * delimiter, version ff, an id of zeros, or in version 00 anything behind the
 * flags.  A higher version may go on behind another "-", whatever is there.
 */
nxe_status_t nxe_traceparent_parse(nxe_str_t value, nxe_str_t *trace_id);

/*
 * A traceparent of version 00 that nobody else makes: its ids are the first
 * 192 bits of HMAC-SHA256 over n.  The caller draws the key from the system
 * for itself alone, and gives each n once.  Flags are 01, "sampled": the
 * caller records under this id.
 */
void nxe_traceparent_make(const nxe_hmac_key_t *key, uint64_t n,
    char out[NXE_TRACEPARENT_LEN]);

/* How many members a value of baggage has; blank ones are none. */
size_t nxe_baggage_members(nxe_str_t value);


NXE_END_DECLS

#endif /* NXE_TRACE_H */
