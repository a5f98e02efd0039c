// SPDX-License-Identifier: Apache-2.0
// All tables of a task, compared at a point.
#pragma once

#include "engine/verify/verify_point.h"
#include "engine/verify/verify_resume.h"

// resume may be NULL.
MUST_CHECK int verify_compare(const Context *ctx, Progress *progress, VerifyPoint *point, VerifyResume *resume,
                              bool *equal, Error *err);
