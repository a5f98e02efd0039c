// SPDX-License-Identifier: Apache-2.0
// A task as text. Pure: what it shows was fetched before.
#pragma once

#include "cli/migration/task_objects.h"

// The sections of the contract in its order, with its titles and columns; then Progress, Prechecks, Notes and Problem.
// live: short times, so that it fits 80 columns. Never a password.
void describe_format(const TaskObjects *objects, const Style *style, bool live, double now, Buffer *out);
