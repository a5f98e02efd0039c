// SPDX-License-Identifier: Apache-2.0
// The thread that shows the progress on stdout. Must not log: log lines call its hooks.
#include "engine/view.h"

#include "common/base/clock.h"
#include "common/base/view_format.h"
#include "engine/view_frame.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { FRAME_MS = 200, FALLBACK_WIDTH = 80, FALLBACK_HEIGHT = 24 };
static const double LINE_SECONDS = 10;

static struct {
    Progress *progress; // NULL: no view
    pthread_t thread;
    pthread_mutex_t lock; // of all below
    pthread_cond_t wake;
    bool stopping;
    bool terminal;
    Buffer frame;     // what is (or was last) on the screen
    int frame_lines;  // of frame
    int screen_lines; // of ours above the cursor; 0 while a log line is written
} view = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void write_all(const Buffer *b)
{
    for (size_t done = 0; done < b->len;) {
        ssize_t n = write(STDOUT_FILENO, b->data + done, b->len - done);
        if (n < 0 && errno != EINTR)
            return; // a view that nobody can see is no reason to fail
        done += n > 0 ? (size_t)n : 0;
    }
}

// Back to the first line of ours.
static void put_rewind(Buffer *out)
{
    if (view.screen_lines > 0)
        buffer_printf(out, "\r\033[%dA", view.screen_lines);
    view.screen_lines = 0;
}

// Under the lock. Writes the frame over the one before, in a single write so that nothing flickers.
static void show_frame(void)
{
    auto_buffer Buffer out = {0};

    put_rewind(&out);
    for (const char *p = buffer_text(&view.frame); *p;) {
        size_t len = strcspn(p, "\n");
        buffer_append(&out, p, len);
        buffer_puts(&out, "\033[K\n");
        p += len + (p[len] == '\n');
    }
    buffer_puts(&out, "\033[J");
    write_all(&out);
    view.screen_lines = view.frame_lines;
}

void view_pause(void)
{
    auto_buffer Buffer out = {0};

    if (!view.progress || !view.terminal)
        return;
    pthread_mutex_lock(&view.lock);
    put_rewind(&out);
    buffer_puts(&out, "\033[J");
    write_all(&out);
}

// Shows the last frame again: a new one would need the progress, which who logs may have locked.
void view_resume(void)
{
    if (!view.progress || !view.terminal)
        return;
    show_frame();
    pthread_mutex_unlock(&view.lock);
}

static ViewStyle look_at_terminal(bool utf8)
{
    struct winsize size = {0};
    ViewStyle style = {.width = FALLBACK_WIDTH, .height = FALLBACK_HEIGHT, .utf8 = utf8};
    const char *no_colour = getenv("NO_COLOR");

    // Asked at each frame, so that a changed window needs no signal handler.
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
        style.width = size.ws_col;
        style.height = size.ws_row;
    }
    style.colour = !no_colour || !*no_colour;
    return style;
}

// Under the lock, which is let go while the frame is made: making it takes the progress's lock, and who holds that may
// log.
static void draw(bool utf8)
{
    ViewStyle style = look_at_terminal(utf8);
    Buffer frame = {0};

    pthread_mutex_unlock(&view.lock);
    int lines = view_frame(view.progress, &style, &frame);
    pthread_mutex_lock(&view.lock);
    buffer_free(&view.frame);
    view.frame = frame;
    view.frame_lines = lines;
    show_frame();
}

static void print_line(void)
{
    auto_buffer Buffer line = {0}, clean = {0};
    char now[CLOCK_TEXT_SIZE];

    clock_format(clock_now(), now);
    buffer_printf(&line, "%.10s %.8s UTC ", now, now + 11);
    view_frame_line(view.progress, &line);
    view_format_cut(&clean, line.data, (int)line.len, true);
    buffer_putc(&clean, '\n');
    write_all(&clean);
}

// Under the lock. Returns true when stopping.
static bool wait_for_next(void)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += FRAME_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (!view.stopping && pthread_cond_clockwait(&view.wake, &view.lock, CLOCK_MONOTONIC, &until) == 0)
        ;
    return view.stopping;
}

static void run_on_terminal(bool utf8)
{
    do
        draw(utf8);
    while (!wait_for_next());
    draw(utf8);
}

// Step and state as one number, to see a change.
static int position(void)
{
    Progress *p = view.progress;
    pthread_mutex_lock(&p->lock);
    int position = (int)p->step * 16 + (int)p->state;
    pthread_mutex_unlock(&p->lock);
    return position;
}

static void run_on_pipe(void)
{
    int last = -1;
    double last_time = 0;
    bool stopping;

    do {
        stopping = wait_for_next();
        int now = position();
        if (now != last || clock_monotonic() - last_time >= LINE_SECONDS) {
            print_line();
            last = now;
            last_time = clock_monotonic();
        }
    } while (!stopping);
}

// The locale of this thread alone says whether the terminal takes UTF-8 and how wide its characters are.
static void *run(void *unused)
{
    locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
    locale_t before = locale ? uselocale(locale) : (locale_t)0;
    bool utf8 = locale && strcmp(nl_langinfo_l(CODESET, locale), "UTF-8") == 0;
    (void)unused;

    pthread_mutex_lock(&view.lock);
    if (view.terminal)
        run_on_terminal(utf8);
    else
        run_on_pipe();
    pthread_mutex_unlock(&view.lock);
    if (locale) {
        uselocale(before);
        freelocale(locale);
    }
    return NULL;
}

int view_start(Progress *progress, Error *err)
{
    const char *term = getenv("TERM");
    sigset_t all, before;

    view.progress = progress;
    view.stopping = false;
    view.terminal = isatty(STDOUT_FILENO) && term && *term && strcmp(term, "dumb") != 0;
    pthread_cond_init(&view.wake, NULL);
    if (view.terminal && isatty(STDERR_FILENO))
        log_set_view_hooks(view_pause, view_resume);
    sigfillset(&all); // signals are the main thread's
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int problem = pthread_create(&view.thread, NULL, run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!problem)
        return 0;
    log_set_view_hooks(NULL, NULL);
    view.progress = NULL;
    errno = problem;
    return error_errno(err, "could not start the view's thread");
}

void view_stop(void)
{
    if (!view.progress)
        return;
    pthread_mutex_lock(&view.lock);
    view.stopping = true;
    pthread_cond_signal(&view.wake);
    pthread_mutex_unlock(&view.lock);
    pthread_join(view.thread, NULL);
    log_set_view_hooks(NULL, NULL);
    pthread_cond_destroy(&view.wake);
    buffer_free(&view.frame);
    view.screen_lines = view.frame_lines = 0;
    view.progress = NULL;
}
