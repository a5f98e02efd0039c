-- $1 text: what facts_locale gave on the source. Minimum version 10.
WITH x AS (
    SELECT f.*, d.datcollate, d.datctype, COALESCE(pg_catalog.to_jsonb(d) ->> 'datlocprovider', 'c') AS provider,
           COALESCE(pg_catalog.to_jsonb(d) ->> 'datlocale', pg_catalog.to_jsonb(d) ->> 'daticulocale') AS locale
      FROM pg_catalog.pg_database d CROSS JOIN pg_catalog.json_to_record($1::json) AS f(o text, y text, p text, l text)
     WHERE d.datname = pg_catalog.current_database()),
named AS (
    SELECT x.*, pg_catalog.lower(pg_catalog.replace(x.o, '-', '')) = pg_catalog.lower(pg_catalog.replace(x.datcollate, '-', ''))
                AND pg_catalog.lower(pg_catalog.replace(x.y, '-', '')) = pg_catalog.lower(pg_catalog.replace(x.datctype, '-', ''))
                AND x.p = x.provider AND x.l IS NOT DISTINCT FROM x.locale AS same,
           CASE x.p WHEN 'i' THEN 'ICU ' || x.l WHEN 'b' THEN 'builtin ' || x.l ELSE 'libc' END AS their_provider,
           CASE x.provider WHEN 'i' THEN 'ICU ' || x.locale WHEN 'b' THEN 'builtin ' || x.locale ELSE 'libc' END AS our_provider
      FROM x)
SELECT CASE WHEN n.same THEN 'pass' END,
       CASE WHEN n.same THEN pg_catalog.format('both ends sort by %s (%s)', n.datcollate, n.our_provider)
            ELSE pg_catalog.format('the source sorts by %s with ctype %s (%s), the sink by %s with ctype %s (%s)',
                                   n.o, n.y, n.their_provider, n.datcollate, n.datctype, n.our_provider) END,
       NULL::text, NULL::text
  FROM named n;
