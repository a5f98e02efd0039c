// SPDX-License-Identifier: Apache-2.0
// A small HTTP/1.1 server for a few documents: one thread, GET and HEAD only. No TLS: what it serves holds no secret.
#pragma once

#include "common/base/error.h"

#include <stddef.h>

typedef struct HttpReply {
    int status; // 200 unless the handler sets another
    char *body; // from malloc, never NULL; the server frees it
} HttpReply;

typedef struct HttpRoute {
    const char *path; // "/progress", compared as it is
    const char *content_type;
    // Called in the server's thread; must not block for long.
    void (*handler)(void *context, HttpReply *reply);
} HttpRoute;

typedef struct HttpServer HttpServer;

// listen: ADDR:PORT as listen_address_parse takes it; port 0 takes a free one. The address is logged. routes and
// context are borrowed until http_server_stop. ERROR_USAGE when the address cannot be used.
MUST_CHECK int http_server_start(const char *listen, const HttpRoute *routes, size_t count, void *context,
                                 HttpServer **out, Error *err);
int http_server_port(const HttpServer *server);
// Waits for the handler that runs, closes all connections. NULL is fine.
void http_server_stop(HttpServer *server);
