-- Prepared transactions of the database. Minimum version 10.
SELECT pg_catalog.quote_literal(p.gid) || ' (of ' || p.owner || ', since ' || p.prepared::timestamptz(0) || ')'
  FROM pg_catalog.pg_prepared_xacts p WHERE p.database = pg_catalog.current_database() ORDER BY p.prepared;
