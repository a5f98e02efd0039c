-- No parameters. Minimum version 10.
SELECT CASE WHEN s.level = 'logical' THEN 'pass' END, 'wal_level is ' || s.level, NULL::text, NULL::text
  FROM (SELECT pg_catalog.current_setting('wal_level') AS level) s;
