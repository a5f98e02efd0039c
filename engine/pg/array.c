// SPDX-License-Identifier: Apache-2.0
#include "engine/pg/array.h"

void array_begin(Buffer *array)
{
    buffer_putc(array, '{');
}

void array_put(Buffer *array, const char *element)
{
    if (array->data[array->len - 1] != '{')
        buffer_putc(array, ',');
    if (!element) {
        buffer_puts(array, "NULL");
        return;
    }
    buffer_putc(array, '"');
    for (const char *p = element; *p; p++) {
        if (*p == '"' || *p == '\\')
            buffer_putc(array, '\\');
        buffer_putc(array, *p);
    }
    buffer_putc(array, '"');
}

void array_end(Buffer *array)
{
    buffer_putc(array, '}');
}
