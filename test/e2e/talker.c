// SPDX-License-Identifier: Apache-2.0
// A container that needs no image from anywhere: writes its arguments, a line each, then waits for a signal; "exit=N"
// ends it with N, "pause=MS" waits in between. Without arguments it is the pause of a pod.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void leave(int signal_number)
{
    (void)signal_number;
    _exit(0);
}

int main(int argc, char **argv)
{
    signal(SIGTERM, leave);
    signal(SIGINT, leave);
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "exit=", 5) == 0)
            return atoi(argv[i] + 5);
        if (strncmp(argv[i], "pause=", 6) == 0)
            usleep((useconds_t)atoi(argv[i] + 6) * 1000);
        else
            puts(argv[i]);
        fflush(stdout);
    }
    for (;;)
        pause();
}
