// SPDX-License-Identifier: Apache-2.0
// The verb verify: are both ends equal, row for row?
#pragma once

#include "engine/context.h"

// resume: tables that an interrupted one has found equal are passed over. *equal false: there is at least one
// difference (the exit code is then EXIT_DIFFERENT). An error: it could not be told.
MUST_CHECK int verb_verify(Context *ctx, Progress *progress, bool resume, bool *equal, Error *err);
