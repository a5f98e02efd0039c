-- Facts of the source. $1 oid[]: tables to migrate. One JSON array: the enums of their columns and their labels.
-- Minimum version 10.
WITH used AS (
    SELECT DISTINCT CASE WHEN y.typcategory = 'A' THEN y.typelem ELSE y.oid END AS oid
      FROM pg_catalog.unnest($1::oid[]) AS w(oid)
      JOIN pg_catalog.pg_attribute a ON a.attrelid = w.oid AND a.attnum > 0 AND NOT a.attisdropped
      JOIN pg_catalog.pg_type y ON y.oid = a.atttypid)
SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_object('s', n.nspname, 't', y.typname, 'l', e.enumlabel)), '[]')::text
  FROM used u
  JOIN pg_catalog.pg_type y ON y.oid = u.oid AND y.typtype = 'e' JOIN pg_catalog.pg_namespace n ON n.oid = y.typnamespace
  JOIN pg_catalog.pg_enum e ON e.enumtypid = y.oid;
