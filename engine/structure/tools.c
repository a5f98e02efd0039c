// SPDX-License-Identifier: Apache-2.0
// Finds and runs pg_dump and pg_restore. No secret ever stands in an argument.
#include "engine/structure/tools.h"

#include "common/base/memory.h"
#include "common/base/process.h"

#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUTPUT_MAX = 8192 };

int dump_tools_parse_major(const char *version)
{
    const char *p = strstr(version, "(PostgreSQL) ");
    return p ? atoi(p + strlen("(PostgreSQL) ")) : 0;
}

static int ask_major(const char *path, Error *err)
{
    const char *argv[] = {path, "--version", NULL};
    ProcessCommand command = {.argv = argv, .output_max = OUTPUT_MAX};
    auto_process_result ProcessResult result = {0};

    if (process_run(&command, &result, err))
        return -1;
    return result.exit_status ? 0 : dump_tools_parse_major(buffer_text(&result.output));
}

typedef struct Search {
    int needed;
    DumpTools *found;
    char *older; // the newest of those that are too old
    int older_major;
} Search;

// Debian's /usr/bin/pg_dump picks a version by rules of its own, which are about the machine's own servers.
static bool is_wrapper(const char *path)
{
    auto_free char *real = realpath(path, NULL);
    const char *name = real ? strrchr(real, '/') : NULL;
    return name && strcmp(name, "/pg_wrapper") == 0;
}

// Looks at one folder; 1 when its pair will do.
static int try_folder(Search *s, const char *folder, Error *err)
{
    auto_free char *dump = memory_printf("%s/pg_dump", folder);
    auto_free char *restore = memory_printf("%s/pg_restore", folder);

    if (access(dump, X_OK) || access(restore, X_OK) || is_wrapper(dump))
        return 0;
    int major = ask_major(dump, err);
    if (major < 0)
        return err->code == ERROR_STOPPED ? -1 : 0;
    if (major < s->needed) {
        if (major > s->older_major) {
            free(s->older);
            s->older = memory_strdup(dump);
            s->older_major = major;
        }
        return 0;
    }
    *s->found = (DumpTools){.dump = memory_strdup(dump), .restore = memory_strdup(restore), .major = major};
    return 1;
}

static int search_path(Search *s, Error *err)
{
    const char *path = getenv("PATH");
    auto_free char *copy = memory_strdup(path ? path : "/usr/local/bin:/usr/bin:/bin");
    char *state = NULL;
    int rc = 0;

    for (char *folder = strtok_r(copy, ":", &state); folder && rc == 0; folder = strtok_r(NULL, ":", &state))
        rc = try_folder(s, folder, err);
    return rc;
}

static int compare_folders(const void *a, const void *b) // newest first
{
    static const size_t PREFIX = sizeof "/usr/lib/postgresql/" - 1;
    const char *const *x = a, *const *y = b;
    return atoi(*y + PREFIX) - atoi(*x + PREFIX);
}

static int search_versions(Search *s, Error *err)
{
    glob_t found = {0};
    int rc = 0;

    if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) == 0) {
        qsort(found.gl_pathv, found.gl_pathc, sizeof *found.gl_pathv, compare_folders);
        for (size_t i = 0; i < found.gl_pathc && rc == 0; i++)
            rc = try_folder(s, found.gl_pathv[i], err);
    }
    globfree(&found);
    return rc;
}

int dump_tools_find(int source_version, DumpTools *out, Error *err)
{
    int major = source_version / 10000;
    Search s = {.needed = major, .found = out};

    *out = (DumpTools){0};
    int rc = search_path(&s, err);
    if (rc == 0)
        rc = search_versions(&s, err);
    if (rc == 0) {
        if (s.older)
            error_set(
                err, ERROR_CONDITION,
                "pg_dump is too old: the newest that was found is of version %d (%s), but the source is PostgreSQL %d",
                s.older_major, s.older, major);
        else
            error_set(
                err, ERROR_CONDITION,
                "pg_dump was not found, neither in PATH nor under /usr/lib/postgresql; the source is PostgreSQL %d",
                major);
        error_hint(err,
                   "install pg_dump and pg_restore of version %d or newer where the engine runs: apt-get install "
                   "postgresql-client-%d",
                   major, major);
    }
    free(s.older);
    return rc > 0 ? 0 : -1;
}

void dump_tools_free(DumpTools *tools)
{
    free(tools->dump);
    free(tools->restore);
    *tools = (DumpTools){0};
}

