// SPDX-License-Identifier: Apache-2.0
// Times as text.
#include "common/base/clock.h"

#include <stdio.h>

void clock_format(double epoch, char text[CLOCK_TEXT_SIZE])
{
    time_t seconds = (time_t)epoch;
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t n = strftime(text, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + n, CLOCK_TEXT_SIZE - n, ".%03dZ", (int)((epoch - (double)seconds) * 1000) % 1000);
}
