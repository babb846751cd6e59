#include <nxe/base64.h>


static int nxe_base64url_value(char ch);


int
nxe_base64url_ok(nxe_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (nxe_base64url_value(s.data[i]) < 0) {
            return 0;
        }
    }

    return 1;
}


nxe_status_t
nxe_base64url_decode(nxe_str_t s, char *out, size_t *len)
{
    int       value;
    size_t    i, n;
    unsigned  acc, bits;

    acc = 0;
    bits = 0;

    for (i = 0, n = 0; i < s.len; i++) {

        value = nxe_base64url_value(s.data[i]);
        if (value < 0) {
            return NXE_INVALID;
        }

        acc = acc << 6 | (unsigned) value;
        bits += 6;

        if (bits >= 8) {
            bits -= 8;
            out[n++] = (char) (acc >> bits);
            acc &= (1u << bits) - 1;
        }
    }

    /* six bits left: a character that is part of no byte */

    if (bits == 6 || acc != 0) {
        return NXE_INVALID;
    }

    *len = n;

    return NXE_OK;
}


size_t
nxe_base64url_encode(nxe_str_t s, char *out)
{
    char              *p;
    size_t             i;
    unsigned           acc, bits;
    static const char  alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "abcdefghijklmnopqrstuvwxyz"
                                    "0123456789-_";

    p = out;
    acc = 0;
    bits = 0;

    for (i = 0; i < s.len; i++) {
        acc = acc << 8 | (unsigned char) s.data[i];

        for (bits += 8; bits >= 6; bits -= 6) {
            *p++ = alphabet[acc >> (bits - 6) & 63];
        }

        acc &= (1u << bits) - 1;
    }

    if (bits != 0) {
        *p++ = alphabet[acc << (6 - bits) & 63];
    }

    return (size_t) (p - out);
}


static int
nxe_base64url_value(char ch)
{
    if (ch >= 'A' && ch <= 'Z') {
        return ch - 'A';
    }

    if (ch >= 'a' && ch <= 'z') {
        return ch - 'a' + 26;
    }

    if (ch >= '0' && ch <= '9') {
        return ch - '0' + 52;
    }

    return ch == '-' ? 62 : ch == '_' ? 63 : -1;
}
