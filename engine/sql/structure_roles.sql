-- The roles that own something in the user schemas, and those that something there was granted to.
-- Columns: role, owns (else: only granted to). No parameters. Minimum version 10.
WITH user_schema(oid, nspowner, nspacl) AS (
    SELECT n.oid, n.nspowner, n.nspacl FROM pg_catalog.pg_namespace n
     WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'kubeferry')
), thing(owner, acl) AS (
    SELECT s.nspowner, s.nspacl FROM user_schema s WHERE s.oid >= 16384
    UNION ALL SELECT c.relowner, c.relacl FROM pg_catalog.pg_class c JOIN user_schema s ON s.oid = c.relnamespace
    UNION ALL SELECT p.proowner, p.proacl FROM pg_catalog.pg_proc p JOIN user_schema s ON s.oid = p.pronamespace
               WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
                                  WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
    UNION ALL SELECT t.typowner, t.typacl FROM pg_catalog.pg_type t JOIN user_schema s ON s.oid = t.typnamespace
)
SELECT pg_catalog.pg_get_userbyid(r.oid), pg_catalog.bool_or(r.owns)
  FROM (SELECT t.owner, true FROM (SELECT DISTINCT owner FROM thing) t
        UNION ALL
        SELECT DISTINCT a.grantee, false FROM thing t CROSS JOIN LATERAL pg_catalog.aclexplode(t.acl) a
         WHERE t.acl IS NOT NULL AND a.grantee <> 0) r(oid, owns)
 GROUP BY r.oid
 ORDER BY 1;
