// SPDX-License-Identifier: Apache-2.0
// Which tables an interrupted verification has found equal: noted in the ledger as they are done, passed over by the
// next one if it is to resume, forgotten when one comes to its end.
#pragma once

#include "engine/catalog/relations.h"
#include "engine/ledger/ledger.h"

#include <pthread.h>

typedef struct VerifyResume {
    Ledger ledger; // conn NULL: the task has no ledger, nothing is noted
    int sample;    // per cent
    pthread_mutex_t lock;
    PGresult *done; // schema, name, rows; ordered
} VerifyResume;

// resume: tables that were found equal before are known; else they are forgotten.
MUST_CHECK int verify_resume_open(const Context *ctx, bool resume, VerifyResume *out, Error *err);
// Whether the table was found equal before. *rows: how many it had.
bool verify_resume_knows(const VerifyResume *r, const Relation *relation, int64_t *rows);
// Tables that were found equal now, from any thread. equal[i] false: not to be noted.
MUST_CHECK int verify_resume_note(VerifyResume *r, const Relation *const *tables, const int64_t *rows,
                                  const bool *equal, size_t count, Error *err);
// The verification came to its end: the next one begins anew.
MUST_CHECK int verify_resume_end(VerifyResume *r, Error *err);
void verify_resume_close(VerifyResume *r);
