-- Functions that are not the server's own, by name or OID. Of another name for a built-in function: that one's name.
SELECT json_build_object(
       'oid', p.oid::int8,
       'schema', n.nspname,
       'name', p.proname,
       'volatile', p.provolatile = 'v',
       -- What the planner may run: no aggregate, and nothing that returns sets.
       'early', p.provolatile <> 'v' AND p.prokind = 'f' AND NOT p.proretset,
       'language', l.lanname,
       'body', CASE l.lanname
           WHEN 'c' THEN ''
           WHEN 'internal' THEN (SELECT coalesce(string_agg(b.proname || '()', ' '), '')
                                 FROM pg_proc b
                                 WHERE b.prosrc = p.prosrc AND b.oid < 16384 AND b.prokind = 'f' AND p.prokind = 'f')
           ELSE coalesce(pg_get_function_sqlbody(p.oid), p.prosrc, '') END,
       'calls', ARRAY(SELECT d.refobjid::int8 FROM pg_depend d
                      WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.refclassid = 'pg_proc'::regclass))::text
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_language l ON l.oid = p.prolang
WHERE p.oid >= 16384
  AND (p.oid = ANY (:oids)
       OR p.proname::text IN (SELECT value FROM json_array_elements_text(:names)))
