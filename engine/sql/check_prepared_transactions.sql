-- No parameters. A slot waits for the transactions of every database. Minimum version 10.
SELECT NULL::text, 'prepared transactions are open: the slot cannot be made before they end',
       pg_catalog.format('%L of %I in %I since %s', p.gid, p.owner, p.database, pg_catalog.to_char(p.prepared AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')),
       pg_catalog.format('in database %I: COMMIT PREPARED %L; or ROLLBACK PREPARED %L;', p.database, p.gid, p.gid)
  FROM pg_catalog.pg_prepared_xacts p
 ORDER BY p.prepared;
