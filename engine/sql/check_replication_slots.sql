-- $1 our slot: it needs no free place when it exists already. Making it needs another place. Minimum version 10.
WITH n AS (
    SELECT pg_catalog.current_setting('max_replication_slots')::integer AS most,
           (SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_slots s WHERE s.slot_name <> $1::text) AS used,
           EXISTS (SELECT 1 FROM pg_catalog.pg_replication_slots s WHERE s.slot_name = $1::text) AS ours)
SELECT CASE WHEN n.most - n.used >= 2 THEN 'pass' WHEN n.most - n.used = 1 AND n.ours THEN 'warn' END,
       pg_catalog.format('%s of %s replication slots are used by others%s', n.used, n.most,
           CASE WHEN n.ours THEN ', ours exists' ELSE '' END
           || CASE WHEN n.most - n.used <> 1 THEN '' WHEN n.ours
                THEN ', no other is free, but verify, and a resume after a crash, need one for a while'
                ELSE ', one is free, but a second one is needed to make ours' END),
       pg_catalog.quote_ident(s.slot_name) || CASE WHEN s.active THEN '' ELSE ' (not in use)' END, NULL::text
  FROM n LEFT JOIN pg_catalog.pg_replication_slots s ON s.slot_name <> $1::text
 ORDER BY s.active, s.slot_name;
