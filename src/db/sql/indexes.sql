SELECT i.indrelid AS table_oid,
       i.indexrelid AS oid,
       c.relname AS name,
       m.amname AS method,
       i.indisunique AS is_unique,
       -- Since 15.
       coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::bool, false) AS nulls_not_distinct,
       i.indisprimary AS is_primary,
       k.conname AS constraint_name,
       coalesce(k.condeferrable, false) AS is_deferrable,
       pg_get_expr(i.indpred, i.indrelid) AS predicate,
       i.indisvalid AND i.indisready AS is_valid,
       coalesce(pg_get_indexdef(i.indexrelid), '') AS definition,
       coalesce(pg_relation_size(i.indexrelid::regclass), 0) AS bytes,
       h.inhparent AS parent
FROM unnest($1::oid[]) AS t(oid)
JOIN pg_index i ON i.indrelid = t.oid AND i.indexrelid <> ALL ($2)
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_am m ON m.oid = c.relam
LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')
LEFT JOIN pg_inherits h ON h.inhrelid = i.indexrelid
ORDER BY i.indrelid, c.relname COLLATE "C"
