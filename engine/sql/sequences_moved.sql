-- The last value of each sequence: $1 oid[]. NULL: none was given out yet. One that was dropped has no row. Minimum version 10.
SELECT w.ord, pg_catalog.pg_sequence_last_value(c.oid)
  FROM pg_catalog.unnest($1::oid[]) WITH ORDINALITY AS w(oid, ord)
  JOIN pg_catalog.pg_class c ON c.oid = w.oid AND c.relkind = 'S'
 ORDER BY w.ord;
