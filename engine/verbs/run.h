// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "common/contract/progress_document.h"

// All steps that the task wants, in order, in one go; what an earlier run has done is not done again.
MUST_CHECK int verb_run(const TaskDocument *task, Progress *progress, Error *err);
