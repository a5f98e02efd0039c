// SPDX-License-Identifier: Apache-2.0
// Allocation that does not fail (the process ends with a message when memory is gone), and cleanup attributes.
#pragma once

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

void *memory_alloc(size_t size) __attribute__((malloc, returns_nonnull));  // not cleared
void *memory_zalloc(size_t size) __attribute__((malloc, returns_nonnull)); // cleared
void *memory_realloc(void *p, size_t size) __attribute__((returns_nonnull));
char *memory_strdup(const char *s) __attribute__((malloc, returns_nonnull));
char *memory_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2), malloc, returns_nonnull));

static inline void memory_free_slot(void *slot)
{
    free(*(void **)slot);
}
static inline void memory_close_slot(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
// `auto_free char *x = …;` frees x when the scope ends; `auto_close int fd = …;` closes it.
#define auto_free  __attribute__((cleanup(memory_free_slot)))
#define auto_close __attribute__((cleanup(memory_close_slot)))
