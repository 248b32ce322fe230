-- The primary key gives the order; the wanted rows are rare.
-- expect: error Index Scan Backward using orders_pkey on orders
-- setup
SET LOCAL enable_sort = off;
-- name: LatestExpensive :many
SELECT id, total FROM orders WHERE total = 999.99 ORDER BY id DESC LIMIT 5;
