// SPDX-License-Identifier: Apache-2.0
#include "cli/migration/describe_parts.h"

#include "cli/table_output.h"
#include "common/base/view_format.h"
#include "common/k8s/k8s_object.h"

#include <stdlib.h>
#include <string.h>

enum { BAR_WIDTH = 30, TEXT_WIDTH = 100, NOTES_SHOWN = 20 };

static void title(const Style *style, const char *text, Buffer *out)
{
    buffer_putc(out, '\n');
    style_put(style, out, COLOUR_STRONG, text);
    buffer_putc(out, '\n');
}

// Broken at spaces, at the terminal's width or at 100 columns; every line indented but the first.
static void put_wrapped(const Style *style, const char *text, int indent, Buffer *out)
{
    int width = style->width > 0 && style->width < TEXT_WIDTH ? style->width : TEXT_WIDTH, column = indent;

    for (const char *p = text; *p;) {
        size_t len = strcspn(p, " \n\t\r");
        if (column > indent && column + 1 + (int)len > width) {
            buffer_printf(out, "\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            buffer_putc(out, ' ');
            column++;
        }
        for (size_t i = 0; i < len; i++) // no control character reaches the terminal
            buffer_putc(out, (unsigned char)p[i] < ' ' || p[i] == 127 ? '?' : p[i]);
        column += (int)len;
        p += len;
        p += strspn(p, " \n\t\r");
    }
    buffer_putc(out, '\n');
}

void describe_endpoint(json_object *endpoint, Buffer *out)
{
    json_object *secret = k8s_member(endpoint, "secret"), *tls = k8s_member(endpoint, "tls");
    const char *user = k8s_text(endpoint, "userName"), *database = k8s_text(endpoint, "databaseName");

    buffer_printf(out, "%s%s%s%s%s", user, *user ? "@" : "", k8s_text(endpoint, "address"), *database ? "/" : "",
                  database);
    if (*k8s_text(secret, "name"))
        buffer_printf(out, " (%s in Secret %s)", *user ? "password" : "user and password", k8s_text(secret, "name"));
    if (*k8s_text(tls, "mode"))
        buffer_printf(out, " (TLS %s)", k8s_text(tls, "mode"));
}

static void put_schema(json_object *entry, Buffer *out)
{
    const char *schema = k8s_text(entry, "schemaName");
    json_object *tables = k8s_member(entry, "tableList");

    if (k8s_bool(entry, "isAll"))
        buffer_printf(out, "%s%s.*", out->len ? ", " : "", schema);
    for (size_t i = 0; i < k8s_count(tables) && !k8s_bool(entry, "isAll"); i++)
        buffer_printf(out, "%s%s.%s", out->len ? ", " : "", schema, k8s_text(k8s_item(tables, i), "tableName"));
}

void describe_objects(json_object *list, Buffer *out)
{
    for (size_t i = 0; i < k8s_count(list); i++)
        put_schema(k8s_item(list, i), out);
}

static void put_copy(const TaskView *view, const Style *style, Buffer *out)
{
    char a[VIEW_NUMBER_SIZE], b[VIEW_NUMBER_SIZE];

    task_view_bar(style, view->percent, BAR_WIDTH, out);
    if (view->seconds_left > 0)
        buffer_printf(out, "   %s left", view_format_clock((double)view->seconds_left, a));
    buffer_putc(out, '\n');
    if (view->rows >= 0) {
        buffer_printf(out, "rows: %s", view_format_count((double)view->rows, a));
        if (view->rows_total >= view->rows)
            buffer_printf(out, " of about %s", view_format_count((double)view->rows_total, b));
        if (view->rows_per_second >= 0)
            buffer_printf(out, ", %s/s", view_format_count((double)view->rows_per_second, b));
        buffer_putc(out, '\n');
    }
    if (view->bytes >= 0 && view->bytes_total >= 0)
        buffer_printf(out, "size: %s of %s\n", view_format_bytes((double)view->bytes, a),
                      view_format_bytes((double)view->bytes_total, b));
    if (view->tables >= 0 && view->tables_total >= 0)
        buffer_printf(out, "tables: %s of %s", view_format_count((double)view->tables, a),
                      view_format_count((double)view->tables_total, b));
    if (view->tables >= 0 && view->indexes >= 0 && view->indexes_total > 0)
        buffer_printf(out, ", indexes and constraints: %s of %s", view_format_count((double)view->indexes, a),
                      view_format_count((double)view->indexes_total, b));
    if (view->tables >= 0)
        buffer_putc(out, '\n');
}

static Colour lag_colour(double seconds)
{
    return seconds < 10 ? COLOUR_GOOD : seconds < 60 ? COLOUR_BUSY : COLOUR_BAD;
}

static void put_stream(const TaskView *view, const Style *style, Buffer *out)
{
    char text[VIEW_NUMBER_SIZE];

    buffer_puts(out, "lag: ");
    style_begin(style, out, lag_colour(atof(view->lag_seconds)));
    buffer_printf(out, "%s s", *view->lag_seconds ? view->lag_seconds : "-");
    style_end(style, out, COLOUR_GOOD);
    if (view->lag_bytes >= 0)
        buffer_printf(out, ", %s of WAL", view_format_bytes((double)view->lag_bytes, text));
    if (view->slot_retained_bytes >= 0)
        buffer_printf(out, "; the slot keeps %s on the source",
                      view_format_bytes((double)view->slot_retained_bytes, text));
    buffer_putc(out, '\n');
    if (*view->lsn_applied)
        buffer_printf(out, "applied: %s of %s\n", view->lsn_applied, *view->lsn_source ? view->lsn_source : "-");
}

void describe_progress(const TaskView *view, const Style *style, Buffer *out)
{
    bool stream = *view->lag_seconds || *view->lsn_applied;

    if (!*view->step && view->percent < 0 && !stream)
        return;
    title(style, "Progress:", out);
    if (*view->step)
        buffer_printf(out, "%s%s%s\n", view->step, *view->phase ? ": " : "", view->phase);
    if (view->percent >= 0)
        put_copy(view, style, out);
    if (stream)
        put_stream(view, style, out);
}

void describe_prechecks(json_object *task, const TaskView *view, const Style *style, bool live, Buffer *out)
{
    static const char *const TITLES[] = {"CHECK", "VERDICT", "FOUND", NULL};
    json_object *checks = k8s_at(task, "status", "prechecks", NULL);
    auto_table TableOutput table = {0};
    size_t passed = 0;
    bool later = *view->step && strcmp(view->step, "precheck") != 0; // what passed is old news then

    if (k8s_count(checks) == 0)
        return;
    title(style, "Prechecks:", out);
    table_columns(&table, TITLES);
    for (size_t i = 0; i < k8s_count(checks); i++) {
        json_object *check = k8s_item(checks, i);
        const char *verdict = k8s_text(check, "verdict");
        bool pass = strcmp(verdict, "pass") == 0, fail = strcmp(verdict, "fail") == 0;
        passed += pass;
        if (pass && (live || later))
            continue;
        table_cell(&table, COLOUR_NONE, "%s", k8s_text(check, "id"));
        table_cell(&table, pass ? COLOUR_GOOD : fail ? COLOUR_BAD : COLOUR_BUSY, "%s", verdict);
        table_cell(&table, COLOUR_NONE, "%s", k8s_text(check, "message"));
    }
    if (table.count)
        table_print(&table, style, true, style->width, out);
    if (passed && (live || later))
        buffer_printf(out, "%zu checks passed\n", passed);
    for (size_t i = 0; i < k8s_count(checks); i++) {
        json_object *check = k8s_item(checks, i);
        const char *remedy = k8s_text(check, "remedy");
        if (!*remedy || strcmp(k8s_text(check, "verdict"), "pass") == 0)
            continue;
        buffer_printf(out, "%s:\n    ", k8s_text(check, "id"));
        put_wrapped(style, remedy, 4, out);
    }
}

void describe_notes(json_object *task, const Style *style, Buffer *out)
{
    json_object *notes = k8s_at(task, "status", "progress", "notes", NULL);
    size_t count = k8s_count(notes);

    if (count == 0)
        return;
    title(style, "Notes:", out);
    for (size_t i = 0; i < count && i < NOTES_SHOWN; i++) {
        buffer_puts(out, "  - ");
        put_wrapped(style, json_object_get_string(k8s_item(notes, i)) ?: "", 4, out);
    }
    if (count > NOTES_SHOWN)
        buffer_printf(out, "  and %zu more: see -o yaml\n", count - NOTES_SHOWN);
}

void describe_problem(const TaskView *view, const Style *style, Buffer *out)
{
    if (!view->stalled) {
        if (*view->message && !view->ready) {
            title(style, "Now:", out);
            buffer_printf(out, "%s\n    ", view->reason);
            put_wrapped(style, view->message, 4, out);
        }
        return;
    }
    title(style, "Problem:", out);
    style_put(style, out, COLOUR_BAD, view->reason);
    buffer_puts(out, "\n    ");
    put_wrapped(style, *view->message ? view->message : "no more is known: see kubeferry migration logs", 4, out);
}
