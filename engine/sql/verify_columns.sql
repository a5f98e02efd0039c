-- What verify needs to know of a batch of tables on one end.
-- $1 text[]: schemas; $2 text[]: names (parallel). Minimum version 10.
-- Columns: position in the arrays (from 1), relkind, column (NULL: the table has none), the type's name when it is one of
-- pg_catalog (domains are looked through), generated, part of the replica identity's index, part of the primary key.
-- A table that does not exist has no row.
SELECT x.ord, c.relkind, a.attname, CASE WHEN bn.nspname = 'pg_catalog' THEN b.typname ELSE '' END,
       COALESCE(pg_catalog.to_jsonb(a) ->> 'attgenerated', '') <> '',
       COALESCE(a.attnum = ANY (k.indkey::smallint[]), false), COALESCE(a.attnum = ANY (p.indkey::smallint[]), false)
  FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) WITH ORDINALITY AS x(schema_name, table_name, ord)
  JOIN pg_catalog.pg_namespace n ON n.nspname = x.schema_name
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = x.table_name AND c.relkind IN ('r', 'p')
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN
       (WITH RECURSIVE base(oid, typtype, typbasetype) AS (
            SELECT d.oid, d.typtype, d.typbasetype FROM pg_catalog.pg_type d WHERE d.oid = t.oid
            UNION ALL
            SELECT d.oid, d.typtype, d.typbasetype FROM pg_catalog.pg_type d JOIN base ON d.oid = base.typbasetype WHERE base.typtype = 'd')
        SELECT base.oid FROM base WHERE base.typtype <> 'd') ELSE t.oid END
  LEFT JOIN pg_catalog.pg_namespace bn ON bn.oid = b.typnamespace
  LEFT JOIN pg_catalog.pg_index p ON p.indrelid = c.oid AND p.indisprimary AND p.indisvalid
  LEFT JOIN pg_catalog.pg_index k ON k.indrelid = c.oid AND k.indisvalid AND k.indimmediate
       AND CASE c.relreplident WHEN 'i' THEN k.indisreplident WHEN 'd' THEN k.indisprimary ELSE false END
 ORDER BY x.ord, a.attnum;
