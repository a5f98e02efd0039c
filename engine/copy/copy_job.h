// SPDX-License-Identifier: Apache-2.0
// What the workers of one process share in a copy: the snapshot, what is left, what is to be built, and the first
// failure. Other processes may copy from the same queue in the ledger; one that only helps builds nothing.
#pragma once

#include "engine/copy/build_queue.h"
#include "engine/ledger/ledger_relation.h"

#include <pthread.h>

typedef struct CopyJob {
    // Set before the workers start, then only read.
    const Context *ctx;
    int64_t task_id;
    const char *owner;                // of the task, for the fence
    bool helper;                      // another process coordinates: rows only, until copy_job_all_complete
    const LedgerRelations *relations; // by id
    const char *snapshot;             // exported name
    bool replica_role;                // the sink's session may set session_replication_role
    bool same_encoding;               // both servers store text alike: binary is safe
    int abort_fd;                     // readable once the job has failed
    // Under the lock.
    pthread_mutex_t lock;
    pthread_cond_t changed;
    const Structure *structure; // NULL until known
    BuildQueue queue;
    int64_t parts_left;         // relations whose rows are not complete, and 1 for the large objects
    bool large_objects_waiting; // to be copied in the snapshot, nobody does yet
    bool *complete;             // by place in relations: rows are in
    int building;               // workers that build now
    int workers;                // threads that run
    bool failed;
    bool snapshot_lost; // the failure was that: a new snapshot may help
    Error error;        // the first failure
} CopyJob;

MUST_CHECK int copy_job_init(CopyJob *job, const LedgerRelations *relations, Error *err); // zeroes it first
void copy_job_free(CopyJob *job);
// Keeps the first failure and ends the others. A failure that only says "another one failed" is not kept.
void copy_job_fail(CopyJob *job, const Error *err, bool snapshot_lost);
bool copy_job_failed(CopyJob *job);
const LedgerRelation *copy_job_relation(const CopyJob *job, int32_t id); // NULL: not known

typedef enum JobStep { JOB_COPY, JOB_BUILD, JOB_LARGE_OBJECTS, JOB_WAIT, JOB_END } JobStep;
// What a worker does next. JOB_BUILD fills *work. may_copy false: the queue in the ledger had nothing a moment ago.
JobStep copy_job_next(CopyJob *job, bool may_copy, BuildWork *work);
void copy_job_wait(CopyJob *job, int ms);                  // until something changed, at most ms
void copy_job_relation_complete(CopyJob *job, int32_t id); // once more for the same one: nothing happens
void copy_job_all_complete(CopyJob *job);                  // for a helper: its coordinator says so
void copy_job_large_objects_complete(CopyJob *job);
bool copy_job_rows_complete(CopyJob *job); // the snapshot is of no more use
// One piece was built; true: *next is the worker's next piece.
bool copy_job_built(CopyJob *job, const BuildWork *work, BuildWork *next);
