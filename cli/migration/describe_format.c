// SPDX-License-Identifier: Apache-2.0
#include "cli/migration/describe_format.h"

#include "cli/migration/describe_parts.h"
#include "cli/migration/task_view.h"
#include "cli/table_output.h"
#include "common/base/memory.h"
#include "common/k8s/k8s_object.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TIME_SIZE = 64 };

typedef struct Page {
    const TaskObjects *objects;
    TaskView view;
    const Style *style;
    bool live;
    double now;
    Buffer *out;
} Page;

// "Jan 02,2006 15:04:05 UTC-0700"; live, what is of today as its hour alone.
static const char *time_text(const Page *page, double epoch, char text[TIME_SIZE])
{
    time_t seconds = (time_t)epoch, now = (time_t)page->now;
    struct tm tm, today;

    if (epoch <= 0)
        return "-";
    localtime_r(&seconds, &tm);
    localtime_r(&now, &today);
    if (!page->live)
        strftime(text, TIME_SIZE, "%b %d,%Y %H:%M:%S UTC%z", &tm);
    else if (tm.tm_yday == today.tm_yday && tm.tm_year == today.tm_year)
        strftime(text, TIME_SIZE, "%H:%M:%S", &tm);
    else
        strftime(text, TIME_SIZE, "%b %d %H:%M", &tm);
    return text;
}

static void title(const Page *page, const char *text)
{
    buffer_putc(page->out, '\n');
    style_put(page->style, page->out, COLOUR_STRONG, text);
    buffer_putc(page->out, '\n');
}

static void print(const Page *page, TableOutput *table)
{
    table_print(table, page->style, true, page->live ? page->style->width : 0, page->out);
}

static void put_head(const Page *page)
{
    static const char *const TITLES[] = {"NAMESPACE", "CREATED-TIME", "START-TIME", "FINISHED-TIME", NULL};
    const TaskView *view = &page->view;
    auto_table TableOutput table = {0};
    char created[TIME_SIZE], started[TIME_SIZE], finished[TIME_SIZE];

    style_put(page->style, page->out, COLOUR_STRONG, "Name: ");
    buffer_printf(page->out, "%s\t ", view->name);
    style_put(page->style, page->out, COLOUR_STRONG, "Status: ");
    style_put(page->style, page->out, view->colour, *view->state ? view->state : "-");
    buffer_putc(page->out, '\n');
    table_columns(&table, TITLES);
    table_cell(&table, COLOUR_NONE, "%s", view->namespace_name);
    table_cell(&table, COLOUR_NONE, "%s", time_text(page, view->created, created));
    table_cell(&table, COLOUR_NONE, "%s", time_text(page, view->started, started));
    table_cell(&table, COLOUR_NONE, "%s", time_text(page, view->finished, finished));
    print(page, &table);
}

static void put_config(const Page *page)
{
    json_object *spec = k8s_member(page->objects->task, "spec");
    auto_buffer Buffer objects = {0};

    title(page, "Migration Config:");
    buffer_puts(page->out, "source: ");
    describe_endpoint(k8s_member(spec, "sourceEndpoint"), page->out);
    buffer_puts(page->out, "\nsink: ");
    describe_endpoint(k8s_member(spec, "sinkEndpoint"), page->out);
    describe_objects(k8s_at(spec, "migrationObj", "whiteList", NULL), &objects);
    buffer_printf(page->out, "\nmigration objects: %s\n", objects.len ? objects.data : "all user tables");
    buffer_clear(&objects, 0);
    describe_objects(k8s_at(spec, "migrationObj", "blackList", NULL), &objects);
    if (objects.len)
        buffer_printf(page->out, "left out: %s\n", objects.data);
}

static void put_template(const Page *page)
{
    static const char *const TITLES[] = {"DATABASE-MAPPING", "STATUS", NULL};
    json_object *template = page->objects->template;
    auto_table TableOutput table = {0};
    const char *phase = k8s_text(k8s_member(template, "status"), "phase");
    bool good = strcmp(phase, "Available") == 0;

    buffer_putc(page->out, '\n');
    style_put(page->style, page->out, COLOUR_STRONG, "Template: ");
    buffer_printf(page->out, "%s\n", page->view.template_name);
    table_columns(&table, TITLES);
    table_cell(&table, COLOUR_NONE, "%s", k8s_text(k8s_member(template, "spec"), "description"));
    table_cell(&table, good ? COLOUR_GOOD : COLOUR_BAD, "%s", template ? phase : "there is no template of this name");
    print(page, &table);
}

static Colour state_colour(const char *state)
{
    return strcmp(state, "Complete") == 0 || strcmp(state, "Succeeded") == 0 ? COLOUR_GOOD
           : strcmp(state, "Failed") == 0                                    ? COLOUR_BAD
           : strcmp(state, "Running") == 0                                   ? COLOUR_BUSY
                                                                             : COLOUR_DIM;
}

