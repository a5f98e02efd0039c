-- Sets sequences of the sink. Parallel arrays: $1 schemas, $2 names, $3 values, $4 whether the value was given out.
-- One row for each that exists. Minimum version 10.
SELECT pg_catalog.setval(c.oid, w.value, w.called)
  FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::bigint[]),
                  pg_catalog.unnest($4::boolean[])) AS w(s, t, value, called)
  JOIN pg_catalog.pg_namespace n ON n.nspname = w.s::name
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.t::name AND c.relkind = 'S';
