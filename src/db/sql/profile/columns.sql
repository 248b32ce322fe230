-- Statistics of columns, and of expressions of indexes, whose relation is the index.
SELECT c.oid AS relation_oid,
       s.attname AS name,
       s.inherited,
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
       {ranges}
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname
WHERE c.oid = ANY ($1)
ORDER BY s.attname COLLATE "C", s.inherited
