-- $1 text: what facts_enums gave on the source. Minimum version 10.
SELECT NULL::text, 'an enum of the same name exists on the sink and lacks labels', pg_catalog.format('%I.%I (%s)', w.s, w.t, pg_catalog.string_agg(pg_catalog.quote_literal(w.l), ', ' ORDER BY w.l)),
       pg_catalog.string_agg(pg_catalog.format('ALTER TYPE %I.%I ADD VALUE %L;', w.s, w.t, w.l), ' ' ORDER BY w.l)
  FROM pg_catalog.json_to_recordset($1::json) AS w(s text, t text, l text)
  JOIN pg_catalog.pg_namespace n ON n.nspname = w.s
  JOIN pg_catalog.pg_type y ON y.typnamespace = n.oid AND y.typname = w.t AND y.typtype = 'e'
 WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_enum e WHERE e.enumtypid = y.oid AND e.enumlabel = w.l)
 GROUP BY w.s, w.t
 ORDER BY w.s, w.t;
