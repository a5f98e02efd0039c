-- The relation that each foreign key, trigger, rule and policy belongs to, packed: a row a catalogue, "oid owner other …"
-- with other the table that a foreign key points to, else 0; and the materialized views that hold rows, as "oid 0 0".
-- Columns: class oid, triples. No parameters. Minimum version 10.
SELECT 'pg_catalog.pg_constraint'::regclass::oid, pg_catalog.string_agg(c.oid || ' ' || c.conrelid || ' ' || c.confrelid, ' ')
  FROM pg_catalog.pg_constraint c
 WHERE c.contype = 'f'
UNION ALL
SELECT 'pg_catalog.pg_trigger'::regclass::oid, pg_catalog.string_agg(t.oid || ' ' || t.tgrelid || ' 0', ' ')
  FROM pg_catalog.pg_trigger t
 WHERE NOT t.tgisinternal
UNION ALL
SELECT 'pg_catalog.pg_rewrite'::regclass::oid, pg_catalog.string_agg(r.oid || ' ' || r.ev_class || ' 0', ' ')
  FROM pg_catalog.pg_rewrite r
 WHERE r.oid >= 16384
UNION ALL
SELECT 'pg_catalog.pg_policy'::regclass::oid, pg_catalog.string_agg(p.oid || ' ' || p.polrelid || ' 0', ' ')
  FROM pg_catalog.pg_policy p
UNION ALL
SELECT 'pg_catalog.pg_class'::regclass::oid, pg_catalog.string_agg(m.oid || ' 0 0', ' ')
  FROM pg_catalog.pg_class m
 WHERE m.relkind = 'm' AND m.relispopulated;
