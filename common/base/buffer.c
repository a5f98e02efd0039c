// SPDX-License-Identifier: Apache-2.0
// A growing run of bytes.
#include "common/base/buffer.h"

#include "common/base/memory.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void buffer_reserve(Buffer *b, size_t more)
{
    size_t need = b->len + more + 1;
    if (need <= b->cap)
        return;
    size_t cap = b->cap ? b->cap : 64;
    while (cap < need)
        cap += cap / 2 + 64;
    b->data = memory_realloc(b->data, cap);
    b->cap = cap;
}

void buffer_append(Buffer *b, const void *bytes, size_t len)
{
    buffer_reserve(b, len);
    if (len)
        memcpy(b->data + b->len, bytes, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void buffer_puts(Buffer *b, const char *text)
{
    buffer_append(b, text, strlen(text));
}

void buffer_putc(Buffer *b, char c)
{
    buffer_append(b, &c, 1);
}

void buffer_printf(Buffer *b, const char *fmt, ...)
{
    va_list args, again;

    va_start(args, fmt);
    va_copy(again, args);
    int need = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (need > 0) {
        buffer_reserve(b, (size_t)need);
        vsnprintf(b->data + b->len, (size_t)need + 1, fmt, again);
        b->len += (size_t)need;
    }
    va_end(again);
}

void buffer_put_u32(Buffer *b, uint32_t value)
{
    uint32_t wire = htonl(value);
    buffer_append(b, &wire, sizeof wire);
}

void buffer_patch_u32(Buffer *b, size_t offset, uint32_t value)
{
    uint32_t wire = htonl(value);
    memcpy(b->data + offset, &wire, sizeof wire);
}

void buffer_clear(Buffer *b, size_t keep)
{
    if (b->cap > keep) {
        buffer_free(b);
        return;
    }
    b->len = 0;
    if (b->data)
        b->data[0] = '\0';
}

void buffer_free(Buffer *b)
{
    free(b->data);
    *b = (Buffer){0};
}

const char *buffer_text(const Buffer *b)
{
    return b->data ? b->data : "";
}
