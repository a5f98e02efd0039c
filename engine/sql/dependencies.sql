-- What pg_dump may leave out: schemas that hold nothing which the migrated tables and schemas need, and tables that are not
-- needed and that we may not read (pg_dump locks every table that it dumps).
-- $1 oid[]: the migrated tables; $2 text[]: schemas wanted whole; $3 boolean: the whole database, so no schema is left out.
-- Columns: schema, table (NULL: the whole schema), in this order. Minimum version 10.
WITH RECURSIVE wanted(oid) AS (
    SELECT x FROM pg_catalog.unnest($1::oid[]) AS x
), user_schema(oid, nspname) AS (
    SELECT n.oid, n.nspname FROM pg_catalog.pg_namespace n
     WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'kubeferry')
), need(classid, objid) AS (
    -- pg_depend by (class, object): first the tables and what stands in the whole schemas, ...
    (SELECT 'pg_catalog.pg_class'::regclass::oid, w.oid FROM wanted w WHERE NOT $3
     UNION ALL
     SELECT d.classid, d.objid
       FROM user_schema s
       JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_namespace'::regclass AND d.refobjid = s.oid
      WHERE s.nspname = ANY ($2::text[]) AND NOT $3
     UNION ALL
     SELECT 'pg_catalog.pg_namespace'::regclass::oid, s.oid FROM user_schema s WHERE s.nspname = ANY ($2::text[]) AND NOT $3)
    UNION
    SELECT x.classid, x.objid
      FROM need
     CROSS JOIN LATERAL (
           -- ... then what each depends on (a foreign key is no reason to take the other table), ...
           SELECT d.refclassid AS classid, d.refobjid AS objid
             FROM pg_catalog.pg_depend d
            WHERE d.classid = need.classid AND d.objid = need.objid
              AND (d.refobjid >= 16384 OR d.refclassid = 'pg_catalog.pg_namespace'::regclass)
              AND NOT (need.classid = 'pg_catalog.pg_constraint'::regclass
                       AND EXISTS (SELECT 1 FROM pg_catalog.pg_constraint f WHERE f.oid = need.objid AND f.contype = 'f'))
           UNION ALL
           -- ... and what is a part of it: defaults, constraints, indexes, rules, sequences; not its partitions.
           SELECT d.classid, d.objid
             FROM pg_catalog.pg_depend d
            WHERE d.refclassid = need.classid AND d.refobjid = need.objid AND d.deptype <> 'n' AND d.deptype <> 'e'
              AND need.classid <> 'pg_catalog.pg_namespace'::regclass
              AND NOT (d.classid = 'pg_catalog.pg_class'::regclass
                       AND EXISTS (SELECT 1 FROM pg_catalog.pg_class c WHERE c.oid = d.objid AND c.relkind IN ('r', 'p', 'f')))
           ) x
), left_schema(oid) AS ( -- EXCEPT, here and below: it is never planned as a loop over `need`, whose size the planner cannot know
    SELECT s.oid FROM user_schema s WHERE NOT $3
    EXCEPT
    SELECT need.objid FROM need WHERE need.classid = 'pg_catalog.pg_namespace'::regclass
), left_table(oid) AS (
    SELECT c.oid
      FROM pg_catalog.pg_class c
      JOIN user_schema s ON s.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p')
       AND NOT (pg_catalog.has_table_privilege(c.oid, 'SELECT') AND pg_catalog.has_schema_privilege(s.oid, 'USAGE'))
    EXCEPT
    SELECT w.oid FROM wanted w
    EXCEPT
    SELECT need.objid FROM need WHERE need.classid = 'pg_catalog.pg_class'::regclass
)
SELECT n.nspname, NULL
  FROM left_schema s
  JOIN pg_catalog.pg_namespace n ON n.oid = s.oid
UNION ALL
SELECT n.nspname, c.relname
  FROM left_table t
  JOIN pg_catalog.pg_class c ON c.oid = t.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relnamespace NOT IN (SELECT s.oid FROM left_schema s)
 ORDER BY 1, 2;
