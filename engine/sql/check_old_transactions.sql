-- $1 application_name of our connections. Only transactions that wrote have an id, and only for those a slot waits.
-- Young ones are told, for they may be about to grow old. A role without pg_read_all_stats sees neither start nor user of
-- another role's session. Minimum version 10.
WITH open AS (
    SELECT a.pid, a.xact_start, a.usename, a.datname, a.state, COALESCE(a.xact_start < pg_catalog.clock_timestamp() - interval '60 seconds', false) AS old
      FROM pg_catalog.pg_stat_activity a
     WHERE a.pid <> pg_catalog.pg_backend_pid() AND COALESCE(a.application_name, '') <> $1::text
       AND a.pid IN (SELECT l.pid FROM pg_catalog.pg_locks l WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted))
SELECT CASE WHEN o.old THEN 'warn' ELSE 'pass' END,
       CASE WHEN o.old THEN 'transactions are open for long, the slot cannot be made before they end'
            ELSE 'no writing transaction is known to be older than a minute; open now' END,
       CASE WHEN o.xact_start IS NULL THEN pg_catalog.format('pid %s (start not visible to our role)', o.pid)
            ELSE pg_catalog.format('pid %s of %I in %I, %s, since %s', o.pid, o.usename, o.datname, o.state,
                     pg_catalog.to_char(o.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')) END,
       pg_catalog.format('end it in its application, or: SELECT pg_terminate_backend(%s);', o.pid)
  FROM open o
 ORDER BY o.xact_start NULLS LAST;
