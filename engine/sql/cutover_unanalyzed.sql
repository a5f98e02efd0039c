-- Tables of the sink that hold rows and have no statistics. $1 text[] schemas, $2 text[] names, parallel. Minimum version 10.
SELECT w.s, w.t
  FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) AS w(s, t)
  JOIN pg_catalog.pg_namespace n ON n.nspname = w.s::name
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.t::name AND c.relkind = 'r'
 WHERE pg_catalog.pg_relation_size(c.oid) > 0 AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_stats s WHERE s.schemaname = n.nspname AND s.tablename = c.relname)
   AND EXISTS (SELECT 1 FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
 ORDER BY 1, 2;