// When a Job was done: completionTime is there for those that succeeded only.
static double end_of(json_object *job)
{
    const char *failed = k8s_text(k8s_condition(job, "Failed"), "lastTransitionTime");
    double end = k8s_time(k8s_text(k8s_member(job, "status"), "completionTime"));

    return end > 0 ? end : *failed ? k8s_time(failed) : 0;
}

static void put_initialization(const Page *page)
{
    static const char *const TITLES[] = {"STEP",       "NAMESPACE",     "STATUS", "CREATED_TIME",
                                         "START-TIME", "FINISHED-TIME", NULL};
    auto_table TableOutput table = {0};
    Step steps[STEP_COUNT];
    size_t count = task_objects_steps(page->objects->task, page->objects->template, steps);
    char created[TIME_SIZE], started[TIME_SIZE], finished[TIME_SIZE];

    if (count == 0)
        return;
    title(page, "Initialization:");
    table_columns(&table, TITLES);
    for (size_t i = 0; i < count; i++) {
        json_object *job = task_objects_job(page->objects->jobs, (int)i), *status = k8s_member(job, "status");
        const char *state = task_objects_job_state(job);
        table_cell(&table, COLOUR_NONE, "%s", step_name(steps[i]));
        table_cell(&table, COLOUR_NONE, "%s", page->view.namespace_name);
        table_cell(&table, state_colour(state), "%s", state);
        table_cell(&table, COLOUR_NONE, "%s",
                   time_text(page, k8s_time(k8s_text(k8s_member(job, "metadata"), "creationTimestamp")), created));
        table_cell(&table, COLOUR_NONE, "%s", time_text(page, k8s_time(k8s_text(status, "startTime")), started));
        table_cell(&table, COLOUR_NONE, "%s", time_text(page, end_of(job), finished));
    }
    print(page, &table);
}

static void put_cdc(const Page *page)
{
    static const char *const TITLES[] = {"NAMESPACE", "STATUS", "CREATED_TIME", "START-TIME", NULL};
    json_object *pod = task_objects_pod(page->objects->pods, -1), *job = page->objects->cdc_job;
    json_object *object = pod ? pod : job;
    const char *state = pod ? k8s_text(k8s_member(pod, "status"), "phase") : task_objects_job_state(job);
    auto_table TableOutput table = {0};
    char created[TIME_SIZE], started[TIME_SIZE];

    if (!object)
        return;
    title(page, "Cdc:");
    table_columns(&table, TITLES);
    table_cell(&table, COLOUR_NONE, "%s", page->view.namespace_name);
    table_cell(&table, strcmp(state, "Running") == 0 ? COLOUR_GOOD : state_colour(state), "%s", state);
    table_cell(&table, COLOUR_NONE, "%s",
               time_text(page, k8s_time(k8s_text(k8s_member(object, "metadata"), "creationTimestamp")), created));
    table_cell(&table, COLOUR_NONE, "%s",
               time_text(page, k8s_time(k8s_text(k8s_member(object, "status"), "startTime")), started));
    print(page, &table);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void put_metrics(const Page *page)
{
    json_object *metrics = k8s_at(page->objects->task, "status", "cdc", "metrics", NULL);
    size_t count = json_object_is_type(metrics, json_type_object) ? (size_t)json_object_object_length(metrics) : 0,
           i = 0;
    auto_free const char **keys = memory_zalloc((count + 1) * sizeof *keys);
    auto_table TableOutput table = {0};

    if (count == 0)
        return;
    json_object_object_foreach(metrics, key, unused)
    {
        (void)unused;
        keys[i++] = key;
    }
    qsort(keys, count, sizeof *keys, by_key);
    title(page, "Cdc Metrics:");
    table_columns(&table, (const char *const[]){"", "", NULL});
    for (i = 0; i < count; i++) {
        table_cell(&table, COLOUR_NONE, "%s", keys[i]);
        table_cell(&table, COLOUR_NONE, "%s", json_object_get_string(k8s_member(metrics, keys[i])) ?: "");
    }
    table_print(&table, page->style, false, page->live ? page->style->width : 0, page->out);
}

void describe_format(const TaskObjects *objects, const Style *style, bool live, double now, Buffer *out)
{
    Page page = {.objects = objects, .style = style, .live = live, .now = now, .out = out};

    task_view_read(objects->task, &page.view);
    put_head(&page);
    put_config(&page);
    put_template(&page);
    put_initialization(&page);
    put_cdc(&page);
    put_metrics(&page);
    describe_progress(&page.view, style, out);
    describe_prechecks(objects->task, &page.view, style, live, out);
    describe_notes(objects->task, style, out);
    describe_problem(&page.view, style, out);
}
