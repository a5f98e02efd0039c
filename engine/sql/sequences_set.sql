-- Sets sequences of the sink. Parallel arrays: $1 schemas, $2 names, $3 values, $4 whether the value was given out; $5: so
-- many values further on, in the sequence's direction, but never beyond its bounds. One row for each that was set: one
-- that the sink lacks, or that has other bounds there, is left. Minimum version 10.
SELECT pg_catalog.setval(c.oid, CASE WHEN $5::bigint = 0 THEN w.value
            ELSE LEAST(GREATEST(w.value + $5::numeric * q.seqincrement, q.seqmin), q.seqmax)::bigint END,
            w.called OR $5::bigint > 0)
  FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::bigint[]),
                  pg_catalog.unnest($4::boolean[])) AS w(s, t, value, called)
  JOIN pg_catalog.pg_namespace n ON n.nspname = w.s::name
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.t::name AND c.relkind = 'S'
  JOIN pg_catalog.pg_sequence q ON q.seqrelid = c.oid AND w.value BETWEEN q.seqmin AND q.seqmax;
