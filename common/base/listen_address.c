// SPDX-License-Identifier: Apache-2.0
// Taking "ADDR:PORT" apart.
#include "common/base/listen_address.h"

#include <stdlib.h>
#include <string.h>

static int fail(const char *text, const char *what, Error *err)
{
    error_set(err, ERROR_USAGE, "listen address '%.100s': %s", text, what);
    return error_hint(err, "write ADDR:PORT, for example 127.0.0.1:9187, [::]:9187 or :9187");
}

int listen_address_parse(const char *text, ListenAddress *out, Error *err)
{
    const char *colon = strrchr(text, ':');
    const char *host = text;
    size_t host_len = colon ? (size_t)(colon - text) : 0;

    if (!colon)
        return fail(text, "it has no port", err);
    const char *port = colon + 1;
    if (strlen(port) == 0 || strlen(port) > 5 || strspn(port, "0123456789") != strlen(port) || atoi(port) > 65535)
        return fail(text, "its port is no number from 0 to 65535", err);
    if (host_len >= 2 && host[0] == '[' && host[host_len - 1] == ']') {
        host++;
        host_len -= 2;
    } else if (memchr(host, ':', host_len) || memchr(host, '[', host_len) || memchr(host, ']', host_len)) {
        return fail(text, "an IPv6 address stands in brackets", err);
    }
    if (host_len >= sizeof out->host)
        return fail(text, "its address is too long", err);
    memcpy(out->host, host, host_len);
    out->host[host_len] = '\0';
    memcpy(out->port, port, strlen(port) + 1);
    return 0;
}
