-- Plain inheritance, extended statistics and triggers, each as a text beside its table.
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
ORDER BY 1, 2, 4
