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
// Ends the sessions of the database that are not ours and began before this call, until none is left. *ended: how many
// there were. One that does not end within `seconds`, or that we may not end: ERROR_TRANSIENT, or ERROR_CONDITION, that
// names it.
MUST_CHECK int source_gate_end_sessions(const Context *ctx, PGconn *source, double seconds, int *ended, Error *err);
