-- Sizes as the planner has them, of the tables that introspection reads.
SELECT c.oid,
       n.nspname AS schema,
       c.relname AS name,
       greatest(c.relpages, 0)::int8 AS pages,
       -- -1: never; up to 13, and where nothing but the pages are known, 0.
       CASE WHEN c.reltuples >= 0 AND NOT (c.reltuples = 0 AND c.relpages > 0 AND c.relkind <> 'p')
            THEN c.reltuples::float8 END AS rows,
       c.relallvisible::int8 AS all_visible
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f', 'm')
  AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  AND n.nspname !~ '^pg_(toast_)?temp_'
  AND c.relname <> '_sqlx_migrations'
  AND NOT EXISTS (SELECT FROM pg_depend d
                  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"
