-- $1 our slot: a walsender that serves it is ours. Minimum version 10.
WITH n AS (
    SELECT pg_catalog.current_setting('max_wal_senders')::integer AS most,
           (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_replication r
             WHERE r.pid NOT IN (SELECT s.active_pid FROM pg_catalog.pg_replication_slots s
                                  WHERE s.slot_name = $1::text AND s.active_pid IS NOT NULL)) AS used)
SELECT CASE WHEN n.most - n.used >= 2 THEN 'pass' WHEN n.most - n.used = 1 THEN 'warn' END,
       pg_catalog.format('%s of %s walsenders are used by others', n.used, n.most), NULL::text, NULL::text
  FROM n;
