-- Indexes of the sink that are not usable. $1 text[] schemas, $2 text[] names of the tables, parallel. Minimum version 10.
SELECT pg_catalog.format('%I.%I', n.nspname, x.relname)
  FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) AS w(s, t)
  JOIN pg_catalog.pg_namespace n ON n.nspname = w.s::name
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.t::name
  JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND NOT (i.indisvalid AND i.indisready)
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
 ORDER BY 1;
