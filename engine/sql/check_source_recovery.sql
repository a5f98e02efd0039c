-- $1 boolean: cdc is wanted. Minimum version 10. A publication can never be made on a standby, a slot from version 16 on.
SELECT CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN 'pass'
            WHEN NOT $1::boolean OR pg_catalog.current_setting('server_version_num')::integer >= 160000 THEN 'warn' END,
       CASE WHEN pg_catalog.pg_is_in_recovery() THEN 'the source is a standby (in recovery)' ELSE 'the source is a primary' END,
       NULL::text,
       CASE WHEN pg_catalog.current_setting('server_version_num')::integer >= 160000 THEN
            'make the publication on the primary; creating the slot waits for a message of the primary: SELECT pg_log_standby_snapshot(); there' END;
