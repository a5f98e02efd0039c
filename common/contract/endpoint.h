// SPDX-License-Identifier: Apache-2.0
// One end of a migration, taken apart into libpq keywords; shared by the command line and the task document.
// Knows no libpq: a URI or a KubeBlocks address is parsed here, a conninfo string as libpq documents it
// (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING).
#pragma once

#include "common/base/error.h"

typedef struct Endpoint {
    char **keywords; // libpq keywords ("host", "port", "dbname", "user", "password", "sslmode", …), NULL at the end
    char **values;   // same length, NULL at the end
    size_t count;
} Endpoint;

// Accepts, in this order: a libpq URI (an unencoded '@', ':' or '/' in the password is understood), a conninfo string
// of `key=value` pairs, KubeBlocks' `user:password@host:port/database` (split at the first ':' and the last '@';
// percent-encoding in user and password is decoded when valid, a lone '%' is taken as it is). The password, if any, is
// given to secrets_register. An error never shows the text itself;
// the caller says which endpoint it was (error_wrap).
MUST_CHECK int endpoint_parse(const char *text, Endpoint *out, Error *err);
void endpoint_set(Endpoint *e, const char *keyword, const char *value); // replaces or adds; "password" is registered
const char *endpoint_get(const Endpoint *e, const char *keyword);       // NULL when absent
void endpoint_copy(const Endpoint *from, Endpoint *to);
void endpoint_free(Endpoint *e);
// "user@host:port/database" without the password, for people. Caller frees.
char *endpoint_label(const Endpoint *e);
