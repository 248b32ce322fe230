-- What CREATE STATISTICS collected. Combinations of values have two dimensions, which JSON carries.
SELECT c.oid AS table_oid,
       e.statistics_schemaname AS schema,
       e.statistics_name AS name,
       {inherited} AS inherited,
       x.stxkeys::int2[] AS numbers,
       e.attnames::text[] AS columns,
       e.exprs AS expressions,
       e.n_distinct::text AS distinct_values,
       e.dependencies::text AS dependencies,
       to_json(e.most_common_vals)::text AS most_common,
       e.most_common_freqs AS frequencies,
       e.most_common_base_freqs AS base_frequencies
FROM pg_stats_ext e
JOIN pg_namespace sn ON sn.nspname = e.statistics_schemaname
JOIN pg_statistic_ext x ON x.stxnamespace = sn.oid AND x.stxname = e.statistics_name
JOIN pg_class c ON c.oid = x.stxrelid
WHERE c.oid = ANY ($1)
ORDER BY e.statistics_schemaname COLLATE "C", e.statistics_name COLLATE "C", 4
