// SPDX-License-Identifier: Apache-2.0
// The two clocks, as seconds.
#pragma once

double clock_monotonic(void); // for differences
double clock_epoch(void);     // since 1970, for people

enum { CLOCK_TEXT_SIZE = 32 };
// "2026-11-22T21:07:12.345Z" into text.
void clock_format(double epoch, char text[CLOCK_TEXT_SIZE]);
