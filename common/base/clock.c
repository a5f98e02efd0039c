// SPDX-License-Identifier: Apache-2.0
// Times as text, and back.
#include "common/base/clock.h"

#include <ctype.h>
#include <stdio.h>

void clock_format(double epoch, char text[CLOCK_TEXT_SIZE])
{
    time_t seconds = (time_t)epoch;
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t n = strftime(text, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + n, CLOCK_TEXT_SIZE - n, ".%03dZ", (int)((epoch - (double)seconds) * 1000) % 1000);
}

// The digits behind the point, from the point on; *rest is moved behind them.
static double read_fraction(const char **rest)
{
    double fraction = 0, unit = 0.1;

    if (**rest != '.')
        return 0;
    for ((*rest)++; isdigit((unsigned char)**rest); (*rest)++, unit /= 10)
        fraction += unit * (**rest - '0');
    return fraction;
}

double clock_parse(const char *text)
{
    struct tm tm = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    int hours = 0, minutes = 0;

    if (!rest)
        return 0;
    double fraction = read_fraction(&rest);
    int sign = *rest == '+' ? 1 : *rest == '-' ? -1 : 0;
    if (sign && sscanf(rest + 1, "%2d:%2d", &hours, &minutes) != 2)
        return 0;
    return (double)timegm(&tm) + fraction - sign * (hours * 3600.0 + minutes * 60.0);
}
