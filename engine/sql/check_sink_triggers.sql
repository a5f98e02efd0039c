-- $1 oid[]: tables to migrate that exist on the sink; $2 boolean: session_replication_role can be set. Minimum version 10.
SELECT CASE WHEN $2::boolean THEN 'warn' END,
       CASE WHEN $2::boolean THEN 'triggers that run even for replicated rows' ELSE 'triggers would run for every row that we write' END,
       pg_catalog.format('%I on %I.%I', t.tgname, n.nspname, c.relname),
       pg_catalog.format('ALTER TABLE %I.%I DISABLE TRIGGER %I; and ENABLE again after the cutover', n.nspname, c.relname, t.tgname)
  FROM pg_catalog.unnest($1::oid[]) AS w(oid)
  JOIN pg_catalog.pg_class c ON c.oid = w.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.oid AND NOT t.tgisinternal
 WHERE CASE WHEN $2::boolean THEN t.tgenabled IN ('A', 'R') ELSE t.tgenabled IN ('O', 'A') END
UNION ALL
SELECT NULL, CASE WHEN k.confdeltype IN ('c', 'n', 'd') OR k.confupdtype IN ('c', 'n', 'd')
                  THEN 'foreign keys would change rows on their own' ELSE 'foreign keys would refuse rows that come before the ones they refer to' END,
       pg_catalog.format('%I on %I.%I', k.conname, n.nspname, c.relname),
       pg_catalog.format('ALTER TABLE %I.%I DROP CONSTRAINT %I; and add it again after the cutover', n.nspname, c.relname, k.conname)
  FROM pg_catalog.unnest($1::oid[]) AS w(oid)
  JOIN pg_catalog.pg_class c ON c.oid = w.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_constraint k ON k.conrelid = c.oid AND k.contype = 'f'
 WHERE NOT $2::boolean
 ORDER BY 2, 3;
