// SPDX-License-Identifier: Apache-2.0
// A part of a table as a range of its blocks: what copying and comparing cut a large table into.
#pragma once

#include "common/base/buffer.h"

#include <stddef.h>
#include <stdint.h>

// From this version of the server on a condition on ctid reads its blocks alone (a TID Range Scan); before, the whole
// table. https://www.postgresql.org/docs/14/release-14.html
enum { BLOCK_RANGE_SINCE = 140000 };

typedef struct BlockRange {
    int64_t first, end; // end: the first block behind it; -1: to the table's end
} BlockRange;

// In how many parts of about part_bytes a table of so many bytes (TOAST included) and blocks is cut: at least 1, at
// most its blocks, and not so many that keeping account of them is work by itself.
size_t block_range_count(int64_t bytes, int64_t blocks, int64_t part_bytes);
// The i-th (from 0) of `parts` parts that cover a table of so many blocks, and what it grew by since, exactly once.
BlockRange block_range_part(int64_t blocks, size_t parts, size_t i);
// "ctid >= … AND ctid < …". column: ctid, as it is called in the statement.
void block_range_condition(Buffer *sql, const char *column, BlockRange range);
