-- $1 boolean: init-struct makes what is missing; $2 text[]: schemas and $3 text[]: names of the tables to migrate. Minimum version 10.
WITH me AS (SELECT CURRENT_USER::text AS name, pg_catalog.current_database()::text AS db,
                   pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE') AS creates),
wanted AS (SELECT s, t FROM unnest($2::text[], $3::text[]) AS x(s, t)),
found AS (
    SELECT w.s, w.t, n.oid AS schema, c.oid
      FROM wanted w
      LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = w.s
      LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.t)
SELECT NULL::text, pg_catalog.format('no CREATE right on database %I, needed for the schema kubeferry', me.db), NULL::text,
       pg_catalog.format('GRANT CREATE ON DATABASE %I TO %I;', me.db, me.name)
  FROM me WHERE NOT me.creates AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace n WHERE n.nspname = 'kubeferry')
UNION ALL
SELECT NULL, 'the schema kubeferry belongs to another role and ours may not use it', NULL,
       pg_catalog.format('GRANT USAGE, CREATE ON SCHEMA kubeferry TO %1$I; GRANT ALL ON ALL TABLES IN SCHEMA kubeferry TO %1$I; GRANT ALL ON ALL SEQUENCES IN SCHEMA kubeferry TO %1$I;', me.name)
  FROM me JOIN pg_catalog.pg_namespace n ON n.nspname = 'kubeferry'
 WHERE NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE') OR NOT pg_catalog.has_schema_privilege(n.oid, 'CREATE')
    OR EXISTS (SELECT 1 FROM pg_catalog.pg_class c WHERE c.relnamespace = n.oid AND c.relkind = 'r'
                  AND NOT (pg_catalog.has_table_privilege(c.oid, 'SELECT') AND pg_catalog.has_table_privilege(c.oid, 'INSERT')
                           AND pg_catalog.has_table_privilege(c.oid, 'UPDATE') AND pg_catalog.has_table_privilege(c.oid, 'DELETE')))
UNION ALL
SELECT NULL, pg_catalog.format('no CREATE right on database %I, needed for schema', me.db), pg_catalog.quote_ident(f.s),
       pg_catalog.format('GRANT CREATE ON DATABASE %I TO %I; or, as the owner: CREATE SCHEMA %I AUTHORIZATION %I;', me.db, me.name, f.s, me.name)
  FROM me, (SELECT DISTINCT x.s FROM found x WHERE x.schema IS NULL) f WHERE NOT me.creates AND $1::boolean
UNION ALL
SELECT NULL, 'no right to make tables in schema', pg_catalog.quote_ident(f.s),
       pg_catalog.format('GRANT USAGE, CREATE ON SCHEMA %I TO %I;', f.s, me.name)
  FROM me, (SELECT x.s, x.schema FROM found x WHERE x.schema IS NOT NULL AND x.oid IS NULL GROUP BY 1, 2) f
 WHERE $1::boolean AND NOT (pg_catalog.has_schema_privilege(f.schema, 'CREATE') AND pg_catalog.has_schema_privilege(f.schema, 'USAGE'))
UNION ALL
SELECT NULL, 'tables are missing and the step init-struct is switched off', pg_catalog.format('%I.%I', f.s, f.t), 'switch init-struct on, or make the tables first'
  FROM found f WHERE NOT $1::boolean AND f.oid IS NULL
UNION ALL
SELECT 'pass', pg_catalog.format('role %I may make what is missing in database %I', me.name, me.db), NULL, NULL FROM me;
