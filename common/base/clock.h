// SPDX-License-Identifier: Apache-2.0
// Times as the project uses them.
#pragma once

#include <stdint.h>
#include <time.h>

// 2000-01-01 00:00:00 UTC, where PostgreSQL's clock starts, in seconds of Unix time.
enum { CLOCK_POSTGRES_EPOCH = 946684800 };

static inline double clock_monotonic(void) // seconds; only differences mean something
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline double clock_now(void) // seconds since 1970-01-01 UTC
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline int64_t clock_postgres_us(void) // microseconds since 2000-01-01 UTC
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return ((int64_t)t.tv_sec - CLOCK_POSTGRES_EPOCH) * 1000000 + t.tv_nsec / 1000;
}

static inline double clock_from_postgres_us(int64_t us) // seconds since 1970-01-01 UTC
{
    return (double)us / 1e6 + (double)CLOCK_POSTGRES_EPOCH;
}

enum { CLOCK_TEXT_SIZE = 32 };
// Seconds since 1970-01-01 UTC as "2026-11-22T21:07:12.345Z".
void clock_format(double epoch, char text[CLOCK_TEXT_SIZE]);
// RFC 3339 ("2026-11-22T21:07:12.345Z", "…+01:00") to seconds since 1970-01-01 UTC; 0 when it is none.
double clock_parse(const char *text);
