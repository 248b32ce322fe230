-- The same scan shared by workers is as much work.
-- expect: error Parallel Seq Scan on orders
-- setup
SET LOCAL max_parallel_workers_per_gather = 2;
SET LOCAL min_parallel_table_scan_size = '1MB';
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
-- name: FindByTime :one
SELECT id, total FROM orders WHERE created_at = '2024-05-01 00:00:00+00';
