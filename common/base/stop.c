// SPDX-License-Identifier: Apache-2.0
// The wish to stop, as a flag and as a descriptor.
#include "common/base/stop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static atomic_int requests;
static int event_fd = -1;
static _Thread_local bool shielded;

void stop_request(void)
{
    const unsigned long long one = 1;
    int saved = errno;

    atomic_fetch_add(&requests, 1);
    if (event_fd >= 0) {
        ssize_t ignored = write(event_fd, &one, sizeof one);
        (void)ignored;
    }
    errno = saved;
}

static void on_signal(int signal_number)
{
    (void)signal_number;
    if (atomic_load(&requests) > 0)
        _exit(75);
    stop_request();
}

int stop_init(Error *err)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event_fd < 0)
        return error_errno(err, "could not create an event descriptor");
    if (sigaction(SIGTERM, &action, NULL) || sigaction(SIGINT, &action, NULL) || sigaction(SIGPIPE, &ignore, NULL))
        return error_errno(err, "could not install signal handlers");
    return 0;
}

void stop_shield(bool on)
{
    shielded = on;
}

bool stop_requested(void)
{
    return !shielded && atomic_load(&requests) > 0;
}

// poll(2) passes a negative descriptor over.
int stop_fd(void)
{
    return shielded ? -1 : event_fd;
}

bool stop_sleep_ms(int ms)
{
    struct pollfd p = {.fd = stop_fd(), .events = POLLIN};
    if (!stop_requested())
        poll(&p, 1, ms);
    return stop_requested();
}

int stop_check(Error *err)
{
    return stop_requested() ? error_set(err, ERROR_STOPPED, "asked to stop") : 0;
}
