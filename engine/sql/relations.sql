-- The tables to migrate, biggest first.
-- $1 text[]: schemas wanted whole; $2 text[]: schemas of single tables; $3 text[]: their names (parallel to $2);
-- $4 to $6: the same for what is excluded; $7 boolean: no object was named, take all user tables;
-- $8 oid: only this one, NULL: all.
-- Minimum version 10.
SELECT c.oid, n.nspname, c.relname, c.relkind, c.relreplident, c.relispartition, c.relpersistence = 'u',
       CASE WHEN c.reltuples > 0 THEN c.reltuples::bigint ELSE 0 END,
       CASE WHEN c.relkind = 'r' THEN pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::bigint ELSE 0 END,
       CASE WHEN c.relkind = 'r' THEN pg_catalog.pg_table_size(c.oid) ELSE 0 END AS bytes,
       EXISTS (SELECT 1 FROM pg_catalog.pg_index i
                WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate
                  AND CASE c.relreplident WHEN 'i' THEN i.indisreplident WHEN 'd' THEN i.indisprimary ELSE false END),
       COALESCE((SELECT h.inhparent FROM pg_catalog.pg_inherits h WHERE h.inhrelid = c.oid AND c.relispartition), 0)
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  -- A partition is wanted, or excluded, with any of its ancestors.
 CROSS JOIN LATERAL (
       WITH RECURSIVE up(oid) AS (
            SELECT c.oid
            UNION ALL
            SELECT h.inhparent FROM pg_catalog.pg_inherits h JOIN up ON h.inhrelid = up.oid WHERE c.relispartition)
       SELECT pg_catalog.bool_or(un.nspname = ANY ($1::text[]) OR (un.nspname, uc.relname) IN
                  (SELECT s, t FROM ROWS FROM (pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::text[])) AS x(s, t))) AS wanted,
              pg_catalog.bool_or(un.nspname = ANY ($4::text[]) OR (un.nspname, uc.relname) IN
                  (SELECT s, t FROM ROWS FROM (pg_catalog.unnest($5::text[]), pg_catalog.unnest($6::text[])) AS x(s, t))) AS excluded
         FROM up JOIN pg_catalog.pg_class uc ON uc.oid = up.oid JOIN pg_catalog.pg_namespace un ON un.oid = uc.relnamespace) w
 WHERE c.relkind IN ('r', 'p')
   AND c.relpersistence <> 't'
   AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND n.nspname <> 'kubeferry'
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
   AND ($7::boolean OR w.wanted)
   AND NOT w.excluded
   AND ($8::oid IS NULL OR c.oid = $8::oid)
 ORDER BY bytes DESC, c.oid;
