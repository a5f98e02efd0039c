-- Roles whose own setting goes before that of the database, so that their sessions would write while it is read-only
-- (https://www.postgresql.org/docs/current/sql-alterrole.html). Gives the statement that takes it back. Minimum version 10.
SELECT pg_catalog.format('ALTER ROLE %I%s RESET default_transaction_read_only', pg_catalog.pg_get_userbyid(s.setrole),
                         CASE WHEN s.setdatabase <> 0 THEN pg_catalog.format(' IN DATABASE %I', pg_catalog.current_database()) END)
  FROM pg_catalog.pg_db_role_setting s
 WHERE s.setrole <> 0 AND s.setdatabase IN (0, (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()))
   AND EXISTS (SELECT FROM pg_catalog.unnest(s.setconfig) c WHERE pg_catalog.lower(c) ~ '^default_transaction_read_only=(of|f|n|0)')
 ORDER BY 1;
