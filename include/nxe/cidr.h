/*
 * Addresses and networks, IPv4 and IPv6.  An IPv6 address that maps an IPv4
 * address is that IPv4 address, in networks too.
 */

#ifndef NXE_CIDR_H
#define NXE_CIDR_H

#include <nxe/base.h>

NXE_BEGIN_DECLS


typedef struct {
    unsigned char       addr[16];   /* IPv4: ::ffff:a.b.c.d */
    unsigned            bits;       /* of addr that count, 0 to 128 */
} nxe_cidr_t;

/*
 * Reads "10.0.0.0/8", "2001:db8::/32".  NXE_INVALID: it is no network.
 * NXE_CONFLICT: bits behind the prefix are set, which net then is without.
 */
nxe_status_t nxe_cidr_parse(nxe_str_t s, nxe_cidr_t *net);

/* Prints a network in its shortest spelling. */

#define NXE_CIDR_LEN  64

void nxe_cidr_print(const nxe_cidr_t *net, char out[NXE_CIDR_LEN]);

/*
 * 1 if the text is an address of the network, without zone and port.  An IPv4
 * address is in no network of IPv6, ::/0 neither.
 */
int nxe_cidr_holds(const nxe_cidr_t *net, nxe_str_t address);


NXE_END_DECLS

#endif /* NXE_CIDR_H */
