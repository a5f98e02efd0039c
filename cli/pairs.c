// SPDX-License-Identifier: Apache-2.0
#include "cli/pairs.h"

#include <string.h>

bool pairs_next(char **rest, char **key, char **value)
{
    *key = strsep(rest, ",");
    *value = strchr(*key, '=');
    if (!*value || *value == *key)
        return false;
    *(*value)++ = '\0';
    return true;
}
