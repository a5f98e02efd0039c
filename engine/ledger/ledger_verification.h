// SPDX-License-Identifier: Apache-2.0
// What the last verification of the task found.
#pragma once

#include "engine/ledger/ledger.h"

typedef struct Verification {
    bool known;           // there was one
    char finished_at[40]; // text
    uint64_t lsn;         // 0: the ends were taken one after the other
    double sample;        // per cent of the rows
    int64_t tables, rows, differences;
} Verification;

MUST_CHECK int ledger_verification_get(PGconn *conn, int64_t task_id, Verification *out, Error *err);
// finished_at is now. A ledger that an older kubeferry made and no newer has opened has no place for it: left out.
MUST_CHECK int ledger_verification_put(PGconn *conn, int64_t task_id, const Verification *result, Error *err);
