-- Facts of the source. $1 oid[]: tables that exist on both ends. One JSON array of their columns.
-- A type that an extension owns may stand in another schema on the other end: it is told by its bare name.
-- Minimum version 10 (attgenerated came with 12: read through to_jsonb).
SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_object('s', n.nspname, 't', c.relname, 'c', a.attname, 'y',
           CASE WHEN e.objid IS NULL THEN pg_catalog.format_type(a.atttypid, a.atttypmod)
                ELSE pg_catalog.regexp_replace(pg_catalog.format_type(a.atttypid, a.atttypmod), '^("([^"]|"")*"|[^".]*)\.', '') END,
           'g', COALESCE(pg_catalog.to_jsonb(a) ->> 'attgenerated', '') <> '')), '[]')::text
  FROM pg_catalog.unnest($1::oid[]) AS w(oid)
  JOIN pg_catalog.pg_class c ON c.oid = w.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_depend e ON e.classid = 'pg_catalog.pg_type'::regclass AND e.deptype = 'e'
       AND e.objid = CASE WHEN y.typcategory = 'A' AND y.typelem <> 0 THEN y.typelem ELSE y.oid END;
