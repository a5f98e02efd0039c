// SPDX-License-Identifier: Apache-2.0
// Tables in columns, as kubectl prints them: three spaces between columns, none behind the last.
#pragma once

#include "cli/style.h"

#include <stddef.h>

enum { TABLE_COLUMNS_MAX = 16 };

typedef struct TableCell {
    char *text; // owned; no control characters
    Colour colour;
} TableCell;

typedef struct TableOutput { // zero-initialised, then table_columns
    const char *titles[TABLE_COLUMNS_MAX];
    bool right[TABLE_COLUMNS_MAX]; // numbers stand at the right edge
    int least[TABLE_COLUMNS_MAX];  // columns are at least so wide, for tables that come row by row
    size_t columns;
    TableCell *cells;
    size_t count, room;
} TableOutput;

// titles: literals, NULL at the end; a '>' in front puts the column at its right edge.
void table_columns(TableOutput *table, const char *const *titles);
void table_column(TableOutput *table, const char *title);
// The next cell, from left to right; after the last column the next row begins. Empty text shows as "-".
void table_cell(TableOutput *table, Colour colour, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
// width: lines are cut there (at a terminal); 0: never.
void table_print(const TableOutput *table, const Style *style, bool headers, int width, Buffer *out);
void table_clear(TableOutput *table); // the rows
void table_free(TableOutput *table);

#define auto_table __attribute__((cleanup(table_free)))
