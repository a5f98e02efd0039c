// SPDX-License-Identifier: Apache-2.0
// What would have hindered cdc, and was held back by init-data, is made at the switch: foreign keys, triggers, row
// security.
#include "engine/cutover/cutover.h"

#include "common/base/log.h"
#include "common/base/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char TO_VALIDATE[] = "to be validated"; // the reason in the ledger's row, the statement beside it

static void id_text(const Cutover *c, char id[24])
{
    snprintf(id, 24, "%" PRId64, c->ledger.task.id);
}

// "ALTER TABLE ONLY t ADD CONSTRAINT c FOREIGN KEY …;" as pg_dump writes it becomes one that does not look at the rows
// that are there, and another that does. False: not such a one (a partitioned table's key must look, one that is NOT
// VALID on the source stays so).
static bool split_foreign_key(const char *statement, char **quick, char **validate)
{
    static const char ADD[] = "ADD CONSTRAINT ", KEY[] = " FOREIGN KEY ", ONLY[] = "ALTER TABLE ONLY ";
    const char *begin = strstr(statement, ONLY), *add = begin ? strstr(begin, ADD) : NULL;
    const char *key = add ? strstr(add, KEY) : NULL, *end = strrchr(statement, ';');

    if (!key || !end || end < key || strstr(key, " NOT VALID"))
        return false;
    *quick = memory_printf("%.*s NOT VALID", (int)(end - begin), begin);
    *validate = memory_printf("%.*sVALIDATE CONSTRAINT %.*s", (int)(add - begin), begin,
                              (int)(key - add - (ptrdiff_t)strlen(ADD)), add + strlen(ADD));
    return true;
}

static int make_one(Cutover *c, const char *identity, const char *statement, Error *err)
{
    auto_free char *quick = NULL;
    auto_free char *validate = NULL;
    bool later = split_foreign_key(statement, &quick, &validate);

    if (pg_exec(c->sink, later ? quick : statement, err))
        return error_wrap(err, "making %s in the sink", identity);
    return ledger_object(c->sink, c->ledger.task.id, identity, OBJECT_MADE, later ? TO_VALIDATE : NULL,
                         later ? validate : NULL, err);
}

int cutover_held_make(Cutover *c, Error *err)
{
    auto_pgresult PGresult *res = NULL;
    char id[24];
    const char *values[] = {id};

    id_text(c, id);
    // Keys before triggers, and these before row security: no more than the order of their names is known, or needed.
    if (pg_query(
            c->sink,
            "SELECT identity, statement FROM kubeferry.object WHERE task = $1 AND state = 'held' ORDER BY identity", 1,
            values, &res, err))
        return error_wrap(err, "reading what was held back");
    if (PQntuples(res) == 0)
        return 0;
    if (pg_exec(c->sink, "SET LOCAL search_path = ''; SET LOCAL check_function_bodies = off", err))
        return -1;
    for (int i = 0; i < PQntuples(res); i++)
        if (make_one(c, PQgetvalue(res, i, 0), PQgetvalue(res, i, 1), err))
            return -1;
    log_info("cutover", "made %d objects that were held back", PQntuples(res));
    return pg_exec(c->sink, "SET LOCAL search_path = pg_catalog", err);
}

int cutover_held_validate(Cutover *c, Error *err)
{
    auto_pgconn PGconn *sink = NULL;
    auto_pgresult PGresult *res = NULL;
    char id[24];
    const char *values[] = {id, TO_VALIDATE};

    id_text(c, id);
    if (context_connect_sink(c->ctx, &sink, err) ||
        pg_query(sink,
                 "SELECT identity, statement FROM kubeferry.object WHERE task = $1 AND reason = $2 ORDER BY identity",
                 2, values, &res, err) ||
        pg_exec(sink, "SET search_path = ''", err))
        return -1;
    for (int i = 0; i < PQntuples(res); i++) {
        progress_phase(c->ctx->progress, "validating %s", PQgetvalue(res, i, 0));
        if (pg_exec(sink, PQgetvalue(res, i, 1), err))
            return error_wrap(err, "validating %s (it holds for new rows already)", PQgetvalue(res, i, 0));
        if (ledger_object(sink, c->ledger.task.id, PQgetvalue(res, i, 0), OBJECT_MADE, NULL, NULL, err))
            return -1;
    }
    return 0;
}
