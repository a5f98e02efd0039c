// SPDX-License-Identifier: Apache-2.0
// What the files of engine/structure share of an open structure.
#pragma once

#include "engine/structure/filter.h"
#include "engine/structure/structure.h"

#include <stdio.h>

struct Structure {
    Toc toc;
    FILE *script;
    Arena arena; // identities, notes
    StructureItem *items;
    size_t item_count;
    char **notes; // what was left out when the entries were picked
    size_t note_count;
};

#define STRUCTURE_REFRESH "REFRESH"
