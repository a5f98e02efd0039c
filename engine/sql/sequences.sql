-- The sequences that go with tables. $1 oid[]: the tables; $2 boolean: all sequences of the database; $3 text[]: schemas
-- wanted whole. Gives schema, name, whether it may be read, oid. Minimum version 10.
SELECT n.nspname, c.relname, pg_catalog.has_sequence_privilege(c.oid, 'SELECT') AND pg_catalog.has_schema_privilege(n.oid, 'USAGE'), c.oid
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'S' AND c.relpersistence <> 't'
   AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND n.nspname <> 'kubeferry'
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
   AND ($2::boolean OR n.nspname = ANY ($3::text[])
        -- owned: OWNED BY, serial, identity
        OR c.oid IN (SELECT d.objid FROM pg_catalog.pg_depend d
                      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
                        AND d.deptype IN ('a', 'i') AND d.refobjid IN (SELECT pg_catalog.unnest($1::oid[])))
        -- used by a default
        OR c.oid IN (SELECT d.refobjid FROM pg_catalog.pg_depend d
                       JOIN pg_catalog.pg_attrdef a ON a.oid = d.objid
                      WHERE d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
                        AND a.adrelid IN (SELECT pg_catalog.unnest($1::oid[]))))
 ORDER BY c.oid;
