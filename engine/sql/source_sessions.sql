-- The sessions of clients in this database that are not ours and began before a moment. $1: our application_name;
-- $2 timestamptz: the database was made read-only before it, so later sessions are read-only and may stay. A role that may
-- not see others' activity sees neither type nor start of theirs. Gives pid, user, application, what they do. Minimum
-- version 10.
SELECT a.pid, COALESCE(a.usename, 'unknown'), COALESCE(a.application_name, ''), COALESCE(a.state, 'unknown state')
  FROM pg_catalog.pg_stat_activity a
 WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid()
   AND COALESCE(a.backend_type, 'client backend') = 'client backend'
   AND COALESCE(a.application_name, '') <> pg_catalog.left($1::text, 63)
   AND COALESCE(a.backend_start <= $2::timestamptz, true)
 ORDER BY a.pid;
