-- $1 oid[]: tables to migrate. Those whose updates and deletes cannot be told apart on the sink.
-- Minimum version 10 (indnkeyatts came with 11: read through to_jsonb).
WITH bad AS (
    SELECT c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, c.relname, c.relreplident
      FROM pg_catalog.unnest($1::oid[]) AS w(oid)
      JOIN pg_catalog.pg_class c ON c.oid = w.oid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND c.relreplident <> 'f'
       AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_index i
                        WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate
                          AND CASE c.relreplident WHEN 'i' THEN i.indisreplident WHEN 'd' THEN i.indisprimary ELSE false END)),
more AS (
    SELECT b.*,
           EXISTS (SELECT 1 FROM pg_catalog.pg_index i WHERE i.indrelid = b.oid AND i.indisprimary AND i.indimmediate) AS has_key,
           EXISTS (SELECT 1 FROM pg_catalog.pg_index i WHERE i.indrelid = b.oid AND i.indisprimary AND NOT i.indimmediate) AS deferrable,
           (SELECT pg_catalog.min(x.relname::text) FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
             WHERE i.indrelid = b.oid AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
               AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute a WHERE a.attrelid = b.oid AND a.attnum = ANY (i.indkey::smallint[]) AND NOT a.attnotnull)) AS candidate
      FROM bad b)
SELECT NULL::text, 'updates and deletes cannot be followed on tables without a replica identity',
       m.name || ' (' || CASE WHEN m.relreplident = 'n' THEN 'replica identity nothing'
                              WHEN m.relreplident = 'i' THEN 'the index of its replica identity is gone'
                              WHEN m.deferrable THEN 'its primary key is deferrable'
                              ELSE 'no primary key' END || ')',
       CASE WHEN m.has_key THEN pg_catalog.format('ALTER TABLE %s REPLICA IDENTITY DEFAULT;', m.name)
            WHEN m.candidate IS NOT NULL THEN pg_catalog.format('ALTER TABLE %s REPLICA IDENTITY USING INDEX %I;', m.name, m.candidate)
            WHEN m.deferrable THEN pg_catalog.format('ALTER TABLE %s REPLICA IDENTITY FULL;', m.name)
            ELSE pg_catalog.format('ALTER TABLE %1$s ADD PRIMARY KEY (columns); or, slower to apply: ALTER TABLE %1$s REPLICA IDENTITY FULL;', m.name) END
  FROM more m
 ORDER BY m.name;
