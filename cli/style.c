// SPDX-License-Identifier: Apache-2.0
#include "cli/style.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const char *const SEQUENCES[] = {
    [COLOUR_NONE] = "",        [COLOUR_GOOD] = "\033[32m", [COLOUR_BUSY] = "\033[33m",
    [COLOUR_BAD] = "\033[31m", [COLOUR_DIM] = "\033[2m",   [COLOUR_STRONG] = "\033[1m",
};

enum { FALLBACK_WIDTH = 80, FALLBACK_HEIGHT = 24 };

void style_init(Style *style, ColourWish wish)
{
    const char *term = getenv("TERM"), *no_colour = getenv("NO_COLOR");
    bool terminal = isatty(STDOUT_FILENO);

    // A file or a pipe gets UTF-8 whatever the locale; what the terminal cannot show is replaced.
    setlocale(LC_CTYPE, "");
    style->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0 || (!terminal && setlocale(LC_CTYPE, "C.UTF-8"));
    style->terminal = terminal && term && *term && strcmp(term, "dumb") != 0;
    style->colour = wish == COLOUR_ALWAYS || (wish == COLOUR_AUTO && style->terminal && (!no_colour || !*no_colour));
    style->width = style->height = 0;
    if (terminal)
        style_measure(style);
}

void style_measure(Style *style)
{
    struct winsize size = {0};

    style->width = FALLBACK_WIDTH;
    style->height = FALLBACK_HEIGHT;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
        style->width = size.ws_col;
        style->height = size.ws_row;
    }
}

void style_begin(const Style *style, Buffer *out, Colour colour)
{
    if (style->colour)
        buffer_puts(out, SEQUENCES[colour]);
}

void style_end(const Style *style, Buffer *out, Colour colour)
{
    if (style->colour && colour != COLOUR_NONE)
        buffer_puts(out, "\033[0m");
}

void style_put(const Style *style, Buffer *out, Colour colour, const char *text)
{
    style_begin(style, out, colour);
    buffer_puts(out, text);
    style_end(style, out, colour);
}
