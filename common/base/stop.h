// SPDX-License-Identifier: Apache-2.0
// The wish to stop: set by SIGTERM or SIGINT, seen by every wait of the process.
#pragma once

#include <stdbool.h>

#include "common/base/error.h"

// Installs the handlers for SIGTERM and SIGINT and ignores SIGPIPE. A second signal ends the process at once (exit 75).
MUST_CHECK int stop_init(Error *err);
bool stop_requested(void);
void stop_request(void); // as if SIGTERM had come
// A descriptor that is readable once a stop was requested, for poll(2). Never read from it.
int stop_fd(void);
// Sleeps, at most ms milliseconds; returns true at once when a stop was requested.
bool stop_sleep_ms(int ms);
// While shielded, the calling thread sees no stop: for what must be undone after one. A second signal still ends the
// process.
void stop_shield(bool on);
// ERROR_STOPPED when a stop was requested, else 0.
MUST_CHECK int stop_check(Error *err);
