// SPDX-License-Identifier: Apache-2.0
// Memory that is given out piece by piece and taken back all at once: for a batch of changes, a reconcile, a listing.
// Zero-initialised is empty.
#pragma once

#include <stddef.h>

typedef struct ArenaBlock ArenaBlock;
typedef struct Arena {
    ArenaBlock *head;
    size_t used; // bytes handed out since the last reset
} Arena;

void *arena_alloc(Arena *a, size_t size);                  // not cleared, aligned to 8
void *arena_zalloc(Arena *a, size_t size);                 // cleared
void *arena_copy(Arena *a, const void *bytes, size_t len); // a NUL follows the copy
char *arena_strdup(Arena *a, const char *s);
char *arena_printf(Arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void arena_reset(Arena *a); // all pieces are gone; one ordinary block is kept for the next round
void arena_free(Arena *a);
