-- $1 jobs. Asked of both ends. Our own session is not counted. Minimum version 10 (reserved_connections came with 16).
WITH n AS (
    SELECT $1::integer + 4 AS need, r.rolname, r.rolconnlimit, d.datconnlimit, r.rolsuper, d.datname,
           pg_catalog.current_setting('max_connections')::integer
           - CASE WHEN r.rolsuper THEN 0 ELSE pg_catalog.current_setting('superuser_reserved_connections')::integer
                  + COALESCE(NULLIF(pg_catalog.current_setting('reserved_connections', true), '')::integer, 0) END AS most,
           (SELECT pg_catalog.count(*) - 1 FROM pg_catalog.pg_stat_activity a
             WHERE a.datid IS NOT NULL AND COALESCE(a.backend_type, 'client backend') = 'client backend') AS used,
           (SELECT pg_catalog.count(*) - 1 FROM pg_catalog.pg_stat_activity a WHERE a.usename = CURRENT_USER
               AND COALESCE(a.backend_type, 'client backend') = 'client backend') AS used_role,
           (SELECT pg_catalog.count(*) - 1 FROM pg_catalog.pg_stat_activity a WHERE a.datname = d.datname
               AND COALESCE(a.backend_type, 'client backend') = 'client backend') AS used_database
      FROM pg_catalog.pg_roles r CROSS JOIN pg_catalog.pg_database d
     WHERE r.rolname = CURRENT_USER AND d.datname = pg_catalog.current_database())
SELECT CASE WHEN n.most - n.used >= n.need THEN 'pass' END,
       pg_catalog.format('%s of %s connections are free, %s are needed', n.most - n.used, n.most, n.need), NULL::text,
       pg_catalog.format('ALTER SYSTEM SET max_connections = %s; and restart the server; or lower --jobs', n.most + n.need + 10)
  FROM n
UNION ALL
SELECT NULL, pg_catalog.format('role %I may hold %s connections and holds %s, %s are needed', n.rolname, n.rolconnlimit, n.used_role, n.need), NULL,
       pg_catalog.format('ALTER ROLE %I CONNECTION LIMIT -1;', n.rolname)
  FROM n WHERE n.rolconnlimit >= 0 AND NOT n.rolsuper AND n.rolconnlimit - n.used_role < n.need
UNION ALL
SELECT NULL, pg_catalog.format('database %I allows %s connections and has %s, %s are needed', n.datname, n.datconnlimit, n.used_database, n.need), NULL,
       pg_catalog.format('ALTER DATABASE %I CONNECTION LIMIT -1;', n.datname)
  FROM n WHERE n.datconnlimit >= 0 AND NOT n.rolsuper AND n.datconnlimit - n.used_database < n.need;
