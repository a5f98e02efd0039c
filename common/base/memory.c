// SPDX-License-Identifier: Apache-2.0
// Allocation that ends the process when memory is gone: nothing the engine does is lost by dying, all is resumable.
#include "common/base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void *checked(void *p)
{
    static const char message[] = "kubeferry: out of memory\n";
    if (p)
        return p;
    ssize_t ignored = write(STDERR_FILENO, message, sizeof message - 1);
    (void)ignored;
    _exit(75);
}

void *memory_alloc(size_t size)
{
    return checked(malloc(size ? size : 1));
}

void *memory_zalloc(size_t size)
{
    return checked(calloc(1, size ? size : 1));
}

void *memory_realloc(void *p, size_t size)
{
    return checked(realloc(p, size ? size : 1));
}

char *memory_strdup(const char *s)
{
    return checked(strdup(s));
}

char *memory_printf(const char *fmt, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, fmt);
    if (vasprintf(&text, fmt, args) < 0)
        text = NULL;
    va_end(args);
    return checked(text);
}
