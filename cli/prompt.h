// SPDX-License-Identifier: Apache-2.0
// Questions to the person at the terminal: asked on standard error, so that standard output stays what was asked for.
#pragma once

#include "common/base/error.h"

#include <stdbool.h>

bool prompt_possible(void); // somebody sits there
// One line, without its end; "" for an empty one. hidden: what is typed is not shown. ERROR_USAGE when the input ends
// before a line. Caller frees.
MUST_CHECK int prompt_line(const char *question, bool hidden, char **answer, Error *err);
