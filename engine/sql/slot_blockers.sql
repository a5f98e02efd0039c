-- What a walsender that makes a slot waits for. $1 its pid. Prepared transactions have no session: pid 0 stands for them.
-- Minimum version 10.
SELECT CASE WHEN b.pid = 0 THEN 'a prepared transaction' ELSE 'pid ' || b.pid END,
       coalesce(a.usename, p.owner, 'unknown'), coalesce(a.application_name, ''),
       coalesce(a.xact_start, p.prepared)::timestamptz(0), coalesce(a.state, 'prepared'),
       CASE WHEN b.pid = 0 THEN 'COMMIT PREPARED or ROLLBACK PREPARED ' || pg_catalog.quote_literal(coalesce(p.gid, '?'))
            ELSE coalesce(nullif(pg_catalog.regexp_replace(pg_catalog.left(a.query, 200), '\s+', ' ', 'g'), ''), '(no statement)') END
  FROM pg_catalog.unnest(pg_catalog.pg_blocking_pids($1::integer)) AS b(pid)
  LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid AND b.pid <> 0
  LEFT JOIN LATERAL (SELECT x.owner, x.prepared, x.gid FROM pg_catalog.pg_prepared_xacts x
                      WHERE b.pid = 0 ORDER BY x.prepared LIMIT 1) p ON true
 LIMIT 5;
