// SPDX-License-Identifier: Apache-2.0
// Decodes pgoutput messages. Every read is checked against the message's end: the bytes come from a network.
#include "engine/stream/pgoutput.h"

#include <string.h>

typedef struct Cursor {
    const unsigned char *at, *end;
    bool short_read; // something was read beyond the end: the message is malformed
} Cursor;

static uint64_t get(Cursor *c, size_t bytes)
{
    uint64_t value = 0;
    if ((size_t)(c->end - c->at) < bytes) {
        c->short_read = true;
        c->at = c->end;
        return 0;
    }
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | c->at[i];
    c->at += bytes;
    return value;
}

static const char *get_string(Cursor *c)
{
    const char *start = (const char *)c->at;
    const unsigned char *nul = memchr(c->at, '\0', (size_t)(c->end - c->at));
    if (!nul) {
        c->short_read = true;
        c->at = c->end;
        return "";
    }
    c->at = nul + 1;
    return start;
}

static Value *get_tuple(Cursor *c, Arena *arena, uint16_t *count)
{
    *count = (uint16_t)get(c, 2);
    // A column takes at least one byte: a count beyond that is a lie that must not allocate.
    if ((size_t)(c->end - c->at) < *count) {
        c->short_read = true;
        return NULL;
    }
    Value *values = arena_alloc(arena, (size_t)*count * sizeof *values + 1);
    for (uint16_t i = 0; i < *count; i++) {
        values[i] = (Value){.kind = (char)get(c, 1)};
        if (values[i].kind == VALUE_NULL || values[i].kind == VALUE_UNCHANGED)
            continue;
        if (values[i].kind != VALUE_TEXT) {
            c->short_read = true;
            return NULL;
        }
        uint32_t len = (uint32_t)get(c, 4);
        if ((size_t)(c->end - c->at) < len) {
            c->short_read = true;
            return NULL;
        }
        values[i].data = (const char *)c->at;
        values[i].len = len;
        c->at += len;
    }
    return values;
}

static void get_relation(Cursor *c, Arena *arena, PgoutputMessage *out)
{
    out->relation.id = (uint32_t)get(c, 4);
    out->relation.schema = get_string(c);
    if (!*out->relation.schema)
        out->relation.schema = "pg_catalog"; // the protocol shortens this one name to nothing
    out->relation.name = get_string(c);
    out->relation.identity = (char)get(c, 1);
    out->relation.column_count = (uint16_t)get(c, 2);
    if ((size_t)(c->end - c->at) < out->relation.column_count) {
        c->short_read = true;
        return;
    }
    out->relation.columns = arena_zalloc(arena, (size_t)out->relation.column_count * sizeof *out->relation.columns + 1);
    for (uint16_t i = 0; i < out->relation.column_count; i++)
        out->relation.columns[i] = (PgoutputColumn){.is_key = get(c, 1) & 1,
                                                    .name = get_string(c),
                                                    .type_oid = (uint32_t)get(c, 4),
                                                    .typmod = (int32_t)get(c, 4)};
}

static void get_change(Cursor *c, Arena *arena, PgoutputMessage *out)
{
    out->change.relation = (uint32_t)get(c, 4);
    char marker = (char)get(c, 1);
    if (marker == 'K' || marker == 'O') {
        if (out->kind == 'I')
            c->short_read = true;
        out->change.old_kind = marker;
        out->change.old = get_tuple(c, arena, &out->change.old_count);
        if (out->kind == 'D')
            return;
        marker = (char)get(c, 1);
    }
    if (marker != 'N' || out->kind == 'D') {
        c->short_read = true;
        return;
    }
    out->change.row = get_tuple(c, arena, &out->change.row_count);
}

static void get_truncate(Cursor *c, Arena *arena, PgoutputMessage *out)
{
    out->truncate.count = (uint32_t)get(c, 4);
    uint8_t flags = (uint8_t)get(c, 1);
    out->truncate.cascade = flags & 1;
    out->truncate.restart_identity = flags & 2;
    if ((size_t)(c->end - c->at) / 4 < out->truncate.count) {
        c->short_read = true;
        return;
    }
    out->truncate.relations = arena_alloc(arena, out->truncate.count * sizeof(uint32_t) + 1);
    for (uint32_t i = 0; i < out->truncate.count; i++)
        out->truncate.relations[i] = (uint32_t)get(c, 4);
}

int pgoutput_decode(const char *data, size_t len, Arena *arena, PgoutputMessage *out, Error *err)
{
    Cursor c = {.at = (const unsigned char *)data, .end = (const unsigned char *)data + len};

    *out = (PgoutputMessage){.kind = (char)get(&c, 1)};
    switch (out->kind) {
    case 'B':
        out->begin.commit_lsn = get(&c, 8);
        out->begin.commit_time = (int64_t)get(&c, 8);
        out->begin.xid = (uint32_t)get(&c, 4);
        break;
    case 'C':
        get(&c, 1); // flags, unused
        out->commit.commit_lsn = get(&c, 8);
        out->commit.end_lsn = get(&c, 8);
        out->commit.commit_time = (int64_t)get(&c, 8);
        break;
    case 'O': // origin of the transaction: of no interest
        break;
    case 'R':
        get_relation(&c, arena, out);
        break;
    case 'Y':
        out->type.oid = (uint32_t)get(&c, 4);
        out->type.schema = get_string(&c);
        out->type.name = get_string(&c);
        break;
    case 'I':
    case 'U':
    case 'D':
        get_change(&c, arena, out);
        break;
    case 'T':
        get_truncate(&c, arena, out);
        break;
    case 'M':
        get(&c, 1); // transactional or not
        out->message.lsn = get(&c, 8);
        out->message.prefix = get_string(&c);
        break;
    default:
        return error_set(err, ERROR_PROTOCOL, "pgoutput message of unknown kind 0x%02x (%zu bytes)",
                         (unsigned)(unsigned char)out->kind, len);
    }
    if (c.short_read)
        return error_set(err, ERROR_PROTOCOL, "malformed pgoutput message of kind %c (%zu bytes)", out->kind, len);
    return 0;
}
