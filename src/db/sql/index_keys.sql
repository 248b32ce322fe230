-- Every part of every index, INCLUDE columns last.
SELECT i.indexrelid AS index_oid,
       k.at > i.indnkeyatts AS included,
       a.attname AS column_name,
       CASE WHEN a.attname IS NULL THEN pg_get_indexdef(i.indexrelid, k.at::int, false) END AS expression,
       coalesce(i.indoption[k.at - 1] & 1, 0) <> 0 AS descending,
       coalesce(i.indoption[k.at - 1] & 2, 0) <> 0 AS nulls_first,
       CASE WHEN NOT o.opcdefault THEN o.opcname END AS operator_class,
       -- An expression's own collation is not in the catalog: the database's counts as its.
       CASE WHEN l.oid <> coalesce(a.attcollation, 'pg_catalog.default'::regcollation) THEN l.collname END AS collation
FROM unnest($1::oid[]) AS t(oid)
JOIN pg_index i ON i.indrelid = t.oid
CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, at)
LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number AND k.number <> 0
LEFT JOIN pg_opclass o ON o.oid = i.indclass[k.at - 1]
LEFT JOIN pg_collation l ON l.oid = i.indcollation[k.at - 1]
ORDER BY i.indexrelid, k.at
