// SPDX-License-Identifier: Apache-2.0
// Finds pg_dump and pg_restore, and runs them with failures put into classes.
#pragma once

#include "common/base/error.h"
#include "common/contract/endpoint.h"

typedef struct DumpTools {
    char *dump, *restore; // paths
    int major;            // of pg_dump
} DumpTools;

// The first pair in PATH, then the newest under /usr/lib/postgresql, that can dump a server of source_version
// (server_version_num). None, or only older ones: ERROR_CONDITION that names the package to install.
MUST_CHECK int dump_tools_find(int source_version, DumpTools *out, Error *err);
void dump_tools_free(DumpTools *tools);
// "pg_dump (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)" is 15; 0 when it is not understood.
int dump_tools_parse_major(const char *version);

// Runs a tool to its end. password may be NULL; it goes into the child's environment. what: "dumping the structure of
// the source".
MUST_CHECK int dump_tools_run(const char *const *argv, const char *password, const char *what, Error *err);
// The endpoint as a conninfo string for an argument: everything but what is secret. Caller frees.
char *dump_tools_conninfo(const Endpoint *endpoint, const char *application);
