-- One publication. $1 name. Columns: comment, all tables, all kinds of change, via root, filtered. Minimum version 10;
-- columns that came later are read through to_jsonb.
SELECT coalesce(pg_catalog.obj_description(p.oid, 'pg_publication'), ''), p.puballtables,
       p.pubinsert AND p.pubupdate AND p.pubdelete AND coalesce((pg_catalog.to_jsonb(p) ->> 'pubtruncate')::boolean, true),
       coalesce((pg_catalog.to_jsonb(p) ->> 'pubviaroot')::boolean, false),
       EXISTS (SELECT 1 FROM pg_catalog.pg_publication_rel r
                WHERE r.prpubid = p.oid
                  AND (pg_catalog.to_jsonb(r) ->> 'prqual' IS NOT NULL OR pg_catalog.to_jsonb(r) ->> 'prattrs' IS NOT NULL))
  FROM pg_catalog.pg_publication p
 WHERE p.pubname = $1::text;
