-- Every relation of the project that has files, and partitioned tables, which have none.
SELECT c.oid AS oid,
       n.nspname::text AS schema,
       c.relname::text AS name,
       t.relname::text AS table_name,
       c.relkind IN ('i', 'I') AS is_index,
       coalesce(am.amname, '')::text AS method,
       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = i.indexrelid AND a.attnum <= i.indnkeyatts ORDER BY a.attnum) AS keys,
       pg_catalog.pg_relation_filepath(c.oid) AS path
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
LEFT JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
WHERE c.relkind IN ('r', 'p', 'm', 'i', 'I')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  AND n.nspname NOT LIKE 'pg\_temp\_%'
ORDER BY c.oid
