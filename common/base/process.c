// SPDX-License-Identifier: Apache-2.0
// Runs a child process. Between fork and exec only async-signal-safe calls: other threads may hold locks.
#include "common/base/process.h"

#include "common/base/memory.h"
#include "common/base/stop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { PIPE_READ, PIPE_WRITE, CHUNK = 16 * 1024, EXEC_FAILED = 127 };

static bool same_name(const char *a, const char *b)
{
    size_t n = strcspn(a, "=");
    return strncmp(a, b, n) == 0 && b[n] == '=';
}

static bool is_replaced(const char *const *extra, const char *variable)
{
    for (size_t i = 0; extra && extra[i]; i++)
        if (same_name(extra[i], variable))
            return true;
    return false;
}

// The extra variables, then ours without those that they replace. Caller frees the array alone.
static const char **merge_environment(const char *const *extra)
{
    size_t own = 0, added = 0, n = 0;
    while (environ[own])
        own++;
    while (extra && extra[added])
        added++;
    const char **merged = memory_alloc((own + added + 1) * sizeof *merged);
    for (size_t i = 0; i < added; i++)
        merged[n++] = extra[i];
    for (size_t i = 0; i < own; i++)
        if (!is_replaced(extra, environ[i]))
            merged[n++] = environ[i];
    merged[n] = NULL;
    return merged;
}

static void __attribute__((noreturn))
become(const ProcessCommand *command, const char **environment, pid_t parent, int input, int output, int errors)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) // died before the line above
        _exit(EXEC_FAILED);
    signal(SIGPIPE, SIG_DFL);
    if (dup2(input, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 || dup2(errors, STDERR_FILENO) < 0)
        _exit(EXEC_FAILED);
    execve(command->argv[0], (char *const *)(uintptr_t)command->argv, (char *const *)(uintptr_t)environment);
    _exit(EXEC_FAILED);
}

static void keep(Buffer *out, const char *bytes, size_t len, size_t max)
{
    size_t room = out->len < max ? max - out->len : 0;
    buffer_append(out, bytes, len < room ? len : room);
}

// Reads one stream a little; false at its end.
static bool drain(int fd, Buffer *out, size_t max)
{
    char bytes[CHUNK];
    ssize_t n = read(fd, bytes, sizeof bytes);
    if (n > 0)
        keep(out, bytes, (size_t)n, max);
    return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

static int collect(int output, int errors, size_t max, ProcessResult *result, Error *err)
{
    struct pollfd p[3] = {
        {.fd = output, .events = POLLIN}, {.fd = errors, .events = POLLIN}, {.fd = stop_fd(), .events = POLLIN}};

    while (p[0].fd >= 0 || p[1].fd >= 0) {
        if (poll(p, 3, -1) < 0 && errno != EINTR)
            return error_errno(err, "waiting for a child process");
        if (stop_check(err))
            return -1;
        if (p[0].fd >= 0 && p[0].revents && !drain(output, &result->output, max))
            p[0].fd = -1;
        if (p[1].fd >= 0 && p[1].revents && !drain(errors, &result->errors, max))
            p[1].fd = -1;
    }
    return 0;
}

static int wait_for_end(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int process_run(const ProcessCommand *command, ProcessResult *result, Error *err)
{
    int pipes[2][2] = {{-1, -1}, {-1, -1}};
    auto_free const char **environment = merge_environment(command->environment);
    auto_close int input = open("/dev/null", O_RDONLY | O_CLOEXEC);

    *result = (ProcessResult){0};
    if (input < 0 || access(command->argv[0], X_OK))
        return error_errno(err, "cannot run %s", command->argv[0]);
    if (pipe2(pipes[0], O_CLOEXEC))
        return error_errno(err, "cannot make a pipe");
    auto_close int output = pipes[0][PIPE_READ];
    if (pipe2(pipes[1], O_CLOEXEC)) {
        close(pipes[0][PIPE_WRITE]);
        return error_errno(err, "cannot make a pipe");
    }
    auto_close int errors = pipes[1][PIPE_READ];
    pid_t self = getpid();
    pid_t pid = fork();
    if (pid == 0)
        become(command, environment, self, input, pipes[0][PIPE_WRITE], pipes[1][PIPE_WRITE]);
    int fork_errno = errno;
    close(pipes[0][PIPE_WRITE]);
    close(pipes[1][PIPE_WRITE]);
    if (pid < 0) {
        errno = fork_errno;
        return error_errno(err, "cannot start %s", command->argv[0]);
    }
    int rc = collect(output, errors, command->output_max, result, err);
    if (rc)
        kill(pid, SIGKILL);
    result->exit_status = wait_for_end(pid);
    return rc;
}

void process_result_free(ProcessResult *result)
{
    buffer_free(&result->output);
    buffer_free(&result->errors);
}

char *process_find(const char *name)
{
    const char *path = getenv("PATH");

    if (strchr(name, '/'))
        return access(name, X_OK) == 0 ? memory_strdup(name) : NULL;
    auto_free char *list = memory_strdup(path ? path : "");
    for (char *rest = list, *directory; (directory = strsep(&rest, ":"));) {
        char *candidate = memory_printf("%s/%s", *directory ? directory : ".", name);
        if (access(candidate, X_OK) == 0)
            return candidate;
        free(candidate);
    }
    return NULL;
}
