/*
 * Durations as the log spells them.
 */

#include <nxe/logline.h>


nxe_status_t
nxe_logline_ms(nxe_str_t s, int64_t *us)
{
    size_t   i, n;
    int64_t  value, up;

    value = 0;
    up = 0;

    for (i = 0; i < s.len && s.data[i] >= '0' && s.data[i] <= '9'; i++) {
        if (i == 9) {
            return NXE_INVALID;
        }

        value = value * 10 + (s.data[i] - '0');
    }

    if (i == 0) {
        return NXE_INVALID;
    }

    n = 0;

    if (i < s.len && s.data[i] == '.') {

        for (i++; i < s.len && s.data[i] >= '0' && s.data[i] <= '9'; i++) {

            if (n < 3) {
                value = value * 10 + (s.data[i] - '0');

            } else if (n == 3) {
                up = (s.data[i] >= '5');
            }

            n++;
        }

        if (n == 0) {
            return NXE_INVALID;
        }
    }

    if (i != s.len) {
        return NXE_INVALID;
    }

    for ( /* void */ ; n < 3; n++) {
        value *= 10;
    }

    *us = value + up;
    return NXE_OK;
}
