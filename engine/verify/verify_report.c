// SPDX-License-Identifier: Apache-2.0
// Gathers what the threads of verify found and says it.
#include "engine/verify/verify_report.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"

#include <inttypes.h>

static const char LOGGER[] = "verify";
static const char *const CLASS_TEXTS[VERIFY_CLASSES] = {
    [VERIFY_MISSING] = "missing on the sink",
    [VERIFY_EXTRA] = "extra on the sink",
    [VERIFY_DIFFERENT] = "different",
};

void verify_report_init(VerifyReport *report, Progress *progress)
{
    *report = (VerifyReport){.progress = progress, .began = clock_monotonic()};
    pthread_mutex_init(&report->lock, NULL);
}

void verify_report_free(VerifyReport *report)
{
    for (int i = 0; i < report->line_count; i++)
        free(report->lines[i]);
    pthread_mutex_destroy(&report->lock);
}

bool verify_report_wants_keys(VerifyReport *report)
{
    pthread_mutex_lock(&report->lock);
    bool wants = report->keys_named < VERIFY_KEYS_NAMED;
    pthread_mutex_unlock(&report->lock);
    return wants;
}

void verify_report_key(VerifyReport *report, const char *relation, VerifyClass class, const char *description)
{
    pthread_mutex_lock(&report->lock);
    bool room = report->keys_named < VERIFY_KEYS_NAMED;
    report->keys_named += room;
    pthread_mutex_unlock(&report->lock);
    if (room)
        log_warn(LOGGER, "%s: %s: %s", relation, CLASS_TEXTS[class], description);
}

void verify_report_table(VerifyReport *report, int64_t rows, int64_t bytes)
{
    Progress *p = report->progress;

    pthread_mutex_lock(&report->lock);
    report->tables++;
    report->rows += rows;
    report->bytes += bytes;
    pthread_mutex_lock(&p->lock);
    p->verified_tables = report->tables;
    p->verified_rows = report->rows;
    p->verified_bytes = report->bytes;
    p->verify_seconds = clock_monotonic() - report->began;
    pthread_mutex_unlock(&p->lock);
    pthread_mutex_unlock(&report->lock);
}

static void add_differences(VerifyReport *report, int64_t count, bool at_least, char *line)
{
    Progress *p = report->progress;

    pthread_mutex_lock(&report->lock);
    report->differences += count;
    report->at_least = report->at_least || at_least;
    pthread_mutex_lock(&p->lock);
    p->differences = report->differences;
    pthread_mutex_unlock(&p->lock);
    if (report->line_count < VERIFY_LINES_KEPT) {
        report->lines[report->line_count++] = line;
        line = NULL;
    } else {
        report->lines_dropped++;
    }
    pthread_mutex_unlock(&report->lock);
    free(line);
}

void verify_report_counts(VerifyReport *report, const char *relation, const VerifyCounts *counts)
{
    const int64_t *c = counts->classes;
    int64_t total = 0;

    for (int i = 0; i < VERIFY_CLASSES; i++)
        total += c[i];
    char *line = memory_printf(
        "%s: %s%" PRId64 " missing on the sink, %" PRId64 " extra on the sink, %" PRId64 " different", relation,
        counts->at_least ? "at least " : "", c[VERIFY_MISSING], c[VERIFY_EXTRA], c[VERIFY_DIFFERENT]);
    add_differences(report, total, counts->at_least, line);
}

void verify_report_problem(VerifyReport *report, const char *relation, const char *problem)
{
    add_differences(report, 1, false, memory_printf("%s: %s", relation, problem));
}

bool verify_report_end(VerifyReport *report, const char *at)
{
    Progress *p = report->progress;

    pthread_mutex_lock(&p->lock);
    p->differences = report->differences;
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < report->line_count; i++) {
        log_warn(LOGGER, "%s", report->lines[i]);
        progress_note(p, "%s", report->lines[i]);
    }
    if (report->lines_dropped)
        log_warn(LOGGER, "and %d tables more that differ", report->lines_dropped);
    double seconds = clock_monotonic() - report->began;
    log_info(LOGGER, "%.1f MB in %.1f s, %.0f MB/s", (double)report->bytes / 1e6, seconds,
             seconds > 0 ? (double)report->bytes / 1e6 / seconds : 0.0);
    log_info(LOGGER, "verified %" PRId64 " tables, %" PRId64 " rows %s: differences %s%" PRId64, report->tables,
             report->rows, at, report->at_least ? "at least " : "", report->differences);
    return report->differences == 0;
}
