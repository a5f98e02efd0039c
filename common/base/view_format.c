// SPDX-License-Identifier: Apache-2.0
// Numbers and text for people. Must let no control character through to a terminal.
#include "common/base/view_format.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

const char *view_format_bytes(double bytes, char text[VIEW_NUMBER_SIZE])
{
    static const char *const UNITS[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    size_t unit = 0;
    while (fabs(bytes) >= 1000 && unit + 1 < sizeof UNITS / sizeof *UNITS) {
        bytes /= 1024;
        unit++;
    }
    snprintf(text, VIEW_NUMBER_SIZE, unit ? "%.1f %s" : "%.0f %s", bytes, UNITS[unit]);
    return text;
}

const char *view_format_count(double count, char text[VIEW_NUMBER_SIZE])
{
    char digits[VIEW_NUMBER_SIZE];
    size_t n = 0;
    int len = snprintf(digits, sizeof digits, "%.0f", count < 0 || count > 1e18 ? 0 : count);

    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            text[n++] = ',';
        text[n++] = digits[i];
    }
    text[n] = '\0';
    return text;
}

const char *view_format_clock(double seconds, char text[VIEW_NUMBER_SIZE])
{
    long whole = seconds > 0 && seconds < 1e9 ? lround(seconds) : 0;
    snprintf(text, VIEW_NUMBER_SIZE, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
    return text;
}

const char *view_format_duration(double seconds, char text[VIEW_NUMBER_SIZE])
{
    if (seconds < 1)
        snprintf(text, VIEW_NUMBER_SIZE, "%.1f ms", seconds * 1000);
    else
        snprintf(text, VIEW_NUMBER_SIZE, "%.1f s", seconds);
    return text;
}

const char *view_format_lsn(uint64_t lsn, char text[VIEW_NUMBER_SIZE])
{
    if (lsn == 0)
        snprintf(text, VIEW_NUMBER_SIZE, "-");
    else
        snprintf(text, VIEW_NUMBER_SIZE, "%" PRIX32 "/%" PRIX32, (uint32_t)(lsn >> 32), (uint32_t)lsn);
    return text;
}

int view_format_cut(Buffer *out, const char *text, int columns, bool utf8)
{
    int used = 0;
    mbstate_t state = {0};

    for (const char *p = text; *p && used < columns;) {
        unsigned char c = (unsigned char)*p;
        wchar_t wide = 0;
        size_t len = c < 0x80 || !utf8 ? 1 : mbrtowc(&wide, p, strlen(p), &state);
        int width = c < 0x80 ? (c >= 0x20 && c != 0x7F ? 1 : -1) : wide ? wcwidth(wide) : -1;
        if (len == (size_t)-1 || len == (size_t)-2) {
            memset(&state, 0, sizeof state);
            len = 1;
            width = -1;
        }
        if (width < 0) {
            buffer_putc(out, '?');
            width = 1;
        } else {
            if (used + width > columns)
                break;
            buffer_append(out, p, len);
        }
        used += width;
        p += len;
    }
    return used;
}
