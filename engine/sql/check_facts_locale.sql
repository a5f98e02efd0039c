-- Facts of the source: one JSON object. No parameters. Minimum version 10 (provider and locale columns: 15 to 17).
SELECT pg_catalog.json_build_object('e', pg_catalog.pg_encoding_to_char(d.encoding), 'o', d.datcollate, 'y', d.datctype,
           'p', COALESCE(pg_catalog.to_jsonb(d) ->> 'datlocprovider', 'c'),
           'l', COALESCE(pg_catalog.to_jsonb(d) ->> 'datlocale', pg_catalog.to_jsonb(d) ->> 'daticulocale'))::text
  FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database();
