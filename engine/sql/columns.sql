-- Columns of one table. $1 schema, $2 table. Minimum version 10 (attgenerated is read through to_jsonb: it came with 12).
-- binary_safe: the type is built in and its send/receive pair carries no OIDs; enums travel as their labels; arrays of
-- built-in types carry only the OID of a built-in type, which is the same in every server.
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), tn.nspname, t.typname, t.oid,
       COALESCE(pg_catalog.to_jsonb(a) ->> 'attgenerated', '') <> '', a.attidentity <> '', a.attnotnull,
       COALESCE(a.attnum = ANY (k.indkey::smallint[]), false), COALESCE(a.attnum = ANY (p.indkey::smallint[]), false),
       CASE WHEN b.typtype = 'e' THEN true
            WHEN b.oid >= 16384 THEN false
            WHEN b.typcategory = 'A' THEN b.typelem NOT IN (SELECT x.oid FROM pg_catalog.pg_type x
                                                             WHERE x.typname LIKE 'reg%' OR x.typtype IN ('c', 'p') OR x.typname IN ('aclitem', 'pg_node_tree'))
            ELSE b.typtype IN ('b', 'r', 'm') AND b.typname NOT LIKE 'reg%' AND b.typsend <> 0
       END, a.atttypmod
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  JOIN pg_catalog.pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN
       (WITH RECURSIVE base(oid, typtype, typbasetype) AS (
            SELECT d.oid, d.typtype, d.typbasetype FROM pg_catalog.pg_type d WHERE d.oid = t.oid
            UNION ALL
            SELECT d.oid, d.typtype, d.typbasetype FROM pg_catalog.pg_type d JOIN base ON d.oid = base.typbasetype WHERE base.typtype = 'd')
        SELECT base.oid FROM base WHERE base.typtype <> 'd') ELSE t.oid END
  JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace
  LEFT JOIN pg_catalog.pg_index p ON p.indrelid = c.oid AND p.indisprimary AND p.indisvalid
  LEFT JOIN pg_catalog.pg_index k ON k.indrelid = c.oid AND k.indisvalid AND k.indimmediate
       AND CASE c.relreplident WHEN 'i' THEN k.indisreplident WHEN 'd' THEN k.indisprimary ELSE false END
 WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')
 ORDER BY a.attnum;
