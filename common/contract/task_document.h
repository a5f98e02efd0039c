// SPDX-License-Identifier: Apache-2.0
// What a task is: the one document that the controller mounts, or that the engine's options build.
#pragma once

#include "common/base/error.h"
#include "common/base/log.h"
#include "common/contract/endpoint.h"
#include "common/contract/object_list.h"
#include "common/contract/steps.h"

#include <stdint.h>

// How long changes are followed: until a person stops that, and has come to the end of the task; until all is applied;
// or for good, so that a stop only interrupts (exit code 75: whoever runs the process starts it again).
typedef enum TaskUntil { UNTIL_STOPPED, UNTIL_CAUGHT_UP, UNTIL_FOREVER } TaskUntil;

enum {
    TASK_JOBS_MAX = 64,
    TASK_WORKERS_MAX = 64,
    TASK_NAME_MAX = 63,
    TASK_WAIT_MAX = 86400,
    TASK_CUTOVER_MAX = 3600,
    TASK_BACK_NAME_MAX = 58
};
// How writes are kept from the source during a cutover.
typedef enum TaskBlock {
    BLOCK_NONE,      // the user does it; that nothing is committed is checked
    BLOCK_READ_ONLY, // the database is made read-only, its sessions are ended
    BLOCK_LOCK       // the tables are locked, writers wait; made read-only at the very end
} TaskBlock;

// What a cutover wants to know of the two ends being equal.
typedef enum TaskVerification {
    VERIFICATION_IF_KNOWN, // the last verification, if there was one, found no difference
    VERIFICATION_IGNORED,
    VERIFICATION_REQUIRED, // there was one, whole, and it found none
    VERIFICATION_FINAL     // both ends are compared while writes are kept away
} TaskVerification;

typedef struct TaskCutover {
    TaskBlock block;
    TaskVerification verification;
    int timeout_seconds; // from the first write that is kept away to the switch; beyond it all is undone
    int max_lag_seconds; // further behind, it does not begin
    bool reverse;        // leave a stream from the sink back to the source
} TaskCutover;

static const int64_t TASK_MARGIN_MAX = 1000000000000;

typedef struct TaskDocument {
    char *name; // 1-63 characters of [a-z0-9], with - _ . inside
    Endpoint source;
    Endpoint sink;
    ObjectList objects;     // empty: all user tables
    ObjectList excluded;    // blackList; wins over objects
    bool steps[STEP_COUNT]; // which steps are wanted
    int jobs;               // 1 … TASK_JOBS_MAX
    int workers;            // processes that copy the rows, 1 … TASK_WORKERS_MAX, each with `jobs` of its own
    TaskUntil until;
    char *listen; // "ADDR:PORT", or NULL: no HTTP server
    LogFormat log_format;
    char *work_dir;           // where dumps are put; NULL: a directory made under TMPDIR
    int64_t slot_guard_bytes; // warn when the slot retains more; 0: off
    int64_t sequence_margin;  // values that sequences of the sink are set further than the source's
    TaskCutover cutover;
    int verify_sample; // per cent of the rows that verify compares, 1 … 100
    int wait_seconds;  // how long a verb waits at its start for an end that does not answer
} TaskDocument;

// Defaults: name "kubeferry", all steps but init-struct-later (init-data does its work), 2 jobs, 1 worker, until
// stopped, text log, no waiting.
void task_document_init(TaskDocument *task);
// Reads the JSON task document (docs/task-document.md) into a task that was initialised: what the document does not
// name keeps its value. Unknown fields are refused by name. Variables of the environment that it names (passwordEnv,
// userEnv) are wiped once they are read. ERROR_USAGE.
MUST_CHECK int task_document_load(const char *path, TaskDocument *task, Error *err);
// What options and document have in common: names, ranges, both endpoints given. ERROR_USAGE.
MUST_CHECK int task_document_check(const TaskDocument *task, Error *err);
// "precheck=true,init-data=false": those not named keep their value. ERROR_USAGE.
MUST_CHECK int task_document_set_steps(TaskDocument *task, const char *text, Error *err);
void task_document_free(TaskDocument *task);
extern const char *const TASK_BLOCKS[];        // "none", "read-only", "lock"; NULL at the end
extern const char *const TASK_VERIFICATIONS[]; // "if-known", …; NULL at the end
// The way back: the ends are swapped, the name gets "-back" at its end or loses it.
void task_document_turn(TaskDocument *task);
// Names on the source. Caller frees.
char *task_document_slot(const TaskDocument *task);        // name with - and . as _
char *task_document_publication(const TaskDocument *task); // <slot>_publication_for_all_tables, cut at 63 bytes
