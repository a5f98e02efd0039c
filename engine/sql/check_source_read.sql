-- $1 oid[]: tables to migrate. Schemas, tables, columns and sequences that our role may not read. Minimum version 10.
WITH wanted AS (
    SELECT c.oid, c.relname, n.oid AS schema, n.nspname, pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
      FROM pg_catalog.unnest($1::oid[]) AS w(oid)
      JOIN pg_catalog.pg_class c ON c.oid = w.oid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace),
sequences AS (
    SELECT DISTINCT s.oid, s.relkind, pg_catalog.format('%I.%I', n.nspname, s.relname) AS name
      FROM wanted w
      JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = w.oid
           AND d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i')
      JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
      JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace)
SELECT NULL::text AS verdict, 'no USAGE right on schema' AS what, pg_catalog.quote_ident(x.nspname) AS object,
       pg_catalog.format('GRANT USAGE ON SCHEMA %I TO %I;', x.nspname, CURRENT_USER) AS remedy
  FROM (SELECT DISTINCT w.schema, w.nspname FROM wanted w) x
 WHERE NOT pg_catalog.has_schema_privilege(x.schema, 'USAGE')
UNION ALL
SELECT NULL, 'no SELECT right on table',
       w.name || CASE WHEN a.all_missing THEN '' ELSE ' (columns ' || a.missing || ')' END,
       pg_catalog.format('GRANT SELECT ON %s TO %I;', w.name, CURRENT_USER)
  FROM wanted w
 CROSS JOIN LATERAL (
       SELECT pg_catalog.string_agg(pg_catalog.quote_ident(c.attname), ', ' ORDER BY c.attnum) FILTER (WHERE NOT c.readable) AS missing,
              COALESCE(pg_catalog.bool_and(NOT c.readable), true) AS all_missing
         FROM (SELECT x.attname, x.attnum, pg_catalog.has_column_privilege(w.oid, x.attnum, 'SELECT') AS readable
                 FROM pg_catalog.pg_attribute x WHERE x.attrelid = w.oid AND x.attnum > 0 AND NOT x.attisdropped) c) a
 WHERE NOT pg_catalog.has_table_privilege(w.oid, 'SELECT') AND (a.missing IS NOT NULL OR a.all_missing)
UNION ALL
SELECT NULL, 'no SELECT right on sequence', s.name, pg_catalog.format('GRANT SELECT ON SEQUENCE %s TO %I;', s.name, CURRENT_USER)
  -- CASE: the planner may ask before it has left out what is no sequence.
  FROM sequences s WHERE CASE WHEN s.relkind = 'S' THEN NOT pg_catalog.has_sequence_privilege(s.oid, 'SELECT') ELSE false END
 ORDER BY 2, 3;
