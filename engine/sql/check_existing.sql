-- What the sink has of the tables to migrate. $1 text[] schemas, $2 text[] names, $3 oid[]: on the source (parallel).
-- Minimum version 10.
SELECT w.oid, c.oid, n.nspname, c.relname
  FROM unnest($1::text[], $2::text[], $3::oid[]) AS w(s, t, oid)
  JOIN pg_catalog.pg_namespace n ON n.nspname = w.s
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.t AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
 ORDER BY n.nspname, c.relname;
