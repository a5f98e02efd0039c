-- Which relations a publication lacks. $1 its name, $2 oid[]: relations; gives their positions in it, from 1.
-- A partitioned table is in it when it is a member itself; a leaf also when a root above it is. Minimum version 10.
SELECT w.position
  FROM pg_catalog.unnest($2::oid[]) WITH ORDINALITY AS w(oid, position)
 WHERE w.oid NOT IN (SELECT t.relid FROM pg_catalog.pg_get_publication_tables($1::text) t)
   AND w.oid NOT IN (SELECT r.prrelid FROM pg_catalog.pg_publication_rel r
                       JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid WHERE p.pubname = $1::text)
 ORDER BY w.position;
