// SPDX-License-Identifier: Apache-2.0
// All tables of a task, compared at a point.
#pragma once

#include "engine/verify/verify_point.h"

MUST_CHECK int verify_compare(const Context *ctx, Progress *progress, VerifyPoint *point, bool *equal, Error *err);
