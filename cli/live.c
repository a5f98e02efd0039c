// SPDX-License-Identifier: Apache-2.0
#include "cli/live.h"

#include "common/base/log.h"

#include <stdio.h>
#include <string.h>

#define NO_WRAP "\033[?7l" // a line ends at the edge, whatever more it holds
#define WRAP    "\033[?7h"

static int count_lines(const char *text)
{
    int lines = 0;
    for (; (text = strchr(text, '\n')); text++)
        lines++;
    return lines;
}

void live_draw(Live *live, const Style *style, const Buffer *picture)
{
    auto_buffer Buffer out = {0};
    int total = count_lines(buffer_text(picture)), room = style->height - 1;
    int shown = total <= room ? total : room - 1, line = 0;

    buffer_puts(&out, NO_WRAP);
    if (live->lines > 0)
        buffer_printf(&out, "\r\033[%dA", live->lines);
    for (const char *p = buffer_text(picture); *p && line < shown; line++) {
        size_t len = strcspn(p, "\n");
        buffer_append(&out, p, len);
        buffer_puts(&out, "\033[K\n");
        p += len + (p[len] == '\n');
    }
    if (total > shown) {
        buffer_printf(&out, "… %d more lines: make the window higher\033[K\n", total - shown);
        line++;
    }
    buffer_puts(&out, "\033[J" WRAP);
    fwrite(out.data, 1, out.len, stdout);
    fflush(stdout);
    live->lines = line;
}

static Live *shared; // the terminal is one

static void make_room(void)
{
    if (shared->lines > 0)
        printf("\r\033[%dA\033[J", shared->lines);
    fflush(stdout);
    shared->lines = 0;
}

void live_share(Live *live)
{
    shared = live;
    log_set_view_hooks(live ? make_room : NULL, NULL);
}
