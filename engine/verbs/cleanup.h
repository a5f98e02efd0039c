// SPDX-License-Identifier: Apache-2.0
// Takes away what a task left: slot and publication on the source, the bookkeeping in the sink. User data stays.
#pragma once

#include "common/contract/progress_document.h"
#include "common/contract/task_document.h"

// May run at any time, twice, with an end missing. A slot is dropped when the ledger in the sink or our comment on the
// publication proves that it is ours, or with force; else it stays, with a warning. A publication is dropped only when
// its comment says that it is ours. The ledger goes last: it is the proof. ERROR_BUSY: the task is being run;
// ERROR_UNREACHABLE: the source, or a sink that is still needed, does not answer (what was done and what is left is in
// the log).
MUST_CHECK int verb_cleanup(const TaskDocument *task, Progress *progress, bool force, Error *err);
