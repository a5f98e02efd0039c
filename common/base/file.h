// SPDX-License-Identifier: Apache-2.0
// Reading a small file whole.
#pragma once

#include "common/base/error.h"

// The file's bytes, a NUL behind them; *len (may be NULL) does not count it. More than max_bytes are refused. NULL on
// error: ERROR_USAGE, since the path came from the user. Caller frees.
MUST_CHECK char *file_read(const char *path, size_t max_bytes, size_t *len, Error *err);
