-- Transactions that have written to the tables and are open. $1 text[] schemas, $2 text[] names, parallel; $3 boolean: also those
-- that have not written yet and keep the lock of a writer. An INSERT takes that lock before it is refused as read-only, so who keeps
-- trying holds it for moments; who has written holds a lock on its transaction id too
-- (https://www.postgresql.org/docs/current/view-pg-locks.html). Prepared transactions have no pid.
-- Gives pid, what to call it, the table. Minimum version 10.
SELECT DISTINCT ON (l.virtualtransaction) l.pid, COALESCE(pg_catalog.format('pid %s (user %s, application "%s", %s)', l.pid, a.usename, a.application_name, a.state),
                                                   'a prepared transaction'), pg_catalog.format('%I.%I', w.s, w.t)
  FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) AS w(s, t)
  JOIN pg_catalog.pg_namespace n ON n.nspname = w.s::name
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.t::name
  JOIN pg_catalog.pg_locks l ON l.locktype = 'relation' AND l.relation = c.oid AND l.granted
   AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
   AND l.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
  LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
 WHERE l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
   AND ($3::boolean AND COALESCE(a.xact_start < pg_catalog.clock_timestamp() - interval '0.5 s', true)
        OR EXISTS (SELECT FROM pg_catalog.pg_locks x WHERE x.virtualtransaction = l.virtualtransaction
                    AND x.locktype = 'transactionid' AND x.mode = 'ExclusiveLock' AND x.granted))
 ORDER BY l.virtualtransaction;
