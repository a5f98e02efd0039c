-- Partitions that hold rows, beside the known ones, of the same partitioned tables.
-- $1 oid[]: the known tables. Returns oid, schema, name. Minimum version 10.
WITH RECURSIVE up(oid) AS (
    SELECT h.inhparent FROM pg_catalog.pg_inherits h JOIN pg_catalog.pg_class c ON c.oid = h.inhrelid AND c.relispartition
     WHERE h.inhrelid IN (SELECT k.oid FROM pg_catalog.unnest($1::oid[]) AS k(oid))
    UNION
    SELECT h.inhparent FROM up JOIN pg_catalog.pg_inherits h ON h.inhrelid = up.oid
      JOIN pg_catalog.pg_class c ON c.oid = h.inhrelid AND c.relispartition),
down(oid) AS (
    SELECT oid FROM up
    UNION
    SELECT h.inhrelid FROM down JOIN pg_catalog.pg_inherits h ON h.inhparent = down.oid)
SELECT c.oid, n.nspname, c.relname
  FROM down JOIN pg_catalog.pg_class c ON c.oid = down.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relispartition AND c.oid NOT IN (SELECT k.oid FROM pg_catalog.unnest($1::oid[]) AS k(oid))
 ORDER BY c.oid;
