-- What ANALYZE measured. A partitioned table has statistics of its whole tree only; every other one has its own.
SELECT c.oid AS table_oid,
       s.attname AS column_name,
       s.null_frac::float8 AS null_fraction,
       s.n_distinct::float8 AS distinct_values,
       s.most_common_vals::text::text[] AS most_common,
       s.most_common_freqs::float8[] AS frequencies,
       s.histogram_bounds::text::text[] AS histogram,
       s.correlation::float8 AS correlation,
       s.avg_width AS average_width
FROM unnest($1::oid[]) AS t(oid)
JOIN pg_class c ON c.oid = t.oid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.inherited = (c.relkind = 'p')
