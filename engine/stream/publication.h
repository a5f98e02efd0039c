// SPDX-License-Identifier: Apache-2.0
// The task's publication on the source. One made by us carries the comment "kubeferry task <name>", the proof on the
// source that it is ours; one that a DBA prepared is used as it is and never changed or dropped.
#pragma once

#include "engine/catalog/relations.h"
#include "engine/context.h"

typedef struct PublicationInfo {
    bool exists;
    bool ours; // carries our comment
    bool all_tables;
    bool all_changes; // publishes insert, update, delete and truncate
    bool via_root;    // publish_via_partition_root
    bool filtered;    // a row filter or column list (15+)
} PublicationInfo;

MUST_CHECK int publication_look(const Context *ctx, PGconn *source, PublicationInfo *out, Error *err);

// Makes the publication, or adds the tables that it lacks when it is ours, or checks that a prepared one covers all.
// Partitioned tables go in by their root (13+, nothing excluded), so that later partitions are in it; changes still
// come tagged with the leaf. Unlogged tables cannot be published and are left out. *made: it is ours. Not permitted, or
// a prepared one that does not serve: ERROR_CONDITION with the statements to run.
MUST_CHECK int publication_ensure(const Context *ctx, PGconn *source, const RelationList *relations, bool *made,
                                  Error *err);

// The statements that a DBA would run to prepare the publication. Caller frees.
char *publication_statements(const Context *ctx, int source_version, const RelationList *relations);

// Drops it when it is ours, or with force. *dropped: there was one; *left: there is one that is not ours.
MUST_CHECK int publication_drop(const Context *ctx, PGconn *source, bool force, bool *dropped, bool *left, Error *err);
