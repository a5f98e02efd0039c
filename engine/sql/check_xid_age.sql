-- No parameters. Asked of both ends. Minimum version 10.
WITH d AS (
    SELECT x.datname, GREATEST(pg_catalog.age(x.datfrozenxid)::bigint, pg_catalog.mxid_age(x.datminmxid)::bigint) AS age
      FROM pg_catalog.pg_database x ORDER BY 2 DESC LIMIT 1)
SELECT CASE WHEN d.age >= 0.95 * 2147483648 THEN 'fail' WHEN d.age >= 0.75 * 2147483648 THEN 'warn' ELSE 'pass' END,
       pg_catalog.format('oldest unfrozen transaction id is %s %% of the way to wraparound (database %I)', (d.age * 100 / 2147483648), d.datname),
       NULL::text, pg_catalog.format('in database %I: VACUUM (FREEZE);', d.datname)
  FROM d;
