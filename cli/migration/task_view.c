// SPDX-License-Identifier: Apache-2.0
#include "cli/migration/task_view.h"

#include "common/k8s/k8s_object.h"

#include <stdio.h>
#include <string.h>

// The condition that says why: of a task that is stuck, Stalled; else Ready; else Reconciling.
static void read_conditions(json_object *task, TaskView *view)
{
    static const char *const TYPES[] = {"Stalled", "Ready", "Reconciling"};

    view->stalled = k8s_condition_true(task, "Stalled");
    view->ready = k8s_condition_true(task, "Ready");
    view->reason = view->message = "";
    for (size_t i = view->stalled ? 0 : 1; i < sizeof TYPES / sizeof *TYPES && !*view->reason; i++) {
        view->reason = k8s_text(k8s_condition(task, TYPES[i]), "reason");
        view->message = k8s_text(k8s_condition(task, TYPES[i]), "message");
    }
}

// What the original's clients look at when there are no conditions.
static void read_failed_reason(json_object *status, TaskView *view)
{
    static const char *const PARTS[] = {"initialization", "cdc"};

    for (size_t i = 0; i < 2 && !*view->message; i++) {
        const char *failed = k8s_text(k8s_member(status, PARTS[i]), "failedReason");
        if (*failed) {
            view->message = failed;
            view->reason = "Failed";
            view->stalled = true;
        }
    }
}

static void read_state(json_object *status, TaskView *view)
{
    static const struct {
        const char *state;
        Colour colour;
    } COLOURS[] = {{"Running", COLOUR_GOOD}, {"Done", COLOUR_GOOD}, {"Pause", COLOUR_DIM}, {"Cached", COLOUR_DIM}};

    view->state = k8s_text(status, "taskStatus");
    view->colour = *view->state ? COLOUR_BUSY : COLOUR_NONE;
    for (size_t i = 0; i < sizeof COLOURS / sizeof *COLOURS; i++)
        if (strcmp(view->state, COLOURS[i].state) == 0)
            view->colour = COLOURS[i].colour;
    if (view->stalled) {
        view->state = "Failed";
        view->colour = COLOUR_BAD;
    }
    if (view->terminating) {
        view->state = "Terminating";
        view->colour = view->stalled ? COLOUR_BAD : COLOUR_BUSY;
    }
}

static void read_progress(json_object *progress, TaskView *view)
{
    const struct {
        const char *name;
        int64_t *target;
    } NUMBERS[] = {
        {"percent", &view->percent},
        {"rows", &view->rows},
        {"rowsTotal", &view->rows_total},
        {"bytes", &view->bytes},
        {"bytesTotal", &view->bytes_total},
        {"tables", &view->tables},
        {"tablesTotal", &view->tables_total},
        {"indexes", &view->indexes},
        {"indexesTotal", &view->indexes_total},
        {"rowsPerSecond", &view->rows_per_second},
        {"secondsLeft", &view->seconds_left},
        {"lagBytes", &view->lag_bytes},
        {"slotRetainedBytes", &view->slot_retained_bytes},
    };

    for (size_t i = 0; i < sizeof NUMBERS / sizeof *NUMBERS; i++)
        *NUMBERS[i].target = k8s_integer(progress, NUMBERS[i].name, -1);
    view->step = k8s_text(progress, "step");
    view->phase = k8s_text(progress, "phase");
    view->lag_seconds = k8s_text(progress, "lagSeconds");
    view->lsn_applied = k8s_text(progress, "lsnApplied");
    view->lsn_source = k8s_text(progress, "lsnSource");
}

void task_view_read(json_object *task, TaskView *view)
{
    json_object *metadata = k8s_member(task, "metadata"), *spec = k8s_member(task, "spec");
    json_object *status = k8s_member(task, "status");

    *view = (TaskView){.name = k8s_text(metadata, "name"),
                       .namespace_name = k8s_text(metadata, "namespace"),
                       .uid = k8s_text(metadata, "uid"),
                       .template_name = k8s_text(spec, "template"),
                       .suspended = k8s_bool(spec, "suspend"),
                       .terminating = *k8s_text(metadata, "deletionTimestamp") != '\0',
                       .created = k8s_time(k8s_text(metadata, "creationTimestamp")),
                       .started = k8s_time(k8s_text(status, "startTime")),
                       .finished = k8s_time(k8s_text(status, "finishTime"))};
    read_conditions(task, view);
    read_failed_reason(status, view);
    read_state(status, view);
    read_progress(k8s_member(status, "progress"), view);
}

bool task_view_settled(const TaskView *view, bool *good)
{
    *good = !view->stalled && !view->terminating && (view->ready || strcmp(view->state, "Done") == 0);
    return *good || view->stalled || view->terminating;
}

void task_view_age(double seconds, char text[32])
{
    int64_t s = seconds > 0 ? (int64_t)seconds : 0, m = s / 60, h = m / 60, d = h / 24;

    if (s < 120)
        snprintf(text, 32, "%llds", (long long)s);
    else if (m < 10)
        snprintf(text, 32, s % 60 ? "%lldm%llds" : "%lldm", (long long)m, (long long)(s % 60));
    else if (m < 180)
        snprintf(text, 32, "%lldm", (long long)m);
    else if (h < 8)
        snprintf(text, 32, m % 60 ? "%lldh%lldm" : "%lldh", (long long)h, (long long)(m % 60));
    else if (h < 48)
        snprintf(text, 32, "%lldh", (long long)h);
    else if (d < 8)
        snprintf(text, 32, h % 24 ? "%lldd%lldh" : "%lldd", (long long)d, (long long)(h % 24));
    else
        snprintf(text, 32, "%lldd", (long long)d);
}

void task_view_bar(const Style *style, int64_t percent, int width, Buffer *out)
{
    int full = (int)(percent < 0 ? 0 : percent > 100 ? width : percent * width / 100);

    buffer_putc(out, '[');
    for (int i = 0; i < width; i++)
        buffer_puts(out, i < full ? (style->utf8 ? "█" : "#") : (style->utf8 ? "░" : "-"));
    buffer_printf(out, "] %3d %%", (int)(percent < 0 ? 0 : percent));
}
