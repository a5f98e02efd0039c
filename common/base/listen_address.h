// SPDX-License-Identifier: Apache-2.0
// "ADDR:PORT" for a server: "127.0.0.1:9187", "[::1]:0", ":9187" (all addresses).
#pragma once

#include "common/base/error.h"

typedef struct ListenAddress {
    char host[256]; // "" for all addresses
    char port[6];   // "0" takes any free one
} ListenAddress;

// ERROR_USAGE says what is expected.
MUST_CHECK int listen_address_parse(const char *text, ListenAddress *out, Error *err);
