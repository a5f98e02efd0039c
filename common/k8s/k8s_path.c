// SPDX-License-Identifier: Apache-2.0
#include "common/k8s/k8s_path.h"

#include "common/base/buffer.h"
#include "common/base/memory.h"

#include <string.h>

static void encode(Buffer *out, const char *text)
{
    static const char HEX[] = "0123456789ABCDEF";

    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || strchr("-_.~", *p)) {
            buffer_putc(out, (char)*p);
        } else {
            buffer_putc(out, '%');
            buffer_putc(out, HEX[*p >> 4]);
            buffer_putc(out, HEX[*p & 15]);
        }
    }
}

static void part(Buffer *out, const char *text)
{
    if (!text)
        return;
    buffer_putc(out, '/');
    encode(out, text);
}

char *k8s_path(const char *base, const char *namespace_name, const char *resource, const char *name,
               const char *subresource)
{
    Buffer out = {0};

    buffer_puts(&out, base);
    if (namespace_name)
        buffer_puts(&out, "/namespaces");
    part(&out, namespace_name);
    part(&out, resource);
    part(&out, name);
    part(&out, subresource);
    return out.data;
}

char *k8s_path_encode(const char *text)
{
    Buffer out = {0};

    buffer_reserve(&out, strlen(text));
    out.data[0] = '\0';
    encode(&out, text);
    return out.data;
}
