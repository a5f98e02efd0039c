-- $1 text: what facts_extensions gave on the source. Minimum version 10 (trusted came with 13: read through to_jsonb).
WITH wanted AS (SELECT x.n, x.v, x.u FROM pg_catalog.json_to_recordset($1::json) AS x(n text, v text, u boolean)),
judged AS (
    SELECT w.*, a.name IS NOT NULL AS available, i.extversion AS installed, a.default_version,
           (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = CURRENT_USER) AS super,
           COALESCE((SELECT pg_catalog.bool_or((pg_catalog.to_jsonb(v) ->> 'trusted')::boolean OR NOT v.superuser)
                       FROM pg_catalog.pg_available_extension_versions v WHERE v.name = w.n), false) AS trusted,
           pg_catalog.current_setting('server_version_num')::integer / 10000 AS major
      FROM wanted w
      LEFT JOIN pg_catalog.pg_available_extensions a ON a.name = w.n
      LEFT JOIN pg_catalog.pg_extension i ON i.extname = w.n)
SELECT CASE WHEN j.u THEN NULL ELSE 'warn' END AS verdict,
       CASE WHEN j.u THEN 'the sink lacks extensions that migrated tables need' ELSE 'the sink lacks extensions that no migrated table needs' END AS what,
       j.n || ' ' || j.v AS object,
       CASE WHEN j.n ~ '^postgis|^address_standardizer' THEN pg_catalog.format('install on the sink''s server: postgresql-%s-postgis-3', j.major)
            WHEN j.n = 'vector' THEN pg_catalog.format('install on the sink''s server: postgresql-%s-pgvector', j.major)
            WHEN j.n IN ('timescaledb', 'citus') THEN 'install ' || j.n || ' on the sink''s server and add it to shared_preload_libraries'
            WHEN j.n ~ '^pl(perl|python|tcl)' THEN pg_catalog.format('install on the sink''s server: postgresql-pl%s-%s (Debian; RPM: postgresql%s-pl%s)',
                 CASE WHEN j.n ~ 'python' THEN 'python3' ELSE pg_catalog.substr(pg_catalog.rtrim(j.n, 'u'), 3) END, j.major, j.major,
                 CASE WHEN j.n ~ 'python' THEN 'python3' ELSE pg_catalog.substr(pg_catalog.rtrim(j.n, 'u'), 3) END)
            ELSE pg_catalog.format('install the package with %s on the sink''s server (contrib modules: postgresql-contrib; others: often postgresql-%s-%s), or have the service allow it',
                                   j.n, j.major, pg_catalog.replace(j.n, '_', '-')) END AS remedy
  FROM judged j WHERE NOT j.available AND j.installed IS NULL
UNION ALL
SELECT 'warn', 'extension versions differ', pg_catalog.format('%s (%s on the source, %s on the sink)', j.n, j.v, COALESCE(j.installed, j.default_version)),
       'usually nothing; if a dump does not load, install the same version on both ends'
  FROM judged j WHERE (j.available OR j.installed IS NOT NULL) AND COALESCE(j.installed, j.default_version) <> j.v
UNION ALL
SELECT 'warn', 'our role may not be allowed to create extensions', j.n,
       pg_catalog.format('have a superuser run in database %I: CREATE EXTENSION %I;', pg_catalog.current_database(), j.n)
  FROM judged j WHERE j.u AND j.available AND j.installed IS NULL AND NOT j.super AND NOT j.trusted
 ORDER BY 2, 3;
