// SPDX-License-Identifier: Apache-2.0
// Compares roles. All or nothing: a mix of carried and default owners would be hard to tell apart afterwards.
#include "engine/structure/roles.h"

#include "common/base/memory.h"
#include "engine/pg/array.h"
#include "engine/pg/query.h"
#include "sql.h"

typedef struct Missing {
    int count;
    const char *example;
} Missing;

static void miss(Missing *m, const char *role)
{
    if (m->count++ == 0)
        m->example = role;
}

// In the order of the names: does the role exist, may we make things that belong to it (SET is a right of its own since
// 16)?
static const char *sql_for_sink(int version)
{
#define ROLES_SQL(right)                                                                                               \
    "SELECT r.oid IS NOT NULL, r.oid IS NOT NULL AND pg_catalog.pg_has_role(r.oid, '" right "')"                       \
    "  FROM pg_catalog.unnest($1::text[]) WITH ORDINALITY AS x(name, n)"                                               \
    "  LEFT JOIN pg_catalog.pg_roles r ON r.rolname = x.name ORDER BY x.n"
    return version >= 160000 ? ROLES_SQL("SET") : ROLES_SQL("MEMBER");
}

static char *make_note(const Missing *owners, const Missing *grantees)
{
    if (owners->count)
        return memory_printf(
            "owners and privileges are left out: %d of the owners' roles, for example \"%s\", are not on the "
            "sink or may not be acted for; what is made belongs to the sink's user",
            owners->count, owners->example);
    if (grantees->count)
        return memory_printf(
            "privileges are left out: %d of the roles that they were granted to, for example \"%s\", are not "
            "on the sink",
            grantees->count, grantees->example);
    return NULL;
}

static int list_roles(PGconn *source, const DumpExclusions *leave_out, PGresult **out, Error *err)
{
    auto_buffer Buffer schemas = {0};

    array_begin(&schemas);
    for (size_t i = 0; i < leave_out->count; i++)
        if (!leave_out->items[i].table)
            array_put(&schemas, leave_out->items[i].schema);
    array_end(&schemas);
    const char *values[] = {schemas.data};
    if (pg_query(source, sql_structure_roles, 1, values, out, err))
        return error_wrap(err, "listing the owners of the source's objects");
    return 0;
}

int roles_plan(PGconn *source, PGconn *sink, const DumpExclusions *leave_out, RolePlan *out, char **note, Error *err)
{
    auto_pgresult PGresult *roles = NULL, *known = NULL;
    auto_buffer Buffer names = {0};
    Missing owners = {0}, grantees = {0};

    *out = (RolePlan){0};
    *note = NULL;
    if (list_roles(source, leave_out, &roles, err))
        return -1;
    array_begin(&names);
    for (int i = 0; i < PQntuples(roles); i++)
        array_put(&names, PQgetvalue(roles, i, 0));
    array_end(&names);
    const char *values[] = {names.data};
    if (pg_query(sink, sql_for_sink(PQserverVersion(sink)), 1, values, &known, err))
        return error_wrap(err, "looking for the owners' roles on the sink");
    for (int i = 0; i < PQntuples(roles); i++) {
        bool owns = pg_get_bool(roles, i, 1);
        if (owns && !pg_get_bool(known, i, 1))
            miss(&owners, PQgetvalue(roles, i, 0));
        else if (!owns && !pg_get_bool(known, i, 0))
            miss(&grantees, PQgetvalue(roles, i, 0));
    }
    out->owners = owners.count == 0;
    out->privileges = out->owners && grantees.count == 0;
    *note = make_note(&owners, &grantees);
    return 0;
}
