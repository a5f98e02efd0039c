-- One replication slot. $1 name. Minimum version 10; columns that came later are read through to_jsonb.
-- On a standby the current position is what was received.
SELECT s.slot_type, s.temporary, coalesce(s.plugin, ''), coalesce(s.database, ''),
       coalesce(pg_catalog.to_jsonb(s) ->> 'wal_status', ''),
       coalesce(pg_catalog.to_jsonb(s) ->> 'invalidation_reason', ''),
       pg_catalog.pg_wal_lsn_diff(CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_receive_lsn()
                                       ELSE pg_catalog.pg_current_wal_lsn() END, s.restart_lsn)::bigint,
       s.confirmed_flush_lsn, s.active_pid, coalesce(a.application_name, '')
  FROM pg_catalog.pg_replication_slots s
  LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = s.active_pid
 WHERE s.slot_name = $1;
