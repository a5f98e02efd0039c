-- Gives a relation of a task the name that it has on the source, if the sink has a table of that name and none of the old
-- one. $1 task, $2 oid on the source, $3 schema, $4 table. One row updated, or none. Minimum version 10.
UPDATE kubeferry.relation AS r
   SET schema_name = $3, table_name = $4
 WHERE r.task = $1 AND r.source_oid = $2
   AND EXISTS (SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname = $3 AND c.relname = $4 AND c.relkind IN ('r', 'p'))
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                    WHERE n.nspname = r.schema_name AND c.relname = r.table_name);
