-- The types that columns use and those that these are made of, without plain built-in ones.
WITH RECURSIVE used(oid) AS (
    SELECT DISTINCT a.atttypid
    FROM unnest($1::oid[]) AS t(oid)
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    UNION
    SELECT part.oid
    FROM used
    JOIN pg_type t ON t.oid = used.oid
    CROSS JOIN LATERAL (
        SELECT t.typelem WHERE t.typcategory = 'A' AND t.typelem <> 0
        UNION ALL
        SELECT t.typbasetype WHERE t.typtype = 'd'
        UNION ALL
        SELECT a.atttypid FROM pg_attribute a
        WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT r.rngsubtype FROM pg_range r WHERE r.rngtypid = t.oid
        UNION ALL
        SELECT r.rngtypid FROM pg_range r WHERE r.rngmultitypid = t.oid
    ) AS part(oid)
)
SELECT t.oid,
       n.nspname AS schema,
       t.typname AS name,
       CASE WHEN t.typtype = 'b' AND inner_type.oid IS NOT NULL THEN 'a' ELSE t.typtype::text END AS kind,
       ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder) AS labels,
       inner_type.oid AS inner_oid,
       inner_type.modifier AS inner_modifier,
       format_type(inner_type.oid, inner_type.modifier) AS inner_name,
       t.typnotnull AS not_null,
       t.typdefault AS default_value,
       fields.names AS field_names,
       fields.oids AS field_oids,
       fields.modifiers AS field_modifiers,
       fields.types AS field_types,
       checks.names AS check_names,
       checks.expressions AS check_expressions,
       checks.validated AS check_validated
FROM used
JOIN pg_type t ON t.oid = used.oid
JOIN pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN LATERAL (
    SELECT t.typelem AS oid, -1 AS modifier WHERE t.typtype = 'b' AND t.typcategory = 'A' AND t.typelem <> 0
    UNION ALL
    SELECT t.typbasetype, t.typtypmod WHERE t.typtype = 'd'
    UNION ALL
    SELECT r.rngsubtype, -1 FROM pg_range r WHERE r.rngtypid = t.oid
    UNION ALL
    SELECT r.rngtypid, -1 FROM pg_range r WHERE r.rngmultitypid = t.oid
) AS inner_type ON true
CROSS JOIN LATERAL (
    SELECT array_agg(a.attname::text ORDER BY a.attnum) AS names,
           array_agg(a.atttypid ORDER BY a.attnum) AS oids,
           array_agg(a.atttypmod ORDER BY a.attnum) AS modifiers,
           array_agg(format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum) AS types
    FROM pg_attribute a
    WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
) AS fields
CROSS JOIN LATERAL (
    SELECT array_agg(k.conname::text ORDER BY k.conname) AS names,
           array_agg(pg_get_expr(k.conbin, 0) ORDER BY k.conname) AS expressions,
           array_agg(k.convalidated ORDER BY k.conname) AS validated
    FROM pg_constraint k
    WHERE k.contypid = t.oid AND k.contype = 'c'
) AS checks
-- 16384: the first OID that is not the system's own.
WHERE t.oid >= 16384 OR t.typtype <> 'b' OR inner_type.oid IS NOT NULL
ORDER BY t.oid
