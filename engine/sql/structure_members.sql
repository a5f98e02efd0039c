-- The objects that stand in some schemas, and the schemas themselves, packed: a row a catalogue, "oid oid …".
-- $1 text[]: the schemas. Columns: class oid, object oids. Minimum version 10.
SELECT d.classid, pg_catalog.string_agg(d.objid::text, ' ')
  FROM pg_catalog.pg_namespace n
  JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_namespace'::regclass AND d.refobjid = n.oid AND d.deptype = 'n'
 WHERE n.nspname = ANY ($1::text[])
 GROUP BY d.classid
UNION ALL
SELECT 'pg_catalog.pg_namespace'::regclass::oid, pg_catalog.string_agg(n.oid::text, ' ')
  FROM pg_catalog.pg_namespace n
 WHERE n.nspname = ANY ($1::text[])
HAVING pg_catalog.count(*) > 0;
