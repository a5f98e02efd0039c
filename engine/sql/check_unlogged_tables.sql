-- $1 oid[]: tables to migrate. Minimum version 10.
SELECT NULL::text, 'changes of unlogged tables after the copy are not followed', pg_catalog.format('%I.%I', n.nspname, c.relname),
       pg_catalog.format('ALTER TABLE %I.%I SET LOGGED;', n.nspname, c.relname)
  FROM pg_catalog.unnest($1::oid[]) AS w(oid)
  JOIN pg_catalog.pg_class c ON c.oid = w.oid AND c.relpersistence = 'u' AND c.relkind = 'r'
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 ORDER BY 3;
