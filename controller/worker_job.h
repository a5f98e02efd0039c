// SPDX-License-Identifier: Apache-2.0
// A Job of ours and its pods, as far as they tell how its work goes.
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct WorkerPod WorkerPod;
struct WorkerPod {
    WorkerPod *next;                    // of the same Job
    char *name, *uid, *owner, *address; // owner: uid of the Job that made it; address: its IP, or ""
    char *phase;                        // "Running"
    char *problem;            // why it does not start: "ErrImagePull: …", "secret \"x\" not found"; "" when it does
    char *message;            // termination message; "" when there is none
    double created, finished; // seconds since 1970; 0: not yet
    int exit_code;            // of the ended container; -1: it runs, or has never run
    int index;                // of an Indexed Job, else 0
    bool running;             // its container runs
    bool deleted;             // is being ended
    unsigned epoch;
};

typedef struct WorkerJob {
    char *key;      // "namespace/name of the Job"
    char *task_key; // "namespace/name of the task"
    int work;
    bool exists;                          // false: only pods of it are known
    char *uid, *owner, *version, *inputs; // owner: uid of the task it was made for
    char *request;                        // that a verification answers; "" else
    int attempt;
    bool suspended, complete, failed, deleted;
    char *failed_reason, *failed_message; // of the condition Failed; "" else
    double started, finished, created;
    double failed_at;    // when it was found Failed
    int64_t pods_failed; // status.failed
    unsigned epoch;
    WorkerPod *pods;
} WorkerJob;

// Fills what the Job itself tells; pods stay. false when the object is none of ours.
bool worker_job_read(json_object *object, WorkerJob *job);
void worker_job_clear(WorkerJob *job); // as if the Job were not there; key and pods stay
void worker_job_free(WorkerJob *job);
// A pod of one of our Jobs. NULL when it is none. *job_name: borrowed from the object.
WorkerPod *worker_pod_read(json_object *object, const char **job_name);
void worker_pod_free(WorkerPod *pod);
// The pod that speaks for the Job: the newest of index 0; NULL when there is none. One that an earlier Job of the same
// name made does not count, here and below.
const WorkerPod *worker_job_pod(const WorkerJob *job);
// The newest pod that ended with a failure, of any index; NULL when there is none.
const WorkerPod *worker_job_failed_pod(const WorkerJob *job);
