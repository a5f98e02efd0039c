-- No parameters. pg_settings.reset_val: what a session starts with when it does not say otherwise. Minimum version 10.
SELECT NULL::text, 'the sink is a standby (in recovery)', NULL::text, 'connect to the primary (target_session_attrs=read-write)'
 WHERE pg_catalog.pg_is_in_recovery()
UNION ALL
SELECT NULL, 'default_transaction_read_only is on', NULL,
       pg_catalog.format('ALTER DATABASE %I SET default_transaction_read_only = off; -- first find out why: a service sets it when its disk is full',
                         pg_catalog.current_database())
  FROM pg_catalog.pg_settings s WHERE s.name = 'default_transaction_read_only' AND s.reset_val = 'on';
