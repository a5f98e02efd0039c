-- $1 oid[]: tables of the sink that may hold rows of somebody else. Those whose file is not empty, or that have none of
-- their own (partitioned). Columns: schema, name, kind, name for people, whether our role sees all rows. Minimum version 10.
SELECT n.nspname, c.relname, c.relkind, pg_catalog.format('%I.%I', n.nspname, c.relname),
       pg_catalog.has_table_privilege(c.oid, 'SELECT') AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
       AND NOT pg_catalog.row_security_active(c.oid)
  FROM pg_catalog.unnest($1::oid[]) AS w(oid)
  JOIN pg_catalog.pg_class c ON c.oid = w.oid AND c.relkind IN ('r', 'p')
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE (c.relkind = 'p' OR pg_catalog.pg_relation_size(c.oid) > 0)
 ORDER BY 1, 2;
