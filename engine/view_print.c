// SPDX-License-Identifier: Apache-2.0
// What is printed once: the table of checks and the report at the end.
#include "engine/view.h"

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/view_format.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Printer {
    FILE *out;
    bool colour;
} Printer;

static const struct {
    const char *label;
    const char *colour;
} VERDICTS[] = {
    [CHECK_PASS] = {"ok", "\033[32m"}, [CHECK_WARN] = {"WARN", "\033[33m"}, [CHECK_FAIL] = {"FAIL", "\033[31m"}};

static bool wants_colour(FILE *out)
{
    const char *no_colour = getenv("NO_COLOR");
    return isatty(fileno(out)) && (!no_colour || !*no_colour);
}

static void print_json(json_object *document, FILE *out)
{
    fprintf(out, "%s\n",
            json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(document);
}

// Statements in a remedy are to be copied: its lines are kept. A control character is no text.
static void print_lines(FILE *out, const char *indent, const char *text)
{
    fputs(indent, out);
    for (const char *p = text; *p; p++) {
        if (*p == '\n')
            fprintf(out, "\n%s", indent);
        else
            fputc((unsigned char)*p < 0x20 || *p == 0x7F ? ' ' : *p, out);
    }
    fputc('\n', out);
}

static void print_check(const Printer *printer, const ProgressCheck *check)
{
    fprintf(printer->out, "%s%-4s%s  %-26s", printer->colour ? VERDICTS[check->verdict].colour : "",
            VERDICTS[check->verdict].label, printer->colour ? "\033[0m" : "", check->id);
    print_lines(printer->out, "  ", check->message);
    if (check->verdict != CHECK_PASS && *check->remedy)
        print_lines(printer->out, "        ", check->remedy);
}

static void print_check_table(const Printer *printer, const Progress *p)
{
    size_t counts[] = {[CHECK_PASS] = 0, [CHECK_WARN] = 0, [CHECK_FAIL] = 0};
    bool all = strcmp(p->verb, "precheck") == 0; // on the way of a run only what needs attention

    for (size_t i = 0; i < p->check_count; i++) {
        counts[p->checks[i].verdict]++;
        if (all || p->checks[i].verdict != CHECK_PASS)
            print_check(printer, &p->checks[i]);
    }
    fprintf(printer->out, "%zu checks: %zu passed, %zu warning%s, %zu failed\n", p->check_count, counts[CHECK_PASS],
            counts[CHECK_WARN], counts[CHECK_WARN] == 1 ? "" : "s", counts[CHECK_FAIL]);
}

void view_print_checks(Progress *progress, LogFormat format, FILE *out)
{
    auto_free char *text = NULL;
    size_t len = 0;

    if (format == LOG_JSON) {
        print_json(progress_checks_to_json(progress), out);
        return;
    }
    const Printer printer = {open_memstream(&text, &len), wants_colour(out)};
    if (!printer.out)
        return; // only without memory
    pthread_mutex_lock(&progress->lock);
    print_check_table(&printer, progress);
    pthread_mutex_unlock(&progress->lock);
    fclose(printer.out);
    view_pause();
    fwrite(text, 1, len, out);
    fflush(out); // the view writes past the stream
    view_resume();
}

static void print_copied(const Progress *p, double seconds, FILE *out)
{
    char tables[VIEW_NUMBER_SIZE], rows[VIEW_NUMBER_SIZE], bytes[VIEW_NUMBER_SIZE], rate[VIEW_NUMBER_SIZE];

    fprintf(out, "  %s tables, %s rows, %s", view_format_count((double)p->tables_done, tables),
            view_format_count((double)p->rows_done, rows), view_format_bytes((double)p->bytes_done, bytes));
    if (seconds > 0)
        fprintf(out, " (%s/s)", view_format_bytes((double)p->bytes_done / seconds, rate));
    if (p->indexes_total > 0)
        fprintf(out, ", %" PRId64 " indexes and constraints", p->indexes_done);
}

static void print_applied(const Progress *p, double p50, double p99, FILE *out)
{
    char changes[VIEW_NUMBER_SIZE], transactions[VIEW_NUMBER_SIZE], a[VIEW_NUMBER_SIZE], b[VIEW_NUMBER_SIZE];

    fprintf(out, "  %s changes of %s transactions applied", view_format_count((double)p->changes, changes),
            view_format_count((double)p->transactions, transactions));
    if (p->transactions > 0)
        fprintf(out, ", lag p50 %s, p99 %s", view_format_duration(p50, a), view_format_duration(p99, b));
}

static void print_steps(const Progress *p, double p50, double p99, FILE *out)
{
    for (int i = 0; i < STEP_COUNT; i++) {
        const ProgressStep *step = &p->steps[i];
        if (step->started <= 0)
            continue;
        double seconds = (step->finished > 0 ? step->finished : clock_now()) - step->started;
        fprintf(out, "  %-12s %-8s %8.1f s", step_name((Step)i), progress_state_name(step->state), seconds);
        if (i == STEP_PRECHECK)
            fprintf(out, "  %zu checks", p->check_count);
        else if (i == STEP_INIT_DATA)
            print_copied(p, seconds, out);
        else if (i == STEP_CDC)
            print_applied(p, p50, p99, out);
        fputc('\n', out);
    }
}

void view_print_report(Progress *progress, LogFormat format, FILE *out)
{
    char text[VIEW_NUMBER_SIZE];
    double p50 = progress_lag_quantile(progress, 0.5), p99 = progress_lag_quantile(progress, 0.99);

    if (format == LOG_JSON) {
        print_json(progress_to_json(progress), out);
        return;
    }
    pthread_mutex_lock(&progress->lock);
    fprintf(out, "kubeferry %s, %s: %s after %.1f s\n", progress->task, progress->verb,
            progress_state_name(progress->state), clock_now() - progress->started);
    print_steps(progress, p50, p99, out);
    if (progress->differences >= 0)
        fprintf(out, "  %-12s %s rows of %" PRId64 " tables compared, differences: %" PRId64 "\n", "verify",
                view_format_count((double)progress->verified_rows, text), progress->verified_tables,
                progress->differences);
    for (size_t i = 0; i < progress->note_count; i++)
        print_lines(out, "  note: ", progress->notes[i]);
    if (progress->notes_dropped > 0)
        fprintf(out, "  and %zu more notes\n", progress->notes_dropped);
    pthread_mutex_unlock(&progress->lock);
}
