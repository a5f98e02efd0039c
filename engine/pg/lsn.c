// SPDX-License-Identifier: Apache-2.0
#include "engine/pg/lsn.h"

#include <stdio.h>

LsnText lsn_format(uint64_t lsn)
{
    LsnText out;
    snprintf(out.text, sizeof out.text, "%X/%X", (unsigned)(lsn >> 32), (unsigned)lsn);
    return out;
}

bool lsn_parse(const char *text, uint64_t *lsn)
{
    unsigned high, low;
    char rest;

    if (sscanf(text, "%8X/%8X%c", &high, &low, &rest) != 2)
        return false;
    *lsn = (uint64_t)high << 32 | low;
    return true;
}
