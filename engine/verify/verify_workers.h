// SPDX-License-Identifier: Apache-2.0
// The threads of verify: each takes tables, and chunks of large ones, from one queue, biggest first, and compares them
// over its own connections.
#pragma once

#include "engine/verify/verify_point.h"
#include "engine/verify/verify_report.h"
#include "engine/verify/verify_resume.h"

// Compares every ordinary table of the list but those that resume (may be NULL) knows. The first
// failure ends the others' statements and is the one returned.
MUST_CHECK int verify_workers_run(VerifyPoint *point, const RelationList *relations, VerifyReport *report,
                                  VerifyResume *resume, Progress *progress, Error *err);
