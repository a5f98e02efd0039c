// SPDX-License-Identifier: Apache-2.0
// What every verb needs to know of its task: the names, the two ends, how to connect. Filled once by context_open,
// read-only afterwards, shared by all threads.
#pragma once

#include "common/contract/progress_document.h"
#include "common/contract/task_document.h"
#include "engine/pg/connection.h"

typedef struct Context {
    const TaskDocument *task; // borrowed
    Progress *progress;       // borrowed
    char *slot;
    char *publication;
    char *application;                // application_name of all our connections: "kubeferry <task>"
    char encoding[32];                // client_encoding of both ends: the servers' own when they agree, else UTF8
    bool same_encoding;               // both servers store text alike
    int source_version, sink_version; // server_version_num, 140023
    char source_system[24];           // system identifier, from pg_control_system(); "" when unreadable
    char source_database[64];         // as the server names it
    char *work_dir;                   // exists, mode 0700
    bool work_dir_is_ours;            // made by us: removed by context_close
} Context;

// Connects to both ends once to learn versions and encodings. Either failing is the error of that end.
MUST_CHECK int context_open(Context *ctx, const TaskDocument *task, Progress *progress, Error *err);
// Fills only the names (slot, publication, application): for cleanup, which must work with an end missing.
void context_name(Context *ctx, const TaskDocument *task, Progress *progress);
void context_close(Context *ctx);

MUST_CHECK int context_connect_source(const Context *ctx, PgKind kind, PGconn **out, Error *err);
MUST_CHECK int context_connect_sink(const Context *ctx, PGconn **out, Error *err);
// Whether the sink's session may set session_replication_role (tries it, in a transaction that is rolled back).
MUST_CHECK int context_can_set_replication_role(PGconn *sink, bool *can, Error *err);
