// SPDX-License-Identifier: Apache-2.0
// The files of a structure: dump, list, script; all in ctx->work_dir, removed before the functions return.
#pragma once

#include "engine/catalog/dependencies.h"
#include "engine/context.h"
#include "engine/structure/roles.h"
#include "engine/structure/toc.h"
#include "engine/structure/tools.h"

#include <stdio.h>

typedef struct DumpFile {
    DumpTools tools;
    char *path; // of the archive
} DumpFile;

// Runs pg_dump. snapshot may be NULL.
MUST_CHECK int dump_make(const Context *ctx, const DumpExclusions *leave_out, const char *snapshot, DumpFile *out,
                         Error *err);
void dump_free(DumpFile *dump); // removes the archive too
// The list of its entries, an unnamed file at its beginning.
MUST_CHECK int dump_list(const DumpFile *dump, FILE **out, Error *err);
// The script of the wanted entries, an unnamed file at its beginning.
MUST_CHECK int dump_script(const DumpFile *dump, const Toc *toc, const RolePlan *roles, FILE **out, Error *err);
