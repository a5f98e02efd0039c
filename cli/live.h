// SPDX-License-Identifier: Apache-2.0
// A picture that is drawn over itself on a terminal.
#pragma once

#include "cli/style.h"

typedef struct Live { // zero-initialised
    int lines;        // of ours above the cursor
} Live;

// Draws it in place of the one before, in one write. Lines that are too long are cut by the terminal; what is more than
// the terminal is high is left out, and the last line says so.
void live_draw(Live *live, const Style *style, const Buffer *picture);
// Log lines that come while it is watched push the picture away and do not mix with it. NULL: no more.
void live_share(Live *live);
