// SPDX-License-Identifier: Apache-2.0
#include "engine/catalog/modifier.h"

#include <stddef.h>

enum { FULL_PRECISION = 6, HEADER = 4 }; // of a time; what length and numeric modifiers begin with

// A shorter length cuts or refuses, a smaller precision or scale rounds. A longer char(n) or bit(n) pads: only an equal
// one will do there, as for every type that is not listed.
typedef enum Kind { KIND_LENGTH, KIND_PRECISION, KIND_NUMERIC } Kind;

static const struct {
    uint32_t type, array;
    Kind kind;
} TYPES[] = {
    {1043, 1015, KIND_LENGTH},    // character varying
    {1562, 1563, KIND_LENGTH},    // bit varying
    {1083, 1183, KIND_PRECISION}, // time
    {1266, 1270, KIND_PRECISION}, // time with time zone
    {1114, 1115, KIND_PRECISION}, // timestamp
    {1184, 1185, KIND_PRECISION}, // timestamp with time zone
    {1700, 1231, KIND_NUMERIC},
};

static int32_t numeric_scale(int32_t modifier)
{
    return (((modifier - HEADER) & 0x7ff) ^ 1024) - 1024; // 11 bits with a sign
}

static int32_t numeric_whole_digits(int32_t modifier)
{
    return (((modifier - HEADER) >> 16) & 0xffff) - numeric_scale(modifier);
}

static bool kind_keeps(Kind kind, int32_t from, int32_t to)
{
    switch (kind) {
    case KIND_LENGTH:
        return from >= 0 && to >= from;
    case KIND_PRECISION:
        return to >= (from < 0 ? FULL_PRECISION : from);
    case KIND_NUMERIC:
        return from >= HEADER && to >= HEADER && numeric_scale(to) >= numeric_scale(from) &&
               numeric_whole_digits(to) >= numeric_whole_digits(from);
    }
    return false;
}

bool modifier_keeps(uint32_t type_oid, int32_t from, int32_t to)
{
    if (to == -1 || to == from)
        return true;
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++)
        if (TYPES[i].type == type_oid || TYPES[i].array == type_oid)
            return kind_keeps(TYPES[i].kind, from, to);
    return false;
}
