// SPDX-License-Identifier: Apache-2.0
// Keeps writes away from the source: its database is made read-only by default, and the sessions that began before are
// ended. Undone exactly: what the setting was is given back. Knows no ledger: who notes it, and when, decides the
// caller.
#pragma once

#include "engine/context.h"

// What ALTER DATABASE has set for default_transaction_read_only; "" when nothing.
MUST_CHECK int source_gate_setting(PGconn *source, char *out, size_t size, Error *err);
// New sessions of the database may only read, unless they say otherwise, as ours do.
MUST_CHECK int source_gate_close(PGconn *source, Error *err);
// setting: of source_gate_setting. Sessions that began while it was closed would stay read-only: they are ended, as far
// as we may. Twice does no harm.
MUST_CHECK int source_gate_open(const Context *ctx, PGconn *source, const char *setting, Error *err);
// The statement that source_gate_open runs, for people. Caller frees.
char *source_gate_remedy(const PGconn *source, const char *setting);

typedef struct SourceGateSweep {
    char before[40]; // sessions that began before it are ended; "": none yet
    int ended;
} SourceGateSweep;

// Ends the sessions of the database that are not ours and began before this call, until none is left. One that does not
// end within `seconds`, or that we may not end: ERROR_TRANSIENT, or ERROR_CONDITION, that names it.
MUST_CHECK int source_gate_end_sessions(const Context *ctx, PGconn *source, double seconds, SourceGateSweep *sweep,
                                        Error *err);
// Ends those that began before the sweep and show themselves only now: a session reads the settings of its database
// some moments before it is to be seen.
MUST_CHECK int source_gate_end_late(const Context *ctx, PGconn *source, double seconds, SourceGateSweep *sweep,
                                    Error *err);
