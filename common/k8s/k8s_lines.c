// SPDX-License-Identifier: Apache-2.0
#include "common/k8s/k8s_lines.h"

#include <string.h>

enum { KEEP = 64 << 10 }; // of the buffer, after a large line

static int too_long(const K8sLines *lines, Error *err)
{
    return error_set(err, ERROR_PROTOCOL, "a line of the watch is longer than %zu bytes", lines->max);
}

static bool give(bool (*line)(void *, const char *, size_t), void *context, const char *text, size_t len)
{
    if (len > 0 && text[len - 1] == '\r')
        len--;
    return len == 0 || line(context, text, len);
}

int k8s_lines_feed(K8sLines *lines, const char *bytes, size_t len,
                   bool (*line)(void *context, const char *text, size_t len), void *context, bool *go_on, Error *err)
{
    *go_on = true;
    while (len > 0 && *go_on) {
        const char *end = memchr(bytes, '\n', len);
        size_t piece = end ? (size_t)(end - bytes) : len;

        if (lines->partial.len + piece > lines->max)
            return too_long(lines, err);
        if (!end || lines->partial.len > 0)
            buffer_append(&lines->partial, bytes, piece);
        if (!end)
            return 0;
        if (lines->partial.len > 0) {
            *go_on = give(line, context, lines->partial.data, lines->partial.len);
            buffer_clear(&lines->partial, KEEP);
        } else {
            *go_on = give(line, context, bytes, piece);
        }
        bytes += piece + 1;
        len -= piece + 1;
    }
    return 0;
}

void k8s_lines_free(K8sLines *lines)
{
    buffer_free(&lines->partial);
}
