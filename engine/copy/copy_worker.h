// SPDX-License-Identifier: Apache-2.0
// One worker of the initial copy: a thread with one connection to each end that takes chunks and builds.
#pragma once

#include "engine/copy/copy_job.h"

typedef struct CopyWorker CopyWorker;

// Starts the thread. number: from 0, its place in the progress document. The job outlives the worker.
MUST_CHECK int copy_worker_start(CopyJob *job, int number, CopyWorker **out, Error *err);
// Asks both servers to give up what they do for this worker, once the job has failed. May be called again and again.
void copy_worker_cancel(CopyWorker *worker);
void copy_worker_join(CopyWorker *worker); // waits for the thread's end and frees