// The tools' messages carry no SQLSTATE: their English words are all there is, the rest is a failure for a person.
static const struct {
    const char *words;
    ErrorCode code;
    const char *hint;
} FAILURES[] = {
    {"permission denied", ERROR_CONDITION,
     "grant the role of the source SELECT on the migrated tables and USAGE on their schemas"},
    {"due to lock timeout", ERROR_TRANSIENT,
     "another session holds an ACCESS EXCLUSIVE lock on a table (see pg_locks on the source); start again when it has "
     "ended"},
    {"deadlock detected", ERROR_TRANSIENT,
     "a statement on the source locks tables in another order than pg_dump; start again"},
    {"server version mismatch", ERROR_CONDITION, "install a pg_dump that is not older than the source"},
    {"password authentication failed", ERROR_CREDENTIALS, "check user and password of the source"},
    {"no password supplied", ERROR_CREDENTIALS, "give the source's password"},
    {"No space left on device", ERROR_TRANSIENT, "free space in the work folder (--work-dir)"},
    {"too many clients", ERROR_TRANSIENT, "raise max_connections of the source"},
    {"remaining connection slots", ERROR_TRANSIENT, "raise max_connections of the source"},
    {"shutting down", ERROR_TRANSIENT, ""},
    {"starting up", ERROR_TRANSIENT, ""},
    {"terminating connection", ERROR_TRANSIENT, ""},
    {"server closed the connection", ERROR_TRANSIENT, ""},
    {"connection to server", ERROR_TRANSIENT, ""},
    {"no connection to the server", ERROR_TRANSIENT, ""},
    {"could not receive data from server", ERROR_TRANSIENT, ""},
    {"could not send data to server", ERROR_TRANSIENT, ""},
    {"SSL SYSCALL error", ERROR_TRANSIENT, ""},
    {"SSL connection has been closed", ERROR_TRANSIENT, ""},
    {"out of shared memory", ERROR_CONDITION,
     "pg_dump locks each table: raise max_locks_per_transaction of the source (a restart) to the number of tables "
     "divided by "
     "max_connections"},
};

static int explain_failure(const char *tool, const char *what, const ProcessResult *result, Error *err)
{
    const char *text = buffer_text(&result->errors);
    const char *name = strrchr(tool, '/') ? strrchr(tool, '/') + 1 : tool;
    const char *start = strstr(text, "error:");
    ErrorCode code = ERROR_CONDITION;
    const char *hint = "";

    for (size_t i = 0; i < sizeof FAILURES / sizeof *FAILURES; i++) {
        if (strstr(text, FAILURES[i].words)) {
            code = FAILURES[i].code;
            hint = FAILURES[i].hint;
            break;
        }
    }
    if (result->exit_status > 128) // by a signal
        code = ERROR_TRANSIENT;
    start = start ? start + strlen("error: ") : text;
    size_t len = strlen(start);
    while (len > 0 && start[len - 1] == '\n')
        len--;
    error_set(err, code, "%s: %s ended with status %d: %.*s", what, name, result->exit_status,
              (int)(len < 900 ? len : 900), len ? start : "it wrote nothing");
    return error_hint(err, "%s", hint);
}

int dump_tools_run(const char *const *argv, const char *password, const char *what, Error *err)
{
    auto_free char *variable = password ? memory_printf("PGPASSWORD=%s", password) : NULL;
    const char *environment[] = {"LC_ALL=C.UTF-8", variable, NULL};
    ProcessCommand command = {.argv = argv, .environment = environment, .output_max = OUTPUT_MAX};
    auto_process_result ProcessResult result = {0};

    int rc = process_run(&command, &result, err);
    if (variable)
        explicit_bzero(variable, strlen(variable));
    if (rc)
        return error_wrap(err, "%s", what);
    return result.exit_status ? explain_failure(argv[0], what, &result, err) : 0;
}

static void put_keyword(Buffer *text, const char *keyword, const char *value)
{
    buffer_printf(text, "%s%s='", text->len ? " " : "", keyword);
    for (const char *p = value; *p; p++) {
        if (*p == '\'' || *p == '\\')
            buffer_putc(text, '\\');
        buffer_putc(text, *p);
    }
    buffer_putc(text, '\'');
}

char *dump_tools_conninfo(const Endpoint *endpoint, const char *application)
{
    Buffer text = {0};

    for (size_t i = 0; i < endpoint->count; i++)
        if (strcmp(endpoint->keywords[i], "password") != 0 && strcmp(endpoint->keywords[i], "sslpassword") != 0)
            put_keyword(&text, endpoint->keywords[i], endpoint->values[i]);
    put_keyword(&text, "application_name", application);
    return text.data;
}
