-- Columns of one table of the sink, for applying changes. $1 schema, $2 table. Minimum version 10.
-- operator_schema: where the type's own "=" is to be found (extension types are not in pg_catalog).
-- guarded: foreign keys or enabled triggers act on the table unless session_replication_role is replica.
-- cast: the type without its modifier. A cast to varchar(3) cuts in silence; without it the assignment refuses.
-- base_type: of a domain the type below it, which is how the stream names it (a Type message carries the base type's name).
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), t.oid, b.typname AS base_type,
       COALESCE(pg_catalog.to_jsonb(a) ->> 'attgenerated', '') <> '' AS generated,
       a.attidentity = 'a' AS identity_always,
       COALESCE(a.attnum = ANY (p.indkey::smallint[]), false) AS is_primary,
       CASE WHEN b.typtype = 'b' AND b.oid >= 16384 AND b.typelem = 0 THEN bn.nspname ELSE 'pg_catalog' END AS operator_schema,
       EXISTS (SELECT 1 FROM pg_catalog.pg_trigger g WHERE g.tgrelid = c.oid AND g.tgenabled <> 'D') AS guarded,
       a.atttypmod, pg_catalog.format_type(a.atttypid, -1) AS cast
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  JOIN pg_catalog.pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN
       (WITH RECURSIVE below(oid, typtype, typbasetype) AS (
            SELECT d.oid, d.typtype, d.typbasetype FROM pg_catalog.pg_type d WHERE d.oid = t.oid
            UNION ALL
            SELECT d.oid, d.typtype, d.typbasetype FROM pg_catalog.pg_type d JOIN below ON d.oid = below.typbasetype
             WHERE below.typtype = 'd')
        SELECT below.oid FROM below WHERE below.typtype <> 'd') ELSE t.oid END
  JOIN pg_catalog.pg_namespace bn ON bn.oid = b.typnamespace
  LEFT JOIN pg_catalog.pg_index p ON p.indrelid = c.oid AND p.indisprimary AND p.indisvalid
 WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')
 ORDER BY a.attnum;
