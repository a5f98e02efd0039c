-- $1 our slot, $2 boolean: the sink's ledger knows it as ours, $3 our publication, $4 the comment on a publication of ours,
-- $5 application_name of our connections.
-- Minimum version 10 (wal_status came with 13, invalidation_reason with 17: read through to_jsonb).
WITH s AS (
    SELECT x.*, pg_catalog.to_jsonb(x) ->> 'wal_status' AS status,
           COALESCE(pg_catalog.to_jsonb(x) ->> 'invalidation_reason', 'its WAL was removed') AS reason
      FROM pg_catalog.pg_replication_slots x WHERE x.slot_name = $1::text),
marked AS (
    SELECT COALESCE(pg_catalog.bool_or(pg_catalog.obj_description(p.oid, 'pg_publication') = $4::text), false) AS ours
      FROM pg_catalog.pg_publication p WHERE p.pubname = $3::text),
judged AS (
    SELECT CASE WHEN NOT $2::boolean AND NOT m.ours THEN 'foreign'
                WHEN s.slot_type <> 'logical' OR s.plugin <> 'pgoutput' OR s.database <> pg_catalog.current_database() THEN 'other kind'
                WHEN s.status = 'lost' THEN 'lost'
                WHEN NOT $2::boolean THEN 'left'
                WHEN s.status = 'unreserved' THEN 'unreserved'
                WHEN s.active AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_stat_replication r WHERE r.pid = s.active_pid
                                                 AND COALESCE(r.application_name, $5::text) = $5::text) THEN 'active'
                ELSE 'ours' END AS state, s.*
      FROM s CROSS JOIN marked m)
SELECT CASE j.state WHEN 'ours' THEN 'pass' WHEN 'left' THEN 'warn' WHEN 'unreserved' THEN 'warn' END,
       pg_catalog.format('slot %I ', j.slot_name) || CASE j.state
           WHEN 'foreign' THEN pg_catalog.format('exists (plugin %s, database %s, %s) and was not made by this task', COALESCE(j.plugin, 'none: a physical slot'),
                               COALESCE(j.database, 'none'), CASE WHEN j.active THEN 'in use by pid ' || j.active_pid ELSE 'not in use' END)
           WHEN 'other kind' THEN pg_catalog.format('has plugin %s and database %s, not pgoutput and %s', j.plugin, j.database, pg_catalog.current_database())
           WHEN 'lost' THEN 'is ours and invalidated (wal_status lost: ' || j.reason || '): changes since its position are gone'
           WHEN 'left' THEN 'was left by an earlier run of this task, which this sink knows nothing of'
           WHEN 'unreserved' THEN 'is ours and close to being invalidated (wal_status unreserved)'
           WHEN 'active' THEN 'is ours but in use by another program, pid ' || j.active_pid
           ELSE 'is ours' END,
       NULL::text,
       CASE j.state
           WHEN 'foreign' THEN pg_catalog.format('if nobody needs the slot any more: SELECT pg_drop_replication_slot(%L); otherwise give this task another --name', j.slot_name)
           WHEN 'other kind' THEN pg_catalog.format('SELECT pg_drop_replication_slot(%L); or another --name', j.slot_name)
           WHEN 'lost' THEN 'run kubeferry-engine cleanup, empty the sink''s tables and start the migration again, with a larger max_slot_wal_keep_size'
           WHEN 'left' THEN 'run kubeferry-engine cleanup for this task first; it drops slot and publication'
           WHEN 'unreserved' THEN 'start the migration again soon, or raise the limit: ALTER SYSTEM SET max_slot_wal_keep_size = -1; SELECT pg_reload_conf();'
           WHEN 'active' THEN pg_catalog.format('stop the other program, or: SELECT pg_terminate_backend(%s);', j.active_pid) END
  FROM judged j
UNION ALL
SELECT 'pass', pg_catalog.format('no slot has the name %I yet', $1::text), NULL, NULL WHERE NOT EXISTS (SELECT 1 FROM s);
