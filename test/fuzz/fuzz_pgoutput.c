// SPDX-License-Identifier: Apache-2.0
// Any bytes given to the pgoutput decoder: a message or an error, never a read outside of them.
#include "engine/stream/pgoutput.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena arena = {0};
    PgoutputMessage m;
    Error err = {0};

    const char *copy = arena_copy(&arena, data, size);
    if (pgoutput_decode(copy, size, &arena, &m, &err) == 0 && (m.kind == 'I' || m.kind == 'U')) {
        volatile uint32_t sum = 0; // what was decoded must be readable
        for (uint16_t i = 0; i < m.change.row_count; i++)
            for (uint32_t k = 0; m.change.row[i].data && k < m.change.row[i].len; k++)
                sum = sum + (unsigned char)m.change.row[i].data[k];
    }
    arena_free(&arena);
    return 0;
}
