-- Tables, partitioned tables, partitions, foreign tables and materialized views of the database's own: no system's, no
-- temporary ones, none of an extension, not the table in which sqlx notes its migrations, and none that somebody holds locked.
SELECT c.oid,
       n.nspname AS schema,
       c.relname AS name,
       c.relkind::text AS kind,
       c.relrowsecurity AS row_security,
       -- -1: never analyzed (0 as well, where that has pages).
       CASE WHEN c.reltuples >= 0 THEN c.reltuples::float8 END AS rows,
       coalesce(pg_relation_size(c.oid::regclass), 0) / current_setting('block_size')::bigint AS pages,
       coalesce(pg_table_size(c.oid::regclass), 0) AS bytes,
       CASE WHEN c.relispartition THEN i.inhparent END AS parent,
       pg_get_expr(c.relpartbound, c.oid) AS bound,
       p.partstrat::text AS strategy,
       -- In key order; NULL is an expression.
       ARRAY(SELECT a.attname::text
             FROM unnest(p.partattrs::int2[]) WITH ORDINALITY AS k(number, at)
             LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number AND k.number <> 0
             ORDER BY k.at) AS key_columns,
       pg_get_expr(p.partexprs, c.oid) AS key_expressions
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_inherits i ON i.inhrelid = c.oid AND c.relispartition
LEFT JOIN pg_partitioned_table p ON p.partrelid = c.oid
WHERE c.relkind IN ('r', 'p', 'f', 'm')
  AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  AND n.nspname !~ '^pg_(toast_)?temp_'
  AND c.relname <> '_sqlx_migrations'
  AND c.oid <> ALL ($2)
  AND NOT EXISTS (SELECT FROM pg_depend d
                  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"
