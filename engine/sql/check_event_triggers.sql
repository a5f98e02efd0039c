-- No parameters. Minimum version 10.
SELECT NULL::text, 'enabled event triggers run when tables are made', pg_catalog.quote_ident(t.evtname) || ' (on ' || t.evtevent || ')',
       pg_catalog.format('ALTER EVENT TRIGGER %I DISABLE; and ENABLE again after the migration', t.evtname)
  FROM pg_catalog.pg_event_trigger t WHERE t.evtenabled <> 'D' ORDER BY 3;
