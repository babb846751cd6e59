#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <nxe/cidr.h>


static int nxe_cidr_address(nxe_str_t s, unsigned char addr[16]);
static int nxe_cidr_bits(nxe_str_t s, unsigned max, unsigned *bits);
static int nxe_cidr_mapped(const unsigned char addr[16]);
static int nxe_cidr_v4(const nxe_cidr_t *net);


static const unsigned char  nxe_cidr_prefix[12] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff
};


nxe_status_t
nxe_cidr_parse(nxe_str_t s, nxe_cidr_t *net)
{
    int             set;
    unsigned        i, keep, v4;
    nxe_str_t       address, bits;
    const char     *slash;
    unsigned char   mask;

    slash = memchr(s.data, '/', s.len);
    if (slash == NULL) {
        return NXE_INVALID;
    }

    address.data = s.data;
    address.len = (size_t) (slash - s.data);
    bits.data = slash + 1;
    bits.len = s.len - address.len - 1;

    if (!nxe_cidr_address(address, net->addr)) {
        return NXE_INVALID;
    }

    v4 = memchr(address.data, ':', address.len) == NULL;

    if (!nxe_cidr_bits(bits, v4 ? 32 : 128, &net->bits)) {
        return NXE_INVALID;
    }

    if (v4) {
        net->bits += 96;
    }

    for (i = 0, set = 0; i < 16; i++) {
        keep = net->bits <= 8 * i ? 0
               : net->bits >= 8 * i + 8 ? 8 : net->bits - 8 * i;
        mask = (unsigned char) (0xff00u >> keep);

        set |= net->addr[i] & ~mask;
        net->addr[i] &= mask;
    }

    return set ? NXE_CONFLICT : NXE_OK;
}


/* inet_pton() takes neither zones and ports nor leading zeros. */

static int
nxe_cidr_address(nxe_str_t s, unsigned char addr[16])
{
    char  text[INET6_ADDRSTRLEN];

    if (s.len >= sizeof(text) || memchr(s.data, '\0', s.len) != NULL) {
        return 0;
    }

    memcpy(text, s.data, s.len);
    text[s.len] = '\0';

    if (inet_pton(AF_INET, text, addr + 12) == 1) {
        memcpy(addr, nxe_cidr_prefix, 12);
        return 1;
    }

    return inet_pton(AF_INET6, text, addr) == 1;
}


static int
nxe_cidr_bits(nxe_str_t s, unsigned max, unsigned *bits)
{
    size_t  i;

    if (s.len == 0 || s.len > 3 || (s.len > 1 && s.data[0] == '0')) {
        return 0;
    }

    *bits = 0;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            return 0;
        }

        *bits = *bits * 10 + (unsigned) (s.data[i] - '0');
    }

    return *bits <= max;
}


static int
nxe_cidr_mapped(const unsigned char addr[16])
{
    return memcmp(addr, nxe_cidr_prefix, 12) == 0;
}


static int
nxe_cidr_v4(const nxe_cidr_t *net)
{
    return net->bits >= 96 && nxe_cidr_mapped(net->addr);
}


void
nxe_cidr_print(const nxe_cidr_t *net, char out[NXE_CIDR_LEN])
{
    int   v4;
    char  text[INET6_ADDRSTRLEN];

    v4 = nxe_cidr_v4(net);

    if (inet_ntop(v4 ? AF_INET : AF_INET6, net->addr + (v4 ? 12 : 0), text,
                  sizeof(text))
        == NULL)
    {
        text[0] = '\0';
    }

    (void) snprintf(out, NXE_CIDR_LEN, "%s/%u", text,
                    net->bits - (v4 ? 96 : 0));
}


int
nxe_cidr_holds(const nxe_cidr_t *net, nxe_str_t address)
{
    unsigned       whole, rest;
    unsigned char  addr[16];

    if (!nxe_cidr_address(address, addr)
        || nxe_cidr_mapped(addr) != nxe_cidr_v4(net))
    {
        return 0;
    }

    whole = net->bits / 8;
    rest = net->bits % 8;

    return memcmp(addr, net->addr, whole) == 0
           && (rest == 0
               || ((addr[whole] ^ net->addr[whole]) & (0xff00u >> rest) & 0xff)
                  == 0);
}
