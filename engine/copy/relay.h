// SPDX-License-Identifier: Apache-2.0
// Moves the rows of one COPY from the source's connection to the sink's: many rows a message, both sockets watched at
// once, memory bounded by a batch and the largest single row.
#pragma once

#include "common/base/buffer.h"
#include "common/contract/progress_document.h"
#include "engine/pg/connection.h"

typedef struct Relay {
    PGconn *source, *sink;             // idle; after a failure neither is of use
    const char *source_sql, *sink_sql; // COPY … TO STDOUT, COPY … FROM STDIN
    const char *label;                 // the relation, for errors
    bool binary;                       // the format of both statements
    int abort_fd;                      // readable when the other workers ended: give up (ERROR_STOPPED)
    Buffer batch;                      // kept from one run to the next; freed by the owner
    Progress *progress;                // told about rows as they pass
    int worker;                        // as which worker
} Relay;

// Ends when both ends said how many rows they moved, and that is the same number. The sink's transaction stays open:
// the caller commits. *bytes counts what went over the wire. Errors name the relation and the end that failed.
MUST_CHECK int relay_run(Relay *relay, int64_t *rows, int64_t *bytes, Error *err);
