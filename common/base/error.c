// SPDX-License-Identifier: Apache-2.0
// The table of error codes and the text work on Error. Must not log.
#include "common/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const ErrorClass CLASSES[ERROR_CODE_COUNT] = {
    [ERROR_NONE] = {"none", 0, false, "Succeeded"},
    [ERROR_USAGE] = {"usage", 64, false, "InvalidConfiguration"},
    [ERROR_CREDENTIALS] = {"credentials", 64, false, "AccessRefused"},
    [ERROR_UNREACHABLE] = {"unreachable", 69, true, "EndpointUnreachable"},
    [ERROR_TRANSIENT] = {"transient", 75, true, "Retrying"},
    [ERROR_BUSY] = {"busy", 75, false, "AlreadyRunning"},
    [ERROR_CONDITION] = {"condition", 78, false, "ActionRequired"},
    [ERROR_PRECHECK] = {"precheck", 78, false, "PrecheckFailed"},
    [ERROR_DIVERGED] = {"diverged", 78, false, "Diverged"},
    [ERROR_SQL] = {"sql", 78, false, "StatementFailed"},
    [ERROR_PROTOCOL] = {"protocol", 75, true, "ProtocolError"},
    [ERROR_SYSTEM] = {"system", 75, false, "SystemError"},
    [ERROR_STOPPED] = {"stopped", 75, false, "Stopped"},
};

const ErrorClass *error_class(ErrorCode code)
{
    return &CLASSES[code < ERROR_CODE_COUNT ? code : ERROR_SYSTEM];
}

int error_set(Error *err, ErrorCode code, const char *fmt, ...)
{
    va_list args;
    char message[sizeof err->message]; // the arguments may point into err itself

    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    err->code = code;
    err->sqlstate[0] = '\0';
    err->http_status = 0;
    err->hint[0] = '\0';
    memcpy(err->message, message, sizeof message);
    return -1;
}

int error_hint(Error *err, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(err->hint, sizeof err->hint, fmt, args);
    va_end(args);
    return -1;
}

int error_wrap(Error *err, const char *fmt, ...)
{
    va_list args;
    char root[sizeof err->message];
    int used;

    memcpy(root, err->message, sizeof root);
    va_start(args, fmt);
    used = vsnprintf(err->message, sizeof err->message, fmt, args);
    va_end(args);
    // The root matters most: context gives way when both do not fit.
    size_t root_len = strnlen(root, sizeof root);
    size_t room = root_len + 3 < sizeof err->message ? sizeof err->message - root_len - 3 : 0;
    size_t context = used < 0 ? 0 : (size_t)used;
    if (context > room)
        context = room;
    if (context == 0) {
        memcpy(err->message, root, sizeof root);
        return -1;
    }
    memcpy(err->message + context, ": ", 2);
    memcpy(err->message + context + 2, root, root_len);
    err->message[context + 2 + root_len] = '\0';
    return -1;
}

int error_errno(Error *err, const char *fmt, ...)
{
    int saved = errno;
    va_list args;
    char what[512];

    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    return error_set(err, ERROR_SYSTEM, "%s: %s", what, strerror(saved));
}

void error_clear(Error *err)
{
    *err = (Error){0};
}

bool error_is_retryable(const Error *err)
{
    return error_class(err->code)->retry;
}
