-- Of each column of numbers the sequence that its default reads, else the one that it owns. A text column may draw a part of
-- its default from one ('N-' || nextval(…)): no number of its rows is the sequence's.
SELECT DISTINCT ON (u.table_oid, u.number) u.table_oid, u.number, n.nspname AS schema, s.relname AS name,
    q.seqstart, q.seqincrement, q.seqmin, q.seqmax
FROM (SELECT d.adrelid AS table_oid, d.adnum AS number, p.refobjid AS sequence, 1 AS rank
      FROM pg_attrdef d
      JOIN pg_depend p ON p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid AND p.refclassid = 'pg_class'::regclass
      UNION ALL
      SELECT p.refobjid, p.refobjsubid, p.objid, 2
      FROM pg_depend p
      WHERE p.classid = 'pg_class'::regclass AND p.refclassid = 'pg_class'::regclass
        AND p.deptype IN ('a', 'i') AND p.refobjsubid > 0) AS u
JOIN unnest($1::oid[]) AS t(oid) ON t.oid = u.table_oid
JOIN pg_attribute a ON a.attrelid = u.table_oid AND a.attnum = u.number
JOIN pg_type y ON y.oid = a.atttypid AND coalesce(nullif(y.typbasetype, 0), y.oid) IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype)
JOIN pg_class s ON s.oid = u.sequence AND s.relkind = 'S'
JOIN pg_sequence q ON q.seqrelid = s.oid
JOIN pg_namespace n ON n.oid = s.relnamespace
ORDER BY u.table_oid, u.number, u.rank, s.oid
