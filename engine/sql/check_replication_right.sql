-- No parameters. Managed services grant replication through a role of their own. Minimum version 10.
SELECT CASE WHEN r.rolsuper OR r.rolreplication OR m.via IS NOT NULL THEN 'pass' END,
       pg_catalog.format('role %I %s', r.rolname,
           CASE WHEN r.rolsuper THEN 'is a superuser' WHEN r.rolreplication THEN 'has the REPLICATION right'
                WHEN m.via IS NOT NULL THEN 'may replicate as a member of ' || m.via
                ELSE 'has no REPLICATION right' END),
       NULL::text,
       pg_catalog.format('ALTER ROLE %I REPLICATION;%s', r.rolname,
           CASE WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_roles x WHERE x.rolname = 'rds_replication')
                THEN pg_catalog.format(' -- on Amazon RDS and Aurora: GRANT rds_replication TO %I;', r.rolname)
                ELSE '' END)
  FROM pg_catalog.pg_roles r
 CROSS JOIN LATERAL (SELECT pg_catalog.min(x.rolname::text) AS via FROM pg_catalog.pg_roles x
                      WHERE x.rolname IN ('rds_replication', 'rds_superuser')
                        AND pg_catalog.pg_has_role(r.oid, x.oid, 'USAGE')) m
 WHERE r.rolname = CURRENT_USER;
