-- $1 oid[]: tables to migrate. Minimum version 10.
SELECT NULL::text, 'foreign tables are not copied', pg_catalog.format('%I.%I', n.nspname, c.relname), NULL::text
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'f'
   AND n.oid IN (SELECT t.relnamespace FROM pg_catalog.unnest($1::oid[]) AS w(oid) JOIN pg_catalog.pg_class t ON t.oid = w.oid)
 ORDER BY 3;
