// SPDX-License-Identifier: Apache-2.0
// Before anything is written: the sink's tables exist, and hold no row that is not ours.
#pragma once

#include "engine/catalog/relations.h"
#include "engine/pg/query.h"

// relations: those that must exist on the sink; must_be_empty[i]: no row of ours can be in relations[i] yet. A table
// that is missing (run init-struct), is no table, or holds rows: ERROR_CONDITION that names them and says what to do.
// partitioned[i], all false at first, becomes true where the sink's table is partitioned.
MUST_CHECK int sink_check(PGconn *sink, const Relation *const *relations, const bool *must_be_empty, bool *partitioned,
                          size_t count, Error *err);
