-- Foreign keys, CHECKs, and whatever excludes by operators. The copies of a foreign key that stand for the partitions of
-- its referenced table are the server's own business.
SELECT k.conrelid AS table_oid,
       k.conname AS name,
       CASE WHEN k.conexclop IS NOT NULL THEN 'x' ELSE k.contype::text END AS kind,
       k.convalidated AS validated,
       k.condeferrable AS is_deferrable,
       k.confmatchtype = 'f' AS match_full,
       k.confrelid AS referenced_oid,
       rn.nspname AS referenced_schema,
       r.relname AS referenced_name,
       ARRAY(SELECT a.attname::text
             FROM unnest(k.conkey) WITH ORDINALITY AS u(number, at)
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number ORDER BY u.at) AS columns,
       ARRAY(SELECT a.attname::text
             FROM unnest(k.confkey) WITH ORDINALITY AS u(number, at)
             JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.number ORDER BY u.at) AS referenced_columns,
       ARRAY(SELECT o.oprname::text
             FROM unnest(k.conexclop) WITH ORDINALITY AS u(operator, at)
             JOIN pg_operator o ON o.oid = u.operator ORDER BY u.at) AS operators,
       k.conindid AS index_oid,
       coalesce(pg_get_constraintdef(k.oid), '') AS definition,
       coalesce(pg_get_expr(k.conbin, k.conrelid), '') AS expression
FROM unnest($1::oid[]) AS t(oid)
JOIN pg_constraint k ON k.conrelid = t.oid
LEFT JOIN pg_class r ON r.oid = k.confrelid
LEFT JOIN pg_namespace rn ON rn.oid = r.relnamespace
WHERE (k.contype IN ('f', 'c') OR k.conexclop IS NOT NULL)
  AND NOT EXISTS (SELECT FROM pg_constraint above
                  WHERE above.oid = k.conparentid AND above.conrelid = k.conrelid AND k.contype = 'f')
ORDER BY k.conrelid, k.conname COLLATE "C"
