// SPDX-License-Identifier: Apache-2.0
// What a person sees of a run on stdout: while it goes on, a live view on a terminal and plain lines elsewhere;
// afterwards, tables. Reads the progress, changes nothing.
#pragma once

#include "common/base/log.h"
#include "common/contract/progress_document.h"

#include <stdio.h>

// Starts the thread that draws (one view in a process). On a terminal five times a second in place, log lines above it;
// elsewhere one line every 10 s and at each change of step or state. Not to be started with log format json. progress
// is borrowed until view_stop.
MUST_CHECK int view_start(Progress *progress, Error *err);
// Draws a last time and leaves that on the screen. Nothing when no view was started.
void view_stop(void);
// Takes the view off the screen and holds it until view_resume, so that something can be written: log lines, a table.
// Nothing when no view is on a terminal.
void view_pause(void);
void view_resume(void);

// What precheck found: a table with the remedies below what failed, or one JSON object. Colours only on a terminal.
// With another verb than precheck the table leaves out what passed.
void view_print_checks(Progress *progress, LogFormat format, FILE *out);
// The short report at the end of a verb: what each step did and how long it took. As JSON it is the progress document.
void view_print_report(Progress *progress, LogFormat format, FILE *out);
