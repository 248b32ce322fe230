-- What runs when rows of these tables are written: triggers, CHECKs, indexes' expressions, policies, defaults and generated
-- columns; also of their partitions, and of the tables to which foreign keys pass deletes and updates on.
WITH RECURSIVE
written(oid) AS (
    SELECT c.oid FROM json_array_elements(:tables) t
    JOIN pg_class c ON c.relname::text = t ->> 1
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname::text = t ->> 0
    UNION
    SELECT next.oid FROM written CROSS JOIN LATERAL (
        SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = written.oid
        UNION ALL
        SELECT k.conrelid FROM pg_constraint k
        WHERE k.confrelid = written.oid AND (k.confdeltype IN ('c', 'n', 'd') OR k.confupdtype IN ('c', 'n', 'd'))
    ) AS next(oid)),
part(class, oid) AS (
    SELECT 'pg_constraint'::regclass, k.oid FROM pg_constraint k JOIN written w ON k.conrelid = w.oid
    UNION ALL SELECT 'pg_class'::regclass, i.indexrelid FROM pg_index i JOIN written w ON i.indrelid = w.oid
    UNION ALL SELECT 'pg_policy'::regclass, p.oid FROM pg_policy p JOIN written w ON p.polrelid = w.oid
    UNION ALL SELECT 'pg_attrdef'::regclass, d.oid FROM pg_attrdef d JOIN written w ON d.adrelid = w.oid
    UNION ALL SELECT 'pg_constraint'::regclass, k.oid FROM pg_constraint k
              JOIN pg_attribute a ON a.atttypid = k.contypid JOIN written w ON a.attrelid = w.oid)
SELECT json_build_object(
    'functions', ARRAY(SELECT g.tgfoid::int8 FROM pg_trigger g JOIN written w ON g.tgrelid = w.oid WHERE NOT g.tgisinternal
                       UNION SELECT d.refobjid::int8 FROM part JOIN pg_depend d ON d.classid = part.class AND d.objid = part.oid
                       WHERE d.refclassid = 'pg_proc'::regclass),
    'texts', ARRAY(SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN part ON part.class = 'pg_constraint'::regclass AND part.oid = k.oid
                   WHERE k.contype = 'c'
                   UNION ALL SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN written w ON i.indrelid = w.oid
                   WHERE i.indexprs IS NOT NULL OR i.indpred IS NOT NULL
                   UNION ALL SELECT pg_get_expr(p.polwithcheck, p.polrelid) FROM pg_policy p JOIN written w ON p.polrelid = w.oid
                   WHERE p.polwithcheck IS NOT NULL))::text
