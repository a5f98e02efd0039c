-- $1 text: what facts_columns gave on the source; $2 oid[]: the same tables as the sink numbers them. Minimum version 10.
WITH theirs AS (
    SELECT x.s, x.t, x.c, x.y, x.g FROM pg_catalog.json_to_recordset($1::json) AS x(s text, t text, c text, y text, g boolean)),
ours AS (
    SELECT n.nspname::text AS s, c.relname::text AS t, a.attname::text AS c,
           CASE WHEN e.objid IS NULL THEN pg_catalog.format_type(a.atttypid, a.atttypmod)
                ELSE pg_catalog.regexp_replace(pg_catalog.format_type(a.atttypid, a.atttypmod), '^("([^"]|"")*"|[^".]*)\.', '') END AS y,
           COALESCE(pg_catalog.to_jsonb(a) ->> 'attgenerated', '') <> '' AS g,
           a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AS must
      FROM pg_catalog.unnest($2::oid[]) AS w(oid)
      JOIN pg_catalog.pg_class c ON c.oid = w.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
      LEFT JOIN pg_catalog.pg_depend e ON e.classid = 'pg_catalog.pg_type'::regclass AND e.deptype = 'e'
           AND e.objid = CASE WHEN y.typcategory = 'A' AND y.typelem <> 0 THEN y.typelem ELSE y.oid END),
both_ends AS (
    SELECT COALESCE(o.s, h.s) AS s, COALESCE(o.t, h.t) AS t, COALESCE(o.c, h.c) AS c,
           h.c IS NOT NULL AS in_source, o.c IS NOT NULL AS in_sink, h.y AS their_type, o.y AS our_type, h.g AS their_generated, o.g AS our_generated, o.must
      FROM theirs h FULL JOIN ours o ON o.s = h.s AND o.t = h.t AND o.c = h.c)
SELECT NULL::text, 'columns of existing tables differ',
       pg_catalog.format('%I.%I.%I', b.s, b.t, b.c) || CASE
           WHEN NOT b.in_sink THEN ' (missing on the sink, ' || b.their_type || ')'
           WHEN NOT b.in_source THEN ' (only on the sink, NOT NULL without default)'
           WHEN b.our_type <> b.their_type THEN pg_catalog.format(' (%s on the source, %s on the sink)', b.their_type, b.our_type)
           WHEN b.our_generated THEN ' (generated on the sink only)'
           ELSE ' (generated on the source only)' END,
       CASE WHEN NOT b.in_sink THEN pg_catalog.format('ALTER TABLE %I.%I ADD COLUMN %I %s; or drop the table on the sink: init-struct makes it', b.s, b.t, b.c, b.their_type)
            WHEN NOT b.in_source THEN pg_catalog.format('ALTER TABLE %I.%I ALTER COLUMN %I DROP NOT NULL; or drop the table on the sink', b.s, b.t, b.c)
            WHEN b.our_type <> b.their_type THEN pg_catalog.format('ALTER TABLE %I.%I ALTER COLUMN %I TYPE %s; or drop the table on the sink', b.s, b.t, b.c, b.their_type)
            ELSE pg_catalog.format('DROP TABLE %I.%I; on the sink: init-struct makes it as it is on the source', b.s, b.t) END
  FROM both_ends b
 WHERE NOT b.in_sink OR (NOT b.in_source AND b.must) OR b.our_type <> b.their_type OR b.our_generated <> b.their_generated
 ORDER BY b.s, b.t, b.c;
