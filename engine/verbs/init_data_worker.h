// SPDX-License-Identifier: Apache-2.0
// A process that helps in the init-data step of another one, the coordinator: several shells, or the pods of an Indexed
// Job. It needs no disk in common with it: the snapshot and the queue are found in the sink's ledger.
#pragma once

#include "engine/context.h"

// Waits for a coordinator (10 minutes, or the task's wait_seconds when that is more), copies what it has planned, and
// ends when all rows of the task are in. ERROR_TRANSIENT: no coordinator came.
MUST_CHECK int verb_init_data_worker(const Context *ctx, Error *err);
