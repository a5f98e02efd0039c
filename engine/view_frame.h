// SPDX-License-Identifier: Apache-2.0
// One picture of a running task, as lines of text. Pure: the terminal is view.c's.
#pragma once

#include "common/base/buffer.h"
#include "common/contract/progress_document.h"

typedef struct ViewStyle {
    int width, height; // of the terminal, in characters
    bool utf8;         // bars of block characters, else of '#'
    bool colour;
} ViewStyle;

// Appends the lines, each ended by "\n" and none wider than the terminal; returns how many they are (fewer than its
// height).
int view_frame(Progress *progress, const ViewStyle *style, Buffer *out);
// The same in one line, without "\n".
void view_frame_line(Progress *progress, Buffer *out);
