// SPDX-License-Identifier: Apache-2.0
// The verb precheck: can this migration work, and if not, what has a person to do?
#pragma once

#include "engine/precheck/precheck.h"

// Makes every check (engine/precheck/checks.c), reports them all in the progress document and on stdout, and changes
// nothing. 0 when none failed (warnings allowed). An end that cannot be reached: its connection's error, after the
// checks of the other end; otherwise ERROR_PRECHECK when a check failed, ERROR_STOPPED when asked to stop.
MUST_CHECK int verb_precheck(const TaskDocument *task, Progress *progress, Error *err);
