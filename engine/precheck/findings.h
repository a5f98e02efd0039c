// SPDX-License-Identifier: Apache-2.0
// What one check found, and how that becomes a verdict, one message and one remedy.
#pragma once

#include "common/base/arena.h"
#include "common/base/buffer.h"
#include "common/contract/progress_document.h"

typedef struct Finding {
    CheckVerdict verdict;
    const char *what;   // "no SELECT right on"
    const char *object; // "public.orders"; NULL: none
    const char *remedy; // NULL: the check's own; "": none, another finding brings it
} Finding;

typedef struct Findings { // zero-initialised: nothing found, which is a pass
    Finding *items;
    size_t count, capacity;
    Arena arena;
} Findings;

enum { FINDINGS_NAMED = 10 }; // so many objects and remedies are named; the rest is counted

// All texts are copied; object and remedy may be NULL.
void findings_add(Findings *f, CheckVerdict verdict, const char *what, const char *object, const char *remedy);
void findings_addf(Findings *f, CheckVerdict verdict, const char *remedy, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void findings_free(Findings *f);

CheckVerdict findings_verdict(const Findings *f); // the worst of all
// Failures first, then warnings; what passed is told only when nothing else is: "WHAT: a, b, … and 3 more; WHAT".
void findings_message(const Findings *f, Buffer *message);
// Every different remedy, a line each; `fallback` when a finding has none. Empty for a pass.
void findings_remedy(const Findings *f, const char *fallback, Buffer *remedy);
