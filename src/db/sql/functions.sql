-- Functions of the schema's own that may be one expression, for constraints that call them.
SELECT n.nspname::text AS schema,
       p.proname::text AS name,
       p.pronargs::int4 AS argument_count,
       p.proargnames AS argument_names,
       -- To print one looks at its tables, also at those that are held.
       coalesce(CASE WHEN cardinality($2::oid[]) = 0 THEN pg_get_function_sqlbody(p.oid) END, p.prosrc) AS body
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_language l ON l.oid = p.prolang
WHERE l.lanname IN ('sql', 'plpgsql')
  AND p.prokind = 'f'
  AND NOT p.proretset
  AND p.provariadic = 0
  AND p.prorettype <> 'trigger'::regtype
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND length(p.prosrc) < 4000
  AND NOT EXISTS (SELECT FROM pg_depend d
                  WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
ORDER BY p.oid
