// SPDX-License-Identifier: Apache-2.0
// A growing run of bytes, always followed by a NUL that len does not count. Zero-initialised is empty.
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef struct Buffer {
    char *data; // NULL while nothing was ever put in
    size_t len;
    size_t cap;
} Buffer;

void buffer_reserve(Buffer *b, size_t more); // room for `more` bytes beyond len, and the NUL
void buffer_append(Buffer *b, const void *bytes, size_t len);
void buffer_puts(Buffer *b, const char *text);
void buffer_putc(Buffer *b, char c);
void buffer_printf(Buffer *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buffer_put_u32(Buffer *b, uint32_t value);                  // network byte order
void buffer_patch_u32(Buffer *b, size_t offset, uint32_t value); // overwrites four bytes at offset
void buffer_clear(Buffer *b, size_t keep);                       // len = 0; gives memory back when cap > keep
void buffer_free(Buffer *b);
const char *buffer_text(const Buffer *b); // never NULL

#define auto_buffer __attribute__((cleanup(buffer_free)))
