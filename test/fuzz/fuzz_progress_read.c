// SPDX-License-Identifier: Apache-2.0
// progress_read takes any bytes without harm; what it accepts keeps the promises of its header.
#include "common/base/memory.h"
#include "common/contract/progress_read.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_texts(const ProgressRead *p)
{
    require(p->task && p->verb && p->phase && p->slot);
    require(p->error.code && p->error.reason && p->error.sqlstate && p->error.message && p->error.hint);
    for (size_t i = 0; i < p->check_count; i++)
        require(p->checks[i].id && p->checks[i].message && p->checks[i].remedy && p->checks[i].verdict <= CHECK_FAIL);
    for (size_t i = 0; i < p->note_count; i++)
        require(p->notes[i] != NULL);
}

static void check_numbers(const ProgressRead *p)
{
    require(p->tables_done >= 0 && p->tables_total >= 0 && p->rows_done >= 0 && p->rows_total >= 0);
    require(p->bytes_done >= 0 && p->bytes_total >= 0 && p->indexes_done >= 0 && p->indexes_total >= 0);
    require(p->lag_bytes >= 0 && p->slot_retained_bytes >= 0 && p->differences >= -1);
    require(p->rows_per_second >= 0 && p->rows_per_second <= 1e15 && p->seconds_left >= -1 && p->seconds_left <= 1e15);
    require(p->lag_seconds >= 0 && p->lag_seconds <= 1e15 && p->commit_time >= 0 && p->commit_time < 1e12);
    require(p->step <= STEP_COUNT && p->state <= PROGRESS_STOPPED && p->error.exit_code >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ProgressRead p;
    Error err = {0};
    auto_free char *exact = memory_alloc(size + (size == 0)); // no byte behind the end

    if (size)
        memcpy(exact, data, size);
    if (progress_read(exact, size, &p, &err)) {
        require(err.code == ERROR_PROTOCOL && err.message[0] && !p.task && !p.checks && !p.notes);
        return 0;
    }
    check_texts(&p);
    check_numbers(&p);
    progress_read_free(&p);
    return 0;
}
