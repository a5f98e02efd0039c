// SPDX-License-Identifier: Apache-2.0
#include "common/base/lsn.h"

#include <ctype.h>
#include <stdio.h>

LsnText lsn_format(uint64_t lsn)
{
    LsnText out;
    snprintf(out.text, sizeof out.text, "%X/%X", (unsigned)(lsn >> 32), (unsigned)lsn);
    return out;
}

bool lsn_parse(const char *text, uint64_t *lsn)
{
    uint32_t half[2] = {0};

    for (int i = 0; i < 2; i++) {
        int digits = 0;
        for (; isxdigit((unsigned char)*text) && digits < 9; text++, digits++)
            half[i] =
                half[i] << 4 | (uint32_t)(isdigit((unsigned char)*text) ? *text - '0' : (*text | 0x20) - 'a' + 10);
        if (digits == 0 || digits > 8 || *text != (i == 0 ? '/' : '\0'))
            return false;
        text += i == 0;
    }
    *lsn = (uint64_t)half[0] << 32 | half[1];
    return true;
}
