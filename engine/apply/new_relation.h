// SPDX-License-Identifier: Apache-2.0
// Tables of the task that came to the source after the copy, such as new partitions, or that left the publication: rows
// of theirs are not in the sink, so the stream stops and the steps before it are opened again.
#pragma once

#include "engine/ledger/ledger.h"

// Notes that init-struct and init-data have something to do again, and makes the error. Always -1.
int new_relation_found(PGconn *sink, int64_t task_id, const char *label, Error *err);
// Looks for partitions of the migrated partitioned tables that the ledger does not know. The stream alone would not
// always tell: an attached partition may hold rows already, and a walsender of 14 may go on leaving it out. And for
// tables whose changes are not sent any more: those are copied again by the next run.
MUST_CHECK int new_relation_check(const Context *ctx, Ledger *ledger, Error *err);
