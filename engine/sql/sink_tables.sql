-- Tables of the sink that are missing, are no tables, or may hold rows. $1 schemas, $2 names (parallel). Gives the
-- position in the arrays (from 1) and the relkind ('' when there is none). Minimum version 10.
SELECT w.position, coalesce(c.relkind::text, '')
  FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) WITH ORDINALITY AS w(s, t, position)
  LEFT JOIN (pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace)
         ON n.nspname = w.s::name AND c.relname = w.t::name
 WHERE c.oid IS NULL OR c.relkind <> 'r' OR pg_catalog.pg_relation_size(c.oid) > 0
 ORDER BY w.position;
