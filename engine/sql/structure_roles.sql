-- The roles that own something in the schemas that are dumped, and those that something there was granted to.
-- $1 text[]: the schemas that are not dumped. Columns: role, owns (else: only granted to). Minimum version 10.
WITH user_schema(oid, nspowner, nspacl) AS (
    SELECT n.oid, n.nspowner, n.nspacl FROM pg_catalog.pg_namespace n
     WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'kubeferry') AND n.nspname <> ALL ($1::text[])
), member(classid, objid) AS ( -- of an extension: belongs to who makes that
    SELECT d.classid, d.objid FROM pg_catalog.pg_depend d WHERE d.deptype = 'e'
), thing(classid, objid, owner, acl) AS (
    SELECT 'pg_catalog.pg_namespace'::regclass, s.oid, s.nspowner, s.nspacl FROM user_schema s WHERE s.oid >= 16384
    UNION ALL SELECT 'pg_catalog.pg_class'::regclass, c.oid, c.relowner, c.relacl
                FROM pg_catalog.pg_class c JOIN user_schema s ON s.oid = c.relnamespace
    UNION ALL SELECT 'pg_catalog.pg_proc'::regclass, p.oid, p.proowner, p.proacl
                FROM pg_catalog.pg_proc p JOIN user_schema s ON s.oid = p.pronamespace
    UNION ALL SELECT 'pg_catalog.pg_type'::regclass, t.oid, t.typowner, t.typacl
                FROM pg_catalog.pg_type t JOIN user_schema s ON s.oid = t.typnamespace
               WHERE t.typrelid = 0 AND t.typcategory <> 'A'
    UNION ALL SELECT 'pg_catalog.pg_default_acl'::regclass, a.oid, a.defaclrole, a.defaclacl FROM pg_catalog.pg_default_acl a
), carried(owner, acl) AS (
    SELECT t.owner, t.acl FROM thing t
     WHERE NOT EXISTS (SELECT 1 FROM member m WHERE m.classid = t.classid AND m.objid = t.objid)
)
SELECT pg_catalog.pg_get_userbyid(r.oid), pg_catalog.bool_or(r.owns)
  FROM (SELECT c.owner, true FROM (SELECT DISTINCT owner FROM carried) c
        UNION ALL
        SELECT DISTINCT a.grantee, false FROM carried c CROSS JOIN LATERAL pg_catalog.aclexplode(c.acl) a
         WHERE c.acl IS NOT NULL AND a.grantee <> 0) r(oid, owns)
 GROUP BY r.oid
 ORDER BY 1;
