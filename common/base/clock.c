// SPDX-License-Identifier: Apache-2.0
// The two clocks, as seconds.
#include "common/base/clock.h"

#include <stdio.h>
#include <time.h>

static double read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double clock_monotonic(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

double clock_epoch(void)
{
    return read_clock(CLOCK_REALTIME);
}

void clock_format(double epoch, char text[CLOCK_TEXT_SIZE])
{
    time_t seconds = (time_t)epoch;
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t n = strftime(text, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + n, CLOCK_TEXT_SIZE - n, ".%03dZ", (int)((epoch - (double)seconds) * 1000) % 1000);
}
