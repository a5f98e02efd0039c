-- What our role may do on the source to keep writes away. Gives: may change the database; may end the sessions that are there
-- now (NULL type: may not even see them); one that it may not, for people; how many. $1: our application_name. Minimum
-- version 10.
SELECT pg_catalog.pg_has_role(d.datdba, 'USAGE'), s.count = 0, s.example, s.count
  FROM pg_catalog.pg_database d,
       (SELECT pg_catalog.count(*) AS count, pg_catalog.min(pg_catalog.format('pid %s (user %s)', a.pid, a.usename)) AS example
          FROM pg_catalog.pg_stat_activity a LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid
         WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid()
           AND COALESCE(a.backend_type, 'client backend') = 'client backend'
           AND COALESCE(a.application_name, '') <> pg_catalog.left($1::text, 63)
           AND NOT (SELECT u.rolsuper FROM pg_catalog.pg_roles u WHERE u.rolname = CURRENT_USER)
           AND (a.backend_type IS NULL OR COALESCE(r.rolsuper, false)
                OR NOT (pg_catalog.pg_has_role(a.usesysid, 'MEMBER') OR pg_catalog.pg_has_role('pg_signal_backend', 'MEMBER')))) s
 WHERE d.datname = pg_catalog.current_database();
