-- $1 our publication, $2 the comment that says it was made by us, $3 oid[]: tables to migrate, partitioned ones included.
-- A remedy may be long, so of rows that share one only the first brings it; the others have an empty one.
-- Either a publication of the name exists and publishes every change of every table, or we must be able to make it.
-- Minimum version 10 (pubtruncate 11, pubviaroot 13, prattrs and prqual 15: read through to_jsonb).
WITH wanted AS (
    SELECT c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, c.relowner, c.relkind, c.relispartition
      FROM pg_catalog.unnest($3::oid[]) AS w(oid)
      JOIN pg_catalog.pg_class c ON c.oid = w.oid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relpersistence = 'p'),
pub AS (
    SELECT p.oid, COALESCE(pg_catalog.obj_description(p.oid, 'pg_publication') = $2::text, false) AS ours,
           p.pubinsert AND p.pubupdate AND p.pubdelete AND COALESCE((pg_catalog.to_jsonb(p) ->> 'pubtruncate')::boolean, true) AS all_operations,
           COALESCE((pg_catalog.to_jsonb(p) ->> 'pubviaroot')::boolean, false) AS via_root
      FROM pg_catalog.pg_publication p WHERE p.pubname = $1::text),
covered AS (SELECT g.relid FROM pub CROSS JOIN LATERAL pg_catalog.pg_get_publication_tables($1::text) AS g),
gaps AS (SELECT w.* FROM wanted w WHERE w.relkind = 'r' AND w.oid NOT IN (SELECT c.relid FROM covered c)),
cut AS (
    SELECT w.name FROM wanted w JOIN pg_catalog.pg_publication_rel r ON r.prrelid = w.oid JOIN pub ON pub.oid = r.prpubid
     WHERE pg_catalog.to_jsonb(r) ->> 'prattrs' IS NOT NULL OR pg_catalog.to_jsonb(r) ->> 'prqual' IS NOT NULL),
state AS (
    SELECT EXISTS (SELECT 1 FROM pub) AS is_there, COALESCE((SELECT pub.ours FROM pub), false) AS ours,
           COALESCE((SELECT pub.all_operations AND NOT pub.via_root FROM pub), false)
               AND NOT EXISTS (SELECT 1 FROM gaps) AND NOT EXISTS (SELECT 1 FROM cut) AS good),
me AS (SELECT r.oid, r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = CURRENT_USER),
-- What the publication is to hold: a partitioned table stands for its partitions from version 13 on.
listed AS (
    SELECT w.* FROM wanted w
     WHERE CASE WHEN pg_catalog.current_setting('server_version_num')::integer >= 130000
                THEN NOT w.relispartition OR NOT EXISTS (SELECT 1 FROM wanted p JOIN pg_catalog.pg_inherits i ON i.inhparent = p.oid WHERE i.inhrelid = w.oid)
                ELSE w.relkind = 'r' END),
statement AS (
    SELECT CASE WHEN pg_catalog.count(*) <= 200
                THEN pg_catalog.format('CREATE PUBLICATION %I FOR TABLE %s;', $1::text, pg_catalog.string_agg('ONLY ' || l.name, ', ' ORDER BY l.name))
                ELSE pg_catalog.format('DO $do$BEGIN EXECUTE (SELECT %L || string_agg(format(''ONLY %%I.%%I'', n.nspname, c.relname), '', '') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY (%L::oid[])); END$do$;',
                                       pg_catalog.format('CREATE PUBLICATION %I FOR TABLE ', $1::text), pg_catalog.array_agg(l.oid)::text)
           END AS create_it,
           pg_catalog.format('have a superuser or the owner of the tables run in database %I: ', pg_catalog.current_database()) AS who
      FROM listed l),
