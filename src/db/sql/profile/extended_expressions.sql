-- Statistics of the expressions of CREATE STATISTICS.
SELECT s.statistics_schemaname AS schema,
       s.statistics_name AS statistics_name,
       s.expr AS name,
       {inherited} AS inherited,
       s.null_frac AS null_fraction,
       s.avg_width AS average_width,
       s.n_distinct AS distinct_values,
       s.most_common_vals::text::text[] AS most_common,
       s.most_common_freqs AS frequencies,
       s.histogram_bounds::text::text[] AS histogram,
       s.correlation,
       s.most_common_elems::text::text[] AS elements,
       s.most_common_elem_freqs AS element_frequencies,
       s.elem_count_histogram AS element_counts,
       NULL::text[] AS range_lengths, NULL::float4 AS range_empty, NULL::text[] AS range_bounds
FROM pg_stats_ext_exprs s
-- Those of which nothing was collected.
WHERE s.null_frac IS NOT NULL
