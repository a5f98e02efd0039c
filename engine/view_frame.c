// SPDX-License-Identifier: Apache-2.0
// One picture of a running task: a header, a bar for each running table, totals, the stream.
#include "engine/view_frame.h"

#include "common/base/clock.h"
#include "common/base/view_format.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NAME_MAX_COLUMNS = 40, BAR_MIN = 8, BAR_MAX = 40, FIXED_LINES = 6, TEXT_MAX = 256 };

static const char BOLD[] = "\033[1m", GREEN[] = "\033[32m", RED[] = "\033[31m", PLAIN[] = "\033[0m";

typedef struct Frame {
    const ViewStyle *style;
    Buffer *out;
    int column; // of the line that is being written
    int lines;
} Frame;

static void put_text(Frame *f, const char *text)
{
    f->column += view_format_cut(f->out, text, f->style->width - 1 - f->column, f->style->utf8);
}

static void put(Frame *f, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void put(Frame *f, const char *fmt, ...)
{
    char text[TEXT_MAX];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    put_text(f, text);
}

static void colour(Frame *f, const char *sequence)
{
    if (f->style->colour)
        buffer_puts(f->out, sequence);
}

static void pad_to(Frame *f, int column)
{
    while (f->column < column && f->column < f->style->width - 1) {
        buffer_putc(f->out, ' ');
        f->column++;
    }
}

static void end_line(Frame *f)
{
    buffer_putc(f->out, '\n');
    f->column = 0;
    f->lines++;
}

static double share_of(double done, double total)
{
    if (total <= 0)
        return 0;
    return done >= total ? 1 : done < 0 ? 0 : done / total;
}

static int bar_columns(const ViewStyle *style)
{
    int columns = style->width / 4;
    return columns < BAR_MIN ? BAR_MIN : columns > BAR_MAX ? BAR_MAX : columns;
}

// Eighths of a character where the terminal has them.
static void put_bar(Frame *f, double share)
{
    static const char *const EIGHTHS[] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"};
    int columns = bar_columns(f->style);
    int eighths = (int)(share * columns * 8);

    if (!f->style->utf8)
        put_text(f, "[");
    colour(f, GREEN);
    for (int i = 0; i < columns; i++) {
        int here = eighths - i * 8;
        if (f->style->utf8)
            put_text(f, here >= 8 ? EIGHTHS[8] : here <= 0 ? "░" : EIGHTHS[here]);
        else
            put_text(f, here >= 8 ? "#" : ".");
    }
    colour(f, PLAIN);
    if (!f->style->utf8)
        put_text(f, "]");
}

static void put_header(Frame *f, const Progress *p)
{
    char clock_text[VIEW_NUMBER_SIZE];
    bool failed = p->state == PROGRESS_FAILED;
    bool has_step = p->steps[p->step].started > 0;

    colour(f, BOLD);
    put(f, "kubeferry %s", p->task);
    colour(f, PLAIN);
    put(f, "  %s", has_step ? step_name(p->step) : p->verb);
    if (p->state != PROGRESS_RUNNING) {
        colour(f, failed ? RED : GREEN);
        put(f, "  %s", progress_state_name(p->state));
        colour(f, PLAIN);
    } else if (p->phase[0]) {
        put(f, "  %s", p->phase);
    }
    put(f, "  %s", view_format_clock(clock_now() - p->started, clock_text));
    end_line(f);
}

static int name_columns(const Progress *p, const ViewStyle *style)
{
    int widest = 5, limit = style->width / 3 < NAME_MAX_COLUMNS ? style->width / 3 : NAME_MAX_COLUMNS;
    for (int i = 0; i < TASK_JOBS_MAX; i++) {
        auto_buffer Buffer ignored = {0};
        if (!p->running[i].active)
            continue;
        int columns = view_format_cut(&ignored, p->running[i].relation, limit, style->utf8);
        widest = columns > widest ? columns : widest;
    }
    return widest;
}

static void put_running(Frame *f, const ProgressRunning *running, int name_width)
{
    char rows[VIEW_NUMBER_SIZE], rate[VIEW_NUMBER_SIZE];
    double seconds = clock_monotonic() - running->since;

    put_text(f, "  ");
    f->column += view_format_cut(f->out, running->relation, name_width, f->style->utf8);
    pad_to(f, name_width + 4);
    if (running->bytes_total > 0) {
        double share = share_of((double)running->bytes, (double)running->bytes_total);
        put_bar(f, share);
        put(f, " %5.1f %%", share * 100);
    } else {
        put(f, "%s, %s", running->what, view_format_clock(seconds, rate));
    }
    if (running->rows > 0)
        put(f, "  %s rows", view_format_count((double)running->rows, rows));
    if (running->bytes > 0 && seconds > 0.1)
        put(f, "  %s/s", view_format_bytes((double)running->bytes / seconds, rate));
    end_line(f);
}

static void put_all_running(Frame *f, const Progress *p, int name_width)
{
    int room = f->style->height - FIXED_LINES, hidden = 0;
    for (int i = 0; i < TASK_JOBS_MAX; i++) {
        if (!p->running[i].active)
            continue;
        if (room-- > 0)
            put_running(f, &p->running[i], name_width);
        else
            hidden++;
    }
    if (hidden > 0) {
        put(f, "  and %d more", hidden);
        end_line(f);
    }
}

static void put_totals(Frame *f, const Progress *p, const ProgressRates *rates, int name_width)
{
    char done[VIEW_NUMBER_SIZE], total[VIEW_NUMBER_SIZE], text[VIEW_NUMBER_SIZE];

    put_text(f, "  total");
    pad_to(f, name_width + 4);
    double share = p->bytes_total > 0 ? share_of((double)p->bytes_done, (double)p->bytes_total)
                                      : share_of((double)p->tables_done, (double)p->tables_total);
    put_bar(f, share);
    put(f, " %5.1f %%", share * 100);
    put(f, "  %s of %s", view_format_bytes((double)p->bytes_done, done),
        view_format_bytes((double)p->bytes_total, total));
    if (rates->bytes > 0)
        put(f, "  %s/s", view_format_bytes(rates->bytes, text));
    end_line(f);
    pad_to(f, name_width + 4);
    put(f, "%s of %s tables", view_format_count((double)p->tables_done, done),
        view_format_count((double)p->tables_total, total));
    put(f, "  %s rows", view_format_count((double)p->rows_done, text));
    if (p->indexes_total > 0)
        put(f, "  %s of %s indexes", view_format_count((double)p->indexes_done, done),
            view_format_count((double)p->indexes_total, total));
    if (rates->seconds_left >= 0)
        put(f, "  %s left", view_format_clock(rates->seconds_left, text));
    end_line(f);
}

static void put_stream(Frame *f, const Progress *p, const ProgressRates *rates)
{
    char a[VIEW_NUMBER_SIZE], b[VIEW_NUMBER_SIZE];

    put(f, "  applied %s  source %s", view_format_lsn(p->lsn_applied, a), view_format_lsn(p->lsn_source, b));
    put(f, "  lag %s, %s", view_format_bytes((double)p->lag_bytes, a), view_format_duration(p->lag_seconds, b));
    end_line(f);
    put(f, "  %s tx/s  %s changes/s", view_format_count(rates->transactions, a), view_format_count(rates->changes, b));
    put(f, "  %s changes applied", view_format_count((double)p->changes, a));
    put(f, "  slot keeps %s", view_format_bytes((double)p->slot_retained_bytes, b));
    end_line(f);
}

// A copy to draw from; its pointers are the original's and must not be followed.
static Progress look(Progress *progress)
{
    pthread_mutex_lock(&progress->lock);
    Progress copy = *progress;
    pthread_mutex_unlock(&progress->lock);
    return copy;
}

int view_frame(Progress *progress, const ViewStyle *style, Buffer *out)
{
    ProgressRates rates;
    Frame f = {.style = style, .out = out};

    progress_rates(progress, &rates);
    const Progress p = look(progress);
    int name_width = name_columns(&p, style);
    put_header(&f, &p);
    put_all_running(&f, &p, name_width);
    if (p.tables_total > 0 && p.step == STEP_INIT_DATA)
        put_totals(&f, &p, &rates, name_width);
    if (p.step == STEP_CDC && p.steps[STEP_CDC].started > 0)
        put_stream(&f, &p, &rates);
    return f.lines;
}

static void put_line_totals(Buffer *out, const Progress *p, const ProgressRates *rates)
{
    char done[VIEW_NUMBER_SIZE], total[VIEW_NUMBER_SIZE];

    buffer_printf(out, ": %s of %s tables", view_format_count((double)p->tables_done, done),
                  view_format_count((double)p->tables_total, total));
    buffer_printf(out, ", %s rows", view_format_count((double)p->rows_done, done));
    buffer_printf(out, ", %s of %s (%.1f %%)", view_format_bytes((double)p->bytes_done, done),
                  view_format_bytes((double)p->bytes_total, total),
                  100 * share_of((double)p->bytes_done, (double)p->bytes_total));
    if (rates->bytes > 0)
        buffer_printf(out, ", %s/s", view_format_bytes(rates->bytes, done));
    if (rates->seconds_left >= 0)
        buffer_printf(out, ", %s left", view_format_clock(rates->seconds_left, done));
}

static void put_line_stream(Buffer *out, const Progress *p, const ProgressRates *rates)
{
    char a[VIEW_NUMBER_SIZE], b[VIEW_NUMBER_SIZE];

    buffer_printf(out, ": applied %s, source %s", view_format_lsn(p->lsn_applied, a),
                  view_format_lsn(p->lsn_source, b));
    buffer_printf(out, ", lag %s and %s", view_format_bytes((double)p->lag_bytes, a),
                  view_format_duration(p->lag_seconds, b));
    buffer_printf(out, ", %s tx/s, %s changes/s", view_format_count(rates->transactions, a),
                  view_format_count(rates->changes, b));
    buffer_printf(out, ", slot keeps %s", view_format_bytes((double)p->slot_retained_bytes, a));
}

void view_frame_line(Progress *progress, Buffer *out)
{
    ProgressRates rates;

    progress_rates(progress, &rates);
    const Progress p = look(progress);
    bool has_step = p.steps[p.step].started > 0;
    buffer_printf(out, "%s %s", p.task, has_step ? step_name(p.step) : p.verb);
    if (p.state != PROGRESS_RUNNING || !p.phase[0])
        buffer_printf(out, ", %s", progress_state_name(p.state));
    else
        buffer_printf(out, ", %s", p.phase);
    if (p.tables_total > 0 && p.step == STEP_INIT_DATA)
        put_line_totals(out, &p, &rates);
    if (p.step == STEP_CDC && has_step)
        put_line_stream(out, &p, &rates);
}
