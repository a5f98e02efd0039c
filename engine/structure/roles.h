// SPDX-License-Identifier: Apache-2.0
// Whether owners and privileges of the source can be carried over.
#pragma once

#include "engine/catalog/dependencies.h"

typedef struct RolePlan {
    bool owners;     // every owner is a role of the sink that we may act for
    bool privileges; // that, and every role that something was granted to exists there
} RolePlan;

// Compares the roles of the source's schemas that are dumped with the sink's. What cannot be carried is said in *note
// (caller frees; NULL when all can be).
MUST_CHECK int roles_plan(PGconn *source, PGconn *sink, const DumpExclusions *leave_out, RolePlan *out, char **note,
                          Error *err);
