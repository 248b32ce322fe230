-- Sizes of the tables' indexes.
SELECT i.indrelid AS table_oid,
       c.oid,
       c.relname AS name,
       greatest(c.relpages, 0)::int8 AS pages,
       CASE WHEN c.reltuples >= 0 AND NOT (c.reltuples = 0 AND c.relpages > 0) THEN c.reltuples::float8 END AS rows
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = ANY ($1)
ORDER BY c.relname COLLATE "C"
