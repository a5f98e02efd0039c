-- $1 text: what facts_locale gave on the source. Minimum version 10.
WITH x AS (
    SELECT f.e AS theirs, pg_catalog.pg_encoding_to_char(d.encoding)::text AS ours, d.datname
      FROM pg_catalog.pg_database d CROSS JOIN pg_catalog.json_to_record($1::json) AS f(e text)
     WHERE d.datname = pg_catalog.current_database())
SELECT CASE WHEN x.ours = x.theirs THEN 'pass' WHEN x.theirs = 'SQL_ASCII' THEN 'fail' WHEN x.ours = 'UTF8' THEN 'pass'
            WHEN x.ours = 'SQL_ASCII' THEN 'warn' END,
       CASE WHEN x.ours = x.theirs THEN 'both ends use ' || x.ours
            ELSE pg_catalog.format('the source uses %s, the sink %s', x.theirs, x.ours) ||
                 CASE WHEN x.theirs = 'SQL_ASCII' THEN ': bytes of an unknown encoding would be refused'
                      WHEN x.ours = 'UTF8' THEN ', which holds every character'
                      WHEN x.ours = 'SQL_ASCII' THEN ': text arrives as UTF8 and is no longer checked'
                      ELSE ', which cannot hold every character of it' END END,
       NULL::text,
       pg_catalog.format('make the sink''s database anew: CREATE DATABASE %I TEMPLATE template0 ENCODING %L LC_COLLATE %L LC_CTYPE %L;', x.datname,
                         CASE WHEN x.theirs = 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END,
                         CASE WHEN x.theirs = 'SQL_ASCII' THEN 'C' ELSE 'C.UTF-8' END, CASE WHEN x.theirs = 'SQL_ASCII' THEN 'C' ELSE 'C.UTF-8' END)
  FROM x;
