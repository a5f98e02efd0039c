// SPDX-License-Identifier: Apache-2.0
// The script that pg_restore -v writes, cut at its headers into the statements of each entry. Only offsets are kept.
#pragma once

#include "common/base/buffer.h"
#include "engine/structure/toc.h"

#include <stdio.h>

// Finds each wanted entry's statements in the script and sets its identity (in the arena), text_offset and text_length.
// A header counts only outside of strings, names and comments, so that no text of the source can pass for one.
// ERROR_PROTOCOL when an entry is missing.
MUST_CHECK int script_split(FILE *script, const Toc *toc, Arena *arena, Error *err);
// The statements of one entry. May be called by several threads at once.
MUST_CHECK int script_read(FILE *script, const TocEntry *e, Buffer *text, Error *err);
