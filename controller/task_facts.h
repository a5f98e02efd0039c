// SPDX-License-Identifier: Apache-2.0
// What is so about a task, put together from the caches: what its state and its status are decided from. Must not write
// and must not decide.
#pragma once

#include "controller/store.h"
#include "controller/task_job.h"
#include "controller/task_plan.h"

typedef enum WorkState {
    WORK_ABSENT,    // no Job
    WORK_ENDING,    // its Job is being deleted
    WORK_FOREIGN,   // a Job of that name belongs to something else
    WORK_WAITING,   // its Job is suspended
    WORK_STARTING,  // a pod is wanted and does not run yet
    WORK_RUNNING,   // its pod runs
    WORK_RETRYING,  // a pod failed and Kubernetes will make another
    WORK_EXHAUSTED, // the Job failed: too many tries, or too long
    WORK_FAILED,    // the Job failed for a reason that a person must mend
    WORK_DONE,
} WorkState;

typedef struct WorkFacts {
    const WorkerJob *job; // NULL: nothing of that name
    WorkState state;
    const WorkerPod *pod;    // that speaks for it; may be NULL
    const WorkerPod *failed; // the one that failed last; may be NULL
    bool live_pod;           // the container of a pod of it may still run
    bool outdated;           // its Job was made from another spec than the present one
} WorkFacts;

typedef struct TaskFacts {
    Task *task;
    TaskSpec spec;
    const Template *template; // NULL: there is none of that name
    bool unsupported;
    bool planned;   // plan holds
    Buffer problem; // why it is unsupported or cannot be planned
    TaskPlan plan;
    json_object *document; // the task document
    char *secret;          // name of the Secret that holds it
    WorkFacts works[WORK_COUNT];
    int current;                     // the first work of the plan that is not done; -1: all are
    bool jobs_exist;                 // any Job of ours
    bool begun;                      // a worker has run
    bool touched;                    // one that leaves something on either end
    bool workers_left;               // a Job at work, or a pod whose container may run, but the one that cleans up
    bool following;                  // the worker of cdc says that it follows changes
    bool verify_wanted;              // a verification is asked for, or due, and not at work
    ProgressRead *words[WORK_COUNT]; // last words of those beside cdc; NULL: nothing. Owned
    const ProgressRead *said;        // by the current work's worker, or its last words; NULL: nothing
    ProgressRead last_words;         // of an ended worker
    bool has_last_words;
    double now; // seconds since 1970
    double monotonic;
} TaskFacts;

// task is borrowed. settings: for what the Jobs should be.
void task_facts_gather(const Store *store, const WorkerSettings *settings, Task *task, TaskFacts *out);
void task_facts_free(TaskFacts *facts);
// The Job of a work as it should be now; a new reference. *inputs: caller frees.
json_object *task_facts_job(const TaskFacts *facts, const WorkerSettings *settings, int work, bool suspend,
                            char **inputs);
// Name of the work's Job. Caller frees.
char *task_facts_job_name(const TaskFacts *facts, int work);
// The replication slot on the source: the task's name with - as _. Caller frees.
char *task_facts_slot(const TaskFacts *facts);
bool work_at_work(const WorkFacts *work); // a pod of it runs, or will
bool work_is_failed(const WorkFacts *work);
// Whether the last words of WORK_CUTOVER or WORK_ROLLBACK say that it came to this state ("done", "undone").
bool task_facts_switch_is(const TaskFacts *facts, int work, const char *state);
// Seconds until a work that is starting counts as blocked though nothing says why; 0: now; -1: it is not starting.
double task_facts_patience(const TaskFacts *facts, const WorkFacts *work);
// Seconds since 1970 when a failed work is to be tried again.
double task_facts_retry_time(const WorkFacts *work);
