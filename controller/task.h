// SPDX-License-Identifier: Apache-2.0
// A MigrationTask as the controller keeps it: what it needs of metadata and status as a struct, the spec as text until
// somebody looks into it. Small, for there may be ten thousand.
#pragma once

#include "controller/task_progress.h"
#include "controller/work.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ConditionType {
    CONDITION_READY,
    CONDITION_RECONCILING,
    CONDITION_STALLED,
    CONDITION_VERIFIED, // only once there was a verification
    CONDITION_TYPES
} ConditionType;

typedef struct SeenCondition {
    char status;        // 'T', 'F', 'U'; 0: there is none
    double since;       // lastTransitionTime
    uint64_t text;      // json_hash_text of reason and message
    int64_t generation; // observedGeneration
} SeenCondition;

typedef enum CopyCount { // of status.progress: what was copied stays to be seen while changes are followed
    COPY_PERCENT,
    COPY_ROWS,
    COPY_ROWS_TOTAL,
    COPY_BYTES,
    COPY_BYTES_TOTAL,
    COPY_TABLES,
    COPY_TABLES_TOTAL,
    COPY_INDEXES,
    COPY_INDEXES_TOTAL,
    COPY_COUNTS
} CopyCount;

extern const char *const COPY_COUNT_NAMES[COPY_COUNTS]; // fields of status.progress
extern const char *const CONDITION_NAMES[CONDITION_TYPES];

// What the status holds, as far as it is compared or carried on.
typedef struct SeenStatus {
    int64_t generation; // observedGeneration; -1: never written
    char task_status[16];
    double started, finished;
    double init_started, init_finished, cdc_started, verify_started;
    SeenCondition conditions[CONDITION_TYPES];
    uint64_t initialization, cdc_metrics, cdc_failed, progress, prechecks; // json_hash of each
    uint64_t verification, cutover, rollback;                              // the same
    uint64_t verify_request;                  // json_hash_text of the request that was answered
    bool service_switched[WORK_COUNT];        // by WORK_CUTOVER or WORK_ROLLBACK
    int64_t copy[COPY_COUNTS];                // -1: not there
    char *ready_reason;                       // of the condition Ready; NULL: none
    char *verified_reason, *verified_message; // of the condition Verified; NULL: none
    char *stalled_reason, *stalled_message;   // while Stalled is true; NULL else
} SeenStatus;

typedef struct Task {
    char *key; // "namespace/name"
    char *namespace_name;
    const char *name; // in key
    char *uid;
    char *version; // resourceVersion
    int64_t generation;
    double deleted; // deletionTimestamp; 0: not
    int finalizer;  // place of ours among the finalizers; -1: it is not there
    bool other_finalizers;
    char *template;
    char *spec; // JSON, an object
    size_t spec_len;
    SeenStatus seen;
    unsigned epoch; // of the listing that it was last seen in

    // What only the leader knows; lost without harm.
    TaskProgress *progress;           // what the worker said last; NULL: nothing yet
    double metrics_written;           // monotonic, of status.cdc.metrics
    double progress_written;          // monotonic, of status.progress
    int polled;                       // the work whose worker is asked; -1: none
    bool service_patched[WORK_COUNT]; // the Service of that switch leads to where it went
    double cleanup_since;             // monotonic: since when cleaning up is tried; 0: not
    int attempt[WORK_COUNT];          // of each work: how often its Job was made
} Task;

// From an object of the API; NULL when it has no name. The caller frees.
Task *task_read(json_object *object);
// Takes the newer state of the same key over; key and what only the leader knows stay. `newer` is emptied and freed.
void task_update(Task *task, Task *newer);
void task_free(Task *task);
// Whether the Service of a switch (WORK_CUTOVER, WORK_ROLLBACK) leads to where it went.
bool task_service_is_switched(const Task *task, int work);
// The status part alone, of what a write to the status gave back.
void task_read_status(json_object *status, SeenStatus *out);
void task_status_free(SeenStatus *seen);