problem AS (
    SELECT 1 AS rank, CASE WHEN s.good THEN 'pass' END AS verdict,
           CASE WHEN s.good THEN pg_catalog.format('publication %I publishes every change of the %s tables', $1::text, (SELECT pg_catalog.count(*) FROM wanted w WHERE w.relkind = 'r'))
                ELSE pg_catalog.format('publication %I was not made by this task and does not serve it', $1::text) END AS what,
           NULL AS object,
           pg_catalog.format('or, if nobody needs it: DROP PUBLICATION %I; or give this task another --name', $1::text) AS remedy
      FROM state s WHERE s.is_there AND (s.good OR NOT s.ours)
    UNION ALL
    SELECT 0, NULL, 'publication ' || pg_catalog.quote_ident($1::text) || ' leaves out operations', NULL,
           pg_catalog.format('ALTER PUBLICATION %I SET (publish = %L);', $1::text, CASE WHEN pg_catalog.current_setting('server_version_num')::integer >= 110000
               THEN 'insert, update, delete, truncate' ELSE 'insert, update, delete' END)
      FROM pub WHERE NOT pub.ours AND NOT pub.all_operations
    UNION ALL
    SELECT 0, NULL, 'publication ' || pg_catalog.quote_ident($1::text) || ' publishes partitions under the name of their root', NULL,
           pg_catalog.format('ALTER PUBLICATION %I SET (publish_via_partition_root = false);', $1::text)
      FROM pub WHERE NOT pub.ours AND pub.via_root
    UNION ALL
    SELECT 0, NULL, 'publication ' || pg_catalog.quote_ident($1::text) || ' lacks', g.name,
           CASE WHEN pg_catalog.row_number() OVER (ORDER BY g.name) = 1 THEN
               (SELECT pg_catalog.format('ALTER PUBLICATION %I ADD TABLE %s;', $1::text, pg_catalog.string_agg('ONLY ' || x.name, ', ' ORDER BY x.name)) FROM gaps x)
               ELSE '' END
      -- Published under its root's name a partition is not listed, but it is not missing.
      FROM gaps g WHERE EXISTS (SELECT 1 FROM pub WHERE NOT pub.ours AND NOT pub.via_root)
    UNION ALL
    SELECT 0, NULL, 'publication ' || pg_catalog.quote_ident($1::text) || ' has a row filter or a column list for', c.name,
           pg_catalog.format('ALTER PUBLICATION %1$I DROP TABLE ONLY %2$s; ALTER PUBLICATION %1$I ADD TABLE ONLY %2$s;', $1::text, c.name)
      FROM cut c WHERE EXISTS (SELECT 1 FROM pub WHERE NOT pub.ours)
    UNION ALL
    SELECT 0, NULL, pg_catalog.format('role %I may not make a publication: no CREATE right on database %I', CURRENT_USER, pg_catalog.current_database()), NULL,
           CASE WHEN EXISTS (SELECT 1 FROM wanted w WHERE NOT pg_catalog.pg_has_role(w.relowner, 'USAGE')) THEN t.who || t.create_it
                ELSE pg_catalog.format('GRANT CREATE ON DATABASE %I TO %I;', pg_catalog.current_database(), CURRENT_USER) END
      FROM state s, me, statement t
     WHERE (NOT s.is_there) AND NOT me.rolsuper AND NOT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')
    UNION ALL
    SELECT 0, NULL, pg_catalog.format('role %I may not publish tables that it does not own', CURRENT_USER), w.name,
           CASE WHEN pg_catalog.row_number() OVER (ORDER BY w.name) = 1 THEN t.who || t.create_it ELSE '' END
      FROM state s, me, statement t, wanted w
     WHERE (NOT s.is_there OR s.ours AND NOT s.good) AND NOT me.rolsuper AND NOT pg_catalog.pg_has_role(w.relowner, 'USAGE'))
SELECT p.verdict, p.what, p.object, p.remedy FROM (
    SELECT * FROM problem
    UNION ALL
    SELECT 2, 'pass', pg_catalog.format('publication %I can be made for the tables', $1::text), NULL, NULL
     WHERE NOT EXISTS (SELECT 1 FROM problem)) p
 ORDER BY p.rank, p.what, p.object;
