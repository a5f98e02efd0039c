// SPDX-License-Identifier: Apache-2.0
// Must let no control character through: messages come from servers.
#include "cli/table_output.h"

#include "common/base/memory.h"
#include "common/base/view_format.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

enum { GAP = 3 };

void table_column(TableOutput *table, const char *title)
{
    if (table->columns == TABLE_COLUMNS_MAX)
        abort(); // a table of ours that is too wide
    table->right[table->columns] = *title == '>';
    table->titles[table->columns++] = title + (*title == '>');
}

void table_columns(TableOutput *table, const char *const *titles)
{
    for (; *titles; titles++)
        table_column(table, *titles);
}

void table_cell(TableOutput *table, Colour colour, const char *fmt, ...)
{
    va_list args;
    char *text;

    va_start(args, fmt);
    if (vasprintf(&text, fmt, args) < 0)
        abort(); // out of memory
    va_end(args);
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 127)
            *p = ' ';
    if (table->count == table->room) {
        table->room = table->room ? table->room * 2 : 64;
        table->cells = memory_realloc(table->cells, table->room * sizeof *table->cells);
    }
    if (!*text) {
        free(text);
        text = memory_strdup("-");
    }
    table->cells[table->count++] = (TableCell){text, colour};
}

// Columns that a text takes on the screen.
static int width_of(const char *text, bool utf8)
{
    auto_buffer Buffer ignored = {0};

    return view_format_cut(&ignored, text, INT_MAX, utf8);
}

static void put_cell(Buffer *out, const Style *style, const TableCell *cell, int width, bool right, int *left,
                     bool last)
{
    auto_buffer Buffer text = {0};
    int used = view_format_cut(&text, cell->text, *left, style->utf8), pad = width - used;

    if (pad > *left - used)
        pad = *left - used;
    if (right && pad > 0)
        buffer_printf(out, "%*s", pad, "");
    style_put(style, out, cell->colour, buffer_text(&text));
    if (!right && pad > 0 && !last)
        buffer_printf(out, "%*s", pad, "");
    *left -= used + (pad > 0 ? pad : 0);
}

static void put_row(Buffer *out, const Style *style, const TableOutput *table, const TableCell *row, const int *widths,
                    int width)
{
    int left = width > 0 ? width : INT_MAX;

    for (size_t c = 0; c < table->columns && left > 0; c++) {
        put_cell(out, style, &row[c], widths[c], table->right[c], &left, c + 1 == table->columns);
        if (c + 1 < table->columns && left > GAP) {
            buffer_printf(out, "%*s", GAP, "");
            left -= GAP;
        } else {
            break;
        }
    }
    while (out->len > 0 && out->data[out->len - 1] == ' ')
        out->len--;
    buffer_putc(out, '\n');
}

void table_print(const TableOutput *table, const Style *style, bool headers, int width, Buffer *out)
{
    int widths[TABLE_COLUMNS_MAX] = {0};
    TableCell titles[TABLE_COLUMNS_MAX] = {0};
    size_t rows = table->count / table->columns;

    for (size_t c = 0; c < table->columns; c++) {
        titles[c] = (TableCell){(char *)(uintptr_t)table->titles[c], COLOUR_STRONG};
        widths[c] = headers ? (int)strlen(table->titles[c]) : 0;
        widths[c] = table->least[c] > widths[c] ? table->least[c] : widths[c];
        for (size_t r = 0; r < rows; r++) {
            int w = width_of(table->cells[r * table->columns + c].text, style->utf8);
            widths[c] = w > widths[c] ? w : widths[c];
        }
    }
    if (headers)
        put_row(out, style, table, titles, widths, width);
    for (size_t r = 0; r < rows; r++)
        put_row(out, style, table, &table->cells[r * table->columns], widths, width);
}

void table_clear(TableOutput *table)
{
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i].text);
    table->count = 0;
}

void table_free(TableOutput *table)
{
    table_clear(table);
    free(table->cells);
    *table = (TableOutput){0};
}
