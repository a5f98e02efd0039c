// SPDX-License-Identifier: Apache-2.0
// Decodes one message of the pgoutput plugin
// (https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html). Pure: no connection, no state.
#pragma once

#include "common/base/arena.h"
#include "common/base/error.h"

#include <stdint.h>

typedef enum ValueKind {
    VALUE_NULL = 'n',
    VALUE_UNCHANGED = 'u', // a TOASTed value that the update did not touch and the source did not send
    VALUE_TEXT = 't'
} ValueKind;

typedef struct Value {
    const char *data; // in the message, not terminated
    uint32_t len;
    char kind; // ValueKind
} Value;

typedef struct PgoutputColumn {
    bool is_key; // part of the replica identity
    const char *name;
    uint32_t type_oid;
    int32_t typmod;
} PgoutputColumn;

typedef struct PgoutputMessage {
    char kind; // B C O R Y I U D T M
    union {
        struct {
            uint64_t commit_lsn; // start of the commit record: decides what belongs to a snapshot
            int64_t commit_time; // microseconds since 2000-01-01 UTC
            uint32_t xid;
        } begin;
        struct {
            uint64_t commit_lsn, end_lsn; // end_lsn: where to go on from
            int64_t commit_time;
        } commit;
        struct {
            uint32_t id; // the table's oid on the source
            const char *schema, *name;
            char identity;
            uint16_t column_count;
            PgoutputColumn *columns;
        } relation;
        struct {
            uint32_t oid;
            const char *schema, *name;
        } type;
        struct {
            uint32_t relation;
            char old_kind; // 'K' key columns only, 'O' the whole old row, 0 none
            uint16_t old_count, row_count;
            Value *old, *row; // NULL when absent
        } change;
        struct {
            uint32_t count;
            uint32_t *relations;
            bool cascade, restart_identity;
        } truncate;
        struct {
            uint64_t lsn;
            const char *prefix;
        } message;
    };
} PgoutputMessage;

// data must stay as long as the message is used; it must be followed by a NUL that len does not count. Arrays come from
// the arena. Malformed, or of a kind that was not asked for (streaming, two-phase): ERROR_PROTOCOL.
MUST_CHECK int pgoutput_decode(const char *data, size_t len, Arena *arena, PgoutputMessage *out, Error *err);
