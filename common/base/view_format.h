// SPDX-License-Identifier: Apache-2.0
// Numbers and text for people.
#pragma once

#include "common/base/buffer.h"

#include <stdbool.h>
#include <stdint.h>

enum { VIEW_NUMBER_SIZE = 32 };

// "12.3 MB" (1 kB is 1024 bytes, as in pg_size_pretty).
const char *view_format_bytes(double bytes, char text[VIEW_NUMBER_SIZE]);
const char *view_format_count(double count, char text[VIEW_NUMBER_SIZE]);      // "1,234,567"
const char *view_format_clock(double seconds, char text[VIEW_NUMBER_SIZE]);    // "1:02:03"
const char *view_format_duration(double seconds, char text[VIEW_NUMBER_SIZE]); // "3.2 ms", "41.0 s"
const char *view_format_lsn(uint64_t lsn, char text[VIEW_NUMBER_SIZE]);        // "0/56E54A8", "-" for none

// Appends text as far as `columns` reach and returns how many it took. utf8: the terminal shows UTF-8 (and the thread's
// locale knows widths); otherwise, and for control characters, a '?' stands in.
int view_format_cut(Buffer *out, const char *text, int columns, bool utf8);
