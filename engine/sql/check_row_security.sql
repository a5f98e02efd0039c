-- $1 oid[]: tables, of the end that is asked. With row_security = off a policy that applies to our role is an error.
-- Minimum version 10.
SELECT NULL::text, 'row security hides rows from our role', pg_catalog.format('%I.%I', n.nspname, c.relname),
       pg_catalog.format('ALTER ROLE %I BYPASSRLS; (by a superuser; or connect as the tables'' owner, or a superuser)', CURRENT_USER)
  FROM pg_catalog.unnest($1::oid[]) AS w(oid)
  JOIN pg_catalog.pg_class c ON c.oid = w.oid AND c.relrowsecurity
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE pg_catalog.row_security_active(c.oid)
 ORDER BY 3;
