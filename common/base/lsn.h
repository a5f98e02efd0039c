// SPDX-License-Identifier: Apache-2.0
// Log sequence numbers: text form 16/B374D848 (https://www.postgresql.org/docs/current/datatype-pg-lsn.html).
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { LSN_TEXT_SIZE = 20 };
typedef struct LsnText {
    char text[LSN_TEXT_SIZE];
} LsnText;

LsnText lsn_format(uint64_t lsn);
bool lsn_parse(const char *text, uint64_t *lsn); // false when text is not an LSN
