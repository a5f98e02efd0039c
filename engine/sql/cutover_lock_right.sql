-- The tables that our role may not lock against writes. $1 text[] schemas, $2 text[] names, parallel. Minimum version 10.
SELECT pg_catalog.format('%I.%I', w.s, w.t)
  FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) AS w(s, t)
  JOIN pg_catalog.pg_namespace n ON n.nspname = w.s::name
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.t::name
 WHERE NOT pg_catalog.has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE')
 ORDER BY 1;
