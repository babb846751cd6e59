/*
 * Times as text: RFC 3339.
 */

#ifndef NXE_TIME_H
#define NXE_TIME_H

#include <nxe/base.h>

NXE_BEGIN_DECLS


/*
 * An RFC 3339 time with at most nine digits behind the second, cut to
 * microseconds since the epoch.  NXE_INVALID: it is none.
 */
nxe_status_t nxe_time_parse(nxe_str_t s, int64_t *us);

/*
 * Seconds since the epoch as "2026-11-20T09:00:00Z", zero-terminated: from
 * the year 0 to 9999, beyond which they are cut to the first or last second.
 */
#define NXE_TIME_LEN  sizeof("2026-11-20T09:00:00Z")

#define NXE_TIME_MIN  INT64_C(-62167219200)
#define NXE_TIME_MAX  INT64_C(253402300799)

void nxe_time_print(int64_t seconds, char out[NXE_TIME_LEN]);


NXE_END_DECLS

#endif /* NXE_TIME_H */
