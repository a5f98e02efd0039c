// SPDX-License-Identifier: Apache-2.0
// The check for well-formed UTF-8 (RFC 3629).
#include "common/base/utf8.h"

#include <stdbool.h>
#include <string.h>

// Bytes of the valid character at p, 0 when there is none. Reads no further than the NUL.
static size_t character_length(const unsigned char *p)
{
    static const struct {
        unsigned char lead_from, lead_to, second_from, second_to;
        size_t length;
    } FORMS[] = {
        {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3},
        {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
        {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
    };

    if (p[0] < 0x80)
        return 1;
    for (size_t i = 0; i < sizeof FORMS / sizeof *FORMS; i++) {
        if (p[0] < FORMS[i].lead_from || p[0] > FORMS[i].lead_to)
            continue;
        bool good = p[1] >= FORMS[i].second_from && p[1] <= FORMS[i].second_to;
        for (size_t k = 2; k < FORMS[i].length && good; k++)
            good = p[k] >= 0x80 && p[k] <= 0xBF;
        return good ? FORMS[i].length : 0;
    }
    return 0;
}

size_t utf8_decode(const char *text, size_t len, uint32_t *code)
{
    static const unsigned char LEAD_BITS[] = {[1] = 0x7F, [2] = 0x1F, [3] = 0x0F, [4] = 0x07};
    unsigned char next[5] = {0}; // the text need not end with a NUL
    size_t length = 0;

    memcpy(next, text, len < 4 ? len : 4);
    if (len > 0)
        length = character_length(next);
    *code = next[0] & LEAD_BITS[length > 0 ? length : 1];
    for (size_t i = 1; i < length; i++)
        *code = *code << 6 | (next[i] & 0x3F);
    return length;
}

size_t utf8_valid(const char *text, size_t len)
{
    size_t done = 0, length;
    uint32_t code;

    while ((length = utf8_decode(text + done, len - done, &code)) > 0)
        done += length;
    return done;
}

void utf8_repair(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p;) {
        size_t len = character_length(p);
        if (len == 0)
            *p = '?';
        p += len ? len : 1;
    }
}
