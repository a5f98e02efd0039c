// SPDX-License-Identifier: Apache-2.0
// Log lines on stderr.
#include "common/base/log.h"

#include "common/base/buffer.h"
#include "common/base/secrets.h"
#include "common/base/utf8.h"

#include <json-c/json.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct {
    pthread_mutex_t lock;
    LogFormat format;
    LogLevel level;
    void (*before)(void);
    void (*after)(void);
} logger_state = {.lock = PTHREAD_MUTEX_INITIALIZER, .level = LOG_INFO};

static const char *const LEVEL_TEXT[] = {"DEBUG", "INFO", "WARN", "ERROR"};
static const char *const LEVEL_JSON[] = {"debug", "info", "warn", "error"};

void log_init(LogFormat format, LogLevel level)
{
    logger_state.format = format;
    logger_state.level = level;
}

void log_set_view_hooks(void (*before)(void), void (*after)(void))
{
    pthread_mutex_lock(&logger_state.lock);
    logger_state.before = before;
    logger_state.after = after;
    pthread_mutex_unlock(&logger_state.lock);
}

static void put_text_line(Buffer *line, LogLevel level, const char *logger, const char *message,
                          const struct timespec *now)
{
    struct tm tm;
    gmtime_r(&now->tv_sec, &tm);
    buffer_printf(line, "%04d-%02d-%02d %02d:%02d:%02d.%03ld UTC %s %s - ", tm.tm_year + 1900, tm.tm_mon + 1,
                  tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, now->tv_nsec / 1000000, LEVEL_TEXT[level], logger);
    // One event is one line, whatever a server's message holds; nor does it steer the terminal.
    for (const char *p = message; *p; p++)
        buffer_putc(line, (unsigned char)*p < 0x20 || *p == 0x7F ? ' ' : *p);
    buffer_putc(line, '\n');
}

static void put_json_line(Buffer *line, LogLevel level, const char *logger, const char *message,
                          const struct timespec *now)
{
    char time_text[40];
    struct tm tm;
    gmtime_r(&now->tv_sec, &tm);
    size_t n = strftime(time_text, sizeof time_text, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(time_text + n, sizeof time_text - n, ".%03ldZ", now->tv_nsec / 1000000);
    json_object *o = json_object_new_object();
    json_object_object_add(o, "time", json_object_new_string(time_text));
    json_object_object_add(o, "level", json_object_new_string(LEVEL_JSON[level]));
    json_object_object_add(o, "logger", json_object_new_string(logger));
    json_object_object_add(o, "message", json_object_new_string(message));
    buffer_printf(line, "%s\n",
                  json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(o);
}

void log_write(LogLevel level, const char *logger, const char *fmt, ...)
{
    auto_buffer Buffer line = {0};
    auto_buffer Buffer message = {0};
    struct timespec now;
    va_list args, again;

    if (level < logger_state.level)
        return;
    va_start(args, fmt);
    va_copy(again, args);
    int need = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    buffer_reserve(&message, need > 0 ? (size_t)need : 0);
    vsnprintf(message.data, message.cap, fmt, again);
    va_end(again);
    secrets_scrub(message.data);
    utf8_repair(message.data);

    clock_gettime(CLOCK_REALTIME, &now);
    if (logger_state.format == LOG_JSON)
        put_json_line(&line, level, logger, message.data, &now);
    else
        put_text_line(&line, level, logger, message.data, &now);

    pthread_mutex_lock(&logger_state.lock);
    if (logger_state.before)
        logger_state.before();
    fwrite(line.data, 1, line.len, stderr);
    fflush(stderr);
    if (logger_state.after)
        logger_state.after();
    pthread_mutex_unlock(&logger_state.lock);
}

void log_failure(const char *logger, const Error *err)
{
    char state[32] = "";
    if (err->sqlstate[0])
        snprintf(state, sizeof state, " (SQLSTATE %s)", err->sqlstate);
    // Some of libpq's sentences end in a stop already.
    size_t len = strlen(err->message);
    bool stops = len > 0 && err->message[len - 1] == '.' && !state[0];
    const char *joint = !err->hint[0] ? "" : stops ? " What to do: " : ". What to do: ";
    log_write(LOG_ERROR, logger, "%s%s%s%s", err->message, state, joint, err->hint);
}
