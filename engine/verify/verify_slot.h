// SPDX-License-Identifier: Apache-2.0
// A temporary logical slot on the source, for its consistent point and the snapshot that shows exactly that point.
#pragma once

#include "engine/context.h"

typedef struct VerifySlot {
    PGconn *conn; // replication connection: the slot and the exported snapshot last until its next statement or its end
    uint64_t consistent_point;
    char snapshot[64];
} VerifySlot;

// Waits at most 30 s for the older transactions of the source; then ERROR_CONDITION that names the one in the way.
MUST_CHECK int verify_slot_open(const Context *ctx, VerifySlot *out, Error *err);
void verify_slot_close(VerifySlot *slot); // drops the slot
