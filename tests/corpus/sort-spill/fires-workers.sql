-- Each process spills its own part.
-- expect: warning Sort
-- setup
SET LOCAL work_mem = '1MB';
SET LOCAL max_parallel_workers_per_gather = 2;
SET LOCAL min_parallel_table_scan_size = '1MB';
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
-- name: AllByTotal :many
SELECT * FROM orders WHERE created_at > '2024-01-02' ORDER BY total;
