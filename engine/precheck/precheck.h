// SPDX-License-Identifier: Apache-2.0
// The step precheck: puts every question of the table (checks.c) to both ends and reports all answers. Changes nothing
// on either end.
#pragma once

#include "engine/catalog/relations.h"
#include "engine/context.h"
#include "engine/precheck/check.h"

struct Precheck {
    Context ctx; // names only
    const TaskDocument *task;
    PGconn *ends[CHECK_SIDES];  // NULL: cannot be reached
    Error refused[CHECK_SIDES]; // why not; code ERROR_NONE while all is well
    bool have_relations;
    RelationList relations;
    size_t existing_count; // tables that the sink has and we have not filled
    char *params[PARAM_COUNT];
    char *source_system, *source_database; // "" when unreadable
    size_t passed, warned, failed, left_out;
    Buffer failed_ids;                 // "wal_level, tables"
    uint64_t failed_bits;              // bit i: check i of the table failed
    Buffer not_asked[CHECK_SIDES + 1]; // ids not asked: source gone, sink gone, something else is not known
};

// Makes all checks; each is given to progress_check. 0 whatever their verdicts, -1 only when asked to stop.
MUST_CHECK int precheck_run(Precheck *precheck, const TaskDocument *task, Progress *progress, Error *err);
// The verdict of all as an error: none failed 0; an end that cannot be reached gives that end's error; else
// ERROR_PRECHECK.
MUST_CHECK int precheck_result(const Precheck *precheck, Error *err);
void precheck_free(Precheck *precheck);

// ---- for check functions -----------------------------------------------------------------------------------------
// A statement of at most CHECK_PARAMS_MAX parameters on one end. The caller PQclears.
MUST_CHECK int precheck_ask(Precheck *precheck, CheckSide side, const CheckQuestion *question, PGresult **out,
                            Error *err);
// Adds the rows of a question's answer.
void precheck_read(const PGresult *res, CheckVerdict severity, Findings *findings);
// Fills the parameters that follow from the list of tables and, when the sink answers, what it has of them.
void precheck_set_tables(Precheck *precheck);
MUST_CHECK int precheck_learn_sink(Precheck *precheck, Error *err);
void precheck_set_param(Precheck *precheck, CheckParam param, const char *value);
