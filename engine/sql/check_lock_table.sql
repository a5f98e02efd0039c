-- No parameters. pg_dump locks every table of the database in one transaction. Minimum version 10.
WITH n AS (
    SELECT pg_catalog.current_setting('max_locks_per_transaction')::bigint
           * (pg_catalog.current_setting('max_connections')::bigint + pg_catalog.current_setting('max_prepared_transactions')::bigint) AS room,
           pg_catalog.current_setting('max_locks_per_transaction')::bigint AS setting,
           (SELECT pg_catalog.count(*) FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'p') AND c.oid >= 16384) AS tables)
SELECT CASE WHEN n.tables < n.room * 0.9 THEN 'pass' END,
       pg_catalog.format('the lock table has room for about %s locks, the database has %s tables', n.room, n.tables), NULL::text,
       pg_catalog.format('ALTER SYSTEM SET max_locks_per_transaction = %s; and restart the server', (n.setting * n.tables * 2 / n.room) + 64)
  FROM n;
