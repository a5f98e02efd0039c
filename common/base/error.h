// SPDX-License-Identifier: Apache-2.0
// Errors: made where they happen, gain context on the way up, logged once at the top.
// An Error lives on the caller's stack. Functions that can fail take `Error *err` last and return 0 or -1.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define MUST_CHECK             __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

// One row a code in error.c: name, exit code, whether a retry by itself can help, reason for a condition.
typedef enum ErrorCode {
    ERROR_NONE,
    ERROR_USAGE,       // malformed option, task document or connection string
    ERROR_CREDENTIALS, // password, role, database or TLS refused: only a person can mend it
    ERROR_UNREACHABLE, // an endpoint does not answer
    ERROR_TRANSIENT,   // connection lost, server restarting, disk full, deadlock: again later
    ERROR_BUSY,        // the same task is being run by another process
    ERROR_CONDITION,   // a state of the servers that a person must change (schema changed, slot lost, rows of others)
    ERROR_PRECHECK,    // one or more prechecks failed
    ERROR_DIVERGED,    // source and sink differ where they must not
    ERROR_SQL,         // a statement failed for a reason of its own (see sqlstate)
    ERROR_PROTOCOL,    // a message that makes no sense
    ERROR_SYSTEM,      // the operating system refused something
    ERROR_STOPPED,     // asked to stop (SIGTERM); not a failure
    ERROR_CODE_COUNT
} ErrorCode;

typedef struct Error {
    ErrorCode code;
    char sqlstate[6];   // "" when the failure did not come from PostgreSQL
    int http_status;    // 0 when it did not come from a server of HTTP
    char message[1536]; // root cause, then what the callers added in front: "outer: inner: root"
    char hint[2048];    // what to do; "" when nothing useful can be said
} Error;

typedef struct ErrorClass {
    const char *name;   // "credentials"
    int exit_code;      // 0, 1, 64, 69, 75 or 78
    bool retry;         // true: the same call may work later without anybody's help
    const char *reason; // CamelCase, for a Kubernetes condition
} ErrorClass;

const ErrorClass *error_class(ErrorCode code);

// Sets the root message (any earlier content is replaced). Always returns -1, so that `return error_set(...)` works.
int error_set(Error *err, ErrorCode code, const char *fmt, ...) PRINTF_LIKE(3, 4);
// Sets what to do about it. Always returns -1.
int error_hint(Error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
// Puts "context: " in front of the message. Always returns -1.
int error_wrap(Error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
// From errno, as ERROR_SYSTEM: "<what>: <strerror>". Always returns -1.
int error_errno(Error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
void error_clear(Error *err);
// True for a failure that the retry loops may try again.
bool error_is_retryable(const Error *err);
