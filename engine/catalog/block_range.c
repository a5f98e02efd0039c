// SPDX-License-Identifier: Apache-2.0
#include "engine/catalog/block_range.h"

static const int64_t PARTS_MAX = 20000;

size_t block_range_count(int64_t bytes, int64_t blocks, int64_t part_bytes)
{
    int64_t count = (bytes + part_bytes - 1) / part_bytes;

    if (count > PARTS_MAX)
        count = PARTS_MAX;
    // A part is at least one block: with large TOAST values a block of the heap may stand for many megabytes.
    if (count > blocks)
        count = blocks;
    return count > 1 ? (size_t)count : 1;
}

BlockRange block_range_part(int64_t blocks, size_t parts, size_t i)
{
    int64_t count = (int64_t)parts, at = (int64_t)i;

    return (BlockRange){.first = blocks * at / count, .end = at + 1 < count ? blocks * (at + 1) / count : -1};
}

void block_range_condition(Buffer *sql, const char *column, BlockRange range)
{
    buffer_printf(sql, "%s >= '(%lld,0)'::pg_catalog.tid", column, (long long)range.first);
    if (range.end >= 0)
        buffer_printf(sql, " AND %s < '(%lld,0)'::pg_catalog.tid", column, (long long)range.end);
}
