-- $1 oid[]: tables to migrate that exist on the sink. Minimum version 10.
WITH found AS (
    SELECT c.oid, c.relkind, n.oid AS schema, n.nspname, pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
      FROM pg_catalog.unnest($1::oid[]) AS w(oid)
      JOIN pg_catalog.pg_class c ON c.oid = w.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace)
SELECT NULL::text, 'no USAGE right on schema', pg_catalog.quote_ident(f.nspname), pg_catalog.format('GRANT USAGE ON SCHEMA %I TO %I;', f.nspname, CURRENT_USER)
  FROM found f WHERE NOT pg_catalog.has_schema_privilege(f.schema, 'USAGE') GROUP BY f.nspname
UNION ALL
SELECT NULL, 'rights are missing on table', f.name || ' (' || m.missing || ')', pg_catalog.format('GRANT %s ON %s TO %I;', m.missing, f.name, CURRENT_USER)
  FROM found f
 CROSS JOIN LATERAL (SELECT pg_catalog.string_agg(p, ', ') AS missing
                       FROM pg_catalog.unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS x(p)
                      WHERE NOT pg_catalog.has_table_privilege(f.oid, p)) m
 WHERE m.missing IS NOT NULL
UNION ALL
SELECT NULL, 'not a table on the sink', f.name || ' (' || CASE f.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table'
       WHEN 'S' THEN 'sequence' ELSE 'relation of kind ' || f.relkind::text END || ')', 'rename or drop it on the sink'
  FROM found f WHERE f.relkind NOT IN ('r', 'p')
 ORDER BY 2, 3;
