-- $1 boolean: the whole database is migrated; $2 boolean: cdc is wanted. Minimum version 10.
SELECT CASE WHEN x.n = 0 THEN 'pass' END,
       CASE WHEN x.n = 0 THEN 'no large objects' ELSE x.n || ' large objects: ' ||
            CASE WHEN NOT $1::boolean THEN 'not copied, since single objects are migrated'
                 WHEN $2::boolean THEN 'copied once; later changes to them are not followed'
                 ELSE 'copied once' END END, NULL::text,
       CASE WHEN NOT $1::boolean THEN 'copy them by other means if the tables refer to them, or migrate the whole database (no --migration-object)' END
  FROM (SELECT pg_catalog.count(*) AS n FROM pg_catalog.pg_largeobject_metadata) x;
