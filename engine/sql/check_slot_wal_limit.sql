-- $1 bigint: bytes of the tables to migrate. Minimum version 10 (max_slot_wal_keep_size came with 13,
-- idle_replication_slot_timeout with 18).
WITH s AS (
    SELECT NULLIF(pg_catalog.current_setting('max_slot_wal_keep_size', true), '') AS shown,
           COALESCE((SELECT x.setting::bigint FROM pg_catalog.pg_settings x WHERE x.name = 'max_slot_wal_keep_size'), -1) * 1048576 AS bytes,
           COALESCE((SELECT x.setting::bigint FROM pg_catalog.pg_settings x WHERE x.name = 'idle_replication_slot_timeout'), 0) AS idle,
           GREATEST($1::bigint, 4294967296) AS enough)
SELECT CASE WHEN s.bytes < 0 OR s.bytes >= s.enough THEN 'pass' END,
       CASE WHEN s.bytes < 0 THEN 'a slot may retain WAL without limit: watch the source''s disk while the migration is stopped or behind'
            WHEN s.bytes >= s.enough THEN 'max_slot_wal_keep_size is ' || s.shown
            ELSE pg_catalog.format('max_slot_wal_keep_size is %s, tables hold %s: a copy during which more WAL is written loses the slot',
                                   s.shown, pg_catalog.pg_size_pretty($1::bigint)) END,
       NULL::text,
       pg_catalog.format('ALTER SYSTEM SET max_slot_wal_keep_size = %L; SELECT pg_reload_conf();', (s.enough / 1048576 + 1) || 'MB')
  FROM s
UNION ALL
SELECT 'warn', 'idle_replication_slot_timeout is set: a migration that stands still for longer loses its slot', NULL,
       'ALTER SYSTEM SET idle_replication_slot_timeout = 0; SELECT pg_reload_conf();'
  FROM s WHERE s.idle > 0;
