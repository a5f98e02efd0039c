-- No parameters; asked of both ends. Minimum version 10.
SELECT s.system_identifier, pg_catalog.current_database(), extract(epoch FROM pg_catalog.pg_postmaster_start_time())
  FROM pg_catalog.pg_control_system() s;
