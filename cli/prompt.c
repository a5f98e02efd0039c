// SPDX-License-Identifier: Apache-2.0
// Must leave the terminal as it was, however it ends.
#include "cli/prompt.h"

#include "common/base/buffer.h"
#include "common/base/memory.h"
#include "common/base/stop.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

bool prompt_possible(void)
{
    return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

// Byte by byte, since a stop must be seen and what follows the line is not ours.
static int read_line(Buffer *line, Error *err)
{
    struct pollfd p[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = stop_fd(), .events = POLLIN}};

    for (;;) {
        char c;
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return error_errno(err, "waiting for an answer");
        if (stop_check(err))
            return -1;
        if (!p[0].revents)
            continue;
        ssize_t n = read(STDIN_FILENO, &c, 1);
        if (n < 0)
            return error_errno(err, "reading the answer");
        if (n == 0 && line->len == 0)
            return error_set(err, ERROR_USAGE, "the input ended before an answer");
        if (n == 0 || c == '\n')
            return 0;
        if (c != '\r')
            buffer_putc(line, c);
    }
}

int prompt_line(const char *question, bool hidden, char **answer, Error *err)
{
    struct termios before, quiet;
    bool change = hidden && tcgetattr(STDIN_FILENO, &before) == 0;
    Buffer line = {0};

    fflush(stdout);
    if (isatty(STDIN_FILENO)) {
        fputs(question, stderr);
        fflush(stderr);
    }
    if (change) {
        quiet = before;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    int rc = read_line(&line, err);
    if (change) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        fputc('\n', stderr);
    }
    if (rc) {
        if (!change && isatty(STDIN_FILENO))
            fputc('\n', stderr);
        buffer_free(&line);
        return -1;
    }
    *answer = memory_strdup(buffer_text(&line));
    if (line.data)
        explicit_bzero(line.data, line.len);
    buffer_free(&line);
    return 0;
}
