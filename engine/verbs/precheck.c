// SPDX-License-Identifier: Apache-2.0
// The verb precheck.
#include "engine/verbs/precheck.h"

#include "engine/view.h"

#include <stdio.h>

int verb_precheck(const TaskDocument *task, Progress *progress, Error *err)
{
    Precheck precheck;

    progress_step_start(progress, STEP_PRECHECK);
    progress_phase(progress, "checking both ends");
    int rc = precheck_run(&precheck, task, progress, err);
    if (rc == 0) {
        view_print_checks(progress, task->log_format, stdout);
        fflush(stdout); // before the error on stderr
        rc = precheck_result(&precheck, err);
    }
    precheck_free(&precheck);
    progress_step_end(progress, STEP_PRECHECK,
                      rc == 0                      ? PROGRESS_DONE
                      : err->code == ERROR_STOPPED ? PROGRESS_STOPPED
                                                   : PROGRESS_FAILED);
    return rc;
}
