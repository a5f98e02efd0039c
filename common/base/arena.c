// SPDX-License-Identifier: Apache-2.0
// Memory that is given out piece by piece and taken back all at once.
#include "common/base/arena.h"

#include "common/base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK_SIZE = 64 * 1024, ALIGN = 8 };

struct ArenaBlock {
    ArenaBlock *next;
    size_t size;
    size_t used;
    _Alignas(16) char bytes[];
};

static ArenaBlock *add_block(Arena *a, size_t size)
{
    size_t room = size > BLOCK_SIZE / 4 ? size : BLOCK_SIZE;
    ArenaBlock *block = memory_alloc(sizeof *block + room);
    block->size = room;
    block->used = 0;
    // A piece with a block of its own goes behind the head, whose rest stays in use.
    if (a->head && room == size) {
        block->next = a->head->next;
        a->head->next = block;
    } else {
        block->next = a->head;
        a->head = block;
    }
    return block;
}

void *arena_alloc(Arena *a, size_t size)
{
    size = (size + ALIGN - 1) / ALIGN * ALIGN;
    ArenaBlock *block = a->head;
    if (!block || block->size - block->used < size)
        block = add_block(a, size);
    void *piece = block->bytes + block->used;
    block->used += size;
    a->used += size;
    return piece;
}

void *arena_zalloc(Arena *a, size_t size)
{
    return memset(arena_alloc(a, size), 0, size);
}

void *arena_copy(Arena *a, const void *bytes, size_t len)
{
    char *piece = arena_alloc(a, len + 1);
    if (len)
        memcpy(piece, bytes, len);
    piece[len] = '\0';
    return piece;
}

char *arena_strdup(Arena *a, const char *s)
{
    return arena_copy(a, s, strlen(s));
}

char *arena_printf(Arena *a, const char *fmt, ...)
{
    va_list args, again;

    va_start(args, fmt);
    va_copy(again, args);
    int need = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    size_t size = need < 0 ? 1 : (size_t)need + 1;
    char *text = arena_alloc(a, size);
    text[0] = '\0';
    vsnprintf(text, size, fmt, again);
    va_end(again);
    return text;
}

void arena_reset(Arena *a)
{
    ArenaBlock *keep = NULL;
    for (ArenaBlock *block = a->head, *next; block; block = next) {
        next = block->next;
        if (!keep && block->size == BLOCK_SIZE) {
            keep = block;
            continue;
        }
        free(block);
    }
    if (keep) {
        keep->next = NULL;
        keep->used = 0;
    }
    a->head = keep;
    a->used = 0;
}

void arena_free(Arena *a)
{
    arena_reset(a);
    free(a->head);
    *a = (Arena){0};
}
