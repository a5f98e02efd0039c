// SPDX-License-Identifier: Apache-2.0
// What verify found, from all its threads: counts into the progress, up to 20 keys into the log as they are found, and
// a line a table at the end.
#pragma once

#include "common/contract/progress_document.h"
#include "engine/verify/verify_merge.h"

#include <pthread.h>

enum { VERIFY_KEYS_NAMED = 20, VERIFY_LINES_KEPT = 200 };

typedef struct VerifyReport {
    pthread_mutex_t lock;
    Progress *progress; // borrowed
    int64_t tables, rows, bytes, differences;
    double began;  // monotonic
    bool at_least; // differences is a lower bound
    int keys_named;
    char *lines[VERIFY_LINES_KEPT]; // one for each table that differs
    int line_count, lines_dropped;
} VerifyReport;

typedef struct VerifyCounts { // of one table
    int64_t classes[VERIFY_CLASSES];
    bool at_least; // more rows differ than were listed
} VerifyCounts;

void verify_report_init(VerifyReport *report, Progress *progress);
void verify_report_free(VerifyReport *report);
bool verify_report_wants_keys(VerifyReport *report);
void verify_report_key(VerifyReport *report, const char *relation, VerifyClass class, const char *description);
// One table was compared; rows: how many the source has; bytes: of the table there.
void verify_report_table(VerifyReport *report, int64_t rows, int64_t bytes);
void verify_report_counts(VerifyReport *report, const char *relation, const VerifyCounts *counts);
// A difference of the tables themselves.
void verify_report_problem(VerifyReport *report, const char *relation, const char *problem);
// The final lines. at: "at LSN 0/15D6A08", or how the ends were taken otherwise. Returns whether both ends are equal.
bool verify_report_end(VerifyReport *report, const char *at);
