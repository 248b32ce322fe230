-- Columns of tables with rows for which pg_stats shows the caller nothing, and why that is.
SELECT n.nspname AS schema,
       c.relname AS name,
       row_security_active(c.oid) AS row_security,
       has_column_privilege(c.oid, a.attnum, 'SELECT') AS may_select,
       array_agg(a.attname::text ORDER BY a.attnum) AS columns
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.oid = ANY ($1)
  AND c.reltuples > 0
  AND NOT EXISTS (SELECT FROM pg_stats s
                  WHERE s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname)
GROUP BY 1, 2, 3, 4
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C", 3, 4
