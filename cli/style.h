// SPDX-License-Identifier: Apache-2.0
// How text looks where it goes: colours, width, characters.
#pragma once

#include "common/base/buffer.h"

#include <stdbool.h>

typedef enum Colour { COLOUR_NONE, COLOUR_GOOD, COLOUR_BUSY, COLOUR_BAD, COLOUR_DIM, COLOUR_STRONG } Colour;

typedef struct Style {
    bool terminal; // standard output is one, and can move the cursor
    bool colour;
    bool utf8;
    int width, height; // of the terminal; 0 when it is none
} Style;

typedef enum ColourWish { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER } ColourWish;

// auto: colours on a terminal, unless NO_COLOR is set (https://no-color.org).
void style_init(Style *style, ColourWish wish);
void style_measure(Style *style); // the terminal's size as it is now
void style_put(const Style *style, Buffer *out, Colour colour, const char *text);
void style_begin(const Style *style, Buffer *out, Colour colour);
void style_end(const Style *style, Buffer *out, Colour colour);
