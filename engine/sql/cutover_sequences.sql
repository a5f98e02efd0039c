-- What sequences are like. $1 text[] schemas, $2 text[] names, parallel: each has a row. Minimum version 10.
SELECT w.s, w.t, q.seqrelid IS NOT NULL, pg_catalog.format('INCREMENT %s MINVALUE %s MAXVALUE %s%s', q.seqincrement, q.seqmin, q.seqmax,
                                                   CASE WHEN q.seqcycle THEN ' CYCLE' ELSE ' NO CYCLE' END)
  FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) WITH ORDINALITY AS w(s, t, ord)
  LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = w.s::name
  LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.t::name AND c.relkind = 'S'
  LEFT JOIN pg_catalog.pg_sequence q ON q.seqrelid = c.oid
 ORDER BY w.ord;
