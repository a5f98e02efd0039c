// SPDX-License-Identifier: Apache-2.0
// The lines of a stream that comes in pieces: what a watch sends is one JSON document a line.
#pragma once

#include "common/base/buffer.h"
#include "common/base/error.h"

typedef struct K8sLines { // zero-initialised; `max` is to be set
    Buffer partial;
    size_t max; // bytes of a line; a longer one is an error
} K8sLines;

// Calls line() for each complete, non-empty line, without its line end (a CR before it is taken off, too). line returns
// false to end. ERROR_PROTOCOL when a line is too long. *go_on: what the last line() said.
MUST_CHECK int k8s_lines_feed(K8sLines *lines, const char *bytes, size_t len,
                              bool (*line)(void *context, const char *text, size_t len), void *context, bool *go_on,
                              Error *err);
void k8s_lines_free(K8sLines *lines);
