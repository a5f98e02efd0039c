-- Tables that are no longer in the publication, so that their changes are not sent: taken out of it, or partitions that
-- were detached. $1 oid[]: the migrated tables, $2 the publication. Returns oid, schema, name. Minimum version 10.
-- A publication that is gone is not for here: the stream itself ends with it.
SELECT c.oid, n.nspname, c.relname
  FROM pg_catalog.pg_publication p
 CROSS JOIN pg_catalog.unnest($1::oid[]) AS k(oid)
  JOIN pg_catalog.pg_class c ON c.oid = k.oid AND c.relkind = 'r' AND c.relpersistence = 'p'
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE p.pubname = $2::text AND NOT p.puballtables
   AND c.oid NOT IN (SELECT t.relid FROM pg_catalog.pg_get_publication_tables($2::text) t)
 ORDER BY c.oid;
