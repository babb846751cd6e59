#include <stdio.h>
#include <string.h>
#include <time.h>

#include <nxe/time.h>


#define DAY_US  INT64_C(86400000000)


/* Reads n digits; -1 where there is something else. */

static int
digits(const char *p, size_t n)
{
    int     value;
    size_t  i;

    value = 0;

    for (i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return -1;
        }

        value = value * 10 + (p[i] - '0');
    }

    return value;
}


/* Days from 1970-01-01 in the proleptic Gregorian calendar. */

static int64_t
days_of(int year, int month, int day)
{
    int64_t  y, era, yoe, doy;

    y = year - (month <= 2);
    era = (y >= 0 ? y : y - 399) / 400;
    yoe = y - era * 400;
    doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}


static int
month_days(int year, int month)
{
    static const signed char  days[] =
        { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)) {
        return 29;
    }

    return days[month - 1];
}


/* "Z", "+02:00": minutes east of UTC. */

static nxe_status_t
offset_of(const char *p, size_t len, int *minutes)
{
    int  h, m;

    if (len == 1 && (p[0] == 'Z' || p[0] == 'z')) {
        *minutes = 0;
        return NXE_OK;
    }

    if (len != 6 || (p[0] != '+' && p[0] != '-') || p[3] != ':') {
        return NXE_INVALID;
    }

    h = digits(p + 1, 2);
    m = digits(p + 4, 2);

    if (h < 0 || h > 23 || m < 0 || m > 59) {
        return NXE_INVALID;
    }

    *minutes = (p[0] == '-') ? -(h * 60 + m) : h * 60 + m;
    return NXE_OK;
}


nxe_status_t
nxe_time_parse(nxe_str_t s, int64_t *us)
{
    int          year, month, day, hour, min, sec, east;
    size_t       i, n;
    int64_t      micros;
    const char  *p;

    p = s.data;

    if (s.len < 20 || p[4] != '-' || p[7] != '-'
        || (p[10] != 'T' && p[10] != 't') || p[13] != ':' || p[16] != ':')
    {
        return NXE_INVALID;
    }

    year = digits(p, 4);
    month = digits(p + 5, 2);
    day = digits(p + 8, 2);
    hour = digits(p + 11, 2);
    min = digits(p + 14, 2);
    sec = digits(p + 17, 2);

    if (year < 0 || month < 1 || month > 12
        || day < 1 || day > month_days(year, month)
        || hour < 0 || hour > 23 || min < 0 || min > 59 || sec < 0 || sec > 60)
    {
        return NXE_INVALID;
    }

    micros = 0;
    i = 19;

    if (p[i] == '.') {
        i++;

        for (n = 0; i < s.len && p[i] >= '0' && p[i] <= '9'; n++, i++) {
            if (n < 6) {
                micros = micros * 10 + (p[i] - '0');
            }
        }

        if (n == 0 || n > 9) {
            return NXE_INVALID;
        }

        for ( /* void */ ; n < 6; n++) {
            micros *= 10;
        }
    }

    if (offset_of(p + i, s.len - i, &east) != NXE_OK) {
        return NXE_INVALID;
    }

    *us = days_of(year, month, day) * DAY_US
          + ((hour * 60 + min - east) * 60 + sec) * INT64_C(1000000) + micros;

    return NXE_OK;
}


void
nxe_time_print(int64_t seconds, char out[NXE_TIME_LEN])
{
    time_t     t;
    struct tm  tm;

    t = (time_t) (seconds < NXE_TIME_MIN ? NXE_TIME_MIN
                  : seconds > NXE_TIME_MAX ? NXE_TIME_MAX : seconds);

    memset(&tm, 0, sizeof(tm));
    (void) gmtime_r(&t, &tm);

    /* strftime() has no %Y of four digits */

    (void) snprintf(out, NXE_TIME_LEN, "%04u-%02u-%02uT%02u:%02u:%02uZ",
                    (unsigned) (tm.tm_year + 1900) % 10000,
                    (unsigned) (tm.tm_mon + 1) % 100,
                    (unsigned) tm.tm_mday % 100, (unsigned) tm.tm_hour % 100,
                    (unsigned) tm.tm_min % 100, (unsigned) tm.tm_sec % 100);
}
