-- Facts of the source. $1 oid[]: tables to migrate; $2 boolean: the whole database is migrated. One JSON array of the
-- extensions that the tables need for a type, a function, an operator class, a language …; with $2 the others too.
-- Minimum version 10.
WITH RECURSIVE used(classid, objid) AS (
    SELECT 'pg_catalog.pg_class'::regclass::oid, w.oid FROM pg_catalog.unnest($1::oid[]) AS w(oid)
     WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_extension e WHERE e.extname <> 'plpgsql')
    UNION
    SELECT x.classid, x.objid FROM used u CROSS JOIN LATERAL (
        -- what it needs, but not other tables
        SELECT d.refclassid AS classid, d.refobjid AS objid FROM pg_catalog.pg_depend d
         WHERE d.classid = u.classid AND d.objid = u.objid AND d.deptype <> 'e'
           AND NOT (d.refclassid = 'pg_catalog.pg_class'::regclass
                    AND EXISTS (SELECT 1 FROM pg_catalog.pg_class c WHERE c.oid = d.refobjid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')))
        UNION ALL
        -- what is part of a table: defaults, indexes, constraints, triggers
        SELECT d.classid, d.objid FROM pg_catalog.pg_depend d
         WHERE u.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = u.classid AND d.refobjid = u.objid AND d.deptype IN ('a', 'i')) x),
needed AS (
    SELECT DISTINCT d.refobjid AS oid FROM used u JOIN pg_catalog.pg_depend d
        ON d.classid = u.classid AND d.objid = u.objid AND d.deptype = 'e' AND d.refclassid = 'pg_catalog.pg_extension'::regclass
    UNION
    SELECT u.objid FROM used u WHERE u.classid = 'pg_catalog.pg_extension'::regclass)
SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_object('n', e.extname, 'v', e.extversion, 'u', n.oid IS NOT NULL)), '[]')::text
  FROM pg_catalog.pg_extension e LEFT JOIN needed n ON n.oid = e.oid
 WHERE e.extname <> 'plpgsql' AND (n.oid IS NOT NULL OR $2::boolean);
