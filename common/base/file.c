// SPDX-License-Identifier: Apache-2.0
// Reading a small file whole.
#include "common/base/file.h"

#include "common/base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

char *file_read(const char *path, size_t max_bytes, size_t *len, Error *err)
{
    FILE *f = fopen(path, "rbe");
    if (!f) {
        error_set(err, ERROR_USAGE, "could not open '%s': %s", path, strerror(errno));
        return NULL;
    }
    size_t room = 4096, used = 0;
    char *text = memory_alloc(room + 1);
    for (;;) {
        used += fread(text + used, 1, room - used, f);
        if (used < room || used > max_bytes)
            break;
        room *= 2;
        text = memory_realloc(text, room + 1);
    }
    bool failed = ferror(f) != 0;
    int code = errno;
    fclose(f);
    if (failed || used > max_bytes) {
        free(text);
        error_set(err, ERROR_USAGE, "could not read '%s': %s", path, failed ? strerror(code) : "it is too large");
        return NULL;
    }
    text[used] = '\0';
    if (len)
        *len = used;
    return text;
}
