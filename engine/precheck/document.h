// SPDX-License-Identifier: Apache-2.0
// The table of checks as a page: docs/prechecks.md.
#pragma once

#include "common/base/buffer.h"

// Markdown. test/unit/engine/precheck/test_document.c compares it with the page, and writes the page when
// KUBEFERRY_WRITE_DOCS is set.
void precheck_document(Buffer *out);
