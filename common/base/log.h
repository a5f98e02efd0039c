// SPDX-License-Identifier: Apache-2.0
// Log lines on stderr, from any thread. Every line passes secrets_scrub().
//   text: 2026-11-22 21:07:12.345 UTC INFO copy - 12 tables, 3.4 GB
//   json: {"time":"2026-11-22T21:07:12.345Z","level":"info","logger":"copy","message":"12 tables, 3.4 GB"}
#pragma once

#include "common/base/error.h"

typedef enum LogFormat { LOG_TEXT, LOG_JSON } LogFormat;
typedef enum LogLevel { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR } LogLevel;

// level: the lowest one that is written.
void log_init(LogFormat format, LogLevel level);
// A terminal view that shares the terminal with stderr clears itself before a line and draws again after it. May be
// NULL.
void log_set_view_hooks(void (*before)(void), void (*after)(void));
// logger: the module's name, for example "copy".
void log_write(LogLevel level, const char *logger, const char *fmt, ...) PRINTF_LIKE(3, 4);
// One failure, with its SQLSTATE and what to do, as one line of level error.
void log_failure(const char *logger, const Error *err);

#define log_debug(logger, ...) log_write(LOG_DEBUG, logger, __VA_ARGS__)
#define log_info(logger, ...)  log_write(LOG_INFO, logger, __VA_ARGS__)
#define log_warn(logger, ...)  log_write(LOG_WARN, logger, __VA_ARGS__)
#define log_error(logger, ...) log_write(LOG_ERROR, logger, __VA_ARGS__)
