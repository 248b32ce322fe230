-- Plain inheritance, extended statistics, triggers and policies, each as a text beside its table.
SELECT i.inhrelid AS table_oid, 'parent' AS kind, i.inhparent AS parent, '' AS text
FROM unnest($1::oid[]) AS t(oid)
JOIN pg_inherits i ON i.inhrelid = t.oid
JOIN pg_class c ON c.oid = t.oid AND NOT c.relispartition
UNION ALL
SELECT s.stxrelid, 'statistics', NULL, pg_get_statisticsobjdef(s.oid)
FROM unnest($1::oid[]) AS t(oid)
JOIN pg_statistic_ext s ON s.stxrelid = t.oid
UNION ALL
-- tgtype & 4: fires on INSERT. Disabled ones and those for replicas do not fire.
SELECT g.tgrelid, 'trigger', NULL, g.tgname
FROM unnest($1::oid[]) AS t(oid)
JOIN pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal AND g.tgtype & 4 <> 0 AND g.tgenabled IN ('O', 'A')
UNION ALL
SELECT p.polrelid, 'policy', NULL, jsonb_build_object(
         'name', p.polname, 'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid),
         'roles', ARRAY(SELECT r.rolname FROM pg_roles r WHERE r.oid = ANY (p.polroles) ORDER BY r.rolname),
         'functions', ARRAY(SELECT DISTINCT f.proname
                            FROM pg_depend d
                            JOIN pg_proc f ON f.oid = d.refobjid AND f.provolatile <> 'i'
                            WHERE d.classid = 'pg_policy'::regclass AND d.objid = p.oid AND d.refclassid = 'pg_proc'::regclass
                            ORDER BY f.proname))::text
FROM unnest($1::oid[]) AS t(oid)
JOIN pg_policy p ON p.polrelid = t.oid
ORDER BY 1, 2, 4
