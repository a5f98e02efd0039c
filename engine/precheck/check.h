// SPDX-License-Identifier: Apache-2.0
// What a precheck is: one row of the table in checks.c, which also makes docs/prechecks.md.
#pragma once

#include "common/contract/progress_document.h"
#include "engine/precheck/findings.h"

typedef struct Precheck Precheck;

typedef enum CheckSide { CHECK_SOURCE, CHECK_SINK, CHECK_SIDES } CheckSide;

// When a check is asked at all.
enum {
    ASK_ALWAYS = 0,
    ASK_FOR_STRUCT = 1 << 0,  // the step init-struct is wanted
    ASK_FOR_DATA = 1 << 1,    // init-data is wanted
    ASK_FOR_CDC = 1 << 2,     // cdc is wanted
    ASK_BOTH_ENDS = 1 << 3,   // a function that needs both connections
    ASK_TABLES = 1 << 4,      // a function that needs the list of tables
    ASK_FOR_REVERSE = 1 << 5, // a way back is wanted after the cutover
};

// What a statement is given as $1, $2, …: text, filled by params.c. One that is not known yet (NULL) keeps every
// statement that wants it from being asked.
typedef enum CheckParam {
    PARAM_END, // no more parameters
    PARAM_TASK,
    PARAM_SLOT,
    PARAM_PUBLICATION,
    PARAM_MARK,        // the comment on a publication of ours
    PARAM_APPLICATION, // application_name of our connections
    PARAM_JOBS,
    PARAM_WITH_STRUCT,      // boolean: tables that the sink lacks are no fault (init-struct makes them)
    PARAM_WITH_CDC,         // boolean
    PARAM_WHOLE_DATABASE,   // boolean: no object was named
    PARAM_TABLE_OIDS,       // oid[]: the tables to migrate, partitioned ones included, as the source numbers them
    PARAM_TABLE_SCHEMAS,    // text[]: their schemas
    PARAM_TABLE_NAMES,      // text[]: their names, parallel to the schemas
    PARAM_TABLE_BYTES,      // their size
    PARAM_EXISTING_SOURCE,  // oid[]: those that the sink has already and whose rows we have not put there
    PARAM_EXISTING_SINK,    // oid[]: the same tables as the sink numbers them
    PARAM_LEDGER_SLOT,      // boolean: the sink's ledger says that the slot is ours
    PARAM_SOURCE_ROLE,      // boolean: the same on the source
    PARAM_REPLICATION_ROLE, // boolean: session_replication_role can be set on the sink
    PARAM_FACTS,            // what the check's facts statement gave, on the other end
    PARAM_COUNT
} CheckParam;

enum { CHECK_PARAMS_MAX = 6 };

typedef struct CheckQuestion {
    const char *sql;                     // NULL: none
    CheckParam params[CHECK_PARAMS_MAX]; // PARAM_END ends them
} CheckQuestion;

// Adds what it finds. Fails only when the question could not be put.
typedef int CheckFunction(Precheck *precheck, Findings *findings, Error *err);

typedef struct Check {
    const char *id;
    CheckSide side;        // which end is asked and must be mended
    CheckVerdict severity; // of a finding that brings no verdict of its own
    int ask;               // ASK_ flags
    // The statement's columns: verdict (NULL: the check's severity), what was found, an object that it was found on
    // (rows with the same `what` are listed together; NULL: none), remedy (NULL: the check's; empty: none, another row
    // has it).
    CheckQuestion question;
    CheckQuestion facts;     // asked first, of the other end: one text, given to the question as PARAM_FACTS
    CheckFunction *function; // in place of a question
    const char *after;       // id of an earlier check: when that one failed, this one would only repeat it
    const char *title;       // what is asked, for people
    const char *meaning;     // why it matters
    const char *remedy;      // what to do, with statements to run
} Check;

extern const Check CHECKS[]; // in the order in which they are made
extern const size_t CHECK_TABLE_COUNT;

const char *check_side_name(CheckSide side); // "source", "sink"
